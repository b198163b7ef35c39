//! Sets: numbers in order, or a packed sequence, or a hash table.
//!
//! | form | encoding | when |
//! |---|---|---|
//! | `Ints` | `intset` | all members are numbers, up to `set-max-intset-entries` |
//! | [`Packed`] | `listpack` | up to `set-max-listpack-entries`, none above `-value` bytes |
//! | `Table` | `hashtable` | otherwise |
//!
//! Forms change where Redis 7.2 changes encodings, and never back, but for sets that are made anew
//! by a command that stores.

mod algebra;
mod ints;
mod member;
mod sample;
mod segment;
mod table;

#[cfg(test)]
mod tests;

pub use algebra::{difference, intersect, intersection, union};
pub use member::Member;

use std::ptr::NonNull;

use crate::packed::{self, Packed};
use crate::table::{Footprint, size_class};
use ints::Ints;
use table::Table;

/// When a set changes its form, and what it needs to do so.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// `set-max-intset-entries`
    pub intset_entries: usize,
    /// `set-max-listpack-entries`
    pub listpack_entries: usize,
    /// `set-max-listpack-value`, in bytes.
    pub listpack_value_bytes: usize,
    /// What the hashes of a table made now depend on: drawn at random, so that nobody can prepare
    /// members that collide.
    pub hash_seed: u64,
}

impl SetLimits {
    /// Most members of a set of numbers.
    pub(crate) fn intset_entries(&self) -> usize {
        self.intset_entries.min(Ints::LEN_MAX)
    }
}

/// A set of strings.
#[derive(Clone)]
pub struct Set(Form);

#[derive(Clone)]
enum Form {
    Ints(Ints),
    Packed(Packed),
    Table(Box<Table>),
}

const _: () = assert!(size_of::<Set>() == 16);

impl Default for Set {
    fn default() -> Self {
        Self(Form::Ints(Ints::default()))
    }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl Footprint for Set {
    fn footprint_bytes(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.footprint_bytes(),
            Form::Packed(packed) => packed.footprint_bytes(),
            Form::Table(table) => size_class(size_of::<Table>()) + table.footprint_bytes(),
        }
    }

    #[inline]
    fn first_block(&self) -> Option<NonNull<u8>> {
        match &self.0 {
            Form::Ints(ints) => ints.address(),
            Form::Packed(packed) => packed.address(),
            Form::Table(table) => Some(NonNull::from(&**table).cast()),
        }
    }
}

/// Reading.
impl Set {
    /// Asks the processor to load what a command looks at behind the first block.
    #[inline]
    pub(crate) fn prefetch_content(&self) {
        match &self.0 {
            Form::Ints(ints) => ints.prefetch_front(),
            Form::Packed(packed) => packed.prefetch_front(),
            Form::Table(_) => {}
        }
    }

    /// Number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.len(),
            Form::Packed(packed) => packed.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the form.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Ints(_) => "intset",
            Form::Packed(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// Whether something is a member. O(log members), O(members) or expected O(1) by form.
    #[inline]
    pub fn contains(&self, member: Member<'_>) -> bool {
        match &self.0 {
            Form::Ints(ints) => member.as_int().is_some_and(|number| ints.contains(number)),
            Form::Packed(packed) => find(packed, member).is_some(),
            Form::Table(table) => table.contains(member.text(&mut itoa::Buffer::new())),
        }
    }

    /// All members, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> + Clone {
        let (ints, packed, table) = match &self.0 {
            Form::Ints(ints) => (Some(ints.iter()), None, None),
            Form::Packed(packed) => (None, Some(packed.iter()), None),
            Form::Table(table) => (None, None, Some(table.iter())),
        };
        let ints = ints.into_iter().flatten().map(Member::Int);
        let packed = packed.into_iter().flatten().map(Member::from);
        ints.chain(packed).chain(table.into_iter().flatten().map(Member::Text))
    }

    /// Visits all members; quicker than [`Set::iter`] where nothing else is wanted.
    pub fn for_each(&self, mut visit: impl FnMut(Member<'_>)) {
        match &self.0 {
            Form::Ints(ints) => ints.iter().for_each(|number| visit(Member::Int(number))),
            Form::Packed(packed) => packed.iter().for_each(|element| visit(element.into())),
            Form::Table(table) => table.iter().for_each(|text| visit(Member::Text(text))),
        }
    }

    /// Visits some members, beginning at a position, and returns where to go on, or `None` after
    /// the last. Small forms are visited at one go. A walk from 0 to the end visits each member
    /// that is there all the while, whatever else changes.
    pub fn scan(&self, position: u64, mut visit: impl FnMut(Member<'_>)) -> Option<u64> {
        match &self.0 {
            Form::Table(table) => table.scan(position, |text| visit(Member::Text(text))),
            _ => {
                self.for_each(visit);
                None
            }
        }
    }
}

/// Whole forms, as they are written to files and read from them.
impl Set {
    /// The members in one run, if that is how they are kept.
    pub(crate) fn as_packed(&self) -> Option<&Packed> {
        match &self.0 {
            Form::Packed(packed) => Some(packed),
            _ => None,
        }
    }

    /// The numbers ascending, low byte first, and how many bytes each has, if that is how they are
    /// kept.
    pub(crate) fn as_ints(&self) -> Option<(&[u8], usize)> {
        match &self.0 {
            Form::Ints(ints) => Some((ints.as_bytes(), ints.width())),
            _ => None,
        }
    }

    /// A set of numbers that come ascending.
    pub(crate) fn of_ints(numbers: impl Iterator<Item = i64>) -> Self {
        Self(Form::Ints(numbers.collect()))
    }

    /// A packed set. The caller knows that no member comes twice.
    pub(crate) fn of_packed(members: Packed) -> Self {
        Self(Form::Packed(members))
    }

    /// An empty set that is a table whatever it will hold.
    pub(crate) fn with_table(limits: &SetLimits) -> Self {
        Self(Form::Table(Box::new(Table::new(limits.hash_seed))))
    }
}

/// Changing.
impl Set {
    /// Chooses the form for `count` members that are about to be added, `first` being the first of
    /// them. Nothing needs to follow.
    pub fn prepare_for(&mut self, first: Member<'_>, count: usize, limits: &SetLimits) {
        let fits = match &self.0 {
            Form::Ints(ints) if ints.len() == 0 => {
                if first.as_int().is_some() && count <= limits.intset_entries() {
                    return;
                }
                if count <= limits.listpack_entries {
                    self.0 = Form::Packed(Packed::new());
                    return;
                }
                false
            }
            Form::Ints(_) => count <= limits.intset_entries(),
            Form::Packed(_) => count <= limits.listpack_entries,
            Form::Table(_) => true,
        };
        if !fits {
            self.become_table(limits);
        }
    }

    /// Adds a member; whether it was not there. O(members) or expected O(1) by form.
    pub fn insert(&mut self, member: Member<'_>, limits: &SetLimits) -> bool {
        match &mut self.0 {
            Form::Ints(ints) => match member.as_int() {
                Some(number) => {
                    let is_new = ints.insert(number);
                    if is_new && ints.len() > limits.intset_entries() {
                        self.become_table(limits);
                    }
                    is_new
                }
                None => {
                    self.leave_ints(member, limits);
                    self.insert(member, limits)
                }
            },
            Form::Packed(packed) => {
                if find(packed, member).is_some() {
                    return false;
                }
                if !may_join(packed, member, limits) {
                    self.become_table(limits);
                    return self.insert(member, limits);
                }
                packed.push_back(member.element());
                true
            }
            Form::Table(table) => table.insert(member.text(&mut itoa::Buffer::new())),
        }
    }

    /// Removes a member; whether it was there. O(members) or expected O(1) by form.
    pub fn remove(&mut self, member: Member<'_>) -> bool {
        match &mut self.0 {
            Form::Ints(ints) => member.as_int().is_some_and(|number| ints.remove(number)),
            Form::Packed(packed) => {
                let found = find(packed, member);
                if let Some(place) = found {
                    packed.remove(place, 1);
                }
                found.is_some()
            }
            Form::Table(table) => table.remove(member.text(&mut itoa::Buffer::new())),
        }
    }

    /// Takes another form because a text is about to join the numbers.
    fn leave_ints(&mut self, member: Member<'_>, limits: &SetLimits) {
        let Form::Ints(ints) = &self.0 else { unreachable!("the caller has looked") };
        let mut digits = itoa::Buffer::new();
        let last = ints.len().saturating_sub(1);
        let longest = (ints.len() > 0).then(|| [ints.get(0), ints.get(last)]).map_or(0, |ends| {
            ends.map(|number| digits.format(number).len()).into_iter().max().unwrap_or(0)
        });
        let length = member.text(&mut itoa::Buffer::new()).len();
        if ints.len() < limits.listpack_entries
            && length.max(longest) <= limits.listpack_value_bytes
            && Packed::new().has_room_for(ints.len() + 1, longest * ints.len() + length)
        {
            self.0 = Form::Packed(ints.iter().map(packed::Element::Int).collect());
        } else {
            self.become_table(limits);
        }
    }

    fn become_table(&mut self, limits: &SetLimits) {
        let mut table = Table::new(limits.hash_seed);
        let mut digits = itoa::Buffer::new();
        self.for_each(|member| _ = table.insert(member.text(&mut digits)));
        self.0 = Form::Table(Box::new(table));
    }

    /// Becomes a set of numbers if it could have been one from the start. O(members).
    fn become_ints_if_possible(&mut self, limits: &SetLimits) {
        if matches!(self.0, Form::Ints(_)) || self.len() > limits.intset_entries() {
            return;
        }
        if self.iter().all(|member| member.as_int().is_some()) {
            self.0 = Form::Ints(self.iter().filter_map(Member::as_int).collect());
        }
    }
}

fn find(packed: &Packed, member: Member<'_>) -> Option<packed::Place> {
    packed.first().and_then(|first| packed.find(first, member.element(), 1))
}

/// Whether a packed set stays one with a new member.
fn may_join(packed: &Packed, member: Member<'_>, limits: &SetLimits) -> bool {
    let length = member.text(&mut itoa::Buffer::new()).len();
    packed.len() < limits.listpack_entries
        && length <= limits.listpack_value_bytes
        && packed.has_room_for(1, length)
}
