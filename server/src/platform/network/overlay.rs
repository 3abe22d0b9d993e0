//! What changed in the network since the release, in memory: small, built anew from its tables when they move.
//!
//! A change gives way to a later release that knows the socket; one that does not know it yet leaves the change in force.
//! Knows no SQL.

use std::{borrow::Cow, collections::HashMap};

use eservices_reference::{
    Line, Reference,
    ids::{Imb, Pto},
};

/// Sockets laid and fibres held since the release.
#[derive(Debug, Default)]
pub struct Overlay {
    revision: i64,
    lines: HashMap<Pto, Changed>,
    by_building: HashMap<Imb, Vec<Pto>>,
    /// By PM and box: sockets laid, and fibres held for orders under way.
    by_box: HashMap<(Box<str>, Box<str>), Taken>,
}

/// A line that was laid or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// PM of its box.
    pub pm: Box<str>,
    /// The line as it is now.
    pub line: Line,
    /// The release that was served when it changed.
    pub release: Box<str>,
}

#[derive(Debug, Default)]
struct Taken {
    laid: Vec<Pto>,
    held: u32,
}

impl Overlay {
    /// From the rows of its tables; each box with the fibres held.
    #[must_use]
    pub fn new(
        revision: i64,
        lines: impl IntoIterator<Item = Changed>,
        held: impl IntoIterator<Item = (Box<str>, Box<str>, u32)>,
    ) -> Self {
        let mut overlay = Self { revision, ..Self::default() };
        for changed in lines {
            let line = &changed.line;
            overlay.by_building.entry(line.imb.clone()).or_default().push(line.pto.clone());
            if let Some(pbo) = line.pbo.clone() {
                overlay.by_box.entry((changed.pm.clone(), pbo)).or_default().laid.push(line.pto.clone());
            }
            overlay.lines.insert(line.pto.clone(), changed);
        }
        for (pm, pbo, held) in held {
            overlay.by_box.entry((pm, pbo)).or_default().held = held;
        }
        overlay
    }

    /// Of the last change; 0 if there was none.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// A line that changed, unless a later release says what it is.
    #[must_use]
    pub fn line(&self, pto: &Pto, reference: &Reference) -> Option<&Line> {
        let changed = self.lines.get(pto)?;
        let later = *changed.release != *reference.release().name && reference.line(pto).is_some();
        (!later).then_some(&changed.line)
    }

    /// The lines of a building: the release's, with the changes in their place.
    #[must_use]
    pub fn over<'a>(&self, imb: &Imb, reference: &'a Reference) -> Cow<'a, [Line]> {
        let known = reference.lines(imb);
        if self.lines.is_empty() {
            return Cow::Borrowed(known);
        }
        let added = self.by_building.get(imb).map_or(&[][..], Vec::as_slice);
        let added: Vec<&Line> = added.iter().filter_map(|pto| self.line(pto, reference)).collect();
        // A socket that moved to another building is no longer here.
        let kept: Vec<&Line> =
            known.iter().filter(|line| self.line(&line.pto, reference).is_none()).collect();
        if added.is_empty() && kept.len() == known.len() {
            return Cow::Borrowed(known);
        }
        let mut lines: Vec<Line> = kept.into_iter().chain(added).cloned().collect();
        lines.sort();
        Cow::Owned(lines)
    }

    /// Fibres of a box that sockets took which the release does not know.
    #[must_use]
    pub fn laid(&self, pm: &str, pbo: &str, reference: &Reference) -> u32 {
        let Some(taken) = self.taken(pm, pbo) else { return 0 };
        let laid = taken.laid.iter().filter(|pto| reference.line(pto).is_none()).count();
        u32::try_from(laid).unwrap_or(u32::MAX)
    }

    /// Fibres of a box that orders under way hold.
    #[must_use]
    pub fn held(&self, pm: &str, pbo: &str) -> u32 {
        self.taken(pm, pbo).map_or(0, |taken| taken.held)
    }

    fn taken(&self, pm: &str, pbo: &str) -> Option<&Taken> {
        // Most of the time nothing changed: no key is made then.
        if self.by_box.is_empty() { None } else { self.by_box.get(&(Box::from(pm), Box::from(pbo))) }
    }
}
