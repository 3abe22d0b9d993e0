//! Changes of the registry. Each is one transaction that first moves the version (so changes of the registry pass one
//! by one and cannot deadlock each other), then writes, then adds the party's audit line. A change that changes nothing
//! is rolled back: no version, no line.

use eservices_reference::eservices::EServices;
use sqlx::FromRow;

use super::{
    By, CertificateRow, Error, Holder, MAX_NAME, NewOperator, NewSystem, Outcome, PartyRow, Registration,
    Status,
    read::{find_certificates, find_party, normalised_serial},
};
use crate::{
    platform::{
        audit::{self, AuditLine},
        config::Environment,
        db::{Conn, Db, Tx},
    },
    sql,
};

/// Creates an operator. The same operator again is no change; another one under its SIREN is refused.
pub async fn create_operator(db: &Db, by: By<'_>, new: &NewOperator) -> Result<Outcome, Error> {
    let holder = Holder::operator(&new.siren)?;
    let quadrigram = new.quadrigram.as_bytes();
    if quadrigram.len() != 4 || !quadrigram.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Err(Error::Invalid(format!(
            "quadrigram: expected 4 capitals or digits, for instance ALPH, found {:?}",
            new.quadrigram
        )));
    }
    check_text("display name", &new.display_name)?;
    let brand_name = if new.brand.name.is_empty() { &new.display_name } else { &new.brand.name };
    check_text("brand name", brand_name)?;
    if !new.brand.phone.is_empty() {
        check_text("brand phone", &new.brand.phone)?;
    }
    let sender = new.brand.sender.as_bytes();
    if sender.len() > 11 || !sender.iter().all(u8::is_ascii_alphanumeric) {
        return Err(Error::Invalid(format!(
            "brand sender: expected at most 11 letters and digits, as a text message carries it, found {:?}",
            new.brand.sender
        )));
    }
    let row = PartyRow {
        party_id: holder.party_id(),
        kind: holder.kind().to_owned(),
        code: holder.code().to_owned(),
        display_name: new.display_name.clone(),
        quadrigram: new.quadrigram.clone(),
        brand_name: brand_name.clone(),
        brand_phone: new.brand.phone.clone(),
        brand_sender: new.brand.sender.clone(),
        status: Status::Active.as_str().to_owned(),
        quota_tier: new.quota_tier.clone(),
        created_at: by.now.as_microsecond(),
    };
    create(db, by, "registry.create_operator", &holder, row).await
}

/// Creates a back-office system. The same system again is no change; another one under its code is refused.
pub async fn create_system(db: &Db, by: By<'_>, new: &NewSystem) -> Result<Outcome, Error> {
    let holder = Holder::system(&new.code)?;
    check_text("display name", &new.display_name)?;
    let row = PartyRow {
        party_id: holder.party_id(),
        kind: holder.kind().to_owned(),
        code: holder.code().to_owned(),
        display_name: new.display_name.clone(),
        quadrigram: String::new(),
        brand_name: String::new(),
        brand_phone: String::new(),
        brand_sender: String::new(),
        status: Status::Active.as_str().to_owned(),
        quota_tier: new.quota_tier.clone(),
        created_at: by.now.as_microsecond(),
    };
    create(db, by, "registry.create_system", &holder, row).await
}

/// Grants e-services to an operator or roles to a system; answers those that it did not have before.
pub async fn grant(
    db: &Db,
    by: By<'_>,
    holder: &Holder,
    names: &[String],
    catalogue: &EServices,
) -> Result<Vec<String>, Error> {
    for name in names {
        holder.check_name(name, catalogue)?;
    }
    let party_id = holder.party_id();
    let mut change = Change::begin(db, by).await?;
    change.party(holder).await?;
    let mut added = Vec::new();
    for name in names {
        let text = "INSERT INTO party_grants (party_id, name) VALUES ($1, $2) ON CONFLICT (party_id, name) DO NOTHING";
        if sql!(execute, &mut change.conn(), text, &party_id, name)? > 0 {
            added.push(name.clone());
        }
    }
    change.end_named("registry.grant", &party_id, "granted", added).await
}

/// Takes e-services from an operator or roles from a system; answers those that it had. Names that the catalogue knows no
/// longer can be taken too.
pub async fn withdraw(
    db: &Db,
    by: By<'_>,
    holder: &Holder,
    names: &[String],
    catalogue: &EServices,
) -> Result<Vec<String>, Error> {
    let party_id = holder.party_id();
    let mut change = Change::begin(db, by).await?;
    change.party(holder).await?;
    let mut removed = Vec::new();
    for name in names {
        let text = "DELETE FROM party_grants WHERE party_id = $1 AND name = $2";
        if sql!(execute, &mut change.conn(), text, &party_id, name)? > 0 {
            removed.push(name.clone());
        } else {
            holder.check_name(name, catalogue)?;
        }
    }
    change.end_named("registry.withdraw", &party_id, "withdrawn", removed).await
}

/// Lets a party's calls pass, or not.
pub async fn set_status(db: &Db, by: By<'_>, holder: &Holder, status: Status) -> Result<Outcome, Error> {
    let party_id = holder.party_id();
    let mut change = Change::begin(db, by).await?;
    change.party(holder).await?;
    let text = "UPDATE parties SET status = $2 WHERE party_id = $1 AND status <> $2";
    if sql!(execute, &mut change.conn(), text, &party_id, status.as_str())? == 0 {
        return change.give_up().await;
    }
    let detail = format!("status: {}", status.as_str());
    change.end("registry.set_status", &party_id, &party_id, &detail).await
}

/// Registers a certificate: from the next look of the nodes on, it opens what it names. The same one again is no change.
pub async fn register_certificate(
    db: &Db,
    by: By<'_>,
    new: &Registration,
    catalogue: &EServices,
) -> Result<Outcome, Error> {
    check_text("label", &new.label)?;
    if new.names.is_empty() {
        return Err(Error::Invalid("names: expected one e-service or role or more".to_owned()));
    }
    for name in &new.names {
        new.holder.check_name(name, catalogue)?;
        let restricted = catalogue.get(name).is_some_and(|e| e.non_production_only);
        if restricted && new.environment == Environment::Production {
            return Err(Error::Invalid(format!("names: {name} does not exist in production")));
        }
    }
    let party_id = new.holder.party_id();
    let mut names = new.names.clone();
    names.sort_unstable();
    names.dedup();
    let row = CertificateRow {
        issuer_hash: new.issuer_hash.clone(),
        serial: normalised_serial(&new.serial)?,
        key_hash: new.key_hash.clone(),
        party_id: party_id.clone(),
        environment: new.environment.as_str().to_owned(),
        names: names.join(","),
        label: new.label.clone(),
        status: "active".to_owned(),
        not_before: new.not_before.as_microsecond(),
        not_after: new.not_after.as_microsecond(),
        created_at: by.now.as_microsecond(),
        revoked_at: None,
    };
    let mut change = Change::begin(db, by).await?;
    change.party(&new.holder).await?;
    let twins = find_certificates(&mut change.conn(), &row.serial).await?;
    if let Some(twin) = twins.into_iter().find(|c| c.issuer_hash == row.issuer_hash) {
        let same = CertificateRow { status: twin.status.clone(), revoked_at: twin.revoked_at, ..row };
        if (CertificateRow { created_at: twin.created_at, ..same }) == twin {
            return change.give_up().await;
        }
        let what = format!("certificate {}", twin.serial);
        return Err(Error::Exists { what, fields: "holder, key, names or validity".to_owned() });
    }
    refuse_foreign_key(&mut change.conn(), &row).await?;
    insert_certificate(&mut change.conn(), &row, &new.pem).await?;
    let detail = format!("registered for {}: {}, until {}", row.environment, row.names, new.not_after);
    let resource = format!("certificates/{}", row.serial);
    change.end("registry.register_certificate", &party_id, &resource, &detail).await
}

/// Revokes a certificate, for ever. `issuer` is the start of the issuer's hash: needed only where two issuers used one
/// serial.
pub async fn revoke_certificate(
    db: &Db,
    by: By<'_>,
    serial: &str,
    issuer: Option<&str>,
) -> Result<(Outcome, CertificateRow), Error> {
    let serial = normalised_serial(serial)?;
    let issuer = issuer.unwrap_or_default().to_ascii_lowercase();
    let mut change = Change::begin(db, by).await?;
    let mut found = find_certificates(&mut change.conn(), &serial).await?;
    found.retain(|c| c.issuer_hash.starts_with(&issuer));
    let mut row = match (found.pop(), found.is_empty()) {
        (Some(row), true) => row,
        (None, _) => return Err(Error::NotFound(format!("certificate {serial}"))),
        (Some(_), false) => {
            return Err(Error::Ambiguous(format!(
                "more than one issuer used the serial {serial}: name the issuer's hash too"
            )));
        }
    };
    let text = "UPDATE certificates SET status = 'revoked', revoked_at = $3 \
                WHERE issuer_hash = $1 AND serial = $2 AND status = 'active'";
    let revoked_at = by.now.as_microsecond();
    if sql!(execute, &mut change.conn(), text, &row.issuer_hash, &row.serial, revoked_at)? == 0 {
        let outcome = change.give_up().await?;
        return Ok((outcome, row));
    }
    row.status = "revoked".to_owned();
    row.revoked_at = Some(revoked_at);
    let resource = format!("certificates/{}", row.serial);
    let outcome =
        change.end("registry.revoke_certificate", &row.party_id, &resource, "status: revoked").await?;
    Ok((outcome, row))
}

async fn create(db: &Db, by: By<'_>, method: &str, holder: &Holder, row: PartyRow) -> Result<Outcome, Error> {
    if row.quota_tier.is_empty() {
        return Err(Error::Invalid(
            "quota tier: expected the name of a tier, for instance standard".to_owned(),
        ));
    }
    let mut change = Change::begin(db, by).await?;
    if let Some(there) = find_party(&mut change.conn(), holder).await? {
        let pairs = [
            ("display name", &there.display_name, &row.display_name),
            ("quadrigram", &there.quadrigram, &row.quadrigram),
            ("brand name", &there.brand_name, &row.brand_name),
            ("brand phone", &there.brand_phone, &row.brand_phone),
            ("brand sender", &there.brand_sender, &row.brand_sender),
            ("quota tier", &there.quota_tier, &row.quota_tier),
        ];
        let differ: Vec<&str> = pairs.iter().filter(|(_, a, b)| a != b).map(|(name, ..)| *name).collect();
        if differ.is_empty() {
            return change.give_up().await;
        }
        return Err(Error::Exists { what: holder.to_string(), fields: differ.join(", ") });
    }
    sql!(
        execute,
        &mut change.conn(),
        "INSERT INTO parties (party_id, kind, code, display_name, quadrigram, brand_name, brand_phone, brand_sender, \
         status, quota_tier, revision, audit_length, audit_head, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, '', $11)",
        &row.party_id,
        &row.kind,
        &row.code,
        &row.display_name,
        &row.quadrigram,
        &row.brand_name,
        &row.brand_phone,
        &row.brand_sender,
        &row.status,
        &row.quota_tier,
        row.created_at,
    )?;
    let detail = format!("status: {}, quota tier: {}", row.status, row.quota_tier);
    change.end(method, &row.party_id, &row.party_id, &detail).await
}

/// A key that two parties hold would prove nothing: whoever has it could be either.
async fn refuse_foreign_key(conn: &mut Conn<'_>, row: &CertificateRow) -> Result<(), Error> {
    #[derive(FromRow)]
    struct Owner {
        party_id: String,
    }
    let text = "SELECT party_id FROM certificates WHERE key_hash = $1 AND party_id <> $2 LIMIT 1";
    match sql!(optional, conn, Owner, text, &row.key_hash, &row.party_id)? {
        Some(owner) => {
            Err(Error::Invalid(format!("key: it belongs to a certificate of {} already", owner.party_id)))
        }
        None => Ok(()),
    }
}

async fn insert_certificate(conn: &mut Conn<'_>, row: &CertificateRow, pem: &str) -> Result<(), sqlx::Error> {
    sql!(
        execute,
        conn,
        "INSERT INTO certificates (issuer_hash, serial, key_hash, party_id, environment, names, label, status, not_before, \
         not_after, created_at, revoked_at, pem) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &row.issuer_hash,
        &row.serial,
        &row.key_hash,
        &row.party_id,
        &row.environment,
        &row.names,
        &row.label,
        &row.status,
        row.not_before,
        row.not_after,
        row.created_at,
        row.revoked_at,
        pem,
    )
    .map(drop)
}

fn check_text(what: &str, text: &str) -> Result<(), Error> {
    let length = text.chars().count();
    if (1..=MAX_NAME).contains(&length) && !text.chars().any(char::is_control) && text.trim() == text {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "{what}: expected 1 to {MAX_NAME} characters without control characters or spaces at the ends, found {text:?}"
    )))
}

/// One change under way: rolled back unless ended.
struct Change<'a> {
    tx: Tx,
    by: By<'a>,
}

impl<'a> Change<'a> {
    async fn begin(db: &Db, by: By<'a>) -> Result<Self, Error> {
        let mut tx = db.begin().await?;
        sql!(execute, &mut tx.conn(), "UPDATE registry_version SET version = version + 1 WHERE id = 1")?;
        Ok(Self { tx, by })
    }

    fn conn(&mut self) -> Conn<'_> {
        self.tx.conn()
    }

    /// Refuses a party that does not exist.
    async fn party(&mut self, holder: &Holder) -> Result<(), Error> {
        let found = find_party(&mut self.conn(), holder).await?;
        found.map(drop).ok_or_else(|| Error::NotFound(holder.to_string()))
    }

    async fn end(
        mut self,
        method: &str,
        party_id: &str,
        resource: &str,
        detail: &str,
    ) -> Result<Outcome, Error> {
        let By { actor, request_id, now } = self.by;
        let line = AuditLine { party_id, actor, method, request_id, resource, detail, recorded_at: now };
        audit::append(&mut self.conn(), line).await?;
        self.tx.commit().await?;
        Ok(Outcome::Changed)
    }

    async fn end_named(
        self,
        method: &str,
        party_id: &str,
        verb: &str,
        names: Vec<String>,
    ) -> Result<Vec<String>, Error> {
        if names.is_empty() {
            self.give_up().await?;
        } else {
            let detail = format!("{verb}: {}", names.join(", "));
            self.end(method, party_id, party_id, &detail).await?;
        }
        Ok(names)
    }

    async fn give_up(self) -> Result<Outcome, Error> {
        self.tx.rollback().await?;
        Ok(Outcome::Unchanged)
    }
}
