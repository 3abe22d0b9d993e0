//! Releases in a store: made once, whole or not at all, checked when they are read.

use eservices_reference::building::State;
use eservices_reference::ids::Imb;
use eservices_reference::store::{Difference, Manifest};
use eservices_reference::{Change, GO_ON, ImportError, Imported, Options, Phase, Store, Unread, ipe};
use jiff::civil::date;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

const IPE: &str = "x_77_ESVC_PM_IPE_V30_20261101.csv";
const STRUCTURE: &str =
    "IMB;batiment;escalier;etage;PM;PMT;PBO;type_PBO;localisation_PBO;fibres_PBO;lien_PM_PRDM;logements";
const LINES: &str = "PTO;IMB;batiment;escalier;etage;PBO;etat";

/// A store and a folder of input files.
struct World {
    folder: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, header: &str, rows: &[String]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path
    }

    /// The three files of a network of `count` houses, its rows in the order that `turn` makes of them.
    fn network(&self, count: usize, turn: impl Fn(&mut Vec<String>)) -> Vec<PathBuf> {
        let (mut buildings, mut structure, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..count {
            let imb = format!("IMB/77058/X/{index:04}");
            buildings.push(building(&imb, "DEPLOYE", index % 50));
            structure.push(format!("{imb};;;1;FI-77058-000B;;P{};;;4;;1", index % 97));
            lines.push(format!("FI-{index:04}-0000;{imb};;;1;P{};ACTIVE", index % 97));
        }
        // Bâtiments of one address, a row that stands twice, and a row of a building that there is not.
        buildings.push(format!("{};B", &building("IMB/77058/X/0007", "CIBLE", 7).trim_end_matches(';')));
        structure.push(structure[3].clone());
        lines.push("FI-0000-9999;IMB/77058/X/ZZZZ;;;1;P1;ACTIVE".to_owned());
        [&mut buildings, &mut structure, &mut lines].into_iter().for_each(turn);
        vec![
            self.write(IPE, &header(), &buildings),
            self.write("structure.csv", STRUCTURE, &structure),
            self.write("lignes.csv", LINES, &lines),
        ]
    }

    fn import(&self, files: &[PathBuf]) -> Result<Imported, ImportError> {
        self.store.import(files, &options(1 << 24), &mut |_| GO_ON)
    }

    fn releases(&self) -> Vec<String> {
        self.store.releases().into_iter().map(|found| found.unwrap().id().to_owned()).collect()
    }

    fn release(&self, manifest: &Manifest) -> PathBuf {
        self.path("store/releases").join(manifest.id())
    }
}

fn options(memory_bytes: usize) -> Options {
    Options { memory_bytes, dry_run: false, today: date(2026, 11, 2) }
}

fn header() -> String {
    format!("{};CodeAdresseImmeuble;NumeroVoieImmeuble;BatimentImmeuble", ipe::REQUIRED.join(";"))
}

fn building(imb: &str, state: &str, number: usize) -> String {
    let hexacle = imb.replace("IMB/", "").replace('/', "");
    format!(
        "{imb};{state};FI-77058-000B;DEPLOYE;77058;77600;BUSSY;GANNERON;1;RGF93;678771,{number};6860548,07;{hexacle};\
         {number};"
    )
}

/// Every file below a folder with what it holds.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_same_files_change_nothing() {
    let world = World::new();
    let mut files = world.network(20, |_| {});
    let first = world.import(&files).unwrap();
    assert_eq!(first.change, Change::New);
    assert_eq!(first.manifest.imported, date(2026, 11, 2));
    let before = content(&world.path("store"));
    files.reverse();
    let mut phases = Vec::new();
    let again = world
        .store
        .import(&files, &options(1 << 20), &mut |p| {
            phases.push(p.phase);
            GO_ON
        })
        .unwrap();
    assert_eq!((again.change, &again.manifest), (Change::SameFiles, &first.manifest));
    assert!(
        phases.iter().all(|phase| [Phase::Sum, Phase::Prove].contains(phase)),
        "nothing was read: {phases:?}"
    );
    assert_eq!(content(&world.path("store")), before);
    assert_eq!(world.releases(), [first.manifest.id()]);
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let world = World::new();
    let first = world.import(&world.network(300, |_| {})).unwrap();
    let before = content(&world.path("store"));
    let other = world.import(&world.network(300, |rows| rows.reverse())).unwrap();
    assert_eq!((other.change, other.manifest), (Change::SameRecords, first.manifest));
    let third = world.import(&world.network(300, |rows| rows.rotate_left(101))).unwrap();
    assert_eq!(third.change, Change::SameRecords);
    assert_eq!(content(&world.path("store")), before);
    let reasons = |imported: &Imported| {
        let mut reasons: Vec<_> = imported.problems.iter().map(|p| p.reason.clone()).collect();
        reasons.sort();
        reasons
    };
    let expected = [
        "bâtiment B contradicts the state DEPLOYE of the address's first row",
        "no such building in the IPE file",
        "the same row stands twice",
    ];
    assert_eq!(reasons(&first_again(&world)), expected);
    assert_eq!(reasons(&third), expected);
}

/// The import of the first files, into a store of its own.
fn first_again(world: &World) -> Imported {
    let files = world.network(300, |_| {});
    let store = Store::open(world.path("other")).unwrap();
    store.import(&files, &options(1 << 24), &mut |_| GO_ON).unwrap()
}

#[test]
fn little_memory_gives_the_same_release() {
    let (rich, poor) = (World::new(), World::new());
    let big = rich.store.import(&rich.network(3000, |_| {}), &options(1 << 28), &mut |_| GO_ON).unwrap();
    let files = poor.network(3000, |rows| rows.reverse());
    let mut runs = 0;
    let small = poor
        .store
        .import(&files, &options(0), &mut |_| {
            let work = fs::read_dir(poor.path("store/staging/work"));
            runs = runs.max(work.map_or(0, |entries| entries.count()));
            GO_ON
        })
        .unwrap();
    assert!(runs >= 3, "runs were written: {runs}");
    assert_eq!(small.manifest.id(), big.manifest.id());
    let files = |manifest: &Manifest| {
        manifest.files.iter().filter(|file| file.name != "problems.csv").cloned().collect::<Vec<_>>()
    };
    assert_eq!(files(&small.manifest), files(&big.manifest));
    let reference = poor.store.load(small.manifest.id()).unwrap();
    assert_eq!((reference.buildings().len(), reference.release().counts.lines), (3000, 3000));
}

#[test]
fn what_a_killed_import_left_is_cleared() {
    let world = World::new();
    let files = world.network(5, |_| {});
    let left = world.path("store/staging/release");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("buildings.rec"), b"half").unwrap();
    assert!(world.releases().is_empty());
    world.import(&files).unwrap();
    assert!(!world.path("store/staging").exists());
    assert_eq!(world.releases().len(), 1);
}

#[test]
fn an_import_that_stops_anywhere_leaves_no_half_release() {
    let world = World::new();
    let files = world.network(5, |_| {});
    let mut steps = 0;
    let dry = Options { dry_run: true, ..options(1 << 20) };
    world
        .store
        .import(&files, &dry, &mut |_| {
            steps += 1;
            GO_ON
        })
        .unwrap();
    assert!(steps >= 5, "{steps}");
    for stop in 0..steps {
        let mut step = 0;
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            world.store.import(&files, &options(1 << 20), &mut |_| {
                // Without the message that a panic prints.
                if step == stop {
                    std::panic::resume_unwind(Box::new("stop"));
                }
                step += 1;
                GO_ON
            })
        }));
        assert!(stopped.is_err());
        assert!(world.releases().is_empty(), "step {stop}");
    }
    // The same where it is told to stop.
    for stop in 0..steps {
        let mut step = 0;
        let stopped = world.store.import(&files, &options(1 << 20), &mut |_| {
            step += 1;
            if step > stop { ControlFlow::Break(()) } else { GO_ON }
        });
        assert!(matches!(stopped, Err(ImportError::Stopped)), "step {stop}: {stopped:?}");
        assert_eq!(step, stop + 1, "it ends at once");
        assert!(world.releases().is_empty() && !world.path("store/staging").exists(), "step {stop}");
    }
    assert_eq!(world.import(&files).unwrap().change, Change::New);
}

#[test]
fn two_imports_do_not_meet() {
    let world = World::new();
    let files = world.network(5, |_| {});
    let id = world.import(&files).unwrap().manifest.release.name;
    let lock = File::options().write(true).open(world.path("store/lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(world.import(&files), Err(ImportError::Busy { .. })));
    assert!(matches!(world.store.remove(&id), Err(ImportError::Busy { .. })));
    drop(lock);
    assert_eq!(world.import(&files).unwrap().change, Change::SameFiles);
}

#[test]
fn a_dry_run_keeps_nothing() {
    let world = World::new();
    let files = world.network(10, |_| {});
    let dry = Options { dry_run: true, ..options(1 << 20) };
    let tried = world.store.import(&files, &dry, &mut |_| GO_ON).unwrap();
    assert_eq!((tried.change, tried.problems.len()), (Change::DryRun, 3));
    assert!(world.releases().is_empty() && !world.path("store/staging").exists());
    let done = world.import(&files).unwrap();
    assert_eq!((done.change, done.manifest), (Change::New, tried.manifest));
}

#[test]
fn damaged_releases_are_refused_with_the_reason() {
    let world = World::new();
    let manifest = world.import(&world.network(20, |_| {})).unwrap().manifest;
    let id = manifest.id();
    let folder = world.release(&manifest);
    let reason = || world.store.load(id).unwrap_err().reason;
    let names = manifest.files.iter().map(|file| file.name.clone()).chain(["manifest.toml".to_owned()]);
    for name in names {
        let path = folder.join(&name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(reason(), format!("{name}: the file is missing"));
        for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(reason().starts_with(&format!("{name}: ")), "{name} cut at {cut}: {}", reason());
        }
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(reason().starts_with(&format!("{name}: ")), "{name} longer: {}", reason());
        // Every byte of the first hundred, and some of the rest.
        for at in (0..whole.len().min(100)).chain((100..whole.len()).step_by(331)) {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            fs::write(&path, &flipped).unwrap();
            assert!(reason().starts_with(&format!("{name}: ")), "{name} at {at}: {}", reason());
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(world.store.load(id).unwrap().buildings().len(), 20);
}

#[test]
fn a_damaged_release_is_never_the_same() {
    let world = World::new();
    let files = world.network(20, |_| {});
    let manifest = world.import(&files).unwrap().manifest;
    let folder = world.release(&manifest);
    let whole = content(&folder);
    for path in whole.keys() {
        let cut = |path: &Path| fs::write(path, &whole[path][..whole[path].len() / 2]).unwrap();
        let flipped = |path: &Path| {
            let mut bytes = whole[path].clone();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        };
        let gone = |path: &Path| fs::remove_file(path).unwrap();
        for damage in [&cut as &dyn Fn(&Path), &flipped, &gone] {
            // By the files that it was made of, and by the records that others give.
            for files in [world.network(20, |_| {}), world.network(20, |rows| rows.reverse())] {
                damage(path);
                world.store.check(manifest.id()).unwrap_err();
                let dry = Options { dry_run: true, ..options(1 << 20) };
                let tried = world.store.import(&files, &dry, &mut |_| GO_ON).unwrap();
                assert_eq!(tried.change, Change::DryRun, "{}", path.display());
                let mended = world.import(&files).unwrap();
                assert_eq!(mended.change, Change::Mended, "{}", path.display());
                assert_eq!(world.store.check(manifest.id()).unwrap(), mended.manifest);
                assert_eq!(world.store.load(manifest.id()).unwrap().buildings().len(), 20);
                assert_eq!(world.releases(), [manifest.id()]);
                assert!(!world.path("store/staging").exists());
            }
        }
    }
    let files = world.network(20, |_| {});
    world.store.remove(manifest.id()).unwrap();
    world.import(&files).unwrap();
    assert_eq!(content(&folder), whole);
}

#[test]
fn reasons_in_words() {
    let world = World::new();
    let manifest = world.import(&world.network(20, |_| {})).unwrap().manifest;
    let folder = world.release(&manifest);
    let reason = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let whole = fs::read(folder.join(name)).unwrap();
        let mut changed = whole.clone();
        change(&mut changed);
        fs::write(folder.join(name), changed).unwrap();
        let reason = world.store.load(manifest.id()).unwrap_err().reason;
        fs::write(folder.join(name), whole).unwrap();
        reason
    };
    let bytes = manifest.file("buildings.rec").unwrap().bytes;
    for (change, expected) in [
        (
            &(|file: &mut Vec<u8>| file.truncate(100)) as &dyn Fn(&mut Vec<u8>),
            format!("buildings.rec: has 100 bytes where the manifest tells {bytes}"),
        ),
        (&|file| file[0] = b'X', "buildings.rec: is no file of records".to_owned()),
        (&|file| file[8] = 2, "buildings.rec: is not in format version 1".to_owned()),
        (
            &|file| file[12] = 19,
            "buildings.rec: has another count of records than the manifest tells".to_owned(),
        ),
        (
            &|file| *file.last_mut().unwrap() ^= 1,
            "buildings.rec: does not have the checksum of the manifest".to_owned(),
        ),
    ] {
        assert_eq!(reason("buildings.rec", change), expected);
    }
    let version = |file: &mut Vec<u8>| {
        *file = String::from_utf8(file.clone()).unwrap().replace("format = 1", "format = 2").into_bytes();
    };
    assert_eq!(reason("manifest.toml", &version), "manifest.toml: format version 2, this program reads 1");
    let renamed = world.path("store/releases/20261101-000000000000");
    fs::rename(&folder, &renamed).unwrap();
    let error = world.store.load("20261101-000000000000").unwrap_err().to_string();
    let expected =
        format!("release 20261101-000000000000: manifest.toml: is that of release {}", manifest.id());
    assert_eq!(error, expected);
    assert_eq!(world.store.releases()[0].clone().unwrap_err().to_string(), expected);
    for id in ["", "..", "../x", "20261101-1"] {
        assert_eq!(world.store.load(id).unwrap_err().reason, "no such release", "{id}");
    }
}

#[test]
fn removed_releases_are_gone() {
    let world = World::new();
    let one = world.import(&world.network(5, |_| {})).unwrap().manifest;
    let two = world.import(&world.network(6, |_| {})).unwrap().manifest;
    let mut ids = vec![one.id().to_owned(), two.id().to_owned()];
    ids.sort();
    assert_eq!(world.releases(), ids);
    world.store.remove(one.id()).unwrap();
    assert_eq!(world.releases(), [two.id()]);
    assert!(!world.release(&one).exists() && !world.path("store/staging").exists());
    let again = world.store.remove(one.id()).unwrap_err();
    assert_eq!(again.to_string(), format!("release {}: no such release", one.id()));
    // One that is damaged can be removed too.
    fs::write(world.release(&two).join("manifest.toml"), "").unwrap();
    world.store.remove(two.id()).unwrap();
    assert!(world.releases().is_empty());
}

#[test]
fn what_changed_between_two_releases() {
    let world = World::new();
    let release = |name: &str, column: &str, rows: &[(&str, &str, &str)]| {
        let rows: Vec<_> =
            rows.iter().map(|(imb, state, note)| format!("{note};{}", building(imb, state, 1))).collect();
        let file = world.write(name, &format!("{column};{}", header()), &rows);
        world.import(&[file]).unwrap().manifest.release.name
    };
    let a = release(
        IPE,
        "CommentairePM",
        &[
            ("IMB/77058/X/0001", "CIBLE", ""),
            ("IMB/77058/X/0002", "SIGNE", ""),
            ("IMB/77058/X/0003", "DEPLOYE", "old"),
            ("IMB/77058/X/0005", "DEPLOYE", "same"),
        ],
    );
    let b = release(
        "x_77_ESVC_PM_IPE_V30_20261201.csv",
        "Autre;CommentairePM",
        &[
            ("IMB/77058/X/0000", "CIBLE", ";"),
            ("IMB/77058/X/0002", "DEPLOYE", ";"),
            ("IMB/77058/X/0003", "DEPLOYE", ";new"),
            ("IMB/77058/X/0005", "DEPLOYE", ";same"),
        ],
    );
    let found = world.store.compare(&a, &b).unwrap();
    assert_eq!((found.added, found.changed, found.removed, found.same), (1, 2, 1, 1));
    let states = [((State::Signed, State::Deployed), 1), ((State::Deployed, State::Deployed), 2)];
    assert_eq!(found.states, BTreeMap::from(states));
    let examples: Vec<_> =
        found.examples.iter().map(|e| (e.imb.as_str(), e.difference, e.before, e.after)).collect();
    let (cible, signed, deployed) = (Some(State::Target), Some(State::Signed), Some(State::Deployed));
    let expected = [
        ("IMB/77058/X/0000", Difference::Added, None, cible),
        ("IMB/77058/X/0001", Difference::Removed, cible, None),
        ("IMB/77058/X/0002", Difference::Changed, signed, deployed),
        ("IMB/77058/X/0003", Difference::Changed, deployed, deployed),
    ];
    assert_eq!(examples, expected);
    let same = world.store.compare(&a, &a).unwrap();
    assert_eq!((same.added, same.changed, same.removed, same.same), (0, 0, 0, 4));
    assert_eq!(world.store.compare(&a, "x").unwrap_err().to_string(), "release x: no such release");
}

#[test]
fn extra_columns_are_kept_by_name() {
    let world = World::new();
    let row = |values: &str, imb: &str| format!("{values};{}", building(imb, "CIBLE", 1));
    let one = world.write(IPE, &format!("Zeta;Alpha;{}", header()), &[row("z;", "IMB/77058/X/0001")]);
    let two = "x_78_ESVC_PM_IPE_V30_20261031.csv";
    let two = world.write(two, &format!("Mu;Zeta;{}", header()), &[row("m;y", "IMB/77058/X/0002")]);
    let imported = world.import(&[two, one]).unwrap();
    assert!(imported.manifest.id().starts_with("20261101-"), "the newer day");
    let reference = world.store.load(imported.manifest.id()).unwrap();
    assert_eq!(reference.extra_columns(), ["Alpha", "Mu", "Zeta"].map(Into::into));
    let extra = |imb: &str| {
        reference.extra(reference.building(&Imb::parse(imb).unwrap()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(extra("IMB/77058/X/0001"), [("Zeta", "z")]);
    assert_eq!(extra("IMB/77058/X/0002"), [("Mu", "m"), ("Zeta", "y")]);
    let unknown: Vec<_> = reference.report().unknown_columns.iter().map(|(_, column)| column).collect();
    assert_eq!(unknown, ["Zeta", "Alpha", "Mu", "Zeta"]);
}

#[test]
fn archives_give_the_records_of_the_plain_file() {
    let world = World::new();
    let plain = world.write(IPE, &header(), &[building("IMB/77058/X/0001", "CIBLE", 1)]);
    let text = fs::read(&plain).unwrap();
    let first = world.import(std::slice::from_ref(&plain)).unwrap();
    let gz = world.path(&format!("{IPE}.gz"));
    let mut out = flate2::write::GzEncoder::new(File::create(&gz).unwrap(), flate2::Compression::default());
    out.write_all(&text).unwrap();
    out.finish().unwrap();
    let zip = world.path(&IPE.replace(".csv", ".zip"));
    let mut out = zip::ZipWriter::new(File::create(&zip).unwrap());
    out.start_file("ipe.csv", zip::write::SimpleFileOptions::default()).unwrap();
    out.write_all(&text).unwrap();
    out.finish().unwrap();
    for archive in [&gz, &zip] {
        let same = world.import(std::slice::from_ref(archive)).unwrap();
        assert_eq!((same.change, same.manifest.id()), (Change::SameRecords, first.manifest.id()));
    }
    // A damaged end is found however much was read before.
    let whole = fs::read(&gz).unwrap();
    fs::write(&gz, &whole[..whole.len() - 6]).unwrap();
    let error = world.import(&[gz]).unwrap_err().to_string();
    assert!(error.contains("cannot unpack"), "{error}");
}

#[test]
fn files_that_an_import_does_not_take() {
    let world = World::new();
    let ipe = world.write(IPE, &header(), &[]);
    let error = |files: &[PathBuf]| world.import(files).unwrap_err().to_string();
    let strange = world.write("copper.csv", "ND;NRA", &[]);
    let message = error(&[ipe.clone(), strange]);
    assert!(message.starts_with("copper.csv: not recognised; expected an IPE file"), "{message}");
    let empty = world.path("nothing.csv");
    fs::write(&empty, "").unwrap();
    assert!(error(&[ipe.clone(), empty]).starts_with("nothing.csv: not recognised"));
    fs::create_dir(world.path("x")).unwrap();
    let twin = world.path("x").join(IPE);
    fs::copy(&ipe, &twin).unwrap();
    assert_eq!(error(&[ipe.clone(), twin]), format!("two files are called {IPE}"));
    let lines = world.write("l.csv", LINES, &[]);
    assert_eq!(error(&[lines]), "no IPE file among the files");
    assert!(error(&[world.path("absent.csv")]).contains("absent.csv: cannot read"));
    let offers = world.write("offers.toml", "[[offer]]", &["code = \"X\"".to_owned()]);
    assert!(error(&[ipe, offers]).starts_with("offers.toml:"));
    assert!(world.releases().is_empty() && !world.path("store/staging").exists());
}

#[test]
fn a_file_that_changes_under_way_is_refused() {
    let world = World::new();
    let file = world.write(IPE, &header(), &[building("IMB/77058/X/0001", "CIBLE", 1)]);
    let more = format!("{}\n", building("IMB/77058/X/0002", "CIBLE", 2));
    let imported = world.store.import(std::slice::from_ref(&file), &options(1 << 20), &mut |p| {
        if p.phase == Phase::Read {
            File::options().append(true).open(&file).unwrap().write_all(more.as_bytes()).unwrap();
        }
        GO_ON
    });
    assert_eq!(imported.unwrap_err().to_string(), format!("{IPE}: changed while it was read"));
    assert!(world.releases().is_empty());
}

/// Another file of the same name and size in its place, and a pipe, for which nobody waits.
#[test]
fn a_file_that_is_another_one_or_none_is_refused() {
    let world = World::new();
    let file = world.write(IPE, &header(), &[building("IMB/77058/X/0001", "CIBLE", 1)]);
    let imported = world.store.import(std::slice::from_ref(&file), &options(1 << 20), &mut |p| {
        if p.phase == Phase::Read {
            let other = world.path("other.csv");
            fs::copy(&file, &other).unwrap();
            fs::rename(&other, &file).unwrap();
        }
        GO_ON
    });
    assert_eq!(imported.unwrap_err().to_string(), format!("{IPE}: changed while it was read"));
    let pipe = world.path("T_PM_IPE_pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = world.import(&[pipe]).unwrap_err().to_string();
    assert!(refused.ends_with("cannot read: is no regular file"), "{refused}");
    assert!(world.releases().is_empty());
}

/// Other files with the records of a release: their own counts are told, not those of the release.
#[test]
fn the_same_records_of_worse_files_have_the_counts_of_these_files() {
    let world = World::new();
    let good = [building("IMB/77058/X/0001", "CIBLE", 1)];
    let file = world.write(IPE, &header(), &good);
    let first = world.import(std::slice::from_ref(&file)).unwrap();
    assert_eq!((first.rows, first.refused, first.remarks), (1, 0, 0));
    let bad = [good[0].clone(), "IMB/77058/X/0002".to_owned(), building("IMB/nonsense", "CIBLE", 1)];
    let file = world.write(IPE, &header(), &bad);
    let other = world.import(&[file]).unwrap();
    assert_eq!((other.change, &other.manifest), (Change::SameRecords, &first.manifest));
    assert_eq!((other.rows, other.refused, other.remarks), (3, 2, 0));
    assert_eq!(other.problems.iter().map(|p| p.line).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn reading_a_release_can_be_stopped() {
    let world = World::new();
    let id = world.import(&world.network(20, |_| {})).unwrap().manifest.release.name;
    let mut read = 0;
    world
        .store
        .check_while(&id, &mut |bytes| {
            read = bytes;
            GO_ON
        })
        .unwrap();
    assert!(read > 1_000, "{read}");
    let stopped = world.store.check_while(&id, &mut |_| ControlFlow::Break(()));
    assert_eq!(stopped.unwrap_err(), Unread::Stopped);
    let stopped = world.store.compare_while(&id, &id, &mut |_| ControlFlow::Break(()));
    assert_eq!(stopped.unwrap_err(), Unread::Stopped);
}

/// A removal keeps others out until it is complete; one that is given up changes nothing.
#[test]
fn a_removal_is_one_step() {
    let world = World::new();
    let files = world.network(5, |_| {});
    let id = world.import(&files).unwrap().manifest.release.name;
    let removal = world.store.removal(&id).unwrap();
    assert!(matches!(world.import(&files), Err(ImportError::Busy { .. })));
    drop(removal);
    assert_eq!(world.import(&files).unwrap().change, Change::SameFiles);
    world.store.removal(&id).unwrap().complete().unwrap();
    assert!(world.releases().is_empty() && !world.path("store/staging").exists());
}

#[test]
fn own_texts_are_part_of_the_release() {
    let world = World::new();
    let ipe = world.write(IPE, &header(), &[]);
    let built_in = world.import(std::slice::from_ref(&ipe)).unwrap().manifest;
    let own = world.path("appointments.toml");
    fs::write(
        &own,
        "[[appointment]]\r\ncode = \"IMMEUBLE_RDC_COMPLEXE\"\r\noutside_pbo_types = [\"ZZ\"]\r\nground_floors = []\r\n",
    )
    .unwrap();
    let with_own = world.import(&[ipe, own]).unwrap();
    assert_eq!(with_own.change, Change::New);
    assert_ne!(with_own.manifest.id(), built_in.id());
    let reference = world.store.load(with_own.manifest.id()).unwrap();
    assert_eq!(reference.rules().outside_pbo_types, ["ZZ".into()]);
}

/// Every building at one number of one street: as many steps as buildings, not as pairs of them.
#[test]
fn a_street_of_very_many_buildings_is_no_trap() {
    let world = World::new();
    let imb = |n: usize| format!("IMB/77058/{}/{:04}", char::from(b'A' + (n / 10_000) as u8), n % 10_000);
    let rows: Vec<_> = (0..60_000).map(|n| building(&imb(n), "CIBLE", 1)).collect();
    let file = world.write(IPE, &header(), &rows);
    let begin = std::time::Instant::now();
    let imported = world.import(&[file]).unwrap();
    assert_eq!((imported.manifest.release.counts.buildings, imported.refused), (60_000, 0));
    // Pairs took minutes.
    assert!(begin.elapsed() < std::time::Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn progress_is_told() {
    let world = World::new();
    let rows: Vec<_> = (0..25_000)
        .map(|i| {
            building(
                &format!("IMB/77058/{}/{:04}", if i < 10_000 { 'A' } else { 'B' }, i % 10_000),
                "CIBLE",
                1,
            )
        })
        .collect();
    let file = world.write(IPE, &header(), &rows);
    let mut told = Vec::new();
    world
        .store
        .import(&[file], &options(1 << 24), &mut |p| {
            assert!(p.read <= p.total || p.total == 0 || p.phase == Phase::Join, "{p:?}");
            told.push((p.phase, p.file.to_owned(), p.rows));
            GO_ON
        })
        .unwrap();
    for phase in [Phase::Sum, Phase::Recognise, Phase::Read, Phase::Join, Phase::Streets] {
        let rows: Vec<_> = told.iter().filter(|told| told.0 == phase).map(|told| told.2).collect();
        assert!(!rows.is_empty(), "{phase:?}");
        if phase >= Phase::Read {
            assert!(rows.starts_with(&[0, 10_000, 20_000]), "{phase:?} {rows:?}");
        }
    }
    assert!(told.iter().all(|(phase, file, _)| (*phase < Phase::Join) == (file == IPE)));
}
