//! `basalt-bench memory-types`: what an element of each type costs.
//!
//! Each row fills an empty server with one large collection, or with many of a hundred elements,
//! and divides what it took by the elements: by resident memory, which is what a machine needs, and
//! by the server's own account. Elements, members and values are 16 bytes, so the payload is the
//! same everywhere. A server is started for each row, since no server gives back all it took.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::args::{Opt, Parsed, Spec};
use crate::error::Outcome;
use crate::harness::memory::at_rest;
use crate::harness::options::{self, HARNESS_OPTIONS, SERVER_OPTIONS, Setup};
use crate::harness::results;
use crate::harness::server::{Kind, Server, ServerSpec};
use crate::harness::spread::Spread;
use crate::load::fill::{self, FillOrder};
use crate::load::progress::{Forced, Progress};
use crate::load::target::Addressing;
use crate::request::template::ValueSize;

/// Elements of a collection of the rows with many.
const SMALL_ELEMENTS: u64 = 100;

/// Payload of values, in bytes.
const VALUE_LEN: usize = 16;

const OPTIONS: &[Opt] =
    &[Opt::new("elements", "N", "Elements of each row, in all.").default("1000000")];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "memory-types",
    about: "measures memory per element of lists, sets, hashes, sorted sets and streams",
    groups: &[SERVER_OPTIONS, OPTIONS, HARNESS_OPTIONS],
    examples: "  \
  basalt-bench memory-types --basalt ./basalt-server --peer valkey-server --rounds 1
",
};

/// A way to fill a server.
struct Row {
    name: &'static str,
    /// Runs once for every key, `times` times.
    command: &'static str,
    times: u64,
    /// Elements one command adds.
    elements: u64,
}

const fn large(name: &'static str, command: &'static str) -> Row {
    Row { name, command, times: 1, elements: 1 }
}

const fn small(name: &'static str, command: &'static str) -> Row {
    Row { name, command, times: 1, elements: SMALL_ELEMENTS }
}

/// A fill ends when every key has been used, so each command names `__key__`: the element where
/// there is one collection, the collection where there are many.
const ROWS: &[Row] = &[
    large("one list", "RPUSH large __key__"),
    large("one set", "SADD large __key__"),
    large("one hash", "HSET large __key__ __value__"),
    large("one sorted set", "ZADD large __rand:100000-999999__ __key__"),
    large("one stream", "XADD large * first __key__ second __value__"),
    small("lists of 100", "RPUSH __key__ (__value__)*100"),
    small("sets of 100", "SADD __key__ (member:0000000__i__)*100"),
    small("hashes of 100", "HSET __key__ (field:00000000__i__ __value__)*100"),
    small("sorted sets of 100", "ZADD __key__ (__rand:100000-999999__ member:0000000__i__)*100"),
    Row {
        name: "streams of 100",
        command: "XADD __key__ * first __value__ second __value__",
        times: SMALL_ELEMENTS,
        elements: 1,
    },
];

/// One server filled in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    server: String,
    row: String,
    round: u32,
    elements: u64,
    resident_bytes: u64,
    used_memory_bytes: u64,
}

impl Sample {
    fn resident_per_element(&self) -> f64 {
        self.resident_bytes as f64 / self.elements as f64
    }

    fn used_per_element(&self) -> f64 {
        self.used_memory_bytes as f64 / self.elements as f64
    }
}

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let setup = Setup::read(parsed, options::servers(parsed)?)?;
    let elements: u64 = parsed.positive("elements")?;
    let mut samples = Vec::new();
    for round in 0..setup.rounds {
        for row in ROWS {
            for spec in setup.servers.iter().filter(|spec| spec.kind != Kind::Echo) {
                let mut server = Server::start(spec, &setup.layout)?;
                let measured = measure(&setup, spec, &server, (row, round, elements));
                samples.push(measured.map_err(|failure| server.blame(failure))?);
            }
        }
    }
    let markdown = to_markdown(&setup, elements, &samples);
    results::publish(out, &setup, "memory-types", &samples, &markdown)
}

fn measure(
    setup: &Setup,
    spec: &ServerSpec,
    server: &Server,
    (row, round, elements): (&Row, u32, u64),
) -> Outcome<Sample> {
    let keys = (elements / row.elements / row.times).max(1);
    let target = options::target(server.endpoint(), Addressing::Plain, keys);
    let used = || -> Outcome<u64> {
        let text = server.client()?.info_field("memory", "used_memory")?;
        Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    };
    let before = (at_rest(server.pid())?, used()?);
    let order = FillOrder {
        command: row.command,
        step: 1,
        times: row.times as u32,
        value: ValueSize::fixed(VALUE_LEN),
        cpus: &setup.client_cpus,
    };
    let label = format!("round {} {} {}", round + 1, spec.label, row.name);
    let mut progress = Progress::new(&label, Forced::No);
    let filled = fill::fill(&target, &order, &mut |tick| progress.tick(tick));
    progress.clear();
    filled?;
    Ok(Sample {
        server: spec.label.clone(),
        row: row.name.to_owned(),
        round,
        elements: keys * row.elements * row.times,
        resident_bytes: at_rest(server.pid())?.saturating_sub(before.0),
        used_memory_bytes: used()?.saturating_sub(before.1),
    })
}

fn to_markdown(setup: &Setup, elements: u64, samples: &[Sample]) -> String {
    let mut text = format!(
        "# Memory per element\n\n{elements} elements of 16 B a row (hashes: 16 B more for the \
         value; streams: two fields of 16 B), medians of {} rounds\n\n\
         | row | server | resident B/element | used_memory B/element | resident ratio | \
         used ratio |\n|---|---|--:|--:|--:|--:|\n",
        setup.rounds
    );
    for row in ROWS {
        let median = |label: &str, figure: fn(&Sample) -> f64| {
            let own = samples.iter().filter(|it| it.row == row.name && it.server == label);
            Spread::of(own.map(figure)).median
        };
        let subject = &setup.servers[0].label;
        for spec in setup.servers.iter().filter(|spec| spec.kind != Kind::Echo) {
            let figures = [Sample::resident_per_element, Sample::used_per_element];
            let own = figures.map(|figure| median(&spec.label, figure));
            let ratios =
                figures.map(|figure| median(subject, figure) / median(&spec.label, figure));
            text.push_str(&format!(
                "| {} | {} | {:.1} | {:.1} | {:.2} | {:.2} |\n",
                row.name, spec.label, own[0], own[1], ratios[0], ratios[1],
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::shape::KeyShape;
    use crate::request::template::{Frame, Template};

    #[test]
    fn every_row_compiles_and_adds_the_elements_it_tells() {
        let shape = KeyShape::new("key:", options::KEY_LEN, true, 1000).expect("it fits");
        let frame = Frame { shape, value: ValueSize::fixed(VALUE_LEN), key_count: 1000 };
        for row in ROWS {
            Template::compile(row.command, &frame).expect(row.name);
            assert!(row.command.contains("__key__"), "{} would never end", row.name);
            assert_eq!(row.elements == SMALL_ELEMENTS, row.command.ends_with("*100"));
        }
    }
}
