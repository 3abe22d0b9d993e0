//! The network as a call sees it: one release of the reference data, and what changed since. Both are taken in one hand,
//! so that an answer never mixes two states.
//!
//! Knows no e-service. What may be written is in [`store`].

pub mod imports;
mod overlay;
pub mod reading;
pub mod releases;
pub mod store;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use eservices_reference::{
    Line, Reference, StructureRow,
    ids::{Imb, Pto},
};

pub use overlay::{Changed, Overlay};

/// One state of the network; immutable.
#[derive(Debug)]
pub struct Network {
    /// The release.
    pub reference: Arc<Reference>,
    /// What changed since.
    pub overlay: Arc<Overlay>,
    /// The change of release that asked for it.
    pub activation: i64,
}

impl Network {
    /// The existing lines of a building, sorted by place.
    #[must_use]
    pub fn lines(&self, imb: &Imb) -> Cow<'_, [Line]> {
        self.overlay.over(imb, &self.reference)
    }

    /// The line that ends at a socket.
    #[must_use]
    pub fn line(&self, pto: &Pto) -> Option<&Line> {
        self.overlay.line(pto, &self.reference).or_else(|| self.reference.line(pto))
    }

    /// Fibres left on the box that serves a place: those of the release without those that were used or are held since;
    /// `None` when the place has no box or its size is not known.
    #[must_use]
    pub fn free_fibres(&self, row: &StructureRow) -> Option<u32> {
        let held = self.overlay.held(row.pm.as_str(), row.pbo.as_deref()?);
        Some(self.unlit_fibres(row)?.saturating_sub(held))
    }

    /// The same with those that orders under way hold.
    #[must_use]
    pub fn unlit_fibres(&self, row: &StructureRow) -> Option<u32> {
        let free = self.reference.free_fibres(row)?;
        let laid = self.overlay.laid(row.pm.as_str(), row.pbo.as_deref()?, &self.reference);
        Some(free.saturating_sub(laid))
    }
}

/// The current state, replaced as a whole.
#[derive(Debug)]
pub struct Current {
    network: ArcSwap<Network>,
    /// The release that this node should serve and does not.
    missed: ArcSwapOption<String>,
    looking: tokio::sync::Mutex<()>,
}

impl Current {
    /// A release without changes since; `activation` is the change that asked for it.
    #[must_use]
    pub fn new(reference: Arc<Reference>, activation: i64) -> Self {
        let network = ArcSwap::from_pointee(Network { reference, overlay: Arc::default(), activation });
        Self { network, missed: ArcSwapOption::empty(), looking: tokio::sync::Mutex::default() }
    }

    /// The state now: take it once a call.
    #[must_use]
    pub fn load(&self) -> Arc<Network> {
        self.network.load_full()
    }

    /// The turn to read what changed: one reads at a time.
    pub(super) async fn turn_to_look(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.looking.lock().await
    }

    /// Takes over what the database says of the time since the release, unless a later state is known already.
    pub fn follow(&self, overlay: Overlay) {
        let overlay = Arc::new(overlay);
        self.network.rcu(|known| {
            if overlay.revision() <= known.overlay.revision() {
                return Arc::clone(known);
            }
            let (reference, overlay) = (Arc::clone(&known.reference), Arc::clone(&overlay));
            Arc::new(Network { reference, overlay, activation: known.activation })
        });
    }

    /// Serves another release from the next call on, unless a later change is known already; `activation` is the change
    /// that asked for it.
    pub fn activate(&self, reference: Arc<Reference>, activation: i64) {
        self.network.rcu(|known| {
            if activation < known.activation {
                return Arc::clone(known);
            }
            let (reference, overlay) = (Arc::clone(&reference), Arc::clone(&known.overlay));
            Arc::new(Network { reference, overlay, activation })
        });
    }

    /// Notes which release this node should serve, for those who watch it; an empty name is none.
    pub fn should_serve(&self, release: &str) {
        let missed = !release.is_empty() && self.load().reference.release().name != release;
        self.missed.store(missed.then(|| Arc::new(release.to_owned())));
        metrics::gauge!("eservices_release_behind").set(f64::from(u8::from(missed)));
    }

    /// The release that this node should serve, where it serves another one.
    #[must_use]
    pub fn missed(&self) -> Option<Arc<String>> {
        self.missed.load_full()
    }
}
