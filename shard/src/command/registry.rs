//! All registered commands, and finding one by name.
//!
//! The rows of `rows/` are gathered at compile time into two tables: commands, and the subcommands
//! of all containers. Gathering gives every row its [`CommandId`].
//!
//! # Lookup
//!
//! A name is at most 23 bytes long, so that it fits three words: bytes in lower case, padded with
//! zeros, and the length in the last byte. Two names are equal if these words are.
//!
//! ```text
//! byte     0  1  2  3  4  5  6  7 | 8 .. 15 | 16 .. 22 | 23
//! "GetEx"  g  e  t  e  x  0  0  0 | 0       | 0        | 5
//! ```
//!
//! The words are hashed into an open-addressed table of 32-byte slots that hold the words
//! themselves, so that a hit reads one cache line of the table and nothing of the row. Everything
//! is computed by the compiler: there is nothing to initialise and no lock or flag to test. Names
//! from the network are not hashed with a secret: the table never grows and is mostly empty, so the
//! longest search is known and asserted.
//!
//! Invariants: no two commands share a name; probing ends within `PROBE_COUNT_MAX` slots.

use std::cell::Cell;

use super::row::{Command, CommandId};
use super::rows::FAMILIES;

const COMMAND_COUNT: usize = count().0;
const SUBCOMMAND_COUNT: usize = count().1;

static COMMANDS: [Command; COMMAND_COUNT] = gather_commands();
static SUBCOMMANDS: [Command; SUBCOMMAND_COUNT] = gather_subcommands();
static TABLE: Table = Table::build();

/// All registered commands without their subcommands, family by family.
pub fn commands() -> &'static [Command] {
    &COMMANDS
}

/// The number of registered commands and subcommands: every [`CommandId`] is below it.
pub const fn command_count() -> usize {
    COMMAND_COUNT + SUBCOMMAND_COUNT
}

/// The command or subcommand with that id. O(1).
pub fn by_id(id: CommandId) -> &'static Command {
    match id.index().checked_sub(COMMAND_COUNT) {
        None => &COMMANDS[id.index()],
        Some(index) => &SUBCOMMANDS[index],
    }
}

/// The command of that name, in any letter case. O(1), a few nanoseconds, no allocation.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    TABLE.find(Name::pack(name)?)
}

/// The command or subcommand written as COMMAND INFO and ACL rules do: `get`, `client|kill`.
pub fn lookup_full_name(name: &[u8]) -> Option<&'static Command> {
    let mut words = name.split(|byte| *byte == b'|');
    let command = lookup(words.next()?)?;
    match (words.next(), words.next()) {
        (None, _) => Some(command),
        (Some(subcommand), None) => command.subcommand(subcommand),
        (Some(_), Some(_)) => None,
    }
}

/// The command or subcommand that a command line of these first two arguments runs.
///
/// A container without a subcommand gives the container itself.
pub fn lookup_line(name: &[u8], next: Option<&[u8]>) -> Option<&'static Command> {
    let command = lookup(name)?;
    match next {
        Some(subcommand) if !command.subcommands.is_empty() => command.subcommand(subcommand),
        _ => Some(command),
    }
}

const fn count() -> (usize, usize) {
    let (mut commands, mut subcommands) = (0, 0);
    let mut family = 0;
    while family < FAMILIES.len() {
        let rows = FAMILIES[family];
        let mut row = 0;
        while row < rows.len() {
            let built = built_subcommands(&rows[row]);
            subcommands += built;
            commands += (rows[row].handler.is_some() || built > 0) as usize;
            row += 1;
        }
        family += 1;
    }
    (commands, subcommands)
}

/// Subcommands that have code. The others, like commands without code, are not registered: to the
/// server they do not exist.
const fn built_subcommands(row: &Command) -> usize {
    let (mut built, mut index) = (0, 0);
    while index < row.subcommands.len() {
        built += row.subcommands[index].handler.is_some() as usize;
        index += 1;
    }
    built
}

const fn gather_commands() -> [Command; COMMAND_COUNT] {
    let mut commands = [FAMILIES[0][0]; COMMAND_COUNT];
    let (mut next, mut next_subcommand) = (0, 0);
    let mut family = 0;
    while family < FAMILIES.len() {
        let rows = FAMILIES[family];
        let mut row = 0;
        while row < rows.len() {
            let mut command = rows[row];
            let count = built_subcommands(&command);
            row += 1;
            if command.handler.is_none() && count == 0 {
                continue;
            }
            assert!(command.container.is_empty(), "containers stand on their own");
            assert!(can_find_keys(&command), "keys without a fixed place need a resolver");
            command.id = CommandId(next as u16);
            command.subcommands = SUBCOMMANDS.split_at(next_subcommand).1.split_at(count).0;
            commands[next] = command;
            next += 1;
            next_subcommand += count;
        }
        family += 1;
    }
    commands
}

const fn gather_subcommands() -> [Command; SUBCOMMAND_COUNT] {
    let mut subcommands = [FAMILIES[0][0]; SUBCOMMAND_COUNT];
    let mut next = 0;
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            let container = &FAMILIES[family][row];
            let mut index = 0;
            while index < container.subcommands.len() {
                let mut command = container.subcommands[index];
                index += 1;
                if command.handler.is_none() {
                    continue;
                }
                assert!(can_find_keys(&command), "keys without a fixed place need a resolver");
                assert!(command.subcommands.is_empty(), "containers do not nest");
                assert!(same(command.container, container.name), "a subcommand knows its place");
                command.id = CommandId((COMMAND_COUNT + next) as u16);
                subcommands[next] = command;
                next += 1;
            }
            row += 1;
        }
        family += 1;
    }
    subcommands
}

const fn can_find_keys(command: &Command) -> bool {
    let mut index = 0;
    while index < command.key_specs.len() {
        if !command.key_specs[index].is_positional() && command.key_resolver.is_none() {
            return false;
        }
        index += 1;
    }
    true
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut index = 0;
    while index < left.len() && index < right.len() && left[index] == right[index] {
        index += 1;
    }
    index == left.len() && index == right.len()
}

/// The command that was looked up last. Clients repeat themselves, so it is worth a look before
/// anything is computed.
#[derive(Debug, Default)]
pub struct LastLookup(Cell<Option<(u64, u8, &'static Command)>>);

impl LastLookup {
    /// What `look_up` finds, without asking it where the name is that of the last command, letter
    /// case included. Names of more than eight bytes and containers are not remembered.
    #[inline]
    pub fn find(
        &self,
        name: &[u8],
        look_up: impl FnOnce() -> Option<&'static Command>,
    ) -> Option<&'static Command> {
        if !(1..=8).contains(&name.len()) {
            return look_up();
        }
        let (letters, length) = (word(name), name.len() as u8);
        match self.0.get() {
            Some((last, last_length, row)) if (last, last_length) == (letters, length) => Some(row),
            _ => {
                let found = look_up()?;
                if found.container.is_empty() && found.subcommands.is_empty() {
                    self.0.set(Some((letters, length, found)));
                }
                Some(found)
            }
        }
    }
}

/// A command name in lower case, packed into three words.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name([u64; 3]);

impl Name {
    const LENGTH_MAX: usize = 23;

    /// Packs a name; none if it is longer than any command's.
    #[inline]
    const fn pack(name: &[u8]) -> Option<Self> {
        let length = name.len();
        if length == 0 || length > Self::LENGTH_MAX {
            return None;
        }
        let length_byte = (length as u64) << 56;
        if length <= 8 {
            return Some(Self([lower(word(name)), 0, length_byte]));
        }
        let (head, tail) = name.split_at(8);
        if length <= 16 {
            return Some(Self([lower(word(head)), lower(word(tail)), length_byte]));
        }
        let (middle, tail) = tail.split_at(8);
        Some(Self([lower(word(head)), lower(word(middle)), lower(word(tail)) | length_byte]))
    }

    /// The slot at which the search for this name starts.
    #[inline]
    const fn slot(self) -> usize {
        let [first, second, third] = self.0;
        let mixed = first ^ second.rotate_left(29) ^ third.rotate_left(11);
        let product = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (product >> (u64::BITS - SLOT_COUNT.ilog2())) as usize
    }

    const fn equals(self, other: Self) -> bool {
        let difference = (self.0[0] ^ other.0[0]) | (self.0[1] ^ other.0[1]);
        difference | (self.0[2] ^ other.0[2]) == 0
    }
}

/// One to eight bytes as a little-endian word.
#[inline]
const fn word(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    if let Some(all) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*all);
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            // The halves overlap where there are fewer than eight bytes, and agree there.
            let first = u32::from_le_bytes(*first) as u64;
            let last = u32::from_le_bytes(*last) as u64;
            first | last << (8 * (length - 4))
        }
        _ => {
            let middle = length / 2;
            bytes[0] as u64
                | (bytes[middle] as u64) << (8 * middle)
                | (bytes[length - 1] as u64) << (8 * (length - 1))
        }
    }
}

/// Turns the capital letters among eight bytes into small ones.
///
/// Per byte, without its top bit: adding 0x25 carries into the top bit from `[` on, adding 0x3f
/// from `A` on; what only the second carries is a capital letter. Bytes above 0x7f stay.
#[inline]
const fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let seven_bits = word & (ONES * 0x7f);
    let after_z = seven_bits + ONES * (0x80 - (b'Z' as u64 + 1));
    let from_a = seven_bits + ONES * (0x80 - b'A' as u64);
    let capital = (from_a ^ after_z) & !word & (ONES * 0x80);
    word | capital >> 2
}

const SLOT_COUNT: usize = 1024;
const PROBE_COUNT_MAX: usize = 6;

#[derive(Clone, Copy)]
struct Slot {
    name: Name,
    command: Option<&'static Command>,
}

struct Table([Slot; SLOT_COUNT]);

impl Table {
    const fn build() -> Self {
        const { assert!(COMMAND_COUNT * 2 <= SLOT_COUNT, "probing relies on empty slots") };
        let mut slots = [Slot { name: Name([0; 3]), command: None }; SLOT_COUNT];
        let mut index = 0;
        while index < COMMAND_COUNT {
            let command = &COMMANDS[index];
            let name = Name::pack(command.name.as_bytes()).expect("command names are short");
            let mut slot = name.slot();
            let mut probe_count = 1;
            while slots[slot].command.is_some() {
                assert!(!slots[slot].name.equals(name), "two commands share a name");
                slot = (slot + 1) % SLOT_COUNT;
                probe_count += 1;
            }
            assert!(probe_count <= PROBE_COUNT_MAX, "the hash spreads the names badly");
            slots[slot] = Slot { name, command: Some(command) };
            index += 1;
        }
        Self(slots)
    }

    #[inline]
    fn find(&self, name: Name) -> Option<&'static Command> {
        let mut slot = name.slot();
        loop {
            let found = &self.0[slot % SLOT_COUNT];
            if found.name.equals(name) || found.command.is_none() {
                return found.command;
            }
            slot += 1;
        }
    }
}
