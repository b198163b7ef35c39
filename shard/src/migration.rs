//! What MIGRATE hands to whoever speaks to other servers, and what comes of it.
//!
//! A core talks to nobody outside. It packs what is to be sent into a [`Shipment`] and gives that
//! to its host, which answers with a [`Journey`] to be asked now and then, or takes the time it
//! takes. Either ends in a [`Delivery`]: which keys the other server has acknowledged, and what
//! went wrong.

use std::time::Duration;

use crate::error::CommandError;

/// The other server cannot be reached.
pub const CANNOT_CONNECT: CommandError =
    CommandError::Fixed("IOERR error or timeout connecting to the client");
/// It does not take what is sent.
pub const CANNOT_WRITE: CommandError =
    CommandError::Fixed("IOERR error or timeout writing to target instance");
/// It does not answer.
pub const CANNOT_READ: CommandError =
    CommandError::Fixed("IOERR error or timeout reading to target instance");

/// Who to log in as at the other server.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// None for the default user, by password alone.
    pub user: Option<Vec<u8>>,
    /// The password.
    pub password: Vec<u8>,
}

/// The other server, as the client named it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address.
    pub host: Vec<u8>,
    /// Port, in digits if it is one.
    pub port: Vec<u8>,
    /// Who to log in as, if at all.
    pub credentials: Option<Credentials>,
}

/// Keys on their way.
pub struct Shipment {
    /// Where to.
    pub target: Target,
    /// Into which database.
    pub db: i64,
    /// How long any single step may take: connecting, or waiting to write or read.
    pub timeout: Duration,
    /// RESTORE commands, as they are sent.
    pub restores: Vec<u8>,
    /// How many.
    pub key_count: usize,
}

/// What came of a shipment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// For each key, in order, whether the other server has it now. May end early.
    pub acknowledged: Vec<bool>,
    /// What the client is told instead of OK.
    pub error: Option<CommandError>,
}

impl Delivery {
    /// Nothing arrived.
    pub fn failed(error: CommandError) -> Self {
        Self { acknowledged: Vec::new(), error: Some(error) }
    }
}

/// A shipment under way.
pub trait Journey: Send {
    /// How it ended, once it has; asked no more after that. Takes no time.
    fn delivery(&mut self) -> Option<Delivery>;
}
