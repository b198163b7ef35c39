//! MEMORY STATS and MEMORY DOCTOR: where the memory goes, and whether that is well.
//!
//! A gathering tour adds up what cores hold. Everything is measured but two: what lies in tables
//! besides entries is found by a look at each segment, one in some 600 keys; and what a server
//! needs without data is what it needed at the start. Names and order of the fields are Redis'; a
//! field whose subject this server does not have is zero.

use std::collections::BTreeMap;

use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::Outcome;
use crate::host::ProcessFacts;
use crate::reply::Reply;

/// Below this much memory a report would say more about the server than about its data.
const EMPTY_BYTES: u64 = 5 << 20;

/// A ratio above this is worth a word, if it concerns [`EXCESS_BYTES`] or more.
const EXCESS_RATIO: f64 = 1.1;

/// The same for memory of the process as a whole.
const TOTAL_EXCESS_RATIO: f64 = 1.4;

/// The same for the highest use against the present.
const PEAK_RATIO: f64 = 1.5;

const EXCESS_BYTES: i64 = 10 << 20;

/// Buffers of a client above this, on average, are worth a word.
const CLIENT_BYTES: u64 = 200 << 10;

/// MEMORY STATS.
pub fn stats(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, Report { write: Report::write_stats, sums: Sums::default() });
    Ok(())
}

/// MEMORY DOCTOR.
pub fn doctor(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, Report { write: Report::write_advice, sums: Sums::default() });
    Ok(())
}

/// What one database takes.
#[derive(Default)]
struct DatabaseSums {
    keys: u64,
    index_bytes: u64,
}

#[derive(Default)]
struct Sums {
    databases: BTreeMap<u32, DatabaseSums>,
    clients: u64,
    client_bytes: u64,
    facts: ProcessFacts,
}

struct Report {
    write: fn(&Self, &mut Reply<'_>),
    sums: Sums,
}

impl TourTask for Report {
    fn visit(&mut self, core: &mut Core) {
        for (_, slot) in core.store.slots() {
            for (db, table) in slot.tables().filter(|(_, table)| !table.is_empty()) {
                let sums = self.sums.databases.entry(db).or_default();
                sums.keys += table.len() as u64;
                sums.index_bytes += table.index_bytes() as u64;
            }
        }
        for (_, session) in core.sessions() {
            self.sums.clients += 1;
            self.sums.client_bytes += session.memory_bytes() as u64;
        }
    }

    fn finish(mut self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.sums.facts = core.host.facts();
        (self.write)(&self, reply);
    }
}

/// A share of the whole in percent, or a ratio of two sizes.
fn quotient(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// One field of MEMORY STATS.
enum Figure {
    Bytes(i64),
    Ratio(f64),
}

impl Sums {
    fn overhead_bytes(&self) -> u64 {
        let index: u64 = self.databases.values().map(|sums| sums.index_bytes).sum();
        self.facts.startup_used_bytes + self.client_bytes + index
    }

    /// The fields before those of the databases.
    fn first_figures(&self) -> Vec<(&'static str, Figure)> {
        let bytes = |bytes: u64| Figure::Bytes(bytes as i64);
        vec![
            ("peak.allocated", bytes(self.facts.peak_used_bytes)),
            ("total.allocated", bytes(self.facts.used_bytes)),
            ("startup.allocated", bytes(self.facts.startup_used_bytes)),
            ("replication.backlog", bytes(0)),
            ("clients.slaves", bytes(0)),
            ("clients.normal", bytes(self.client_bytes)),
            ("cluster.links", bytes(0)),
            ("aof.buffer", bytes(0)),
            ("lua.caches", bytes(0)),
            ("functions.caches", bytes(0)),
        ]
    }

    /// The fields behind those of the databases.
    fn last_figures(&self) -> Vec<(&'static str, Figure)> {
        let facts = &self.facts;
        let used = facts.used_bytes;
        let net = used.saturating_sub(facts.startup_used_bytes);
        let keys: u64 = self.databases.values().map(|sums| sums.keys).sum();
        let overhead = self.overhead_bytes().min(used);
        let dataset = used - overhead;
        let bytes = |bytes: u64| Figure::Bytes(bytes as i64);
        let excess = |more: u64, less: u64| Figure::Bytes(more as i64 - less as i64);
        let ratio = |part, whole| Figure::Ratio(quotient(part, whole));
        let percent = |part, whole| Figure::Ratio(quotient(part, whole) * 100.0);
        let (allocated, active) = (facts.allocated_bytes, facts.active_bytes);
        let (resident, rss) = (facts.allocator_resident_bytes, facts.resident_bytes);
        vec![
            ("overhead.total", bytes(overhead)),
            ("keys.count", bytes(keys)),
            ("keys.bytes-per-key", bytes(net.checked_div(keys).unwrap_or(0))),
            ("dataset.bytes", bytes(dataset)),
            ("dataset.percentage", percent(dataset, net)),
            ("peak.percentage", percent(used, facts.peak_used_bytes)),
            ("allocator.allocated", bytes(allocated)),
            ("allocator.active", bytes(active)),
            ("allocator.resident", bytes(resident)),
            ("allocator-fragmentation.ratio", ratio(active, allocated)),
            ("allocator-fragmentation.bytes", excess(active, allocated)),
            ("allocator-rss.ratio", ratio(resident, active)),
            ("allocator-rss.bytes", excess(resident, active)),
            ("rss-overhead.ratio", ratio(rss, resident)),
            ("rss-overhead.bytes", excess(rss, resident)),
            ("fragmentation", ratio(rss, used)),
            ("fragmentation.bytes", excess(rss, used)),
        ]
    }

    /// What is wrong, a sentence each.
    fn findings(&self) -> Vec<&'static str> {
        let facts = &self.facts;
        let is_high = |part: u64, whole: u64, ratio: f64| {
            quotient(part, whole) > ratio && part as i64 - whole as i64 > EXCESS_BYTES
        };
        let (used, rss) = (facts.used_bytes, facts.resident_bytes);
        let (active, resident) = (facts.active_bytes, facts.allocator_resident_bytes);
        let checks = [
            (
                quotient(facts.peak_used_bytes, used) > PEAK_RATIO,
                "Peak memory: more than one and a half times what is in use now was in use \
                 before. Some of it may still be held; MEMORY PURGE gives back what can be given.",
            ),
            (
                is_high(rss, used, TOTAL_EXCESS_RATIO),
                "High total RSS: the process takes over 1.4 times the memory its data needs, \
                 after a peak, or because values of many sizes come and go.",
            ),
            (
                is_high(active, facts.allocated_bytes, EXCESS_RATIO),
                "High allocator fragmentation: pages in use are filled badly, which happens when \
                 values change their sizes or most keys of a time are gone.",
            ),
            (
                is_high(resident, active, EXCESS_RATIO),
                "High allocator RSS overhead: the allocator keeps pages it does not use, mostly \
                 after a peak. MEMORY PURGE gives them back.",
            ),
            (
                is_high(rss, resident, EXCESS_RATIO),
                "High process RSS overhead: memory is taken by something else than the \
                 allocator.",
            ),
            (
                self.client_bytes.checked_div(self.clients).unwrap_or(0) > CLIENT_BYTES,
                "Big client buffers: clients hold more than 200 KB each on average. They may \
                 read slowly or send very long pipelines; CLIENT LIST tells which.",
            ),
        ];
        checks.into_iter().filter_map(|(is_so, text)| is_so.then_some(text)).collect()
    }
}

impl Report {
    fn write_stats(&self, reply: &mut Reply<'_>) {
        let sums = &self.sums;
        let (first, last) = (sums.first_figures(), sums.last_figures());
        reply.map_len(first.len() + sums.databases.len() + last.len());
        write_figures(reply, first);
        for (db, database) in &sums.databases {
            reply.bulk(format!("db.{db}").as_bytes());
            reply.map_len(3);
            write_figures(
                reply,
                vec![
                    ("overhead.hashtable.main", Figure::Bytes(database.index_bytes as i64)),
                    ("overhead.hashtable.expires", Figure::Bytes(0)),
                    ("overhead.hashtable.slot-to-keys", Figure::Bytes(0)),
                ],
            );
        }
        write_figures(reply, last);
    }

    fn write_advice(&self, reply: &mut Reply<'_>) {
        let mut text = String::new();
        let findings = self.sums.findings();
        if self.sums.facts.used_bytes < EMPTY_BYTES + self.sums.facts.startup_used_bytes {
            text.push_str("There is too little data in this server to say anything about it.\n");
        } else if findings.is_empty() {
            text.push_str("No problem with memory was found.\n");
        } else {
            text.push_str("What was found about the memory of this server:\n\n");
            for finding in findings {
                text.push_str(&format!(" * {finding}\n\n"));
            }
        }
        reply.verbatim("txt", text.as_bytes());
    }
}

fn write_figures(reply: &mut Reply<'_>, figures: Vec<(&str, Figure)>) {
    for (name, figure) in figures {
        reply.bulk(name.as_bytes());
        match figure {
            Figure::Bytes(bytes) => reply.integer(bytes),
            Figure::Ratio(ratio) => reply.double(ratio),
        }
    }
}
