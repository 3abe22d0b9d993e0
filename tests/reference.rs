//! The back office's calls for reference data: an import started and followed, releases compared, served, gone back to,
//! removed; and everything that is refused.

use std::{fmt::Write as _, path::PathBuf};

use eservices::{
    addresses::v1::{TranslateAddressRequest, translate_address_request::Key},
    reference::v1::{self as pb, DifferenceKind, ImportState, ProblemOutcome, ReleaseState},
};
use eservices_client::{Client, new_request_id};
use eservices_reference::GO_ON;
use eservices_server::platform::{
    config::{Config, Database},
    db::Db,
    network::releases,
};
use tonic::Code;

use crate::harness::{Plan, SIRENS, World, database, reason, refusal};

const HEADER: &str = "IdentifiantImmeuble;EtatImmeuble;ReferencePM;EtatPM;CodeInseeImmeuble;CodePostalImmeuble;CommuneImmeuble;\
                      NomVoieImmeuble;NumeroVoieImmeuble;NombreLogementsAdresseIPE;TypeProjectionGeographique;\
                      CoordonneeImmeubleX;CoordonneeImmeubleY\n";
const NOVEMBER: &str = "T_77_ESVC_PM_IPEZMD_V30_20261101.csv";
const DECEMBER: &str = "T_77_ESVC_PM_IPEZMD_V30_20261201.csv";
const JANUARY: &str = "T_77_ESVC_PM_IPEZMD_V30_20270101.csv";

/// A building of Bussy.
fn building(imb: &str, state: &str) -> String {
    format!("{imb};{state};FI-77058-0001;DEPLOYE;77058;77600;BUSSY;RUE UN;1;1;WGS84;2.71;48.84\n")
}

fn put(world: &World, name: &str, rows: &[String]) -> PathBuf {
    let inbox = world.dir.path().join("inbox");
    std::fs::create_dir_all(&inbox).unwrap();
    let path = inbox.join(name);
    std::fs::write(&path, HEADER.to_owned() + &rows.concat()).unwrap();
    path
}

/// A, B, C in November; in December B is built, C gone, D and E new; in January A alone.
fn three_months(world: &World) {
    let (a, b, c) = ("IMB/77058/X/000A", "IMB/77058/X/000B", "IMB/77058/X/000C");
    put(world, NOVEMBER, &[building(a, "DEPLOYE"), building(b, "CIBLE"), building(c, "DEPLOYE")]);
    let new = ["IMB/77058/X/000D", "IMB/77058/X/000E"].map(|imb| building(imb, "CIBLE"));
    put(world, DECEMBER, &[[building(a, "DEPLOYE"), building(b, "DEPLOYE")], new].concat());
    put(world, JANUARY, &[building(a, "DEPLOYE")]);
}

async fn keeper(world: &World) -> Client {
    world.client(&world.system("catalogue", &["reference"]).await).await
}

fn request(files: &[&str], serve_when_done: bool) -> pb::StartImportRequest {
    let files = files.iter().map(|file| (*file).to_owned()).collect();
    pb::StartImportRequest { request_id: new_request_id(), files, serve_when_done, dry_run: false }
}

async fn start(client: &Client, files: &[&str], serve: bool) -> pb::Import {
    let started = client.reference().start_import(request(files, serve)).await.unwrap().into_inner();
    let run = started.run.unwrap();
    assert_eq!(run.state(), ImportState::Running);
    assert!(started.revision > 0);
    run
}

async fn get(client: &Client, import_id: &str) -> pb::Import {
    let request = pb::GetImportRequest { import_id: import_id.into() };
    client.reference().get_import(request).await.unwrap().into_inner().run.unwrap()
}

/// Follows an import to its end.
async fn end(client: &Client, import_id: &str) -> pb::Import {
    loop {
        let run = get(client, import_id).await;
        if run.state() != ImportState::Running {
            assert!(run.ended_at.is_some());
            return run;
        }
        assert!(run.ended_at.is_none());
    }
}

/// Starts an import and follows it to its end.
async fn import(client: &Client, files: &[&str], serve: bool) -> pb::Import {
    let run = start(client, files, serve).await;
    end(client, &run.import_id).await
}

async fn release(client: &Client, release: &str) -> pb::Release {
    let request = pb::GetReleaseRequest { release: release.into() };
    client.reference().get_release(request).await.unwrap().into_inner().release.unwrap()
}

async fn state(client: &Client, name: &str) -> ReleaseState {
    release(client, name).await.state()
}

fn serve(release: &str) -> pb::ServeReleaseRequest {
    pb::ServeReleaseRequest { request_id: new_request_id(), release: release.into() }
}

fn remove(release: &str) -> pb::RemoveReleaseRequest {
    pb::RemoveReleaseRequest { request_id: new_request_id(), release: release.into() }
}

fn roll_back() -> pb::RollBackReleaseRequest {
    pb::RollBackReleaseRequest { request_id: new_request_id() }
}

fn compare(from: &str, to: &str) -> pb::CompareReleasesRequest {
    pb::CompareReleasesRequest { from_release: from.into(), to_release: to.into() }
}

/// The release that answers about a building, or that there is no such building.
async fn answers(world: &World, client: &Client, imb: &str) -> Option<String> {
    assert!(releases::follow(&world.platform).await.unwrap());
    let request = TranslateAddressRequest { key: Some(Key::Imb(imb.into())) };
    match client.addresses().translate_address(request).await {
        Ok(answer) => Some(answer.into_inner().reference_release),
        Err(status) => {
            assert_eq!(reason(Err::<(), _>(status)), "RESOURCE_NOT_FOUND");
            None
        }
    }
}

#[tokio::test]
async fn from_files_to_a_served_release_and_back() {
    let world = World::start().await;
    three_months(&world);
    let client = keeper(&world).await;
    let operator = world.client(&world.operator(SIRENS[0], &["tao"]).await).await;
    let api = || client.reference();
    let listed = api().list_inbox_files(pb::ListInboxFilesRequest::default()).await.unwrap().into_inner();
    let names: Vec<_> = listed.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, [NOVEMBER, DECEMBER, JANUARY]);
    let bytes = std::fs::metadata(world.dir.path().join("inbox").join(NOVEMBER)).unwrap().len();
    assert_eq!(listed.files[0].size_bytes, bytes);
    assert!(listed.files[0].modified_at.unwrap().seconds > 1_700_000_000);

    let first = import(&client, &[NOVEMBER], true).await;
    assert_eq!((first.state(), first.served, first.row_count), (ImportState::Done, true, 3), "{first:?}");
    assert_eq!((first.refused_count, first.remark_count, first.fault.as_str()), (0, 0, ""));
    assert_eq!(
        (first.started_by.as_str(), first.files.as_slice()),
        ("s-catalogue", &[NOVEMBER.to_owned()][..])
    );
    assert!(first.release.starts_with("20261101-") && first.release.len() == 21, "{}", first.release);
    let november = first.release.as_str();
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000A").await.as_deref(), Some(november));
    assert_eq!(reason(api().roll_back_release(roll_back()).await), "RESOURCE_NOT_FOUND");

    let second = import(&client, &[DECEMBER], false).await;
    assert_eq!((second.state(), second.served, second.row_count), (ImportState::Done, false, 4));
    let december = second.release.as_str();
    assert_eq!(state(&client, december).await, ReleaseState::Ready);
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000D").await, None);

    let found = api().compare_releases(compare(november, december)).await.unwrap().into_inner();
    let counts = (found.added_count, found.changed_count, found.removed_count, found.same_count);
    assert_eq!(counts, (2, 1, 1, 1));
    let moves: Vec<_> =
        found.moves.iter().map(|m| (m.before.as_str(), m.after.as_str(), m.building_count)).collect();
    assert_eq!(moves, [("CIBLE", "DEPLOYE", 1)]);
    let examples: Vec<_> = found
        .examples
        .iter()
        .map(|e| (&e.imb[12..], e.kind(), e.before.as_str(), e.after.as_str()))
        .collect();
    let expected = [
        ("000B", DifferenceKind::Changed, "CIBLE", "DEPLOYE"),
        ("000C", DifferenceKind::Removed, "DEPLOYE", ""),
        ("000D", DifferenceKind::Added, "", "CIBLE"),
        ("000E", DifferenceKind::Added, "", "CIBLE"),
    ];
    assert_eq!(examples, expected);

    let served = api().serve_release(serve(december)).await.unwrap().into_inner();
    assert!(served.changed && served.revision > 0);
    assert_eq!(served.release.unwrap().state(), ReleaseState::Served);
    assert_eq!(state(&client, november).await, ReleaseState::Previous);
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000D").await.as_deref(), Some(december));
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000C").await, None);
    let again = api().serve_release(serve(december)).await.unwrap().into_inner();
    assert_eq!((again.changed, again.revision), (false, 0));

    let back = api().roll_back_release(roll_back()).await.unwrap().into_inner().release.unwrap();
    assert_eq!((back.release.as_str(), back.state()), (november, ReleaseState::Served));
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000D").await, None);
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000C").await.as_deref(), Some(november));
    for release in [november, december] {
        let status = api().remove_release(remove(release)).await.map(drop);
        assert_eq!(refusal(status.clone()).metadata("release"), Some(release));
        assert_eq!(reason(status), "RELEASE_SERVED");
    }

    let third = import(&client, &[JANUARY], true).await;
    assert!(third.served);
    let gone = api().remove_release(remove(december)).await.unwrap().into_inner().release.unwrap();
    assert_eq!((gone.release.as_str(), gone.state()), (december, ReleaseState::Removed));
    assert!(!world.dir.path().join("reference/releases").join(december).exists());
    assert!(!world.dir.path().join("reference/staging").exists());
    assert_eq!(state(&client, december).await, ReleaseState::Removed);
    assert_eq!(reason(api().serve_release(serve(december)).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(api().remove_release(remove(december)).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(api().compare_releases(compare(november, december)).await), "RESOURCE_NOT_FOUND");
    let mended = import(&client, &[DECEMBER], false).await;
    assert_eq!((mended.state(), mended.release.as_str()), (ImportState::Done, december));
    assert_eq!(state(&client, december).await, ReleaseState::Ready);

    let listed = api().list_releases(pb::ListReleasesRequest::default()).await.unwrap().into_inner();
    let mut states: Vec<_> = listed.releases.iter().map(|r| (r.release.as_str(), r.state())).collect();
    states.sort_unstable();
    let expected = [
        (november, ReleaseState::Previous),
        (december, ReleaseState::Ready),
        (third.release.as_str(), ReleaseState::Served),
    ];
    assert_eq!(states, expected);
    let told = release(&client, november).await;
    assert_eq!((told.building_count, told.registered_by.as_str(), told.sha256.len()), (3, "s-catalogue", 64));
    // The three TOML files that are built in are sources too.
    assert_eq!((told.file_count, told.files.len()), (4, 4));
    assert!(told.files.contains(&NOVEMBER.to_owned()));
}

/// File, line, column, value, reason, outcome.
type Row<'a> = (&'a str, u64, &'a str, &'a str, &'a str, ProblemOutcome);

fn row(problem: &pb::ImportProblem) -> Row<'_> {
    let pb::ImportProblem { file, line, column, value, reason, .. } = problem;
    (file, *line, column, value, reason, problem.outcome())
}

async fn problems(
    client: &Client,
    import_id: &str,
    size: u32,
    token: &str,
) -> pb::ListImportProblemsResponse {
    let request = pb::ListImportProblemsRequest {
        import_id: import_id.into(),
        page_size: size,
        page_token: token.into(),
    };
    client.reference().list_import_problems(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn bad_rows_are_listed_and_the_counts_are_those_of_these_files() {
    let world = World::start().await;
    let client = keeper(&world).await;
    let good = building("IMB/77058/X/000A", "DEPLOYE");
    put(&world, NOVEMBER, std::slice::from_ref(&good));
    let first = import(&client, &[NOVEMBER], false).await;
    assert_eq!(first.state(), ImportState::Done);
    assert_eq!(problems(&client, &first.import_id, 0, "").await.problems, []);

    let again = import(&client, &[NOVEMBER], false).await;
    assert_eq!((again.state(), &again.release), (ImportState::SameRecords, &first.release));
    assert_eq!((again.row_count, again.refused_count), (1, 0));

    let bad = [
        good,
        "IMB/77058/X/000B\n".to_owned(),
        building("IMB/77058/X/000C", "DEPLOYE").replace(";1;1;WGS84", ";1;-1;WGS84"),
        building("IMB/77058/X/000D", "DEPLOYE").replace("48.84", "148.84"),
        building("IMB/77058/X/000E", "DEPLOYE").replace(";77600;", ";\u{1b}[31m;"),
        building("", "DEPLOYE"),
        building("IMB/77058/X/000F", "DEPLOYE").replace("2.71", &"7".repeat(90)),
    ];
    put(&world, NOVEMBER, &bad);
    let other = import(&client, &[NOVEMBER], true).await;
    assert_eq!((other.state(), &other.release), (ImportState::SameRecords, &first.release), "{other:?}");
    assert_eq!((other.row_count, other.refused_count, other.remark_count), (7, 6, 0));
    assert!(other.served, "it was not served before");

    let seen = problems(&client, &other.import_id, 0, "").await;
    assert_eq!(seen.next_page_token, "");
    let seven = format!("{}…", "7".repeat(80));
    let lines: Vec<_> = seen.problems.iter().map(row).collect();
    let refused =
        |line, column, value, reason| (NOVEMBER, line, column, value, reason, ProblemOutcome::Refused);
    assert_eq!(lines[0], refused(3, "", "IMB/77058/X/000B", "1 fields where the header has 13"));
    assert_eq!(lines[1], refused(4, "NombreLogementsAdresseIPE", "-1", "expected a whole number, 0 or more"));
    assert_eq!(lines[2], refused(5, "CoordonneeImmeubleY", "148.84", "a latitude is between -90 and 90"));
    assert_eq!(
        (lines[3].1, lines[3].2, lines[3].3),
        (6, "CodePostalImmeuble", "[31m"),
        "no control characters"
    );
    assert_eq!(lines[4], refused(7, "IdentifiantImmeuble", "", "is empty"));
    assert_eq!((lines[5].1, lines[5].2, lines[5].3), (8, "CoordonneeImmeubleX", seven.as_str()));
    assert_eq!(lines.len(), 6);

    // The same by pages of four.
    let page = problems(&client, &other.import_id, 4, "").await;
    assert_eq!(page.problems.iter().map(row).collect::<Vec<_>>(), lines[..4]);
    let rest = problems(&client, &other.import_id, 4, &page.next_page_token).await;
    assert_eq!(rest.problems.iter().map(row).collect::<Vec<_>>(), lines[4..]);
    assert_eq!(rest.next_page_token, "");
    // A token is for its list only.
    let request = pb::ListImportProblemsRequest {
        import_id: first.import_id.clone(),
        page_token: page.next_page_token,
        ..Default::default()
    };
    assert_eq!(reason(client.reference().list_import_problems(request).await), "FIELDS_INVALID");

    // Imports by pages of one, the last to be started first; two of one instant by id.
    let (mut token, mut ids) = (String::new(), Vec::new());
    loop {
        let request = pb::ListImportsRequest { page_size: 1, page_token: token };
        let page = client.reference().list_imports(request).await.unwrap().into_inner();
        ids.extend(page.imports.into_iter().map(|run| run.import_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    ids.sort_unstable();
    let mut expected = [first.import_id, again.import_id, other.import_id];
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn files_that_give_no_release_are_refused_with_why() {
    let world = World::start().await;
    let client = keeper(&world).await;
    three_months(&world);
    let inbox = world.dir.path().join("inbox");
    std::fs::write(inbox.join("copper.csv"), "a;b\n1;2\n").unwrap();
    let run = import(&client, &["copper.csv", NOVEMBER], true).await;
    assert_eq!((run.state(), run.release.as_str(), run.served), (ImportState::Refused, "", false));
    assert!(run.fault.starts_with("copper.csv: not recognised; expected an IPE file"), "{}", run.fault);
    std::fs::write(inbox.join("broken.csv"), "PK\u{3}\u{4} no zip").unwrap();
    let run = import(&client, &["broken.csv", NOVEMBER], true).await;
    assert_eq!(run.state(), ImportState::Refused);
    assert!(run.fault.starts_with("broken.csv: cannot unpack: "), "no folder of the server: {}", run.fault);
    std::fs::write(inbox.join("lignes.csv"), "PTO;IMB;batiment;escalier;etage;PBO;etat\n").unwrap();
    let run = import(&client, &["lignes.csv"], false).await;
    assert_eq!((run.state(), run.fault.as_str()), (ImportState::Refused, "no IPE file among the files"));
    std::fs::write(inbox.join("offers.toml"), "[[offer]]\nnonsense = 1\n").unwrap();
    let run = import(&client, &["offers.toml", NOVEMBER], false).await;
    assert_eq!(run.state(), ImportState::Refused);
    let told = problems(&client, &run.import_id, 0, "").await.problems;
    assert!(!told.is_empty() && told.iter().all(|p| p.file == "offers.toml" && p.line >= 1), "{told:?}");

    let dry = pb::StartImportRequest { dry_run: true, ..request(&[NOVEMBER], false) };
    let run = client.reference().start_import(dry).await.unwrap().into_inner().run.unwrap();
    let run = end(&client, &run.import_id).await;
    assert_eq!((run.state(), run.row_count, run.dry_run), (ImportState::Done, 3, true));
    let request = pb::GetReleaseRequest { release: run.release };
    assert_eq!(reason(client.reference().get_release(request).await), "RESOURCE_NOT_FOUND");
    let listed = client.reference().list_releases(pb::ListReleasesRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().releases, []);
    assert!(!world.dir.path().join("reference/staging").exists());
}

#[tokio::test]
async fn what_is_not_in_the_inbox_is_not_imported() {
    let world = World::start().await;
    let client = keeper(&world).await;
    let start = async |files: &[&str]| client.reference().start_import(request(files, false)).await;
    let listed = async || client.reference().list_inbox_files(pb::ListInboxFilesRequest::default()).await;
    for answer in [start(&[NOVEMBER]).await.map(drop), listed().await.map(drop)] {
        assert_eq!(refusal(answer.clone()).metadata("fault"), Some("there is no such folder"));
        assert_eq!(reason(answer), "INBOX_UNREADABLE");
    }
    three_months(&world);
    let inbox = world.dir.path().join("inbox");
    std::fs::create_dir(inbox.join("folder.csv")).unwrap();
    std::os::unix::fs::symlink(inbox.join(NOVEMBER), inbox.join("link.csv")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(inbox.join("pipe.csv")).status().unwrap().success());
    std::fs::write(inbox.join(".hidden.csv"), "").unwrap();
    let names: Vec<_> = listed().await.unwrap().into_inner().files.into_iter().map(|f| f.name).collect();
    assert_eq!(names, [NOVEMBER, DECEMBER, JANUARY], "regular files by themselves only");
    let request = |page_token| pb::ListInboxFilesRequest { page_size: 2, page_token };
    let page = client.reference().list_inbox_files(request(String::new())).await.unwrap().into_inner();
    let rest = client.reference().list_inbox_files(request(page.next_page_token)).await.unwrap().into_inner();
    assert_eq!(
        (page.files.len(), rest.files[0].name.as_str(), rest.next_page_token.as_str()),
        (2, JANUARY, "")
    );

    let answer = start(&["folder.csv", NOVEMBER, "link.csv", "pipe.csv", "absent.csv"]).await.map(drop);
    let error = refusal(answer.clone());
    let told: Vec<_> =
        error.precondition_violations().into_iter().map(|v| (v.subject, v.description)).collect();
    let expected = [
        ("files/folder.csv", "is no regular file"),
        ("files/link.csv", "is a link"),
        ("files/pipe.csv", "is no regular file"),
        ("files/absent.csv", "is not in the inbox"),
    ];
    assert_eq!(told, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(reason(answer), "INBOX_FILE_MISSING");

    let long: Vec<String> = (0..100).map(|n| format!("{n:03}{}", "é".repeat(120))).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let status = start(&long).await.unwrap_err();
    assert!(status.details().len() < 4_096, "{} bytes", status.details().len());
    let error = refusal(Err::<(), _>(status));
    assert_eq!((error.precondition_violations().len(), error.metadata("violation_count")), (20, Some("100")));

    for bad in [&["../secret.csv"][..], &["/etc/passwd"], &[".hidden.csv"], &[""], &[], &[NOVEMBER, NOVEMBER]]
    {
        assert_eq!(reason(start(bad).await), "FIELDS_INVALID", "{bad:?}");
    }
    let both = pb::StartImportRequest { dry_run: true, ..self::request(&[NOVEMBER], true) };
    assert_eq!(reason(client.reference().start_import(both).await), "FIELDS_INVALID");
    let none = "SELECT COUNT(*) FROM reference_imports";
    assert_eq!(database::number(&world.platform.db, none).await, 0);

    let mut plan = Plan::default();
    plan.config.reference.inbox = PathBuf::new();
    let world = World::from(plan).await;
    let client = keeper(&world).await;
    let answer = client.reference().start_import(self::request(&[NOVEMBER], false)).await;
    assert_eq!(reason(answer), "INBOX_NOT_CONFIGURED");
    let answer = client.reference().list_inbox_files(pb::ListInboxFilesRequest::default()).await;
    assert_eq!(reason(answer), "INBOX_NOT_CONFIGURED");
}

#[tokio::test]
async fn a_damaged_release_is_refused_and_the_old_one_serves_on() {
    let world = World::start().await;
    three_months(&world);
    let client = keeper(&world).await;
    let operator = world.client(&world.operator(SIRENS[0], &["tao"]).await).await;
    let november = import(&client, &[NOVEMBER], true).await.release;
    let december = import(&client, &[DECEMBER], false).await.release;
    let file = world.dir.path().join("reference/releases").join(&december).join("buildings.rec");
    let whole = std::fs::read(&file).unwrap();
    let mut broken = whole.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    for (bytes, fault) in [
        (&broken[..], "buildings.rec: does not have the checksum of the manifest".to_owned()),
        (&whole[..last], format!("buildings.rec: has {last} bytes where the manifest tells {}", whole.len())),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let told = [
            client.reference().serve_release(serve(&december)).await.map(drop),
            client.reference().compare_releases(compare(&november, &december)).await.map(drop),
        ];
        for answer in told {
            let error = refusal(answer.clone());
            assert_eq!(error.metadata("release"), Some(december.as_str()));
            assert_eq!(error.metadata("fault"), Some(fault.as_str()));
            assert_eq!(reason(answer), "RELEASE_DAMAGED");
        }
        assert_eq!(state(&client, &november).await, ReleaseState::Served);
        assert_eq!(answers(&world, &operator, "IMB/77058/X/000C").await.as_ref(), Some(&november));
    }
    // Its manifest is one line of the list.
    std::fs::remove_file(file.with_file_name("manifest.toml")).unwrap();
    let told = release(&client, &december).await;
    assert_eq!(
        (told.state(), told.fault.as_str()),
        (ReleaseState::Damaged, "manifest.toml: the file is missing")
    );

    let mended = import(&client, &[DECEMBER], true).await;
    assert_eq!((mended.state(), mended.served, mended.release), (ImportState::Done, true, december.clone()));
    assert_eq!(answers(&world, &operator, "IMB/77058/X/000D").await, Some(december.clone()));
    // What a rollback would go back to is proved too.
    let file = world.dir.path().join("reference/releases").join(&november).join("offers.toml");
    std::fs::write(&file, "").unwrap();
    assert_eq!(reason(client.reference().roll_back_release(roll_back()).await), "RELEASE_DAMAGED");
    assert_eq!(state(&client, &december).await, ReleaseState::Served);
}

/// Rows enough for seconds of work.
fn put_many(world: &World) {
    let mut text = HEADER.to_owned();
    for n in 0..150_000 {
        let letter = char::from(b'A' + u8::try_from(n / 10_000).unwrap());
        write!(text, "{}", building(&format!("IMB/77058/{letter}/{:04}", n % 10_000), "CIBLE")).unwrap();
    }
    let inbox = world.dir.path().join("inbox");
    std::fs::create_dir_all(&inbox).unwrap();
    std::fs::write(inbox.join(NOVEMBER), text).unwrap();
}

/// Waits until rows are read.
async fn in_the_middle(client: &Client, import_id: &str) {
    loop {
        let run = get(client, import_id).await;
        assert_eq!(run.state(), ImportState::Running, "over before its middle: {run:?}");
        let progress = run.progress.unwrap();
        if progress.phase() == pb::ImportPhase::Read && progress.done > 0 {
            assert!(progress.done < progress.total, "{progress:?}");
            return;
        }
        assert!(progress.phase() <= pb::ImportPhase::Read, "its middle was missed: {progress:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_cancelled_in_the_middle_and_alone_meanwhile() {
    let world = World::start().await;
    three_months(&world);
    put_many(&world);
    let client = keeper(&world).await;
    let other = world.client(&world.system("planning", &["reference"]).await).await;
    let january = import(&client, &[JANUARY], false).await.release;
    let run = start(&client, &[NOVEMBER], true).await;
    in_the_middle(&client, &run.import_id).await;
    for answer in [
        other.reference().start_import(request(&[DECEMBER], false)).await.map(drop),
        other.reference().remove_release(remove(&january)).await.map(drop),
    ] {
        assert_eq!(refusal(answer.clone()).metadata("import_id"), Some(run.import_id.as_str()));
        assert_eq!(reason(answer), "IMPORT_RUNNING");
    }
    let cancel =
        || pb::CancelImportRequest { request_id: new_request_id(), import_id: run.import_id.clone() };
    let told = other.reference().cancel_import(cancel()).await.unwrap().into_inner();
    assert!(told.revision > 0 && told.run.unwrap().cancel_requested);
    let over = end(&client, &run.import_id).await;
    assert_eq!(
        (over.state(), over.fault.as_str(), over.release.as_str()),
        (ImportState::Cancelled, "cancelled", "")
    );
    assert!(!over.served);
    assert!(!world.dir.path().join("reference/staging").exists());
    assert_eq!(std::fs::read_dir(world.dir.path().join("reference/releases")).unwrap().count(), 1);
    let again = client.reference().cancel_import(cancel()).await.unwrap().into_inner();
    assert_eq!((again.revision, again.run.unwrap()), (0, over));
    let unknown = pb::CancelImportRequest { import_id: new_request_id(), ..cancel() };
    assert_eq!(reason(client.reference().cancel_import(unknown).await), "RESOURCE_NOT_FOUND");
    assert_eq!(import(&other, &[DECEMBER], false).await.state(), ImportState::Done, "the next one may run");
    // Started, told to stop, over: each an event of who caused it, the end one of who started it.
    let text = "SELECT party_id || ' ' || kind || ' ' || state FROM events WHERE resource LIKE 'imports/%' \
                ORDER BY party_id, revision";
    let events = database::texts(&world.platform.db, text).await;
    assert_eq!(
        events,
        [
            "s-catalogue reference.import_started running",
            "s-catalogue reference.import_ended done",
            "s-catalogue reference.import_started running",
            "s-catalogue reference.import_ended cancelled",
            "s-planning reference.import_cancelled cancelled",
            "s-planning reference.import_started running",
            "s-planning reference.import_ended done",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_ends_its_import_and_says_so() {
    let mut world = World::start().await;
    put_many(&world);
    let client = keeper(&world).await;
    let run = start(&client, &[NOVEMBER], true).await;
    in_the_middle(&client, &run.import_id).await;
    let left = world.server.take().unwrap().stop().await;
    assert_eq!(left, 0, "the import is a work that finishes");
    let database = Database { url: world.database_url.clone(), ..Config::default().database };
    let db = Db::open(&database).await.unwrap();
    let text = "SELECT state || ': ' || fault FROM reference_imports";
    assert_eq!(database::texts(&db, text).await, ["cancelled: the server stopped"]);
    assert!(!world.dir.path().join("reference/staging").exists());
    db.close().await;
}

/// Nobody hears of it any more, and another node may take it for dead: it ends well before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_without_its_database_ends() {
    let mut plan = Plan::default();
    plan.config.reference.import_silent_seconds = 1;
    let world = World::from(plan).await;
    put_many(&world);
    let client = keeper(&world).await;
    let run = start(&client, &[NOVEMBER], true).await;
    in_the_middle(&client, &run.import_id).await;
    world.platform.db.close().await;
    while world.dir.path().join("reference/staging").exists() {
        tokio::task::yield_now().await;
    }
    let releases = std::fs::read_dir(world.dir.path().join("reference/releases")).unwrap().count();
    assert_eq!(releases, 0, "it did not come to its end");
}

#[tokio::test]
async fn an_import_whose_node_is_gone_has_failed() {
    let mut plan = Plan::default();
    plan.config.reference.import_silent_seconds = 2;
    let world = World::from(plan).await;
    three_months(&world);
    let client = keeper(&world).await;
    database::execute(
        &world.platform.db,
        "INSERT INTO reference_imports (import_id, party_id, state, files, serve, dry_run, node, heartbeat, cancelled, \
         phase, done, total, row_count, refused, remarks, release, served, fault, started_at) \
         VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 's-catalogue', 'running', 'a.csv', 0, 0, 'gone', 7, 0, 3, 9, 9, \
         0, 0, 0, '', 0, '', 0)",
    )
    .await;
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    assert_eq!(reason(client.reference().start_import(request(&[NOVEMBER], false)).await), "IMPORT_RUNNING");
    let over = end(&client, id).await;
    assert_eq!((over.state(), over.fault.as_str()), (ImportState::Failed, "the node stopped"));
    assert_eq!(import(&client, &[NOVEMBER], false).await.state(), ImportState::Done);
}

/// A caller that goes away does not stop what it asked for, and finds the answer; a comparison is kept.
#[tokio::test]
async fn a_repeat_after_a_deadline_finds_the_answer() {
    let world = World::start().await;
    three_months(&world);
    let client = keeper(&world).await;
    let november = import(&client, &[NOVEMBER], false).await.release;
    let december = import(&client, &[DECEMBER], false).await.release;
    // Somebody else reads: the call waits for its turn until its deadline.
    let turn = world.platform.reading.turn().await.unwrap();
    let wanted = serve(&december);
    let short = |message| {
        let mut request = tonic::Request::new(message);
        request.set_timeout(std::time::Duration::from_millis(200));
        request
    };
    let late = client.reference().serve_release(short(wanted.clone())).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    drop(turn);
    let answer = client.reference().serve_release(wanted.clone()).await.unwrap().into_inner();
    assert!(answer.changed, "once, by the first call or by this one");
    assert_eq!(database::number(&world.platform.db, "SELECT COUNT(*) FROM reference_activations").await, 1);
    // Answered from what is stored: nobody gets to read any more.
    let found =
        client.reference().compare_releases(compare(&november, &december)).await.unwrap().into_inner();
    let turn = world.platform.reading.turn().await.unwrap();
    assert_eq!(client.reference().serve_release(wanted).await.unwrap().into_inner(), answer);
    drop(turn);
    let file = world.dir.path().join("reference/releases").join(&december).join("buildings.rec");
    std::fs::remove_file(file).unwrap();
    let again =
        client.reference().compare_releases(compare(&november, &december)).await.unwrap().into_inner();
    assert_eq!(again, found, "what was compared is kept");
}

/// The command line's import keeps a call's removal out, and the other way round.
#[tokio::test]
async fn the_store_has_one_writer() {
    let world = World::start().await;
    three_months(&world);
    let client = keeper(&world).await;
    let november = import(&client, &[NOVEMBER], false).await.release;
    let removal = world.platform.releases.removal(&november).unwrap();
    let answer = client.reference().remove_release(remove(&november)).await.map(drop);
    assert_eq!(refusal(answer.clone()).metadata("import_id"), Some(""));
    assert_eq!(reason(answer), "IMPORT_RUNNING");
    let run = import(&client, &[DECEMBER], false).await;
    assert_eq!(run.state(), ImportState::Failed);
    assert_eq!(run.fault, "another import, or a removal, is under way");
    drop(removal);
    client.reference().remove_release(remove(&november)).await.unwrap();
    let options = eservices_reference::Options {
        memory_bytes: 16 << 20,
        dry_run: true,
        today: "2026-11-24".parse().unwrap(),
    };
    let file = world.dir.path().join("inbox").join(NOVEMBER);
    assert!(world.platform.releases.import(&[file], &options, &mut |_| GO_ON).is_ok());
}
