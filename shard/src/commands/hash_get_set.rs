//! Fields and their deadlines in one step: HGETEX, HSETEX, HGETDEL.

use super::hash::{Names, limits_of, reply_value, report_removal};
use super::hash_expire::{journal_deadline, journal_removed};
use super::hash_fields::{BAD_COUNT, check_type, read_deadline, read_fields};
use super::lifetime::TimeForm;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::hashes::{Hash, Lifetime};
use crate::number::parse_integer;
use crate::object::Missing;
use crate::store::{Access, Key};

const TWO_CONDITIONS: CommandError =
    CommandError::Fixed("ERR Only one of FXX or FNX arguments can be specified");
const TWO_KEY_CONDITIONS: CommandError =
    CommandError::Fixed("ERR Only one of XX or NX arguments can be specified");
const TWO_LIFETIMES: CommandError =
    CommandError::Fixed("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const NO_TIME: CommandError = CommandError::Fixed("ERR missing expire time");
const BAD_PAIR_COUNT: CommandError = CommandError::Fixed("ERR invalid number of fields");

fn time_form(arguments: Arguments<'_>, index: usize) -> Option<TimeForm> {
    match () {
        () if arguments.is(index, "ex") => Some(TimeForm::Seconds),
        () if arguments.is(index, "px") => Some(TimeForm::Milliseconds),
        () if arguments.is(index, "exat") => Some(TimeForm::UnixSeconds),
        () if arguments.is(index, "pxat") => Some(TimeForm::UnixMilliseconds),
        () => None,
    }
}

/// HGETDEL.
pub fn hgetdel(call: &mut Call<'_>) -> Outcome {
    check_type(call)?;
    let arguments = call.arguments;
    let first = read_fields(arguments, 2, BAD_COUNT)?;
    let (key, now_ms) = (call.key(1), call.store.now_ms());
    let reply = &mut call.reply;
    reply.array_len(arguments.len() - first);
    let removed = call.store.change_hash(key, Missing::Skip, |hash| {
        let mut removed = Names::new();
        for name in arguments.from(first) {
            reply_value(reply, Some(hash), name, now_ms);
            if hash.remove(name, now_ms) {
                removed.push(name);
            }
        }
        removed
    })?;
    match removed {
        Some(removed) if removed.is_empty() => {}
        Some(removed) => {
            report_removal(call.store, key, Event::HDel, removed.iter().copied());
            journal_removed(call, key, arguments.from(first).collect());
        }
        None => arguments.from(first).for_each(|_| call.reply.null()),
    }
    Ok(())
}

/// What HGETEX does to the deadlines of the fields it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retiming {
    Nothing,
    Persist,
    Until(i64),
}

impl Retiming {
    /// Reads the option at argument 2, if there is one. Returns where `FIELDS` is due.
    fn read(call: &Call<'_>) -> Result<(Self, usize), CommandError> {
        let arguments = call.arguments;
        if arguments.is(2, "persist") {
            return Ok((Self::Persist, 3));
        }
        match time_form(arguments, 2) {
            Some(form) => Ok((Self::Until(read_deadline(form, arguments.at(3), call)?), 4)),
            None => Ok((Self::Nothing, 2)),
        }
    }

    /// Does it to one field. Returns the event that is.
    fn apply(self, hash: &mut Hash, name: &[u8], now_ms: i64) -> Option<Event> {
        let present_ms = hash.deadline_ms(name, now_ms)?;
        match self {
            Self::Nothing => None,
            Self::Persist => {
                present_ms?;
                hash.set_deadline(name, None);
                Some(Event::HPersist)
            }
            Self::Until(at_ms) if at_ms <= now_ms => {
                hash.remove(name, now_ms);
                Some(Event::HDel)
            }
            Self::Until(at_ms) => {
                hash.set_deadline(name, Some(at_ms));
                Some(Event::HExpire)
            }
        }
    }
}

/// HGETEX.
pub fn hgetex(call: &mut Call<'_>) -> Outcome {
    check_type(call)?;
    let arguments = call.arguments;
    let (retiming, fields_at) = Retiming::read(call)?;
    let first = read_fields(arguments, fields_at, BAD_COUNT)?;
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let reply = &mut call.reply;
    reply.array_len(arguments.len() - first);
    if retiming == Retiming::Nothing {
        let hash = call.store.collection::<Hash>(key, access)?;
        arguments.from(first).for_each(|name| reply_value(reply, hash, name, now_ms));
        return Ok(());
    }
    let change = call.store.change_hash(key, Missing::Skip, |hash| {
        let (mut event, mut changed) = (None, Names::new());
        for name in arguments.from(first) {
            reply_value(reply, Some(hash), name, now_ms);
            if let Some(done) = retiming.apply(hash, name, now_ms) {
                event = Some(done);
                changed.push(name);
            }
        }
        event.map(|event| (event, changed))
    })?;
    match change {
        Some(Some((event, changed))) => {
            report_removal(call.store, key, event, changed.iter().copied());
            journal_retiming(call, key, retiming, first);
        }
        Some(None) => {}
        None => arguments.from(first).for_each(|_| call.reply.null()),
    }
    Ok(())
}

/// Tells the journal what became of the fields from argument `first` on.
fn journal_retiming(call: &mut Call<'_>, key: Key<'_>, retiming: Retiming, first: usize) {
    let (arguments, now_ms) = (call.arguments, call.store.now_ms());
    let names = arguments.from(first);
    match retiming {
        Retiming::Nothing => {}
        Retiming::Until(at_ms) if at_ms <= now_ms => journal_removed(call, key, names.collect()),
        Retiming::Until(at_ms) => journal_deadline(call, key, names.collect(), at_ms),
        Retiming::Persist => {
            let count = names.len().to_string();
            let head: [&[u8]; 4] = [b"HPERSIST", key.name, b"FIELDS", count.as_bytes()];
            let parts: Vec<&[u8]> = head.into_iter().chain(arguments.from(first)).collect();
            call.did(key, &parts);
        }
    }
}

/// Tells the journal which fields HSETEX has set; the conditions were met.
fn journal_fields(call: &mut Call<'_>, key: Key<'_>, options: &SetOptions) {
    let arguments = call.arguments;
    let text_count = arguments.len() - options.first_pair;
    let count = (text_count / 2).to_string();
    let deadline = match options.lifetime {
        Lifetime::Until(at_ms) => Some(at_ms.to_string()),
        Lifetime::Endless | Lifetime::Kept => None,
    };
    let mut parts: Vec<&[u8]> = Vec::with_capacity(text_count + 6);
    match (&deadline, options.lifetime) {
        (Some(at_ms), _) => {
            parts.extend([b"HSETEX", key.name, b"PXAT", at_ms.as_bytes()]);
            parts.extend([b"FIELDS", count.as_bytes()]);
        }
        (None, Lifetime::Kept) => {
            parts.extend([b"HSETEX", key.name, b"KEEPTTL", b"FIELDS", count.as_bytes()]);
        }
        (None, _) => parts.extend([b"HSET".as_slice(), key.name]),
    }
    parts.extend(arguments.from(options.first_pair));
    call.did(key, &parts);
}

/// What must be there, or must not, for a HSETEX to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Any,
    All,
    None,
}

/// The options of HSETEX.
struct SetOptions {
    fields: Presence,
    key: Presence,
    lifetime: Lifetime,
    first_pair: usize,
}

impl SetOptions {
    fn parse(call: &Call<'_>) -> Result<Self, CommandError> {
        let arguments = call.arguments;
        let mut options = Self {
            fields: Presence::Any,
            key: Presence::Any,
            lifetime: Lifetime::Endless,
            first_pair: 0,
        };
        let mut index = 2;
        while index < arguments.len() {
            if arguments.is(index, "fields") {
                options.first_pair = read_pairs(call, index)?;
                return Ok(options);
            }
            index += options.read_option(call, index)?;
        }
        Err(error::wrong_arity(call.row.name))
    }

    /// Reads one option in front of the fields; returns how many arguments it takes.
    fn read_option(&mut self, call: &Call<'_>, index: usize) -> Result<usize, CommandError> {
        let arguments = call.arguments;
        let demand = |place: &mut Presence, wanted, clash| match *place {
            Presence::Any => {
                *place = wanted;
                Ok(1)
            }
            _ => Err(clash),
        };
        match () {
            () if arguments.is(index, "fnx") => {
                return demand(&mut self.fields, Presence::None, TWO_CONDITIONS);
            }
            () if arguments.is(index, "fxx") => {
                return demand(&mut self.fields, Presence::All, TWO_CONDITIONS);
            }
            () if arguments.is(index, "nx") => {
                return demand(&mut self.key, Presence::None, TWO_KEY_CONDITIONS);
            }
            () if arguments.is(index, "xx") => {
                return demand(&mut self.key, Presence::All, TWO_KEY_CONDITIONS);
            }
            () => {}
        }
        let form = time_form(arguments, index);
        if form.is_none() && !arguments.is(index, "keepttl") {
            let text = error::printable(arguments.at(index), 128);
            return Err(CommandError::worded(format!("ERR unknown argument: {text}")));
        }
        if self.lifetime != Lifetime::Endless {
            return Err(TWO_LIFETIMES);
        }
        let Some(form) = form else {
            self.lifetime = Lifetime::Kept;
            return Ok(1);
        };
        let text = arguments.get(index + 1).ok_or(NO_TIME)?;
        self.lifetime = Lifetime::Until(read_deadline(form, text, call)?);
        Ok(2)
    }

    /// Whether the hash that is there, if any, is as it must be.
    fn are_met(&self, hash: Option<&Hash>, names: &[&[u8]], now_ms: i64) -> bool {
        let has = |name: &&[u8]| hash.is_some_and(|hash| hash.get(name, now_ms).is_some());
        let key_is_right = match self.key {
            Presence::Any => true,
            Presence::All => hash.is_some(),
            Presence::None => hash.is_none(),
        };
        key_is_right
            && match self.fields {
                Presence::Any => true,
                Presence::All => names.iter().all(has),
                Presence::None => !names.iter().any(has),
            }
    }
}

/// Reads `FIELDS numfields field value [field value ...]`; returns the index of the first field.
fn read_pairs(call: &Call<'_>, index: usize) -> Result<usize, CommandError> {
    let arguments = call.arguments;
    let first = index + 2;
    let bad_arity = || error::wrong_arity(call.row.name);
    let rest = arguments.len().checked_sub(first).filter(|rest| *rest >= 2);
    let rest = rest.ok_or_else(bad_arity)?;
    let count = parse_integer(arguments.at(index + 1)).ok_or(BAD_PAIR_COUNT)?;
    if !(1..=i64::from(i32::MAX)).contains(&count) {
        return Err(BAD_PAIR_COUNT);
    }
    if rest.is_multiple_of(2) && count as usize == rest / 2 { Ok(first) } else { Err(bad_arity()) }
}

/// HSETEX.
pub fn hsetex(call: &mut Call<'_>) -> Outcome {
    let options = SetOptions::parse(call)?;
    let arguments = call.arguments;
    let (key, now_ms, limits) = (call.key(1), call.store.now_ms(), limits_of(call.store));
    let indexes = (options.first_pair..arguments.len()).step_by(2);
    let names: Vec<&[u8]> = indexes.clone().map(|index| arguments.at(index)).collect();
    let hash = call.store.collection::<Hash>(key, Access::Peek)?;
    if !options.are_met(hash, &names, now_ms) {
        call.reply.integer(0);
        return Ok(());
    }
    if matches!(options.lifetime, Lifetime::Until(at_ms) if at_ms <= now_ms) {
        // Written and due at once: nobody could ever read them.
        let removed = call.store.change_hash(key, Missing::Skip, |hash| {
            let all = names.iter().copied();
            all.filter(|name| hash.remove(name, now_ms)).collect::<Names<'_>>()
        })?;
        if let Some(removed) = removed.filter(|removed| !removed.is_empty()) {
            report_removal(call.store, key, Event::HDel, removed.into_iter());
            journal_removed(call, key, names);
        }
    } else {
        call.store.change_hash(key, Missing::Create, |hash| {
            hash.expect_fields(names.len(), &limits);
            for index in indexes {
                let (name, value) = (arguments.at(index), arguments.at(index + 1));
                hash.set(name, value, options.lifetime, now_ms, &limits);
            }
        })?;
        call.store.changed_fields(key, Event::HSet, names.iter().copied());
        if matches!(options.lifetime, Lifetime::Until(_)) {
            call.store.changed_fields_too(key, Event::HExpire, names.iter().copied());
        }
        if call.store.journal.is_on() {
            journal_fields(call, key, &options);
        }
    }
    call.reply.integer(1);
    Ok(())
}
