//! SET and its older siblings.
//!
//! Almost every SET of the world is `SET key value`, so that form takes a path of its own: one
//! lookup, no option in sight.

use super::comparison::Condition;
use super::lifetime::{Lifetime, TimeForm};
use super::string::{reply_present_string, reply_string, value_of};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::store::{Access, Key, Store};
use crate::types::Type;

/// When a value that is written goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Never.
    Never,
    /// When the value it replaces would have.
    Kept,
    /// At this time in milliseconds since 1970, which may be past.
    At(i64),
}

impl Expiry {
    /// What the options of a command that replaces a value come to.
    pub(super) fn of(lifetime: Lifetime<'_>, call: &Call<'_>) -> Result<Self, CommandError> {
        Ok(match lifetime.deadline_ms(call)? {
            Some(at_ms) => Self::At(at_ms),
            None if lifetime == Lifetime::Keep => Self::Kept,
            None => Self::Never,
        })
    }
}

/// Stores `text` under a key, and reports it.
pub(super) fn store_string(store: &mut Store, key: Key<'_>, text: &[u8], expiry: Expiry) {
    match expiry {
        // Not stored at all: nobody could ever read it.
        Expiry::At(at_ms) if at_ms <= store.now_ms() => {
            if store.remove(key, store.settings().lazyfree_lazy_expire) {
                store.changed(key, Event::Del);
                store.journal.replace(key.db, &[b"DEL", key.name]);
            }
        }
        Expiry::At(at_ms) => {
            store.replace(key, Type::String, value_of(text), Some(at_ms), Event::Set);
            store.changed_too(key, Event::Expire);
            journal_set(store, key, text, Some(at_ms));
        }
        Expiry::Kept => {
            let kept = store.find(key, Access::Peek).and_then(|entry| entry.expiry_ms());
            store.replace(key, Type::String, value_of(text), kept, Event::Set);
            journal_set(store, key, text, kept);
        }
        Expiry::Never => store.replace(key, Type::String, value_of(text), None, Event::Set),
    }
}

/// Tells the journal what string a key has now, and until when.
pub(super) fn journal_set(store: &mut Store, key: Key<'_>, text: &[u8], expiry_ms: Option<i64>) {
    if !store.journal.is_on() {
        return;
    }
    match expiry_ms {
        Some(at_ms) => {
            let at_ms = at_ms.to_string();
            store.journal.replace(key.db, &[b"SET", key.name, text, b"PXAT", at_ms.as_bytes()]);
        }
        None => store.journal.replace(key.db, &[b"SET", key.name, text]),
    }
}

/// SET.
#[inline]
pub fn set(call: &mut Call<'_>) -> Outcome {
    if call.arguments.len() > 3 {
        return set_with_options(call);
    }
    let key = call.key(1);
    call.store.replace(key, Type::String, value_of(call.arguments.at(2)), None, Event::Set);
    call.reply.ok();
    Ok(())
}

/// What stands behind `SET key value`.
#[derive(Default)]
struct Options<'a> {
    condition: Condition<'a>,
    lifetime: Lifetime<'a>,
    returns_old: bool,
}

impl<'a> Options<'a> {
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut index = 3;
        while index < arguments.len() {
            if arguments.is(index, "get") {
                options.returns_old = true;
                index += 1;
                continue;
            }
            let taken = match options.condition.read_option(arguments, index) {
                0 => options.lifetime.read_option(arguments, index),
                taken => taken,
            };
            if taken == 0 {
                return Err(error::SYNTAX);
            }
            index += taken;
        }
        if options.lifetime == Lifetime::Persist {
            return Err(error::SYNTAX);
        }
        Ok(options)
    }
}

fn set_with_options(call: &mut Call<'_>) -> Outcome {
    let options = Options::parse(call.arguments)?;
    let expiry = Expiry::of(options.lifetime, call)?;
    let key = call.key(1);
    if options.returns_old || options.condition != Condition::Always {
        let access = if options.returns_old { call.read_access() } else { Access::Peek };
        let old = call.store.find(key, access).map(|entry| entry.value());
        let is_met = options.condition.is_met(old)?;
        match old {
            Some(value) if options.returns_old => reply_string(&mut call.reply, value)?,
            None if options.returns_old => call.reply.null(),
            _ if !is_met => call.reply.null(),
            _ => {}
        }
        if !is_met {
            return Ok(());
        }
    }
    store_string(call.store, key, call.arguments.at(2), expiry);
    if expiry == Expiry::Never {
        // Older servers do not know every condition, and this one was met.
        journal_set(call.store, key, call.arguments.at(2), None);
    }
    if !options.returns_old {
        call.reply.ok();
    }
    Ok(())
}

/// SETNX.
pub fn setnx(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let is_new = !call.store.exists(key);
    if is_new {
        store_string(call.store, key, call.arguments.at(2), Expiry::Never);
    }
    call.reply.integer(i64::from(is_new));
    Ok(())
}

/// SETEX.
pub fn setex(call: &mut Call<'_>) -> Outcome {
    set_for_a_time(call, TimeForm::Seconds)
}

/// PSETEX.
pub fn psetex(call: &mut Call<'_>) -> Outcome {
    set_for_a_time(call, TimeForm::Milliseconds)
}

fn set_for_a_time(call: &mut Call<'_>, form: TimeForm) -> Outcome {
    let at_ms = form.read_deadline(call.arguments.at(2), call)?;
    store_string(call.store, call.key(1), call.arguments.at(3), Expiry::At(at_ms));
    call.reply.ok();
    Ok(())
}

/// GETSET.
pub fn getset(call: &mut Call<'_>) -> Outcome {
    reply_present_string(call)?;
    store_string(call.store, call.key(1), call.arguments.at(2), Expiry::Never);
    Ok(())
}
