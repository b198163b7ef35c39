//! Unions, intersections and differences of sorted sets.
//!
//! A union gathers all entries in one buffer, sorts them by member and folds neighbours: no table,
//! and memory is read in order. An intersection and a difference walk one set and look its members
//! up in the others.

use std::ops::ControlFlow;

use super::operand::{count_from, integer};
use super::sorted_set_bounds::parse_score;
use super::sorted_set_result::{Gathered, Scores};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::Object;
use crate::set::{Member, Set};
use crate::sorted_set::{Entry, Order, SortedSet};
use crate::store::{Key, Store};
use crate::table::ValueRef;

const BAD_WEIGHT: CommandError = CommandError::Fixed("ERR weight value is not a float");
const NEGATIVE_LIMIT: CommandError = CommandError::Fixed("ERR LIMIT can't be negative");

/// What is made of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// It is the reply.
    Reply,
    /// It is stored at the first key.
    Store,
    /// Its entries are counted.
    Count,
}

/// How the scores of one member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The sum of the weights of the sets that hold the member.
    Count,
}

impl Aggregate {
    fn parse(arguments: Arguments<'_>, index: usize) -> Result<Self, CommandError> {
        match () {
            () if arguments.is(index, "sum") => Ok(Self::Sum),
            () if arguments.is(index, "min") => Ok(Self::Min),
            () if arguments.is(index, "max") => Ok(Self::Max),
            () if arguments.is(index, "count") => Ok(Self::Count),
            () => Err(error::SYNTAX),
        }
    }

    /// What one set contributes; not a number for zero times infinity.
    fn weigh(self, score: f64, weight: f64) -> f64 {
        if self == Self::Count { weight } else { score * weight }
    }

    fn combine(self, present: f64, further: f64) -> f64 {
        match self {
            // Infinities of different signs cancel out.
            Self::Sum | Self::Count => zero_unless_number(present + further),
            Self::Min => {
                if further < present {
                    further
                } else {
                    present
                }
            }
            Self::Max => {
                if further > present {
                    further
                } else {
                    present
                }
            }
        }
    }
}

fn zero_unless_number(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

/// What is at a key that is to be combined.
#[derive(Clone, Copy)]
enum Members<'a> {
    Missing,
    Sorted(&'a SortedSet),
    /// A set without scores: each counts as 1.
    Plain(&'a Set),
}

/// A set to be combined.
#[derive(Clone, Copy)]
struct Source<'a> {
    members: Members<'a>,
    weight: f64,
}

impl<'a> Source<'a> {
    /// What is at a key, which must be a set, sorted or plain, or nothing.
    fn of(value: Option<ValueRef<'a, Object>>) -> Result<Self, CommandError> {
        let members = match value {
            None => Members::Missing,
            Some(ValueRef::Object(Object::SortedSet(set))) => Members::Sorted(set),
            Some(ValueRef::Object(Object::Set(set))) => Members::Plain(set),
            Some(_) => return Err(error::WRONG_TYPE),
        };
        Ok(Self { members, weight: 1.0 })
    }

    fn len(&self) -> usize {
        match self.members {
            Members::Missing => 0,
            Members::Sorted(set) => set.len(),
            Members::Plain(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self.members {
            Members::Missing => None,
            Members::Sorted(set) => set.score(member),
            Members::Plain(set) => set.contains(Member::Text(member)).then_some(1.0),
        }
    }

    /// Visits all entries, or until `visit` has seen enough and says so.
    fn visit_until(&self, mut visit: impl FnMut(Entry<'_>) -> ControlFlow<()>) {
        /// Entries of a sorted set between two looks at what was said.
        const PART: usize = 256;
        let mut flow = ControlFlow::Continue(());
        match self.members {
            Members::Missing => {}
            Members::Sorted(set) => {
                for start in (0..set.len()).step_by(PART) {
                    set.visit(start..set.len().min(start + PART), Order::Rising, |entry| {
                        if flow.is_continue() {
                            flow = visit(entry);
                        }
                    });
                    if flow.is_break() {
                        return;
                    }
                }
            }
            Members::Plain(set) => {
                let mut digits = itoa::Buffer::new();
                for member in set.iter() {
                    let entry = Entry { score: 1.0, member: member.text(&mut digits) };
                    if visit(entry).is_break() {
                        return;
                    }
                }
            }
        }
    }

    fn visit(&self, mut visit: impl FnMut(Entry<'_>)) {
        self.visit_until(|entry| {
            visit(entry);
            ControlFlow::Continue(())
        });
    }
}

/// What the options behind the keys say.
struct CombineOptions {
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: Scores,
    limit: usize,
}

impl CombineOptions {
    fn parse(
        arguments: Arguments<'_>,
        first: usize,
        sources: usize,
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Self, CommandError> {
        let mut options = Self {
            weights: vec![1.0; sources],
            aggregate: Aggregate::Sum,
            scores: Scores::Left,
            limit: usize::MAX,
        };
        let is_weighted = operation != Operation::Difference && purpose != Purpose::Count;
        let mut index = first;
        while index < arguments.len() {
            let left = arguments.len() - index;
            match () {
                () if is_weighted && left > sources && arguments.is(index, "weights") => {
                    for (place, weight) in options.weights.iter_mut().enumerate() {
                        let text = arguments.at(index + 1 + place);
                        *weight = parse_score(text).ok_or(BAD_WEIGHT)?;
                    }
                    index += 1 + sources;
                }
                () if is_weighted && left >= 2 && arguments.is(index, "aggregate") => {
                    options.aggregate = Aggregate::parse(arguments, index + 1)?;
                    index += 2;
                }
                () if purpose == Purpose::Reply && arguments.is(index, "withscores") => {
                    options.scores = Scores::Told;
                    index += 1;
                }
                () if purpose == Purpose::Count && left >= 2 && arguments.is(index, "limit") => {
                    let limit = count_from(0, arguments, index + 1, NEGATIVE_LIMIT)?;
                    options.limit = if limit == 0 { usize::MAX } else { limit };
                    index += 2;
                }
                () => return Err(error::SYNTAX),
            }
        }
        Ok(options)
    }
}

/// The value at a key that was looked up in this command already.
fn look_again<'s>(store: &'s Store, key: Key<'_>) -> Option<ValueRef<'s, Object>> {
    let entry = store.table(key.slot, key.db)?.get(key.hash, key.name)?;
    Some(entry.value())
}

/// Combines the sets whose number is argument `first`.
fn combine(call: &mut Call<'_>, first: usize, operation: Operation, purpose: Purpose) -> Outcome {
    let arguments = call.arguments;
    let count = integer(arguments, first)?;
    if count < 1 {
        let name = call.row.name;
        let text = format!("ERR at least 1 input key is needed for '{name}' command");
        return Err(CommandError::worded(text));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > arguments.len() - (first + 1) {
        return Err(error::SYNTAX);
    }
    let keys: Vec<Key<'_>> = (first + 1..=first + count).map(|index| call.key(index)).collect();
    let access = call.read_access();
    for key in &keys {
        Source::of(call.store.find(*key, access).map(|entry| entry.value()))?;
    }
    let options = first + 1 + count;
    let options = CombineOptions::parse(arguments, options, count, operation, purpose)?;
    let mut sources = Vec::with_capacity(count);
    for (key, weight) in keys.iter().zip(&options.weights) {
        let source = Source::of(look_again(call.store, *key))?;
        sources.push(Source { weight: *weight, ..source });
    }
    let mut result = run(&mut sources, operation, &options);
    match purpose {
        Purpose::Count => call.reply.integer(result.len() as i64),
        Purpose::Reply => {
            result.sort();
            result.reply(&mut call.reply, options.scores);
        }
        Purpose::Store => {
            let event = match operation {
                Operation::Union => Event::ZUnionStore,
                Operation::Intersection => Event::ZInterStore,
                Operation::Difference => Event::ZDiffStore,
            };
            let destination = call.key(1);
            result.store(call, destination, event);
        }
    }
    Ok(())
}

fn run(sources: &mut [Source<'_>], operation: Operation, options: &CombineOptions) -> Gathered {
    match operation {
        Operation::Difference => difference(sources),
        Operation::Union => {
            sources.sort_by_key(Source::len);
            union(sources, options.aggregate)
        }
        Operation::Intersection => {
            sources.sort_by_key(Source::len);
            intersection(sources, options)
        }
    }
}

fn union(sources: &[Source<'_>], aggregate: Aggregate) -> Gathered {
    let mut result = Gathered::default();
    for source in sources {
        source.visit(|entry| {
            let score = zero_unless_number(aggregate.weigh(entry.score, source.weight));
            result.push(Entry { score, ..entry });
        });
    }
    if sources.len() > 1 {
        result.fold_members(|present, further| aggregate.combine(present, further));
    }
    result
}

fn intersection(sources: &[Source<'_>], options: &CombineOptions) -> Gathered {
    let aggregate = options.aggregate;
    let mut result = Gathered::default();
    let [smallest, others @ ..] = sources else { return result };
    smallest.visit_until(|entry| {
        let own = zero_unless_number(aggregate.weigh(entry.score, smallest.weight));
        let score = others.iter().try_fold(own, |sum, other| {
            let score = aggregate.weigh(other.score(entry.member)?, other.weight);
            Some(aggregate.combine(sum, score))
        });
        if let Some(score) = score {
            result.push(Entry { score, ..entry });
        }
        if result.len() < options.limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    result
}

fn difference(sources: &mut [Source<'_>]) -> Gathered {
    let mut result = Gathered::default();
    let [first, others @ ..] = sources else { return result };
    // Large sets are the likeliest to hold a member.
    others.sort_by_key(|other| std::cmp::Reverse(other.len()));
    first.visit(|entry| {
        if others.iter().all(|other| other.score(entry.member).is_none()) {
            result.push(entry);
        }
    });
    result
}

/// ZUNION.
pub fn zunion(call: &mut Call<'_>) -> Outcome {
    combine(call, 1, Operation::Union, Purpose::Reply)
}

/// ZUNIONSTORE.
pub fn zunionstore(call: &mut Call<'_>) -> Outcome {
    combine(call, 2, Operation::Union, Purpose::Store)
}

/// ZINTER.
pub fn zinter(call: &mut Call<'_>) -> Outcome {
    combine(call, 1, Operation::Intersection, Purpose::Reply)
}

/// ZINTERSTORE.
pub fn zinterstore(call: &mut Call<'_>) -> Outcome {
    combine(call, 2, Operation::Intersection, Purpose::Store)
}

/// ZINTERCARD.
pub fn zintercard(call: &mut Call<'_>) -> Outcome {
    combine(call, 1, Operation::Intersection, Purpose::Count)
}

/// ZDIFF.
pub fn zdiff(call: &mut Call<'_>) -> Outcome {
    combine(call, 1, Operation::Difference, Purpose::Reply)
}

/// ZDIFFSTORE.
pub fn zdiffstore(call: &mut Call<'_>) -> Outcome {
    combine(call, 2, Operation::Difference, Purpose::Store)
}
