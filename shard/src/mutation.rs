//! Deliberate bugs, to see whether the simulator finds them.
//!
//! With the feature `mutations` a test may switch one of them on for its thread. Without it
//! [`is_on`] is a constant, and the compiler removes every trace of them; with it an optimised
//! build without assertions does not compile, so no server is ever made of such code.

#[cfg(all(feature = "mutations", not(debug_assertions)))]
compile_error!("deliberate bugs are for tests: build with debug assertions");

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Two messages of an inbox change places.
    InboxReordered,
    /// A local command does not look at the inbox after a remote one of its session.
    DrainSkipped,
    /// Nobody sees that a slot is claimed by an envelope under way.
    ClaimsUnseen,
    /// An envelope runs with its last slot missing.
    SlotMissing,
    /// A command for a lent slot runs on an empty one in its place.
    LentSlotWritten,
    /// A waiter is served though somebody has served it.
    ServedTwice,
    /// A key that becomes ready is not listed for those who wait for it.
    WakeLost,
    /// Who watches keys of a slot is forgotten when the slot moves.
    WatchLost,
    /// The replies of two commands change places.
    PlacesSwapped,
    /// PUBLISH is no barrier.
    PublishOvertaken,
    /// A snapshot does not write a key before it changes.
    PreimageMissed,
    /// That a key was removed because its time had come is not told.
    ExpiryUntold,
    /// What a record depends on is not told.
    NeedsUntold,
    /// That a command ran before an earlier one of its pipeline is not told.
    OpenUntold,
    /// After a crash segments are not cut where they are open.
    OpenKept,
    /// With `appendfsync always` a write does not wait for what its session has sent elsewhere.
    EarlierUnawaited,
    /// Replies do not wait for the disk.
    AcknowledgedEarly,
    /// A segment is not cut back after a write that failed.
    FailureNotCut,
    /// After a crash segments are not cut to a prefix of history.
    CrashNotCut,
    /// Who waits for keys is served though the connection has ended.
    GoneServed,
    /// One core does not hear of new rights.
    RightsMissed,
    /// That a key was evicted is not told.
    EvictionUntold,
    /// One core does not hear of new settings.
    SettingsMissed,
    /// A core shows what it was brought before all have it.
    ShownEarly,
    /// One core keeps what is to be flushed.
    FlushMissed,
    /// A key that goes is not taken off the account of its table.
    BytesMiscounted,
    /// A key can be seen for a millisecond too long.
    ExpiredSeen,
    /// Who waits for keys of a slot is forgotten when the slot moves.
    WaitersLost,
    /// Who listens to channels of a slot is forgotten when the slot moves.
    ListenersLost,
    /// What a snapshot has written of a slot is forgotten when the slot moves.
    WalkLost,
    /// The records about a slot are counted anew when the slot moves.
    SequenceLost,
    /// The commands of a transaction are told one by one.
    GroupSplit,
    /// That a record depends on keys its command has only read is not told.
    ReadsUntold,
    /// Any command may share a batch with a message in front of it.
    MessageFollowed,
    /// What others lack is looked for before the inbox is, and not behind that.
    AheadOverlooked,
}

#[cfg(feature = "mutations")]
mod switch {
    use std::cell::Cell;

    use super::Mutation;

    thread_local! {
        static ACTIVE: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Switches a bug on for this thread, or all off.
    pub fn switch(mutation: Option<Mutation>) {
        ACTIVE.set(mutation);
    }

    /// Whether a bug is on.
    pub fn is_on(mutation: Mutation) -> bool {
        ACTIVE.get() == Some(mutation)
    }
}

#[cfg(feature = "mutations")]
pub use switch::{is_on, switch};

/// Whether a bug is on: never, in this build.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
pub const fn is_on(_: Mutation) -> bool {
    false
}
