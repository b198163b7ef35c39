//! Digests of values and of whole data sets, the same that Redis answers for the same data: tools
//! compare servers by them.
//!
//! A digest is twenty bytes. SHA-1 of some bytes is taken into it in one of two ways:
//!
//! * *added*, by exclusive or: the order of what is added does not matter,
//! * *mixed*, added and then put through SHA-1 as a whole: the order does.
//!
//! ```text
//! value    mix the type's number, then
//!          string   mix the text
//!          list     mix each element
//!          set      add each member
//!          zset     add the digest of: mix member, mix score
//!          stream   mix the id of each entry as ms.seq, then its names and values
//!          hash     add the digest of: mix name, mix value, add "!!hexpire!!" if it has a deadline
//! key      mix name, then the value, then add "!!expire!!" if it has one
//! all      for each database with keys: mix its number, then add the digest of each key
//! ```
//!
//! How scores are printed is part of it, so digests agree with Redis 7.2 and later, not with 7.0
//! where a sorted set has fractions.

use sha1::{Digest as _, Sha1};

use crate::hashes::Hash;
use crate::object::Object;
use crate::set::Set;
use crate::sorted_set::SortedSet;
use crate::stream::Stream;
use crate::table::{Entry, ValueRef};
use crate::types::Type;

/// A digest in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest([u8; 20]);

impl Digest {
    /// Takes bytes in, whatever their order.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let hash = Sha1::digest(bytes);
        self.0.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
    }

    /// Takes bytes in so that their order matters.
    pub(crate) fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Takes another digest in, whatever the order.
    pub(crate) fn add_digest(&mut self, other: Self) {
        self.add(&other.0);
    }

    /// Joins two sums of digests that were added to nothing.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(byte, other)| *byte ^= other);
    }

    /// The digest in hexadecimal.
    pub(crate) fn to_hexadecimal(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The number of a type in Redis.
fn number_of(kind: Type) -> u32 {
    match kind {
        Type::String | Type::RawString => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::SortedSet => 3,
        Type::Hash => 4,
        Type::Stream => 6,
    }
}

/// The digest of an entry with its name. O(bytes).
pub(crate) fn of_key(entry: Entry<'_, Object>, now_ms: i64) -> Digest {
    let mut digest = Digest::default();
    digest.mix(entry.key());
    take_entry(&mut digest, entry, now_ms);
    digest
}

/// The digest of an entry without its name. O(bytes).
pub(crate) fn of_entry(entry: Entry<'_, Object>, now_ms: i64) -> Digest {
    let mut digest = Digest::default();
    take_entry(&mut digest, entry, now_ms);
    digest
}

fn take_entry(digest: &mut Digest, entry: Entry<'_, Object>, now_ms: i64) {
    digest.mix(&number_of(Type::of(entry.kind())).to_be_bytes());
    take_value(digest, entry.value(), now_ms);
    if entry.expiry_ms().is_some() {
        digest.add(b"!!expire!!");
    }
}

/// Takes in what a value holds.
pub(crate) fn take_value(digest: &mut Digest, value: ValueRef<'_, Object>, now_ms: i64) {
    let mut digits = itoa::Buffer::new();
    match value {
        ValueRef::Int(number) => digest.mix(digits.format(number).as_bytes()),
        ValueRef::Bytes(bytes) => digest.mix(bytes),
        ValueRef::Shared(bytes) => digest.mix(bytes),
        ValueRef::Object(Object::List(list)) => {
            list.iter().for_each(|element| digest.mix(element.text(&mut digits)));
        }
        ValueRef::Object(Object::Set(set)) => take_set(digest, set),
        ValueRef::Object(Object::SortedSet(set)) => take_sorted_set(digest, set),
        ValueRef::Object(Object::Hash(hash)) => take_hash(digest, hash, now_ms),
        ValueRef::Object(Object::Stream(stream)) => take_stream(digest, stream),
    }
}

fn take_set(digest: &mut Digest, set: &Set) {
    let mut digits = itoa::Buffer::new();
    set.for_each(|member| digest.add(member.text(&mut digits)));
}

fn take_sorted_set(digest: &mut Digest, set: &SortedSet) {
    set.visit_all(|entry| {
        let mut own = Digest::default();
        own.mix(entry.member);
        own.mix(score_text(entry.score).as_bytes());
        digest.add_digest(own);
    });
}

fn take_stream(digest: &mut Digest, stream: &Stream) {
    let mut digits = itoa::Buffer::new();
    for entry in stream.log().iter() {
        digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
        for (name, value) in entry.fields {
            digest.mix(name.text(&mut digits));
            digest.mix(value.text(&mut digits));
        }
    }
}

/// A score as digests have it: the fewest digits, and an exponent where plain digits would be more
/// than seven longer. Follows `fpconv_dtoa`, which Redis uses since 7.2.
fn score_text(score: f64) -> String {
    if score == 0.0 || !score.is_finite() {
        return score.to_string();
    }
    let scientific = format!("{score:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("Rust prints an exponent");
    let exponent: i32 = exponent.parse().expect("Rust prints a decimal exponent");
    let sign = if score < 0.0 { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let (count, magnitude) = (digits.len() as i32, exponent.abs());
    let zeros = exponent + 1 - count;
    if zeros >= 0 && magnitude < count + 7 {
        return format!("{sign}{digits}{}", "0".repeat(zeros as usize));
    }
    if zeros < 0 && (zeros > -7 || magnitude < 4) {
        if exponent < 0 {
            return format!("{sign}0.{}{digits}", "0".repeat(magnitude as usize - 1));
        }
        let (whole, fraction) = digits.split_at(exponent as usize + 1);
        return format!("{sign}{whole}.{fraction}");
    }
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{mark}{magnitude}")
}

fn take_hash(digest: &mut Digest, hash: &Hash, now_ms: i64) {
    let mut digits = itoa::Buffer::new();
    hash.for_each_timed(now_ms, |name, value, deadline_ms| {
        let mut own = Digest::default();
        own.mix(name.bytes(&mut digits));
        own.mix(value.bytes(&mut digits));
        if deadline_ms.is_some() {
            own.add(b"!!hexpire!!");
        }
        digest.add_digest(own);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(score: f64, expected: &str) {
        assert_eq!(score_text(score), expected);
        assert_eq!(score_text(-score), format!("-{expected}"));
    }

    #[test]
    fn scores_are_printed_as_in_the_digests_of_redis() {
        check(1.0, "1");
        check(0.0, "0");
        check(f64::INFINITY, "inf");
        check(1e7, "10000000");
        check(1e8, "1e+8");
        check(1.5e20, "1.5e+20");
        check(123_456_789_012_345_680.0, "123456789012345680");
        check(0.1, "0.1");
        check(0.00001, "0.00001");
        check(0.00012, "0.00012");
        check(1.23e-7, "1.23e-7");
        check(12_345_678.9, "12345678.9");
        check(1.25e-300, "1.25e-300");
    }

    #[test]
    fn the_digest_of_a_text_is_that_of_redis() {
        let mut digest = Digest::default();
        digest.mix(&number_of(Type::String).to_be_bytes());
        take_value(&mut digest, ValueRef::Bytes(b"bar"), 0);
        // DEBUG DIGEST-VALUE of redis-server 7.0 after SET foo bar.
        assert_eq!(digest.to_hexadecimal(), "68467c70ae30376e7ce005bcc8827f5ba7fd67dc");
    }
}
