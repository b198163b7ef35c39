//! Clients that wait: for replicas, for the disk, or for keys (see [`crate::key_waits`]).
//!
//! A blocked session is one whose command has a reserved reply place and no reply yet. It ends when
//! it is served, when its time is over, when somebody unblocks it, or with its connection. Nothing
//! else is held meanwhile: no slot, no credit.
//!
//! Who waits for keys may be served by any core at any moment, so whoever ends such a wait has to
//! win the waiter's claim first. Who loses it does nothing: a reply is on its way.

use std::sync::Arc;

use super::session::Hold;
use super::{Core, SessionId};
use crate::commands::wait::{self, APPEND_ONLY_IS_OFF};
use crate::error::CommandError;
use crate::host::{DurableMark, DurableState};
pub use crate::key_waits::TimeoutReply;
use crate::key_waits::{Address, KeyWaiter};
use crate::mutation::{self, Mutation};
use crate::reply::{Output, Reply};

/// What a blocking command asks for.
#[derive(Clone, Copy)]
pub struct Block {
    /// When its time is over, monotonic milliseconds; `None` for never.
    pub deadline_ms: Option<u64>,
    /// What it answers then.
    pub on_timeout: TimeoutReply,
}

/// What a session waits for.
pub(super) struct Blocked {
    pub(super) place: u64,
    block: Block,
    /// What stands in the lines of its keys, if it is keys it waits for.
    pub(super) waiter: Option<Arc<KeyWaiter>>,
    /// When its keys are to be looked at again, monotonic milliseconds.
    pub(super) alarm_ms: Option<u64>,
    /// What has to reach the disk, if it is that it waits for.
    mark: Option<Box<dyn DurableMark>>,
}

impl Blocked {
    /// Whether somebody has answered, or is about to.
    pub(super) fn is_claimed(&self) -> bool {
        self.waiter.as_ref().is_some_and(|waiter| waiter.is_claimed())
    }

    /// Takes the right to answer.
    fn claim(&self) -> bool {
        self.waiter.as_ref().is_none_or(|waiter| waiter.claim())
    }
}

const UNBLOCKED: CommandError =
    CommandError::Fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK");

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
    pub(super) fn block(
        &mut self,
        session: SessionId,
        block: Block,
        mark: Option<Box<dyn DurableMark>>,
    ) {
        let Some(state) = self.session_mut(session) else { return };
        let place = state.reserve(false, None);
        state.step_reply_mode();
        self.hold(session, Hold::Replies);
        if mark.is_some() {
            self.disk_waits.push(session);
        }
        self.note_blocked(session, Blocked { place, block, waiter: None, alarm_ms: None, mark });
    }

    /// A command of a session of this core has begun to wait for keys.
    pub(super) fn block_on_keys(&mut self, waiter: Arc<KeyWaiter>) {
        let Address { session, place, .. } = waiter.address;
        if self.session(session).is_none() && waiter.claim() || waiter.is_claimed() {
            return self.forget_waiter(&waiter);
        }
        let block =
            Block { deadline_ms: waiter.wait.deadline_ms, on_timeout: waiter.wait.on_timeout };
        let alarm_ms = waiter.alarm_ms();
        let blocked = Blocked { place, block, waiter: Some(waiter), alarm_ms, mark: None };
        self.note_blocked(session, blocked);
    }

    fn note_blocked(&mut self, id: SessionId, blocked: Blocked) {
        if let Some(deadline_ms) = blocked.block.deadline_ms {
            self.deadlines.insert((deadline_ms, id));
        }
        self.move_alarm(id, None, blocked.alarm_ms);
        self.blocked_clients += 1;
        let session = self.session_mut(id).expect("a session waits while it is open");
        assert!(session.blocked.is_none(), "a session waits for one thing at a time");
        session.blocked = Some(Box::new(blocked));
        if session.has_ended {
            self.resumed.push(id);
        }
    }

    /// The session waits no more: it has left every line it stood in.
    fn take_blocked(&mut self, id: SessionId) -> Option<Box<Blocked>> {
        let blocked = self.session_mut(id)?.blocked.take()?;
        self.blocked_clients -= 1;
        if let Some(deadline_ms) = blocked.block.deadline_ms {
            self.deadlines.remove(&(deadline_ms, id));
        }
        self.move_alarm(id, blocked.alarm_ms, None);
        if let Some(waiter) = &blocked.waiter {
            self.forget_waiter(waiter);
        }
        if blocked.mark.is_some() {
            self.disk_waits.retain(|waiting| *waiting != id);
        }
        Some(blocked)
    }

    /// Number of clients of this core that wait, be it for a pause to end.
    pub fn blocked_clients(&self) -> usize {
        let is_open = |id: &&SessionId| self.session(**id).is_some();
        self.blocked_clients + self.pause.waiting.iter().filter(is_open).count()
    }

    /// Number of those whose time will be over.
    pub fn clients_with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// When the first of them has waited long enough, or keys are to be looked at again for a
    /// client that waits, monotonic milliseconds.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let deadline_ms = self.deadlines.first().map(|&(at_ms, _)| at_ms);
        deadline_ms.into_iter().chain(self.next_alarm_ms()).min()
    }

    /// Answers all whose time is over.
    pub(super) fn end_blocking(&mut self) {
        let now_ms = self.store.now().monotonic_ms();
        while let Some(&(at_ms, id)) = self.deadlines.first()
            && at_ms <= now_ms
        {
            self.deadlines.pop_first();
            self.unblock_session(id, Unblock::Timeout);
        }
    }

    /// Ends the wait of the client with this id; whether it was waiting here. O(sessions).
    pub fn unblock(&mut self, client_id: u64, how: Unblock) -> bool {
        let is_it = |(_, session): &(SessionId, &super::session::Session)| {
            session.client_id == client_id && session.is_blocked()
        };
        let found = self.sessions().find(is_it).map(|(id, _)| id);
        found.is_some_and(|id| self.unblock_session(id, how))
    }

    fn unblock_session(&mut self, id: SessionId, how: Unblock) -> bool {
        let session = self.session(id).expect("a session that closes has no deadline any more");
        let blocked = session.blocked.as_deref().expect("deadlines are of blocked sessions");
        if !blocked.claim() {
            return false;
        }
        let (place, on_timeout) = (blocked.place, blocked.block.on_timeout);
        let row = blocked.waiter.as_ref().map(|waiter| waiter.row);
        let mut output = Output::default();
        let mut reply = Reply::new(&mut output, session.protocol);
        let error = match how {
            Unblock::Timeout => None,
            Unblock::Error => Some(UNBLOCKED),
        };
        match &error {
            None => on_timeout(&mut reply),
            Some(error) => reply.error(error),
        }
        if let Some(row) = row {
            self.stats.ran(row, self.host.elapsed_ns(), error.as_ref());
        }
        self.end_wait(Address { core: self.id, session: id, place }, output);
        true
    }

    /// Whether anybody waits for the disk.
    #[inline]
    pub fn has_disk_waits(&self) -> bool {
        !self.disk_waits.is_empty()
    }

    /// Answers all whose changes have reached the disk. O(clients that wait for that).
    pub fn serve_disk_waits(&mut self) {
        let mark_of = |core: &Self, id: SessionId| {
            let blocked = core.session(id)?.blocked.as_deref()?;
            Some((blocked.place, blocked.mark.as_ref()?.state()))
        };
        for index in (0..self.disk_waits.len()).rev() {
            let id = self.disk_waits[index];
            let Some((place, state)) = mark_of(self, id) else { continue };
            if state == DurableState::Pending {
                continue;
            }
            let mut output = Output::default();
            let mut reply = self.reply_writer(id, &mut output);
            match state {
                DurableState::Off => reply.error(&APPEND_ONLY_IS_OFF),
                _ => wait::write_acknowledged(&mut reply, true),
            }
            self.end_wait(Address { core: self.id, session: id, place }, output);
        }
    }

    /// The reply of a command that waited is here.
    pub(super) fn end_wait(&mut self, address: Address, mut output: Output) {
        let id = address.session;
        self.take_blocked(id);
        let Some(session) = self.session_mut(id) else { return };
        if session.fill(address.place, 1, |to| to.append(&mut output)) {
            self.resume(id, Hold::Replies);
        }
        self.note_change(id);
    }

    /// The connection has ended: nobody is to serve it any more.
    pub(super) fn abandon_wait(&mut self, id: SessionId) {
        let Some(blocked) = self.take_blocked(id) else { return };
        // Lost, a reply is on its way to a client that is gone, as one already sent would be.
        let _ = mutation::is_on(Mutation::GoneServed) || blocked.claim();
    }
}
