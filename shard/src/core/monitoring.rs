//! MONITOR: every command that any core runs, as lines to those who asked for them.
//!
//! Each core knows all monitoring sessions. The core of the client makes the line, once for all of
//! them, when it has taken the command; lines for sessions of other cores travel as news
//! ([`super::spreading`]), ahead of the command if that leaves, too. So the lines of one client are
//! in order, a script stands before what it runs, and those of different cores are nearly in order.
//!
//! ```text
//! +1339518087.877697 [0 127.0.0.1:60866] "set" "key" "value"
//! ```
//!
//! A monitor that has left is forgotten when a line comes back that nobody wanted. Without monitors
//! all of this costs one test a command.

use std::io::Write;
use std::sync::Arc;

use super::parcels::Parcel;
use super::{Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::command::{Command, flag};
use crate::core::session::Session;
use crate::news::Notice;
use crate::redaction;

/// Where a line says its command came from when that was a script.
pub const FROM_SCRIPT: &str = "lua";

impl Core {
    /// Feeds another session from now on.
    pub(crate) fn add_monitor(&mut self, core: CoreId, session: SessionId) {
        if !self.monitors.contains(&(core, session)) {
            self.monitors.push((core, session));
        }
    }

    /// Whether anybody monitors.
    #[inline]
    pub(super) fn is_monitored(&self) -> bool {
        !self.monitors.is_empty()
    }

    /// A session that monitors has left or has had enough.
    pub(super) fn forget_monitor(&mut self, core: CoreId, session: SessionId) {
        self.monitors.retain(|known| *known != (core, session));
    }

    /// A session has run a command.
    #[cold]
    pub(super) fn show_command(&mut self, id: SessionId, row: &Command, arguments: Arguments<'_>) {
        let Some(session) = self.session(id) else { return };
        let (db, origin) = (session.db, origin_of(session));
        self.show_to_monitors(db, &origin, row, arguments);
    }

    /// The same for a command of any origin: an address, or [`FROM_SCRIPT`].
    pub fn show_to_monitors(
        &mut self,
        db: u32,
        origin: &str,
        row: &Command,
        arguments: Arguments<'_>,
    ) {
        if row.flags.intersects(flag::ADMIN) {
            return;
        }
        let now_us = self.store.now().unix_us;
        let (seconds, us) = (now_us / 1_000_000, now_us % 1_000_000);
        let mut line = format!("+{seconds}.{us:06} [{db} {origin}]").into_bytes();
        for index in 0..arguments.len() {
            line.push(b' ');
            match redaction::is_secret(row, arguments, index, &*self.host) {
                true => line.extend_from_slice(b"\"(redacted)\""),
                false => push_quoted(&mut line, arguments.at(index)),
            }
        }
        line.extend_from_slice(b"\r\n");
        self.send_line(line.into());
    }

    /// Keeps lines back until [`Core::take_held_lines`]: a script is shown ahead of what it runs,
    /// but only once it is sure that it was taken.
    pub(super) fn hold_lines(&mut self) {
        self.held_lines = Some(Vec::new());
    }

    /// The lines that were kept back; none if none were to be, or not any more.
    pub(super) fn take_held_lines(&mut self) -> Option<Vec<Arc<[u8]>>> {
        self.held_lines.take()
    }

    /// A script was taken and is about to leave for where it will run: shows it before anybody can
    /// show what it runs. It is not to be shown again, which [`Core::take_held_lines`] tells.
    pub(super) fn show_script_ahead(
        &mut self,
        id: SessionId,
        row: &Command,
        arguments: Arguments<'_>,
    ) {
        if self.held_lines.take().is_some() {
            self.show_command(id, row, arguments);
        }
    }

    pub(super) fn send_line(&mut self, line: Arc<[u8]>) {
        if let Some(lines) = &mut self.held_lines {
            lines.push(line);
            return;
        }
        for (core, session) in self.monitors.clone() {
            if core != self.id {
                self.dispatch(core, None, Notice::Line { to: session, line: Arc::clone(&line) });
            } else if !self.take_line(session, &line) {
                self.forget_monitor(core, session);
            }
        }
    }

    /// A line has come for a session of this core. If that has left, the sender is told, where it
    /// is known; where not, the next line will do.
    pub(super) fn deliver_line(&mut self, id: SessionId, line: &[u8]) {
        if !self.take_line(id, line)
            && let Some(sender) = self.hears_from.filter(|sender| *sender != self.id)
        {
            self.post(sender, Parcel::MonitorLeft(id));
        }
    }

    /// A line for a session of this core; whether it wants it.
    fn take_line(&mut self, id: SessionId, line: &[u8]) -> bool {
        let Some(session) = self.session_mut(id).filter(|session| session.is_monitor) else {
            return false;
        };
        session.reply_output().bytes.extend_from_slice(line);
        self.note_change(id);
        true
    }
}

/// A client as lines name it.
fn origin_of(session: &Session) -> String {
    match session.origin.is_unix {
        true => format!("unix:{}", session.origin.local.trim_end_matches(":0")),
        false => session.origin.peer.clone(),
    }
}

/// Appends an argument in quotes, as Redis writes texts that may hold any bytes.
pub(crate) fn push_quoted(line: &mut Vec<u8>, text: &[u8]) {
    line.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x07 => line.extend_from_slice(b"\\a"),
            0x08 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => write!(line, "\\x{byte:02x}").expect("memory takes all that is written"),
        }
    }
    line.push(b'"');
}
