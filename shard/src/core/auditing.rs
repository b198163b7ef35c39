//! The audit log at a core: what happens to its clients, for the host. Off, all of this costs one
//! test a command.

use super::{Core, SessionId};
use crate::arguments::Arguments;
use crate::audit::{AuditClass, AuditEvent, AuditRecord};
use crate::command::Command;
use crate::slow_log::Summary;

impl Core {
    /// Whether anything is told.
    #[inline]
    pub(super) fn is_audited(&self) -> bool {
        !self.audit.is_empty()
    }

    /// A client has come, or is about to leave.
    pub(super) fn audit_connection(&mut self, id: SessionId, event: AuditEvent) {
        if self.audit.contains(AuditClass::Connection) {
            self.tell_audit(Some(id), AuditClass::Connection, event, true, None);
        }
    }

    /// Somebody gave a name and a password.
    pub(super) fn audit_login(&mut self, id: SessionId, name: &[u8], is_allowed: bool) {
        if self.audit.contains(AuditClass::Auth)
            && let Some(record) =
                self.audit_record(Some(id), AuditClass::Auth, AuditEvent::Login, is_allowed)
        {
            self.host.audit(AuditRecord { user: name.into(), ..record });
        }
    }

    /// A command was taken. Logins are told where they succeed or fail.
    #[cold]
    pub(super) fn audit_command(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) {
        let is_login = row.container.is_empty() && matches!(row.name, "auth" | "hello");
        if let Some(class) = AuditClass::of(row)
            && self.audit.contains(class)
            && !is_login
        {
            self.tell_audit(Some(id), class, AuditEvent::Command, true, Some((row, arguments)));
        }
    }

    /// A command was queued: EXEC is not told what it runs.
    #[inline]
    pub(super) fn audit_queued(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) {
        if self.is_audited() {
            self.audit_command(id, row, arguments);
        }
    }

    /// A command was refused, since its user may not run it. `id` is none for a client elsewhere.
    pub(super) fn audit_refusal(
        &mut self,
        id: Option<SessionId>,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) {
        if self.audit.contains(AuditClass::Denied) {
            let line = Some((row, arguments));
            self.tell_audit(id, AuditClass::Denied, AuditEvent::Command, false, line);
        }
    }

    fn tell_audit(
        &mut self,
        id: Option<SessionId>,
        class: AuditClass,
        event: AuditEvent,
        is_allowed: bool,
        line: Option<(&'static Command, Arguments<'_>)>,
    ) {
        let Some(mut record) = self.audit_record(id, class, event, is_allowed) else { return };
        if let Some((row, arguments)) = line {
            record.command = self.summary(row, arguments);
            row.for_each_key(arguments, |_| record.key_count += 1);
        }
        self.host.audit(record);
    }

    /// A record without a command line; none if the client has left.
    fn audit_record(
        &self,
        id: Option<SessionId>,
        class: AuditClass,
        event: AuditEvent,
        is_allowed: bool,
    ) -> Option<AuditRecord> {
        let session = match id {
            Some(id) => Some(self.session(id)?),
            None => None,
        };
        Some(AuditRecord {
            unix_ms: self.store.now().unix_ms(),
            class,
            event,
            is_allowed,
            user: session.map(|session| (*session.user.name).into()).unwrap_or_default(),
            peer: session.map(|session| session.origin.peer.clone()).unwrap_or_default(),
            client_id: session.map_or(0, |session| session.client_id),
            db: session.map_or(0, |session| session.db),
            command: Summary::new(),
            key_count: 0,
        })
    }
}
