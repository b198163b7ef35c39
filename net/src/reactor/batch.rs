//! The events of one turn, and the small things both drivers share.

use super::event::{AcceptedSocket, BufferRef, ConnectionId, Event, ListenerId};
use super::event::{CloseReason, WakeSource};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The events of a turn and what they refer to.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    accepted: Vec<Option<OwnedFd>>,
    /// Grows with every release, so that references into buffers of an earlier turn are refused.
    turn: u32,
}

impl Batch {
    #[inline]
    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    /// Invalidates the buffers of the turn.
    pub(super) fn end_turn(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// Forgets the events of the turn. Sockets nobody took are closed.
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.accepted.clear();
    }

    pub(super) fn accepted(&mut self, listener: ListenerId, socket: OwnedFd) {
        let place = AcceptedSocket(self.accepted.len() as u32);
        self.accepted.push(Some(socket));
        self.events.push(Event::Accepted { listener, socket: place });
    }

    pub(super) fn take_accepted(&mut self, socket: AcceptedSocket) -> Option<OwnedFd> {
        self.accepted.get_mut(socket.0 as usize)?.take()
    }

    #[inline]
    pub(super) fn received(&mut self, connection: ConnectionId, offset: usize, len: usize) {
        let (offset, len) = (offset as u32, len as u32);
        let buffer = BufferRef { offset, len, turn: self.turn };
        self.events.push(Event::Received { connection, buffer });
    }

    pub(super) fn closed(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.events.push(Event::Closed { connection, reason });
    }

    pub(super) fn woken(&mut self, source: u32) {
        self.events.push(Event::Woken { source: WakeSource(source) });
    }
}

/// A buffer that received bytes are to land in directly.
#[derive(Debug)]
pub(super) struct DirectBuffer {
    pub(super) bytes: Vec<u8>,
    pub(super) len_wanted: usize,
}

impl DirectBuffer {
    /// Asks for `wanted` bytes more.
    pub(super) fn new(mut bytes: Vec<u8>, wanted: usize) -> DirectBuffer {
        assert!(wanted > 0);
        bytes.reserve_exact(wanted);
        DirectBuffer { len_wanted: bytes.len() + wanted, bytes }
    }

    pub(super) fn missing(&self) -> usize {
        self.len_wanted - self.bytes.len()
    }
}

/// How long a poll may wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Endless,
}

impl Patience {
    /// Reads the clock only if it has to.
    pub(super) fn new(timeout: Option<Duration>) -> Patience {
        match timeout {
            None => Patience::Endless,
            Some(Duration::ZERO) => Patience::None,
            // A time the clock cannot represent is as good as never.
            Some(timeout) => match Instant::now().checked_add(timeout) {
                Some(deadline) => Patience::Until(deadline),
                None => Patience::Endless,
            },
        }
    }

    /// What is left: `None` for ever, zero when it is over.
    pub(super) fn remaining(&self) -> Option<Duration> {
        match self {
            Patience::None => Some(Duration::ZERO),
            Patience::Until(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            Patience::Endless => None,
        }
    }
}

/// What a failed `accept` means for its listener.
pub(super) enum AcceptFailure {
    /// Nobody is waiting.
    Empty,
    /// That client is gone; the next one may not be.
    Client,
    /// Out of descriptors or memory, or worse: trying again at once is pointless.
    Listener,
}

impl AcceptFailure {
    pub(super) fn of(errno: i32) -> AcceptFailure {
        match errno {
            libc::EAGAIN => AcceptFailure::Empty,
            // accept(2) passes on errors that are already pending on the new socket.
            libc::EINTR | libc::ECONNABORTED | libc::EPERM | libc::EPROTO | libc::ENOPROTOOPT => {
                AcceptFailure::Client
            }
            libc::ENETDOWN | libc::ENETUNREACH | libc::ENONET | libc::EOPNOTSUPP => {
                AcceptFailure::Client
            }
            libc::EHOSTDOWN | libc::EHOSTUNREACH => AcceptFailure::Client,
            _ => AcceptFailure::Listener,
        }
    }
}

/// The number of an error that came from a system call.
pub(super) fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
