//! SCAN: walks all keys a few at a time.
//!
//! ```text
//! cursor:  | position in the order of hashes: 48 bits | slot: 14 bits |
//! ```
//!
//! A cursor says where in which slot to go on, so it stays right when tables grow, when slots move
//! to other cores, and when the number of cores changes. A key that is there from the first call to
//! the last is returned, whatever happens meanwhile.

use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::field_expiry::is_listed;
use crate::glob;
use crate::hash::HashSlot;
use crate::number::parse_integer;
use crate::table::Position;
use crate::types::Type;

const SLOT_BITS: u32 = 14;

/// Slots without keys one call passes over at most.
const EMPTY_SLOTS_MAX: usize = 16_384;

/// Buckets one call visits for each key it is asked for, as Redis does.
const BUCKETS_PER_COUNT: usize = 10;

/// The slot a cursor points to; a cursor that is none points to the first.
pub fn cursor_slot(arguments: Arguments<'_>) -> HashSlot {
    let cursor = arguments.get(1).and_then(parse_cursor).unwrap_or(0);
    HashSlot::new((cursor & ((1 << SLOT_BITS) - 1)) as u16).expect("fourteen bits are a slot")
}

/// Reads the cursor of any command that walks.
pub(super) fn parse_cursor(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What a SCAN is asked for besides its place.
pub struct Options<'a> {
    /// `MATCH`
    pub pattern: Option<&'a [u8]>,
    /// `COUNT`
    pub count: usize,
    /// `TYPE`
    pub kind: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Reads the options from argument `first` on.
    pub fn parse(arguments: Arguments<'a>, first: usize) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: 10, kind: None };
        let mut index = first;
        while index < arguments.len() {
            let value = arguments.get(index + 1).ok_or(error::SYNTAX)?;
            match () {
                () if arguments.is(index, "count") => {
                    let count = parse_integer(value).ok_or(error::NOT_AN_INTEGER)?;
                    if count < 1 {
                        return Err(error::SYNTAX);
                    }
                    options.count = count as usize;
                }
                () if arguments.is(index, "match") => {
                    options.pattern = (value != b"*").then_some(value);
                }
                () if arguments.is(index, "type") => options.kind = Some(value),
                () => return Err(error::SYNTAX),
            }
            index += 2;
        }
        Ok(options)
    }

    /// Reads the options of a walk within one key, where no type is asked for.
    pub(super) fn parse_without_type(
        arguments: Arguments<'a>,
        first: usize,
    ) -> Result<Self, CommandError> {
        let options = Self::parse(arguments, first)?;
        if options.kind.is_some() { Err(error::SYNTAX) } else { Ok(options) }
    }

    /// Whether a name fits the pattern.
    pub(super) fn wants_name(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, glob::Case::Sensitive))
    }

    fn wants(&self, name: &[u8], kind: Type) -> bool {
        self.wants_name(name)
            && self.kind.is_none_or(|wanted| kind.name().as_bytes().eq_ignore_ascii_case(wanted))
    }
}

/// SCAN.
pub fn scan(call: &mut Call<'_>) -> Outcome {
    let text = call.arguments.at(1);
    let cursor = parse_cursor(text).ok_or(error::INVALID_CURSOR)?;
    let options = Options::parse(call.arguments, 2)?;
    let mut slot = cursor_slot(call.arguments);
    let mut position = Position::from_bits(cursor >> SLOT_BITS);
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut steps = options.count.saturating_mul(BUCKETS_PER_COUNT);
    let mut empty_slots = 0;
    let next = loop {
        match scan_step(call, slot, position, &options, &mut names) {
            Some(next) => position = next,
            None => {
                position = Position::START;
                let Some(next_slot) = HashSlot::new(slot.number() + 1) else { break 0 };
                slot = next_slot;
                // The next slot may live on another core, or be lent: the next call goes there.
                if !call.store.has_slot(slot) {
                    break cursor_of(slot, position);
                }
                empty_slots += 1;
            }
        }
        steps = steps.saturating_sub(1);
        if names.len() >= options.count || empty_slots >= EMPTY_SLOTS_MAX {
            break cursor_of(slot, position);
        }
        if steps == 0 && !names.is_empty() {
            break cursor_of(slot, position);
        }
    };
    call.reply.array_len(2);
    let mut digits = itoa::Buffer::new();
    call.reply.bulk(digits.format(next).as_bytes());
    call.reply.array_len(names.len());
    for name in &names {
        call.reply.bulk(name);
    }
    Ok(())
}

fn cursor_of(slot: HashSlot, position: Position) -> u64 {
    position.to_bits() << SLOT_BITS | u64::from(slot.number())
}

/// Visits one bucket of one slot; where to go on in it, or `None` at its end.
fn scan_step(
    call: &mut Call<'_>,
    slot: HashSlot,
    position: Position,
    options: &Options<'_>,
    names: &mut Vec<Vec<u8>>,
) -> Option<Position> {
    let now_ms = call.store.now_ms();
    let table = call.store.table(slot, call.caller.db)?;
    table.scan(position, |entry| {
        let kind = Type::of(entry.kind());
        if is_listed(entry, now_ms) && options.wants(entry.key(), kind) {
            names.push(entry.key().to_vec());
        }
    })
}
