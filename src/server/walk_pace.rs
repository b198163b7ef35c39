//! When a core goes on with a snapshot: slices between turns, and rests between slices.
//!
//! While clients come and go a core walks no more than half of the time: whoever asks finds it
//! free more often than not, and where there are fewer processors than threads that want one, the
//! others get theirs. A core that nobody has asked for a while walks on, slice after slice, and so
//! does one that has no time to rest anyway.

use std::time::Duration;

use basalt_shard::snapshot::WalkState;

use super::clock;
use super::driver::Driver;

/// What a snapshot may write in a turn that serves clients, before it is compressed: some tens of
/// microseconds.
const WALK_BYTES_BUSY: u64 = 8 * 1024;
/// And in one that does not: some tens more, for whoever comes next waits for it.
const WALK_BYTES_IDLE: u64 = 24 * 1024;

/// How long nobody has asked when a core takes no more rests.
const ALONE: Duration = Duration::from_millis(1);

/// Where the walk of a core stands, in nanoseconds of [`clock::elapsed_ns`].
#[derive(Default)]
pub(super) struct WalkPace {
    /// When somebody was served last.
    served_ns: u64,
    rests_until_ns: u64,
}

impl Driver {
    /// Walks a slice, unless it is time to rest.
    pub(super) fn walk_snapshot(&mut self) {
        if !self.core.store.has_snapshot() {
            return;
        }
        let has_clients_waiting = self.last_events > 0 || self.had_mail || !self.ready.is_empty();
        let begun_ns = clock::elapsed_ns();
        if has_clients_waiting {
            self.walk_pace.served_ns = begun_ns;
        }
        if begun_ns < self.walk_pace.rests_until_ns {
            return;
        }
        let budget_bytes = if has_clients_waiting { WALK_BYTES_BUSY } else { WALK_BYTES_IDLE };
        self.core.store.walk_snapshot(budget_bytes);
        let ended_ns = clock::elapsed_ns();
        if ended_ns - self.walk_pace.served_ns < ALONE.as_nanos() as u64 {
            self.walk_pace.rests_until_ns = ended_ns + (ended_ns - begun_ns);
        }
    }

    /// How long it may sleep before the snapshot goes on; zero if it has to at once.
    pub(super) fn walk_patience(&mut self) -> Duration {
        match self.core.store.snapshot_state() {
            WalkState::Busy => {
                let rests_until_ns = self.walk_pace.rests_until_ns;
                Duration::from_nanos(rests_until_ns.saturating_sub(clock::elapsed_ns()))
            }
            WalkState::None | WalkState::Waiting => Duration::MAX,
        }
    }
}
