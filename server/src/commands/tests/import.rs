//! Releases on the command line: in, listed, compared, served, gone back from, removed.

use std::sync::Arc;

use eservices_reference::Store;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::platform::{
    network::releases::{self, Served},
    pki::{KeySource, Profile, Validity},
};

/// The demo's files, as words of a line.
fn demo() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/demo-data");
    ["DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv", "structure.csv", "lignes.csv"]
        .map(|name| format!("{folder}/{name}"))
        .join(" ")
}

/// The demo's IPE file with another state of the slides' house, and the other two.
fn changed(desk: &Desk) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/demo-data");
    let bytes = fs::read(format!("{folder}/DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv")).unwrap();
    // Windows-1252: every byte is one character.
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let (before, after) = text.split_once("IMB/77058/X/0405").unwrap();
    let after = after.replacen("RACCORDABLE DEMANDE", "RAD EN COURS DE DEPLOIEMENT", 1);
    let bytes: Vec<u8> =
        format!("{before}IMB/77058/X/0405{after}").chars().map(|c| u8::try_from(c).unwrap()).collect();
    fs::write(desk.path("DEMO_77_ESVC_PM_IPEZMD_V30_20261201.csv"), bytes).unwrap();
    format!("@DEMO_77_ESVC_PM_IPEZMD_V30_20261201.csv {folder}/structure.csv {folder}/lignes.csv")
}

#[tokio::test]
async fn a_release_is_imported_compared_served_and_gone_back_from() {
    let desk = Desk::with_alpha().await;
    let dry = desk.json(&format!("import --dry-run {}", demo())).await;
    assert_eq!(
        (dry["change"].as_str(), dry["buildings"].as_u64()),
        (Some("dry run: no release was kept"), Some(301))
    );
    assert_eq!(desk.json("reference list").await, serde_json::json!([]));

    let first = desk.json(&format!("import --serve {}", demo())).await;
    let first = first["release"].as_str().unwrap().to_owned();
    assert!(first.starts_with("20261101-"), "{first}");
    let again = desk.json(&format!("import --serve {}", demo())).await;
    assert_eq!(again["change"], "these files gave this release before: nothing to do");
    let second = desk.json(&format!("import {}", changed(&desk))).await;
    let second = second["release"].as_str().unwrap().to_owned();
    let states = |rows: &Value| -> Vec<(String, String)> {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let mut rows: Vec<_> =
            rows.as_array().unwrap().iter().map(|row| (text(row, "release"), text(row, "state"))).collect();
        rows.sort();
        rows
    };
    let two = |a: &str, b: &str| vec![(first.clone(), a.to_owned()), (second.clone(), b.to_owned())];
    assert_eq!(states(&desk.json("reference list").await), two("served", "ready"));

    let difference = desk.json(&format!("reference compare {first} {second}")).await;
    assert_eq!((&difference["changed"], &difference["same"]), (&1.into(), &300.into()));
    let moved = serde_json::json!([
        {"before": "RACCORDABLE DEMANDE", "after": "RAD EN COURS DE DEPLOIEMENT", "buildings": 1}
    ]);
    assert_eq!(difference["state_moves"], moved);

    let said = desk.says(&format!("reference serve {second}")).await;
    assert_eq!(said, format!("{second}: served from now on\n"));
    assert_eq!(states(&desk.json("reference list").await), two("served before", "served"));
    assert_eq!(
        desk.refuses(&format!("reference remove {second}")).await,
        format!("{second}: is served: serve another one first")
    );
    desk.says("reference rollback").await;
    assert_eq!(states(&desk.json("reference list").await), two("served", "served before"));
    assert!(
        desk.refuses(&format!("reference remove {second}")).await.contains("a rollback would go back to it")
    );
    // Never served: it may go.
    fs::create_dir(desk.path("own")).unwrap();
    fs::write(desk.path("own/offers.toml"), eservices_reference::offers::DEFAULT.replace("56", "57"))
        .unwrap();
    let third = desk.json(&format!("import @own/offers.toml {}", demo())).await;
    let third = third["release"].as_str().unwrap().to_owned();
    assert_eq!(desk.says(&format!("reference remove {third}")).await, format!("{third}: removed\n"));
    assert!(desk.refuses(&format!("reference serve {third}")).await.contains("no such release"));
}

#[tokio::test]
async fn a_release_may_bring_its_own_e_services() {
    let desk = Desk::with_alpha().await;
    let own = "[[eservice]]\ncode = \"e-new\"\nlabel_fr = \"Nouveau\"\nlabel_en = \"New\"\nstage = \"avant-vente\"\n\
               certificate_name = \"New\"\nlabel_token = \"New\"\naccount_tick = true\n";
    fs::create_dir(desk.path("own")).unwrap();
    fs::write(desk.path("own/eservices.toml"), own).unwrap();
    desk.says(&format!("import --serve @own/eservices.toml {}", demo())).await;
    assert!(desk.says("operator subscribe --operator 900000019 e-new").await.contains("granted e-new"));
    assert_eq!(
        desk.refuses("operator subscribe --operator 900000019 tao").await,
        "no such e-service \"tao\", expected one of e-new"
    );
}

#[tokio::test]
async fn files_that_are_none_are_named() {
    let desk = Desk::with_alpha().await;
    fs::write(desk.path("notes.csv"), "a;b\n1;2\n").unwrap();
    assert!(desk.refuses(&format!("import @notes.csv {}", demo())).await.starts_with("notes.csv: "));
    assert!(desk.refuses("import @missing.csv").await.contains("missing.csv"));
    assert_eq!(desk.refuses("reference rollback").await, "no other release was served before");
}

#[tokio::test]
async fn the_report_of_a_release_is_whole_every_time() {
    let desk = Desk::with_alpha().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/demo-data");
    let lines = fs::read_to_string(format!("{folder}/lignes.csv")).unwrap();
    fs::write(desk.path("lignes.csv"), lines + "FI-ZZZZ-0001;IMB/77058/X/0218;;;;;\n").unwrap();
    let files = format!(
        "{folder}/DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv {folder}/structure.csv @lignes.csv --problems @report.csv"
    );
    let expected = "file;line;column;value;reason;outcome\nlignes.csv;264;etat;;is empty;refused\n";
    for how in ["--dry-run", "", ""] {
        desk.says(&format!("import {how} {files}")).await;
        assert_eq!(fs::read_to_string(desk.path("report.csv")).unwrap(), expected, "{how}");
        fs::remove_file(desk.path("report.csv")).unwrap();
    }
}

#[tokio::test]
async fn a_node_begins_with_the_release_before_where_the_served_one_is_broken() {
    let desk = Desk::with_alpha().await;
    let mut names = Vec::new();
    for files in [demo(), changed(&desk)] {
        let imported = desk.json(&format!("import --serve {files}")).await;
        names.push(imported["release"].as_str().unwrap().to_owned());
    }
    let store = Arc::new(Store::open(desk.path("reference")).unwrap());
    let served = |release: &str, previous: &str| Served {
        release: release.to_owned(),
        previous: previous.to_owned(),
        activation: 2,
    };
    let (first, second) = (names[0].as_str(), names[1].as_str());
    let whole = serve::first_release(&store, served(second, first)).await.unwrap();
    assert_eq!((whole.0.release().name.as_str(), whole.1), (second, 2));
    fs::remove_file(desk.path(&format!("reference/releases/{second}/buildings.rec"))).unwrap();
    // One change behind, so that the node tries the other again.
    let before = serve::first_release(&store, served(second, first)).await.unwrap();
    assert_eq!((before.0.release().name.as_str(), before.1), (first, 1));
    assert!(serve::first_release(&store, served(second, "")).await.is_err());
}

/// The configuration of a node of this desk.
fn node_of(desk: &Desk) -> Config {
    let now = Clock::new(Machine::System, false).machine();
    let root = Authority::new_root("root", now, now + SignedDuration::from_hours(24)).unwrap();
    let server = Profile::Server { dns: vec!["localhost".into()], ips: Vec::new() };
    let issued = root.issue(&server, KeySource::Generate, Validity::days(now, 1).unwrap()).unwrap();
    fs::write(desk.path("root.pem"), root.certificate_pem()).unwrap();
    fs::write(desk.path("server.pem"), &issued.chain_pem).unwrap();
    fs::write(desk.path("server.key"), issued.key_pem.unwrap()).unwrap();
    let set = |key: &str, value: String| format!("{key}={value}");
    let flags = [
        set("listen.grpc", "127.0.0.1:0".into()),
        set("listen.local", "127.0.0.1:0".into()),
        set("tls.certificate", desk.path("server.pem")),
        set("tls.key", desk.path("server.key")),
        set("tls.client_ca", desk.path("root.pem")),
    ];
    Config::load(Some(Path::new(&desk.path("eservices.toml"))), &flags).unwrap()
}

/// What a probe answers.
async fn probe(node: &serve::Node, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(node.local).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_node_that_serves_another_release_than_it_should_says_so() {
    // The node's tasks run on this thread: what they count comes here.
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let gauge = |value: u8| {
        let text = recorder.handle().render();
        assert!(text.contains(&format!("\neservices_release_behind {value}\n")), "{text}");
    };
    let desk = Desk::with_alpha().await;
    let mut names = Vec::new();
    for files in [demo(), changed(&desk)] {
        let imported = desk.json(&format!("import --serve {files}")).await;
        names.push(imported["release"].as_str().unwrap().to_owned());
    }
    let config = node_of(&desk);
    let broken = desk.path(&format!("reference/releases/{}/buildings.rec", names[1]));
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[1..]).unwrap();

    let node = serve::launch(config).await.unwrap();
    let said = probe(&node, "/readyz").await;
    let expected = format!(
        "ready\n- serves release {}: {}, which it should serve, cannot be read here\n",
        names[0], names[1]
    );
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with(&format!("\r\n\r\n{expected}")), "{said}");
    gauge(1);
    // Tried again it is still broken; then it is whole.
    let platform = Arc::clone(&node.server.platform);
    assert!(!releases::follow(&platform).await.unwrap());
    assert!(probe(&node, "/readyz").await.ends_with(&expected));
    gauge(1);
    fs::write(&broken, &whole).unwrap();
    assert!(releases::follow(&platform).await.unwrap());
    assert!(probe(&node, "/readyz").await.ends_with("\r\n\r\nready\n"));
    gauge(0);
    node.stop().await;
}
