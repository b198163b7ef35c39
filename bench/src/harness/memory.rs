//! `basalt-bench compare --memory`: what a key costs beyond its payload.
//!
//! Overhead per key is resident memory of the full server minus that of the empty one, divided
//! by the keys, minus key and value bytes. Then every other key is deleted and resident memory is
//! read again, at once and when it has come to rest: memory that a server cannot give back is
//! memory it needs.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::args::Parsed;
use crate::error::{BenchError, Outcome};
use crate::harness::options::{self, Setup};
use crate::harness::results;
use crate::harness::server::{Kind, Server, ServerSpec};
use crate::harness::spread::Spread;
use crate::load::fill::{self, FillOrder};
use crate::load::progress::{Forced, Progress};
use crate::load::target::{Addressing, Target};
use crate::procfs;
use crate::request::template::ValueSize;

/// Memory counts as at rest when it has not moved for this long: jemalloc, which all of them use,
/// gives unused pages back bit by bit within ten seconds.
const REST: Duration = Duration::from_secs(11);
const REST_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Within this time a server that defragments by itself has begun to.
const TIDY_BEGIN: Duration = Duration::from_secs(3);
/// Movements below this share of the whole are noise.
const REST_SHARE: f64 = 0.001;

/// Resident bytes of one server in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemorySample {
    pub(crate) round: u32,
    pub(crate) server: String,
    pub(crate) keys: u64,
    pub(crate) payload_bytes_per_key: u64,
    pub(crate) empty_bytes: u64,
    pub(crate) full_bytes: u64,
    /// The server's own account, where INFO gives one.
    pub(crate) full_used_memory_bytes: Option<u64>,
    pub(crate) half_deleted_bytes: u64,
    pub(crate) half_deleted_at_rest_bytes: u64,
}

impl MemorySample {
    /// Bytes per key beyond key and value.
    pub(crate) fn overhead_bytes_per_key(&self) -> f64 {
        let data = self.full_bytes as f64 - self.empty_bytes as f64;
        data / self.keys as f64 - self.payload_bytes_per_key as f64
    }

    /// Share of the data's memory that is back after half of it was deleted; 0.5 is all there is.
    pub(crate) fn returned_share(&self) -> f64 {
        let data = self.full_bytes as f64 - self.empty_bytes as f64;
        (self.full_bytes as f64 - self.half_deleted_at_rest_bytes as f64) / data
    }
}

/// Runs `compare --memory`.
pub(crate) fn run(parsed: &Parsed, setup: &Setup, out: &mut dyn Write) -> Outcome<()> {
    let value_len: usize = parsed.value("value-size")?;
    let keys: u64 = parsed.positive("memory-keys")?;
    let command = match parsed.optional::<u64>("ttl")? {
        Some(seconds) => format!("SET __key__ __value__ EX {seconds}"),
        None => "SET __key__ __value__".to_owned(),
    };
    let mut samples = Vec::new();
    for round in 0..setup.rounds {
        for spec in setup.servers.iter().filter(|spec| spec.kind != Kind::Echo) {
            let mut server = Server::start(spec, &setup.layout)?;
            let trial = Trial { setup, command: &command, keys, value_len, round };
            let measured = trial.measure(spec, &server);
            samples.push(measured.map_err(|failure| server.blame(failure))?);
        }
    }
    let markdown = to_markdown(setup, &command, &samples);
    results::publish(out, setup, "memory", &samples, &markdown)
}

struct Trial<'a> {
    setup: &'a Setup,
    command: &'a str,
    keys: u64,
    value_len: usize,
    round: u32,
}

impl Trial<'_> {
    fn measure(&self, spec: &ServerSpec, server: &Server) -> Outcome<MemorySample> {
        let target = options::target(server.endpoint(), Addressing::Plain, self.keys);
        let empty_bytes = at_rest(server.pid())?;
        self.pass(spec, &target, self.command, 1)?;
        let full_bytes = at_rest(server.pid())?;
        let used = server.client()?.info_field("memory", "used_memory")?;
        self.pass(spec, &target, "DEL __key__", 2)?;
        let half_deleted_bytes = resident(server.pid())?;
        Ok(MemorySample {
            round: self.round,
            server: spec.label.clone(),
            keys: self.keys,
            payload_bytes_per_key: (options::KEY_LEN + self.value_len) as u64,
            empty_bytes,
            full_bytes,
            full_used_memory_bytes: used.and_then(|text| text.trim().parse().ok()),
            half_deleted_bytes,
            half_deleted_at_rest_bytes: tidied_up(server)?,
        })
    }

    fn pass(&self, spec: &ServerSpec, target: &Target, command: &str, step: u64) -> Outcome<()> {
        let value = ValueSize::fixed(self.value_len);
        let cpus = &self.setup.client_cpus;
        let order = FillOrder { command, step, times: 1, value, cpus };
        let label = format!("round {} {} {command}", self.round + 1, spec.label);
        let mut progress = Progress::new(&label, Forced::No);
        let result = fill::fill(target, &order, &mut |tick| progress.tick(tick));
        progress.clear();
        result
    }
}

/// Waits until a server that defragments has begun and ended, then until memory is at rest.
fn tidied_up(server: &Server) -> Outcome<u64> {
    thread::sleep(TIDY_BEGIN);
    let begin = Instant::now();
    let is_at_it = || -> Outcome<bool> {
        let share = server.client()?.info_field("memory", "active_defrag_running")?;
        Ok(share.is_some_and(|percent| percent.trim() != "0"))
    };
    while begin.elapsed() < REST_TIMEOUT && is_at_it()? {
        thread::sleep(POLL_INTERVAL);
    }
    at_rest(server.pid())
}

fn resident(pid: u32) -> Outcome<u64> {
    procfs::resident_bytes(pid).map_err(BenchError::io("read the server's memory"))
}

/// Waits until resident memory has stopped moving: allocators return pages with delay.
pub(crate) fn at_rest(pid: u32) -> Outcome<u64> {
    let begin = Instant::now();
    let mut anchor = resident(pid)?;
    let mut still_since = begin;
    while still_since.elapsed() < REST && begin.elapsed() < REST_TIMEOUT {
        thread::sleep(POLL_INTERVAL);
        let now = resident(pid)?;
        if now.abs_diff(anchor) as f64 > anchor as f64 * REST_SHARE {
            anchor = now;
            still_since = Instant::now();
        }
    }
    resident(pid)
}

fn to_markdown(setup: &Setup, command: &str, samples: &[MemorySample]) -> String {
    let first = samples.first().map_or((0, 0), |it| (it.keys, it.payload_bytes_per_key));
    let mut text = format!(
        "# Memory\n\n{} keys of `{command}`, {} payload bytes each, medians of {} rounds\n\n\
         | server | empty MB | full MB | overhead B/key | used_memory MB | half deleted MB | \
         at rest MB | returned |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
        first.0, first.1, setup.rounds
    );
    for spec in &setup.servers {
        let own: Vec<&MemorySample> =
            samples.iter().filter(|sample| sample.server == spec.label).collect();
        if own.is_empty() {
            continue;
        }
        let median = |figure: &dyn Fn(&MemorySample) -> f64| {
            Spread::of(own.iter().map(|sample| figure(sample))).median
        };
        let megabytes =
            |figure: &dyn Fn(&MemorySample) -> u64| median(&|it| figure(it) as f64 / 1e6);
        text.push_str(&format!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |\n",
            spec.label,
            megabytes(&|it| it.empty_bytes),
            megabytes(&|it| it.full_bytes),
            median(&MemorySample::overhead_bytes_per_key),
            megabytes(&|it| it.full_used_memory_bytes.unwrap_or(0)),
            megabytes(&|it| it.half_deleted_bytes),
            megabytes(&|it| it.half_deleted_at_rest_bytes),
            median(&MemorySample::returned_share),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_what_is_left_of_the_difference() {
        let sample = MemorySample {
            round: 0,
            server: "x".to_owned(),
            keys: 1_000_000,
            payload_bytes_per_key: 32,
            empty_bytes: 5_000_000,
            full_bytes: 65_000_000,
            full_used_memory_bytes: None,
            half_deleted_bytes: 50_000_000,
            half_deleted_at_rest_bytes: 35_000_000,
        };
        assert_eq!((sample.overhead_bytes_per_key(), sample.returned_share()), (28.0, 0.5));
        let json = serde_json::to_string(&sample).expect("serializable");
        assert_eq!(serde_json::from_str::<MemorySample>(&json).expect("the same shape"), sample);
    }
}
