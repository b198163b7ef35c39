//! The filters of CLIENT LIST and CLIENT KILL.
//!
//! All filters of a command must hold. Redis 7.2 has the first seven; the rest and the `NOT-`
//! forms are Valkey's.

use crate::acl::Acl;
use crate::arguments::Arguments;
use crate::commands::client::flags;
use crate::core::Core;
use crate::core::session::Session;
use crate::error::{self, CommandError};
use crate::number::parse_integer;

/// Which command the filters belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    List,
    Kill,
}

/// Kinds of connections that TYPE tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientType {
    Normal,
    Primary,
    Replica,
    PubSub,
}

enum Condition {
    Ids(Vec<u64>),
    Type(ClientType),
    User(Vec<u8>),
    Address(Vec<u8>),
    LocalAddress(Vec<u8>),
    AgeMin(u64),
    Name(Vec<u8>),
    IdleMin(u64),
    Flags(Vec<u8>),
    LibraryName(Vec<u8>),
    LibraryVersion(Vec<u8>),
    Database(u32),
    Ip(Vec<u8>),
}

/// A conjunction of conditions on clients.
pub(super) struct ClientFilter {
    conditions: Vec<(Condition, bool)>,
    /// `SKIPME`, where it was given.
    pub(super) skip_me: Option<bool>,
}

impl ClientFilter {
    /// The client connected from `address`.
    pub(super) fn of_address(address: &[u8]) -> Self {
        Self { conditions: vec![(Condition::Address(address.to_vec()), true)], skip_me: None }
    }

    /// Reads filters from argument `first` on.
    pub(super) fn parse(
        arguments: Arguments<'_>,
        first: usize,
        purpose: Purpose,
    ) -> Result<Self, CommandError> {
        let mut filter = Self { conditions: Vec::new(), skip_me: None };
        let mut index = first;
        while index < arguments.len() {
            if index + 1 >= arguments.len() {
                return Err(error::SYNTAX);
            }
            let (name, wanted) = strip_not(arguments.at(index));
            index += 1;
            if name.eq_ignore_ascii_case(b"skipme") && wanted {
                filter.skip_me = Some(yes_or_no(arguments, index)?);
                index += 1;
                continue;
            }
            let condition = if name.eq_ignore_ascii_case(b"id") {
                parse_ids(arguments, &mut index, purpose)?
            } else {
                let condition = parse_condition(name, arguments.at(index))?;
                index += 1;
                condition
            };
            filter.conditions.push((condition, wanted));
        }
        Ok(filter)
    }

    /// Sees to it that the users that are named exist.
    ///
    /// # Errors
    ///
    /// One does not.
    pub(super) fn check_users(&self, acl: &Acl) -> Result<(), CommandError> {
        for (condition, _) in &self.conditions {
            if let Condition::User(name) = condition
                && acl.user(name).is_none()
            {
                let name = error::printable(name, 128);
                return Err(CommandError::worded(format!("ERR No such user '{name}'")));
            }
        }
        Ok(())
    }

    /// Whether a client meets all conditions.
    pub(super) fn matches(&self, core: &Core, session: &Session) -> bool {
        self.conditions.iter().all(|(condition, wanted)| condition.holds(core, session) == *wanted)
    }
}

fn strip_not(name: &[u8]) -> (&[u8], bool) {
    match name.split_at_checked(4) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"not-") => (rest, false),
        _ => (name, true),
    }
}

fn yes_or_no(arguments: Arguments<'_>, index: usize) -> Result<bool, CommandError> {
    match () {
        () if arguments.is(index, "yes") => Ok(true),
        () if arguments.is(index, "no") => Ok(false),
        () => Err(error::SYNTAX),
    }
}

/// One id or several; the first word that is no number belongs to the next filter.
fn parse_ids(
    arguments: Arguments<'_>,
    index: &mut usize,
    purpose: Purpose,
) -> Result<Condition, CommandError> {
    let refusal = match purpose {
        Purpose::List => CommandError::Fixed("ERR Invalid client ID"),
        Purpose::Kill => CommandError::Fixed("ERR client-id should be greater than 0"),
    };
    let mut ids = Vec::new();
    while let Some(argument) = arguments.get(*index) {
        match parse_integer(argument) {
            Some(id) if id > 0 => ids.push(id as u64),
            None if !ids.is_empty() && !argument.first().is_some_and(u8::is_ascii_digit) => break,
            _ => return Err(refusal),
        }
        *index += 1;
    }
    Ok(Condition::Ids(ids))
}

fn parse_condition(name: &[u8], value: &[u8]) -> Result<Condition, CommandError> {
    let name = name.to_ascii_lowercase();
    let bytes = value.to_vec();
    Ok(match name.as_slice() {
        b"type" => Condition::Type(parse_type(value)?),
        b"user" => Condition::User(bytes),
        b"addr" => Condition::Address(bytes),
        b"laddr" => Condition::LocalAddress(bytes),
        b"maxage" => Condition::AgeMin(positive(value, "maxage")?),
        b"name" => Condition::Name(bytes),
        b"idle" => Condition::IdleMin(positive(value, "idle")?),
        b"flags" => Condition::Flags(bytes),
        b"lib-name" => Condition::LibraryName(bytes),
        b"lib-ver" => Condition::LibraryVersion(bytes),
        b"db" => {
            let db = parse_integer(value).and_then(|db| u32::try_from(db).ok());
            Condition::Database(db.ok_or(error::BAD_DATABASE)?)
        }
        b"ip" => Condition::Ip(bytes),
        _ => return Err(error::SYNTAX),
    })
}

fn parse_type(name: &[u8]) -> Result<ClientType, CommandError> {
    Ok(match name.to_ascii_lowercase().as_slice() {
        b"normal" => ClientType::Normal,
        b"master" | b"primary" => ClientType::Primary,
        b"slave" | b"replica" => ClientType::Replica,
        b"pubsub" => ClientType::PubSub,
        _ => {
            let name = error::printable(name, 128);
            return Err(CommandError::worded(format!("ERR Unknown client type '{name}'")));
        }
    })
}

fn positive(value: &[u8], name: &str) -> Result<u64, CommandError> {
    match parse_integer(value) {
        Some(number) if number > 0 => Ok(number as u64),
        Some(_) => Err(CommandError::worded(format!("ERR {name} should be greater than 0"))),
        None => Err(CommandError::worded(format!("ERR {name} is not an integer or out of range"))),
    }
}

impl Condition {
    fn holds(&self, core: &Core, session: &Session) -> bool {
        let now_ms = core.store.now().monotonic_ms();
        let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
        let figures = &session.figures;
        match self {
            Self::Ids(ids) => ids.contains(&session.client_id),
            Self::Type(kind) => match session.is_subscriber() {
                true => *kind == ClientType::PubSub,
                false => *kind == ClientType::Normal,
            },
            Self::User(user) => *session.user().name == **user,
            Self::Address(address) => session.origin.peer.as_bytes() == address,
            Self::LocalAddress(address) => session.origin.local.as_bytes() == address,
            Self::AgeMin(seconds) => seconds_since(figures.connected_ms) >= *seconds,
            Self::Name(name) => session.name.as_deref().unwrap_or_default() == name,
            Self::IdleMin(seconds) => seconds_since(figures.active_ms) >= *seconds,
            Self::Flags(letters) => {
                let flags = flags(session);
                letters.iter().all(|letter| flags.as_bytes().contains(letter))
            }
            Self::LibraryName(name) => session.library_name.as_deref().unwrap_or_default() == name,
            Self::LibraryVersion(version) => {
                session.library_version.as_deref().unwrap_or_default() == version
            }
            Self::Database(db) => session.db == *db,
            Self::Ip(ip) => {
                let peer = session.origin.peer.as_bytes();
                let host =
                    peer.iter().rposition(|byte| *byte == b':').map_or(peer, |at| &peer[..at]);
                host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host) == ip
            }
        }
    }
}
