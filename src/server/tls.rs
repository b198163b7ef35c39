//! TLS connections at the driver: between the reactor and the parser, and on the way back.
//!
//! ```text
//!   Received, handshake under way:  bytes are kept, the session waits in `handshakes`
//!                                   a step or a few of all of them per turn (`run_handshakes`)
//!   Received, afterwards:           opened in place, plain bytes go where received bytes go
//!   replies:                        sealed at once where they are short and nothing waits, else
//!                                   queued, and sealed as the peer reads (`seal_more`)
//! ```
//!
//! A step of a handshake takes from 0.1 milliseconds (elliptic curves) to a few (RSA), so a turn
//! takes `max-new-tls-connections-per-cycle` of them, and its other clients wait no longer than
//! for that.
//!
//! The two shortcuts of the reactor for large values carry plain bytes and are not used here.

use std::collections::VecDeque;
use std::sync::Arc;

use basalt_net::reactor::{BufferRef, CloseReason, ConnectionId};
use basalt_net::tls::{TlsError, TlsServer, TlsSession};
use basalt_shard::core::SessionId;
use basalt_shard::reply::Output;

use super::connection::{connection_of, session_of};
use super::driver::Driver;
use crate::verbose;

/// Sealed bytes of a connection that may wait for its peer; beyond, replies wait unsealed.
const SEALED_BYTES_MAX: usize = 256 * 1024;

/// Replies up to this length are sealed without being queued first.
const SEALED_AT_ONCE_BYTES_MAX: usize = 64 * 1024;

/// A reply buffer that is larger than this is queued as it is, instead of being copied and kept.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// One TLS connection.
pub struct Secured {
    session: TlsSession,
    /// What it is told instead of being served, once the handshake is over.
    refusal: Option<&'static [u8]>,
    /// It is on the list of those whose handshake is to go on.
    is_in_line: bool,
    /// It is on the list of those with replies to seal.
    is_sealing: bool,
}

impl Secured {
    /// A fresh connection. One that is refused learns that by TLS, too.
    pub fn new(server: &TlsServer, refusal: Option<&'static [u8]>) -> Result<Self, TlsError> {
        let session = TlsSession::new(server)?;
        Ok(Self { session, refusal, is_in_line: false, is_sealing: false })
    }

    /// Bytes of replies that are not sealed yet.
    pub fn queued_bytes(&self) -> usize {
        self.session.queued_bytes()
    }
}

/// What a core has of TLS besides its connections.
#[derive(Default)]
pub struct TlsWork {
    /// What new connections use; `None` where there is no `tls-port`.
    pub server: Option<Arc<TlsServer>>,
    /// TLS connections that are open. While there are none, nothing else here is looked at.
    pub count: usize,
    handshakes: VecDeque<SessionId>,
    sealing: Vec<SessionId>,
    /// Plain bytes of the connection at hand.
    plain: Vec<u8>,
    /// Sealed bytes of the connection at hand.
    sealed: Vec<u8>,
}

impl TlsWork {
    /// What a core begins with.
    pub fn new(server: Option<Arc<TlsServer>>) -> Self {
        Self { server, ..Self::default() }
    }
}

impl Driver {
    fn secured(&mut self, id: ConnectionId) -> Option<&mut Secured> {
        self.connection(id)?.tls.as_deref_mut()
    }

    /// Whether a connection is one of TLS.
    #[inline]
    pub(super) fn is_secured(&mut self, id: ConnectionId) -> bool {
        self.tls.count > 0 && self.secured(id).is_some()
    }

    /// Bytes of replies that are not in the kernel yet.
    #[inline]
    pub(super) fn unsent_bytes(&self, id: ConnectionId) -> usize {
        if self.tls.count == 0 {
            return self.reactor.queued_bytes(id);
        }
        let connection = self.connections.get(id.index as usize).and_then(|it| it.as_deref());
        let secured = connection.filter(|it| it.id == id).and_then(|it| it.tls.as_deref());
        self.reactor.queued_bytes(id) + secured.map_or(0, Secured::queued_bytes)
    }

    /// Whether there is TLS work that no event will tell of.
    pub(super) fn has_tls_work(&self) -> bool {
        let may_seal = |session: &SessionId| {
            self.reactor.queued_bytes(connection_of(*session)) < SEALED_BYTES_MAX
        };
        !self.tls.handshakes.is_empty() || self.tls.sealing.iter().any(may_seal)
    }

    /// Takes sealed bytes in.
    pub(super) fn receive_sealed(&mut self, id: ConnectionId, buffer: BufferRef) {
        let Self { connections, reactor, tls, .. } = self;
        let connection = connections[id.index as usize].as_deref_mut();
        let Some(secured) = connection.and_then(|it| it.tls.as_deref_mut()) else { return };
        if secured.session.is_handshaking() {
            let held = secured.session.hold(reactor.bytes(buffer));
            if !std::mem::replace(&mut secured.is_in_line, true) {
                tls.handshakes.push_back(session_of(id));
            }
            return held.unwrap_or_else(|error| self.fail(id, &error));
        }
        tls.plain.clear();
        let bytes = reactor.bytes_mut(buffer);
        let received = secured.session.receive(bytes, &mut tls.plain, &mut tls.sealed);
        if !tls.sealed.is_empty() {
            reactor.send(id, &mut tls.sealed);
        }
        self.take_in_plain(id, Some(buffer));
        self.settle(id, received);
    }

    /// Passes on what was opened: through the buffer it came in where it fits there and may be
    /// looked at right there, so that its commands are staged with those of others.
    fn take_in_plain(&mut self, id: ConnectionId, buffer: Option<BufferRef>) {
        let len = self.tls.plain.len();
        if len == 0 || !self.note_received(id, len) {
            return;
        }
        if let Some(buffer) = buffer
            && len <= buffer.len()
            && self.may_stage(id)
        {
            let piece = buffer.shortened(len);
            self.reactor.bytes_mut(piece).copy_from_slice(&self.tls.plain);
            return self.stage_buffer(session_of(id), piece);
        }
        let Self { connections, tls, .. } = self;
        let connection = connections[id.index as usize].as_deref_mut().expect("it has a session");
        // An argument that is long is copied together without moving it again and again.
        let missing = connection.missing_bytes();
        if missing > len {
            connection.pending.reserve_exact(missing);
        }
        connection.pending.append(&tls.plain);
        self.note_pending(id);
    }

    /// What follows from bytes that were taken in: the end, of one kind or another.
    fn settle(&mut self, id: ConnectionId, taken: Result<(), TlsError>) {
        if let Err(error) = taken {
            return self.fail(id, &error);
        }
        let is_ended = self.secured(id).is_some_and(|it| it.session.is_closed_by_peer());
        if is_ended && self.connection(id).is_some_and(|connection| !connection.is_ended) {
            self.note_end(id, CloseReason::PeerClosed);
        }
    }

    /// A connection cannot go on. What it was told of that still leaves.
    fn fail(&mut self, id: ConnectionId, error: &TlsError) {
        let peer = self.core.session(session_of(id)).map(|it| it.origin.peer.clone());
        verbose!("TLS error of client {}: {error}", peer.unwrap_or_default());
        self.forget(id);
        self.reactor.close_after_flush(id);
    }

    /// Goes on with some of the handshakes that can.
    pub(super) fn run_handshakes(&mut self) {
        for _ in 0..self.settings.tls.max_new_connections_per_cycle {
            let Some(session) = self.tls.handshakes.pop_front() else { return };
            self.step_handshake(connection_of(session));
        }
    }

    fn step_handshake(&mut self, id: ConnectionId) {
        let index = id.index as usize;
        if self.secured(id).is_none() {
            return;
        }
        let Self { connections, reactor, tls, .. } = self;
        let connection = connections[index].as_deref_mut().expect("seen above");
        let secured = connection.tls.as_deref_mut().expect("seen above");
        secured.is_in_line = false;
        tls.plain.clear();
        let result = secured.session.advance(&mut tls.plain, &mut tls.sealed);
        let is_over = result.is_ok() && !secured.session.is_handshaking();
        if !tls.sealed.is_empty() {
            reactor.send(id, &mut tls.sealed);
        }
        if is_over && !self.welcome(id) {
            return;
        }
        self.take_in_plain(id, None);
        self.settle(id, result);
    }

    /// A handshake is over: whether the client is served. Its certificate may say who it is.
    fn welcome(&mut self, id: ConnectionId) -> bool {
        let Some(secured) = self.secured(id) else { return false };
        if let Some(line) = secured.refusal {
            secured.session.queue_mut().push(line);
            self.seal(id);
            self.close_after_output(id);
            return false;
        }
        let name = secured.session.peer_common_name();
        if let Some(name) = name.filter(|_| self.settings.tls.auth_clients_user) {
            let is_known = self.core.log_in_by_certificate(session_of(id), name.as_bytes());
            verbose!(
                "TLS client named '{name}': {}",
                if is_known { "logged in" } else { "unknown" }
            );
        }
        self.seal(id);
        true
    }

    /// Takes replies of a TLS connection, to be sealed now or later.
    pub(super) fn send_secured(&mut self, id: ConnectionId, output: &mut Output) {
        let Self { connections, reactor, tls, .. } = self;
        let connection = connections[id.index as usize].as_deref_mut();
        let Some(secured) = connection.and_then(|it| it.tls.as_deref_mut()) else { return };
        let session = &mut secured.session;
        let is_short = output.shared.is_empty() && output.bytes.len() <= SEALED_AT_ONCE_BYTES_MAX;
        if is_short && session.queued_bytes() == 0 && !session.is_handshaking() {
            let sealed = session.seal_now(&output.bytes, &mut tls.sealed);
            reactor.send(id, &mut tls.sealed);
            output.clear();
            return sealed.unwrap_or_else(|error| self.fail(id, &error));
        }
        let queue = session.queue_mut();
        if output.bytes.capacity() > KEPT_BYTES_MAX && output.shared.is_empty() {
            queue.push_owned(std::mem::take(&mut output.bytes));
        }
        let mut start = 0;
        for (offset, shared) in output.shared.drain(..) {
            queue.push(&output.bytes[start..offset]);
            queue.push_shared(Arc::new(shared));
            start = offset;
        }
        queue.push(&output.bytes[start..]);
        output.bytes.clear();
        self.seal(id);
    }

    /// Seals as much of what waits as the peer is expected to read soon.
    fn seal(&mut self, id: ConnectionId) {
        let Self { connections, reactor, tls, .. } = self;
        let connection = connections[id.index as usize].as_deref_mut();
        let Some(secured) = connection.and_then(|it| it.tls.as_deref_mut()) else { return };
        if secured.session.is_handshaking() || secured.queued_bytes() == 0 {
            return;
        }
        let room = SEALED_BYTES_MAX.saturating_sub(reactor.queued_bytes(id));
        let result = secured.session.seal(room, &mut tls.sealed);
        reactor.send(id, &mut tls.sealed);
        if secured.queued_bytes() > 0 && !std::mem::replace(&mut secured.is_sealing, true) {
            tls.sealing.push(session_of(id));
        }
        result.unwrap_or_else(|error| self.fail(id, &error));
    }

    /// Goes on sealing for peers that have read.
    pub(super) fn seal_more(&mut self) {
        for session in std::mem::take(&mut self.tls.sealing) {
            let id = connection_of(session);
            if let Some(secured) = self.secured(id) {
                secured.is_sealing = false;
                self.seal(id);
            }
        }
    }

    /// Tells the peer that nothing more will come; whether there is nothing left to be sealed, so
    /// that the connection may be closed.
    pub(super) fn end_secured(&mut self, id: ConnectionId) -> bool {
        let Self { connections, reactor, tls, .. } = self;
        let connection = connections[id.index as usize].as_deref_mut();
        let Some(secured) = connection.and_then(|it| it.tls.as_deref_mut()) else { return true };
        if secured.queued_bytes() > 0 && !secured.session.is_handshaking() {
            return false;
        }
        secured.session.close(&mut tls.sealed);
        reactor.send(id, &mut tls.sealed);
        true
    }
}
