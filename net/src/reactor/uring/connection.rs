//! One connection as the ring driver sees it: what it wishes for and what is in the kernel.
//!
//! Receiving is described twice, as `armed` (what the kernel does) and [`Connection::wish`] (what
//! it should do). Calls change the wish; the driver brings `armed` after it, arming when nothing
//! is and cancelling what is not wished for. That covers suspending, direct receives, closing and
//! every order of late completions with one rule.

use super::super::batch::DirectBuffer;
use super::super::output::{GATHER_MAX, Output};
use std::os::fd::OwnedFd;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// `Closed` was reported; the caller has not answered yet.
    Ended,
    /// The caller closed it after its output. What comes in is dropped.
    Flushing,
    /// Waits only for the kernel to let go of it.
    Closing,
}

/// What the kernel does to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    Nothing,
    /// A multishot receive into provided buffers.
    Stream,
    /// One receive into `direct`.
    Direct,
}

pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) phase: Phase,
    pub(super) armed: Armed,
    /// Whether the armed receive was asked to end.
    pub(super) cancelling: bool,
    pub(super) suspended: bool,
    /// The peer has sent its last byte.
    pub(super) quiet: bool,
    /// Whether a send is in the kernel; the chunks it reads are locked in `output`.
    pub(super) sending: bool,
    /// Whether it is in the list of connections to attend to.
    pub(super) scheduled: bool,
    /// While `armed` is `Direct`, the kernel writes to its spare capacity.
    pub(super) direct: Option<DirectBuffer>,
    pub(super) filled: Option<Vec<u8>>,
    pub(super) output: Output,
    /// While `sending`, what a gathering send reads.
    pub(super) gather: Option<Box<Gather>>,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Connection {
        Connection {
            socket,
            phase: Phase::Open,
            armed: Armed::Nothing,
            cancelling: false,
            suspended: false,
            quiet: false,
            sending: false,
            scheduled: false,
            direct: None,
            filled: None,
            output: Output::default(),
            gather: None,
        }
    }

    pub(super) fn wish(&self) -> Armed {
        if self.suspended || self.quiet {
            return Armed::Nothing;
        }
        match self.phase {
            Phase::Open if self.direct.is_some() => Armed::Direct,
            Phase::Open => Armed::Stream,
            // Reading on keeps unread bytes from turning the close into a reset, which would
            // throw away the output behind it. The buffer being filled still belongs to the kernel.
            Phase::Flushing if self.armed == Armed::Direct => Armed::Direct,
            Phase::Flushing => Armed::Stream,
            Phase::Ended | Phase::Closing => Armed::Nothing,
        }
    }

    /// Whether the kernel holds nothing of it.
    pub(super) fn is_at_rest(&self) -> bool {
        self.armed == Armed::Nothing && !self.sending
    }
}

/// The description of a gathering send, at an address that does not change.
pub(super) struct Gather {
    header: libc::msghdr,
    slices: [libc::iovec; GATHER_MAX],
}

impl Gather {
    pub(super) fn new() -> Box<Gather> {
        // SAFETY: all zeros is a message of nothing to nobody.
        let header = unsafe { std::mem::zeroed() };
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Box::new(Gather { header, slices: [empty; GATHER_MAX] })
    }

    /// Describes what `output` has to send next. Valid until those chunks change or this does.
    pub(super) fn describe(&mut self, output: &Output) -> *const libc::msghdr {
        let mut count = 0;
        for (place, slice) in self.slices.iter_mut().zip(output.slices()) {
            place.iov_base = slice.as_ptr().cast_mut().cast();
            place.iov_len = slice.len();
            count += 1;
        }
        self.header.msg_iov = self.slices.as_mut_ptr();
        self.header.msg_iovlen = count;
        &self.header
    }
}
