//! The little that cores share: a few counters.
//!
//! Cores own everything else and talk by messages. What stands here is either a plain number that
//! any core may count up, or the *claims* that close a gap in the order of pipelines.
//!
//! # Why claims
//!
//! A pipeline sends `c1` to core A and `c2` to core B. If the slot of `c1` is lent to an envelope
//! that is still collecting, `c1` waits at A while `c2` runs at B, and the envelope, should it
//! come to B next, would see `c2` without `c1`. So an envelope *claims* its slots before its first
//! message leaves, and whoever has enqueued a command looks at the claims *after* the enqueue:
//! either the command stands before the envelope in A's inbox (then it runs first), or the claim
//! is visible by now, and the connection holds its later commands until `c1` has answered. The
//! same holds for a tour that parks cores.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};

use crate::eviction::Board;
use crate::hash::HashSlot;
use crate::scripting::cache::ScriptCache;
use crate::scripting::watch::Watch;

/// Counters that all cores of a server share.
pub struct Shared {
    claims: Box<[AtomicU16]>,
    claims_active: AtomicU32,
    tours_active: AtomicU32,
    next_client_id: AtomicU64,
    pub(crate) board: Board,
    /// Scripts by digest.
    pub scripts: ScriptCache,
    /// Scripts that take long.
    pub watch: Watch,
    /// Connections of clients that are open now.
    pub connected_clients: AtomicU64,
}

impl Shared {
    /// Counters at the start of a server of `core_count` cores.
    pub fn new(core_count: u16) -> Self {
        Self {
            claims: (0..usize::from(HashSlot::COUNT)).map(|_| AtomicU16::new(0)).collect(),
            claims_active: AtomicU32::new(0),
            tours_active: AtomicU32::new(0),
            next_client_id: AtomicU64::new(1),
            board: Board::new(core_count),
            scripts: ScriptCache::default(),
            watch: Watch::new(core_count),
            connected_clients: AtomicU64::new(0),
        }
    }

    /// An id no client had before; ids rise in the order of the calls.
    pub fn next_client_id(&self) -> u64 {
        self.next_client_id.fetch_add(1, SeqCst)
    }

    /// Claims slots for an envelope about to leave.
    pub fn claim(&self, slots: &[HashSlot]) {
        self.claims_active.fetch_add(1, SeqCst);
        for slot in slots {
            self.claims[slot.index()].fetch_add(1, SeqCst);
        }
    }

    /// Gives claims back once the envelope has run.
    pub fn unclaim(&self, slots: &[HashSlot]) {
        for slot in slots {
            let before = self.claims[slot.index()].fetch_sub(1, SeqCst);
            assert!(before > 0, "a slot is unclaimed as often as it was claimed");
        }
        self.claims_active.fetch_sub(1, SeqCst);
    }

    /// A tour that parks cores is about to leave.
    pub fn tour_begins(&self) {
        self.tours_active.fetch_add(1, SeqCst);
    }

    /// That tour has released all cores.
    pub fn tour_ends(&self) {
        let before = self.tours_active.fetch_sub(1, SeqCst);
        assert!(before > 0, "a tour ends once");
    }

    /// Whether anything at all is claimed. To be asked after an enqueue.
    #[inline]
    pub fn any_claim(&self) -> bool {
        self.claims_active.load(SeqCst) != 0 || self.tours_active.load(SeqCst) != 0
    }

    /// Whether a command on `slot` that was just enqueued may have to wait there.
    pub fn is_claimed(&self, slot: HashSlot) -> bool {
        self.tours_active.load(SeqCst) != 0 || self.claims[slot.index()].load(SeqCst) != 0
    }
}
