//! Clients that wait: for replicas today, for elements of lists and the like later.
//!
//! A blocked session is one whose command has a reserved reply place and no reply yet. It ends
//! when its time is over, when somebody unblocks it, or with its connection. Nothing else is held
//! meanwhile: no slot, no credit.

use super::session::Hold;
use super::{Core, SessionId};
use crate::error::CommandError;
use crate::reply::{Output, Reply};

/// Writes what a blocking command answers when its time is over.
pub type TimeoutReply = fn(&mut Reply<'_>);

/// What a blocking command asks for.
#[derive(Clone, Copy)]
pub struct Block {
    /// When its time is over, monotonic milliseconds; `None` for never.
    pub deadline_ms: Option<u64>,
    /// What it answers then.
    pub on_timeout: TimeoutReply,
}

/// A client that waits.
pub(super) struct Blocked {
    session: SessionId,
    place: u64,
    block: Block,
}

/// How a client is unblocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time were over.
    Timeout,
    /// With an error.
    Error,
}

impl Core {
    /// Lets a session wait; its command is answered later.
    pub(super) fn block(&mut self, session: SessionId, block: Block) {
        let Some(state) = self.session_mut(session) else { return };
        let place = state.reserve(false);
        state.is_blocked = true;
        state.step_reply_mode();
        self.hold(session, Hold::Replies);
        self.blocked.push(Blocked { session, place, block });
    }

    /// Number of clients of this core that wait.
    pub fn blocked_clients(&self) -> usize {
        self.blocked.len()
    }

    /// When the first of them has waited long enough, monotonic milliseconds.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.blocked.iter().filter_map(|blocked| blocked.block.deadline_ms).min()
    }

    /// Answers all whose time is over, and forgets those whose connection has ended.
    pub(super) fn end_blocking(&mut self) {
        let now_ms = self.store.now().monotonic_ms();
        let mut index = 0;
        while index < self.blocked.len() {
            let Blocked { session, block, .. } = self.blocked[index];
            if self.session(session).is_none() {
                self.blocked.swap_remove(index);
            } else if block.deadline_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                self.unblock_at(index, Unblock::Timeout);
            } else {
                index += 1;
            }
        }
    }

    /// Ends the wait of the client with this id; whether it was waiting here.
    pub fn unblock(&mut self, client_id: u64, how: Unblock) -> bool {
        let found = self.blocked.iter().position(|blocked| {
            self.session(blocked.session).is_some_and(|session| session.client_id == client_id)
        });
        found.map(|index| self.unblock_at(index, how)).is_some()
    }

    fn unblock_at(&mut self, index: usize, how: Unblock) {
        let Blocked { session, place, block } = self.blocked.swap_remove(index);
        let Some(state) = self.session_mut(session) else { return };
        let mut output = Output::default();
        let mut reply = Reply::new(&mut output, state.protocol);
        match how {
            Unblock::Timeout => (block.on_timeout)(&mut reply),
            Unblock::Error => {
                reply.error(&CommandError::Fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
            }
        }
        state.is_blocked = false;
        if state.fill(place, 1, |to| to.append(&mut output)) {
            self.resume(session, Hold::Replies);
        }
        self.note_change(session);
    }
}
