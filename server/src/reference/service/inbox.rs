//! The inbox: a folder of this node. Only what is a regular file by itself is in it: no link, no pipe, nothing hidden.

use std::{
    io::ErrorKind,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    platform::{
        Platform,
        error::{Error, Precondition, Reason},
    },
    reference::rules,
};

/// The most files that a listing looks at.
const MOST_LISTED: usize = 100_000;

/// The most bytes of a name in a refusal.
const MOST_SUBJECT: usize = 60;

/// A file: name, size, microseconds of its last change.
pub type Found = (String, u64, i64);

/// The folder.
pub fn folder(platform: &Platform) -> Result<PathBuf, Error> {
    let inbox = &platform.config.reference.inbox;
    if inbox.as_os_str().is_empty() {
        return Err(Error::new(Reason::InboxNotConfigured, "the server has no inbox"));
    }
    Ok(inbox.clone())
}

fn unreadable(error: &std::io::Error) -> Error {
    tracing::warn!(%error, "the inbox cannot be read");
    let fault = match error.kind() {
        ErrorKind::NotFound => "there is no such folder",
        ErrorKind::NotADirectory => "it is no folder",
        ErrorKind::PermissionDenied => "permission denied",
        _ => "it cannot be listed",
    };
    Error::new(Reason::InboxUnreadable, format!("the inbox cannot be read: {fault}")).with("fault", fault)
}

/// The files after a name, by name: so many at most.
pub async fn list(inbox: PathBuf, after: String, limit: usize) -> Result<Vec<Found>, Error> {
    let listed = tokio::task::spawn_blocking(move || listed(&inbox, &after, limit)).await;
    listed.map_err(Error::internal)?.map_err(|error| unreadable(&error))
}

fn listed(inbox: &Path, after: &str, limit: usize) -> std::io::Result<Vec<Found>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(inbox)?.take(MOST_LISTED) {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && name.as_str() > after
            && rules::is_file_name(&name)
        {
            entries.push((name, entry));
        }
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let found = entries.into_iter().filter_map(|(name, entry)| {
        // Of the entry itself: a link is none.
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let modified = metadata.mtime().saturating_mul(1_000_000) + metadata.mtime_nsec() / 1_000;
        Some((name, metadata.len(), modified))
    });
    Ok(found.take(limit).collect())
}

/// Refuses files that are not there, or that are no files.
pub async fn check(inbox: PathBuf, names: Vec<String>) -> Result<(), Error> {
    let checked = tokio::task::spawn_blocking(move || {
        std::fs::read_dir(&inbox)?;
        Ok(names.iter().filter_map(|name| Some((fault(&inbox.join(name))?, shown(name)))).collect())
    });
    let missing: Vec<(&str, String)> =
        checked.await.map_err(Error::internal)?.map_err(|error| unreadable(&error))?;
    if missing.is_empty() {
        return Ok(());
    }
    let violation = |(fault, name): (&str, String)| Precondition {
        kind: Reason::InboxFileMissing,
        subject: format!("files/{name}"),
        description: fault.to_owned(),
        facts: Vec::new(),
    };
    Err(Error::preconditions(missing.into_iter().map(violation).collect()))
}

/// Why a path is no file to import: looked at where it was opened, so that nothing comes between.
fn fault(path: &Path) -> Option<&'static str> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    match std::fs::File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => None,
        Ok(_) => Some("is no regular file"),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Some("is a link"),
        Err(error) if error.kind() == ErrorKind::NotFound => Some("is not in the inbox"),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some("cannot be read by the server"),
        Err(_) => Some("is no regular file"),
    }
}

/// A name that leaves a status small.
fn shown(name: &str) -> String {
    if name.len() <= MOST_SUBJECT {
        return name.to_owned();
    }
    let end = (0..=MOST_SUBJECT).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &name[..end])
}
