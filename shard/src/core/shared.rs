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

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst,
};

use crate::client_weights::WeightBoard;
use crate::eviction::Board;
use crate::hash::HashSlot;
use crate::mutation::{self, Mutation};
use crate::scripting::cache::ScriptCache;
use crate::scripting::watch::Watch;
use crate::slow_log::LogKind;

/// What no core may do at present; each looks it up once a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Restrictions {
    /// Only commands that are allowed while the data set is loaded.
    pub(super) is_loading: bool,
    /// No writes, since snapshots fail.
    pub(super) refuses_writes: bool,
    /// No writes, since the append-only file cannot be written: the number of the error.
    pub(super) append_error: i32,
    /// Nor may anything of the data be told, which may hold what never reaches the disk.
    pub(super) hides_data: bool,
}

/// Counters that all cores of a server share.
pub struct Shared {
    core_count: u16,
    claims: Box<[AtomicU16]>,
    claims_active: AtomicU32,
    tours_active: AtomicU32,
    next_client_id: AtomicU64,
    next_acl_log_id: AtomicU64,
    next_log_ids: [AtomicU64; 3],
    pub(crate) board: Board,
    pub(crate) weights: WeightBoard,
    /// Scripts by digest.
    pub scripts: Arc<ScriptCache>,
    /// Scripts that take long.
    pub watch: Watch,
    /// Connections of clients that are open now.
    pub connected_clients: AtomicU64,
    /// The data set is being loaded.
    pub is_loading: AtomicBool,
    /// Writes are refused since snapshots fail.
    pub refuses_writes: AtomicBool,
    /// Number of the system's error that keeps the append-only file from being written; 0 for none.
    pub append_error: AtomicI32,
    /// Whether nobody is told of a change before it is on the disk (`appendfsync always`). Of
    /// interest while there is such an error.
    pub holds_replies: AtomicBool,
    /// Changes that cores have counted, as far as they have posted them.
    pub changes: AtomicI64,
    /// Keys that are remembered for clients which track what they read.
    tracked_keys: AtomicI64,
}

impl Shared {
    /// Counters at the start of a server of `core_count` cores.
    pub fn new(core_count: u16) -> Self {
        Self::with_scripts(core_count, Arc::default())
    }

    /// The same with a cache of scripts that others may share.
    pub fn with_scripts(core_count: u16, scripts: Arc<ScriptCache>) -> Self {
        Self {
            core_count,
            claims: (0..usize::from(HashSlot::COUNT)).map(|_| AtomicU16::new(0)).collect(),
            claims_active: AtomicU32::new(0),
            tours_active: AtomicU32::new(0),
            next_client_id: AtomicU64::new(1),
            next_acl_log_id: AtomicU64::new(0),
            next_log_ids: Default::default(),
            board: Board::new(core_count),
            weights: WeightBoard::new(core_count),
            scripts,
            watch: Watch::new(core_count),
            connected_clients: AtomicU64::new(0),
            is_loading: AtomicBool::new(false),
            refuses_writes: AtomicBool::new(false),
            append_error: AtomicI32::new(0),
            holds_replies: AtomicBool::new(false),
            changes: AtomicI64::new(0),
            tracked_keys: AtomicI64::new(0),
        }
    }

    /// How many cores there are.
    pub fn core_count(&self) -> u16 {
        self.core_count
    }

    /// What no core may do at present.
    pub(super) fn restrictions(&self) -> Restrictions {
        let append_error = self.append_error.load(SeqCst);
        Restrictions {
            is_loading: self.is_loading.load(SeqCst),
            refuses_writes: self.refuses_writes.load(SeqCst),
            append_error,
            hides_data: append_error != 0 && self.holds_replies.load(SeqCst),
        }
    }

    /// An id no client had before; ids rise in the order of the calls.
    pub fn next_client_id(&self) -> u64 {
        self.next_client_id.fetch_add(1, SeqCst)
    }

    /// Counts keys that are remembered for clients.
    pub fn count_tracked_keys(&self, difference: i64) {
        if difference != 0 {
            self.tracked_keys.fetch_add(difference, SeqCst);
        }
    }

    /// Counts one key less if there are more than `limit`; whether it did.
    pub fn count_tracked_key_above(&self, limit: u64) -> bool {
        let is_above = |keys: i64| u64::try_from(keys).is_ok_and(|keys| keys > limit);
        let less_one = |keys| is_above(keys).then_some(keys - 1);
        self.tracked_keys.fetch_update(SeqCst, SeqCst, less_one).is_ok()
    }

    /// How many keys are remembered for clients.
    pub fn tracked_keys(&self) -> u64 {
        u64::try_from(self.tracked_keys.load(SeqCst)).unwrap_or(0)
    }

    /// A number no entry of ACL LOG had before.
    pub(crate) fn next_acl_log_id(&self) -> u64 {
        self.next_acl_log_id.fetch_add(1, SeqCst)
    }

    /// A number no entry of that log of commands had before.
    pub(crate) fn next_log_id(&self, kind: LogKind) -> u64 {
        self.next_log_ids[kind as usize].fetch_add(1, SeqCst)
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
        if mutation::is_on(Mutation::ClaimsUnseen) {
            return false;
        }
        self.claims_active.load(SeqCst) != 0 || self.tours_active.load(SeqCst) != 0
    }

    /// Whether a command on `slot` that was just enqueued may have to wait there.
    pub fn is_claimed(&self, slot: HashSlot) -> bool {
        self.tours_active.load(SeqCst) != 0 || self.claims[slot.index()].load(SeqCst) != 0
    }
}
