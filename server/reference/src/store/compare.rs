//! What changed between two releases, building by building, read side by side.
//!
//! Does not load either.

use super::records::Reader;
use super::{BUILDINGS_FILE, COLUMNS_FILE, Refused, Store, Unread};
use crate::building::{Building, State};
use crate::ids::Imb;
use crate::import::GO_ON;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The most examples that a comparison has of each difference.
const EXAMPLES: usize = 20;

/// How a building differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It is in the second release only.
    Added,
    /// It is in both and not the same.
    Changed,
    /// It is in the first release only.
    Removed,
}

/// A building that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Which.
    pub imb: Imb,
    /// How.
    pub difference: Difference,
    /// Its state in the first release.
    pub before: Option<State>,
    /// Its state in the second.
    pub after: Option<State>,
}

/// What changed from one release to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Buildings in the second only.
    pub added: u64,
    /// Buildings in both that are not the same.
    pub changed: u64,
    /// Buildings in the first only.
    pub removed: u64,
    /// Buildings that are the same.
    pub same: u64,
    /// Buildings in both by state before and after, those whose state stayed included.
    pub states: BTreeMap<(State, State), u64>,
    /// The first 20 of each difference, by building.
    pub examples: Vec<Example>,
}

impl Comparison {
    fn note(&mut self, before: Option<&Building>, after: Option<&Building>, same: bool) {
        if let (Some(before), Some(after)) = (before, after) {
            *self.states.entry((before.state, after.state)).or_default() += 1;
            if same {
                self.same += 1;
                return;
            }
        }
        let (difference, count) = match (before, after) {
            (None, _) => (Difference::Added, &mut self.added),
            (Some(_), None) => (Difference::Removed, &mut self.removed),
            (Some(_), Some(_)) => (Difference::Changed, &mut self.changed),
        };
        *count += 1;
        if *count <= EXAMPLES as u64
            && let Some(either) = before.or(after)
        {
            let (before, after) = (before.map(|b| b.state), after.map(|b| b.state));
            self.examples.push(Example { imb: either.imb.clone(), difference, before, after });
        }
    }
}

/// The buildings of a release, one by one, with the names of their extra columns.
struct Side {
    id: String,
    columns: Vec<String>,
    buildings: Reader<Building>,
    next: Option<Building>,
}

impl Side {
    fn open(store: &Store, id: &str) -> Result<Self, Refused> {
        let manifest = store.manifest(id)?;
        let refused = |reason: String| Refused { id: id.to_owned(), reason };
        let folder = store.release_folder(id);
        let entry = |name: &str| {
            let entry = manifest.file(name).cloned();
            entry.ok_or_else(|| refused(format!("{name}: the manifest does not name it")))
        };
        let named = |name: &str, reason: String| refused(format!("{name}: {reason}"));
        let columns = Reader::open(&folder, &entry(COLUMNS_FILE)?).and_then(Reader::all);
        let columns = columns.map_err(|reason| named(COLUMNS_FILE, reason))?;
        let buildings = Reader::open(&folder, &entry(BUILDINGS_FILE)?);
        let buildings = buildings.map_err(|reason| named(BUILDINGS_FILE, reason))?;
        let mut side = Self { id: id.to_owned(), columns, buildings, next: None };
        side.advance()?;
        Ok(side)
    }

    /// Gives the next building and reads the one after it.
    fn advance(&mut self) -> Result<Option<Building>, Refused> {
        let read = self.buildings.next();
        let read = read.map_err(|reason| Refused {
            id: self.id.clone(),
            reason: format!("{BUILDINGS_FILE}: {reason}"),
        })?;
        Ok(std::mem::replace(&mut self.next, read))
    }

    fn extra<'a>(&'a self, building: &'a Building) -> impl Iterator<Item = (Option<&'a String>, &'a str)> {
        building.extra.iter().map(|(column, value)| (self.columns.get(usize::from(*column)), &**value))
    }
}

impl Store {
    /// What changed from release `a` to release `b`.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn compare(&self, a: &str, b: &str) -> Result<Comparison, Refused> {
        self.compare_while(a, b, &mut |_| GO_ON).map_err(|unread| unread.or_stopped(a))
    }

    /// The same; `progress` hears how many buildings are compared, and may say that it is enough.
    ///
    /// # Errors
    /// As [`Store::compare`]; [`Unread::Stopped`].
    pub fn compare_while(
        &self,
        a: &str,
        b: &str,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Comparison, Unread> {
        const STEP: u64 = 10_000;
        let mut done = 0_u64;
        let (mut a, mut b) = (Side::open(self, a)?, Side::open(self, b)?);
        let mut comparison = Comparison::default();
        loop {
            if done.is_multiple_of(STEP) && progress(done).is_break() {
                return Err(Unread::Stopped);
            }
            done += 1;
            let order = match (&a.next, &b.next) {
                (None, None) => return Ok(comparison),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(after)) => before.imb.cmp(&after.imb),
            };
            let mut before = if order.is_le() { a.advance()? } else { None };
            let mut after = if order.is_ge() { b.advance()? } else { None };
            let same = match (&mut before, &mut after) {
                (Some(before), Some(after)) => {
                    // Releases number their extra columns differently: these go by name.
                    let extra = a.extra(before).eq(b.extra(after));
                    before.extra.clear();
                    after.extra.clear();
                    extra && before == after
                }
                _ => false,
            };
            comparison.note(before.as_ref(), after.as_ref(), same);
        }
    }
}
