//! Waking a core that sleeps in its reactor, at no cost while it is awake.
//!
//! ```text
//!   sender                              sleeper
//!   push message                        prepare_sleep      sleeping = true, fence
//!   ring_if_asleep                      inbox empty?  no -> cancel_sleep, go on
//!     fence                                           yes -> poll without timeout
//!     sleeping? -> false, wake          cancel_sleep
//! ```
//!
//! Invariant: no wake-up is lost. The fences order "push, then read the flag" against "set the
//! flag, then look at the inbox": whatever the interleaving, the sender sees the flag or the
//! sleeper sees the message. And only the one sender that turns the flag off pays for the wake.
//!
//! Against a core that is awake, ringing is a fence and a load from a line nobody writes to. Ring
//! once per turn and core, after the last push.

use crate::inbox::Padded;
use crate::reactor::Waker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// The bell of one core. Clones ring the same one.
#[derive(Clone, Debug)]
pub struct Doorbell {
    sleeping: Arc<Padded<AtomicBool>>,
    waker: Waker,
}

impl Doorbell {
    /// A bell for the core whose reactor gave out `waker`; that core counts as awake.
    pub fn new(waker: Waker) -> Doorbell {
        Doorbell { sleeping: Arc::default(), waker }
    }

    /// Wakes the core if it sleeps or is about to; call after pushing to its inbox. Returns
    /// whether this call woke it. A system call then, else none.
    #[inline]
    pub fn ring_if_asleep(&self) -> bool {
        fence(Ordering::SeqCst);
        let sleeping = &self.sleeping.0;
        // The load keeps the line shared between all cores while the core is awake.
        if !sleeping.load(Ordering::Relaxed) || !sleeping.swap(false, Ordering::AcqRel) {
            return false;
        }
        self.waker.wake();
        true
    }

    /// Called by the core itself before it sleeps. It has to look at all its inboxes between this
    /// call and sleeping, and must not sleep if it finds something.
    pub fn prepare_sleep(&self) {
        self.sleeping.0.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Called by the core itself after it slept or decided against it. A bell rung in between may
    /// still be reported by the next poll; that is harmless.
    pub fn cancel_sleep(&self) {
        self.sleeping.0.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sleeper_is_woken_and_only_once() {
        let bell = Doorbell::new(Waker::new().unwrap());
        let other = bell.clone();
        assert!(!other.ring_if_asleep());
        bell.prepare_sleep();
        assert!(other.ring_if_asleep());
        assert!(!bell.ring_if_asleep());
        bell.prepare_sleep();
        bell.cancel_sleep();
        assert!(!other.ring_if_asleep());
    }
}
