//! Waiting for a condition under a deadline.
//!
//! A fixed pause is either too short on a loaded machine or too long on an idle one. Conditions
//! are polled instead, and this is the only place of the tests that waits between two looks.

use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a loaded two-core machine, short enough to notice a hang.
const DEADLINE: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Polls until `condition` holds. Panics with `what` after 20 seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    eventually_within(DEADLINE, what, condition);
}

/// Polls until `condition` holds. Panics with `what` once `deadline` has passed.
#[track_caller]
pub(crate) fn eventually_within(deadline: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(wait_until(deadline, condition), "not within {deadline:?}: {what}");
}

/// Polls until `condition` holds (true) or `deadline` has passed (false).
pub(crate) fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        thread::park_timeout(POLL_INTERVAL);
    }
    true
}
