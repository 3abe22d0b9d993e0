use eservices_reference::eservices;

use super::*;
use crate::platform::{
    audit,
    db::Db,
    testing::{on_each_engine, sqlite},
};

fn at(second: i64) -> By<'static> {
    By::cli("call-1", Timestamp::from_second(1_800_000_000 + second).unwrap())
}

fn catalogue() -> EServices {
    eservices::parse(eservices::FILE, eservices::DEFAULT).unwrap()
}

fn alpha() -> NewOperator {
    NewOperator {
        siren: "900000019".to_owned(),
        display_name: "Opérateur Alpha".to_owned(),
        quadrigram: "ALPH".to_owned(),
        brand: Brand::default(),
        quota_tier: "standard".to_owned(),
    }
}

fn workforce() -> NewSystem {
    NewSystem {
        code: "workforce".to_owned(),
        display_name: "Planification des interventions".to_owned(),
        quota_tier: "standard".to_owned(),
    }
}

fn certificate(holder: &Holder, serial: &str, names: &[&str]) -> Registration {
    Registration {
        issuer_hash: "aa".repeat(32),
        serial: serial.to_owned(),
        key_hash: format!("{serial:0>64}"),
        holder: holder.clone(),
        environment: Environment::NonProduction,
        names: texts(names),
        label: "900000019_eRDV_test".to_owned(),
        not_before: at(0).now,
        not_after: at(86_400).now,
        pem: "PEM".to_owned(),
    }
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

async fn snapshot(db: &Db) -> Snapshot {
    read_all(&mut db.read().await.unwrap().conn()).await.unwrap()
}

async fn methods(db: &Db, party_id: &str) -> Vec<String> {
    let mut reader = db.read().await.unwrap();
    let text = "SELECT position, actor, method, request_id, resource, detail, recorded_at, previous, hash FROM audit \
                WHERE party_id = $1 ORDER BY position";
    let rows = crate::sql!(all, &mut reader.conn(), audit::Row, text, party_id).unwrap();
    assert!(rows.iter().all(|r| r.actor == CLI_ACTOR && r.request_id == "call-1"));
    assert_eq!(audit::verify(&mut reader.conn(), party_id).await.unwrap(), Ok(rows.len() as i64));
    rows.into_iter().map(|r| format!("{}: {}", r.method, r.detail)).collect()
}

#[tokio::test]
async fn the_life_of_an_operator() {
    on_each_engine(|db| async move {
        let catalogue = catalogue();
        let before = snapshot(&db).await;
        let holder = Holder::operator("900000019").unwrap();
        assert_eq!(create_operator(&db, at(0), &alpha()).await.unwrap(), Outcome::Changed);
        let names = texts(&["e-rdv-grand-public", "eligibilite"]);
        assert_eq!(grant(&db, at(1), &holder, &names, &catalogue).await.unwrap(), names);
        let taken = withdraw(&db, at(2), &holder, &texts(&["eligibilite", "tao"]), &catalogue).await.unwrap();
        assert_eq!(taken, ["eligibilite"]);
        assert_eq!(set_status(&db, at(3), &holder, Status::Suspended).await.unwrap(), Outcome::Changed);
        let new = certificate(&holder, "5f01", &["e-rdv-grand-public"]);
        assert_eq!(register_certificate(&db, at(4), &new, &catalogue).await.unwrap(), Outcome::Changed);
        let (outcome, revoked) = revoke_certificate(&db, at(5), "5F:01", None).await.unwrap();
        assert_eq!((outcome, revoked.status.as_str()), (Outcome::Changed, "revoked"));

        let after = snapshot(&db).await;
        assert_eq!(after.version, before.version + 6);
        let [party] = &after.parties[..] else { panic!("{:?}", after.parties) };
        assert_eq!((party.party_id.as_str(), party.status.as_str()), ("o-900000019", "suspended"));
        assert_eq!(
            (party.brand_name.as_str(), party.created_at),
            ("Opérateur Alpha", at(0).now.as_microsecond())
        );
        let grant = GrantRow { party_id: "o-900000019".to_owned(), name: "e-rdv-grand-public".to_owned() };
        assert_eq!(after.grants, [grant]);
        assert_eq!(after.certificates, [revoked]);
        assert_eq!(after.certificates[0].revoked_at, Some(at(5).now.as_microsecond()));
        assert_eq!(
            methods(&db, "o-900000019").await,
            [
                "registry.create_operator: status: active, quota tier: standard",
                "registry.grant: granted: e-rdv-grand-public, eligibilite",
                "registry.withdraw: withdrawn: eligibilite",
                "registry.set_status: status: suspended",
                "registry.register_certificate: registered for non-production: e-rdv-grand-public, \
                 until 2027-01-16T08:00:00Z",
                "registry.revoke_certificate: status: revoked",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_again_changes_nothing() {
    on_each_engine(|db| async move {
        let catalogue = catalogue();
        let holder = Holder::operator("900000019").unwrap();
        let names = texts(&["eligibilite"]);
        let new = certificate(&holder, "5f01", &["eligibilite"]);
        create_operator(&db, at(0), &alpha()).await.unwrap();
        grant(&db, at(0), &holder, &names, &catalogue).await.unwrap();
        register_certificate(&db, at(0), &new, &catalogue).await.unwrap();
        revoke_certificate(&db, at(0), "5f01", None).await.unwrap();
        let before = snapshot(&db).await;
        let lines = methods(&db, "o-900000019").await;

        assert_eq!(create_operator(&db, at(9), &alpha()).await.unwrap(), Outcome::Unchanged);
        assert_eq!(grant(&db, at(9), &holder, &names, &catalogue).await.unwrap(), texts(&[]));
        assert_eq!(withdraw(&db, at(9), &holder, &texts(&["tao"]), &catalogue).await.unwrap(), texts(&[]));
        assert_eq!(set_status(&db, at(9), &holder, Status::Active).await.unwrap(), Outcome::Unchanged);
        assert_eq!(register_certificate(&db, at(9), &new, &catalogue).await.unwrap(), Outcome::Unchanged);
        let (outcome, row) = revoke_certificate(&db, at(9), "5f01", None).await.unwrap();
        assert_eq!((outcome, row.revoked_at), (Outcome::Unchanged, Some(at(0).now.as_microsecond())));

        assert_eq!(snapshot(&db).await, before);
        assert_eq!(methods(&db, "o-900000019").await, lines);
    })
    .await;
}

#[tokio::test]
async fn another_one_under_the_same_name_is_refused() {
    on_each_engine(|db| async move {
        let catalogue = catalogue();
        let holder = Holder::operator("900000019").unwrap();
        create_operator(&db, at(0), &alpha()).await.unwrap();
        create_system(&db, at(0), &workforce()).await.unwrap();
        register_certificate(&db, at(0), &certificate(&holder, "5f01", &["tao"]), &catalogue).await.unwrap();
        let before = snapshot(&db).await;

        let other = NewOperator { quadrigram: "ALP2".to_owned(), quota_tier: "gold".to_owned(), ..alpha() };
        let error = create_operator(&db, at(1), &other).await.unwrap_err().to_string();
        assert_eq!(error, "operator 900000019 exists already with another quadrigram, quota tier");
        let other = NewSystem { display_name: "Logistique".to_owned(), ..workforce() };
        let error = create_system(&db, at(1), &other).await.unwrap_err().to_string();
        assert_eq!(error, "system workforce exists already with another display name");
        let other = certificate(&holder, "5f01", &["eligibilite"]);
        let error = register_certificate(&db, at(1), &other, &catalogue).await.unwrap_err().to_string();
        assert_eq!(error, "certificate 5f01 exists already with another holder, key, names or validity");
        let system = Holder::system("workforce").unwrap();
        let stolen =
            Registration { serial: "5f02".to_owned(), ..certificate(&system, "5f01", &["workforce"]) };
        let error = register_certificate(&db, at(1), &stolen, &catalogue).await.unwrap_err().to_string();
        assert_eq!(error, "key: it belongs to a certificate of o-900000019 already");

        assert_eq!(snapshot(&db).await, before);
    })
    .await;
}

#[tokio::test]
async fn who_does_not_exist_is_named() {
    on_each_engine(|db| async move {
        let catalogue = catalogue();
        let holder = Holder::operator("900000019").unwrap();
        let names = texts(&["tao"]);
        let errors = [
            grant(&db, at(0), &holder, &names, &catalogue).await.unwrap_err(),
            withdraw(&db, at(0), &holder, &names, &catalogue).await.unwrap_err(),
            set_status(&db, at(0), &holder, Status::Suspended).await.unwrap_err(),
            register_certificate(&db, at(0), &certificate(&holder, "01", &["tao"]), &catalogue)
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.to_string(), "no such operator 900000019");
        }
        let error = revoke_certificate(&db, at(0), "5f01", None).await.unwrap_err();
        assert_eq!(error.to_string(), "no such certificate 5f01");
        assert_eq!(find_party(&mut db.read().await.unwrap().conn(), &holder).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn two_issuers_may_use_one_serial() {
    on_each_engine(|db| async move {
        let catalogue = catalogue();
        let holder = Holder::operator("900000019").unwrap();
        create_operator(&db, at(0), &alpha()).await.unwrap();
        let first = certificate(&holder, "5f01", &["tao"]);
        let second = Registration { issuer_hash: "bb".repeat(32), ..first.clone() };
        register_certificate(&db, at(0), &first, &catalogue).await.unwrap();
        register_certificate(&db, at(0), &second, &catalogue).await.unwrap();

        let error = revoke_certificate(&db, at(1), "5f01", None).await.unwrap_err();
        assert!(matches!(error, Error::Ambiguous(_)), "{error}");
        revoke_certificate(&db, at(1), "5f01", Some("BBBB")).await.unwrap();
        let mut reader = db.read().await.unwrap();
        let rows = list_certificates(&mut reader.conn(), Some("o-900000019")).await.unwrap();
        let states: Vec<_> = rows.iter().map(|c| (&c.issuer_hash[..2], c.status.as_str())).collect();
        assert!(states.contains(&("aa", "active")) && states.contains(&("bb", "revoked")), "{states:?}");
        let none = list_certificates(&mut reader.conn(), Some("o-1")).await.unwrap();
        assert_eq!(none, []);
    })
    .await;
}

#[tokio::test]
async fn changes_at_once_lose_nothing() {
    on_each_engine(|db| async move {
        let catalogue = catalogue();
        let holder = Holder::operator("900000019").unwrap();
        create_operator(&db, at(0), &alpha()).await.unwrap();
        let before = snapshot(&db).await.version;
        let tasks: Vec<_> = catalogue
            .all()
            .iter()
            .map(|service| {
                let (db, catalogue, holder) = (db.clone(), catalogue.clone(), holder.clone());
                let names = vec![service.code.to_string()];
                tokio::spawn(async move { grant(&db, at(1), &holder, &names, &catalogue).await.unwrap() })
            })
            .collect();
        let count = tasks.len();
        for task in tasks {
            assert_eq!(task.await.unwrap().len(), 1);
        }
        let after = snapshot(&db).await;
        assert_eq!(after.grants.len(), count);
        assert_eq!(after.version, before + count as i64);
        assert_eq!(methods(&db, "o-900000019").await.len(), count + 1);
    })
    .await;
}

#[tokio::test]
async fn forms_are_checked() {
    let (db, _folder) = sqlite().await;
    let catalogue = catalogue();
    let refused = async |change: fn(&mut NewOperator)| {
        let mut new = alpha();
        change(&mut new);
        create_operator(&db, at(0), &new).await.unwrap_err().to_string()
    };
    let luhn = refused(|o| o.siren = "900000018".to_owned()).await;
    assert_eq!(
        luhn,
        "siren: not a valid SIREN: expected 9 digits whose Luhn sum is right, for instance 397480930, found \"900000018\""
    );
    for quadrigram in ["alph", "ALP", "ALPHA", "ALÉH"] {
        let mut new = alpha();
        new.quadrigram = quadrigram.to_owned();
        let error = create_operator(&db, at(0), &new).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!("quadrigram: expected 4 capitals or digits, for instance ALPH, found {quadrigram:?}")
        );
    }
    assert!(refused(|o| o.display_name.clear()).await.starts_with("display name: "));
    assert!(refused(|o| o.display_name = "x".repeat(65)).await.starts_with("display name: "));
    assert!(refused(|o| o.brand.phone = "01\n02".to_owned()).await.starts_with("brand phone: "));
    assert!(refused(|o| o.quota_tier.clear()).await.starts_with("quota tier: "));
    for code in ["", "Workforce", "9lives", "a b", "cli", "eservices"] {
        assert!(matches!(Holder::system(code), Err(Error::Invalid(_))), "{code}");
    }

    create_operator(&db, at(0), &alpha()).await.unwrap();
    create_system(&db, at(0), &workforce()).await.unwrap();
    let operator = Holder::parse("900000019").unwrap();
    let system = Holder::parse("workforce").unwrap();
    let error = grant(&db, at(0), &operator, &texts(&["e-rdv"]), &catalogue).await.unwrap_err().to_string();
    assert!(
        error.starts_with("no such e-service \"e-rdv\", expected one of certificats, comptes, "),
        "{error}"
    );
    let error = grant(&db, at(0), &system, &texts(&["tao"]), &catalogue).await.unwrap_err().to_string();
    assert_eq!(error, "no such role \"tao\", expected one of logistics, reference, workforce");
    let error = withdraw(&db, at(0), &operator, &texts(&["e-rdv"]), &catalogue).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)));
    let nothing = register_certificate(&db, at(0), &certificate(&operator, "01", &[]), &catalogue).await;
    assert!(matches!(nothing, Err(Error::Invalid(_))));
    let mut sandbox = certificate(&operator, "01", &["sandbox"]);
    register_certificate(&db, at(0), &sandbox, &catalogue).await.unwrap();
    sandbox = Registration { serial: "02".to_owned(), environment: Environment::Production, ..sandbox };
    let error = register_certificate(&db, at(0), &sandbox, &catalogue).await.unwrap_err().to_string();
    assert_eq!(error, "names: sandbox does not exist in production");
}

#[test]
fn serials_are_read_as_tools_print_them() {
    for text in ["5f0a", "5F:0A", "0x5f0a", "005F0A", "5f 0a"] {
        assert_eq!(normalised_serial(text).unwrap(), "5f0a");
    }
    assert_eq!(normalised_serial("0").unwrap(), "00");
    assert_eq!(normalised_serial("f0a").unwrap(), "0f0a");
    for text in ["", "::", "xyz"] {
        normalised_serial(text).unwrap_err();
    }
}

#[test]
fn the_contract_needs_no_other_names() {
    let catalogue = catalogue();
    for method in ::eservices::METHODS {
        assert!(method.roles.iter().all(|r| ROLES.contains(r)), "{}", method.path);
        assert!(method.e_services.iter().all(|e| catalogue.get(e).is_some()), "{}", method.path);
    }
}
