//! TLS of client connections: byte strings in, byte strings out.
//!
//! ```text
//!   reactor --sealed bytes--> TlsSession --plain bytes--> parser
//!   reactor <--sealed bytes-- TlsSession <--replies------ core
//! ```
//!
//! * [`session`] is one connection: opens what was received, seals what is to be sent.
//! * [`server`] makes the configuration all connections of a moment share, from the contents of
//!   files; [`identity`] reads certificates and keys, [`suites`] the names of ciphers,
//!   [`certificate`] what a certificate says, [`cache`] remembers sessions to be resumed.
//! * [`queue`] holds replies until they are sealed.
//!
//! rustls does the protocol and ring the arithmetic. No name of theirs is used outside this module,
//! since their interfaces change between versions more often than ours should. The unbuffered
//! interface of rustls is used: it leaves memory to the caller, so that a connection with nothing
//! under way holds no buffer, and reads no socket.
//!
//! Invariants:
//! * Nothing here does I/O. The one clock that is read tells how old a remembered session is.
//! * Input of a peer is bounded before it is kept, and never panics: what is wrong with it is a
//!   [`TlsError`], after which the connection has to be closed.
//! * A record holds up to 16 KiB, and each is sealed by one call of the cipher.
//!
//! Deliberately absent: compression, renegotiation, early data (it can be replayed), versions
//! before 1.2, ciphers without forward secrecy or authentication, all of which rustls does without;
//! and kTLS, which needs a kernel that offers it.

pub mod certificate;
pub mod identity;
pub mod queue;
pub mod server;
pub mod session;
pub mod suites;

mod cache;

pub use server::{ClientCertificates, SessionCacheLimits, TlsOptions, TlsServer};
pub use session::TlsSession;

use std::fmt;

/// Why a TLS configuration cannot be used, or a connection cannot go on. Displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl TlsError {
    fn new(text: impl Into<String>) -> TlsError {
        TlsError(text.into())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> TlsError {
        TlsError(error.to_string())
    }
}
