//! MIGRATE: keys move to another server.
//!
//! The code of the command packs the keys and then stops: what is packed travels while the slots
//! stay with the command (`core/departing.rs`), so nobody sees or changes a key in between. When
//! the other server has answered, the second half removes the keys it has acknowledged, and those
//! alone. To the journal that is a DEL.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::call::{Call, Sequel};
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::journal::write_command;
use crate::migration::{Credentials, Delivery, Shipment, Target};
use crate::number::parse_integer;
use crate::rdb::payload;

use super::dump::compression;

const NO_EMPTY_KEY: CommandError = CommandError::Fixed(
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
);

/// The argument that names an only key.
const KEY_INDEX: usize = 3;
/// The first option.
const OPTION_INDEX: usize = 6;
/// How long a step may take if the client does not say.
const DEFAULT_TIMEOUT_MS: u64 = 1000;

/// What is to be done here when keys have arrived.
pub(crate) struct Luggage {
    /// Arguments that name the keys, in the order they were sent.
    keys: Vec<usize>,
    /// Whether they stay here as well.
    copies: bool,
}

/// Keys that are about to leave.
pub(crate) struct Departure {
    pub(crate) shipment: Shipment,
    pub(crate) luggage: Luggage,
}

struct MigrateOptions {
    copies: bool,
    replaces: bool,
    credentials: Option<Credentials>,
    /// Arguments that name keys: from this one up to that one.
    keys: (usize, usize),
    timeout_ms: u64,
    db: i64,
}

impl MigrateOptions {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let (count, only_key) = (arguments.len(), (KEY_INDEX, KEY_INDEX + 1));
        let mut options = Self {
            copies: false,
            replaces: false,
            credentials: None,
            keys: only_key,
            timeout_ms: 0,
            db: 0,
        };
        let mut index = OPTION_INDEX;
        while index < count {
            let word_count = count - 1 - index;
            let word = |distance: usize| arguments.at(index + distance).to_vec();
            match () {
                () if arguments.is(index, "copy") => options.copies = true,
                () if arguments.is(index, "replace") => options.replaces = true,
                () if arguments.is(index, "auth") && word_count >= 1 => {
                    // A user that was named before stays.
                    let user = options.credentials.take().and_then(|before| before.user);
                    options.credentials = Some(Credentials { user, password: word(1) });
                    index += 1;
                }
                () if arguments.is(index, "auth2") && word_count >= 2 => {
                    let (user, password) = (Some(word(1)), word(2));
                    options.credentials = Some(Credentials { user, password });
                    index += 2;
                }
                () if arguments.is(index, "keys") => {
                    if !arguments.at(KEY_INDEX).is_empty() {
                        return Err(NO_EMPTY_KEY);
                    }
                    options.keys = (index + 1, count);
                    break;
                }
                () => return Err(error::SYNTAX),
            }
            index += 1;
        }
        let number = |index| parse_integer(arguments.at(index)).ok_or(error::NOT_AN_INTEGER);
        let timeout_ms = number(5)?;
        options.db = number(4)?;
        options.timeout_ms =
            u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0).unwrap_or(DEFAULT_TIMEOUT_MS);
        Ok(options)
    }
}

/// MIGRATE, up to the departure.
pub fn migrate(call: &mut Call<'_>) -> Outcome {
    let options = MigrateOptions::parse(call.arguments)?;
    let (keys, restores) = pack(call, &options);
    if keys.is_empty() {
        call.reply.simple("NOKEY");
        return Ok(());
    }
    let target = Target {
        host: call.arguments.at(1).to_vec(),
        port: call.arguments.at(2).to_vec(),
        credentials: options.credentials,
    };
    let timeout = Duration::from_millis(options.timeout_ms);
    let shipment = Shipment { target, db: options.db, timeout, restores, key_count: keys.len() };
    let luggage = Luggage { keys, copies: options.copies };
    call.sequel = Some(Box::new(Sequel::Departs(Departure { shipment, luggage })));
    Ok(())
}

/// The keys that are there, and the commands that make them elsewhere. O(bytes).
fn pack(call: &mut Call<'_>, options: &MigrateOptions) -> (Vec<usize>, Vec<u8>) {
    let (mut keys, mut restores) = (Vec::new(), Vec::new());
    let (access, compression) = (call.read_access(), compression(call.store.settings()));
    for index in options.keys.0..options.keys.1 {
        let (key, now_ms) = (call.key(index), call.store.now_ms());
        let Some(entry) = call.store.find(key, access) else { continue };
        // Zero would be no deadline at all.
        let ttl_ms = entry.expiry_ms().map_or(0, |at_ms| (at_ms - now_ms).max(1));
        let payload = payload::dump_for_any(entry.value(), now_ms, compression);
        let mut digits = itoa::Buffer::new();
        let parts: [&[u8]; 5] =
            [b"RESTORE", key.name, digits.format(ttl_ms).as_bytes(), &payload, b"REPLACE"];
        let part_count = if options.replaces { parts.len() } else { parts.len() - 1 };
        write_command(&mut restores, part_count, parts.into_iter().take(part_count));
        keys.push(index);
    }
    (keys, restores)
}

/// MIGRATE, after the other server has answered, or has failed to.
pub(crate) fn conclude(call: &mut Call<'_>, luggage: &Luggage, delivery: Delivery) -> Outcome {
    let mut names: Vec<&[u8]> = vec![b"DEL"];
    let arrivals = luggage.keys.iter().zip(delivery.acknowledged);
    for (&index, has_arrived) in arrivals.filter(|_| !luggage.copies) {
        let (key, lazily) = (call.key(index), call.store.settings().lazyfree_lazy_server_del);
        if has_arrived && call.store.remove(key, lazily) {
            call.store.changed(key, Event::Del);
            names.push(key.name);
        }
    }
    if names.len() > 1 {
        call.did(call.key(luggage.keys[0]), &names);
    }
    match delivery.error {
        None => call.reply.ok(),
        Some(error) => return Err(error),
    }
    Ok(())
}
