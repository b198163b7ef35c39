//! What the audit log is told: who did what, and whether it was allowed.
//!
//! A core makes a record where a command is taken or refused, at the core of its client, and gives
//! it to the host, which never waits. The command line is shortened and without secrets, as in the
//! slow log.

use crate::command::{Command, flag};
use crate::slow_log::Summary;

/// Kinds of events that are told or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AuditClass {
    /// Clients come and go.
    Connection = 1,
    /// Somebody logs in, or fails to.
    Auth = 2,
    /// Commands that administrate the server.
    Admin = 4,
    /// Commands that may change keys.
    Write = 8,
    /// Commands that read keys.
    Read = 16,
    /// Commands that were refused for want of rights.
    Denied = 32,
}

impl AuditClass {
    /// All of them, in the order of their names in the configuration.
    pub const ALL: [Self; 6] =
        [Self::Connection, Self::Auth, Self::Admin, Self::Write, Self::Read, Self::Denied];

    /// The name the configuration and the log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Auth => "auth",
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Read => "read",
            Self::Denied => "denied",
        }
    }

    /// The class of a command that is allowed; none if it is of no interest.
    pub fn of(row: &Command) -> Option<Self> {
        let has = |flags| row.flags.intersects(flags);
        match () {
            () if has(flag::ADMIN) => Some(Self::Admin),
            () if has(flag::WRITE) => Some(Self::Write),
            () if has(flag::READONLY) => Some(Self::Read),
            () if has(flag::SCRIPT_RUNNER) => Some(Self::Write),
            () => None,
        }
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditClasses(u8);

impl AuditClasses {
    /// Adds a class.
    pub fn insert(&mut self, class: AuditClass) {
        self.0 |= class as u8;
    }

    /// Whether a class is in it.
    #[inline]
    pub fn contains(self, class: AuditClass) -> bool {
        self.0 & class as u8 != 0
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A client has connected.
    Connect,
    /// A client has left.
    Disconnect,
    /// A client gave a name and a password.
    Login,
    /// A command was taken to be run, queued or sent, or it was refused.
    Command,
}

impl AuditEvent {
    /// The name the log uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Login => "login",
            Self::Command => "command",
        }
    }
}

/// One line of the log.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// When it was, milliseconds since 1970.
    pub unix_ms: i64,
    /// Its class.
    pub class: AuditClass,
    /// What it was.
    pub event: AuditEvent,
    /// Whether it was allowed.
    pub is_allowed: bool,
    /// Name of the user; of a login, the name that was given.
    pub user: Box<[u8]>,
    /// Address of the client; empty if it is not known.
    pub peer: String,
    /// Its id, 0 if it is not known.
    pub client_id: u64,
    /// The selected database.
    pub db: u32,
    /// The command line, shortened and without secrets.
    pub command: Summary,
    /// How many keys it names.
    pub key_count: usize,
}
