//! `basalt-bench scale`: what a further core brings, and what crossing cores costs.
//!
//! For each number of cores four kinds of clients run in turn:
//!
//! | clients | keys of a connection |
//! |---|---|
//! | `local` | in slots of the core it sits on: no request crosses cores |
//! | `random` | in all slots: with K cores, (K-1)/K of the requests cross |
//! | `half` | every other one in a slot of another core |
//! | `addressed` | the server in cluster mode: a cluster client that found the cores' own ports |
//!
//! The first three share one data set, filled in once. CPU time per operation is the figure to
//! look at: throughput also depends on how many CPUs are left for the clients.

use std::io::Write;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::Outcome;
use crate::harness::options::{self, HARNESS_OPTIONS, Setup};
use crate::harness::placement;
use crate::harness::results;
use crate::harness::server::{Kind, Layout, Server, ServerSpec};
use crate::harness::spread::Spread;
use crate::harness::window::{self, Job};
use crate::keys::distribution::Distribution;
use crate::keys::slot::SLOT_COUNT;
use crate::keys::source::Population;
use crate::load::connection::Link;
use crate::load::fill::{self, FillOrder};
use crate::load::report::{Latency, LoadReport};
use crate::load::target::{self, Addressing, Lane, Target};
use crate::request::mix::Mix;
use crate::request::template::ValueSize;
use crate::request::workloads::{self, Workload};
use crate::resp::client::{Client, Session};

const VALUE_LEN: usize = 16;

const OPTIONS: &[Opt] = &[
    Opt::new("basalt", "PATH", "The server."),
    Opt::new("max-cores", "N", "Run 1, 2, ... N server cores."),
    Opt::new("clients", "NAMES", "local, random, half, addressed.")
        .default("local,random,half,addressed"),
    Opt::new("tests", "NAMES", "Workloads of single keys.").short('t').default("get"),
    Opt::new("pipelines", "LIST", "Requests in flight per connection.").default("16"),
];

/// The subcommand. Its CPUs default to 0..N for the server and what is left for the clients.
pub(crate) static SPEC: Spec = Spec {
    name: "scale",
    about: "measures 1..N server cores with local, random, half remote and addressed keys",
    groups: &[OPTIONS, HARNESS_OPTIONS],
    examples: "  \
  basalt-bench scale --basalt target/release/basalt-server --max-cores 2
  basalt-bench scale --basalt ./basalt-server --max-cores 8 --server-cpus 0-7 --client-cpus 8-15

Without --server-cpus and --client-cpus the server gets CPUs 0..N, the clients the others.
",
};

/// How clients choose their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Clients {
    Local,
    Random,
    Half,
    Addressed,
}

impl Clients {
    fn parse(name: &str) -> Outcome<Self> {
        match name {
            "local" => Ok(Self::Local),
            "random" => Ok(Self::Random),
            "half" => Ok(Self::Half),
            "addressed" => Ok(Self::Addressed),
            _ => Err(usage(format!("clients '{name}': local, random, half, addressed"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Random => "random",
            Self::Half => "half",
            Self::Addressed => "addressed",
        }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    round: u32,
    cores: usize,
    clients: Clients,
    test: String,
    pipeline: u64,
    requests_per_s: f64,
    server_cpu_ns_per_request: f64,
    server_percent: f64,
    server_wanted_percent: f64,
    server_waiting_percent: f64,
    generator_percent: f64,
    latency: Latency,
}

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let study = Study::read(parsed)?;
    results::say(out, &format!("seed {}", study.setup.seed))?;
    if study.setup.client_cpus.is_empty() {
        results::say(out, "no CPU is left for the clients: they share those of the server")?;
    }
    let mut samples = Vec::new();
    for round in 0..study.setup.rounds {
        for cores in 1..=study.cores_max {
            samples.extend(study.measure_cores(round, cores)?);
        }
    }
    let markdown = to_markdown(&study, &samples);
    results::publish(out, &study.setup, "scale", &samples, &markdown)
}

struct Study {
    setup: Setup,
    cores_max: usize,
    server_cpus: Vec<usize>,
    clients: Vec<Clients>,
    workloads: Vec<&'static Workload>,
    pipelines: Vec<u64>,
}

impl Study {
    fn read(parsed: &Parsed) -> Outcome<Self> {
        let spec = ServerSpec::parse(&parsed.value::<String>("basalt")?)?;
        let mut setup = Setup::read(parsed, vec![ServerSpec { kind: Kind::Basalt, ..spec }])?;
        let cores_max = parsed.positive::<u16>("max-cores")?.into();
        let server_cpus: Vec<usize> = if parsed.has("server-cpus") {
            parsed.number_list("server-cpus")?
        } else {
            (0..cores_max).collect()
        };
        if server_cpus.len() < cores_max {
            return Err(usage("--server-cpus names fewer CPUs than --max-cores"));
        }
        if !parsed.has("client-cpus") {
            let present = thread::available_parallelism().map_or(1, usize::from);
            setup.client_cpus = (0..present).filter(|cpu| !server_cpus.contains(cpu)).collect();
            setup.client_threads = setup.client_cpus.len().max(1);
        }
        let names: String = parsed.value("tests")?;
        let named = |name| workloads::named(name).ok_or_else(|| workloads::unknown(name));
        let clients: String = parsed.value("clients")?;
        let pipelines: Vec<u64> =
            parsed.number_list("pipelines")?.into_iter().map(|depth| depth as u64).collect();
        if pipelines.contains(&0) {
            return Err(usage("--pipelines must be at least 1"));
        }
        Ok(Self {
            setup,
            cores_max,
            server_cpus,
            clients: clients.split(',').map(Clients::parse).collect::<Outcome<_>>()?,
            workloads: names.split(',').map(named).collect::<Outcome<_>>()?,
            pipelines,
        })
    }

    fn measure_cores(&self, round: u32, cores: usize) -> Outcome<Vec<Sample>> {
        let (addressed, shared): (Vec<Clients>, Vec<Clients>) =
            self.clients.iter().partition(|clients| **clients == Clients::Addressed);
        let mut samples = Vec::new();
        for (group, directives) in [(shared, vec![]), (addressed, vec!["--cluster-enabled", "yes"])]
        {
            if group.is_empty() {
                continue;
            }
            // Who owns a slot is asked with DEBUG.
            let directives = [vec!["--enable-debug-command", "yes"], directives].concat();
            let directives = directives.into_iter().map(str::to_owned).collect();
            let cpus = self.server_cpus[..cores].to_vec();
            let certificate = self.setup.layout.certificate.clone();
            let layout = Layout { cpus, cores, directives, certificate };
            let mut server = Server::start(&self.setup.servers[0], &layout)?;
            let trial = Trial { study: self, server: &server, round, cores };
            let measured = trial.measure_group(&group);
            samples.extend(measured.map_err(|failure| server.blame(failure))?);
        }
        Ok(samples)
    }
}

/// One running server with a number of cores.
struct Trial<'a> {
    study: &'a Study,
    server: &'a Server,
    round: u32,
    cores: usize,
}

impl Trial<'_> {
    fn measure_group(&self, group: &[Clients]) -> Outcome<Vec<Sample>> {
        let mut samples = Vec::new();
        for workload in &self.study.workloads {
            self.server.client()?.call(&["FLUSHALL"])?;
            self.fill(&self.target(group[0], workload), workload)?;
            for &clients in group {
                for &pipeline in &self.study.pipelines {
                    samples.push(self.measure(clients, workload, pipeline)?);
                }
            }
        }
        Ok(samples)
    }

    fn target(&self, clients: Clients, workload: &Workload) -> Target {
        let addressing = match clients {
            Clients::Addressed => Addressing::Cluster,
            _ => Addressing::Slots((0..SLOT_COUNT).collect()),
        };
        let key_count = self.study.setup.key_count.min(workload.keys_max);
        options::target(self.server.endpoint(), addressing, key_count)
    }

    fn fill(&self, target: &Target, workload: &Workload) -> Outcome<()> {
        let Some(data) = workload.fill else { return Ok(()) };
        let order = FillOrder {
            command: data.command,
            step: 1,
            times: data.times,
            value: ValueSize::fixed(VALUE_LEN),
            cpus: &self.study.setup.client_cpus,
        };
        fill::fill(target, &order, &mut |_| {})
    }

    fn measure(&self, clients: Clients, workload: &Workload, pipeline: u64) -> Outcome<Sample> {
        let target = self.target(clients, workload);
        let setup = &self.study.setup;
        let (lanes, links) = if clients == Clients::Addressed {
            let lanes = target.lanes(setup.connections)?;
            let links = target.open(&lanes, setup.connections)?;
            (lanes, links)
        } else {
            self.placed(clients, &target)?
        };
        let frame = target.frame(&lanes, ValueSize::fixed(VALUE_LEN))?;
        let job = Job {
            links,
            lanes: target::key_sources(&lanes, Distribution::Uniform),
            mix: Mix::even(workload.commands, &frame)?,
            pipeline,
            server_pid: self.server.pid(),
        };
        let (name, cores) = (clients.name(), self.cores);
        let label = format!("{cores} cores {} {name} depth {pipeline}", workload.name);
        let report = window::measure(setup, job, &label)?;
        window::check_replies(&report, workload, &label)?;
        Ok(self.sample(clients, workload, pipeline, &report))
    }

    /// Lanes by core, and as many connections on each core.
    fn placed(&self, clients: Clients, target: &Target) -> Outcome<(Vec<Lane>, Vec<Link>)> {
        let endpoint = self.server.endpoint();
        let owners = placement::slot_owners(&mut self.server.client()?)?;
        let per_slot = target.key_count.div_ceil(SLOT_COUNT as u64);
        let slots = |core: usize| match clients {
            Clients::Local => placement::slots_of(core, &owners),
            Clients::Half => placement::half_remote(core, &owners),
            Clients::Random | Clients::Addressed => (0..SLOT_COUNT).collect(),
        };
        let lane = |core: usize| {
            let slots = slots(core);
            if slots.is_empty() {
                return Err(usage(format!("core {core} of {} owns no slot", self.cores)));
            }
            let population = Population::of_slots(slots, per_slot);
            Ok(Lane { endpoint: endpoint.clone(), population })
        };
        let lanes: Vec<Lane> = (0..self.cores).map(lane).collect::<Outcome<_>>()?;
        let per_core = self.study.setup.connections.div_ceil(self.cores);
        let placed = placement::spread(self.cores, per_core, || {
            let mut client = Client::connect(endpoint, &Session::default())?;
            let core = placement::core_of(&mut client)?;
            Ok((client, core))
        })?;
        let mut links = Vec::new();
        for (core, clients) in placed.into_iter().enumerate() {
            for client in clients {
                links.push(Link { wire: client.into_wire()?, lane: core });
            }
        }
        Ok((lanes, links))
    }

    fn sample(
        &self,
        clients: Clients,
        workload: &Workload,
        pipeline: u64,
        report: &LoadReport,
    ) -> Sample {
        let cpu = report.server.clone().unwrap_or_default();
        Sample {
            round: self.round,
            cores: self.cores,
            clients,
            test: workload.name.to_owned(),
            pipeline,
            requests_per_s: report.requests_per_s,
            server_cpu_ns_per_request: cpu.cpu_ns_per_request,
            server_percent: cpu.percent,
            server_wanted_percent: cpu.busiest_thread_wanted_percent,
            server_waiting_percent: cpu.waiting_percent,
            generator_percent: report.generator.busiest_thread_wanted_percent,
            latency: report.latency.clone(),
        }
    }
}

fn to_markdown(study: &Study, samples: &[Sample]) -> String {
    let mut text = format!(
        "# Scale\n\n{} rounds, seed {}, medians. CPU ratio: against `local` on as many cores. \
         Speed-up: throughput against `local` on one core.\n\n\
         | test | depth | cores | clients | requests/s | CPU ns/request | CPU ratio | speed-up | \
         p50 us | p99 us | server % | generator % |\n\
         |---|--:|--:|---|--:|--:|---|---|--:|--:|--:|--:|\n",
        study.setup.rounds, study.setup.seed
    );
    for workload in &study.workloads {
        for &pipeline in &study.pipelines {
            let rows: Vec<&Sample> = samples
                .iter()
                .filter(|it| it.test == workload.name && it.pipeline == pipeline)
                .collect();
            for cores in 1..=study.cores_max {
                for &clients in &study.clients {
                    text.push_str(&table_line(&rows, cores, clients));
                }
            }
        }
    }
    text
}

fn table_line(rows: &[&Sample], cores: usize, clients: Clients) -> String {
    let of = |cores: usize, clients: Clients, figure: fn(&Sample) -> f64| -> Vec<f64> {
        let same = rows.iter().filter(|it| it.cores == cores && it.clients == clients);
        same.map(|sample| figure(sample)).collect()
    };
    let median = |figure| Spread::of(of(cores, clients, figure)).median;
    let throughput = |sample: &Sample| sample.requests_per_s;
    let cpu = |sample: &Sample| sample.server_cpu_ns_per_request;
    let ratio = |figure: fn(&Sample) -> f64, base_cores: usize| {
        let base = of(base_cores, Clients::Local, figure);
        let ours = of(cores, clients, figure);
        Spread::or_dash(Spread::of_ratios(&ours, &base))
    };
    let first = rows.first().expect("a table of samples");
    format!(
        "| {} | {} | {cores} | {} | {:.0} | {:.0} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |\n",
        first.test,
        first.pipeline,
        clients.name(),
        median(throughput),
        median(cpu),
        ratio(cpu, cores),
        ratio(throughput, 1),
        median(|sample| sample.latency.p50_us),
        median(|sample| sample.latency.p99_us),
        median(|sample| sample.server_percent),
        median(|sample| sample.generator_percent),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cores: usize, clients: Clients, requests_per_s: f64, cpu_ns: f64) -> Sample {
        Sample {
            round: 0,
            cores,
            clients,
            test: "get".to_owned(),
            pipeline: 16,
            requests_per_s,
            server_cpu_ns_per_request: cpu_ns,
            server_percent: 100.0,
            server_wanted_percent: 100.0,
            server_waiting_percent: 0.0,
            generator_percent: 50.0,
            latency: Latency::default(),
        }
    }

    #[test]
    fn ratios_are_against_local_clients() {
        let samples = [
            sample(1, Clients::Local, 100.0, 1000.0),
            sample(2, Clients::Local, 180.0, 1100.0),
            sample(2, Clients::Half, 150.0, 1320.0),
        ];
        let rows: Vec<&Sample> = samples.iter().collect();
        let line = table_line(&rows, 2, Clients::Half);
        assert!(line.contains("| half | 150 | 1320 | 1.20 (1.20..1.20) | 1.50 "), "{line}");
    }

    #[test]
    fn samples_survive_json() {
        let sample = sample(2, Clients::Addressed, 1.0, 2.0);
        let json = serde_json::to_string(&sample).expect("serializable");
        assert!(json.contains("\"addressed\""));
        assert_eq!(serde_json::from_str::<Sample>(&json).expect("the same shape"), sample);
    }

    #[test]
    fn fewer_cpus_than_cores_are_refused() {
        let read = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Study::read(&SPEC.parse(&words)?.expect("not a call for help"))
        };
        assert!(read("--basalt b --max-cores 4 --server-cpus 0,1").is_err());
        assert!(read("--basalt b --max-cores 2 --clients some").is_err());
        let study = read("--basalt b --max-cores 2").expect("valid");
        assert_eq!(study.server_cpus, [0, 1]);
        assert!(!study.setup.client_cpus.contains(&0));
    }
}
