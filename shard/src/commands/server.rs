//! Commands about the server as a whole: its time, its art.

use crate::call::SessionCall;
use crate::commands::connection::REDIS_VERSION;
use crate::error::{self, Outcome};
use crate::number::parse_integer;

/// TIME: seconds and microseconds.
pub fn time(call: &mut SessionCall<'_>) -> Outcome {
    let us = call.core.host.unix_us();
    call.reply.array_len(2);
    call.reply.bulk_integer(us / 1_000_000);
    call.reply.bulk_integer(us % 1_000_000);
    Ok(())
}

/// LOLWUT: a wall of basalt columns, as high as it likes. `LOLWUT VERSION n [columns [rows]]`.
pub fn lolwut(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let first = if arguments.is(1, "version") && arguments.len() >= 3 {
        parse_integer(arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
        3
    } else {
        1
    };
    // Whatever is no number is drawn as if it were not there.
    let size = |index: usize, default: i64, max: i64| {
        arguments.get(index).and_then(parse_integer).map_or(default, |size| size.clamp(1, max))
    };
    let (columns, rows) = (size(first, 16, 64), size(first + 1, 12, 48));
    let heights: Vec<i64> =
        (0..columns).map(|_| (call.core.store.random() % rows as u64) as i64 + 1).collect();
    let mut art = String::new();
    for row in (0..rows).rev() {
        for height in &heights {
            art.push_str(match height - row {
                1 => "/\\_",
                ..1 => "   ",
                _ => "||:",
            });
        }
        art.truncate(art.trim_end_matches(' ').len());
        art.push('\n');
    }
    let version = call.core.host.facts().version;
    // Clients' test-suites look for "Redis ver.".
    art.push_str(&format!(
        "\nColumns of cooled lava. Basalt ver. {version}, speaks as Redis ver. {REDIS_VERSION}\n"
    ));
    call.reply.verbatim("txt", art.as_bytes());
    Ok(())
}
