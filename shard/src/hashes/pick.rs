//! Drawing fields at random.
//!
//! One field of a table is drawn without a walk; of a packed hash, the walk to it is what any
//! lookup costs. Several distinct ones are drawn as Redis does: by drawing until there are enough
//! where that is soon, else by striking fields off a list of all.

use std::collections::BTreeSet;

use super::{Form, Hash, Text, table};

/// A draw of distinct fields lists all of them when it wants more than one in this many.
const LISTING_SHARE: usize = 3;

/// Name and value.
pub(crate) type Pair<'a> = (Text<'a>, Text<'a>);

/// A sequence of random numbers from a seed (SplitMix64, Steele et al. 2014).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> u64::BITS) as usize
    }
}

impl Hash {
    /// All fields, as a list.
    pub(crate) fn pairs(&self, now_ms: i64) -> Vec<Pair<'_>> {
        let mut pairs = Vec::with_capacity(self.len(now_ms));
        self.for_each(now_ms, |name, value| pairs.push((name, value)));
        pairs
    }

    /// Visits `count` fields, each drawn from all: the same may come again. Expected O(`count`)
    /// for a table, O(fields + `count`) for a packed hash; nothing for an empty hash.
    pub(crate) fn pick_any<'a>(
        &'a self,
        count: usize,
        now_ms: i64,
        draws: &mut Draws,
        mut visit: impl FnMut(Pair<'a>),
    ) {
        if let Some(fields) = self.undue_table(now_ms) {
            for _ in 0..count {
                let Some(field) = fields.random(draws.next()) else { return };
                visit((Text::Bytes(field.key()), table::value_of(field)));
            }
            return;
        }
        let pairs = self.pairs(now_ms);
        if !pairs.is_empty() {
            (0..count).for_each(|_| visit(pairs[draws.below(pairs.len())]));
        }
    }

    /// `count` distinct fields, or all if there are fewer. O(fields), and expected
    /// O(`count` log `count`) for few of a large table.
    pub(crate) fn pick_distinct(
        &self,
        count: usize,
        now_ms: i64,
        draws: &mut Draws,
    ) -> Vec<Pair<'_>> {
        if let Some(fields) = self.undue_table(now_ms)
            && count.saturating_mul(LISTING_SHARE) <= self.len(now_ms)
        {
            return draw_until(count, || {
                let field = fields.random(draws.next())?;
                Some((field.key(), table::value_of(field)))
            });
        }
        let mut pairs = self.pairs(now_ms);
        let count = count.min(pairs.len());
        for index in 0..count {
            let other = index + draws.below(pairs.len() - index);
            pairs.swap(index, other);
        }
        pairs.truncate(count);
        pairs
    }

    /// The table, if it is one and no field of it is due: then any of its fields may be drawn.
    fn undue_table(&self, now_ms: i64) -> Option<&table::FieldTable> {
        let is_undue = self.first_deadline_ms().is_none_or(|at_ms| at_ms >= now_ms);
        match &self.0 {
            Form::Table(fields) if is_undue => Some(fields),
            _ => None,
        }
    }
}

/// Draws until there are `count` distinct fields; there must be clearly more.
fn draw_until<'a>(
    count: usize,
    mut draw: impl FnMut() -> Option<(&'a [u8], Text<'a>)>,
) -> Vec<Pair<'a>> {
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::with_capacity(count);
    while pairs.len() < count
        && let Some((name, value)) = draw()
    {
        if seen.insert(name) {
            pairs.push((Text::Bytes(name), value));
        }
    }
    pairs
}
