//! Releases: told, compared, served, gone back to, removed. What reads a whole release does so one at a time a node, and
//! looks first whether the request was answered before.

use std::sync::Arc;

use eservices::reference::v1 as pb;
use eservices_reference::{ImportError, Manifest, Refused, Removal};

use super::imports;
use crate::{
    platform::{
        Platform,
        error::{Error, Reason},
        network::{
            imports as rows,
            reading::{self, Turn},
            releases::{self, Activated, ReleaseRow, Removed, Served},
        },
        unit_of_work::{self, Command, Origin, Work, replay},
    },
    reference::{rules::ROLE, wire},
};

/// Releases as they stand on this node.
pub async fn told(
    platform: &Platform,
    rows: Vec<ReleaseRow>,
    served: Served,
) -> Result<Vec<pb::Release>, Error> {
    let store = Arc::clone(&platform.releases);
    let read = move || rows.iter().map(|row| told_one(row, &served, store.manifest(&row.release))).collect();
    tokio::task::spawn_blocking(read).await.map_err(Error::internal)
}

fn told_one(row: &ReleaseRow, served: &Served, manifest: Result<Manifest, Refused>) -> pb::Release {
    wire::release_row(row, served, &manifest)
}

fn unknown(release: &str) -> Error {
    Error::not_found("Release", release)
}

/// A release that is there as far as the database knows.
pub async fn known(platform: &Platform, release: &str) -> Result<ReleaseRow, Error> {
    let row = releases::find(&mut platform.db.read().await?.conn(), release).await?;
    row.filter(|row| row.removed_at == 0).ok_or_else(|| unknown(release))
}

/// What differs between two releases.
pub async fn compare(
    platform: Arc<Platform>,
    from: String,
    to: String,
) -> Result<pb::CompareReleasesResponse, Error> {
    for release in [&from, &to] {
        known(&platform, release).await?;
    }
    Ok(wire::comparison(&*reading::compare(&platform, &from, &to).await?))
}

/// The answer that the request got before, or the leave to read, whichever comes first.
async fn turn_or_answer<A: prost::Message + Default>(
    platform: &Platform,
    origin: &Origin,
) -> Result<Result<Turn, A>, Error> {
    if let Some(answer) = replay::answered(&mut platform.db.read().await?.conn(), origin).await? {
        return Ok(Err(answer));
    }
    let turn = platform.reading.turn().await?;
    // The same request may have had its turn meanwhile.
    Ok(match replay::answered(&mut platform.db.read().await?.conn(), origin).await? {
        Some(answer) => Err(answer),
        None => Ok(turn),
    })
}

/// Proves a release and has it served.
pub async fn serve(
    platform: Arc<Platform>,
    origin: Origin,
    party_id: String,
    release: String,
) -> Result<pb::ServeReleaseResponse, Error> {
    let turn = match turn_or_answer(&platform, &origin).await? {
        Ok(turn) => turn,
        Err(answer) => return Ok(answer),
    };
    known(&platform, &release).await?;
    let (_turn, manifest) = reading::prove(&platform, turn, &release).await?;
    let command = Serve(Proved { party_id, release, manifest });
    unit_of_work::execute(&platform, origin, command).await
}

/// Proves the release that was served before and has it served.
pub async fn roll_back(
    platform: Arc<Platform>,
    origin: Origin,
    party_id: String,
) -> Result<pb::RollBackReleaseResponse, Error> {
    let turn = match turn_or_answer(&platform, &origin).await? {
        Ok(turn) => turn,
        Err(answer) => return Ok(answer),
    };
    let release = releases::served(&mut platform.db.read().await?.conn()).await?.previous;
    if release.is_empty() {
        return Err(unknown("previous"));
    }
    let (_turn, manifest) = reading::prove(&platform, turn, &release).await?;
    let command = RollBack(Proved { party_id, release, manifest });
    unit_of_work::execute(&platform, origin, command).await
}

/// A release that was read whole.
struct Proved {
    party_id: String,
    release: String,
    manifest: Manifest,
}

impl Proved {
    /// Has it served, if it is still there; the release as it stands then, and the revision of the change.
    async fn activate(&self, work: &mut Work) -> Result<(pb::Release, i64), Error> {
        let Self { party_id, release, manifest } = self;
        let now = work.machine_now();
        let revision = match releases::activate(&mut work.conn(), release, party_id, now).await? {
            Activated::Gone => return Err(unknown(release)),
            Activated::Already => 0,
            Activated::Now => {
                let resource = format!("releases/{release}");
                work.announce(party_id, ROLE, "reference.release_served", resource, "served").await?
            }
        };
        work.note(party_id, format!("releases/{release}"), format!("changed={}", revision != 0));
        let row = releases::find(&mut work.conn(), release).await?.ok_or_else(|| unknown(release))?;
        let served = releases::served(&mut work.conn()).await?;
        Ok((wire::release_row(&row, &served, &Ok(manifest.clone())), revision))
    }
}

struct Serve(Proved);

impl Command for Serve {
    type Answer = pb::ServeReleaseResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let (release, revision) = self.0.activate(work).await?;
        Ok(pb::ServeReleaseResponse { release: Some(release), changed: revision != 0, revision })
    }
}

struct RollBack(Proved);

impl Command for RollBack {
    type Answer = pb::RollBackReleaseResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        // Another change came between: what was proved is not what is gone back to any more.
        if releases::served_locked(&mut work.conn()).await?.previous != self.0.release {
            return Err(Error::overtaken());
        }
        let (release, revision) = self.0.activate(work).await?;
        Ok(pb::RollBackReleaseResponse { release: Some(release), revision })
    }
}

/// Removes a release: the database says so first, then its files go. The store is locked against imports meanwhile.
pub async fn remove(
    platform: Arc<Platform>,
    origin: Origin,
    party_id: String,
    release: String,
) -> Result<pb::RemoveReleaseResponse, Error> {
    let _turn = match turn_or_answer(&platform, &origin).await? {
        Ok(turn) => turn,
        Err(answer) => return Ok(answer),
    };
    known(&platform, &release).await?;
    let removal = removal(&platform, &release).await?;
    let command = Remove { party_id, release: release.clone() };
    let answer = unit_of_work::execute(&platform, origin, command).await?;
    platform.reading.forget(&release);
    if let Some(removal) = removal {
        let gone = tokio::task::spawn_blocking(move || removal.complete()).await.map_err(Error::internal)?;
        if let Err(error) = gone {
            tracing::error!(%release, %error, "files of a removed release are left");
        }
    }
    Ok(answer)
}

/// Locks the store for a removal; nothing where this node has no files of the release.
async fn removal(platform: &Platform, release: &str) -> Result<Option<Removal>, Error> {
    let (store, id) = (Arc::clone(&platform.releases), release.to_owned());
    match tokio::task::spawn_blocking(move || store.removal(&id)).await.map_err(Error::internal)? {
        Ok(removal) => Ok(Some(removal)),
        Err(ImportError::Refused(_)) => Ok(None),
        Err(ImportError::Busy { .. }) => {
            let running = rows::running(&mut platform.db.read().await?.conn()).await?;
            Err(imports::running(running.as_ref().map_or("", |running| &running.import_id)))
        }
        Err(other) => Err(Error::internal(other)),
    }
}

struct Remove {
    party_id: String,
    release: String,
}

impl Command for Remove {
    type Answer = pb::RemoveReleaseResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let Self { party_id, release } = self;
        // It may be about to find that its files are those of this release.
        if let Some(running) = rows::running(&mut work.conn()).await? {
            return Err(imports::running(&running.import_id));
        }
        let now = work.machine_now();
        match releases::remove(&mut work.conn(), release, now).await? {
            Removed::Now => {}
            Removed::Unknown => return Err(unknown(release)),
            Removed::InUse => {
                let message = format!("release {release} is served, or was served before");
                return Err(Error::new(Reason::ReleaseServed, message).with("release", release));
            }
        }
        let resource = format!("releases/{release}");
        let revision =
            work.announce(party_id, ROLE, "reference.release_removed", &resource, "removed").await?;
        work.note(party_id, resource, "state=removed");
        let row = releases::find(&mut work.conn(), release).await?.ok_or_else(|| unknown(release))?;
        let served = releases::served(&mut work.conn()).await?;
        let gone = Err(Refused { id: release.clone(), reason: String::new() });
        let release = Some(wire::release_row(&row, &served, &gone));
        Ok(pb::RemoveReleaseResponse { release, revision })
    }
}
