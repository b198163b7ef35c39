//! Waking a reactor from another thread: an eventfd that the reactor watches.

use crate::sys;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Wakes one reactor. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker {
    eventfd: Arc<File>,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Waker> {
        Ok(Waker { eventfd: Arc::new(File::from(sys::eventfd()?)) })
    }

    /// Makes the reactor's current or next [`poll`](super::Reactor::poll) return with
    /// [`Event::Woken`](super::Event::Woken). Several calls may give one event. A system call:
    /// use a [`Doorbell`](crate::doorbell::Doorbell) where the reactor is often awake.
    pub fn wake(&self) {
        // It can fail only with its counter at 2^64 - 2, and then a wake-up is pending anyway.
        let _ = (&*self.eventfd).write(&1_u64.to_ne_bytes());
    }

    /// A descriptor of its own for the reactor's side.
    pub(super) fn try_clone_fd(&self) -> io::Result<OwnedFd> {
        self.eventfd.as_fd().try_clone_to_owned()
    }
}
