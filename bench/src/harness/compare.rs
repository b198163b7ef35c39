//! `basalt-bench compare`: several servers, the same load, the same pinning, one table.
//!
//! Every round starts each server afresh, in an order drawn anew, and runs the whole list of
//! workloads on it. Whatever drifts on the machine (temperature, neighbours, page cache) then
//! hits all servers alike, and what hits one round shows up as spread instead of as a result.

use std::collections::BTreeMap;
use std::io::Write;

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::Outcome;
use crate::harness::comparison::{self, Comparison, Participant, Sample};
use crate::harness::memory;
use crate::harness::options::{self, HARNESS_OPTIONS, SERVER_OPTIONS, Setup};
use crate::harness::results;
use crate::harness::server::{Kind, Server, ServerSpec};
use crate::harness::window::{self, Job};
use crate::keys::distribution::Distribution;
use crate::load::fill::{self, FillOrder};
use crate::load::listeners::Listeners;
use crate::load::report::LoadReport;
use crate::load::target::{self, Addressing};
use crate::request::mix::Mix;
use crate::request::template::ValueSize;
use crate::request::workloads::{self, Fill, Workload};

/// A data set takes at most this much payload, so that large values mean fewer keys.
const DATA_BYTES_MAX: u64 = 256 << 20;

const OPTIONS: &[Opt] = &[
    Opt::new("set", "NAMES", "Sets of workloads, or all.").default("strings"),
    Opt::new("tests", "NAMES", "Workloads by name instead of sets.").short('t'),
    Opt::new("pipelines", "LIST", "Requests in flight per connection.").default("1,16,64"),
    Opt::switch("memory", "Measure memory per key instead of speed."),
    Opt::new("memory-keys", "N", "Keys to fill for --memory.").default("10000000"),
    Opt::new("value-size", "BYTES", "Payload of --memory.").short('d').default("16"),
    Opt::new("ttl", "SECONDS", "Let the keys of --memory expire after this time."),
];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "compare",
    about: "starts servers in turn and measures them side by side",
    groups: &[SERVER_OPTIONS, OPTIONS, HARNESS_OPTIONS],
    examples: "  \
  basalt-bench compare --basalt target/release/basalt-server --peer valkey-server
  basalt-bench compare --basalt ./basalt-server --peer 'old=../old/basalt-server' --set all
  basalt-bench compare --basalt ./basalt-server --peer 'basalt-echo uring' --out results
  basalt-bench compare --memory --basalt ./basalt-server --peer redis-server
",
};

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let setup = Setup::read(parsed, options::servers(parsed)?)?;
    if parsed.has("memory") {
        return memory::run(parsed, &setup, out);
    }
    let cases = cases(parsed)?;
    let pipelines: Vec<u64> =
        parsed.number_list("pipelines")?.into_iter().map(|depth| depth as u64).collect();
    if pipelines.contains(&0) {
        return Err(usage("--pipelines must be at least 1"));
    }
    results::say(out, &format!("seed {}", setup.seed))?;
    let comparison = Runner { setup: &setup, cases: &cases, pipelines: &pipelines }.run()?;
    let markdown = comparison.to_markdown();
    results::publish(out, &setup, "compare", &comparison, &markdown)
}

/// A workload at one payload size.
#[derive(Clone, Copy, Debug)]
struct Case {
    workload: &'static Workload,
    value_len: usize,
}

impl Case {
    fn name(&self) -> String {
        match self.value_len {
            len if len >= 1024 && len % 1024 == 0 => {
                format!("{}/{}KB", self.workload.name, len >> 10)
            }
            len => format!("{}/{len}B", self.workload.name),
        }
    }

    /// As many keys as asked for, fewer where a key or a payload is large.
    fn key_count(&self, wanted: u64) -> u64 {
        let that_fit = DATA_BYTES_MAX / self.value_len.max(1) as u64;
        wanted.min(self.workload.keys_max).min(that_fit).max(1)
    }
}

fn cases(parsed: &Parsed) -> Outcome<Vec<Case>> {
    let mut rows: Vec<&'static Workload> = Vec::new();
    match parsed.text("tests") {
        Some(names) => {
            for name in names.split(',') {
                rows.push(workloads::named(name).ok_or_else(|| workloads::unknown(name))?);
            }
        }
        None => {
            for set in parsed.value::<String>("set")?.split(',') {
                let of_set = workloads::of_set(set);
                if of_set.is_empty() {
                    let names = workloads::set_names().join(", ");
                    return Err(usage(format!("no set is called '{set}'; there are {names}, all")));
                }
                rows.extend(of_set);
            }
        }
    }
    let sizes = |workload: &'static Workload| {
        workload.value_lens.iter().map(move |value_len| Case { workload, value_len: *value_len })
    };
    let mut cases: Vec<Case> = rows.into_iter().flat_map(sizes).collect();
    // Rows of one data set and size stand together, so that it is filled in once. The sort is
    // stable: the table's order decides the rest.
    cases.sort_by_key(|case| case.value_len);
    Ok(cases)
}

struct Runner<'a> {
    setup: &'a Setup,
    cases: &'a [Case],
    pipelines: &'a [u64],
}

/// What a server holds at the moment; nothing is known of a data set that a workload changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    Unknown,
    Filled { fill: Option<Fill>, key_count: u64, value_len: usize },
}

impl Runner<'_> {
    fn run(&self) -> Outcome<Comparison> {
        let mut random = fastrand::Rng::with_seed(self.setup.seed);
        let mut order: Vec<&ServerSpec> = self.setup.servers.iter().collect();
        let mut samples = Vec::new();
        let mut versions = BTreeMap::new();
        for round in 0..self.setup.rounds {
            random.shuffle(&mut order);
            for spec in &order {
                let mut server = Server::start(spec, &self.setup.layout)?;
                let version = server.version().map_err(|failure| server.blame(failure))?;
                versions.insert(spec.label.clone(), version);
                let measured = self.measure_server(spec, &server, round);
                samples.extend(measured.map_err(|failure| server.blame(failure))?);
            }
        }
        let participant = |spec: &ServerSpec| Participant {
            label: spec.label.clone(),
            path: spec.path.display().to_string(),
            version: versions[&spec.label].clone(),
        };
        let servers: Vec<Participant> = self.setup.servers.iter().map(participant).collect();
        Ok(Comparison {
            seed: self.setup.seed,
            rounds: self.setup.rounds,
            settings: self.setup.describe(),
            rows: comparison::rows(&servers, &samples),
            servers,
            samples,
        })
    }

    fn measure_server(
        &self,
        spec: &ServerSpec,
        server: &Server,
        round: u32,
    ) -> Outcome<Vec<Sample>> {
        let mut contents = Contents::Unknown;
        let mut samples = Vec::new();
        for case in self.cases {
            for &pipeline in self.pipelines {
                contents = self.provide(server, *case, contents)?;
                let label =
                    format!("round {} {} {} depth {pipeline}", round + 1, spec.label, case.name());
                let report = self.measure(server, *case, pipeline, &label)?;
                if spec.kind != Kind::Echo {
                    window::check_replies(&report, case.workload, &label)?;
                }
                if case.workload.changes {
                    contents = Contents::Unknown;
                }
                samples.push(Sample::new(round, &spec.label, &case.name(), pipeline, &report));
            }
        }
        Ok(samples)
    }

    /// Makes sure that the server holds the case's data set.
    fn provide(&self, server: &Server, case: Case, present: Contents) -> Outcome<Contents> {
        let key_count = case.key_count(self.setup.key_count);
        let (fill, value_len) = (case.workload.fill, case.value_len);
        let wanted = Contents::Filled { fill, key_count, value_len };
        if present == wanted {
            return Ok(wanted);
        }
        server.client()?.call(&["FLUSHALL"])?;
        if let Some(data) = fill {
            let target = options::target(server.endpoint(), Addressing::Plain, key_count);
            let order = FillOrder {
                command: data.command,
                step: 1,
                times: data.times,
                value: ValueSize::fixed(value_len),
                cpus: &self.setup.client_cpus,
            };
            fill::fill(&target, &order, &mut |_| {})?;
        }
        Ok(wanted)
    }

    fn measure(
        &self,
        server: &Server,
        case: Case,
        pipeline: u64,
        label: &str,
    ) -> Outcome<LoadReport> {
        let key_count = case.key_count(self.setup.key_count);
        let target = options::target(server.endpoint(), Addressing::Plain, key_count);
        let connections = case.workload.senders(self.setup.connections);
        let lanes = target.lanes(connections)?;
        let frame = target.frame(&lanes, ValueSize::fixed(case.value_len))?;
        let (count, cpus) = (case.workload.listeners, &self.setup.client_cpus);
        let listeners = Listeners::subscribe(&target.endpoint, &target.session, count, cpus)?;
        let job = Job {
            links: target.open(&lanes, connections)?,
            lanes: target::key_sources(&lanes, Distribution::Uniform),
            mix: Mix::even(case.workload.commands, &frame)?,
            pipeline,
            server_pid: server.pid(),
        };
        let report = window::measure(self.setup, job, label)?;
        listeners.finish()?;
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Parsed {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        SPEC.parse(&words).expect("valid").expect("not a call for help")
    }

    #[test]
    fn the_default_set_is_get_and_set_at_two_sizes() {
        let names: Vec<String> =
            cases(&parsed("")).expect("the default").iter().map(Case::name).collect();
        assert_eq!(names, ["get/16B", "set/16B", "get/1KB", "set/1KB"]);
        assert!(cases(&parsed("--set nosuch")).is_err());
        assert!(cases(&parsed("--tests nosuch")).is_err());
    }

    #[test]
    fn large_keys_and_payloads_mean_fewer_keys() {
        let case = |name, value_len| {
            let workload = workloads::named(name).expect("in the table");
            Case { workload, value_len }.key_count(1_000_000)
        };
        assert_eq!(case("get", 16), 1_000_000);
        assert_eq!(case("get", 1024), 262_144);
        assert_eq!(case("lpush", 16), 1_000);
    }
}
