//! What can go wrong while measuring, in one enum.
//!
//! A benchmark that limps on after a failure prints figures nobody may trust, so every failure
//! ends the run: these values travel straight up to `main`, which prints them and exits.

use std::fmt;
use std::io;

use crate::resp::skimmer::ProtocolError;

/// Result of everything here that can fail.
pub(crate) type Outcome<T> = Result<T, BenchError>;

/// The reason a run was given up.
#[derive(Debug)]
pub(crate) enum BenchError {
    /// The command line asks for something impossible; the text says what and why.
    Usage(String),
    /// The operating system refused something.
    Io {
        /// What was being attempted, as a noun phrase ("connect to 127.0.0.1:6379").
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The server sent bytes that are not RESP.
    Protocol(ProtocolError),
    /// The server closed a connection that still had requests to answer.
    Disconnected,
    /// A control command was refused or answered with something unusable.
    Reply {
        /// The command that was sent.
        command: String,
        /// The server's answer.
        text: String,
    },
    /// The measured commands drew errors, or replies of another type than the table expects.
    WrongReplies {
        /// Which workload on which server.
        workload: String,
        /// What was seen instead.
        text: String,
    },
    /// A server started by the harness ended, or never answered.
    ServerFailed {
        /// The server's label on the command line.
        label: String,
        /// What happened.
        problem: String,
        /// The last lines of its log.
        log_tail: String,
    },
}

impl BenchError {
    /// Wraps an operating system error with what was being attempted.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "{text}"),
            Self::Io { doing, source } => write!(f, "cannot {doing}: {source}"),
            Self::Protocol(problem) => write!(f, "the server broke the protocol: {problem}"),
            Self::Disconnected => write!(f, "the server closed a connection in mid-run"),
            Self::Reply { command, text } => write!(f, "{command} was answered with: {text}"),
            Self::WrongReplies { workload, text } => write!(f, "{workload}: {text}"),
            Self::ServerFailed { label, problem, log_tail } => {
                write!(f, "server '{label}' {problem}; the end of its log:\n{log_tail}")
            }
        }
    }
}

impl std::error::Error for BenchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Protocol(problem) => Some(problem),
            _ => None,
        }
    }
}

impl From<ProtocolError> for BenchError {
    fn from(problem: ProtocolError) -> Self {
        Self::Protocol(problem)
    }
}
