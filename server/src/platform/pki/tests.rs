use std::{sync::Arc, time::Duration};

use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use x509_parser::{extensions::ParsedExtension, prelude::X509Certificate};

use super::*;
use crate::platform::{config::Environment, registry::Holder};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn root() -> Authority {
    Authority::new_root("eservices test root", now() - BACKDATE, now() + DAY * 3_650).unwrap()
}

fn issuing() -> (Authority, Authority) {
    let root = root();
    let issuing =
        root.issue_authority("eservices test clients", now() - BACKDATE, now() + DAY * 1_825).unwrap();
    (root, issuing)
}

fn client() -> Profile {
    Profile::Client {
        holder: Holder::operator("900000019").unwrap(),
        display_name: "Opérateur Alpha".to_owned(),
        environment: Environment::NonProduction,
        names: ["e-rdv-grand-public", "eligibilite", "e-rdv-grand-public"].map(str::to_owned).to_vec(),
        label: "900000019_eRDV_test".to_owned(),
    }
}

fn server() -> Profile {
    Profile::Server { dns: vec!["localhost".to_owned()], ips: vec!["127.0.0.1".parse().unwrap()] }
}

fn validity() -> Validity {
    Validity::days(now(), DEFAULT_DAYS).unwrap()
}

fn request_for(key: &KeyPair) -> rcgen::CertificateSigningRequest {
    CertificateParams::new(vec!["not-taken.example".to_owned()]).unwrap().serialize_request(key).unwrap()
}

fn with_parsed(der: &[u8], look: impl FnOnce(&X509Certificate<'_>)) {
    look(&peer::parse(der).unwrap());
}

fn ders(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn store(root: &Authority) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add(ders(root.certificate_pem()).remove(0)).unwrap();
    Arc::new(store)
}

fn at(instant: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(instant.as_second()).unwrap()))
}

#[test]
fn what_is_issued_reads_back() {
    let (_, issuing) = issuing();
    let issued = issuing.issue(&client(), KeySource::Generate, validity()).unwrap();
    let peer = Peer::parse(&issued.der).unwrap();
    assert_eq!(peer, issued.peer);
    assert_eq!(peer.serial.len(), 32);
    assert_eq!(peer.issuer_hash, issuing.name_hash());
    assert_eq!(peer.not_before, now() - BACKDATE);
    assert_eq!(peer.not_after, now() - BACKDATE + DAY * 397);
    assert_eq!(peer.subject, "CN=900000019_eRDV_test, O=Opérateur Alpha");
    assert_eq!(
        peer.uri_sans,
        ["urn:eservices:operator:900000019:non-production:e-rdv-grand-public+eligibilite"]
    );
    assert!(peer.client_auth);

    let registration = issued.registration.unwrap();
    assert_eq!(registration.serial, peer.serial);
    assert_eq!(registration.key_hash, peer.key_hash);
    assert_eq!(registration.names, ["e-rdv-grand-public", "eligibilite"]);
    assert_eq!(registration.holder.party_id(), "o-900000019");
    assert_eq!(registration.pem, issued.chain_pem);

    let key = KeyPair::from_pem(&issued.key_pem.unwrap()).unwrap();
    assert_eq!(peer::sha256(&rcgen::PublicKeyData::subject_public_key_info(&key)), peer.key_hash);
    let chain = ders(&issued.chain_pem);
    assert_eq!(chain[0], issued.der);
    assert_eq!(chain[1..], ders(issuing.certificate_pem()));
}

#[test]
fn a_system_names_its_roles() {
    let (_, issuing) = issuing();
    let profile = Profile::Client {
        holder: Holder::system("workforce").unwrap(),
        display_name: "Planification".to_owned(),
        environment: Environment::Production,
        names: vec!["workforce".to_owned()],
        label: "workforce".to_owned(),
    };
    let issued = issuing.issue(&profile, KeySource::Generate, validity()).unwrap();
    assert_eq!(issued.peer.uri_sans, ["urn:eservices:system:workforce:production:workforce"]);
}

#[test]
fn a_server_is_no_client() {
    let (_, issuing) = issuing();
    let issued = issuing.issue(&server(), KeySource::Generate, validity()).unwrap();
    assert!(!issued.peer.client_auth);
    assert!(issued.registration.is_none());
}

#[test]
fn an_authority_is_no_client() {
    let (root, _) = issuing();
    let der = ders(root.certificate_pem()).remove(0);
    assert!(!Peer::parse(&der).unwrap().client_auth, "without extended key usage");
}

#[test]
fn nothing_is_left_to_defaults() {
    let (root, issuing) = issuing();
    let issued = issuing.issue(&client(), KeySource::Generate, validity()).unwrap();
    let leaf_ids = |der: &[u8]| {
        let (mut own, mut above) = (None, None);
        with_parsed(der, |certificate| {
            for extension in certificate.extensions() {
                match extension.parsed_extension() {
                    ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0.to_vec()),
                    ParsedExtension::AuthorityKeyIdentifier(id) => {
                        above = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                    }
                    ParsedExtension::NameConstraints(_) => panic!("name constraints"),
                    _ => {}
                }
            }
        });
        (own.unwrap(), above.unwrap())
    };
    let root_der = ders(root.certificate_pem()).remove(0);
    let issuing_der = ders(issuing.certificate_pem()).remove(0);
    let (root_ids, issuing_ids, ids) = (leaf_ids(&root_der), leaf_ids(&issuing_der), leaf_ids(&issued.der));
    assert_eq!(root_ids.0, root_ids.1);
    assert_eq!(issuing_ids.1, root_ids.0);
    assert_eq!(ids.1, issuing_ids.0);

    with_parsed(&root_der, |certificate| {
        assert_eq!(certificate.basic_constraints().unwrap().unwrap().value.path_len_constraint, Some(1));
    });
    with_parsed(&issuing_der, |certificate| {
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = certificate.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    });
    with_parsed(&issued.der, |certificate| {
        assert!(!certificate.is_ca());
        let usage = certificate.key_usage().unwrap().unwrap().value;
        assert!(usage.digital_signature() && !usage.key_cert_sign());
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.client_auth && !extended.server_auth && !extended.any);
    });
}

#[test]
fn rustls_takes_the_chain_from_the_root() {
    let (root, issuing) = issuing();
    let provider = Arc::new(default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(store(&root), Arc::clone(&provider)).build().unwrap();
    let servers = WebPkiServerVerifier::builder_with_provider(store(&root), provider).build().unwrap();
    let above = ders(issuing.certificate_pem());
    let client = issuing.issue(&client(), KeySource::Generate, validity()).unwrap().der;
    let server = issuing.issue(&server(), KeySource::Generate, validity()).unwrap().der;

    clients.verify_client_cert(&client, &above, at(now())).unwrap();
    clients.verify_client_cert(&server, &above, at(now())).unwrap_err();
    clients.verify_client_cert(&client, &[], at(now())).unwrap_err();
    clients.verify_client_cert(&client, &above, at(now() + DAY * 397)).unwrap_err();
    for name in ["localhost", "127.0.0.1"] {
        let name = ServerName::try_from(name).unwrap();
        servers.verify_server_cert(&server, &above, &name, &[], at(now())).unwrap();
        servers.verify_server_cert(&client, &above, &name, &[], at(now())).unwrap_err();
    }
}

#[test]
fn serials_differ_for_one_key() {
    let (_, issuing) = issuing();
    let request = request_for(&KeyPair::generate().unwrap()).pem().unwrap();
    let issue = || issuing.issue(&client(), KeySource::Csr(request.clone()), validity()).unwrap();
    let (first, second) = (issue(), issue());
    assert_ne!(first.peer.serial, second.peer.serial);
    assert_eq!(first.peer.key_hash, second.peer.key_hash);
    assert!(first.key_pem.is_none());
}

#[test]
fn only_the_key_of_a_request_is_taken() {
    let (_, issuing) = issuing();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let mut asked = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    asked.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    asked.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    asked.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
    let request = asked.serialize_request(&key).unwrap().pem().unwrap();
    let issued = issuing.issue(&client(), KeySource::Csr(request), validity()).unwrap();
    assert_eq!(issued.peer.key_hash, peer::sha256(&rcgen::PublicKeyData::subject_public_key_info(&key)));
    assert!(issued.peer.client_auth);
    with_parsed(&issued.der, |certificate| {
        assert!(!certificate.is_ca());
        assert!(!certificate.extended_key_usage().unwrap().unwrap().value.server_auth);
        assert!(certificate.extensions().iter().all(|e| e.oid.to_id_string() != "1.2.3.4"));
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names.len(), 1);
    });
}

#[test]
fn a_request_with_another_signature_is_refused() {
    let (_, issuing) = issuing();
    let request = request_for(&KeyPair::generate().unwrap());
    let mut der = request.der().to_vec();
    let name = b"not-taken.example";
    let at = der.windows(name.len()).position(|w| w == name).unwrap();
    der[at] = b'N';
    let pem = pem_of("CERTIFICATE REQUEST", &der);
    let error = issuing.issue(&client(), KeySource::Csr(pem), validity()).unwrap_err();
    assert_eq!(error.to_string(), "the certificate request is refused: its signature is not that of its key");
}

#[test]
fn what_is_no_request_is_refused() {
    let (_, issuing) = issuing();
    for text in ["", "hello", issuing.certificate_pem(), &pem_of("CERTIFICATE REQUEST", b"hello")] {
        let error = issuing.issue(&client(), KeySource::Csr(text.to_owned()), validity()).unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error}");
    }
}

#[test]
fn an_authority_is_read_again() {
    let (root, issuing) = issuing();
    let again = Authority::from_pem(issuing.certificate_pem(), &issuing.key_pem()).unwrap();
    assert_eq!(again.name_hash(), issuing.name_hash());
    assert_eq!(again.certificate_pem(), issuing.certificate_pem());
    let issued = again.issue(&client(), KeySource::Generate, validity()).unwrap();
    assert_eq!(issued.peer.issuer_hash, issuing.name_hash());

    let with_root = format!("Bag attributes\n{}\n{}", issuing.certificate_pem(), root.certificate_pem());
    let again = Authority::from_pem(&with_root, &issuing.key_pem()).unwrap();
    assert_eq!(again.certificate_pem(), issuing.certificate_pem());
    let issued = again.issue(&client(), KeySource::Generate, validity()).unwrap();
    assert_eq!(ders(&issued.chain_pem).len(), 3);
}

#[test]
fn what_can_not_issue_is_refused() {
    let (root, issuing) = issuing();
    let leaf = issuing.issue(&client(), KeySource::Generate, validity()).unwrap();
    let refused =
        |certificate: &str, key: &str| Authority::from_pem(certificate, key).unwrap_err().to_string();
    assert_eq!(
        refused(&leaf.chain_pem, leaf.key_pem.as_ref().unwrap()),
        "the certificate cannot issue: it is not marked as an authority"
    );
    assert_eq!(
        refused(issuing.certificate_pem(), &root.key_pem()),
        "the certificate cannot issue: the private key is that of another certificate"
    );
    assert_eq!(refused("", &root.key_pem()), "cannot read the certificate: no certificate in PEM is in it");
    assert!(refused(root.certificate_pem(), "no key").starts_with("cannot read the private key: "));
    assert_eq!(
        issuing.issue_authority("third", now(), now() + DAY).unwrap_err().to_string(),
        "the certificate cannot issue: its path length allows no authority below it"
    );
}

#[test]
fn nothing_outlives_its_issuer() {
    let (_, issuing) = issuing();
    let late = Validity { not_before: now(), not_after: now() + DAY * 1_826 };
    let error = issuing.issue(&server(), KeySource::Generate, late).unwrap_err().to_string();
    assert_eq!(
        error,
        "validity: it ends at 2031-11-24T12:00:00Z, after that of the issuer (2031-11-23T12:00:00Z)"
    );
    let backwards = Validity { not_before: now(), not_after: now() };
    assert!(matches!(issuing.issue(&server(), KeySource::Generate, backwards), Err(Error::Validity(_))));
}

#[test]
fn a_profile_says_who_and_what() {
    let (_, issuing) = issuing();
    let refused = |change: fn(&mut Vec<String>, &mut String)| {
        let mut profile = client();
        if let Profile::Client { names, label, .. } = &mut profile {
            change(names, label);
        }
        issuing.issue(&profile, KeySource::Generate, validity()).unwrap_err()
    };
    assert!(matches!(refused(|names, _| names.clear()), Error::Profile(_)));
    assert!(matches!(refused(|names, _| names.push("a:b".to_owned())), Error::Profile(_)));
    assert!(matches!(refused(|_, label| label.clear()), Error::Profile(_)));
    assert!(matches!(refused(|_, label| *label = "x".repeat(65)), Error::Profile(_)));
    let nobody = Profile::Server { dns: Vec::new(), ips: Vec::new() };
    assert!(matches!(issuing.issue(&nobody, KeySource::Generate, validity()), Err(Error::Profile(_))));
}

#[test]
fn a_peer_is_one_whole_certificate() {
    let (_, issuing) = issuing();
    let der = issuing.issue(&client(), KeySource::Generate, validity()).unwrap().der.to_vec();
    Peer::parse(&[&der[..], &[0]].concat()).unwrap_err();
    Peer::parse(&der[..der.len() - 1]).unwrap_err();
    Peer::parse(b"").unwrap_err();
}

#[test]
fn secrets_are_not_shown() {
    let (_, issuing) = issuing();
    let issued = issuing.issue(&client(), KeySource::Generate, validity()).unwrap();
    assert!(!format!("{issuing:?}{issued:?}").contains("PRIVATE"));
}

fn pem_of(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = String::new();
    for chunk in der.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            body.push(if place > chunk.len() { '=' } else { char::from(ALPHABET[sextet as usize]) });
        }
    }
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
