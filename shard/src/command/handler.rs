//! What a command row holds as its executable part.

use crate::arguments::Arguments;
use crate::call::{Call, SessionCall};
use crate::error::Outcome;
use crate::hash::HashSlot;

/// Runs a command on keys, at the core where they all are.
pub type KeysHandler = fn(&mut Call<'_>) -> Outcome;

/// Runs a command on the connection or the server, at the core of the connection.
pub type SessionHandler = fn(&mut SessionCall<'_>) -> Outcome;

/// The executable part of a row.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Works on the keys the row's specifications name.
    Keys(KeysHandler),
    /// Works on one slot, which the function finds in the arguments (`SCAN` in its cursor).
    Slot(KeysHandler, fn(Arguments<'_>) -> HashSlot),
    /// Works on the channel that the first argument names, at the owner of the channel's slot.
    Channel(KeysHandler),
    /// Works on the connection or the server.
    Session(SessionHandler),
}

impl Handler {
    /// The code, if it works on keys.
    #[inline]
    pub fn on_keys(self) -> Option<KeysHandler> {
        match self {
            Self::Keys(handler) | Self::Slot(handler, _) | Self::Channel(handler) => Some(handler),
            Self::Session(_) => None,
        }
    }
}

/// Names the code of a command on keys: `on_keys!(string::get)`.
macro_rules! on_keys {
    ($family:ident :: $function:ident) => {
        $crate::command::Handler::Keys($crate::commands::$family::$function)
    };
}

/// Names the code of a command on one slot and the function that finds the slot.
macro_rules! on_slot {
    ($family:ident :: $function:ident, $finder:ident) => {
        $crate::command::Handler::Slot(
            $crate::commands::$family::$function,
            $crate::commands::$family::$finder,
        )
    };
}

/// Names the code of a command on a channel.
macro_rules! on_channel {
    ($family:ident :: $function:ident) => {
        $crate::command::Handler::Channel($crate::commands::$family::$function)
    };
}

/// Names the code of a command on the connection or the server.
macro_rules! on_session {
    ($family:ident :: $function:ident) => {
        $crate::command::Handler::Session($crate::commands::$family::$function)
    };
}

pub(crate) use {on_channel, on_keys, on_session, on_slot};
