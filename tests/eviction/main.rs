//! Memory limits: who is refused, who has to go, and that it does not matter on how many cores.
//!
//! Cores run in process, under a seed. They stand here and not beside the other tests of that kind
//! because they need the server's allocator: what its thread has in use is what a cluster has.

#[path = "../../shard/tests/support/mod.rs"]
mod support;

mod fairness;
mod limits;
mod policies;
mod simulated;

use basalt::memory::{Jemalloc, used_bytes_of_this_thread};
use basalt_shard::settings::{MaxmemoryPolicy, Settings};

use support::{ClientId, Cluster, settings};

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Numbers of cores every law is looked at with.
const CORE_COUNTS: [u16; 3] = [1, 2, 8];

/// A cluster whose memory is limited, and a client at each core.
struct Limited {
    cluster: Cluster,
    clients: Vec<ClientId>,
    limit_bytes: u64,
}

impl Limited {
    /// A cluster that may grow by `room_bytes`.
    fn new(core_count: u16, seed: u64, policy: MaxmemoryPolicy, room_bytes: u64) -> Self {
        let settings = Settings { maxmemory_policy: policy, ..settings() };
        Self::with_settings(core_count, seed, settings, room_bytes)
    }

    fn with_settings(core_count: u16, seed: u64, settings: Settings, room_bytes: u64) -> Self {
        let mut cluster =
            Cluster::with_meter(core_count, seed, settings, used_bytes_of_this_thread);
        let clients: Vec<ClientId> =
            (0..usize::from(core_count)).map(|core| cluster.connect(core)).collect();
        let mut limited = Self { cluster, clients, limit_bytes: 0 };
        // What eviction itself needs is taken when there is a limit.
        limited.set_limit(u64::MAX >> 1);
        limited.set_limit(used_bytes_of_this_thread() + room_bytes);
        limited
    }

    fn set_limit(&mut self, limit_bytes: u64) {
        self.limit_bytes = limit_bytes;
        let reply = self.run(0, &format!("CONFIG SET maxmemory {limit_bytes}"));
        assert_eq!(reply, "+OK\r\n");
    }

    /// Runs a line at some core's client.
    fn run(&mut self, client: usize, line: &str) -> String {
        let client = self.clients[client % self.clients.len()];
        let reply = self.cluster.execute_in_turns(client, line);
        String::from_utf8(reply).expect("replies of these tests are text")
    }

    fn integer(&mut self, line: &str) -> i64 {
        let reply = self.run(0, line);
        let number = reply.trim_start_matches(':').trim_end().parse();
        number.unwrap_or_else(|_| panic!("{line}: {reply}"))
    }

    /// How many of the keys `name0` to `name(count - 1)` are there.
    fn count(&mut self, name: &str, count: usize) -> usize {
        (0..count).filter(|number| self.integer(&format!("EXISTS {name}{number}")) == 1).count()
    }

    fn evicted(&mut self) -> u64 {
        (0..self.clients.len()).map(|core| self.cluster.core(core).store.stats.evicted).sum()
    }

    /// How much memory passes the limit, as a share of the limit.
    fn excess(&self) -> f64 {
        used_bytes_of_this_thread() as f64 / self.limit_bytes as f64 - 1.0
    }
}
