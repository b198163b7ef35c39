//! LATENCY: what the latency monitor has seen, and how the run times of commands are distributed.

use std::collections::BTreeSet;

use crate::call::SessionCall;
use crate::command::{self, CommandId, command_count};
use crate::commands::latency_report::{doctor_report, graph_of};
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::latency::{Monitor, Series};
use crate::reply::Reply;
use crate::stats::{LatencyHistogram, Stats};

/// What is to be told once the samples of all cores are together.
enum Question {
    History(Vec<u8>),
    Graph(Vec<u8>),
    Latest,
    Doctor,
}

/// LATENCY HISTORY.
pub fn history(call: &mut SessionCall<'_>) -> Outcome {
    ask(call, Question::History(call.arguments.at(2).to_vec()))
}

/// LATENCY GRAPH.
pub fn graph(call: &mut SessionCall<'_>) -> Outcome {
    ask(call, Question::Graph(call.arguments.at(2).to_vec()))
}

/// LATENCY LATEST.
pub fn latest(call: &mut SessionCall<'_>) -> Outcome {
    ask(call, Question::Latest)
}

/// LATENCY DOCTOR.
pub fn doctor(call: &mut SessionCall<'_>) -> Outcome {
    ask(call, Question::Doctor)
}

fn ask(call: &mut SessionCall<'_>, question: Question) -> Outcome {
    call.tour(TourKind::Gathering, Gather { question, monitor: Monitor::default() });
    Ok(())
}

struct Gather {
    question: Question,
    monitor: Monitor,
}

impl TourTask for Gather {
    fn visit(&mut self, core: &mut Core) {
        self.monitor.merge(core.latency());
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        let now_seconds = core.store.now_ms() / 1000;
        match &self.question {
            Question::History(event) => write_history(self.monitor.series_of(event), reply),
            Question::Latest => write_latest(&self.monitor, reply),
            Question::Doctor => {
                let report = doctor_report(&self.monitor, core.store.settings(), now_seconds);
                reply.verbatim("txt", report.as_bytes());
            }
            Question::Graph(event) => match self.monitor.series_of(event) {
                Some(series) => {
                    let graph = graph_of(&error::printable(event, 64), series, now_seconds);
                    reply.verbatim("txt", graph.as_bytes());
                }
                None => {
                    let event = error::printable(event, 128);
                    let error = format!("ERR No samples available for event '{event}'");
                    let error = CommandError::worded(error);
                    core.stats.count_error(&error);
                    reply.error(&error);
                }
            },
        }
    }
}

fn write_history(series: Option<&Series>, reply: &mut Reply<'_>) {
    let Some(series) = series else { return reply.array_len(0) };
    let samples = series.samples();
    reply.array_len(samples.len());
    for sample in samples {
        reply.array_len(2);
        reply.integer(sample.unix_seconds);
        reply.integer(sample.ms as i64);
    }
}

fn write_latest(monitor: &Monitor, reply: &mut Reply<'_>) {
    let all = monitor.series();
    reply.array_len(all.len());
    for (event, series) in all {
        let latest = series.latest().expect("a series begins with a sample");
        reply.array_len(4);
        reply.bulk(event.as_bytes());
        reply.integer(latest.unix_seconds);
        reply.integer(latest.ms as i64);
        reply.integer(series.max_ms as i64);
    }
}

/// LATENCY RESET.
pub fn reset(call: &mut SessionCall<'_>) -> Outcome {
    let events = call.arguments.from(2).map(<[u8]>::to_vec).collect();
    call.tour(TourKind::Gathering, Reset { events, gone: BTreeSet::new() });
    Ok(())
}

struct Reset {
    events: Vec<Vec<u8>>,
    gone: BTreeSet<&'static str>,
}

impl TourTask for Reset {
    fn visit(&mut self, core: &mut Core) {
        self.gone.extend(core.latency().reset(&self.events));
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.integer(self.gone.len() as i64);
    }
}

/// LATENCY HISTOGRAM.
pub fn histogram(call: &mut SessionCall<'_>) -> Outcome {
    let ids: Vec<CommandId> = match call.arguments.len() {
        2 => (0..command_count()).map(CommandId::from_index).collect(),
        _ => call
            .arguments
            .from(2)
            .filter_map(command::lookup_full_name)
            .flat_map(|row| std::iter::once(row).chain(row.subcommands))
            .map(|row| row.id)
            .collect(),
    };
    call.tour(TourKind::Gathering, Histograms { ids, stats: Stats::default() });
    Ok(())
}

struct Histograms {
    ids: Vec<CommandId>,
    stats: Stats,
}

impl TourTask for Histograms {
    fn visit(&mut self, core: &mut Core) {
        self.stats.add(&core.stats);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        let found: Vec<(CommandId, &LatencyHistogram)> = self
            .ids
            .iter()
            .filter_map(|id| Some((*id, self.stats.commands()[id.index()].latency.as_deref()?)))
            .collect();
        reply.map_len(found.len());
        for (id, histogram) in found {
            reply.bulk(command::by_id(id).full_name().to_string().as_bytes());
            write_histogram(histogram, reply);
        }
    }
}

fn write_histogram(histogram: &LatencyHistogram, reply: &mut Reply<'_>) {
    reply.map_len(2);
    reply.bulk(b"calls");
    reply.integer(histogram.total() as i64);
    reply.bulk(b"histogram_usec");
    let steps = histogram.cumulative_by_octave();
    reply.map_len(steps.len());
    for (upper_us, count) in steps {
        reply.integer(upper_us as i64);
        reply.integer(count as i64);
    }
}
