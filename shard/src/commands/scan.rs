//! SCAN: walks all keys a few at a time.
//!
//! ```text
//! cursor:  | position in the order of hashes: 48 bits | slot: 14 bits |
//! ```
//!
//! A cursor says where in which slot to go on, so it stays right when tables grow, when slots move
//! to other cores, and when the number of cores changes. A key that is there from the first call to
//! the last is returned, whatever happens meanwhile.
//!
//! One call visits slots in ascending order. Where the next one lives on another core, the command
//! travels there with its [`Walk`]: the place to go on at, the names found, and what is left of its
//! bounds.
//!
//! ```text
//!   SCAN 0 --> core 0: slots 0..8191 --walk--> core 1: slots 8192.. --> reply, at home
//! ```
//!
//! A call ends when it has found enough, or has visited ten buckets for each key asked for, or has
//! passed over all slots without keys there are, or has changed cores [`HOPS_MAX`] times. So one
//! call never takes long, however little fits its pattern, and an empty page is no sign of the end.

use crate::arguments::Arguments;
use crate::call::{Call, Travel};
use crate::error::{self, CommandError, Outcome};
use crate::field_expiry::is_listed;
use crate::glob;
use crate::hash::HashSlot;
use crate::number::parse_integer;
use crate::table::Position;
use crate::types::Type;

const SLOT_BITS: u32 = 14;

/// Slots without keys one call passes over at most: all there are.
const EMPTY_SLOTS_MAX: usize = 16_384;

/// Buckets one call visits for each key it is asked for, as Redis does.
const BUCKETS_PER_COUNT: usize = 10;

/// How often one call goes on at another core. More than servers have cores as a rule: only slots
/// that were moved away from their neighbours need so many.
const HOPS_MAX: usize = 64;

/// How far a call has come.
pub struct Walk {
    /// The slot to go on in.
    pub slot: HashSlot,
    position: Position,
    names: Vec<Vec<u8>>,
    buckets_left: usize,
    empty_slots_left: usize,
    hops_left: usize,
}

impl Walk {
    fn new(cursor: u64, count: usize) -> Self {
        Self {
            slot: slot_of(cursor),
            position: Position::from_bits(cursor >> SLOT_BITS),
            names: Vec::new(),
            buckets_left: count.saturating_mul(BUCKETS_PER_COUNT),
            empty_slots_left: EMPTY_SLOTS_MAX,
            hops_left: HOPS_MAX,
        }
    }

    fn cursor(&self) -> u64 {
        self.position.to_bits() << SLOT_BITS | u64::from(self.slot.number())
    }

    /// Whether the call is over, though there is more to see.
    fn is_over(&self, count: usize) -> bool {
        self.names.len() >= count || self.buckets_left == 0 || self.empty_slots_left == 0
    }
}

fn slot_of(cursor: u64) -> HashSlot {
    HashSlot::new((cursor & ((1 << SLOT_BITS) - 1)) as u16).expect("fourteen bits are a slot")
}

/// The slot a cursor points to; a cursor that is none points to the first.
pub fn cursor_slot(arguments: Arguments<'_>) -> HashSlot {
    slot_of(arguments.get(1).and_then(parse_cursor).unwrap_or(0))
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

/// What is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walked {
    /// Keys of a database.
    Keys,
    /// Elements within one key, which have no types.
    Elements,
}

impl<'a> Options<'a> {
    /// Reads the options from argument `first` on.
    pub fn parse(arguments: Arguments<'a>, first: usize) -> Result<Self, CommandError> {
        Self::parse_for(Walked::Keys, arguments, first)
    }

    fn parse_for(
        walked: Walked,
        arguments: Arguments<'a>,
        first: usize,
    ) -> Result<Self, CommandError> {
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
                () if walked == Walked::Keys && arguments.is(index, "type") => {
                    options.kind = Some(value);
                }
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
        Self::parse_for(Walked::Elements, arguments, first)
    }

    /// Whether a name fits the pattern.
    pub(super) fn wants_name(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, glob::Case::Sensitive))
    }

    fn wants_type(&self, kind: Type) -> bool {
        self.kind.is_none_or(|wanted| kind.name().as_bytes().eq_ignore_ascii_case(wanted))
    }
}

/// SCAN.
pub fn scan(call: &mut Call<'_>) -> Outcome {
    let cursor = parse_cursor(call.arguments.at(1)).ok_or(error::INVALID_CURSOR)?;
    let options = Options::parse(call.arguments, 2)?;
    let (mut walk, may_travel) = match std::mem::take(&mut call.travel) {
        Travel::None => (Box::new(Walk::new(cursor, options.count)), false),
        Travel::Start => (Box::new(Walk::new(cursor, options.count)), true),
        Travel::Onward(walk) => (walk, true),
    };
    let next = match walk_here(call, &options, &mut walk) {
        Stop::End => 0,
        Stop::Over => walk.cursor(),
        Stop::Elsewhere if may_travel && walk.hops_left > 0 => {
            walk.hops_left -= 1;
            call.travel = Travel::Onward(walk);
            return Ok(());
        }
        Stop::Elsewhere => walk.cursor(),
    };
    call.reply.array_len(2);
    let mut digits = itoa::Buffer::new();
    call.reply.bulk(digits.format(next).as_bytes());
    call.reply.array_len(walk.names.len());
    for name in &walk.names {
        call.reply.bulk(name);
    }
    Ok(())
}

/// Why a walk stopped.
enum Stop {
    /// All slots were visited.
    End,
    /// The call is over.
    Over,
    /// The slot to go on in lives on another core, or is lent.
    Elsewhere,
}

/// Visits slots as long as they are here.
fn walk_here(call: &mut Call<'_>, options: &Options<'_>, walk: &mut Walk) -> Stop {
    loop {
        if !call.store.has_slot(walk.slot) {
            return Stop::Elsewhere;
        }
        match visit_bucket(call, options, walk) {
            Visit::More(next) => walk.position = next,
            visit => {
                if let Visit::NoKeys = visit {
                    walk.empty_slots_left -= 1;
                }
                let Some(next) = HashSlot::new(walk.slot.number() + 1) else { return Stop::End };
                walk.slot = next;
                walk.position = Position::START;
            }
        }
        if walk.is_over(options.count) {
            return Stop::Over;
        }
    }
}

/// What was found in a bucket of a slot.
enum Visit {
    /// There are more buckets from here on.
    More(Position),
    /// It was the last one.
    Last,
    /// There was none.
    NoKeys,
}

/// Visits one bucket of the slot a walk is in. Expired keys found there are removed, as any command
/// that comes across one does.
fn visit_bucket(call: &mut Call<'_>, options: &Options<'_>, walk: &mut Walk) -> Visit {
    let now_ms = call.store.now_ms();
    let mut expired = Vec::new();
    let table = call.store.table(walk.slot, call.caller.db).filter(|table| !table.is_empty());
    let Some(table) = table else { return Visit::NoKeys };
    walk.buckets_left -= 1;
    let next = table.scan(walk.position, |entry| {
        if !options.wants_name(entry.key()) {
            return;
        }
        if !is_listed(entry, now_ms) {
            expired.push(entry.key().to_vec());
        } else if options.wants_type(Type::of(entry.kind())) {
            walk.names.push(entry.key().to_vec());
        }
    });
    for name in &expired {
        // Looking at it is enough.
        call.store.exists(call.store.key(call.caller.db, name));
    }
    next.map_or(Visit::Last, Visit::More)
}
