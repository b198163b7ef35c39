//! Commands on the bits of strings.

use super::prelude::*;

const GROUP: Group = Group("bitmap");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::BITMAP])
}

/// The bitmap family.
pub(super) const ROWS: &[Command] = &[
    row("bitcount", -2)
        .since("2.6.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key [start end [BYTE|BIT]]")
        .summary("Counts the bits set in a string or a part of it.")
        .complexity("O(N), N bytes examined")
        .history(&[("7.0.0", "Accepts `BYTE` and `BIT`.")])
        .handler(on_keys!(bitmap::bitcount)),
    row("bitfield", -2)
        .since("3.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])
            .note("Only reads if every operation is `GET`")])
        .resolver(KeyResolver::BitField)
        .syntax(
            "key [GET encoding offset|[OVERFLOW <WRAP|SAT|FAIL>] <SET encoding offset \
             value|INCRBY encoding offset increment> [GET encoding offset|[OVERFLOW \
             <WRAP|SAT|FAIL>] <SET encoding offset value|INCRBY encoding offset increment> \
             ...]]",
        )
        .summary("Reads and changes integers of any width inside a string.")
        .complexity("O(N), N operations")
        .handler(on_keys!(bitfield::bitfield)),
    row("bitfield_ro", -2)
        .since("6.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key [GET encoding offset [GET encoding offset ...]]")
        .summary("Reads integers of any width from a string.")
        .complexity("O(N), N operations")
        .handler(on_keys!(bitfield::bitfield_ro)),
    row("bitop", -4)
        .since("2.6.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(2, &[OW, UPDATE]), keys(3, -1, 1, &[RO, ACCESS])])
        .syntax("<AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE> destkey key [key ...]")
        .summary("Combines strings bit by bit and stores the outcome.")
        .complexity("O(N*M), N bytes of the longest string and M keys")
        .handler(on_keys!(bitop::bitop)),
    row("bitpos", -3)
        .since("2.8.7")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key bit [start [end [BYTE|BIT]]]")
        .summary("Finds the first bit of the given value in a string.")
        .complexity("O(N), N bytes examined")
        .history(&[("7.0.0", "Accepts `BYTE` and `BIT`.")])
        .handler(on_keys!(bitmap::bitpos)),
    row("getbit", 3)
        .since("2.2.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key offset")
        .summary("Reads one bit of a string.")
        .handler(on_keys!(bitmap::getbit)),
    row("setbit", 4)
        .since("2.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key offset value")
        .summary("Writes one bit of a string and tells its old value.")
        .complexity("O(1), plus growing the string up to the offset")
        .handler(on_keys!(bitmap::setbit)),
];
