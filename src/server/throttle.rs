//! Clients that send faster than their commands run: what they send stays in the kernel meanwhile.
//!
//! Without this a pipeline of a gigabyte would be in memory before its first part has run, and
//! whoever sends more than `client-query-buffer-limit` would be cut off for being quick. A command
//! that is not there as a whole is always received, and so is what comes for a session that is
//! held: it may wait for long, and that its client is gone is only found out by receiving.

use basalt_net::reactor::ConnectionId;
use basalt_shard::core::SessionId;

use super::connection::{connection_of, session_of};
use super::driver::Driver;

/// Bytes of commands that wait to run, from which on no more are received. Each stage moves what is
/// left to the front, so this is also what keeps that cheap.
const THROTTLE_BYTES: usize = 256 * 1024;
/// Bytes from which down on more are received again.
const LET_IN_BYTES: usize = 64 * 1024;

impl Driver {
    /// Bytes were put behind those that wait: stops receiving if there are too many.
    pub(super) fn throttle(&mut self, id: ConnectionId) {
        let is_held = self.core.is_held(session_of(id));
        let Some(connection) = self.connection(id) else { return };
        let can_wait = !is_held && connection.wanted_bytes == 0 && !connection.is_throttled;
        if can_wait && connection.pending.len() > THROTTLE_BYTES {
            connection.is_throttled = true;
            self.reactor.suspend_receive(id);
        }
    }

    /// Commands of a connection ran: receives again if little is left, or if nothing of what is
    /// left can run for now.
    pub(super) fn let_in(&mut self, session: SessionId) {
        let id = connection_of(session);
        let is_held = self.core.is_held(session);
        let Some(connection) = self.connection(id) else { return };
        let is_low = connection.pending.len() <= LET_IN_BYTES || connection.wanted_bytes > 0;
        if connection.is_throttled && (is_low || is_held) {
            connection.is_throttled = false;
            // Whoever does not read its replies stays suspended for that.
            if !connection.is_suspended {
                self.reactor.resume_receive(id);
            }
        }
    }
}
