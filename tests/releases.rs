//! Changes of release under readers: no answer mixes two, and one that cannot be read never replaces the one that is served.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use eservices::{
    addresses::v1::{TranslateAddressRequest, translate_address_request::Key},
    identity::v1::WhoAmIRequest,
};
use eservices_client::Client;
use eservices_reference::{Options, Reference, Store};
use eservices_server::platform::network::releases::{self, ReleaseRow};
use tokio::task::JoinSet;

use crate::harness::{BUILDINGS, SIRENS, World, ipe_files, real_now, repo};

/// Imports two releases that differ in every record; answers their names by version.
fn two_releases(world: &World) -> BTreeMap<u32, String> {
    let options = Options { memory_bytes: 16 << 20, dry_run: false, today: "2026-11-24".parse().unwrap() };
    let import = |version: u32| {
        let files = ipe_files(&world.dir.path().join(version.to_string()), version);
        let imported =
            world.platform.releases.import(&files, &options, &mut |_| eservices_reference::GO_ON).unwrap();
        assert_eq!(imported.problems, []);
        (version, imported.manifest.id().to_owned())
    };
    [1, 2].map(import).into()
}

/// Registers a release, has it served, and lets the node follow.
async fn serve(world: &World, release: &str) -> bool {
    let manifest = world.platform.releases.manifest(release).unwrap();
    let row = ReleaseRow::of(&manifest, "s-test", real_now());
    releases::bring_in(&world.platform.db, &row, true, real_now()).await.unwrap();
    releases::follow(&world.platform).await.unwrap()
}

/// The versions that one answer speaks of: release, street, PM, box, its kind, socket, state.
fn versions(
    answer: &eservices::addresses::v1::TranslateAddressResponse,
    names: &BTreeMap<u32, String>,
) -> Vec<u32> {
    let digits = |text: &str| -> u32 {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let building = &answer.buildings[0];
    let place = &building.places[0];
    let line = &place.lines[0];
    let release = names.iter().find(|(_, name)| **name == answer.reference_release).unwrap();
    vec![
        *release.0,
        digits(building.street_address.rsplit(' ').next().unwrap()),
        digits(&building.pm[9..]),
        digits(&place.pbo),
        digits(&place.pbo_type.as_ref().unwrap().label),
        digits(&place.pbo_location),
        digits(&line.pto[3..7]),
        digits(&line.state),
    ]
}

async fn ask(client: &Client, building: &str) -> eservices::addresses::v1::TranslateAddressResponse {
    let request = TranslateAddressRequest { key: Some(Key::Imb(building.into())) };
    client.addresses().translate_address(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_see_two_releases_at_once() {
    let world = Arc::new(World::start().await);
    let names = Arc::new(two_releases(&world));
    assert!(serve(&world, &names[&1]).await);
    let identity = world.operator(SIRENS[0], &["tao"]).await;
    let (done, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = JoinSet::new();
    for n in 0..8 {
        let client = world.client(&identity).await;
        let (names, done, answers) = (Arc::clone(&names), Arc::clone(&done), Arc::clone(&answers));
        readers.spawn(async move {
            let mut seen = [0_u64; 2];
            while !done.load(Ordering::Relaxed) {
                let answer = ask(&client, BUILDINGS[n % BUILDINGS.len()]).await;
                let mut found = versions(&answer, &names);
                found.dedup();
                assert_eq!(found.len(), 1, "an answer of two releases: {answer:?}");
                seen[found[0] as usize - 1] += 1;
                answers.fetch_add(1, Ordering::Relaxed);
            }
            seen
        });
    }
    for n in 0..50_u32 {
        // Each change after some answers of the one before.
        let goal = answers.load(Ordering::Relaxed) + 8;
        let enough = async {
            while answers.load(Ordering::Relaxed) < goal {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), enough).await.expect("answers go on");
        assert!(serve(&world, &names[&(2 - n % 2)]).await, "change {n}");
    }
    done.store(true, Ordering::Relaxed);
    let mut seen = [0; 2];
    while let Some(reader) = readers.join_next().await {
        let of_reader = reader.unwrap();
        (seen[0], seen[1]) = (seen[0] + of_reader[0], seen[1] + of_reader[1]);
    }
    println!("50 changes of release: {} answers of one, {} of the other, none of both", seen[0], seen[1]);
    assert!(seen.iter().all(|n| *n >= 100), "{seen:?}");
}

/// The check above finds a mix where there is one.
#[tokio::test]
async fn a_planted_mix_is_found() {
    let world = World::start().await;
    let names = two_releases(&world);
    assert!(serve(&world, &names[&1]).await);
    let client = world.client(&world.operator(SIRENS[0], &["tao"]).await).await;
    let mut answer = ask(&client, BUILDINGS[0]).await;
    assert!(serve(&world, &names[&2]).await);
    let other = ask(&client, BUILDINGS[0]).await;
    answer.buildings[0].places = other.buildings[0].places.clone();
    let mut found = versions(&answer, &names);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, [1, 2]);
}

#[tokio::test]
async fn a_release_that_is_not_whole_is_refused_and_the_one_before_serves_on() {
    let world = World::start().await;
    let names = two_releases(&world);
    assert!(serve(&world, &names[&1]).await);
    let client = world.client(&world.operator(SIRENS[0], &["tao"]).await).await;
    let manifest = world.platform.releases.manifest(&names[&2]).unwrap();
    let row = ReleaseRow::of(&manifest, "s-test", real_now());
    let file = world.dir.path().join("reference/releases").join(&names[&2]).join(&manifest.files[0].name);
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    // Broken before it is to be served: the node itself looks at it again and again.
    std::fs::write(&file, &flipped).unwrap();
    releases::bring_in(&world.platform.db, &row, true, real_now()).await.unwrap();
    for broken in [&flipped, &whole[..whole.len() - 1]] {
        std::fs::write(&file, broken).unwrap();
        assert!(!releases::follow(&world.platform).await.unwrap());
        assert_eq!(ask(&client, BUILDINGS[0]).await.reference_release, names[&1]);
    }
    std::fs::write(&file, whole).unwrap();
    assert!(releases::follow(&world.platform).await.unwrap(), "once it is whole it is taken");
    assert_eq!(ask(&client, BUILDINGS[0]).await.reference_release, names[&2]);
    let client = world.client(&world.operator(SIRENS[1], &["eligibilite"]).await).await;
    let me = client.identity().who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(me.reference_release, names[&2]);
}

/// The store of a world starts empty: what it serves was made from files.
#[tokio::test]
async fn a_release_of_the_store_says_what_its_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let options = Options { memory_bytes: 16 << 20, dry_run: false, today: "2026-11-24".parse().unwrap() };
    let demo = repo().join("server/demo-data");
    let names = ["DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv", "structure.csv", "lignes.csv"];
    let imported = store
        .import(&names.map(|name| demo.join(name)), &options, &mut |_| eservices_reference::GO_ON)
        .unwrap();
    let stored = store.load(imported.manifest.id()).unwrap();
    let read = Reference::from_files(&demo).unwrap();
    assert_eq!(stored.release().sha256, read.release().sha256);
    assert_eq!(stored.buildings(), read.buildings());
}
