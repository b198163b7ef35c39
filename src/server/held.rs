//! Replies that wait for the disk (`appendfsync always`), as the loop of a core sees them. What
//! they wait for, and why, stands in [`basalt_persist::aof::commit`].
//!
//! While the disk fails that may be long. Commands that would change the data or tell of it are
//! refused then, so what is answered from there on (errors, INFO, CONFIG) need not wait behind what
//! others were to be told: whoever comes to see what is wrong gets an answer.

use std::collections::HashSet;
use std::sync::Arc;

use basalt_persist::aof::commit::{Generation, Held};
use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::core::SessionId;
use basalt_shard::reply::Output;

use super::clock;
use super::driver::Driver;

/// Bytes of replies that may wait. With more, commands wait as well.
const HELD_BYTES_MAX: usize = 64 << 20;

/// What is known of replies since the disk began to fail.
#[derive(Default)]
pub(super) struct DiskFailure {
    is_noticed: bool,
    /// Those who were owed something then: it may tell of the data, and waits.
    owed: HashSet<SessionId>,
}

/// The replies of each turn.
pub type HeldReplies = Held<Vec<(SessionId, Output)>>;

/// Whether a session has any.
pub fn has_held(held: &HeldReplies, session: SessionId) -> bool {
    held.contents().flatten().any(|(other, _)| *other == session)
}

impl Driver {
    /// Hands what was told since the last turn to the thread that writes it.
    pub(super) fn keep_journal(&mut self) {
        let store = &mut self.core.store;
        if !store.journal().has_text() {
            return;
        }
        let begun_ns = clock::elapsed_ns();
        let must = store.journal().text_bytes() > basalt_persist::aof::thread::BACKLOG_BYTES_MAX;
        let seconds =
            self.settings.append_only.aof_timestamp_enabled.then(|| store.now().unix_seconds());
        let id = self.core.id();
        self.process.append_only.hand_over(id, &mut self.core.store, seconds, must);
        self.core.stats.journal_ns += clock::elapsed_ns() - begun_ns;
    }

    /// Puts the replies of this turn aside that have to wait; returns the sessions of the others.
    pub(super) fn hold_replies<'a>(&mut self, sessions: &'a mut [SessionId]) -> &'a [SessionId] {
        if sessions.is_empty() || !self.core.store.journal().is_on() {
            return sessions;
        }
        if self.settings.append_only.appendfsync != SyncPolicy::Always {
            return sessions;
        }
        let Some(generation) = self.process.append_only.generation(self.core.id()) else {
            return sessions;
        };
        let Some(items) = self.held.wait_for(&generation) else { return sessions };
        let (waiting, free) = self.part_the_waiting(sessions);
        self.put_aside(waiting, generation, items);
        free
    }

    /// To be called at the beginning of a turn, once the core knows whether the disk fails: what is
    /// under way then may tell of the data, what is asked from then on does not.
    pub(super) fn note_disk_failure(&mut self) {
        if self.core.hides_data() == self.disk_failure.is_noticed {
            return;
        }
        let is_noticed = self.core.hides_data();
        let sessions = self.core.sessions().filter(|_| is_noticed);
        let owed = sessions.filter(|(_, session)| session.is_owed() || session.is_blocked());
        self.disk_failure = DiskFailure { is_noticed, owed: owed.map(|(id, _)| id).collect() };
    }

    /// Parts sessions whose replies have to wait from those that may be answered although the disk
    /// fails.
    fn part_the_waiting<'a>(
        &self,
        sessions: &'a mut [SessionId],
    ) -> (&'a [SessionId], &'a [SessionId]) {
        let failure = &self.disk_failure;
        if !failure.is_noticed {
            return (sessions, &[]);
        }
        let is_free = |session: &SessionId| {
            !failure.owed.contains(session) && !has_held(&self.held, *session)
        };
        sessions.sort_by_key(is_free);
        let waiting = sessions.partition_point(|session| !is_free(session));
        sessions.split_at(waiting)
    }

    fn put_aside(&mut self, sessions: &[SessionId], generation: Arc<Generation>, items: Vec<u64>) {
        let (mut replies, mut bytes) = (Vec::with_capacity(sessions.len()), 0);
        for &session in sessions {
            if let Some(state) = self.core.session_mut(session) {
                let output = std::mem::take(&mut state.output);
                bytes += output.len();
                replies.push((session, output));
            }
        }
        self.held.push(generation, items, replies, bytes);
    }

    /// Sends the replies whose changes are on the disk by now.
    pub(super) fn release_replies(&mut self) {
        while let Some(replies) = self.held.pop() {
            for (session, output) in replies {
                self.send_output(session, output);
            }
        }
    }

    /// Whether so much waits that no more commands should run.
    pub(super) fn is_holding_too_much(&self) -> bool {
        self.held.bytes() > HELD_BYTES_MAX
    }
}
