//! `operator`: the parties of the registry and what they are granted. Knows no certificate.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Context, Failure, e_services, output::table};
use crate::platform::{
    clock::instant,
    db::Db,
    registry::{self, Brand, By, Holder, NewOperator, NewSystem, Outcome, PartyRow, Status},
};

const EXAMPLES: &str = "\
Examples:
  eservices-server operator create --siren 900000019 --name 'Opérateur Alpha' --quadrigram ALPH
  eservices-server operator create-system --code workforce --name 'Planification des interventions'
  eservices-server operator subscribe --operator 900000019 e-rdv-grand-public eligibilite
  eservices-server operator subscribe --operator workforce workforce
  eservices-server operator suspend --operator 900000019
  eservices-server operator list --json";

/// What to do with parties.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Action {
    /// Create an operator; the same one again changes nothing.
    Create(Create),
    /// Create a back-office system; the same one again changes nothing.
    CreateSystem(CreateSystem),
    /// Let an operator use e-services, or give a system roles.
    Subscribe(Names),
    /// Take e-services from an operator, or roles from a system.
    Withdraw(Names),
    /// Refuse every call of an operator or system, from within seconds on.
    Suspend(Which),
    /// Let the calls of an operator or system pass again.
    Activate(Which),
    /// List operators and systems with what they have.
    List,
}

/// An operator to create.
#[derive(Debug, Args)]
pub struct Create {
    /// SIREN, nine digits.
    #[arg(long)]
    siren: String,
    /// Display name.
    #[arg(long)]
    name: String,
    /// Interop quadrigram, four capitals or digits.
    #[arg(long)]
    quadrigram: String,
    /// Name that its end customers see [default: the display name].
    #[arg(long, default_value = "", hide_default_value = true)]
    brand_name: String,
    /// Telephone of the support that its end customers see.
    #[arg(long, default_value = "", hide_default_value = true)]
    brand_phone: String,
    /// Who text messages to its end customers come from, at most 11 letters and digits.
    #[arg(long, default_value = "", hide_default_value = true)]
    brand_sender: String,
    /// Quota tier, one of the configuration's.
    #[arg(long, default_value = "standard")]
    quota_tier: String,
}

/// A back-office system to create.
#[derive(Debug, Args)]
pub struct CreateSystem {
    /// Code: small letters, digits and hyphens.
    #[arg(long)]
    code: String,
    /// Display name.
    #[arg(long)]
    name: String,
    /// Quota tier, one of the configuration's.
    #[arg(long, default_value = "standard")]
    quota_tier: String,
}

/// Names to grant or to take.
#[derive(Debug, Args)]
pub struct Names {
    /// SIREN of an operator or code of a system.
    #[arg(long, value_name = "SIREN|CODE")]
    operator: String,
    /// E-services (a code, or a certificate's name such as e-RDV, which stands for several) or roles.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// One party.
#[derive(Debug, Args)]
pub struct Which {
    /// SIREN of an operator or code of a system.
    #[arg(long, value_name = "SIREN|CODE")]
    operator: String,
}

/// Does it.
pub async fn run(action: Action, context: &Context) -> Result<Answer, Failure> {
    let call = context.ids.call().to_string();
    let by = By::cli(&call, context.clock.machine());
    let db = context.database().await?;
    let answer = match action {
        Action::Create(new) => create(new, context, &db, by).await,
        Action::CreateSystem(new) => create_system(new, context, &db, by).await,
        Action::Subscribe(names) => grants(&names, true, context, &db, by).await,
        Action::Withdraw(names) => grants(&names, false, context, &db, by).await,
        Action::Suspend(which) => status(&which, Status::Suspended, context, &db, by).await,
        Action::Activate(which) => status(&which, Status::Active, context, &db, by).await,
        Action::List => list(context, &db).await,
    };
    db.close().await;
    answer
}

async fn create(new: Create, context: &Context, db: &Db, by: By<'_>) -> Result<Answer, Failure> {
    check_tier(context, &new.quota_tier)?;
    let brand = Brand { name: new.brand_name, phone: new.brand_phone, sender: new.brand_sender };
    let new = NewOperator {
        siren: new.siren,
        display_name: new.name,
        quadrigram: new.quadrigram,
        brand,
        quota_tier: new.quota_tier,
    };
    let outcome = registry::create_operator(db, by, &new).await?;
    Ok(created(context, outcome, &Holder::operator(&new.siren)?, &new.display_name))
}

async fn create_system(new: CreateSystem, context: &Context, db: &Db, by: By<'_>) -> Result<Answer, Failure> {
    check_tier(context, &new.quota_tier)?;
    let new = NewSystem { code: new.code, display_name: new.name, quota_tier: new.quota_tier };
    let outcome = registry::create_system(db, by, &new).await?;
    Ok(created(context, outcome, &Holder::system(&new.code)?, &new.display_name))
}

fn check_tier(context: &Context, tier: &str) -> Result<(), Failure> {
    let tiers = &context.config.quota;
    if tiers.contains_key(tier) {
        return Ok(());
    }
    let known: Vec<&str> = tiers.keys().map(String::as_str).collect();
    Err(Failure::new(format!("no such quota tier {tier:?}, expected one of {}", known.join(", "))))
}

fn created(context: &Context, outcome: Outcome, holder: &Holder, name: &str) -> Answer {
    let changed = outcome == Outcome::Changed;
    let how = if changed { "created" } else { "exists already, just so: nothing changed" };
    Answer::of(
        context.json,
        || format!("{holder} ({name}): {how}"),
        || json!({"party_id": holder.party_id(), "changed": changed}),
    )
}

async fn grants(
    asked: &Names,
    grant: bool,
    context: &Context,
    db: &Db,
    by: By<'_>,
) -> Result<Answer, Failure> {
    let holder = Holder::parse(&asked.operator)?;
    let catalogue = context.catalogue(db).await?;
    let names = match holder {
        Holder::Operator(_) => e_services(&asked.names, &catalogue),
        Holder::System(_) => asked.names.clone(),
    };
    let changed = if grant {
        registry::grant(db, by, &holder, &names, &catalogue).await?
    } else {
        registry::withdraw(db, by, &holder, &names, &catalogue).await?
    };
    let mut reader = db.read().await?;
    let held = registry::grants_of(&mut reader.conn(), &holder.party_id()).await?;
    drop(reader);
    let what = match (grant, changed.is_empty()) {
        (_, true) => "nothing changed".to_owned(),
        (true, false) => format!("granted {}", changed.join(", ")),
        (false, false) => format!("withdrawn {}", changed.join(", ")),
    };
    let has = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
    Ok(Answer::of(
        context.json,
        || format!("{holder}: {what}\nit has now: {has}"),
        || json!({"party_id": holder.party_id(), "changed": changed, "grants": held}),
    ))
}

async fn status(
    which: &Which,
    status: Status,
    context: &Context,
    db: &Db,
    by: By<'_>,
) -> Result<Answer, Failure> {
    let holder = Holder::parse(&which.operator)?;
    let changed = registry::set_status(db, by, &holder, status).await? == Outcome::Changed;
    let word = status.as_str();
    let how = if changed { "is now" } else { "was already" };
    Ok(Answer::of(
        context.json,
        || format!("{holder} {how} {word}"),
        || json!({"party_id": holder.party_id(), "status": word, "changed": changed}),
    ))
}

async fn list(context: &Context, db: &Db) -> Result<Answer, Failure> {
    let mut reader = db.read().await?;
    let mut rows = Vec::new();
    for party in registry::list_parties(&mut reader.conn()).await? {
        let grants = registry::grants_of(&mut reader.conn(), &party.party_id).await?;
        rows.push((party, grants));
    }
    let heads = ["KIND", "CODE", "NAME", "QUADRIGRAM", "STATUS", "TIER", "E-SERVICES OR ROLES"];
    let cells = |(party, grants): &(PartyRow, Vec<String>)| {
        let PartyRow { kind, code, display_name, quadrigram, status, quota_tier, .. } = party;
        let mut cells = [kind, code, display_name, quadrigram, status, quota_tier].map(Clone::clone).to_vec();
        cells.push(grants.join(", "));
        cells
    };
    Ok(Answer::of(
        context.json,
        || table(&heads, &rows.iter().map(cells).collect::<Vec<_>>()),
        || rows.iter().map(|(party, grants)| as_json(party, grants)).collect(),
    ))
}

fn as_json(party: &PartyRow, grants: &[String]) -> Value {
    let created_at: Timestamp = instant(party.created_at);
    json!({
        "party_id": party.party_id,
        "kind": party.kind,
        "code": party.code,
        "display_name": party.display_name,
        "quadrigram": party.quadrigram,
        "brand": {"name": party.brand_name, "phone": party.brand_phone, "sender": party.brand_sender},
        "status": party.status,
        "quota_tier": party.quota_tier,
        "created_at": created_at.to_string(),
        "grants": grants,
    })
}
