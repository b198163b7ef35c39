//! Searching geo indexes.
//!
//! The map is cut into squares as fine as the shape allows; nine of them cover it, and each is one
//! range of scores. What lies in them is looked at place by place. A set in its small form is read
//! once instead, for there a range is as long a walk as everything.

use super::geo::{reply_distance, reply_position};
use super::geo_search_options::{Destination, Dialect, SearchOptions};
use super::sorted_set::read;
use super::sorted_set_result::Gathered;
use crate::call::Call;
use crate::error::Outcome;
use crate::event::Event;
use crate::geo::{Position, Shape};
use crate::sorted_set::{Cut, Entry, Order, SortedSet};

/// Entries looked at between two checks of whether enough was found.
const PART: usize = 64;

/// A place that was found.
struct Found {
    member: Vec<u8>,
    score: f64,
    distance_m: f64,
}

impl Found {
    /// The entry as a place, if it lies inside `shape`.
    fn inside(shape: &Shape, entry: Entry<'_>) -> Option<Self> {
        let distance_m = shape.distance_within_m(Position::of_score(entry.score))?;
        Some(Self { member: entry.member.to_vec(), score: entry.score, distance_m })
    }
}

/// The places of `set` inside `shape`, up to `limit`, in the order the map is read.
fn search(set: &SortedSet, shape: &Shape, limit: usize) -> Vec<Found> {
    let mut found = Vec::new();
    if set.is_packed() {
        search_once(set, shape, &mut found);
        found.truncate(limit);
        return found;
    }
    for cell in shape.cells() {
        let low = Cut::BeforeScore(cell.first_score());
        let ranks = set.ranks_between(low, Cut::BeforeScore(cell.end_score()));
        for start in ranks.clone().step_by(PART) {
            if found.len() >= limit {
                break;
            }
            set.visit(start..ranks.end.min(start + PART), Order::Rising, |entry| {
                found.extend(Found::inside(shape, entry));
            });
        }
    }
    found.truncate(limit);
    found
}

/// As [`search`], by looking at every entry once.
fn search_once(set: &SortedSet, shape: &Shape, found: &mut Vec<Found>) {
    let cells: Vec<(f64, f64)> =
        shape.cells().into_iter().map(|cell| (cell.first_score(), cell.end_score())).collect();
    let mut by_cell: Vec<Vec<Found>> = cells.iter().map(|_| Vec::new()).collect();
    set.visit(0..set.len(), Order::Rising, |Entry { score, member }| {
        // On a coarse grid one square may be covered twice.
        for (cell, found) in cells.iter().zip(&mut by_cell) {
            if cell.0 <= score && score < cell.1 {
                found.extend(Found::inside(shape, Entry { score, member }));
            }
        }
    });
    found.extend(by_cell.into_iter().flatten());
}

/// Puts what was found in order and leaves as many as were asked for.
fn arrange(found: &mut Vec<Found>, options: &SearchOptions) {
    match options.order {
        None => {}
        Some(Order::Rising) => found.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m)),
        Some(Order::Falling) => found.sort_by(|a, b| b.distance_m.total_cmp(&a.distance_m)),
    }
    found.truncate(options.count.unwrap_or(usize::MAX));
}

fn run(call: &mut Call<'_>, dialect: Dialect, may_store: bool) -> Outcome {
    let (key, access) = (call.key(dialect.source()), call.read_access());
    let set = read(call.store, key, access)?;
    let mut options = SearchOptions::parse(call.arguments, dialect, may_store, set)?;
    let found = match (set, options.take_shape()) {
        (Some(set), Some(shape)) => {
            let limit = options.count.filter(|_| options.any).unwrap_or(usize::MAX);
            let mut found = search(set, &shape, limit);
            arrange(&mut found, &options);
            found
        }
        _ => Vec::new(),
    };
    match options.destination {
        None => reply_found(call, &found, &options),
        Some(destination) => store_found(call, &found, &options, destination, dialect),
    }
    Ok(())
}

fn reply_found(call: &mut Call<'_>, found: &[Found], options: &SearchOptions) {
    let reply = &mut call.reply;
    let extras = [options.with_distance, options.with_hash, options.with_position];
    let extras = extras.into_iter().filter(|is_asked| *is_asked).count();
    reply.array_len(found.len());
    for place in found {
        if extras > 0 {
            reply.array_len(1 + extras);
        }
        reply.bulk(&place.member);
        if options.with_distance {
            reply_distance(reply, place.distance_m / options.unit_m);
        }
        if options.with_hash {
            reply.integer(place.score as i64);
        }
        if options.with_position {
            reply_position(reply, Position::of_score(place.score));
        }
    }
}

fn store_found(
    call: &mut Call<'_>,
    found: &[Found],
    options: &SearchOptions,
    destination: Destination,
    dialect: Dialect,
) {
    let key = call.key(destination.key);
    let event = match dialect {
        Dialect::Radius | Dialect::RadiusByMember => Event::GeoRadiusStore,
        Dialect::Search | Dialect::SearchStore => Event::GeoSearchStore,
    };
    let mut gathered = Gathered::default();
    for place in found {
        let score = match destination.by_distance {
            true => place.distance_m / options.unit_m,
            false => place.score,
        };
        gathered.push(Entry { score, member: &place.member });
    }
    gathered.store(call, key, event);
}

/// GEORADIUS.
pub fn georadius(call: &mut Call<'_>) -> Outcome {
    run(call, Dialect::Radius, true)
}

/// GEORADIUS_RO.
pub fn georadius_ro(call: &mut Call<'_>) -> Outcome {
    run(call, Dialect::Radius, false)
}

/// GEORADIUSBYMEMBER.
pub fn georadiusbymember(call: &mut Call<'_>) -> Outcome {
    run(call, Dialect::RadiusByMember, true)
}

/// GEORADIUSBYMEMBER_RO.
pub fn georadiusbymember_ro(call: &mut Call<'_>) -> Outcome {
    run(call, Dialect::RadiusByMember, false)
}

/// GEOSEARCH.
pub fn geosearch(call: &mut Call<'_>) -> Outcome {
    run(call, Dialect::Search, false)
}

/// GEOSEARCHSTORE.
pub fn geosearchstore(call: &mut Call<'_>) -> Outcome {
    run(call, Dialect::SearchStore, true)
}
