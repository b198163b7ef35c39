//! What a run of the load engine found, as a table for people and JSON for programs.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::engine::Measurement;
use crate::procfs::CpuSpent;
use crate::resp::skimmer::ReplyKind;

/// A generator thread busier than this may be what limits the result.
pub(crate) const BUSY_PERCENT: f64 = 90.0;
/// A side that waited longer than this for CPUs was disturbed by other programs.
pub(crate) const WAITING_PERCENT: f64 = 5.0;
/// Requests that leave later than this make the generator part of the latency.
const SEND_LAG_P99_US_MAX: f64 = 1000.0;

/// A latency distribution in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p99_9_us: f64,
    pub(crate) p99_99_us: f64,
    pub(crate) max_us: f64,
}

impl Latency {
    /// Summarises a histogram of nanoseconds.
    pub(crate) fn of(histogram_ns: &Histogram<u64>) -> Self {
        let quantile = |quantile| histogram_ns.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            mean_us: histogram_ns.mean() / 1e3,
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p99_9_us: quantile(0.999),
            p99_99_us: quantile(0.9999),
            max_us: histogram_ns.max() as f64 / 1e3,
        }
    }
}

/// CPU use of one side in the measuring window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CpuUse {
    /// User and system time of all its threads, per request served.
    pub(crate) cpu_ns_per_request: f64,
    /// 100 is one CPU.
    pub(crate) percent: f64,
    /// The same of its busiest thread alone.
    pub(crate) busiest_thread_percent: f64,
    /// What its busiest thread would have used of a CPU of its own.
    pub(crate) busiest_thread_wanted_percent: f64,
    /// Time its threads were ready to run while other programs held the CPU; 100 is one thread
    /// all the time.
    pub(crate) waiting_percent: f64,
}

impl CpuUse {
    fn new(spent: CpuSpent, requests: u64, window_s: f64) -> Self {
        let percent = |ns: u64| ns as f64 / window_s / 1e7;
        Self {
            cpu_ns_per_request: spent.total_ns as f64 / requests.max(1) as f64,
            percent: percent(spent.total_ns),
            busiest_thread_percent: percent(spent.busiest_thread_ns),
            busiest_thread_wanted_percent: percent(spent.busiest_thread_wanted_ns),
            waiting_percent: percent(spent.waited_ns),
        }
    }
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoadReport {
    /// Name of the test.
    pub(crate) test: String,
    /// Command templates that were sent.
    pub(crate) commands: Vec<String>,
    /// How it was run: connections, pipeline, rate, key and value sizes.
    pub(crate) settings: BTreeMap<String, String>,
    /// Length of the measuring window in seconds.
    pub(crate) window_s: f64,
    /// Replies in the window.
    pub(crate) requests: u64,
    /// The quotient of the two.
    pub(crate) requests_per_s: f64,
    /// Error replies.
    pub(crate) errors: u64,
    /// Text of the first of them.
    pub(crate) first_error: Option<String>,
    /// RESP3 push messages.
    pub(crate) pushes: u64,
    /// Replies by type.
    pub(crate) replies: BTreeMap<String, u64>,
    /// From sending (open loop: from the intended time of sending) to the reply.
    pub(crate) latency: Latency,
    /// From the intended to the actual time of sending; open loop only.
    pub(crate) send_lag: Option<Latency>,
    /// CPU use of the load generator.
    pub(crate) generator: CpuUse,
    /// CPU use of the server, if it runs on this machine.
    pub(crate) server: Option<CpuUse>,
    /// Why the figures may not mean what they seem to.
    pub(crate) warnings: Vec<String>,
}

impl LoadReport {
    /// Turns a measurement into a report.
    pub(crate) fn new(
        test: &str,
        commands: Vec<String>,
        settings: BTreeMap<String, String>,
        measurement: &Measurement,
    ) -> Self {
        let window_s = measurement.window.as_secs_f64();
        let requests = measurement.requests;
        let cpu_use = |spent| CpuUse::new(spent, requests, window_s);
        let counted = ReplyKind::ALL.iter().zip(measurement.tally.kinds);
        let lag = &measurement.send_lag_ns;
        let mut report = Self {
            test: test.to_owned(),
            commands,
            settings,
            window_s,
            requests,
            requests_per_s: requests as f64 / window_s,
            errors: measurement.tally.errors,
            first_error: measurement.tally.first_error.clone(),
            pushes: measurement.tally.pushes,
            replies: counted
                .filter(|(_, count)| *count > 0)
                .map(|(kind, count)| (kind.name().to_owned(), count))
                .collect(),
            latency: Latency::of(&measurement.latency_ns),
            send_lag: (!lag.is_empty()).then(|| Latency::of(lag)),
            generator: cpu_use(measurement.generator_cpu),
            server: measurement.server_cpu.map(cpu_use),
            warnings: Vec::new(),
        };
        report.warnings = report.find_warnings();
        report
    }

    fn find_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let server_wanted = self.server.as_ref().map(|it| it.busiest_thread_wanted_percent);
        let generator_busy = self.generator.busiest_thread_percent;
        if generator_busy > BUSY_PERCENT && server_wanted.is_none_or(|it| it < BUSY_PERCENT) {
            let server =
                server_wanted.map_or_else(|| "unknown".to_owned(), |it| format!("{it:.0} % busy"));
            warnings.push(format!(
                "a generator thread was {generator_busy:.0} % busy (server: {server}): this may \
                 be the generator's limit, not the server's; add --threads and --cpus"
            ));
        }
        for (side, cpu) in [("generator", Some(&self.generator)), ("server", self.server.as_ref())]
        {
            let waiting = cpu.map_or(0.0, |cpu| cpu.waiting_percent);
            if waiting > WAITING_PERCENT {
                warnings.push(format!(
                    "the {side} waited {waiting:.0} % of the time for a CPU that others held: \
                     throughput and latency say little, CPU per request still holds"
                ));
            }
        }
        if self.errors > 0 {
            let text = self.first_error.as_deref().unwrap_or("");
            warnings.push(format!("{} error replies, the first: {text}", self.errors));
        }
        if let Some(lag) = self.send_lag.as_ref().filter(|lag| lag.p99_us > SEND_LAG_P99_US_MAX) {
            warnings.push(format!(
                "requests left late (p99 {:.0} us): the server cannot take this rate, or the \
                 generator cannot make it",
                lag.p99_us
            ));
        }
        if self.requests == 0 {
            warnings.push("nothing was measured: the window saw no reply".to_owned());
        }
        warnings
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "== {} ==", self.test)?;
        for command in &self.commands {
            writeln!(f, "  command      {command}")?;
        }
        let settings: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
        writeln!(f, "  settings     {}", settings.join(", "))?;
        writeln!(
            f,
            "  throughput   {:.0} requests/s  ({} in {:.2} s)",
            self.requests_per_s, self.requests, self.window_s
        )?;
        write_latency(f, "latency", &self.latency)?;
        if let Some(lag) = &self.send_lag {
            write_latency(f, "send lag", lag)?;
        }
        write_cpu(f, "generator", &self.generator)?;
        if let Some(server) = &self.server {
            write_cpu(f, "server", server)?;
        }
        let total: u64 = self.replies.values().sum();
        let share = |count: u64| 100.0 * count as f64 / total as f64;
        let replies: Vec<String> = self
            .replies
            .iter()
            .map(|(kind, count)| format!("{kind} {:.2} %", share(*count)))
            .collect();
        writeln!(f, "  replies      {}", replies.join(", "))?;
        for warning in &self.warnings {
            writeln!(f, "  WARNING      {warning}")?;
        }
        Ok(())
    }
}

fn write_latency(f: &mut fmt::Formatter<'_>, name: &str, latency: &Latency) -> fmt::Result {
    writeln!(
        f,
        "  {name:<12} p50 {:.1}  p90 {:.1}  p99 {:.1}  p99.9 {:.1}  p99.99 {:.1}  max {:.1} us",
        latency.p50_us,
        latency.p90_us,
        latency.p99_us,
        latency.p99_9_us,
        latency.p99_99_us,
        latency.max_us
    )
}

fn write_cpu(f: &mut fmt::Formatter<'_>, name: &str, cpu: &CpuUse) -> fmt::Result {
    writeln!(
        f,
        "  {name:<12} {:.0} ns CPU/request, {:.0} % CPU, busiest thread {:.0} %, waiting {:.0} %",
        cpu.cpu_ns_per_request, cpu.percent, cpu.busiest_thread_percent, cpu.waiting_percent
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::worker::new_histogram;
    use crate::procfs::ThreadTime;
    use crate::resp::skimmer::Tally;

    fn busy(ran_ns: u64) -> CpuSpent {
        CpuSpent::sum([ThreadTime { ran_ns, waited_ns: 0 }])
    }

    fn measurement(generator_ns: u64, server_ns: Option<u64>) -> Measurement {
        let mut latency_ns = new_histogram();
        latency_ns.record_n(100_000, 99).expect("in bounds");
        latency_ns.record(5_000_000).expect("in bounds");
        let mut tally = Tally { replies: 100, ..Tally::default() };
        tally.kinds[ReplyKind::Bulk as usize] = 100;
        Measurement {
            window: Duration::from_secs(2),
            requests: 100,
            tally,
            latency_ns,
            send_lag_ns: new_histogram(),
            generator_cpu: busy(generator_ns),
            server_cpu: server_ns.map(busy),
        }
    }

    fn report(measurement: &Measurement) -> LoadReport {
        LoadReport::new("get", vec!["GET __key__".to_owned()], BTreeMap::new(), measurement)
    }

    #[test]
    fn json_round_trip() {
        let report = report(&measurement(500_000_000, Some(1_900_000_000)));
        let json = serde_json::to_string_pretty(&report).expect("serializable");
        let back: LoadReport = serde_json::from_str(&json).expect("the same shape");
        assert_eq!(back, report);
    }

    #[test]
    fn figures_are_quotients_over_the_window() {
        let report = report(&measurement(500_000_000, Some(1_900_000_000)));
        assert_eq!((report.requests_per_s, report.replies["bulk"]), (50.0, 100));
        let server = report.server.as_ref().expect("a server");
        assert_eq!((server.percent, server.cpu_ns_per_request), (95.0, 19_000_000.0));
        assert!((report.latency.p50_us - 100.0).abs() < 0.2);
        assert!((report.latency.max_us - 5000.0).abs() < 5.0);
        let text = report.to_string();
        for part in ["50 requests/s", "p50 100.", "bulk 100.00 %", "busiest thread 95 %"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_saturated_generator_is_called_out() {
        let warned = |generator_ns, server_ns| {
            !report(&measurement(generator_ns, server_ns)).warnings.is_empty()
        };
        assert!(warned(1_900_000_000, Some(1_000_000_000)));
        assert!(warned(1_900_000_000, None));
        assert!(!warned(1_900_000_000, Some(1_990_000_000)));
        assert!(!warned(1_000_000_000, Some(1_000_000_000)));
    }

    #[test]
    fn neighbours_on_the_cpu_are_called_out() {
        let mut measurement = measurement(100_000_000, Some(1_000_000_000));
        measurement.server_cpu =
            Some(CpuSpent::sum([ThreadTime { ran_ns: 1_000_000_000, waited_ns: 900_000_000 }]));
        let report = report(&measurement);
        let server = report.server.as_ref().expect("a server");
        assert_eq!((server.percent, server.waiting_percent), (50.0, 45.0));
        assert_eq!(server.busiest_thread_wanted_percent, 95.0);
        let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
        assert!(warning.starts_with("the server waited 45 %"), "{warning}");
    }

    #[test]
    fn errors_are_called_out() {
        let mut measurement = measurement(0, None);
        measurement.tally.errors = 3;
        measurement.tally.first_error = Some("ERR no".to_owned());
        assert_eq!(report(&measurement).warnings, ["3 error replies, the first: ERR no"]);
    }
}
