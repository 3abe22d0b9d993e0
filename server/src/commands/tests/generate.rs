use eservices_reference::Reference;

use super::*;

#[tokio::test]
async fn a_generated_folder_can_be_served() {
    let desk = Desk::bare();
    let line =
        "generate --premises 500 --seed 7 --queries 18 --ndjson --zip --encoding windows1252 --out @data";
    let says = desk.says(line).await;
    assert!(says.starts_with("FILE "), "{says}");
    for part in [
        "\nGENERE_00_ESVC_PM_IPEZMD_V30_20261101.zip  ",
        "\nqueries.txt  ",
        "\nadresses.ndjson  ",
        "\n500 premises in ",
        "; seed 7\n",
        " premises/s, in data\n",
    ] {
        assert!(says.contains(part), "{part:?} in {says}");
    }
    let reference = Reference::from_files(Path::new(&desk.path("data"))).unwrap();
    assert_eq!(reference.report().problems, []);
    assert_eq!(
        desk.refuses(line).await,
        "data/GENERE_00_ESVC_PM_IPEZMD_V30_20261101.zip: exists already: use another --out, or --force"
    );
    let json = desk.json(&format!("{line} --force --day 2026-12-01")).await;
    assert_eq!((&json["premises"], &json["seed"]), (&json!(500), &json!(7)));
    assert_eq!(json["files"][1]["name"], "GENERE_00_ESVC_PM_IPEZMD_V30_20261201.zip");
}

#[tokio::test]
async fn what_cannot_be_generated_is_refused() {
    let desk = Desk::bare();
    fs::write(desk.path("shares.toml"), "[boxes]\nsaturated = 2.0\n").unwrap();
    fs::write(desk.path("communes.csv"), "code;nom\n").unwrap();
    for (line, reason) in [
        ("--shares @shares.toml", "shares.toml: boxes.saturated is 2, expected a share between 0 and 1"),
        ("--communes @communes.csv", "communes.csv: column commune_parente is missing"),
        ("--zip --gzip", "the argument '--zip' cannot be used with '--gzip' (more: --help)"),
        ("--day 2026-13-01", "invalid value '2026-13-01' for '--day <AAAA-MM-JJ>': "),
    ] {
        let refused = desk.refuses(&format!("generate --premises 10 --out @data {line}")).await;
        assert!(refused.starts_with(reason), "{refused}");
    }
    assert!(!Path::new(&desk.path("data")).exists());
}
