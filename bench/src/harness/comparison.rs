//! The figures of a side-by-side run: samples, rows of medians, ratios, and their table.
//!
//! Ratios pair samples of the same round, and say subject divided by peer: below one is good for
//! CPU time and latency, above one is good for throughput.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::harness::spread::Spread;
use crate::load::report::{BUSY_PERCENT, Latency, LoadReport, WAITING_PERCENT};

/// One figure: one server, one workload, one depth, one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) round: u32,
    pub(crate) server: String,
    /// Workload and payload size, like `get/16B`.
    pub(crate) case: String,
    pub(crate) pipeline: u64,
    pub(crate) requests_per_s: f64,
    /// User and system time of all server threads, per request.
    pub(crate) server_cpu_ns_per_request: f64,
    /// 100 is one CPU.
    pub(crate) server_percent: f64,
    /// What its busiest thread would have used of a CPU of its own.
    pub(crate) server_wanted_percent: f64,
    /// Time its threads waited for a CPU that others held.
    pub(crate) server_waiting_percent: f64,
    pub(crate) generator_cpu_ns_per_request: f64,
    /// Of the busiest generator thread.
    pub(crate) generator_percent: f64,
    pub(crate) latency: Latency,
}

impl Sample {
    /// Takes the figures out of a report.
    pub(crate) fn new(
        round: u32,
        server: &str,
        case: &str,
        pipeline: u64,
        report: &LoadReport,
    ) -> Self {
        let cpu = report.server.clone().unwrap_or_default();
        Self {
            round,
            server: server.to_owned(),
            case: case.to_owned(),
            pipeline,
            requests_per_s: report.requests_per_s,
            server_cpu_ns_per_request: cpu.cpu_ns_per_request,
            server_percent: cpu.percent,
            server_wanted_percent: cpu.busiest_thread_wanted_percent,
            server_waiting_percent: cpu.waiting_percent,
            generator_cpu_ns_per_request: report.generator.cpu_ns_per_request,
            generator_percent: report.generator.busiest_thread_wanted_percent,
            latency: report.latency.clone(),
        }
    }
}

/// A server that took part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Participant {
    pub(crate) label: String,
    pub(crate) path: String,
    pub(crate) version: String,
}

/// One server's medians over the rounds, and the subject's ratios against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) server: String,
    pub(crate) requests_per_s: Spread,
    pub(crate) server_cpu_ns_per_request: Spread,
    pub(crate) p50_us: Spread,
    pub(crate) p99_us: Spread,
    pub(crate) p99_9_us: Spread,
    pub(crate) server_percent: Spread,
    pub(crate) server_wanted_percent: Spread,
    pub(crate) server_waiting_percent: Spread,
    pub(crate) generator_percent: Spread,
    /// Subject by this server; absent for the subject itself.
    pub(crate) ratios: Option<Ratios>,
}

/// Subject divided by peer, round by round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratios {
    pub(crate) requests_per_s: Option<Spread>,
    pub(crate) server_cpu_ns_per_request: Option<Spread>,
    pub(crate) p99_us: Option<Spread>,
}

/// All servers on one workload at one depth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) pipeline: u64,
    pub(crate) cells: Vec<Cell>,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) seed: u64,
    pub(crate) rounds: u32,
    pub(crate) settings: BTreeMap<String, String>,
    /// The subject first.
    pub(crate) servers: Vec<Participant>,
    pub(crate) rows: Vec<Row>,
    pub(crate) samples: Vec<Sample>,
}

/// Groups samples into rows, in order of first appearance in round 0. O(samples * rows).
pub(crate) fn rows(servers: &[Participant], samples: &[Sample]) -> Vec<Row> {
    let mut keys: Vec<(&str, u64)> = Vec::new();
    for sample in samples {
        let key = (sample.case.as_str(), sample.pipeline);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let row = |(case, pipeline): (&str, u64)| {
        let of = |server: &Participant| {
            let mut found: Vec<&Sample> = samples
                .iter()
                .filter(|it| it.server == server.label && it.case == case)
                .filter(|it| it.pipeline == pipeline)
                .collect();
            found.sort_by_key(|sample| sample.round);
            found
        };
        let subject = of(&servers[0]);
        let cells = servers.iter().enumerate().map(|(place, server)| {
            let versus = (place > 0).then_some(subject.as_slice());
            cell(&server.label, &of(server), versus)
        });
        Row { case: case.to_owned(), pipeline, cells: cells.collect() }
    };
    keys.into_iter().map(row).collect()
}

fn cell(server: &str, samples: &[&Sample], subject: Option<&[&Sample]>) -> Cell {
    let throughput = |sample: &Sample| sample.requests_per_s;
    let cpu = |sample: &Sample| sample.server_cpu_ns_per_request;
    let p99 = |sample: &Sample| sample.latency.p99_us;
    let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(|it| figure(it)));
    let ratios = subject.map(|subject| {
        let ratio = |figure: fn(&Sample) -> f64| {
            let ours: Vec<f64> = subject.iter().map(|it| figure(it)).collect();
            let theirs: Vec<f64> = samples.iter().map(|it| figure(it)).collect();
            Spread::of_ratios(&ours, &theirs)
        };
        Ratios {
            requests_per_s: ratio(throughput),
            server_cpu_ns_per_request: ratio(cpu),
            p99_us: ratio(p99),
        }
    });
    Cell {
        server: server.to_owned(),
        requests_per_s: spread(throughput),
        server_cpu_ns_per_request: spread(cpu),
        p50_us: spread(|sample| sample.latency.p50_us),
        p99_us: spread(p99),
        p99_9_us: spread(|sample| sample.latency.p99_9_us),
        server_percent: spread(|sample| sample.server_percent),
        server_wanted_percent: spread(|sample| sample.server_wanted_percent),
        server_waiting_percent: spread(|sample| sample.server_waiting_percent),
        generator_percent: spread(|sample| sample.generator_percent),
        ratios,
    }
}

impl Comparison {
    /// The run as a Markdown page.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from("# Side by side\n\n");
        for server in &self.servers {
            line(&mut text, &format!("* `{}`: {} ({})", server.label, server.path, server.version));
        }
        let settings: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
        line(&mut text, &format!("* {}", settings.join(", ")));
        line(&mut text, &format!("* {} rounds, seed {}", self.rounds, self.seed));
        let subject = &self.servers[0].label;
        line(
            &mut text,
            &format!(
                "\nMedians over the rounds. Ratios are {subject} by the server of the line, \
                 median (lowest..highest round); CPU below 1 and throughput above 1 favour \
                 {subject}. `*`: the server had nothing to do at times, so its throughput is \
                 not its limit. `!`: because the generator was at its limit. `~`: other \
                 programs held the server's CPUs for more than {WAITING_PERCENT} % of the time, \
                 so only its CPU figures hold.\n"
            ),
        );
        line(
            &mut text,
            "| workload | depth | server | requests/s | CPU ns/request | p50 us | p99 us | \
             p99.9 us | CPU ratio | throughput ratio |\n\
             |---|--:|---|--:|--:|--:|--:|--:|---|---|",
        );
        for row in &self.rows {
            for cell in &row.cells {
                line(&mut text, &self.table_line(row, cell));
            }
        }
        text
    }

    fn table_line(&self, row: &Row, cell: &Cell) -> String {
        let is_idle = cell.server_wanted_percent.median < BUSY_PERCENT;
        let is_outrun = is_idle && cell.generator_percent.median > BUSY_PERCENT;
        let is_disturbed = cell.server_waiting_percent.median > WAITING_PERCENT;
        let mark = match (is_outrun, is_disturbed, is_idle) {
            (true, ..) => " !",
            (_, true, _) => " ~",
            (.., true) => " *",
            _ => "",
        };
        let (cpu, throughput) = match &cell.ratios {
            Some(ratios) => (
                Spread::or_dash(ratios.server_cpu_ns_per_request),
                Spread::or_dash(ratios.requests_per_s),
            ),
            None => ("1".to_owned(), "1".to_owned()),
        };
        format!(
            "| {} | {} | {} | {:.0}{mark} | {:.0} | {:.0} | {:.0} | {:.0} | {cpu} | {throughput} |",
            row.case,
            row.pipeline,
            cell.server,
            cell.requests_per_s.median,
            cell.server_cpu_ns_per_request.median,
            cell.p50_us.median,
            cell.p99_us.median,
            cell.p99_9_us.median,
        )
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(server: &str, round: u32, requests_per_s: f64, cpu_ns: f64) -> Sample {
        Sample {
            round,
            server: server.to_owned(),
            case: "get/16B".to_owned(),
            pipeline: 16,
            requests_per_s,
            server_cpu_ns_per_request: cpu_ns,
            server_percent: 99.0,
            server_wanted_percent: 99.0,
            server_waiting_percent: 0.0,
            generator_cpu_ns_per_request: 100.0,
            generator_percent: 40.0,
            latency: Latency::default(),
        }
    }

    fn comparison() -> Comparison {
        let server = |label: &str| Participant {
            label: label.to_owned(),
            path: format!("/bin/{label}"),
            version: "1".to_owned(),
        };
        let servers = vec![server("ours"), server("peer")];
        // Rounds come in any order; the second round was twice as slow for both.
        let samples = vec![
            sample("peer", 0, 100.0, 1000.0),
            sample("ours", 0, 200.0, 500.0),
            sample("ours", 1, 100.0, 1000.0),
            sample("peer", 1, 50.0, 2000.0),
        ];
        let rows = rows(&servers, &samples);
        Comparison { seed: 1, rounds: 2, settings: BTreeMap::new(), servers, rows, samples }
    }

    #[test]
    fn ratios_cancel_what_shakes_a_round() {
        let comparison = comparison();
        let [ours, peer] = &comparison.rows[0].cells[..] else { panic!("two servers") };
        assert_eq!((ours.requests_per_s.median, &ours.ratios), (150.0, &None));
        let ratios = peer.ratios.as_ref().expect("ratios against the peer");
        let half = Spread { median: 0.5, min: 0.5, max: 0.5 };
        assert_eq!(ratios.server_cpu_ns_per_request, Some(half));
        assert_eq!(Spread::or_dash(ratios.requests_per_s), "2.00 (2.00..2.00)");
    }

    #[test]
    fn json_round_trip_keeps_every_figure() {
        let json = serde_json::to_string(&comparison()).expect("serializable");
        let back: Comparison = serde_json::from_str(&json).expect("the same shape");
        assert_eq!(back, comparison());
    }

    #[test]
    fn the_table_has_a_line_per_server() {
        let text = comparison().to_markdown();
        assert!(text.contains("| get/16B | 16 | ours | 150 | 750 |"), "{text}");
        assert!(text.contains("| peer | 75 | 1500 |"), "{text}");
    }

    #[test]
    fn unsaturated_figures_are_marked() {
        let mut comparison = comparison();
        comparison.rows[0].cells[0].server_waiting_percent.median = 30.0;
        assert!(comparison.to_markdown().contains("| 150 ~ |"));
        comparison.rows[0].cells[0].server_waiting_percent.median = 0.0;
        comparison.rows[0].cells[0].server_wanted_percent.median = 50.0;
        assert!(comparison.to_markdown().contains("| 150 * |"));
        comparison.rows[0].cells[0].generator_percent.median = 99.0;
        assert!(comparison.to_markdown().contains("| 150 ! |"));
    }
}
