//! Clients that send faster than their commands run: what they send stays in the kernel meanwhile,
//! and then at their side.
//!
//! Without this a pipeline of a gigabyte would be in memory before its first part has run, and
//! whoever sends more than `client-query-buffer-limit` would be cut off for being quick. A command
//! that is not there as a whole is always received. So is what comes for a client that is blocked:
//! that it is gone is only found out by receiving. For these two that limit is the bound.

use basalt_shard::core::SessionId;

use super::connection::connection_of;
use super::driver::Driver;

/// Bytes of commands that wait to run above which nothing more is received from their client...
const THROTTLE_BYTES: usize = 256 * 1024;

/// ... until no more than this are left.
const RELIEF_BYTES: usize = 64 * 1024;

impl Driver {
    /// Commands of a client ran, or could not: stops receiving if too much of its input waits.
    pub(super) fn throttle(&mut self, session: SessionId) {
        let is_behind = self.is_behind(session, THROTTLE_BYTES);
        let Some(connection) = self.connection(connection_of(session)) else { return };
        if is_behind && !connection.is_throttled {
            connection.is_throttled = true;
            self.throttled.push(session);
            self.reactor.suspend_receive(connection_of(session));
        }
    }

    /// Receives again from clients whose commands have caught up, or which are blocked by now.
    pub(super) fn receive_from_throttled(&mut self) {
        for session in std::mem::take(&mut self.throttled) {
            if self.is_behind(session, RELIEF_BYTES) {
                self.throttled.push(session);
                continue;
            }
            let id = connection_of(session);
            let Some(connection) = self.connection(id) else { continue };
            connection.is_throttled = false;
            if !connection.is_suspended {
                self.reactor.resume_receive(id);
            }
        }
    }

    /// Whether more than `bytes` of commands that are there as a whole wait to run, for no other
    /// reason than that there are so many.
    fn is_behind(&mut self, session: SessionId, bytes: usize) -> bool {
        let can_run = self.core.session(session).is_some_and(|session| !session.is_blocked());
        can_run
            && self.connection(connection_of(session)).is_some_and(|connection| {
                connection.pending.len() > bytes && connection.is_backlog()
            })
    }
}
