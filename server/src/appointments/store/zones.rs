//! Intervention zones and the communes they cover: a commune has one zone.

use sqlx::FromRow;

use crate::{many, platform::db::Conn, sql};

/// One zone as it is published.
#[derive(Clone, Debug)]
pub struct ZoneRow {
    /// Code.
    pub code: String,
    /// Label.
    pub label: String,
    /// INSEE codes of its communes.
    pub communes: Vec<String>,
}

#[derive(FromRow)]
struct Code {
    code: String,
}

/// A commune and the zone that has it.
#[derive(Debug, FromRow)]
pub struct Membership {
    /// INSEE code.
    pub commune_code: String,
    /// Zone.
    pub zone_code: String,
}

/// The zone of a commune.
pub async fn zone_of(conn: &mut Conn<'_>, commune_code: &str) -> Result<Option<String>, sqlx::Error> {
    let found = sql!(
        optional,
        conn,
        Code,
        "SELECT zone_code AS code FROM appointments_communes WHERE commune_code = $1",
        commune_code,
    )?;
    Ok(found.map(|z| z.code))
}

/// Whether there is such a zone.
pub async fn zone_exists(conn: &mut Conn<'_>, code: &str) -> Result<bool, sqlx::Error> {
    let found = sql!(optional, conn, Code, "SELECT code FROM appointments_zones WHERE code = $1", code)?;
    Ok(found.is_some())
}

/// Locks a zone against other publications; false if there is none.
pub async fn touch(conn: &mut Conn<'_>, code: &str, now: i64) -> Result<bool, sqlx::Error> {
    let rows =
        sql!(execute, conn, "UPDATE appointments_zones SET updated_at = $2 WHERE code = $1", code, now)?;
    Ok(rows == 1)
}

/// Publishes zones; answers how many communes found their place (fewer than given: some belong to another zone).
pub async fn publish(conn: &mut Conn<'_>, zones: &[ZoneRow], now: i64) -> Result<u64, sqlx::Error> {
    many!(
        conn,
        "INSERT INTO appointments_zones (code, label, updated_at) ",
        zones,
        " ON CONFLICT (code) DO UPDATE SET label = excluded.label, updated_at = excluded.updated_at",
        |zone| (&zone.code, &zone.label, now)
    )?;
    let published = listed(zones);
    sql!(
        execute,
        conn,
        "DELETE FROM appointments_communes WHERE $1 LIKE '%,' || zone_code || ',%'",
        &published
    )?;
    let members: Vec<(&String, &String)> =
        zones.iter().flat_map(|z| z.communes.iter().map(move |c| (c, &z.code))).collect();
    many!(
        conn,
        "INSERT INTO appointments_communes (commune_code, zone_code) ",
        members,
        " ON CONFLICT (commune_code) DO NOTHING",
        |(commune, zone)| (*commune, *zone)
    )
}

/// The communes that belong to zones other than these, whoever publishes.
pub async fn conflicts(conn: &mut Conn<'_>, zones: &[ZoneRow]) -> Result<Vec<Membership>, sqlx::Error> {
    let published = listed(zones);
    sql!(
        all,
        conn,
        Membership,
        "SELECT commune_code, zone_code FROM appointments_communes \
         WHERE $1 NOT LIKE '%,' || zone_code || ',%' ORDER BY commune_code",
        &published,
    )
}

/// `,A,B,`: for `LIKE`, since the two engines share no array.
fn listed(zones: &[ZoneRow]) -> String {
    zones.iter().fold(String::from(","), |text, zone| text + &zone.code + ",")
}
