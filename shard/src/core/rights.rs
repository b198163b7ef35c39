//! Users at a core: who a session is logged in as, and what it is refused.
//!
//! All cores hold the same [`Acl`] and take a new one while a parking tour passes through, so a
//! command is checked by the rights of one moment. Commands are checked at the core of the client,
//! before they are queued, sent or run; what EXEC runs is checked once more.

use std::sync::Arc;

use super::session::Rights;
use super::transaction::Execution;
use super::{Core, Ending, SessionId};
use crate::acl::log::{self, Context, Entry, Log, Reason};
use crate::acl::{self, Acl, UserId};
use crate::arguments::Arguments;
use crate::command::{Command, flag};
use crate::commands::client::describe;
use crate::core::message::Batch;
use crate::error::{self, CommandError, Outcome};
use crate::interests::Kind;
use crate::key_waits::KeyWaiter;
use crate::mutation::{self, Mutation};

impl Core {
    /// All users.
    pub fn acl(&self) -> &Arc<Acl> {
        self.store.acl()
    }

    /// What clients of this core were refused.
    pub(crate) fn acl_log(&mut self) -> &mut Log {
        &mut self.acl_log
    }

    /// Puts other users in force at this core. Connections of users that are gone are closed; the
    /// client that asked for it gets its answer before.
    pub(crate) fn apply_acl(&mut self, acl: &Arc<Acl>, asker: u64) {
        let is_new = self.acl().users().len() != acl.users().len();
        if mutation::is_on(Mutation::RightsMissed) && self.id.0 == 1 && !is_new {
            return;
        }
        self.store.set_acl(Arc::clone(acl));
        let everybody: Vec<(SessionId, u64)> =
            self.sessions().map(|(id, session)| (id, session.client_id)).collect();
        for (id, client_id) in everybody {
            let session = self.session_mut(id).expect("it was there a moment ago");
            match acl.user(&session.user.name).filter(|user| user.id == session.user.id) {
                Some(user) => {
                    let before = std::mem::replace(&mut session.user, Arc::clone(user));
                    let is_listening = session.is_subscriber();
                    self.note_rights(id);
                    if is_listening && !user.keeps_channels(&before) && self.overhears(id) {
                        self.close_connection(id, Ending::asked_for_by(asker, client_id));
                    }
                }
                None => {
                    self.log_out(id);
                    self.close_connection(id, Ending::asked_for_by(asker, client_id));
                }
            }
        }
    }

    /// Whether a session listens to something that its user may not listen to any more.
    fn overhears(&self, id: SessionId) -> bool {
        let Some(session) = self.session(id) else { return false };
        let Some(interests) = session.interests.as_deref() else { return false };
        let kinds = [(Kind::Channel, false), (Kind::ShardChannel, false), (Kind::Pattern, true)];
        kinds.into_iter().any(|(kind, is_pattern)| {
            interests.names(kind).any(|name| !session.user.may_listen_to(name, is_pattern))
        })
    }

    /// Works out anew what has to be checked for a session.
    fn note_rights(&mut self, id: SessionId) {
        let is_open = self.acl().is_open();
        let limits = Arc::clone(&self.store.settings().rate_limits);
        let session = self.session_mut(id).expect("the caller has seen the session");
        session.bucket = if limits.is_empty() { None } else { limits.of(&session.user.name) };
        session.rights = match () {
            () if !session.is_logged_in && !is_open => Rights::None,
            () if session.user.is_unrestricted() && session.bucket.is_none() => Rights::All,
            () => Rights::Some,
        };
    }

    /// Makes a session what it is when it connects.
    pub(crate) fn log_out(&mut self, id: SessionId) {
        let acl = Arc::clone(self.acl());
        let session = self.session_mut(id).expect("the caller has seen the session");
        session.user = Arc::clone(acl.default_user());
        session.is_logged_in = acl.is_open();
        self.note_rights(id);
    }

    /// AUTH.
    ///
    /// # Errors
    ///
    /// There is no such user with that password.
    pub(crate) fn log_in(&mut self, id: SessionId, name: &[u8], password: &[u8]) -> Outcome {
        let user = self.acl().authenticate(name, password).map(Arc::clone);
        let session = self.session_mut(id).expect("a session is open while its command runs");
        let Some(user) = user else {
            let context = context_of(session.transaction.is_some());
            self.note_refusal(Some(id), context, Reason::Auth, b"AUTH", name);
            self.audit_login(id, name, false);
            return Err(error::WRONG_PASSWORD);
        };
        session.user = user;
        session.is_logged_in = true;
        self.note_rights(id);
        self.audit_login(id, name, true);
        Ok(())
    }

    /// Logs a session in as the user its certificate names. Where there is no such user, or it is
    /// disabled, the session stays who it is, and the ACL log says so; whether it was logged in.
    pub fn log_in_by_certificate(&mut self, id: SessionId, name: &[u8]) -> bool {
        let user = self.acl().user(name).filter(|user| user.is_enabled).map(Arc::clone);
        let Some(user) = user else {
            self.note_refusal(Some(id), Context::TopLevel, Reason::Certificate, b"TLS", name);
            return false;
        };
        let Some(session) = self.session_mut(id) else { return false };
        session.user = user;
        session.is_logged_in = true;
        self.note_rights(id);
        true
    }

    /// Checks a command of a session whose user may not do everything.
    #[cold]
    pub(super) fn check_rights(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) -> Outcome {
        let session = self.session_mut(id).expect("the caller has seen the session");
        if session.rights == Rights::None && !row.flags.contains(flag::NO_AUTH) {
            self.audit_refusal(Some(id), row, arguments);
            return Err(error::NO_AUTH);
        }
        self.take_token(id, row)?;
        let session = self.session_mut(id).expect("seen above");
        // A script of this client may be refused something while its command still runs.
        session.figures.last_command = Some(row);
        let user = Arc::clone(&session.user);
        let Err(denial) = acl::check(&user, row, &arguments) else { return Ok(()) };
        let context = context_of(session.transaction.is_some());
        let (reason, object) = log::subject(denial, row, &arguments);
        self.note_refusal(Some(id), context, reason, &object, &user.name);
        self.audit_refusal(Some(id), row, arguments);
        Err(denial.error(&user, row))
    }

    /// Takes a token from the bucket of the user, if it is limited. Who is to log in first, or
    /// wants to leave, needs none.
    fn take_token(&mut self, id: SessionId, row: &'static Command) -> Outcome {
        let now_ns = self.store.now().monotonic_us * 1000;
        let Some(session) = self.session(id) else { return Ok(()) };
        let Some(bucket) = session.bucket.as_deref() else { return Ok(()) };
        if row.flags.contains(flag::NO_AUTH) || bucket.take(now_ns) {
            return Ok(());
        }
        let error = error::throttled(bucket.per_second, &session.user.name);
        self.stats.throttled_commands += 1;
        Err(error)
    }

    /// A command was put off, and will take its token when it is offered again.
    #[cold]
    pub(super) fn return_token(&mut self, id: SessionId, row: Option<&'static Command>) {
        if let Some(bucket) = self.session(id).and_then(|session| session.bucket.as_deref())
            && row.is_some_and(|row| !row.flags.contains(flag::NO_AUTH))
        {
            bucket.give_back();
        }
    }

    /// Other limits are in force: everybody gets the bucket that is meant for its user.
    pub(super) fn renew_buckets(&mut self) {
        let everybody: Vec<SessionId> = self.sessions().map(|(id, _)| id).collect();
        everybody.into_iter().for_each(|id| self.note_rights(id));
    }

    /// Checks a queued command right before it runs: rights may have changed since.
    pub(super) fn check_queued(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) -> Outcome {
        let Some(session) = self.session(id).filter(|session| session.rights != Rights::All) else {
            return Ok(());
        };
        let user = Arc::clone(&session.user);
        let Err(denial) = acl::check(&user, row, &arguments) else { return Ok(()) };
        let (reason, object) = log::subject(denial, row, &arguments);
        self.note_refusal(Some(id), Context::Multi, reason, &object, &user.name);
        self.audit_refusal(Some(id), row, arguments);
        Err(denial.error_at_exec())
    }

    /// Checks a command of a script that runs on behalf of a user.
    pub(crate) fn check_scripted(
        &mut self,
        user: Option<UserId>,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) -> Outcome {
        let Some(id) = user else { return Ok(()) };
        let user = self.acl().by_id(id).map(Arc::clone).ok_or(error::NO_AUTH)?;
        if user.is_unrestricted() {
            return Ok(());
        }
        let Err(denial) = acl::check(&user, row, &arguments) else { return Ok(()) };
        let (reason, object) = log::subject(denial, row, &arguments);
        let client = self.script_author.filter(|author| author.core == self.id);
        let client = client.map(|author| author.session);
        self.note_refusal(client, Context::Script, reason, &object, &user.name);
        self.audit_refusal(client, row, arguments);
        Err(denial.error_in_script(&user, row, &arguments))
    }

    /// Whether somebody who waits for keys has lost the right to them meanwhile: what it is told.
    pub(super) fn check_waiter(&mut self, waiter: &KeyWaiter) -> Outcome {
        let arguments = waiter.arguments.borrow();
        let Some(id) = waiter.caller.user else { return Ok(()) };
        let Some(user) = self.acl().by_id(id).map(Arc::clone) else {
            // Its connection is about to be closed; what is here is not for it any more.
            return Err(error::NO_AUTH);
        };
        if user.is_unrestricted() {
            return Ok(());
        }
        let Err(denial) = acl::check(&user, waiter.row, &arguments) else { return Ok(()) };
        let (reason, object) = log::subject(denial, waiter.row, &arguments);
        let is_here = waiter.address.core == self.id;
        let client = is_here.then_some(waiter.address.session);
        self.note_refusal(client, Context::TopLevel, reason, &object, &user.name);
        Err(denial.error(&user, waiter.row))
    }

    /// Checks all commands of a transaction that is about to leave for other cores.
    pub(super) fn check_all_queued(
        &mut self,
        id: SessionId,
        batch: &Batch,
        execution: &mut Execution,
    ) {
        for (index, command) in batch.commands.iter().enumerate() {
            if let Err(error) = self.check_queued(id, command.row, batch.arguments(index)) {
                execution.refused.push((index, error));
            }
        }
    }

    /// Notes that something was refused, for ACL LOG and INFO. `id` is none for a client elsewhere.
    pub(crate) fn note_refusal(
        &mut self,
        id: Option<SessionId>,
        context: Context,
        reason: Reason,
        object: &[u8],
        user_name: &[u8],
    ) {
        self.stats.denials.count(reason);
        let entries_max = self.store.settings().acllog_max_len;
        if entries_max == 0 {
            return self.acl_log.reset();
        }
        let mut client = String::new();
        if let Some(session) = id.and_then(|id| self.session(id)) {
            describe(self, session, &mut client);
        }
        client.truncate(client.trim_end().len());
        let now_ms = self.store.now_ms();
        let entry = Entry {
            count: 1,
            reason,
            context,
            object: object.into(),
            user_name: user_name.into(),
            client,
            id: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        self.acl_log.add(entry, entries_max, || self.shared.next_acl_log_id());
    }
}

fn context_of(is_in_transaction: bool) -> Context {
    if is_in_transaction { Context::Multi } else { Context::TopLevel }
}

impl Execution {
    /// The error of a command that was refused before the transaction set out.
    pub(super) fn refusal(&self, index: usize) -> Option<&CommandError> {
        self.refused.iter().find(|(refused, _)| *refused == index).map(|(_, error)| error)
    }
}
