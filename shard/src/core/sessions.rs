//! The sessions of a core: opened and closed, held and resumed, and which of them has output.

use std::sync::Arc;

use super::session::{Hold, Origin, Session};
use super::{Closing, Core, Ending, SessionId};
use crate::audit::AuditEvent;
use crate::interests::Kind;

impl Core {
    /// Opens a session for a new connection. `id` must not be in use.
    pub fn open_session(&mut self, id: SessionId, origin: Origin) {
        let index = id.index as usize;
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        assert!(self.sessions[index].is_none(), "a session is closed before its index is reused");
        let user = Arc::clone(self.store.acl().default_user());
        let client_id = self.shared.next_client_id();
        let now_ms = self.store.now().monotonic_ms();
        let mut session = Session::new(client_id, origin, user, now_ms);
        session.generation = id.generation;
        self.sessions[index] = Some(Box::new(session));
        self.log_out(id);
        self.stats.connections_received += 1;
        self.audit_connection(id, AuditEvent::Connect);
    }

    /// Forgets a session whose connection has ended. Replies still under way to it are dropped.
    pub fn close_session(&mut self, id: SessionId) {
        if self.session(id).is_some() {
            self.audit_connection(id, AuditEvent::Disconnect);
            self.abandon_wait(id);
            self.discard_transaction(id);
            self.stop_tracking(id);
            self.unsubscribe_all(id);
            self.unweigh(id);
            self.sessions[id.index as usize] = None;
        }
    }

    /// Ends all subscriptions of a session.
    pub(crate) fn unsubscribe_all(&mut self, id: SessionId) {
        if self.session(id).is_some_and(|session| session.interests.is_some()) {
            self.abandon_interests(id, &[Kind::Channel, Kind::ShardChannel, Kind::Pattern]);
        }
    }

    /// The session `id`, unless it is closed.
    #[inline]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        let session = self.sessions.get(id.index as usize)?.as_deref()?;
        (session.generation == id.generation).then_some(session)
    }

    /// The session `id`, unless it is closed.
    #[inline]
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(id.index as usize)?.as_deref_mut()?;
        (session.generation == id.generation).then_some(session)
    }

    /// All open sessions of this core.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter().enumerate().filter_map(|(index, session)| {
            let session = session.as_deref()?;
            let id = SessionId { index: index as u32, generation: session.generation };
            Some((id, session))
        })
    }

    /// Whether any session has new output.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Sessions that have new output since the last call.
    pub fn take_changed(&mut self) -> Vec<SessionId> {
        for &id in &self.changed {
            if let Some(session) =
                self.sessions.get_mut(id.index as usize).and_then(|s| s.as_deref_mut())
            {
                session.is_changed = false;
            }
        }
        std::mem::take(&mut self.changed)
    }

    /// Gives the vector of [`Core::take_changed`] back for reuse.
    pub fn recycle_changed(&mut self, mut ids: Vec<SessionId>) {
        ids.clear();
        if self.changed.is_empty() {
            self.changed = ids;
        }
    }

    /// Sessions whose held commands may be offered again, or whose clients are to be let go.
    pub fn take_resumed(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.resumed)
    }

    /// Connections to end.
    pub fn take_closings(&mut self) -> Vec<Closing> {
        std::mem::take(&mut self.closings)
    }

    /// Asks for the end of a connection.
    pub fn close_connection(&mut self, session: SessionId, ending: Ending) {
        if let Some(open) = self.session_mut(session) {
            open.closing = true;
            open.is_gone |= ending != Ending::AfterOutput;
            self.closings.push(Closing { session, ending });
        }
    }

    /// Notes that a session has output.
    #[inline]
    pub(super) fn note_change(&mut self, id: SessionId) {
        let Some(session) = self.sessions[id.index as usize].as_deref_mut() else { return };
        if !session.is_changed {
            session.is_changed = true;
            self.changed.push(id);
        }
    }

    pub(super) fn hold(&mut self, id: SessionId, reason: Hold) {
        if let Some(session) = self.session_mut(id) {
            session.holds.insert(reason);
        }
    }

    /// The client has sent its last byte. The session is among those that may go on once it is owed
    /// nothing, or waits for what may never come.
    pub fn hold_until_answered(&mut self, id: SessionId) {
        self.hold(id, Hold::Replies);
        if let Some(session) = self.session_mut(id) {
            session.has_ended = true;
        }
    }

    /// Whether a session's commands have to wait.
    pub fn is_held(&self, id: SessionId) -> bool {
        self.session(id).is_none_or(|session| {
            !session.holds.is_empty() && !session.holds.let_scripts_pass() || session.closing
        })
    }

    /// Lets a session that is held for `reason` go on.
    pub(super) fn resume(&mut self, id: SessionId, reason: Hold) {
        if reason == Hold::Replies
            && let Some(session) = self.session_mut(id)
        {
            session.holds.remove(Hold::Scripts);
        }
        if let Some(session) = self.session_mut(id)
            && session.holds.contains(reason)
        {
            session.holds.remove(reason);
            if session.holds.is_empty() || session.holds.let_scripts_pass() {
                self.resumed.push(id);
            }
        }
    }

    /// Stops commands of all clients until `until_ms`; only writes unless `all`. A pause that is
    /// on is never shortened or weakened.
    pub fn pause(&mut self, until_ms: i64, all: bool) {
        self.pause.all |= all;
        self.pause.until_ms = self.pause.until_ms.max(until_ms);
        self.store.is_paused = true;
    }

    /// Ends `CLIENT PAUSE`.
    pub fn unpause(&mut self) {
        self.pause.until_ms = 0;
        self.pause.all = false;
        self.store.is_paused = false;
        for id in std::mem::take(&mut self.pause.waiting) {
            self.resume(id, Hold::Pause);
        }
    }

    /// When `CLIENT PAUSE` ends, in milliseconds since 1970, and whether reads are paused too.
    pub fn pause_state(&self) -> Option<(i64, bool)> {
        (self.pause.until_ms != 0).then_some((self.pause.until_ms, self.pause.all))
    }
}
