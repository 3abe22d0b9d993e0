//! Lists by pages, and single objects: imports, their problems, releases, files of the inbox.

use eservices::reference::v1 as pb;

use super::{inbox, releases};
use crate::{
    platform::{
        Platform,
        error::{Error, Violations},
        identity::Caller,
        network::{
            imports,
            releases::{self as rows, Served},
        },
        page,
    },
    reference::wire,
};

/// Where a page begins, and how long it is.
struct Page<'a> {
    scope: Vec<&'a str>,
    cursor: Option<String>,
    limit: i64,
}

impl<'a> Page<'a> {
    fn parse(
        platform: &Platform,
        scope: Vec<&'a str>,
        (size, token): (u32, &str),
        violations: &mut Violations,
    ) -> Self {
        let limit = page::size(size, violations);
        let cursor = page::cursor(&platform.tokens, &scope, token, violations);
        Self { scope, cursor, limit }
    }

    /// The instant and the name that the page comes after.
    fn after(&self) -> (i64, &str) {
        let parts = self.cursor.as_deref().and_then(|cursor| cursor.split_once(' '));
        let after = parts.and_then(|(at, name)| Some((at.parse().ok()?, name)));
        after.unwrap_or((i64::MAX, ""))
    }

    /// Cuts rows, of which there is one more than asked for if there are more; the token of the next page.
    fn cut<M: prost::Message>(
        &self,
        platform: &Platform,
        rows: &mut Vec<M>,
        cursor: impl FnOnce(&M, usize) -> String,
    ) -> String {
        let kept = page::fit(rows, self.limit);
        let more = kept < rows.len();
        rows.truncate(kept);
        match rows.last() {
            Some(last) if more => platform.tokens.sign(&self.scope, &cursor(last, kept)),
            _ => String::new(),
        }
    }
}

fn micros(at: Option<&prost_types::Timestamp>) -> i64 {
    at.map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000)
}

/// Files of the inbox.
pub async fn inbox_files(
    platform: &Platform,
    caller: &Caller,
    request: &pb::ListInboxFilesRequest,
) -> Result<pb::ListInboxFilesResponse, Error> {
    let mut violations = Violations::default();
    let scope = vec!["inbox files", caller.party_id()];
    let page = Page::parse(platform, scope, (request.page_size, &request.page_token), &mut violations);
    violations.check()?;
    let limit = usize::try_from(page.limit).unwrap_or(0) + 1;
    let after = page.cursor.clone().unwrap_or_default();
    let found = inbox::list(inbox::folder(platform)?, after, limit).await?;
    let mut files: Vec<_> = found.iter().map(wire::inbox_file).collect();
    let next_page_token = page.cut(platform, &mut files, |last, _| last.name.clone());
    Ok(pb::ListInboxFilesResponse { files, next_page_token })
}

/// One import.
pub async fn import(platform: &Platform, import_id: &str) -> Result<pb::GetImportResponse, Error> {
    let mut violations = Violations::default();
    let import_id = wire::import_id(import_id, &mut violations);
    let import_id = violations.finish(import_id)?;
    let row = imports::find(&mut platform.db.read().await?.conn(), &import_id).await?;
    let row = row.ok_or_else(|| Error::not_found("Import", &import_id))?;
    Ok(pb::GetImportResponse { run: Some(wire::import(&row)) })
}

/// Imports.
pub async fn imports(
    platform: &Platform,
    caller: &Caller,
    request: &pb::ListImportsRequest,
) -> Result<pb::ListImportsResponse, Error> {
    let mut violations = Violations::default();
    let scope = vec!["imports", caller.party_id()];
    let page = Page::parse(platform, scope, (request.page_size, &request.page_token), &mut violations);
    violations.check()?;
    let rows = imports::page(&mut platform.db.read().await?.conn(), page.after(), page.limit + 1).await?;
    let mut imports: Vec<_> = rows.iter().map(wire::import).collect();
    let next_page_token = page.cut(platform, &mut imports, |last, _| {
        format!("{} {}", micros(last.started_at.as_ref()), last.import_id)
    });
    Ok(pb::ListImportsResponse { imports, next_page_token })
}

/// Problems of an import.
pub async fn problems(
    platform: &Platform,
    caller: &Caller,
    request: &pb::ListImportProblemsRequest,
) -> Result<pb::ListImportProblemsResponse, Error> {
    let mut violations = Violations::default();
    let import_id = wire::import_id(&request.import_id, &mut violations);
    let id = import_id.clone().unwrap_or_default();
    let scope = vec!["import problems", caller.party_id(), id.as_str()];
    let page = Page::parse(platform, scope, (request.page_size, &request.page_token), &mut violations);
    let import_id = violations.finish(import_id)?;
    let mut reader = platform.db.read().await?;
    if imports::find(&mut reader.conn(), &import_id).await?.is_none() {
        return Err(Error::not_found("Import", &import_id));
    }
    let from = page.cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0_i64);
    let rows = imports::problems(&mut reader.conn(), &import_id, from, page.limit + 1).await?;
    let mut problems: Vec<_> = rows.iter().map(wire::problem).collect();
    let next_page_token =
        page.cut(platform, &mut problems, |_, kept| (from + i64::try_from(kept).unwrap_or(0)).to_string());
    Ok(pb::ListImportProblemsResponse { problems, next_page_token })
}

/// Releases.
pub async fn releases(
    platform: &Platform,
    caller: &Caller,
    request: &pb::ListReleasesRequest,
) -> Result<pb::ListReleasesResponse, Error> {
    let mut violations = Violations::default();
    let scope = vec!["releases", caller.party_id()];
    let page = Page::parse(platform, scope, (request.page_size, &request.page_token), &mut violations);
    violations.check()?;
    let mut reader = platform.db.read().await?;
    let found = rows::page(&mut reader.conn(), page.after(), page.limit + 1).await?;
    let served: Served = rows::served(&mut reader.conn()).await?;
    drop(reader);
    let mut releases = releases::told(platform, found, served).await?;
    let next_page_token = page.cut(platform, &mut releases, |last, _| {
        format!("{} {}", micros(last.registered_at.as_ref()), last.release)
    });
    Ok(pb::ListReleasesResponse { releases, next_page_token })
}

/// One release, removed ones included.
pub async fn release(platform: &Platform, release: &str) -> Result<pb::GetReleaseResponse, Error> {
    let mut violations = Violations::default();
    let release = wire::release("release", release, &mut violations);
    violations.check()?;
    let mut reader = platform.db.read().await?;
    let row = rows::find(&mut reader.conn(), &release).await?;
    let row = row.ok_or_else(|| Error::not_found("Release", &release))?;
    let served = rows::served(&mut reader.conn()).await?;
    drop(reader);
    let told = releases::told(platform, vec![row], served).await?;
    Ok(pb::GetReleaseResponse { release: told.into_iter().next() })
}
