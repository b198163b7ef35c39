//! Replies that wait for the disk (`appendfsync always`), as the loop of a core sees them. What
//! they wait for, and why, stands in [`basalt_persist::aof::commit`].

use basalt_persist::aof::commit::Held;
use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::core::SessionId;
use basalt_shard::reply::Output;

use super::clock;
use super::driver::Driver;

/// Bytes of replies that may wait. With more, commands wait as well.
const HELD_BYTES_MAX: usize = 64 << 20;

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
        let Some(items) = self.held.wait_for(&generation) else { return false };
        let (mut replies, mut bytes) = (Vec::with_capacity(sessions.len()), 0);
        for &session in sessions {
            if let Some(state) = self.core.session_mut(session) {
                let output = std::mem::take(&mut state.output);
                bytes += output.len();
                replies.push((session, output));
            }
        }
        self.held.push(generation, items, replies, bytes);
        true
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
