//! What a poll reports, and the names of things in it. All of it is `Copy`, so that events can be
//! walked by index while the reactor is being called.

use std::fmt;
use std::io;

/// A connection of one reactor.
///
/// `index` is dense and reused, made to address a table of the caller's own. The pair is never
/// reused; calls with the id of a connection that is gone do nothing. An index that is freed
/// during a turn is not given out again before the next poll, so within the events of one poll an
/// index means one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Place in the table of connections.
    pub index: u32,
    /// How many connections had this index before.
    pub generation: u32,
}

/// A listening socket of one reactor. Reused after `remove_listener`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(super) u32);

/// Something that can wake a reactor. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WakeSource(pub(super) u32);

impl WakeSource {
    /// The reactor's own [`Waker`](super::Waker).
    pub const WAKER: WakeSource = WakeSource(0);
}

/// An accepted socket that waits for [`take_accepted`](super::Reactor::take_accepted).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedSocket(pub(super) u32);

/// Received bytes in the reactor's memory, good until [`release`](super::Reactor::release).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferRef {
    pub(super) offset: u32,
    pub(super) len: u32,
    /// The turn they were received in: a stale reference is found out, not followed.
    pub(super) turn: u32,
}

impl BufferRef {
    /// Number of bytes, at least one.
    #[inline]
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Never: there is no event without bytes.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The first `len` of them.
    ///
    /// # Panics
    /// If there are fewer, or `len` is zero.
    #[inline]
    pub fn shortened(self, len: usize) -> BufferRef {
        assert!(len > 0 && len <= self.len());
        BufferRef { len: len as u32, ..self }
    }
}

/// Why no more bytes will come from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer has sent all it wanted to send. It may still be reading.
    PeerClosed,
    /// An operation failed with this `errno`; the connection is dead both ways.
    Failed(i32),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::PeerClosed => formatter.write_str("peer closed"),
            CloseReason::Failed(errno) => {
                write!(formatter, "{}", io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

/// How long a poll that would sleep goes on sleeping for more than one completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// Completions it waits for, at least one.
    pub wanted: u32,
    /// How long it waits for that many before it settles for one, in microseconds.
    pub patience_us: u32,
}

impl Company {
    /// Returns with the first completion.
    pub const NONE: Company = Company { wanted: 1, patience_us: 0 };
}

/// One thing that happened. For one connection, events are in the order in which they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client connected. A socket not taken before the next poll is closed.
    Accepted {
        /// Where.
        listener: ListenerId,
        /// For [`take_accepted`](super::Reactor::take_accepted).
        socket: AcceptedSocket,
    },
    /// A client could not be accepted for want of descriptors or memory. The listener rests until
    /// [`resume_accept`](super::Reactor::resume_accept), for trying again at once would spin.
    AcceptFailed {
        /// Which.
        listener: ListenerId,
        /// The `errno`.
        errno: i32,
    },
    /// Bytes came.
    Received {
        /// From here.
        connection: ConnectionId,
        /// For [`bytes`](super::Reactor::bytes).
        buffer: BufferRef,
    },
    /// A buffer given to [`receive_into`](super::Reactor::receive_into) is as full as was wanted.
    /// For [`take_filled`](super::Reactor::take_filled).
    Filled {
        /// From here.
        connection: ConnectionId,
    },
    /// No more bytes will come. At most once per connection, and never after the caller closed
    /// it. The connection stays, and can still send unless it failed, until the caller answers
    /// with `close` or `close_after_flush`.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// All output is in the kernel, after a poll that had left some behind.
    Drained {
        /// Which.
        connection: ConnectionId,
    },
    /// Somebody woke the reactor.
    Woken {
        /// Through what.
        source: WakeSource,
    },
}
