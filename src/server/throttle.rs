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
        let is_blocked = self.core.session(session).is_none_or(|session| session.is_blocked());
        let Some(connection) = self.connection(connection_of(session)) else { return };
        let is_behind = connection.pending.len() > THROTTLE_BYTES && connection.is_backlog();
        if is_behind && !is_blocked && !connection.is_throttled {
            connection.is_throttled = true;
            self.throttled.push(session);
            self.reactor.suspend_receive(connection_of(session));
        }
    }

    /// Receives again from clients whose commands have caught up, or which are blocked by now.
    pub(super) fn receive_from_throttled(&mut self) {
        for session in std::mem::take(&mut self.throttled) {
            let is_blocked = self.core.session(session).is_some_and(|session| session.is_blocked());
            let id = connection_of(session);
            let Some(connection) = self.connection(id) else { continue };
            let is_behind = connection.pending.len() > RELIEF_BYTES && connection.is_backlog();
            if is_behind && !is_blocked {
                self.throttled.push(session);
                continue;
            }
            connection.is_throttled = false;
            if !connection.is_suspended {
                self.reactor.resume_receive(id);
            }
        }
    }
}
