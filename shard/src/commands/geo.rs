//! Geo indexes: sorted sets whose scores are places.
//!
//! | file | commands |
//! |---|---|
//! | `geo` | GEOADD GEODIST GEOHASH GEOPOS |
//! | `geo_search` | GEOSEARCH GEOSEARCHSTORE GEORADIUS GEORADIUSBYMEMBER and their `_RO` forms |
//! | `geo_search_options` | what those are asked for |

pub use super::geo_search::{
    georadius, georadius_ro, georadiusbymember, georadiusbymember_ro, geosearch, geosearchstore,
};

use super::sorted_set::read;
use super::sorted_set_add::{AddOptions, Entries, add};
use super::sorted_set_bounds::parse_score;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::geo::Position;
use crate::reply::{Protocol, Reply};
use crate::sorted_set::Entry;

const UNKNOWN_UNIT: CommandError =
    CommandError::Fixed("ERR unsupported unit provided. please use M, KM, FT, MI");

/// The place at two arguments, longitude first.
pub(super) fn position(arguments: Arguments<'_>, index: usize) -> Result<Position, CommandError> {
    let longitude = parse_score(arguments.at(index)).ok_or(error::NOT_A_FLOAT)?;
    let latitude = parse_score(arguments.at(index + 1)).ok_or(error::NOT_A_FLOAT)?;
    Position::new(longitude, latitude).ok_or_else(|| {
        CommandError::worded(format!(
            "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        ))
    })
}

/// Metres in the unit that an argument names.
pub(super) fn unit_m(arguments: Arguments<'_>, index: usize) -> Result<f64, CommandError> {
    match () {
        () if arguments.is(index, "m") => Ok(1.0),
        () if arguments.is(index, "km") => Ok(1000.0),
        () if arguments.is(index, "ft") => Ok(0.3048),
        () if arguments.is(index, "mi") => Ok(1609.34),
        () => Err(UNKNOWN_UNIT),
    }
}

/// Answers with a distance, four digits behind the point.
pub(super) fn reply_distance(reply: &mut Reply<'_>, distance: f64) {
    reply.bulk(format!("{distance:.4}").as_bytes());
}

/// Answers with a place.
pub(super) fn reply_position(reply: &mut Reply<'_>, place: Position) {
    reply.array_len(2);
    for degrees in [place.longitude, place.latitude] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        match reply.protocol() {
            Protocol::Resp2 => reply.bulk(text.as_bytes()),
            Protocol::Resp3 => reply.raw(format!(",{text}\r\n").as_bytes()),
        }
    }
}

/// GEOADD.
pub fn geoadd(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let mut options = AddOptions::default();
    let mut first = 2;
    while first < arguments.len() {
        let option = match () {
            () if arguments.is(first, "nx") => &mut options.only_add,
            () if arguments.is(first, "xx") => &mut options.only_change,
            () if arguments.is(first, "ch") => &mut options.counts_changed,
            () => break,
        };
        *option = true;
        first += 1;
    }
    let count = arguments.len() - first;
    if count == 0 || !count.is_multiple_of(3) || options.only_add && options.only_change {
        return Err(error::SYNTAX);
    }
    let entries: Result<Entries<'_>, CommandError> = (first..arguments.len())
        .step_by(3)
        .map(|index| {
            let score = position(arguments, index)?.score();
            Ok(Entry { score, member: arguments.at(index + 2) })
        })
        .collect();
    add(call, options, &entries?)
}

/// GEODIST.
pub fn geodist(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let unit_m = match arguments.len() {
        4 => 1.0,
        5 => unit_m(arguments, 4)?,
        _ => return Err(error::SYNTAX),
    };
    let (key, access) = (call.key(1), call.read_access());
    let set = read(call.store, key, access)?;
    let place = |index: usize| {
        let score = set?.score(arguments.at(index))?;
        Some(Position::of_score(score))
    };
    match place(2).zip(place(3)) {
        Some((one, other)) => reply_distance(&mut call.reply, one.distance_m(other) / unit_m),
        None => call.reply.null(),
    }
    Ok(())
}

/// GEOHASH.
pub fn geohash(call: &mut Call<'_>) -> Outcome {
    each_place(call, |reply, place| match place {
        Some(place) => reply.bulk(&place.geohash()),
        None => reply.null(),
    })
}

/// GEOPOS.
pub fn geopos(call: &mut Call<'_>) -> Outcome {
    each_place(call, |reply, place| match place {
        Some(place) => reply_position(reply, place),
        None => reply.null_array(),
    })
}

fn each_place(call: &mut Call<'_>, answer: impl Fn(&mut Reply<'_>, Option<Position>)) -> Outcome {
    let (key, access, arguments) = (call.key(1), call.read_access(), call.arguments);
    let set = read(call.store, key, access)?;
    call.reply.array_len(arguments.len() - 2);
    for member in arguments.from(2) {
        let score = set.and_then(|set| set.score(member));
        answer(&mut call.reply, score.map(Position::of_score));
    }
    Ok(())
}
