//! Large arguments: the rest of a command that is far from complete is received where it will be
//! parsed, without passing the reactor's buffers.
//!
//! ```text
//!   parser: incomplete, `wanted` bytes in all
//!        |
//!   end of turn: `pending` goes to the reactor  ---- bytes land behind it ---->  Filled
//!                                                                                  |
//!   `pending` comes back, the connection is ready, what follows arrives as usual <-'
//! ```
//!
//! Whether to fill is decided at the end of a turn, from what the parser said last: by then later
//! buffers of the turn may have completed the command, and asking for its rest again would swallow
//! the next ones. Commands that had to wait go back in front of the rest; then nothing is filled,
//! for a peer that leaves would take them along.

use basalt_net::reactor::ConnectionId;

use super::connection::{connection_of, session_of};
use super::driver::Driver;
use super::input::FILL_BYTES_MIN;

impl Driver {
    /// Hands incomplete commands to the reactor whose missing rest is large.
    pub(super) fn start_fills(&mut self) {
        for session in std::mem::take(&mut self.fills) {
            let id = connection_of(session);
            let Some(connection) = self.connection(id) else { continue };
            let missing = connection.missing_bytes();
            // What TLS has sealed cannot land where it will be parsed.
            let is_plain = connection.tls.is_none();
            let is_settled = is_plain && !connection.is_ready && !connection.is_ended;
            if !is_settled || connection.filling_counted.is_some() || missing < FILL_BYTES_MIN {
                continue;
            }
            connection.filling_counted = Some(connection.pending.len());
            let buffer = connection.pending.take();
            self.reactor.receive_into(id, buffer, missing);
        }
    }

    /// The reactor has filled the pending bytes of a connection.
    pub(super) fn take_filled(&mut self, id: ConnectionId) {
        let Some(filled) = self.reactor.take_filled(id) else { return };
        self.count_filling(id, filled.len());
        self.note_sender(session_of(id));
        let Some(connection) = self.connection(id) else { return };
        connection.pending = filled.into();
        connection.filling_counted = None;
        self.make_ready(session_of(id));
    }

    /// Counts as received what reached the buffer of a connection since it was counted last, now
    /// that `len` bytes are in it. So a slow upload is no idle client, and a stalled one is.
    pub(super) fn count_filling(&mut self, id: ConnectionId, len: usize) {
        let now_ms = self.core.store.now().monotonic_ms();
        let Some(connection) = self.connection(id) else { return };
        let Some(counted) = connection.filling_counted.replace(len) else { return };
        let received = (len - counted) as u64;
        if received == 0 {
            return;
        }
        self.core.stats.input_bytes += received;
        if let Some(session) = self.core.session_mut(session_of(id)) {
            session.figures.active_ms = now_ms;
            session.figures.input_bytes += received;
        }
    }
}
