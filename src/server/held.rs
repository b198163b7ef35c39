//! Replies that wait for the disk: `appendfsync always`.
//!
//! What a core answers may tell of changes that are not on the disk yet, its own and those of other
//! cores. So the replies of a turn are put aside with the number of items every core had made by
//! then, and leave once all of these are on the disk. Cores go on meanwhile, which is what makes
//! one fsync serve all commands of several turns.

use std::collections::VecDeque;
use std::sync::Arc;

use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::core::SessionId;
use basalt_shard::reply::Output;

use super::aof::Generation;
use super::driver::Driver;

/// Bytes of replies that may wait. With more, commands wait as well.
const HELD_BYTES_MAX: usize = 64 << 20;

/// Replies of one turn, and what they wait for.
struct Turn {
    generation: Arc<Generation>,
    items: Vec<u64>,
    replies: Vec<(SessionId, Output)>,
}

/// All of them.
#[derive(Default)]
pub struct HeldReplies {
    turns: VecDeque<Turn>,
    bytes: usize,
}

impl HeldReplies {
    /// Whether a session has any.
    pub fn has(&self, session: SessionId) -> bool {
        self.turns.iter().flat_map(|turn| &turn.replies).any(|(other, _)| *other == session)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

impl Driver {
    /// Hands what was told since the last turn to the thread that writes it.
    pub(super) fn keep_journal(&mut self) {
        let store = &mut self.core.store;
        if !store.journal().has_text() {
            return;
        }
        let must = store.journal().text_bytes() > basalt_persist::aof::segment::BACKLOG_BYTES_MAX;
        let seconds =
            self.settings.append_only.aof_timestamp_enabled.then(|| store.now().unix_seconds());
        let id = self.core.id();
        self.process.append_only.hand_over(id, &mut self.core.store, seconds, must);
    }

    /// Puts the replies of this turn aside, if they have to wait; whether it has.
    pub(super) fn hold_replies(&mut self, sessions: &[SessionId]) -> bool {
        if sessions.is_empty() || !self.core.store.journal().is_on() {
            return false;
        }
        if self.settings.append_only.appendfsync != SyncPolicy::Always {
            return false;
        }
        let Some(generation) = self.process.append_only.generation(self.core.id()) else {
            return false;
        };
        let items = generation.made();
        if self.held.is_empty() && generation.is_durable(&items) {
            return false;
        }
        let mut replies = Vec::with_capacity(sessions.len());
        for &session in sessions {
            if let Some(state) = self.core.session_mut(session) {
                let output = std::mem::take(&mut state.output);
                self.held.bytes += output.len();
                replies.push((session, output));
            }
        }
        self.held.turns.push_back(Turn { generation, items, replies });
        true
    }

    /// Sends the replies whose changes are on the disk by now.
    pub(super) fn release_replies(&mut self) {
        while let Some(turn) = self.held.turns.front() {
            // A generation that is over was brought to the disk before the next one began.
            if !turn.generation.is_durable(&turn.items) {
                return;
            }
            let Some(turn) = self.held.turns.pop_front() else { return };
            for (session, output) in turn.replies {
                self.held.bytes -= output.len();
                self.send_output(session, output);
            }
        }
    }

    /// Whether so much waits that no more commands should run.
    pub(super) fn is_holding_too_much(&self) -> bool {
        self.held.bytes > HELD_BYTES_MAX
    }
}
