//! An import that a call started, killed with its server in the middle: the next server says that it failed, and the same files
//! make the release that they make anyway.

use std::{fmt::Write as _, time::Duration};

use eservices::reference::v1::{
    GetImportRequest, Import, ImportPhase, ImportState, ListReleasesRequest, StartImportRequest,
};
use eservices_client::{Client, new_request_id};
use eservices_reference::{GO_ON, Options, Store};

use crate::process::{self, Process, World};

/// Between two looks at an import: it needs the machine more than the test does.
const POLL: Duration = Duration::from_millis(20);

const FILE: &str = "K_77_ESVC_PM_IPEZMD_V30_20261115.csv";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_has_failed_and_can_be_made_again_on_sqlite() {
    run(World::new(None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_has_failed_and_can_be_made_again_on_postgres() {
    if let Some(url) = process::postgres().await {
        run(World::new(Some(url)).await).await;
    }
}

/// Rows enough for seconds of work.
fn put(world: &World) -> std::path::PathBuf {
    let mut text = "IdentifiantImmeuble;EtatImmeuble;ReferencePM;EtatPM;CodeInseeImmeuble;CodePostalImmeuble;CommuneImmeuble;\
                    NomVoieImmeuble;NumeroVoieImmeuble;NombreLogementsAdresseIPE;TypeProjectionGeographique;\
                    CoordonneeImmeubleX;CoordonneeImmeubleY\n"
        .to_owned();
    for n in 0..20_000 {
        let letter = char::from(b'A' + u8::try_from(n / 10_000).unwrap());
        writeln!(
            text,
            "IMB/77058/{letter}/{:04};CIBLE;FI-77058-0001;DEPLOYE;77058;77600;BUSSY;RUE UN;1;1;WGS84;2.71;48.84",
            n % 10_000
        )
        .unwrap();
    }
    let inbox = world.dir.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    std::fs::write(inbox.join(FILE), text).unwrap();
    inbox.join(FILE)
}

/// What the same files make where nobody is killed.
fn undisturbed(world: &World, file: std::path::PathBuf) -> String {
    let store = Store::open(world.dir.path().join("other")).unwrap();
    let options = Options { memory_bytes: 64 << 20, dry_run: false, today: "2026-11-24".parse().unwrap() };
    store.import(&[file], &options, &mut |_| GO_ON).unwrap().manifest.id().to_owned()
}

async fn start(client: &Client) -> Import {
    let request = StartImportRequest {
        request_id: new_request_id(),
        files: vec![FILE.into()],
        serve_when_done: true,
        dry_run: false,
    };
    client.reference().start_import(request).await.unwrap().into_inner().run.unwrap()
}

async fn get(client: &Client, id: &str) -> Import {
    let request = GetImportRequest { import_id: id.into() };
    client.reference().get_import(request).await.unwrap().into_inner().run.unwrap()
}

async fn end(client: &Client, id: &str) -> Import {
    loop {
        let run = get(client, id).await;
        if run.state() != ImportState::Running {
            return run;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn run(world: World) {
    let expected = undisturbed(&world, put(&world));
    let mut process = Process::new(world.dir.path(), |grpc, local| world.config(grpc, local));
    process.start().await;
    let client = world.client(process.grpc, &world.keeper);
    let killed = start(&client).await;
    // In the middle of its rows, as it tells itself; the folder in which the release is built is there.
    loop {
        let run = get(&client, &killed.import_id).await;
        assert_eq!(run.state(), ImportState::Running, "over before its middle: {run:?}");
        if run.progress.unwrap().phase() >= ImportPhase::Read {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    assert!(world.dir.path().join("reference/staging").exists());
    process.kill();
    process.start().await;
    let client = world.client(process.grpc, &world.keeper);
    let over = end(&client, &killed.import_id).await;
    assert_eq!((over.state(), over.fault.as_str()), (ImportState::Failed, "the node stopped"));
    assert_eq!((over.release.as_str(), over.served), ("", false));
    let listed = client.reference().list_releases(ListReleasesRequest::default()).await.unwrap().into_inner();
    assert!(listed.releases.iter().all(|r| r.release != expected), "no half release: {listed:?}");

    let again = start(&client).await;
    assert_ne!(again.import_id, killed.import_id);
    let over = end(&client, &again.import_id).await;
    assert_eq!(
        (over.state(), over.release, over.served),
        (ImportState::Done, expected, true),
        "{}",
        over.fault
    );
    assert!(!world.dir.path().join("reference/staging").exists());
    process.kill();
}
