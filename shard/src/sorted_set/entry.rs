//! The order of a sorted set: by score, then by the bytes of the member.
//!
//! Scores are never NaN; the commands refuse it. Minus zero and zero are one score.

use std::cmp::Ordering;

/// One entry of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The score; not NaN.
    pub score: f64,
    /// The member.
    pub member: &'a [u8],
}

impl Entry<'_> {
    /// How two entries are ordered.
    #[inline]
    pub fn compare(self, other: Entry<'_>) -> Ordering {
        match compare_scores(self.score, other.score) {
            Ordering::Equal => self.member.cmp(other.member),
            different => different,
        }
    }
}

/// How two scores are ordered.
#[inline]
pub fn compare_scores(one: f64, other: f64) -> Ordering {
    one.partial_cmp(&other).expect("a score is a number")
}

/// A place between two neighbours in the order: what is before it and what is behind it.
///
/// A range of scores, of members or of ranks is what lies between two cuts. The cuts by member
/// mean something only where all scores are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut<'a> {
    /// In front of everything.
    Start,
    /// Behind everything.
    End,
    /// In front of the entries with this score.
    BeforeScore(f64),
    /// Behind the entries with this score.
    AfterScore(f64),
    /// In front of this member.
    BeforeMember(&'a [u8]),
    /// Behind this member.
    AfterMember(&'a [u8]),
    /// In front of this entry.
    Before(Entry<'a>),
    /// Behind this entry.
    After(Entry<'a>),
}

impl Cut<'_> {
    /// Whether the cut lies behind `entry`.
    #[inline]
    pub fn is_behind(self, entry: Entry<'_>) -> bool {
        match self {
            Self::Start => false,
            Self::End => true,
            Self::BeforeScore(score) => entry.score < score,
            Self::AfterScore(score) => entry.score <= score,
            Self::BeforeMember(member) => entry.member < member,
            Self::AfterMember(member) => entry.member <= member,
            Self::Before(other) => entry.compare(other).is_lt(),
            Self::After(other) => entry.compare(other).is_le(),
        }
    }
}

/// Which way entries are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From low to high.
    Rising,
    /// From high to low.
    Falling,
}
