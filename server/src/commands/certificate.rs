//! `certificate`: client certificates, from issue to revocation. Each is in the registry before its file exists: what
//! cannot be revoked never leaves this process.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use eservices_reference::eservices::EServices;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Context, Failure, e_services, output::table, staged::Staged};
use crate::platform::{
    clock::instant,
    config::Environment,
    db::Db,
    pki::{Authority, DEFAULT_DAYS, Issued, KeySource, Profile, Validity},
    registry::{self, By, CertificateRow, Holder, MAX_NAME, Outcome, PartyRow, Registration},
};

const EXAMPLES: &str = "\
Examples:
  # the operator keeps its key and sends a certificate request (recommended)
  eservices-server certificate issue --operator 900000019 --e-service e-rdv-grand-public --e-service eligibilite \\
      --csr alpha.csr --ca-cert issuing.pem --ca-key issuing.key --out alpha
  # the key is made here: alpha.key
  eservices-server certificate issue --operator 900000019 --e-service e-RDV \\
      --ca-cert issuing.pem --ca-key issuing.key --out alpha
  eservices-server certificate issue --operator workforce --role workforce \\
      --ca-cert issuing.pem --ca-key issuing.key --days 90 --out workforce
  eservices-server certificate list --operator 900000019
  eservices-server certificate revoke --serial 5f0a27c1e6b24d3f9c8a7b6d5e4f3a21";

/// What to do with certificates.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Action {
    /// Issue a client certificate and register it.
    Issue(Box<Issue>),
    /// Revoke a certificate, for ever; running servers follow within seconds.
    Revoke(Revoke),
    /// List certificates.
    List(List),
}

/// A certificate to issue.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Issue {
    /// SIREN of an operator or code of a system.
    #[arg(long, value_name = "SIREN|CODE")]
    operator: String,
    /// E-service that it opens: a code, or a certificate's name such as e-RDV, which stands for several; may be repeated.
    #[arg(long, value_name = "NAME")]
    e_service: Vec<String>,
    /// Role that it opens, for a system; may be repeated.
    #[arg(long, value_name = "NAME")]
    role: Vec<String>,
    /// Free label [default: <SIREN>_<token>_<prod|test>, for instance 900000019_eRDV_test].
    #[arg(long)]
    label: Option<String>,
    /// The one environment that it opens [default: the configuration's].
    #[arg(long, value_parser = ["production", "non-production"])]
    environment: Option<String>,
    /// Certificate request in PEM; without one, a key is made here.
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Certificate of the issuing authority, PEM.
    #[arg(long, value_name = "FILE")]
    ca_cert: PathBuf,
    /// Private key of the issuing authority, PKCS#8 in PEM.
    #[arg(long, value_name = "FILE")]
    ca_key: PathBuf,
    /// Days of validity, at most the configuration's certificates.longest_days [default: 397, or that if it is less].
    #[arg(long)]
    days: Option<u16>,
    /// Write <PREFIX>.pem (certificate and issuer) and, where the key is made here, <PREFIX>.key (mode 0600).
    #[arg(long, value_name = "PREFIX")]
    out: PathBuf,
    /// Replace files that exist.
    #[arg(long)]
    force: bool,
}

/// A certificate to revoke.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Its serial in hexadecimal, with or without colons.
    #[arg(long)]
    serial: String,
    /// Start of its issuer's hash (see list): only where two issuers used one serial.
    #[arg(long, value_name = "HASH")]
    issuer: Option<String>,
}

/// Certificates to list.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of one operator or system.
    #[arg(long, value_name = "SIREN|CODE")]
    operator: Option<String>,
}

/// Does it.
pub async fn run(action: Action, context: &Context) -> Result<Answer, Failure> {
    let call = context.ids.call().to_string();
    let by = By::cli(&call, context.clock.machine());
    let db = context.database().await?;
    let answer = match action {
        Action::Issue(asked) => issue(&asked, context, &db, by).await,
        Action::Revoke(asked) => revoke(&asked, context, &db, by).await,
        Action::List(asked) => list(&asked, context, &db).await,
    };
    db.close().await;
    answer
}

async fn issue(asked: &Issue, context: &Context, db: &Db, by: By<'_>) -> Result<Answer, Failure> {
    let catalogue = context.catalogue(db).await?;
    let holder = Holder::parse(&asked.operator)?;
    let environment = environment(asked.environment.as_deref(), context.config.environment)?;
    let names = asked_names(asked, &holder, &catalogue)?;
    let mut reader = db.read().await?;
    let party = registry::find_party(&mut reader.conn(), &holder).await?;
    let party = party.ok_or_else(|| registry::Error::NotFound(holder.to_string()))?;
    let grants = registry::grants_of(&mut reader.conn(), &party.party_id).await?;
    drop(reader);

    let authority = Authority::from_pem(&read(&asked.ca_cert)?, &read(&asked.ca_key)?)?;
    let key = match &asked.csr {
        Some(file) => KeySource::Csr(read(file)?),
        None => KeySource::Generate,
    };
    let chain_file = Staged::new(&asked.out, ".pem", 0o644, asked.force)?;
    let key_file = match key {
        KeySource::Generate => Some(Staged::new(&asked.out, ".key", 0o600, asked.force)?),
        KeySource::Csr(_) => None,
    };
    let label =
        asked.label.clone().unwrap_or_else(|| default_label(&holder, &names, environment, &catalogue));
    let display_name = party.display_name.clone();
    let notes = notes(&party, &names, &grants);
    let profile = Profile::Client { holder, display_name, environment, names, label };
    let validity = Validity::days(by.now, days(asked.days, context.config.certificates.longest_days)?)?;
    let Issued { chain_pem, key_pem, registration, .. } = authority.issue(&profile, key, validity)?;
    let registration = registration.ok_or_else(|| Failure::new("the certificate stands for nobody"))?;
    registry::register_certificate(db, by, &registration, &catalogue).await?;
    let written = write(chain_file, &chain_pem, key_file, key_pem.as_deref());
    let files = written.map_err(|failure| {
        Failure::new(format!("{failure}; certificate {} is registered: revoke it", registration.serial))
    })?;
    let mut answer = issued(context, &registration, &files);
    answer.notes = notes;
    Ok(answer)
}

fn issued(context: &Context, new: &Registration, files: &[String]) -> Answer {
    Answer::of(
        context.json,
        || {
            format!(
                "certificate {} of {} ({})\n{}: {}\nvalid until {}\nwritten: {}",
                new.serial,
                new.holder,
                new.label,
                new.environment.as_str(),
                new.names.join(", "),
                new.not_after,
                files.join(", ")
            )
        },
        || {
            json!({
                "serial": new.serial,
                "issuer_hash": new.issuer_hash,
                "key_hash": new.key_hash,
                "party_id": new.holder.party_id(),
                "environment": new.environment.as_str(),
                "names": new.names,
                "label": new.label,
                "not_before": new.not_before.to_string(),
                "not_after": new.not_after.to_string(),
                "files": files,
            })
        },
    )
}

/// A non-production server knows its own environment only; a production server issues for both.
fn environment(asked: Option<&str>, own: Environment) -> Result<Environment, Failure> {
    match asked {
        None => Ok(own),
        Some(name) if name == own.as_str() => Ok(own),
        Some(_) if own == Environment::Production => Ok(Environment::NonProduction),
        Some(name) => {
            Err(Failure::new(format!("a {} server issues no certificates for {name}", own.as_str())))
        }
    }
}

fn asked_names(asked: &Issue, holder: &Holder, catalogue: &EServices) -> Result<Vec<String>, Failure> {
    let (names, foreign, flag) = match holder {
        Holder::Operator(_) => (e_services(&asked.e_service, catalogue), &asked.role, "--e-service"),
        Holder::System(_) => (asked.role.clone(), &asked.e_service, "--role"),
    };
    if names.is_empty() || !foreign.is_empty() {
        return Err(Failure::new(format!(
            "{holder}: expected what the certificate opens by {flag}, and nothing else"
        )));
    }
    for name in &names {
        holder.check_name(name, catalogue)?;
    }
    Ok(names)
}

fn days(asked: Option<u16>, longest: u16) -> Result<u16, Failure> {
    let days = asked.unwrap_or(DEFAULT_DAYS.min(longest));
    if (1..=longest).contains(&days) {
        return Ok(days);
    }
    Err(Failure::new(format!("--days {days}: expected 1 to {longest} (certificates.longest_days)")))
}

/// `<SIREN or code>_<tokens>_<prod|test>`; with too many tokens for one name, their number.
fn default_label(
    holder: &Holder,
    names: &[String],
    environment: Environment,
    catalogue: &EServices,
) -> String {
    let token =
        |name: &String| catalogue.get(name).map_or_else(|| name.clone(), |s| s.label_token.to_string());
    let mut tokens: Vec<String> = match holder {
        Holder::Operator(_) => names.iter().map(token).collect(),
        Holder::System(_) => names.to_vec(),
    };
    tokens.sort_unstable();
    tokens.dedup();
    let end = match environment {
        Environment::Production => "prod",
        Environment::NonProduction => "test",
    };
    let label = format!("{}_{}_{end}", holder.code(), tokens.join("+"));
    if label.chars().count() <= MAX_NAME {
        label
    } else {
        format!("{}_{}-e-services_{end}", holder.code(), names.len())
    }
}

fn notes(party: &PartyRow, names: &[String], grants: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let missing: Vec<&str> = names.iter().filter(|n| !grants.contains(n)).map(String::as_str).collect();
    if !missing.is_empty() {
        let names = missing.join(" ");
        notes
            .push(format!("its calls pass only after: operator subscribe --operator {} {names}", party.code));
    }
    if party.status != "active" {
        notes.push(format!("{} {} is {}: its calls are refused", party.kind, party.code, party.status));
    }
    notes
}

async fn revoke(asked: &Revoke, context: &Context, db: &Db, by: By<'_>) -> Result<Answer, Failure> {
    let (outcome, row) = registry::revoke_certificate(db, by, &asked.serial, asked.issuer.as_deref()).await?;
    let changed = outcome == Outcome::Changed;
    let since = row.revoked_at.map_or_else(String::new, |at| instant(at).to_string());
    let how = if changed { "revoked".to_owned() } else { format!("was revoked already, at {since}") };
    let CertificateRow { serial, party_id, label, .. } = &row;
    Ok(Answer::of(
        context.json,
        || format!("certificate {serial} of {party_id} ({label}): {how}"),
        || json!({"serial": serial, "party_id": party_id, "revoked_at": since, "changed": changed}),
    ))
}

async fn list(asked: &List, context: &Context, db: &Db) -> Result<Answer, Failure> {
    let mut reader = db.read().await?;
    let mut party_id = None;
    if let Some(text) = &asked.operator {
        let holder = Holder::parse(text)?;
        let found = registry::find_party(&mut reader.conn(), &holder).await?;
        party_id = Some(found.ok_or_else(|| registry::Error::NotFound(holder.to_string()))?.party_id);
    }
    let rows = registry::list_certificates(&mut reader.conn(), party_id.as_deref()).await?;
    let now = context.clock.machine();
    let heads = [
        "PARTY",
        "ENVIRONMENT",
        "LABEL",
        "STATUS",
        "EXPIRES ON",
        "PUBLISHED ON",
        "SERIAL",
        "ISSUER",
        "OPENS",
    ];
    let cells = |row: &CertificateRow| {
        vec![
            row.party_id.clone(),
            row.environment.clone(),
            row.label.clone(),
            state(row, now).to_owned(),
            day(row.not_after),
            day(row.created_at),
            row.serial.clone(),
            row.issuer_hash.chars().take(12).collect(),
            row.names.replace(',', ", "),
        ]
    };
    Ok(Answer::of(
        context.json,
        || table(&heads, &rows.iter().map(cells).collect::<Vec<_>>()),
        || rows.iter().map(|row| as_json(row, now)).collect(),
    ))
}

fn state(row: &CertificateRow, now: Timestamp) -> &str {
    if row.status == "active" && instant(row.not_after) < now { "expired" } else { &row.status }
}

/// The day in UTC, for the table; JSON has the instant.
fn day(micros: i64) -> String {
    instant(micros).to_string().chars().take(10).collect()
}

fn as_json(row: &CertificateRow, now: Timestamp) -> Value {
    let text = |micros: i64| instant(micros).to_string();
    json!({
        "serial": row.serial,
        "issuer_hash": row.issuer_hash,
        "key_hash": row.key_hash,
        "party_id": row.party_id,
        "environment": row.environment,
        "names": row.names.split(',').collect::<Vec<_>>(),
        "label": row.label,
        "status": state(row, now),
        "not_before": text(row.not_before),
        "not_after": text(row.not_after),
        "created_at": text(row.created_at),
        "revoked_at": row.revoked_at.map(text),
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|e| Failure::file(file, &e))
}

fn write(
    chain_file: Staged,
    chain: &str,
    key_file: Option<Staged>,
    key: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let mut written = Vec::new();
    if let (Some(file), Some(key)) = (key_file, key) {
        written.push(file.finish(key)?);
    }
    written.insert(0, chain_file.finish(chain)?);
    Ok(written)
}
