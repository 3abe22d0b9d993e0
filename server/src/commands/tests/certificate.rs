use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use jiff::SignedDuration;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;

use super::{super::*, Desk};
use crate::platform::pki::Peer;

const ISSUE: &str = "certificate issue --operator 900000019 --ca-cert @ca.pem --ca-key @ca.key --out @alpha";

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_certificate_from_issue_to_revocation() {
    let desk = Desk::with_alpha().await;
    desk.says("operator subscribe --operator 900000019 e-RDV").await;
    let issued = desk.json(&format!("{ISSUE} --e-service e-RDV --days 30")).await;
    assert_eq!(issued["label"], "900000019_eRDV_test");
    assert_eq!(issued["names"], json!(["e-rdv-entreprise", "e-rdv-grand-public"]));
    assert_eq!((mode(&desk.path("alpha.pem")), mode(&desk.path("alpha.key"))), (0o644, 0o600));
    let pem = fs::read(desk.path("alpha.pem")).unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap();
    assert_eq!(chain.len(), 2);
    let peer = Peer::parse(&chain[0]).unwrap();
    assert_eq!(peer.not_after.duration_since(peer.not_before), SignedDuration::from_hours(24 * 30));
    assert_eq!(json!([peer.serial, peer.key_hash]), json!([issued["serial"], issued["key_hash"]]));

    assert_eq!(
        desk.refuses(&format!("{ISSUE} --e-service e-RDV")).await,
        "alpha.pem: exists already: use another --out, or --force"
    );
    assert_eq!(desk.json("certificate list").await.as_array().unwrap().len(), 1);
    let again = desk.json(&format!("{ISSUE} --e-service tao --force --label a/b")).await;
    assert_ne!(again["serial"], issued["serial"]);
    assert!(!Path::new(&desk.path("alpha.key.partial")).exists());

    let serial = issued["serial"].as_str().unwrap();
    let revoke = format!("certificate revoke --serial {}", serial.to_uppercase());
    assert_eq!(
        desk.says(&revoke).await,
        format!("certificate {serial} of o-900000019 (900000019_eRDV_test): revoked\n")
    );
    assert!(desk.says(&revoke).await.contains("was revoked already, at 20"));
    let table = desk.says("certificate list --operator 900000019").await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(
        lines[0].starts_with("PARTY        ENVIRONMENT     LABEL                STATUS   EXPIRES ON"),
        "{table}"
    );
    assert!(
        lines.iter().any(|l| l.contains("a/b") && l.contains("active") && l.ends_with("  tao")),
        "{table}"
    );
    assert!(lines.iter().any(|l| l.contains("_eRDV_test  revoked") && l.contains(serial)), "{table}");
}

#[tokio::test]
async fn a_request_keeps_its_key_at_home() {
    let desk = Desk::with_alpha().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    fs::write(desk.path("alpha.csr"), request).unwrap();
    let said = desk.says(&format!("{ISSUE} --e-service tao --csr @alpha.csr")).await;
    assert!(said.contains("\nnon-production: tao\n") && said.contains("\nwritten: alpha.pem\n"), "{said}");
    assert!(
        said.ends_with("note: its calls pass only after: operator subscribe --operator 900000019 tao\n"),
        "{said}"
    );
    assert!(!Path::new(&desk.path("alpha.key")).exists());

    let foreign = "certificate issue --operator workforce --role workforce --csr @alpha.csr --ca-cert @ca.pem \
                   --ca-key @ca.key --out @workforce";
    desk.says("operator create-system --code workforce --name Planification").await;
    assert_eq!(desk.refuses(foreign).await, "key: it belongs to a certificate of o-900000019 already");
    assert!(
        !Path::new(&desk.path("workforce.pem")).exists()
            && !Path::new(&desk.path("workforce.pem.partial")).exists()
    );
}

#[tokio::test]
async fn nothing_is_issued_for_nobody_or_nothing() {
    let desk = Desk::with_alpha().await;
    let unknown = ISSUE.replace("900000019", "900000027");
    let cases = [
        (format!("{unknown} --e-service tao"), "no such operator 900000027"),
        (
            ISSUE.to_owned(),
            "operator 900000019: expected what the certificate opens by --e-service, and nothing else",
        ),
        (
            format!("{ISSUE} --e-service tao --role workforce"),
            "operator 900000019: expected what the certificate opens by --e-service, and nothing else",
        ),
        (
            format!("{ISSUE} --e-service tao --days 398"),
            "--days 398: expected 1 to 397 (certificates.longest_days)",
        ),
        (
            format!("{ISSUE} --e-service tao --days 0"),
            "--days 0: expected 1 to 397 (certificates.longest_days)",
        ),
        (
            format!("{ISSUE} --e-service tao --environment production"),
            "a non-production server issues no certificates for production",
        ),
        (
            format!("{ISSUE} --e-service tao --csr @none.csr"),
            "none.csr: No such file or directory (os error 2)",
        ),
        (
            format!("{ISSUE} --e-service tao --csr @ca.key"),
            "the certificate request is refused: expected one in PEM: no items found",
        ),
        (
            format!("{} --e-service tao", ISSUE.replace("@ca.pem", "@ca.key")),
            "cannot read the certificate: no certificate in PEM is in it",
        ),
        (
            format!("{} --e-service tao", ISSUE.replace("@alpha", "@no/alpha")),
            "no/alpha.pem.partial: No such file or directory (os error 2)",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(desk.refuses(&line).await, expected, "{line}");
    }
    assert_eq!(desk.json("certificate list").await, json!([]));
    assert!(!Path::new(&desk.path("alpha.pem")).exists());
}

#[tokio::test]
async fn production_issues_for_both_environments() {
    let desk = Desk::with_alpha().await;
    let issue = format!("{ISSUE} --set environment=production --force --e-service tao");
    assert_eq!(desk.json(&issue).await["label"], "900000019_TAO_prod");
    let other = desk.json(&format!("{issue} --environment non-production")).await;
    assert_eq!(
        (&other["label"], &other["environment"]),
        (&json!("900000019_TAO_test"), &json!("non-production"))
    );
    assert_eq!(
        desk.refuses(&format!("{issue} --e-service sandbox")).await,
        "names: sandbox does not exist in production"
    );
}

#[tokio::test]
async fn many_e_services_fit_in_one_label() {
    let desk = Desk::with_alpha().await;
    let catalogue = eservices::parse(eservices::FILE, eservices::DEFAULT).unwrap();
    let all: String = catalogue.all().iter().map(|s| format!(" --e-service {}", s.code)).collect();
    let count = catalogue.all().len();
    let issued = desk.json(&format!("{ISSUE}{all}")).await;
    assert_eq!(issued["label"], format!("900000019_{count}-e-services_test"));
}
