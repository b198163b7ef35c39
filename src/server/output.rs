//! From replies to the socket, and the limits on what a client may leave unread.

use std::sync::Arc;

use basalt_net::reactor::{ConnectionId, Reactor};
use basalt_shard::core::{Ending, SessionId};
use basalt_shard::reply::Output;

use super::connection::{connection_of, session_of};
use super::driver::Driver;
use crate::warning;

/// Unsent bytes of one client above which the server stops reading from it, where no limit on its
/// output would cut it.
const SUSPEND_BYTES: usize = 1 << 20;

/// Bytes of replies that leave without waiting for those behind them.
const WITHHELD_BYTES_MAX: usize = 16 * 1024;

/// Where the limits of each class of clients stand among `client-output-buffer-limit`.
const CLASS_OF_OTHERS: usize = 0;
const CLASS_OF_REPLICAS: usize = 1;
const CLASS_OF_SUBSCRIBERS: usize = 2;

impl Driver {
    /// Hands all new replies to the reactor and ends the connections that are to end.
    pub(super) fn flush_replies(&mut self) {
        self.keep_journal();
        if !self.held.is_empty() {
            self.release_replies();
        }
        let mut changed = self.core.take_changed();
        self.release_withheld(&mut changed);
        for &session in self.hold_replies(&mut changed) {
            if self.is_about_to_get_more(session) {
                self.withhold(session);
            } else {
                self.send_replies(session);
            }
        }
        self.replied = changed;
        for closing in self.core.take_closings() {
            let id = connection_of(closing.session);
            let is_owed =
                self.core.session(closing.session).is_some_and(|session| session.is_owed());
            match closing.ending {
                Ending::AtOnce => self.close(id),
                Ending::Evicted => self.evict_client(closing.session),
                // Replies are still on their way from other cores; `send_replies` comes back to it.
                Ending::AfterOutput if is_owed => self.closing_later.push(closing.session),
                Ending::AfterOutput => self.close_after_output(id),
            }
        }
        self.end_closing_later();
    }

    /// Whether replies other cores are making stand right behind those a session has: then one
    /// message takes all of them to the client, as if they had been made here. A client that is
    /// blocked may wait for ever, so what it has leaves.
    #[inline]
    fn is_about_to_get_more(&self, session: SessionId) -> bool {
        self.core.session(session).is_some_and(|state| {
            state.is_owed() && !state.is_blocked() && state.output.len() < WITHHELD_BYTES_MAX
        })
    }

    /// The replies of a session stay where they are for now.
    fn withhold(&mut self, session: SessionId) {
        let Some(connection) = self.connection(connection_of(session)) else { return };
        if !connection.is_withheld {
            connection.is_withheld = true;
            self.withheld.push(session);
        }
    }

    /// Adds those whose replies were withheld and who are owed nothing any more, or wait for long,
    /// to those that have something to be sent.
    fn release_withheld(&mut self, changed: &mut Vec<SessionId>) {
        for session in std::mem::take(&mut self.withheld) {
            if self.is_about_to_get_more(session) {
                self.withheld.push(session);
            } else if let Some(connection) = self.connection(connection_of(session)) {
                connection.is_withheld = false;
                changed.push(session);
            }
        }
    }

    /// Sends everything there is, since no turn follows.
    pub(super) fn flush_at_the_end(&mut self) {
        self.flush_replies();
        for session in std::mem::take(&mut self.withheld) {
            self.send_replies(session);
        }
    }

    /// Notes of what replies of the last turn has left by now: a script that takes long has to
    /// know.
    pub(super) fn settle_replied(&mut self) {
        let replied = std::mem::take(&mut self.replied);
        for &session in &replied {
            let unsent_bytes = self.unsent_bytes(connection_of(session));
            if let Some(state) = self.core.session_mut(session) {
                state.figures.unsent_bytes = unsent_bytes;
            }
        }
        self.core.recycle_changed(replied);
    }

    fn end_closing_later(&mut self) {
        if self.closing_later.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.closing_later);
        for session in waiting {
            match self.core.session(session).map(|session| session.is_owed()) {
                Some(true) => self.closing_later.push(session),
                // One of TLS may have replies to seal, and is put off once more.
                Some(false) => self.close_after_output(connection_of(session)),
                None => {}
            }
        }
    }

    /// Hands the replies of one session to the reactor.
    pub(super) fn send_replies(&mut self, session: SessionId) {
        let id = connection_of(session);
        if self.is_secured(id) {
            let Some(state) = self.core.session_mut(session) else { return };
            if state.output.is_empty() {
                return;
            }
            let output = std::mem::take(&mut state.output);
            return self.send_output(session, output);
        }
        let Some(state) = self.core.session_mut(session) else { return };
        if state.output.is_empty() {
            return;
        }
        let len = state.output.len();
        send(&mut self.reactor, id, &mut state.output);
        self.note_sent(session, len);
    }

    /// Hands replies that were put aside to the reactor.
    pub(super) fn send_output(&mut self, session: SessionId, mut output: Output) {
        if output.is_empty() || self.core.session(session).is_none() {
            return;
        }
        let (id, len) = (connection_of(session), output.len());
        match self.is_secured(id) {
            true => self.send_secured(id, &mut output),
            false => send(&mut self.reactor, id, &mut output),
        }
        if let Some(state) = self.core.session_mut(session)
            && state.output.is_empty()
        {
            // Its memory serves the next replies.
            state.output = output;
        }
        self.note_sent(session, len);
    }

    fn note_sent(&mut self, session: SessionId, len: usize) {
        let id = connection_of(session);
        let unsent_bytes = self.unsent_bytes(id);
        let Some(state) = self.core.session_mut(session) else { return };
        state.figures.output_bytes += len as u64;
        state.figures.unsent_bytes = unsent_bytes;
        self.core.stats.output_bytes += len as u64;
        self.core.stats.writes += 1;
        if unsent_bytes > self.output_watch_bytes {
            self.check_output(id, unsent_bytes);
        }
    }

    /// A client leaves a lot unread: cuts it at its limits, or stops reading from it.
    pub(super) fn check_output(&mut self, id: ConnectionId, unsent_bytes: usize) {
        let session = self.core.session(session_of(id));
        let class = match session {
            Some(session) if session.is_subscriber() => CLASS_OF_SUBSCRIBERS,
            // One who monitors is sent what it did not ask for, as a replica is.
            Some(session) if session.is_monitor => CLASS_OF_REPLICAS,
            _ => CLASS_OF_OTHERS,
        };
        let limit = &self.settings.client_output_buffer_limits[class];
        let (hard, soft) = (limit.hard_bytes, limit.soft_bytes);
        let soft_ms = limit.soft_seconds * 1000;
        let now_ms = self.core.store.now().monotonic_ms();
        let unsent = unsent_bytes as u64;
        let Some(connection) = self.connection(id) else { return };
        if soft != 0 && unsent >= soft {
            let since_ms = *connection.soft_limit_since_ms.get_or_insert(now_ms);
            if now_ms.saturating_sub(since_ms) > soft_ms {
                return self.cut_for_output(id, unsent_bytes);
            }
        } else {
            connection.soft_limit_since_ms = None;
        }
        if hard != 0 && unsent >= hard {
            return self.cut_for_output(id, unsent_bytes);
        }
        let Some(connection) = self.connection(id) else { return };
        if hard == 0 && unsent_bytes > SUSPEND_BYTES && !connection.is_suspended {
            connection.is_suspended = true;
            self.suspended.push(id);
            self.reactor.suspend_receive(id);
        }
    }

    fn cut_for_output(&mut self, id: ConnectionId, unsent_bytes: usize) {
        let peer = self
            .core
            .session(session_of(id))
            .map(|session| session.origin.peer.clone())
            .unwrap_or_default();
        warning!(
            "Client {peer} closed for overcoming of output buffer limits ({unsent_bytes} bytes \
             unread)."
        );
        self.core.stats.output_buffer_disconnections += 1;
        self.close(id);
    }
}

/// Hands an output to the reactor; long values leave from where they lie.
fn send(reactor: &mut Reactor, id: ConnectionId, output: &mut Output) {
    if output.shared.is_empty() {
        return reactor.send(id, &mut output.bytes);
    }
    let mut sent = 0;
    let bytes = std::mem::take(&mut output.bytes);
    for (offset, shared) in output.shared.drain(..) {
        reactor.send(id, &mut bytes[sent..offset].to_vec());
        let range = 0..shared.len();
        reactor.send_shared(id, Arc::new(shared), range);
        sent = offset;
    }
    reactor.send(id, &mut bytes[sent..].to_vec());
}
