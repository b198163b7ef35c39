//! One core: a state machine that owns slots, serves clients and talks to other cores.
//!
//! A core reads no socket and no clock. Whoever drives it (the server's reactor, or the simulator)
//! tells it the time, opens sessions, hands it parsed commands ([`Core::execute`]) and lets it
//! look at its inbox ([`Core::drain`]); it collects replies from the sessions afterwards.
//!
//! # Order (strict serializability, and pipelines keep program order)
//!
//! 1. One inbox per core, first in first out over all senders. A session's commands for another
//!    core are enqueued in program order; commands of one session for one core that follow each
//!    other share a [`message::Batch`]. Commands of *different* sessions are concurrent, so several
//!    batches may be open at once as long as a session has commands in one of them only.
//! 2. Before a core runs commands from its own sockets it drains its inbox up to the tail it sees
//!    after the read completed, and again before a local command that follows a remote one of the
//!    same session.
//! 3. A command that needs slots of several cores ([`message::Envelope`]) or all cores
//!    ([`tour::Tour`]) is a barrier for its own session: later commands wait for its reply.
//! 4. A command whose slot may be lent out (see [`shared`]) is a barrier as well, and so is PUBLISH
//!    on another core.
//!
//! Together: every single-slot command takes effect at the moment it is enqueued or, if it is
//! local, run; multi-slot commands take effect at the moment they run.
//!
//! # Bounds
//!
//! A core has at most [`CREDIT_MAX`] boxes (batches, envelopes, tours) of its own under way; when
//! they are used up its sessions are held. What concerns clients that wait for keys has bounds of
//! its own ([`parcels`], [`serving`]). So no inbox ever holds more than [`inbox_capacity`]
//! messages.

mod admission;
mod alarms;
mod auditing;
pub(crate) mod baggage;
pub mod blocking;
mod busy;
mod client_eviction;
pub(crate) mod debugging;
mod departing;
mod dispatch;
mod envelope;
mod evicting;
mod exclusive;
mod express;
pub mod listeners;
pub mod membership;
pub mod message;
pub mod monitoring;
pub mod parcels;
mod remote;
mod rights;
mod running;
mod scripting;
mod serving;
pub mod session;
mod sessions;
pub mod shared;
mod slow;
pub mod spreading;
mod succession;
pub mod tour;
mod touring;
pub mod tracking;
pub mod transaction;
mod waiting;

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

pub use self::dispatch::{Flow, Prepared};
pub use self::session::SessionId;

use self::client_eviction::Scales;
use self::departing::Departed;
use self::exclusive::Exclusive;
use self::listeners::Listeners;
use self::membership::Farewells;
use self::message::{Batch, Message};
use self::parcels::Post;
use self::serving::SERVICES_MAX;
use self::session::Session;
use self::shared::{Restrictions, Shared};
use self::spreading::{Aboard, Author, BAGS_MAX, Broadcasts, RECEIPTS_MAX, Way};
use self::succession::Succession;
use self::waiting::{Gate, Lent};
use crate::acl::Acl;
use crate::acl::log::Log;
use crate::audit::AuditClasses;
use crate::clock::Now;
use crate::command::{LastLookup, Renames};
use crate::eviction::Eviction;
use crate::expiry::Cycle;
use crate::hash::HashSlot;
use crate::host::Host;
use crate::key_waits::KeyWaiter;
use crate::latency::{Monitor, event};
use crate::mutation::{self, Mutation};
use crate::reply::Output;
use crate::scripting::debugger::Debugger;
use crate::scripting::engine::Scripting;
use crate::settings::Settings;
use crate::slow_log::SlowLog;
use crate::stats::Stats;
use crate::store::Store;

/// Number of a core, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoreId(pub u16);

impl CoreId {
    /// As an index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Batches, envelopes and tours one core may have under way.
pub const CREDIT_MAX: usize = 512;

/// Messages the inbox of a core must be able to hold when the server has `cores` cores: every box
/// of every core may be here, each may have a homecoming of slots and a bag of news beside it,
/// there are two bags of parcels a pair of cores, news and receipts within their bounds, tours
/// release, each core says farewell to one list of names and settles what its journal told, one
/// core at a time may ask this one to evict, and one to end clients, and there is one transaction
/// at a time whose tours bring word.
pub fn inbox_capacity(cores: usize) -> usize {
    let boxes = 3 * cores * (CREDIT_MAX + SERVICES_MAX);
    let news = cores * (BAGS_MAX as usize + 2 * RECEIPTS_MAX);
    (boxes + news + 8 * cores + 68).next_power_of_two()
}

/// The way to the other cores.
pub trait Mesh: Send {
    /// Enqueues a message at core `to`, which may be this one. In order, never blocks.
    fn send(&mut self, to: CoreId, message: Message);

    /// A position behind everything that is in this core's inbox now.
    fn tail(&self) -> u64;

    /// The next message, if one is enqueued before `tail`.
    fn receive(&mut self, tail: u64) -> Option<Message>;

    /// Whether the inbox holds anything.
    fn has_mail(&self) -> bool;

    /// The turn is over: wakes the cores that were sent something and sleep.
    fn end_turn(&mut self);
}

/// What a core is made of at its start.
pub struct CoreOptions {
    /// Which core it is.
    pub id: CoreId,
    /// How many cores there are.
    pub core_count: u16,
    /// Key hashes and random choices follow from this; the same on all cores.
    pub seed: u64,
    /// Settings at the start.
    pub settings: Arc<Settings>,
    /// Counters all cores share.
    pub shared: Arc<Shared>,
    /// Users at the start.
    pub acl: Arc<Acl>,
    /// Commands that have other names.
    pub renames: Renames,
}

/// A connection the driver has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Which one.
    pub session: SessionId,
    /// How.
    pub ending: Ending,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its output is sent first.
    AfterOutput,
    /// At once.
    AtOnce,
    /// At once, because clients weigh more than they may.
    Evicted,
}

impl Ending {
    /// That of a client which some client asked to be ended: who asks for its own end is answered.
    pub(crate) fn asked_for_by(asker: u64, client_id: u64) -> Self {
        if client_id == asker { Self::AfterOutput } else { Self::AtOnce }
    }
}

/// One core.
pub struct Core {
    id: CoreId,
    core_count: u16,
    shared: Arc<Shared>,
    mesh: Box<dyn Mesh>,
    /// Process-wide services: configuration, figures of the process, shutdown.
    pub host: Box<dyn Host>,
    /// The slots this core owns and what commands need to work on them.
    pub store: Store,
    /// Machines for scripts and functions.
    pub scripting: Scripting,
    /// Number of this turn.
    turn: u64,
    /// The session whose script runs here now.
    scripting_session: Option<SessionId>,
    /// The session in which a script is debugged here now.
    pub(crate) debugger: Option<Box<Debugger>>,
    /// Whether the driver is taking in what has arrived: there may be more of any client.
    pub is_taking_in: bool,
    /// Whether what is done without being asked for rests (`DEBUG PAUSE-CRON`).
    pub is_cron_paused: bool,
    /// A script has taken long here.
    pub(crate) has_been_busy: bool,
    /// The client whose script runs.
    script_author: Option<Author>,
    /// Figures for INFO.
    pub stats: Stats,
    /// Scripts that need the slots of all cores.
    everything: scripting::EverythingCalls,
    /// Who owns each slot, as far as this core knows.
    owners: Box<[CoreId]>,
    sessions: Vec<Option<Box<Session>>>,
    open_batches: Vec<Option<Box<Batch>>>,
    open_count: usize,
    /// Boxed, since boxes are what is sent and comes back.
    #[expect(clippy::vec_box, reason = "the boxes themselves are reused")]
    spare_batches: Vec<Box<Batch>>,
    credit: usize,
    starving: VecDeque<SessionId>,
    lent: Lent,
    gate: Gate,
    /// What clients of this core were refused.
    acl_log: Log,
    /// Slow commands, large requests, large replies.
    command_logs: [SlowLog; 3],
    /// Sessions of any core that are shown every command.
    monitors: Vec<(CoreId, SessionId)>,
    /// Lines for them that are kept back, while they are.
    held_lines: Option<Vec<Arc<[u8]>>>,
    /// Names of commands that differ from the table, if any do.
    renames: Option<Box<Renames>>,
    last_lookup: LastLookup,
    latency: Monitor,
    /// What the audit log is told.
    audit: AuditClasses,
    eviction: Eviction,
    scales: Scales,
    pause: Pause,
    succession: Succession,
    restrictions: Restrictions,
    blocked_clients: usize,
    /// Those that wait for the disk.
    disk_waits: Vec<SessionId>,
    /// Blocked sessions whose time will be over, by when.
    deadlines: BTreeSet<(u64, SessionId)>,
    /// Blocked sessions whose keys are to be looked at again, and when.
    alarms: BTreeSet<(u64, SessionId)>,
    /// The transaction of this core that has all slots, between two of its steps.
    exclusive: Option<Box<Exclusive>>,
    /// Commands whose keys travel to other servers.
    departed: Vec<Departed>,
    services_under_way: usize,
    services_put_off: VecDeque<Arc<KeyWaiter>>,
    /// The core whose news is being delivered.
    hears_from: Option<CoreId>,
    posts: Vec<Post>,
    /// How many of them have something to send.
    posted: usize,
    listeners: Listeners,
    farewells: Farewells,
    ways: Vec<Way>,
    /// How many of them have something to send.
    ways_loaded: usize,
    /// Whether other cores are to be told that their news was delivered.
    owes_receipts: bool,
    broadcasts: Broadcasts,
    aboard: Option<Aboard>,
    /// The slot whose readers are forgotten next when too many keys are remembered.
    tracked_cursor: HashSlot,
    /// A command of a transaction runs, with all slots it may reach at hand.
    is_transacting: bool,
    scratch: Output,
    changed: Vec<SessionId>,
    resumed: Vec<SessionId>,
    closings: Vec<Closing>,
}

/// `CLIENT PAUSE` as this core knows it.
#[derive(Default)]
pub struct Pause {
    /// Until when, in milliseconds since 1970; 0 when nothing is paused.
    pub until_ms: i64,
    /// Whether reads are paused too.
    pub all: bool,
    waiting: Vec<SessionId>,
}

/// Who owns each slot at the start: contiguous ranges, as even as can be.
fn even_shares(core_count: u16) -> Box<[CoreId]> {
    let share =
        |slot: HashSlot| slot.index() * usize::from(core_count) / usize::from(HashSlot::COUNT);
    HashSlot::all().map(|slot| CoreId(share(slot) as u16)).collect()
}

/// The store of a core, with the slots it owns at the start.
fn new_store(
    id: CoreId,
    owners: &[CoreId],
    seed: u64,
    settings: Arc<Settings>,
    acl: Arc<Acl>,
) -> Store {
    let owned = HashSlot::all().filter(|slot| owners[slot.index()] == id);
    let mut store = Store::new(owned, seed, u64::from(id.0), settings);
    store.set_acl(acl);
    store
}

impl Core {
    /// A core that owns its even share of the slots, a contiguous range.
    pub fn new(options: CoreOptions, mesh: Box<dyn Mesh>, host: Box<dyn Host>) -> Self {
        let CoreOptions { id, core_count, seed, settings, shared, acl, renames } = options;
        assert!(id.0 < core_count, "a core's number is below the number of cores");
        let owners = even_shares(core_count);
        let store = new_store(id, &owners, seed, settings, acl);
        Self {
            id,
            core_count,
            shared,
            mesh,
            host,
            stats: slow::stats(store.settings()),
            audit: store.settings().audit_classes,
            eviction: Eviction::new(store.settings()),
            scales: Scales::new(store.settings().maxmemory_clients_bytes),
            store,
            scripting: Scripting::new(seed ^ u64::from(id.0)),
            turn: 0,
            scripting_session: None,
            debugger: None,
            is_taking_in: false,
            is_cron_paused: false,
            has_been_busy: false,
            script_author: None,
            everything: scripting::EverythingCalls::default(),
            owners,
            sessions: Vec::new(),
            open_batches: (0..core_count).map(|_| None).collect(),
            open_count: 0,
            spare_batches: Vec::new(),
            credit: CREDIT_MAX,
            starving: VecDeque::new(),
            lent: Lent::default(),
            gate: Gate::default(),
            acl_log: Log::default(),
            command_logs: Default::default(),
            monitors: Vec::new(),
            held_lines: None,
            renames: (!renames.is_empty()).then(|| Box::new(renames)),
            last_lookup: LastLookup::default(),
            latency: Monitor::default(),
            pause: Pause::default(),
            succession: Succession::default(),
            restrictions: Restrictions::default(),
            blocked_clients: 0,
            disk_waits: Vec::new(),
            deadlines: BTreeSet::new(),
            alarms: BTreeSet::new(),
            exclusive: None,
            departed: Vec::new(),
            services_under_way: 0,
            services_put_off: VecDeque::new(),
            hears_from: None,
            posts: (0..core_count).map(|_| Post::default()).collect(),
            posted: 0,
            listeners: Listeners::new(seed),
            farewells: Farewells::default(),
            ways: (0..core_count).map(|_| Way::default()).collect(),
            ways_loaded: 0,
            owes_receipts: false,
            broadcasts: Broadcasts::new(),
            aboard: None,
            tracked_cursor: HashSlot::default(),
            is_transacting: false,
            scratch: Output::default(),
            changed: Vec::new(),
            resumed: Vec::new(),
            closings: Vec::new(),
        }
    }

    /// Which core this is.
    pub fn id(&self) -> CoreId {
        self.id
    }

    /// How many cores there are.
    pub fn core_count(&self) -> u16 {
        self.core_count
    }

    /// Counters all cores share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Who owns `slot`, as far as this core knows.
    #[inline]
    pub fn owner(&self, slot: HashSlot) -> CoreId {
        self.owners[slot.index()]
    }

    /// Starts a turn at `now`.
    pub fn begin_turn(&mut self, now: Now) {
        self.store.set_now(now);
        self.restrictions = self.shared.restrictions();
        self.turn += 1;
        if self.pause.until_ms != 0 && self.pause.until_ms <= now.unix_ms() {
            self.unpause();
        }
        self.end_blocking();
        self.ring_alarms();
        self.settle_if_due();
    }

    /// Number of this turn.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Runs everything that was in the inbox when this was called.
    pub fn drain(&mut self) {
        let tail = self.mesh.tail();
        if self.store.journal.is_on() {
            self.store.journal.note_others();
        }
        while let Some(message) = self.mesh.receive(tail) {
            if mutation::is_on(Mutation::InboxReordered)
                && let Some(later) = self.mesh.receive(tail)
            {
                self.deliver(later);
            }
            self.deliver(message);
        }
    }

    /// Whether the inbox holds anything.
    pub fn has_mail(&self) -> bool {
        self.mesh.has_mail()
    }

    /// Ends a turn: sends what was kept back for company, and wakes who was sent something.
    pub fn end_turn(&mut self) {
        self.evict_between_turns();
        if !self.stats.slow.is_empty() {
            self.log_slow(None);
        }
        self.flush_all_open();
        self.send_bags();
        self.end_turn_of_news();
        self.mesh.end_turn();
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Batch(batch) => self.run_batch(batch),
            Message::Answer(batch) => self.finish_batch(batch),
            Message::Bounced(batch) => self.reroute(batch),
            Message::Envelope(envelope) => self.collect(envelope),
            Message::Home(slots) => self.welcome(slots),
            Message::Tour(tour) => self.receive_tour(tour),
            Message::Release(release) => self.release(release),
            Message::TourDone(tour) => self.finish_tour(*tour),
            Message::Evict => self.evict_on_request(),
            Message::EndClients => self.end_clients_on_request(),
            Message::Bag(bag) => self.open_bag(bag),
            Message::BagBack(bag) => self.take_bag_back(*bag),
            Message::News(bag) => self.open_news(*bag),
            Message::NewsTaken(receipt) => self.take_receipt(receipt),
        }
        self.settle();
    }

    /// A bounded amount of active expiry; see [`Store::expire_cycle`].
    pub fn expire_cycle(&mut self, work: usize) -> Cycle {
        if self.gate.is_congested() {
            return Cycle::default();
        }
        let begun_ns = self.host.elapsed_ns();
        let cycle = self.store.expire_cycle(work);
        let ns = self.host.elapsed_ns().saturating_sub(begun_ns);
        self.note_latency(event::EXPIRE_CYCLE, ns);
        if self.store.has_ready_keys() || self.store.news.has_pending() {
            self.serve_ready_keys();
            self.end_turn();
        }
        cycle
    }

    /// Puts new settings in force at this core.
    pub fn apply_settings(&mut self, settings: Arc<Settings>) {
        if mutation::is_on(Mutation::SettingsMissed) && self.id.0 == 1 {
            return;
        }
        slow::follow(&mut self.stats, &settings);
        self.audit = settings.audit_classes;
        self.eviction.apply(&settings);
        self.set_client_limit(settings.maxmemory_clients_bytes);
        self.shared.board.post(self.id, self.eviction.level());
        let before = self.store.settings();
        let is_same = *settings.rate_limits == *before.rate_limits;
        if settings.replies_wait_for_disk && !before.replies_wait_for_disk {
            // All cores do so at one moment: from now on nothing that is told may be open.
            self.store.settle_journal();
        }
        self.store.set_settings(settings);
        if !is_same {
            self.renew_buckets();
        }
    }

    /// Whether a command of a transaction runs now.
    pub(crate) fn is_transacting(&self) -> bool {
        self.is_transacting
    }

    /// How many of its slots are lent to envelopes now.
    pub fn lent_slots(&self) -> usize {
        self.lent.len()
    }

    /// Batches, envelopes and tours of this core that are under way.
    pub fn boxes_under_way(&self) -> usize {
        CREDIT_MAX.saturating_sub(self.credit)
    }

    /// How many slots this core owns.
    pub fn owned_slots(&self) -> usize {
        self.owners.iter().filter(|owner| **owner == self.id).count()
    }

    /// Where the slots this core owns lie among all, ascending. O(slots).
    pub(super) fn owned_ranges(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let runs = self.owners.chunk_by(|one, next| one == next).map(|run| {
            start += run.len();
            (run[0], start - run.len()..start)
        });
        runs.filter_map(|(owner, range)| (owner == self.id).then_some(range)).collect()
    }
}
