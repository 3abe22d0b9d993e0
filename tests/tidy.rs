//! The house rules that a compiler does not hold: sizes, names, who may know whom, both migration folders alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::harness::repo;

/// The slices: every folder of server/src that is no shared room.
fn slices() -> BTreeSet<String> {
    let shared = ["platform", "commands"];
    let folders =
        fs::read_dir(repo().join("server/src")).unwrap().map(|e| e.unwrap()).filter(|e| e.path().is_dir());
    folders.map(|e| e.file_name().into_string().unwrap()).filter(|n| !shared.contains(&n.as_str())).collect()
}

/// Every Rust file below a folder of the repository, with its text.
fn sources(below: &str) -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repo().join(below), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|p| (p.strip_prefix(repo()).unwrap().to_owned(), fs::read_to_string(p).unwrap()))
        .collect()
}

/// The text of a file without its own tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut faults = Vec::new();
    for below in
        ["server/src", "server/reference/src", "server/reference/benches", "client/src", "proto", "benches"]
    {
        for (path, text) in sources(below) {
            let own_tests = path.file_name().is_some_and(|n| n == "tests.rs")
                || path.components().any(|c| c.as_os_str() == "tests");
            let lines = without_tests(&text).lines().count();
            if lines > 400 && !own_tests {
                faults.push(format!("{}: {lines} lines", path.display()));
            }
            if !text.starts_with("//!") && !own_tests {
                faults.push(format!("{}: no module documentation", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn slices_have_the_usual_rooms_only() {
    let rooms = ["mod", "service", "wire", "rules", "store", "gateway"];
    for slice in slices() {
        for entry in fs::read_dir(repo().join("server/src").join(&slice)).unwrap() {
            let path = entry.unwrap().path();
            let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(rooms.contains(&room.as_str()), "{slice}/{room}: a slice has the rooms {rooms:?}");
        }
    }
}

#[test]
fn slices_know_each_other_without_a_cycle_and_never_by_their_service() {
    let slices = slices();
    let mut knows: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for slice in &slices {
        for (path, text) in sources(&format!("server/src/{slice}")) {
            for other in slices.iter().filter(|o| *o != slice) {
                if text.contains(&format!("crate::{other}::"))
                    || text.contains(&format!("    {other}::{{"))
                    || text.contains(&format!("    {other}::store"))
                {
                    knows.entry(slice).or_default().insert(other);
                }
                assert!(
                    !text.contains(&format!("{other}::service")),
                    "{}: calls the service of {other}",
                    path.display()
                );
            }
        }
    }
    for slice in &slices {
        let mut reached: BTreeSet<&String> = knows.get(slice).cloned().unwrap_or_default();
        loop {
            let further: BTreeSet<&String> =
                reached.iter().filter_map(|r| knows.get(*r)).flatten().copied().collect();
            let before = reached.len();
            reached.extend(further);
            if reached.len() == before {
                break;
            }
        }
        assert!(!reached.contains(slice), "{slice} is in a cycle: {knows:?}");
    }
}

#[test]
fn rules_are_pure_and_the_platform_knows_no_slice() {
    for slice in slices() {
        for (path, text) in sources(&format!("server/src/{slice}")) {
            let rules = path.file_stem().is_some_and(|s| s == "rules")
                || path.components().any(|c| c.as_os_str() == "rules");
            if rules {
                for stranger in ["tonic", "sqlx", "tokio", "platform::clock", "platform::db"] {
                    let uses = [format!("use {stranger}"), format!("{stranger}::")];
                    assert!(
                        !uses.iter().any(|u| text.contains(u.as_str())),
                        "{}: rules know no {stranger}",
                        path.display()
                    );
                }
            }
        }
    }
    for (path, text) in sources("server/src/platform") {
        for slice in slices() {
            // The platform has rooms of the same name (identity): a slice is reached from the crate's root only.
            assert!(
                !text.contains(&format!("crate::{slice}::")),
                "{}: the platform knows no slice",
                path.display()
            );
        }
    }
}

#[test]
fn transactions_are_begun_in_the_shared_rooms_only() {
    for (path, text) in sources("server/src") {
        let shared = path.starts_with("server/src/platform");
        assert!(
            shared || !text.contains(".begin("),
            "{}: only the platform begins transactions",
            path.display()
        );
    }
}

#[test]
fn both_migration_folders_hold_the_same_files_and_tables() {
    let read = |engine: &str| -> BTreeMap<String, String> {
        let dir = repo().join("server/migrations").join(engine);
        let files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        files
            .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(p).unwrap()))
            .collect()
    };
    let (sqlite, postgres) = (read("sqlite"), read("postgres"));
    assert!(sqlite.keys().eq(postgres.keys()), "{:?} and {:?}", sqlite.keys(), postgres.keys());
    // SQLite changes a CHECK by a copy of the table; on PostgreSQL other nodes write meanwhile, and a copy would lose that.
    const UNLIKE: &[&str] = &["0008_boxes.sql"];
    for (name, text) in sqlite.iter().filter(|(name, _)| !UNLIKE.contains(&name.as_str())) {
        let alike = text.replace(" BLOB ", " BYTEA ");
        assert_eq!(&alike, &postgres[name], "{name}: the engines differ in the type of bytes only");
    }
}
