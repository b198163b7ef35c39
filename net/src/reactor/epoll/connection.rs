//! One connection as the epoll driver sees it, and the tokens epoll reports it by.

use super::super::batch::DirectBuffer;
use super::super::event::ConnectionId;
use super::super::output::{GATHER_MAX, Output};
use super::{IN, OUT};
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// `Closed` was reported; the caller has not answered yet.
    Ended,
    /// The caller closed it after its output. What comes in is dropped.
    Flushing,
}

pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) phase: Phase,
    pub(super) registered: Option<u32>,
    pub(super) suspended: bool,
    /// Nothing more can be read, or hanging up was reported while nobody wanted to read.
    pub(super) quiet: bool,
    pub(super) dirty: bool,
    pub(super) direct: Option<DirectBuffer>,
    pub(super) filled: Option<Vec<u8>>,
    pub(super) output: Output,
}

impl Connection {
    pub(super) fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Open => !self.suspended,
            Phase::Ended => false,
            Phase::Flushing => !self.quiet,
        }
    }

    /// What epoll should be told. Errors and hang-ups are reported for whatever is registered, so
    /// a connection for which they are old news must not be.
    pub(super) fn interest(&self) -> Option<u32> {
        let output = if self.output.is_empty() || self.dirty { 0 } else { OUT };
        if self.wants_input() {
            return Some(IN | output);
        }
        let errors_are_news = self.phase == Phase::Open && !self.quiet;
        (output != 0 || errors_are_news).then_some(output)
    }

    /// One send or gathering send of what comes next.
    pub(super) fn send_once(&self) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let socket = SockRef::from(&self.socket);
        let mut slices = [IoSlice::new(&[]); GATHER_MAX];
        let mut count = 0;
        for (place, slice) in slices.iter_mut().zip(self.output.slices()) {
            *place = IoSlice::new(slice);
            count += 1;
        }
        match &slices[..count] {
            [single] => socket.send_with_flags(single, flags),
            several => socket.send_vectored_with_flags(several, flags),
        }
    }
}

/// What an epoll token names.
pub(super) enum Token {
    Connection(ConnectionId),
    Listener(u32),
    WakeSource(u32),
}

impl Token {
    pub(super) const KIND_SHIFT: u32 = 56;
    const GENERATION_MASK: u32 = 0x00ff_ffff;

    /// Only 24 bits of the generation fit; closing a socket takes its events away, so they are
    /// just a check.
    pub(super) fn pack(&self) -> u64 {
        match self {
            Token::Connection(id) => {
                u64::from(id.generation & Self::GENERATION_MASK) << 32 | u64::from(id.index)
            }
            Token::Listener(index) => 1 << Self::KIND_SHIFT | u64::from(*index),
            Token::WakeSource(index) => 2 << Self::KIND_SHIFT | u64::from(*index),
        }
    }
}
