//! A whole server on one thread: cores, the messages between them, clients and a clock, all under
//! one seed.
//!
//! Threads interleave wherever they like. Here a core's turn is cut into steps (look at the inbox,
//! run one command, end the turn) and a seeded scheduler chooses whose step comes next, so that
//! every interleaving of steps can happen and each can be repeated:
//!
//! ```text
//! client.send --> socket | core reads some, drains its inbox | command | command | ends its turn
//!                        ^ what other cores do may come between any two of these
//! ```
//!
//! A driver has to keep four promises, and so does this one: what is read is read before the inbox
//! is drained; commands of a session are offered in order and offered again after a refusal; a turn
//! ends with `end_turn`; replies leave after that.
//!
//! A cluster that has work but can do none of it panics and names its seed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use basalt_persist::aof::commit::Held;
use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::arguments::{ArgRange, Arguments};
use basalt_shard::clock::Now;
use basalt_shard::core::session::{Hold, Origin};
use basalt_shard::core::shared::Shared;
use basalt_shard::core::{Core, CoreId, CoreOptions, Flow, SessionId, inbox_capacity};
use basalt_shard::hash::HashSlot;
use basalt_shard::reply::Mark;
use basalt_shard::settings::{Permission, Settings};
use basalt_shard::store::Store;

use crate::configuration::Configuration;
use crate::files::Files;
use crate::host::{Meter, TestHost, VirtualClock};
use crate::mesh::{Network, Traffic};
use crate::shipping::Shipping;
use crate::tally::Tally;
use crate::{Request, resp};

/// The time a cluster starts at, in milliseconds since 1970.
pub const START_MS: i64 = 1_700_000_000_000;

/// Commands a core reads from one socket at once.
const READ_MAX: usize = 8;

/// Steps a core stands still, at most.
const STALL_STEPS_MAX: u64 = 1500;

/// Steps after which a cluster that should come to rest is declared to run in circles.
const STEPS_MAX: usize = 10_000_000;

/// Which client of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId(usize);

struct Client {
    core: usize,
    session: SessionId,
    /// Sent and not read by the core.
    socket: VecDeque<Request>,
    /// Read and not run.
    read: VecDeque<Request>,
    replies: Vec<u8>,
}

/// A core and how far it is in its turn.
struct Node {
    core: Core,
    /// Clients connected to it.
    clients: Vec<usize>,
    /// Replies that wait for the disk.
    held: Held<Vec<(usize, Vec<u8>)>>,
    /// It stands still until so many steps were taken.
    stalled_until: u64,
    /// Clients that may have commands to run in this turn; `None` between turns.
    turn: Option<VecDeque<usize>>,
}

/// A server on one thread.
pub struct Cluster {
    nodes: Vec<Node>,
    clients: Vec<Client>,
    network: Network,
    clock: VirtualClock,
    random: fastrand::Rng,
    seed: u64,
    files: Option<Files>,
    shipping: Shipping,
    /// Commands that were run or sent on by a core so far.
    commands: u64,
    /// Times a command was put off, and how often for each of [`HOLDS`].
    put_off: u64,
    held: [u64; HOLDS.len()],
    /// Steps the scheduler has taken.
    steps: u64,
}

/// Why a session may have to wait.
const HOLDS: [(Hold, &str); 5] = [
    (Hold::Replies, "for replies"),
    (Hold::Credit, "for credit"),
    (Hold::Pause, "for the end of a pause"),
    (Hold::Scripts, "for scripts"),
    (Hold::Ahead, "for other cores"),
];

/// What a cluster is made of.
pub struct ClusterOptions {
    /// How many cores it has.
    pub core_count: u16,
    /// What the scheduler follows.
    pub seed: u64,
    /// Settings at the start.
    pub settings: Settings,
    /// Says how much memory is in use.
    pub meter: Meter,
    /// The time it starts at, milliseconds since 1970.
    pub start_ms: i64,
    /// Where changes are written, if anywhere.
    pub files: Option<Files>,
}

/// Settings most tests want: every command is allowed.
pub fn settings() -> Settings {
    Settings { enable_debug_command: Permission::Yes, ..Settings::default() }
}

impl Cluster {
    /// A cluster of `core_count` cores whose scheduler follows `seed`.
    pub fn new(core_count: u16, seed: u64) -> Self {
        Self::with_settings(core_count, seed, settings())
    }

    /// The same with settings of the caller's choice.
    pub fn with_settings(core_count: u16, seed: u64, settings: Settings) -> Self {
        Self::with_meter(core_count, seed, settings, || 0)
    }

    /// The same where `meter` says how much memory is in use.
    pub fn with_meter(core_count: u16, seed: u64, settings: Settings, meter: Meter) -> Self {
        let start_ms = START_MS;
        let options = ClusterOptions { core_count, seed, settings, meter, start_ms, files: None };
        Self::with_options(options)
    }

    /// A cluster as `options` say.
    pub fn with_options(options: ClusterOptions) -> Self {
        let ClusterOptions { core_count, seed, settings, meter, start_ms, files } = options;
        let network = Network::new(core_count, inbox_capacity(usize::from(core_count)));
        let clock = VirtualClock::starting_at_ms(start_ms);
        let (shared, shipping) = (Arc::new(Shared::new(core_count)), Shipping::default());
        let configuration = Configuration::new(settings.clone());
        let nodes = (0..core_count)
            .map(|number| {
                let options = CoreOptions {
                    id: CoreId(number),
                    core_count,
                    seed,
                    settings: Arc::new(settings.clone()),
                    shared: Arc::clone(&shared),
                    acl: Arc::default(),
                    renames: Default::default(),
                };
                let host = TestHost::new(configuration.clone(), clock.clone(), meter);
                let host = host.with_files(files.clone()).with_shipping(shipping.clone());
                let mesh = network.mesh_of(CoreId(number));
                let core = Core::new(options, Box::new(mesh), Box::new(host));
                Node {
                    core,
                    clients: Vec::new(),
                    held: Held::default(),
                    stalled_until: 0,
                    turn: None,
                }
            })
            .collect();
        let random = fastrand::Rng::with_seed(seed);
        let clients = Vec::new();
        Self {
            nodes,
            clients,
            network,
            clock,
            random,
            seed,
            files,
            shipping,
            commands: 0,
            put_off: 0,
            held: [0; HOLDS.len()],
            steps: 0,
        }
    }

    /// Fills the cluster, which is empty, with what `store` holds, and begins a generation of files
    /// if it has any.
    ///
    /// # Panics
    /// If the disk fails.
    pub fn adopt(&mut self, store: &mut Store) {
        let mut counts = store.database_counts().to_vec();
        for node in &mut self.nodes {
            let id = node.core.id();
            let owned = HashSlot::all().filter(|slot| node.core.owner(*slot) == id);
            let take = |slot| Some((slot, store.take_slot(slot)?));
            let slots = owned.filter_map(take).collect();
            // Counts are sums over all cores: the first gets them all.
            node.core.store.adopt(slots, &std::mem::take(&mut counts));
        }
        self.begin_files();
    }

    /// Begins a generation of files, if there are any.
    ///
    /// # Panics
    /// If the disk fails.
    pub fn begin_files(&mut self) {
        let Some(files) = &self.files else { return };
        let mut new = files.new_generation().expect("the disk is well at the start");
        for node in &mut self.nodes {
            files.turn_to(&mut new, node.core.id(), &mut node.core.store);
        }
    }

    /// Adds what was done here so far.
    pub fn count(&self, tally: &mut Tally) {
        tally.commands += self.commands;
        tally.steps += self.steps;
        tally.traffic.add(self.network.traffic());
        tally.reach_often(("commands", "taken"), self.commands);
        tally.reach_often(("commands", "put off"), self.put_off);
        for ((_, name), count) in HOLDS.iter().zip(self.held) {
            tally.reach_often(("held", name), count);
        }
    }

    /// Messages between cores so far.
    pub fn traffic(&self) -> Traffic {
        self.network.traffic()
    }

    /// When the first client that waits has waited long enough, milliseconds since 1970.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let deadlines = self.nodes.iter().filter_map(|node| node.core.next_deadline_ms());
        deadlines.min().map(|at_ms| START_MS + at_ms as i64)
    }

    /// Where changes are written.
    pub fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// What MIGRATE has sent to other servers.
    pub fn shipping(&self) -> &Shipping {
        &self.shipping
    }

    /// Connects a client to core `core`.
    pub fn connect(&mut self, core: usize) -> ClientId {
        let session = SessionId { index: self.clients.len() as u32, generation: 0 };
        let origin = Origin {
            peer: "127.0.0.1:1000".into(),
            local: "127.0.0.1:6379".into(),
            descriptor: 8,
            is_unix: false,
            is_tls: false,
        };
        self.nodes[core].core.open_session(session, origin);
        self.clients.push(Client {
            core,
            session,
            socket: VecDeque::new(),
            read: VecDeque::new(),
            replies: Vec::new(),
        });
        self.nodes[core].clients.push(self.clients.len() - 1);
        ClientId(self.clients.len() - 1)
    }

    /// Number of cores.
    pub fn core_count(&self) -> usize {
        self.nodes.len()
    }

    /// A core, between steps.
    pub fn core(&mut self, number: usize) -> &mut Core {
        &mut self.nodes[number].core
    }

    /// Wall clock in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Lets time pass. It stands still otherwise.
    pub fn advance_ms(&mut self, ms: i64) {
        self.clock.advance_ms(ms);
    }

    /// Puts a request into the socket of a client.
    pub fn send(&mut self, client: ClientId, request: Request) {
        self.clients[client.0].socket.push_back(request);
    }

    /// Puts all that is left of an operation of several commands into the socket of a client, or
    /// only the next of them: others may do something between WATCH and EXEC.
    pub fn send_part(
        &mut self,
        client: ClientId,
        unsent: &mut VecDeque<Request>,
        random: &mut fastrand::Rng,
    ) {
        let count = unsent.len();
        let count = if random.bool() { count } else { random.usize(1..=count) };
        unsent.drain(..count).for_each(|request| self.send(client, request));
    }

    /// What has been answered to a client since this was last asked.
    pub fn take_replies(&mut self, client: ClientId) -> Vec<u8> {
        std::mem::take(&mut self.clients[client.0].replies)
    }

    /// Runs one request to its end and returns the reply.
    pub fn execute(&mut self, client: ClientId, line: &str) -> Vec<u8> {
        self.execute_request(client, resp::split_line(line))
    }

    /// The same for a request that is split already.
    pub fn execute_request(&mut self, client: ClientId, request: Request) -> Vec<u8> {
        self.send(client, request);
        self.run_until_idle();
        self.take_replies(client)
    }

    /// Runs one request without interleaving: every core takes whole turns, one after the other.
    /// Much faster with many cores, for tests that are not about order.
    pub fn execute_in_turns(&mut self, client: ClientId, line: &str) -> Vec<u8> {
        self.execute_request_in_turns(client, resp::split_line(line))
    }

    /// The same for a request that is split already.
    pub fn execute_request_in_turns(&mut self, client: ClientId, request: Request) -> Vec<u8> {
        let home = self.clients[client.0].core;
        self.send(client, request);
        loop {
            for number in 0..self.nodes.len() {
                let core = &self.nodes[number].core;
                if number != home && !core.has_mail() && !core.has_eviction_work() {
                    continue;
                }
                self.begin_turn(number);
                while let Some(client) =
                    self.nodes[number].turn.as_mut().and_then(VecDeque::pop_front)
                {
                    self.run_one(number, client);
                }
                self.end_turn(number);
            }
            (0..self.nodes.len()).for_each(|number| self.write(number));
            if !self.has_work() {
                self.assert_all_answered();
                return self.take_replies(client);
            }
        }
    }

    /// Ends the connection of a client.
    pub fn disconnect(&mut self, client: ClientId) {
        self.abandon(client);
        self.run_until_idle();
    }

    /// Ends the connection of a client in the midst of whatever is under way. Returns how many of
    /// its requests no core has begun with.
    pub fn abandon(&mut self, client: ClientId) -> usize {
        let client = &mut self.clients[client.0];
        let unread = client.socket.len() + client.read.len();
        client.socket.clear();
        client.read.clear();
        self.nodes[client.core].core.close_session(client.session);
        unread
    }

    /// Whether a client waits for keys, and nobody has begun to serve it.
    pub fn is_waiting(&self, client: ClientId) -> bool {
        let client = &self.clients[client.0];
        let session = self.nodes[client.core].core.session(client.session);
        session.is_some_and(|session| session.is_waiting())
    }

    /// Whether no core is within a turn.
    pub fn is_between_turns(&self) -> bool {
        self.nodes.iter().all(|node| node.turn.is_none())
    }

    /// How many replies a client got that were not asked for yet.
    pub fn answered(&self, client: ClientId) -> usize {
        resp::split_replies(&self.clients[client.0].replies).len()
    }

    /// Whether a client waits in a blocking command.
    pub fn is_blocked(&self, client: ClientId) -> bool {
        let client = &self.clients[client.0];
        let session = self.nodes[client.core].core.session(client.session);
        session.is_some_and(|session| session.is_blocked())
    }

    /// Lets `ms` milliseconds pass and every core see it.
    pub fn pass_ms(&mut self, ms: i64) {
        self.advance_ms(ms);
        for number in 0..self.nodes.len() {
            if self.nodes[number].turn.is_none() {
                self.begin_turn(number);
            }
        }
        self.run_until_idle();
    }

    /// Takes steps until nothing is left to do but wait.
    pub fn run_until_idle(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.has_work() {
                return self.assert_all_answered();
            }
            self.step();
        }
        panic!("the cluster with seed {} does not come to rest", self.seed);
    }

    /// Lets a core chosen by the scheduler do the next bit of its turn, or the writer of one a bit
    /// of work.
    pub fn step(&mut self) {
        self.steps += 1;
        let number = self.random.usize(..self.nodes.len());
        if self.files.is_some() && self.random.u32(..4) == 0 {
            return self.write(number);
        }
        if self.nodes[number].stalled_until > self.steps {
            return;
        }
        // Most turns without anything to do are left out; they cost time and show nothing.
        if self.is_idle(number) && self.random.u32(..8) > 0 {
            return;
        }
        match &mut self.nodes[number].turn {
            None => self.begin_turn(number),
            Some(ready) => match ready.pop_front() {
                Some(client) => self.run_one(number, client),
                None => self.end_turn(number),
            },
        }
    }

    /// Whether a core between two turns has nothing new to look at.
    fn is_idle(&self, number: usize) -> bool {
        let Node { core, clients, turn, .. } = &self.nodes[number];
        let is_quiet = |index: &usize| {
            let client = &self.clients[*index];
            client.socket.is_empty() && client.read.is_empty()
        };
        turn.is_none()
            && !core.has_mail()
            && !core.has_eviction_work()
            && !core.has_departed()
            && clients.iter().all(is_quiet)
    }

    /// Lets the writer of a core work.
    fn write(&mut self, number: usize) {
        let Some(files) = &self.files else { return };
        let order_count = self.random.usize(..=4);
        let error = files.work(number, order_count, self.clock.now_ms());
        files.finish_snapshot();
        self.nodes[number].core.shared().append_error.store(error, Ordering::SeqCst);
    }

    /// Lets a core stand still for so many steps of the cluster.
    pub fn stall(&mut self, number: usize, steps: u64) {
        self.nodes[number].stalled_until = self.steps + steps;
    }

    /// Lets some core stand still for a while: mostly one that has messages it has not seen, which
    /// are late then.
    pub fn stall_some(&mut self) {
        let late = |number: &usize| self.nodes[*number].core.has_mail();
        let late: Vec<usize> = (0..self.nodes.len()).filter(late).collect();
        let number = match late.is_empty() || self.random.u32(..4) == 0 {
            true => self.random.usize(..self.nodes.len()),
            false => late[self.random.usize(..late.len())],
        };
        let steps = self.random.u64(10..STALL_STEPS_MAX);
        self.stall(number, steps);
    }

    /// Whether anything can be done but wait.
    pub fn has_work(&self) -> bool {
        let is_busy =
            self.nodes.iter().any(|node| node.turn.is_some() || node.core.has_eviction_work());
        let can_run = |client: &Client| {
            let held = self.nodes[client.core].core.is_held(client.session);
            !client.socket.is_empty() || (!client.read.is_empty() && !held)
        };
        is_busy
            || !self.network.is_empty()
            || self.shipping.has_news()
            || self.clients.iter().any(can_run)
            || self.has_work_on_files()
    }

    fn has_work_on_files(&self) -> bool {
        let Some(files) = &self.files else { return false };
        let tells = |node: &Node| node.core.store.journal().has_text();
        files.has_work(self.clock.now_ms())
            || files.is_saving()
            || self.nodes.iter().any(|node| tells(node) || !node.held.is_empty())
    }

    fn assert_all_answered(&self) {
        if self.nodes.iter().any(|node| node.core.has_departed()) {
            // It is not over: whoever waits for slots that are away does so rightly.
            return;
        }
        for (number, client) in self.clients.iter().enumerate() {
            let session = self.nodes[client.core].core.session(client.session);
            let is_owed = session.is_some_and(|session| session.is_owed());
            let is_blocked = session.is_some_and(|session| session.is_blocked());
            assert!(
                is_blocked || client.read.is_empty() && !is_owed,
                "client {number} waits for ever in the cluster with seed {}",
                self.seed
            );
        }
    }

    /// Reads from the sockets, then drains the inbox, in this order.
    fn begin_turn(&mut self, number: usize) {
        let mut ready = VecDeque::new();
        for &index in &self.nodes[number].clients {
            let client = &mut self.clients[index];
            let count = self.random.usize(..=READ_MAX.min(client.socket.len()));
            client.read.extend(client.socket.drain(..count));
            ready.push_back(index);
        }
        self.random.shuffle(ready.make_contiguous());
        let now = Now {
            unix_us: self.clock.now_ms() * 1000,
            monotonic_us: (self.clock.now_ms() - START_MS) as u64 * 1000,
        };
        let node = &mut self.nodes[number];
        node.core.begin_turn(now);
        // As the driver does: time between two turns is no command's.
        let elapsed_ns = node.core.host.elapsed_ns();
        node.core.stats.mark(elapsed_ns);
        node.core.drain();
        node.core.take_deliveries();
        node.turn = Some(ready);
    }

    /// Runs the next command of a client; it stays in this turn for as long as it has some.
    fn run_one(&mut self, number: usize, index: usize) {
        let Node { core, turn, .. } = &mut self.nodes[number];
        let client = &mut self.clients[index];
        let Some(request) = client.read.front() else { return };
        let (bytes, ranges) = flatten_request(request);
        let arguments = Arguments::new(&bytes, &ranges);
        let prepared = core.prepare(arguments);
        core.prefetch(std::iter::once((&prepared, 0)));
        match core.execute(client.session, &prepared, arguments) {
            Flow::Done => {
                self.commands += 1;
                client.read.pop_front();
                let ready = turn.as_mut().expect("commands run within a turn");
                if self.random.bool() { ready.push_front(index) } else { ready.push_back(index) }
            }
            Flow::Refused => {
                self.put_off += 1;
                let holds = core.session(client.session).map(|session| session.holds);
                let holds = holds.unwrap_or_default();
                for ((hold, _), count) in HOLDS.iter().zip(&mut self.held) {
                    *count += u64::from(holds.contains(*hold));
                }
            }
        }
    }

    fn end_turn(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.core.end_turn();
        // Small enough for many turns to come between the two ends of a slot.
        node.core.store.walk_snapshot(self.random.u64(..200));
        node.core.store.take_garbage();
        // Sessions that may go on are looked at in every turn anyway.
        node.core.take_resumed();
        node.turn = None;
        match self.files.clone() {
            None => self.take_replies_of(number),
            Some(files) => self.flush_replies(number, &files),
        }
    }

    /// Hands over what a core has told, and the replies of its turn as far as they may leave.
    fn flush_replies(&mut self, number: usize, files: &Files) {
        let node = &mut self.nodes[number];
        files.hand_over(node.core.id(), &mut node.core.store, false);
        while let Some(replies) = node.held.pop() {
            for (client, bytes) in replies {
                self.clients[client].replies.extend_from_slice(&bytes);
            }
        }
        let may_wait = node.core.has_changed() && files.policy() == SyncPolicy::Always;
        let generation = files.generation_of(number).filter(|_| may_wait);
        let waits = generation.and_then(|now| Some((node.held.wait_for(&now)?, now)));
        let Some((items, generation)) = waits else { return self.take_replies_of(number) };
        let (core, mut replies, mut total) = (&mut node.core, Vec::new(), 0);
        for &id in &core.take_changed() {
            let Some(session) = core.session_mut(id) else { continue };
            let bytes = session.output.copy_since(Mark::default());
            session.output.clear();
            total += bytes.len();
            replies.push((id.index as usize, bytes));
        }
        node.held.push(generation, items, replies, total);
    }

    /// Takes what has been answered: at the end of a turn, as a driver does, and behind whatever
    /// the core has sent by then.
    fn take_replies_of(&mut self, number: usize) {
        let core = &mut self.nodes[number].core;
        let changed = core.take_changed();
        for &id in &changed {
            let Some(session) = core.session_mut(id) else { continue };
            let client = &mut self.clients[id.index as usize];
            client.replies.extend(session.output.copy_since(Mark::default()));
            session.output.clear();
        }
        core.recycle_changed(changed);
    }
}

fn flatten_request(request: &[Vec<u8>]) -> (Vec<u8>, Vec<ArgRange>) {
    let mut bytes = Vec::new();
    let mut ranges = Vec::new();
    for argument in request {
        ranges.push(ArgRange { start: bytes.len() as u32, len: argument.len() as u32 });
        bytes.extend_from_slice(argument);
    }
    (bytes, ranges)
}
