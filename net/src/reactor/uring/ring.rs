//! The two queues shared with the kernel: building them, filling one, emptying the other.
//!
//! Invariants:
//! * `in_kernel` counts the operations (cancellations aside) that were pushed and whose last
//!   completion was not collected. While it is not zero, the kernel may touch their memory.
//! * Completions are collected before anything else is asked of the kernel, so a full completion
//!   queue never stops us; what does not fit into it the kernel keeps and hands over later.

use super::super::event::Company;
use super::super::options::ReactorOptions;
use super::operation::{Kind, Operation};
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// Smaller rings than this are not tried when memory is short.
const ENTRIES_MIN: u32 = 64;

/// Completions fit four to a submission: multishot operations complete many times.
const COMPLETIONS_PER_ENTRY: u32 = 4;

/// What the kernel allows at most.
const COMPLETIONS_MAX: u32 = 1 << 16;

/// Kernel threads for operations that block. Sockets need none; a bound keeps what does from
/// taking the core away from its pinned thread.
const WORKERS_MAX: u32 = 2;

/// `IORING_ENTER_GETEVENTS`: run deferred work and flush what overflowed.
const ENTER_GETEVENTS: u32 = 1;

/// How often, and for how long each time, the end of the ring waits for cancelled operations.
const DRAIN_ROUNDS_MAX: u32 = 100;
const DRAIN_WAIT: Duration = Duration::from_millis(100);

/// One completion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) operation: Operation,
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Completion {
    /// Whether the operation goes on and will complete again.
    #[inline]
    pub(super) fn goes_on(&self) -> bool {
        cqueue::more(self.flags)
    }
}

pub(super) struct Ring {
    ring: IoUring,
    /// Collected and not yet handled.
    pub(super) completions: Vec<Completion>,
    in_kernel: usize,
}

impl Ring {
    /// Builds a ring for the calling thread, smaller than asked for if locked memory is short.
    ///
    /// # Errors
    /// Where io_uring is forbidden or too old, with the kernel's reason.
    pub(super) fn new(options: &ReactorOptions) -> io::Result<Ring> {
        let mut entries = options.ring_entries;
        let ring = loop {
            match build(entries) {
                Err(error) if short_of_memory(&error) && entries / 2 >= ENTRIES_MIN => {
                    entries /= 2;
                }
                result => break result?,
            }
        };
        ring.submitter().register_iowq_max_workers(&mut [WORKERS_MAX; 2])?;
        Ok(Ring { ring, completions: Vec::new(), in_kernel: 0 })
    }

    pub(super) fn uring(&self) -> &IoUring {
        &self.ring
    }

    /// Queues an operation for the next [`Ring::enter`], or hands it over now if the queue is full.
    ///
    /// # Safety
    /// The memory and the descriptor that `entry` names must stay valid until the last completion
    /// of `operation` was collected, and nobody else may use them in a way that conflicts.
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry, operation: Operation) {
        let entry = entry.user_data(operation.pack());
        // SAFETY: promised by the caller.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            // An error leaves the queue as it is: collecting is what helps against all of them.
            let _ = self.ring.submit();
            self.collect();
        }
        self.in_kernel += usize::from(operation.kind != Kind::Cancel);
    }

    /// Asks the kernel to end `operation`. It completes as always, perhaps having been faster.
    pub(super) fn cancel(&mut self, operation: Operation) {
        let entry = opcode::AsyncCancel::new(operation.pack()).build();
        // SAFETY: a cancellation names no memory.
        unsafe { self.push(entry, Operation::CANCEL) };
    }

    /// Whether an enter would find something, judged by shared memory alone.
    #[inline]
    pub(super) fn has_work(&self) -> bool {
        // SAFETY: no other view of the two queues is alive: all of them are temporaries of
        // methods of this type, which is bound to one thread.
        let (submission, completion) =
            unsafe { (self.ring.submission_shared(), self.ring.completion_shared()) };
        submission.taskrun() || submission.cq_overflow() || !completion.is_empty()
    }

    /// Whether the kernel (6.12 and later) can wait for several completions and settle for one.
    pub(super) fn can_gather(&self) -> bool {
        self.ring.params().is_feature_min_timeout()
    }

    /// Submits what was pushed, waits for a completion for at most `timeout` (`None`: for ever),
    /// and collects. Without a system call if the timeout is zero and nothing is to be done. With
    /// a timeout that is not zero it may wait for more company than one, as `company` says.
    pub(super) fn enter(&mut self, timeout: Option<Duration>, company: Company) -> io::Result<()> {
        self.collect();
        let result = match timeout {
            _ if !self.completions.is_empty() => self.enter_without_waiting(),
            Some(Duration::ZERO) => self.enter_without_waiting(),
            Some(timeout) => {
                let timespec = Timespec::from(timeout);
                let arguments =
                    SubmitArgs::new().timespec(&timespec).min_wait_usec(company.patience_us);
                self.ring.submitter().submit_with_args(company.wanted as usize, &arguments)
            }
            None => self.ring.submit_and_wait(1),
        };
        self.collect();
        match result {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn enter_without_waiting(&mut self) -> io::Result<usize> {
        let mut submission = self.ring.submission();
        submission.sync();
        let to_submit = submission.len();
        if to_submit == 0 && !submission.taskrun() && !submission.cq_overflow() {
            return Ok(0);
        }
        drop(submission);
        let submitter = self.ring.submitter();
        // SAFETY: no argument is passed; the entries submitted were vouched for when pushed.
        unsafe { submitter.enter::<libc::sigset_t>(to_submit as u32, 0, ENTER_GETEVENTS, None) }
    }

    fn collect(&mut self) {
        for entry in self.ring.completion() {
            let operation = Operation::unpack(entry.user_data());
            let (result, flags) = (entry.result(), entry.flags());
            let ended = operation.kind != Kind::Cancel && !cqueue::more(flags);
            self.in_kernel -= usize::from(ended);
            self.completions.push(Completion { operation, result, flags });
        }
    }

    /// Cancels everything and waits until the kernel has let go of all memory.
    fn drain(&mut self) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        // SAFETY: a cancellation names no memory.
        unsafe { self.push(entry, Operation::CANCEL) };
        for _ in 0..DRAIN_ROUNDS_MAX {
            for completion in self.completions.drain(..) {
                if completion.operation.kind == Kind::Accept && completion.result >= 0 {
                    // SAFETY: an accepted socket that belongs to nobody yet.
                    drop(unsafe { OwnedFd::from_raw_fd(completion.result) });
                }
            }
            if self.in_kernel == 0 || self.enter(Some(DRAIN_WAIT), Company::NONE).is_err() {
                break;
            }
        }
        assert!(self.in_kernel == 0, "the kernel does not give memory back");
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.drain();
    }
}

/// Completions come as ordinary work of the one thread that enters, in its own time: without
/// these flags they would interrupt it, at 40 % more processor time per request.
fn build(entries: u32) -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(entries.saturating_mul(COMPLETIONS_PER_ENTRY).min(COMPLETIONS_MAX))
        .build(entries)
}

fn short_of_memory(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOMEM)
}

/// Errors of an enter that say "not now": interrupted, timed out, no memory for a request at the
/// moment, or completions to be collected first.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::ETIME | libc::EAGAIN | libc::EBUSY))
}
