//! Where cores tell each other how cold the keys are that they would evict next.
//!
//! One cache line a core: written by its owner when its level has moved, read by the others while
//! they evict. Nothing is ordered by it; a stale level means a key more from here or from there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::core::CoreId;

/// Level of a core that has nothing to evict.
pub(super) const NOTHING: f64 = f64::NEG_INFINITY;

/// Level of a core that does not know: it is the first to be asked, and knows afterwards.
pub(super) const UNKNOWN: f64 = f64::INFINITY;

/// What one core posts.
#[repr(align(64))]
struct Post {
    level_bits: AtomicU64,
    is_asked: AtomicBool,
}

/// The posts of all cores.
pub(crate) struct Board(Box<[Post]>);

impl Board {
    pub(crate) fn new(core_count: u16) -> Self {
        let post = || Post {
            level_bits: AtomicU64::new(UNKNOWN.to_bits()),
            is_asked: AtomicBool::new(false),
        };
        Self((0..core_count).map(|_| post()).collect())
    }

    pub(crate) fn post(&self, core: CoreId, level: f64) {
        self.0[core.index()].level_bits.store(level.to_bits(), Relaxed);
    }

    /// The coldest core but `own` that may have something to evict, and its level. O(cores).
    pub(crate) fn coldest_other(&self, own: CoreId) -> Option<(CoreId, f64)> {
        let levels = (0..self.0.len() as u16)
            .map(CoreId)
            .filter(|core| *core != own)
            .map(|core| (core, f64::from_bits(self.0[core.index()].level_bits.load(Relaxed))));
        levels
            .filter(|(_, level)| *level != NOTHING)
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Notes that a core is to be asked; whether nobody asks it already. So no core ever has more
    /// than one such message in its inbox.
    pub(crate) fn ask(&self, core: CoreId) -> bool {
        !self.0[core.index()].is_asked.swap(true, Relaxed)
    }

    /// The message has arrived.
    pub(crate) fn answer(&self, core: CoreId) {
        self.0[core.index()].is_asked.store(false, Relaxed);
    }
}
