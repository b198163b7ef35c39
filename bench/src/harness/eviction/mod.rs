//! `basalt-bench eviction`: how well servers choose what to forget, and whether they keep to their
//! limit.
//!
//! Each server gets `maxmemory` and a policy with ten samples, and then the traffic of a cache that
//! is too small: GET, and SET what was not there. All servers are asked for the same keys in the
//! same order, so their hit rates differ by what they evicted and by how much they can hold, and by
//! nothing else. What they can hold is told apart by an exact LRU cache of as many keys.
//!
//! | file | what it is |
//! |---|---|
//! | `sequence` | the keys, drawn from a seed in rounds |
//! | `traffic` | the connections that ask for them |
//! | `exact` | the exact LRU cache |
//! | `watch` | memory while that goes on |
//! | `report` | the table |

mod exact;
mod report;
mod sequence;
mod traffic;
mod watch;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::{BenchError, Outcome};
use crate::harness::eviction::report::Sample;
use crate::harness::eviction::sequence::{BATCH_LEN, Demand, Hits};
use crate::harness::eviction::traffic::{CacheAside, Lifetime};
use crate::harness::eviction::watch::Peak;
use crate::harness::options::{self, CORES_OPTIONS, HARNESS_OPTIONS, SERVER_OPTIONS, Setup};
use crate::harness::results;
use crate::harness::server::{Layout, Server, ServerSpec};
use crate::keys::distribution::Distribution;

/// What `maxmemory-samples` is set to.
const EVICTION_SAMPLES: &str = "10";

const OPTIONS: &[Opt] = &[
    Opt::new("policies", "NAMES", "Values of maxmemory-policy; keys of volatile-* expire.")
        .default("allkeys-lru,allkeys-lfu"),
    Opt::new("megabytes", "N", "The limit, maxmemory.").default("100"),
    Opt::new("requests", "N", "Keys asked for; the first third is not counted.")
        .short('n')
        .default("10000000"),
    Opt::new("keys", "N", "Keys there are.").short('r').default("5000000"),
    Opt::new("distribution", "NAME", "uniform, zipf[:THETA] or sequential.").default("zipf:0.99"),
    Opt::new("value-size", "BYTES", "Payload of a value.").short('d').default("100"),
    Opt::new("connections", "N", "Connections in all.").short('c').default("8"),
    Opt::new("rounds", "N", "Times each server is started and measured.").default("1"),
];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "eviction",
    about: "measures hit rates under maxmemory, and how well the limit is kept",
    groups: &[SERVER_OPTIONS, CORES_OPTIONS, OPTIONS, HARNESS_OPTIONS],
    examples: "  \
  basalt-bench eviction --basalt ./basalt-server --peer redis-server --server-cpus 0,1
  basalt-bench eviction --basalt ./basalt-server --policies volatile-lru --megabytes 50

The run ends with its requests, so --duration and --warm-up mean nothing here.
",
};

/// What the samples of a run share.
struct Study {
    setup: Setup,
    cores: Vec<usize>,
    policies: Vec<String>,
    megabytes: u64,
    demand: Demand,
    /// As named on the command line.
    distribution: String,
    value_len: usize,
    /// The server to which hit rates are compared.
    peer: Option<String>,
}

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let study = Study::read(parsed)?;
    results::say(out, &format!("seed {}", study.setup.seed))?;
    let mut samples = Vec::new();
    for round in 0..study.setup.rounds {
        for policy in &study.policies {
            for (spec, cores) in options::with_cores(&study.setup.servers, &study.cores) {
                samples.push(study.measure_server(round, policy, (spec, cores))?);
            }
        }
    }
    let markdown = study.to_markdown(&samples);
    results::publish(out, &study.setup, "eviction", &samples, &markdown)
}

impl Study {
    fn read(parsed: &Parsed) -> Outcome<Self> {
        let setup = Setup::read(parsed, options::servers(parsed)?)?;
        let cores = parsed.number_list("cores")?;
        let distribution: String = parsed.value("distribution")?;
        let policies: String = parsed.value("policies")?;
        let demand = Demand {
            distribution: Distribution::parse(&distribution)?,
            key_count: setup.key_count,
            request_count: parsed.positive("requests")?,
            connections: setup.connections,
        };
        if demand.key_count > exact::KEY_COUNT_MAX {
            return Err(usage(format!("--keys must be at most {}", exact::KEY_COUNT_MAX)));
        }
        let first_peer = usize::from(parsed.has("basalt"));
        let peers = setup.servers.get(first_peer..).unwrap_or_default();
        let peer = options::with_cores(peers, &cores).next();
        Ok(Self {
            peer: peer.map(|(spec, cores)| options::name_with_cores(spec, cores)),
            policies: policies.split(',').map(|name| name.trim().to_owned()).collect(),
            megabytes: parsed.positive("megabytes")?,
            value_len: parsed.positive::<u32>("value-size")? as usize,
            setup,
            cores,
            demand,
            distribution,
        })
    }

    fn limit_bytes(&self) -> u64 {
        self.megabytes << 20
    }

    fn directives(&self, policy: &str) -> Vec<String> {
        let line = format!(
            "--maxmemory {}mb --maxmemory-policy {policy} --maxmemory-samples {EVICTION_SAMPLES}",
            self.megabytes
        );
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn measure_server(
        &self,
        round: u32,
        policy: &str,
        (spec, cores): (&ServerSpec, usize),
    ) -> Outcome<Sample> {
        let directives = self.directives(policy);
        let layout = Layout { cores, directives, ..self.setup.layout.clone() };
        let mut server = Server::start(spec, &layout)?;
        let name = options::name_with_cores(spec, cores);
        let measured = self.measure(round, (policy, name), &server);
        measured.map_err(|failure| server.blame(failure))
    }

    fn measure(
        &self,
        round: u32,
        (policy, name): (&str, String),
        server: &Server,
    ) -> Outcome<Sample> {
        // Rounds with the same keys would agree more than chance lets them.
        let seed = self.setup.seed.wrapping_add(u64::from(round));
        let begun = Instant::now();
        let (hits, peak) = self.serve_and_watch(server, (policy, seed))?;
        let seconds = begun.elapsed().as_secs_f64();
        let keys_held = keys_held(server)?;
        let keys_evicted = keys_evicted(server)?;
        if keys_evicted == 0 {
            // A hit rate says nothing of a policy that was never asked.
            let text = format!("no key of {keys_held} was evicted; raise --requests and --keys");
            return Err(BenchError::WrongReplies { workload: policy.to_owned(), text });
        }
        let exact = || exact::simulate(&self.demand, seed, keys_held).percent();
        Ok(Sample {
            round,
            policy: policy.to_owned(),
            server: name,
            seed,
            requests: hits.requests,
            hit_percent: hits.percent(),
            exact_hit_percent: policy.ends_with("-lru").then(exact),
            keys_held,
            keys_evicted,
            limit_bytes: self.limit_bytes(),
            seen_peak_bytes: peak.seen_bytes,
            recorded_peak_bytes: peak.recorded_bytes,
            seconds,
        })
    }

    /// What was found, and the most memory seen meanwhile.
    fn serve_and_watch(
        &self,
        server: &Server,
        (policy, seed): (&str, u64),
    ) -> Outcome<(Hits, Peak)> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| watch::peak(server, &is_over));
            let generator = scope.spawn(|| self.serve(server, (policy, seed)));
            let hits = generator.join().expect("asking does not panic");
            is_over.store(true, Ordering::Relaxed);
            let peak = watcher.join().expect("watching does not panic");
            Ok((hits?, peak?))
        })
    }

    /// Runs in a thread of its own, which stays on the generator's CPU.
    fn serve(&self, server: &Server, (policy, seed): (&str, u64)) -> Outcome<Hits> {
        if let Some(&id) = self.setup.client_cpus.first()
            && !core_affinity::set_for_current(core_affinity::CoreId { id })
        {
            return Err(usage(format!("CPU {id} is not there to be used")));
        }
        let expires = policy.starts_with("volatile-");
        let lifetime = if expires { Lifetime::Hour } else { Lifetime::Unlimited };
        let clients = (0..self.setup.connections).map(|_| server.client());
        let clients = clients.collect::<Outcome<_>>()?;
        let value = (self.value_len, lifetime);
        CacheAside::new(clients, self.demand.key_count, value)?.run(&self.demand, seed)
    }

    fn to_markdown(&self, samples: &[Sample]) -> String {
        format!(
            "# Eviction\n\nmaxmemory {} MB, maxmemory-samples {EVICTION_SAMPLES}. {} GETs, each \
             miss followed by a SET, over {} keys of {} B ({}) with values of {} B; {} \
             connections in batches of {BATCH_LEN}, seed {}, medians of {} rounds. Hits count \
             after the first third. Exact LRU: the hit rate of an exact cache with room for as \
             many keys as the server held in the end. Highest seen: the most of used_memory \
             without mem_not_counted_for_evict, above or below maxmemory; own record: the same of \
             used_memory_peak.\n\n{}",
            self.megabytes,
            self.demand.request_count,
            self.demand.key_count,
            options::KEY_LEN,
            self.distribution,
            self.value_len,
            self.setup.connections,
            self.setup.seed,
            self.setup.rounds,
            report::table(samples, self.peer.as_deref()),
        )
    }
}

fn keys_held(server: &Server) -> Outcome<u64> {
    let reply = server.client()?.call(&["DBSIZE"])?;
    let count = reply.integer().and_then(|count| u64::try_from(count).ok());
    count.ok_or_else(|| BenchError::Reply { command: "DBSIZE".to_owned(), text: reply.text() })
}

fn keys_evicted(server: &Server) -> Outcome<u64> {
    let text = server.client()?.info_field("stats", "evicted_keys")?;
    text.as_deref().and_then(|text| text.trim().parse().ok()).ok_or_else(|| BenchError::Reply {
        command: "INFO stats".to_owned(),
        text: format!("evicted_keys is {text:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(line: &str) -> Outcome<Study> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Study::read(&SPEC.parse(&words)?.expect("not a call for help"))
    }

    #[test]
    fn hit_rates_are_compared_to_the_first_peer() {
        let peer = |line: &str| study(line).expect("a study").peer;
        let both = "--basalt basalt-server --peer b=redis-server --peer c=valkey-server";
        assert_eq!(peer(both).as_deref(), Some("b"));
        assert_eq!(peer("--basalt basalt-server"), None);
        assert_eq!(peer("--peer old=basalt-server").as_deref(), Some("old, 1 cores"));
    }

    #[test]
    fn servers_are_told_limit_and_policy() {
        let study = study("--peer redis-server --megabytes 5 --policies volatile-lru,allkeys-lfu");
        let study = study.expect("a study");
        assert_eq!(study.policies, ["volatile-lru", "allkeys-lfu"]);
        let line = study.directives(&study.policies[0]).join(" ");
        let expected = "--maxmemory 5mb --maxmemory-policy volatile-lru --maxmemory-samples 10";
        assert_eq!((line.as_str(), study.limit_bytes()), (expected, 5 * 1024 * 1024));
    }

    #[test]
    fn defaults_of_its_own_win_over_the_shared_ones() {
        let study = study("--peer redis-server").expect("a study");
        assert_eq!((study.setup.rounds, study.setup.connections), (1, 8));
        assert_eq!(study.demand.key_count, study.setup.key_count);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for line in ["", "--peer x --requests 0", "--peer x --keys 4294967295", "--peer x -d 0"] {
            assert!(study(line).is_err(), "{line}");
        }
    }
}
