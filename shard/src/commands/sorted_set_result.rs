//! Entries of sorted sets on their way into a reply or into a key.

use super::sorted_set::limits_of;
use crate::call::Call;
use crate::event::Event;
use crate::reply::{Protocol, Reply};
use crate::sorted_set::{Entry, SortedSet};
use crate::store::{Key, Store};
use crate::table::Value;
use crate::types::Type;

/// Whether a reply tells scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scores {
    /// Members only.
    Left,
    /// A score behind each member: flat in RESP2, in pairs in RESP3.
    Told,
}

/// Header of a reply of `count` entries.
pub(super) fn reply_entries_len(reply: &mut Reply<'_>, count: usize, scores: Scores) {
    let is_flat = scores == Scores::Told && reply.protocol() == Protocol::Resp2;
    reply.array_len(if is_flat { 2 * count } else { count });
}

/// One entry of such a reply.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>, scores: Scores) {
    if scores == Scores::Told && reply.protocol() == Protocol::Resp3 {
        reply.array_len(2);
    }
    reply.bulk(entry.member);
    if scores == Scores::Told {
        reply.double(entry.score);
    }
}

/// Where a gathered entry lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    score: f64,
    start: usize,
    length: usize,
}

/// Entries taken out of the sets they come from: one buffer for all members.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Gathered {
    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Copies an entry.
    pub(super) fn push(&mut self, entry: Entry<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(entry.member);
        self.places.push(Place { score: entry.score, start, length: entry.member.len() });
    }

    /// The entries in the order they are in now.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> + Clone {
        self.places.iter().map(|place| entry_of(&self.bytes, *place))
    }

    /// Puts the entries in the order of a sorted set. O(n log n).
    pub(super) fn sort(&mut self) {
        let Self { bytes, places } = self;
        places
            .sort_unstable_by(|one, other| entry_of(bytes, *one).compare(entry_of(bytes, *other)));
    }

    /// Makes one entry of all that have the same member: `combine` is given the scores in the order
    /// they were gathered in. O(n log n).
    pub(super) fn fold_members(&mut self, combine: impl Fn(f64, f64) -> f64) {
        let Self { bytes, places } = self;
        places
            .sort_by(|one, other| entry_of(bytes, *one).member.cmp(entry_of(bytes, *other).member));
        places.dedup_by(|later, earlier| {
            let is_same = entry_of(bytes, *later).member == entry_of(bytes, *earlier).member;
            if is_same {
                earlier.score = combine(earlier.score, later.score);
            }
            is_same
        });
    }

    /// Answers with all entries in their present order.
    pub(super) fn reply(&self, reply: &mut Reply<'_>, scores: Scores) {
        reply_entries_len(reply, self.len(), scores);
        self.entries().for_each(|entry| reply_entry(reply, entry, scores));
    }

    /// Sorts the entries, makes them the value of a key and answers with their number. Without any
    /// the key is removed.
    pub(super) fn store(mut self, call: &mut Call<'_>, key: Key<'_>, event: Event) {
        self.sort();
        let limits = limits_of(call.store);
        if self.len() == 0 {
            remove_destination(call.store, key);
        } else {
            let set = SortedSet::from_sorted(self.entries(), &limits);
            let value = Value::Object(crate::object::Object::SortedSet(set));
            call.store.replace(key, Type::SortedSet, value, None, event);
        }
        call.reply.integer(self.len() as i64);
    }
}

#[inline]
fn entry_of(bytes: &[u8], place: Place) -> Entry<'_> {
    Entry { score: place.score, member: &bytes[place.start..place.start + place.length] }
}

/// Removes the key a command would have stored something at, had there been anything.
pub(super) fn remove_destination(store: &mut Store, key: Key<'_>) {
    let lazily = store.settings().lazyfree_lazy_server_del;
    if store.remove(key, lazily) {
        store.changed(key, Event::Del);
        store.journal.replace(key.db, &[b"DEL", key.name]);
    }
}
