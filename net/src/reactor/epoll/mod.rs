//! The epoll driver: for kernels and containers without io_uring.
//!
//! Level-triggered, so nothing is lost when a poll stops early; what is not read stays in the
//! kernel and is reported again. One poll asks for at most as many events as there are receive
//! buffers and reads each ready connection once, so every reported connection gets its turn.
//! Buffers are pieces of one arena, handed out from its start: a poll that receives little
//! touches little memory.
//!
//! Invariants:
//! * `registered` is exactly what epoll was told about a connection; `None` means it was told
//!   nothing. [`Connection::interest`] says what it should be told, and every change of a
//!   connection ends in [`Epoll::update_interest`].
//! * A connection whose output is not empty is either in `dirty` (it will be tried in the next
//!   poll) or registered for EPOLLOUT.

mod connection;

use super::batch::{AcceptFailure, Batch, DirectBuffer, Patience, errno_of};
use super::event::{BufferRef, CloseReason, ConnectionId, Event, ListenerId, WakeSource};
use super::options::ReactorOptions;
use super::output::{Output, SharedBytes, Spares};
use super::slab::Slab;
use crate::sys;
use connection::{Connection, Phase, Token};
use libc::{EPOLLERR, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLOUT};
use socket2::SockRef;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const IN: u32 = EPOLLIN as u32;
const OUT: u32 = EPOLLOUT as u32;
const HANG_UP: u32 = EPOLLHUP as u32;
const ERROR: u32 = EPOLLERR as u32;

/// Clients accepted per listener and poll: a storm must not starve who is connected already.
const ACCEPTS_PER_POLL_MAX: usize = 64;

/// Bytes sent per connection and poll; the rest goes out in later polls.
const SEND_BYTES_PER_POLL_MAX: usize = 1 << 20;

/// Pieces of the arena start at multiples of this.
const CACHE_LINE_BYTES: usize = 64;

/// Events taken per poll, in any case.
const EVENTS_PER_POLL_MAX: usize = 1024;

struct Listener {
    socket: OwnedFd,
}

pub(super) struct Epoll {
    epoll: sys::Epoll,
    pub(super) batch: Batch,
    connections: Slab<Connection>,
    listeners: Vec<Option<Listener>>,
    wake_sources: Vec<File>,
    dirty: Vec<ConnectionId>,
    spares: Spares,
    arena: Box<[u8]>,
    arena_used: usize,
    piece_bytes: usize,
    ready: Vec<libc::epoll_event>,
}

impl Epoll {
    pub(super) fn new(options: &ReactorOptions) -> io::Result<Epoll> {
        let piece_count = usize::from(options.buffer_count_rounded());
        let piece_bytes = (options.buffer_bytes as usize).next_multiple_of(CACHE_LINE_BYTES);
        let ready = libc::epoll_event { events: 0, u64: 0 };
        Ok(Epoll {
            epoll: sys::Epoll::new()?,
            batch: Batch::default(),
            connections: Slab::new(),
            listeners: Vec::new(),
            wake_sources: Vec::new(),
            dirty: Vec::new(),
            spares: Spares::default(),
            arena: vec![0; piece_count * piece_bytes].into_boxed_slice(),
            arena_used: 0,
            piece_bytes,
            ready: vec![ready; piece_count.min(EVENTS_PER_POLL_MAX)],
        })
    }

    // Listeners and wake sources.

    pub(super) fn add_listener(&mut self, socket: OwnedFd) -> io::Result<ListenerId> {
        SockRef::from(&socket).set_nonblocking(true)?;
        let index = self.listeners.iter().position(Option::is_none).unwrap_or_else(|| {
            self.listeners.push(None);
            self.listeners.len() - 1
        });
        self.listeners[index] = Some(Listener { socket });
        let listener = ListenerId(index as u32);
        self.resume_accept(listener)?;
        Ok(listener)
    }

    pub(super) fn resume_accept(&mut self, listener: ListenerId) -> io::Result<()> {
        let Some(Some(entry)) = self.listeners.get(listener.0 as usize) else {
            return Ok(());
        };
        // Exclusive: a client on a socket that several cores listen on wakes one of them.
        let interest = IN | EPOLLEXCLUSIVE as u32;
        match self.epoll.add(entry.socket.as_fd(), interest, Token::Listener(listener.0).pack()) {
            Err(error) if errno_of(&error) == libc::EEXIST => Ok(()),
            result => result,
        }
    }

    pub(super) fn remove_listener(&mut self, listener: ListenerId) {
        if let Some(entry) = self.listeners.get_mut(listener.0 as usize)
            && let Some(entry) = entry.take()
        {
            // The socket may be shared with other processes or cores: closing it is not enough.
            let _ = self.epoll.remove(entry.socket.as_fd());
        }
    }

    pub(super) fn add_wake_source(&mut self, source: OwnedFd) -> io::Result<WakeSource> {
        let index = self.wake_sources.len() as u32;
        self.epoll.add(source.as_fd(), IN, Token::WakeSource(index).pack())?;
        self.wake_sources.push(File::from(source));
        Ok(WakeSource(index))
    }

    // Connections: what the caller asks for.

    pub(super) fn add_connection(&mut self, socket: OwnedFd) -> io::Result<ConnectionId> {
        let id = self.connections.insert(Connection {
            socket,
            phase: Phase::Open,
            registered: None,
            suspended: false,
            quiet: false,
            dirty: false,
            direct: None,
            filled: None,
            output: Output::default(),
        });
        match self.try_update_interest(id) {
            Ok(()) => Ok(id),
            Err(error) => {
                self.connections.remove(id);
                Err(error)
            }
        }
    }

    pub(super) fn connection_count(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn socket(&self, id: ConnectionId) -> Option<BorrowedFd<'_>> {
        self.connections.get(id).map(|connection| connection.socket.as_fd())
    }

    pub(super) fn send(&mut self, id: ConnectionId, bytes: &mut Vec<u8>) {
        match self.connections.get_mut(id) {
            Some(connection) => {
                connection.output.push(bytes, self.batch.turn(), &mut self.spares);
                self.mark_dirty(id);
            }
            None => bytes.clear(),
        }
    }

    pub(super) fn send_shared(
        &mut self,
        id: ConnectionId,
        bytes: SharedBytes,
        range: Range<usize>,
    ) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.output.push_shared(bytes, range, self.batch.turn());
            self.mark_dirty(id);
        }
    }

    /// A connection that waits for EPOLLOUT has nothing to gain from being tried.
    fn mark_dirty(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            let waits = connection.registered.is_some_and(|interest| interest & OUT != 0);
            if !waits && !connection.dirty {
                connection.dirty = true;
                self.dirty.push(id);
            }
        }
    }

    pub(super) fn queued_bytes(&self, id: ConnectionId) -> usize {
        self.connections.get(id).map_or(0, |connection| connection.output.queued())
    }

    pub(super) fn set_suspended(&mut self, id: ConnectionId, suspended: bool) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.suspended = suspended;
            self.update_interest(id);
        }
    }

    pub(super) fn receive_into(&mut self, id: ConnectionId, buffer: Vec<u8>, wanted: usize) {
        if let Some(connection) = self.connections.get_mut(id) {
            assert!(connection.direct.is_none(), "a direct receive is under way already");
            connection.direct = Some(DirectBuffer::new(buffer, wanted));
        }
    }

    pub(super) fn direct_bytes(&self, id: ConnectionId) -> Option<usize> {
        Some(self.connections.get(id)?.direct.as_ref()?.bytes.len())
    }

    pub(super) fn take_filled(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        self.connections.get_mut(id)?.filled.take()
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        if self.connections.get(id).is_some() {
            self.remove_connection(id);
        }
    }

    pub(super) fn close_after_flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.quiet |= connection.phase == Phase::Ended || connection.suspended;
        connection.phase = Phase::Flushing;
        connection.direct = None;
        if connection.output.is_empty() {
            self.remove_connection(id);
        } else {
            self.update_interest(id);
        }
    }

    fn remove_connection(&mut self, id: ConnectionId) {
        let connection = self.connections.remove(id);
        if connection.registered.is_some() {
            // Closing would do unless the caller kept a duplicate of the descriptor.
            let _ = self.epoll.remove(connection.socket.as_fd());
        }
    }

    // Interest.

    /// Tells epoll what changed. It refuses only for want of memory; the connection then fails.
    fn update_interest(&mut self, id: ConnectionId) {
        if let Err(error) = self.try_update_interest(id) {
            self.fail(id, errno_of(&error));
        }
    }

    fn try_update_interest(&mut self, id: ConnectionId) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(id) else {
            return Ok(());
        };
        let wanted = connection.interest();
        if wanted == connection.registered {
            return Ok(());
        }
        let (socket, token) = (connection.socket.as_fd(), Token::Connection(id).pack());
        match (connection.registered, wanted) {
            (None, Some(interest)) => self.epoll.add(socket, interest, token)?,
            (Some(_), Some(interest)) => self.epoll.modify(socket, interest, token)?,
            // It can only be gone already.
            (_, None) => drop(self.epoll.remove(socket)),
        }
        connection.registered = wanted;
        Ok(())
    }

    // The turn.

    pub(super) fn release(&mut self) {
        self.arena_used = 0;
        self.batch.end_turn();
    }

    #[inline]
    pub(super) fn bytes(&self, buffer: BufferRef) -> &[u8] {
        assert!(buffer.turn == self.batch.turn(), "the buffer was released");
        &self.arena[buffer.offset as usize..][..buffer.len as usize]
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self, buffer: BufferRef) -> &mut [u8] {
        assert!(buffer.turn == self.batch.turn(), "the buffer was released");
        &mut self.arena[buffer.offset as usize..][..buffer.len as usize]
    }

    /// Whether the next poll has something to do besides asking the kernel.
    pub(super) fn has_work_hint(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(super) fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.release();
        self.batch.clear();
        self.connections.wake_resting();
        let patience = Patience::new(timeout);
        loop {
            self.flush();
            let left = patience.remaining();
            let over = left == Some(Duration::ZERO);
            self.wait(if self.batch.events.is_empty() { left } else { Some(Duration::ZERO) })?;
            if over || !self.batch.events.is_empty() {
                return Ok(());
            }
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let ready_len = match self.epoll.wait(&mut self.ready, milliseconds(timeout)) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        for place in 0..ready_len {
            let libc::epoll_event { events, u64: token } = self.ready[place];
            match self.unpack(token) {
                Some(Token::Connection(id)) => self.on_ready(id, events),
                Some(Token::Listener(index)) => self.accept(ListenerId(index)),
                Some(Token::WakeSource(index)) => self.on_wake(index),
                None => {}
            }
        }
        Ok(())
    }

    fn unpack(&self, token: u64) -> Option<Token> {
        let index = token as u32;
        match token >> Token::KIND_SHIFT {
            0 => {
                let id = self.connections.id_at(index)?;
                (Token::Connection(id).pack() == token).then_some(Token::Connection(id))
            }
            1 => Some(Token::Listener(index)),
            _ => Some(Token::WakeSource(index)),
        }
    }

    fn on_wake(&mut self, index: u32) {
        // An 8-byte read of a readable counter succeeds; if somebody else was faster, so be it.
        if (&self.wake_sources[index as usize]).read_exact(&mut [0; 8]).is_ok() {
            self.batch.woken(index);
        }
    }

    fn accept(&mut self, listener: ListenerId) {
        let Some(Some(entry)) = self.listeners.get(listener.0 as usize) else {
            return;
        };
        for _ in 0..ACCEPTS_PER_POLL_MAX {
            match SockRef::from(&entry.socket).accept() {
                Ok((socket, _)) => self.batch.accepted(listener, socket.into()),
                Err(error) => match AcceptFailure::of(errno_of(&error)) {
                    AcceptFailure::Empty => return,
                    AcceptFailure::Client => {}
                    AcceptFailure::Listener => {
                        let _ = self.epoll.remove(entry.socket.as_fd());
                        let errno = errno_of(&error);
                        self.batch.events.push(Event::AcceptFailed { listener, errno });
                        return;
                    }
                },
            }
        }
    }

    fn on_ready(&mut self, id: ConnectionId, ready: u32) {
        if ready & (OUT | HANG_UP | ERROR) != 0 {
            self.flush_connection(id);
        }
        // Flushing may have ended the connection.
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.wants_input() {
            if ready & (IN | HANG_UP | ERROR) != 0 {
                self.receive(id);
            }
        } else if ready & ERROR != 0 {
            let error = SockRef::from(&connection.socket).take_error().ok().flatten();
            self.fail(id, error.map_or(libc::ECONNRESET, |error| errno_of(&error)));
        } else if ready & HANG_UP != 0 {
            connection.quiet = true;
            self.update_interest(id);
        }
    }

    // Output.

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.dirty = false;
                self.flush_connection(id);
            }
        }
        self.dirty = dirty;
    }

    /// Sends as much as the kernel takes, up to the bound of a turn.
    fn flush_connection(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let had_output = !connection.output.is_empty();
        let mut budget = SEND_BYTES_PER_POLL_MAX;
        while !connection.output.is_empty() && budget > 0 {
            match connection.send_once() {
                Ok(sent) => {
                    connection.output.advance(sent, &mut self.spares);
                    budget = budget.saturating_sub(sent);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return self.fail(id, errno_of(&error)),
            }
        }
        if had_output && connection.output.is_empty() {
            if connection.phase == Phase::Flushing {
                return self.remove_connection(id);
            }
            if connection.output.since_turn() != self.batch.turn() {
                self.batch.events.push(Event::Drained { connection: id });
            }
        }
        self.update_interest(id);
    }

    /// The connection is dead both ways.
    fn fail(&mut self, id: ConnectionId, errno: i32) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.output.discard();
        match connection.phase {
            Phase::Flushing => return self.remove_connection(id),
            Phase::Ended => {}
            Phase::Open => self.batch.closed(id, CloseReason::Failed(errno)),
        }
        connection.phase = Phase::Ended;
        // Nothing is wanted any more, and taking a socket out of epoll does not fail.
        self.update_interest(id);
    }

    // Input.

    fn receive(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let socket = connection.socket.as_fd();
        let piece = &mut self.arena[self.arena_used..][..self.piece_bytes];
        let result = match &mut connection.direct {
            Some(direct) => {
                let missing = direct.missing();
                sys::receive_append(socket, &mut direct.bytes, missing)
            }
            None => sys::receive(socket, piece),
        };
        match result {
            Ok(0) => self.end_of_input(id),
            Ok(received) => self.deliver(id, received),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => self.fail(id, errno_of(&error)),
            },
        }
    }

    /// `received` bytes are in the arena, or in the connection's own buffer.
    fn deliver(&mut self, id: ConnectionId, received: usize) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        match connection.direct.take_if(|direct| direct.missing() == 0) {
            Some(direct) => {
                connection.filled = Some(direct.bytes);
                self.batch.events.push(Event::Filled { connection: id });
            }
            None if connection.direct.is_some() || connection.phase != Phase::Open => {}
            None => {
                self.batch.received(id, self.arena_used, received);
                self.arena_used += received.next_multiple_of(CACHE_LINE_BYTES);
            }
        }
    }

    fn end_of_input(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.quiet = true;
        connection.direct = None;
        if connection.phase == Phase::Open {
            connection.phase = Phase::Ended;
            self.batch.closed(id, CloseReason::PeerClosed);
        }
        self.update_interest(id);
    }
}

/// A timeout as `epoll_wait` takes it: rounded up, so that a wait is never cut short and then
/// repeated without pause; -1 for ever.
fn milliseconds(timeout: Option<Duration>) -> i32 {
    let Some(timeout) = timeout else {
        return -1;
    };
    i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
