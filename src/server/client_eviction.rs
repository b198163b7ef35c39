//! `maxmemory-clients`: the largest clients end when all together make the server hold too much.
//!
//! While there is a limit, a turn ends by weighing the clients that were read from or answered in
//! it, after replies are handed to the socket: who passes a limit of its own is cut for that, and
//! the others are not blamed for it. Everybody is weighed anew ten times a second, since sockets
//! drain by themselves.
//!
//! Bounded: [`LOOKS_PER_TURN`] clients are looked at before the core goes on.

use basalt_net::reactor::ConnectionId;
use basalt_shard::commands::client;
use basalt_shard::core::SessionId;

use super::connection::{connection_of, session_of};
use super::driver::Driver;
use crate::notice;

/// Clients that are ended, or found to be lighter than they were, in one turn.
const LOOKS_PER_TURN: usize = 64;

impl Driver {
    /// Notes that a client sent something.
    #[inline]
    pub(super) fn note_sender(&mut self, session: SessionId) {
        if self.core.weighs_clients() {
            self.received_from.push(session);
        }
    }

    /// Ends clients until the rest weigh no more than they may, as far as that is for this core.
    pub(super) fn limit_clients(&mut self) {
        if !self.core.weighs_clients() {
            self.has_clients_to_end = false;
            return self.received_from.clear();
        }
        self.weigh_who_moved();
        self.has_clients_to_end = true;
        for _ in 0..LOOKS_PER_TURN {
            let Some(session) = self.core.heaviest_client_to_end() else {
                self.has_clients_to_end = false;
                return;
            };
            self.refresh_figures(connection_of(session));
            if !self.core.weigh(session) {
                self.evict_client(session);
            }
        }
    }

    fn weigh_who_moved(&mut self) {
        let mut moved = std::mem::take(&mut self.received_from);
        for index in 0..moved.len() + self.replied.len() {
            let session = match index.checked_sub(moved.len()) {
                None => moved[index],
                Some(index) => self.replied[index],
            };
            self.refresh_figures(connection_of(session));
            self.core.weigh(session);
        }
        moved.clear();
        self.received_from = moved;
    }

    /// Ends a client for what all weigh together, and says so.
    pub(super) fn evict_client(&mut self, session: SessionId) {
        let Some(state) = self.core.session(session) else { return };
        let mut line = String::new();
        client::describe(&self.core, state, &mut line);
        notice!("Evicting client: {}", line.trim_end());
        self.core.stats.evicted_clients += 1;
        self.close(connection_of(session));
    }

    /// Brings what the core knows of a client's buffers up to date.
    pub(super) fn refresh_figures(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id.index as usize) else { return };
        let Some(connection) = connection.as_deref().filter(|one| one.id == id) else { return };
        // While the reactor fills it, the buffer has room for the whole command.
        let (len, buffer) = match self.reactor.direct_bytes(id) {
            Some(len) => (len, connection.wanted_bytes.max(len)),
            None => (connection.pending.len(), connection.pending.capacity()),
        };
        let header = connection.argument_start.min(len);
        let unsent_bytes = self.unsent_bytes(id);
        let Some(session) = self.core.session_mut(session_of(id)) else { return };
        session.figures.query_bytes = len;
        session.figures.query_header_bytes = header;
        session.figures.query_buffer_bytes = buffer;
        session.figures.unsent_bytes = unsent_bytes;
    }
}
