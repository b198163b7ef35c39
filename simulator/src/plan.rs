//! What happens in a simulation, drawn from its seed beforehand: so it can be replayed, and made
//! smaller when it fails.
//!
//! A plan is a row of *lives* of a server. Each has cores, clients with what they will send, a disk
//! if any, and an end; the next life begins with what the disk has left, on another number of
//! cores. Each life takes its own mix from all there is (some kinds of commands often, some not at
//! all), since what is rare among everything is common somewhere.

use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::memory_disk::MemoryDisk;
use basalt_shard::hash::HashSlot;

mod mix;

use self::mix::{Kind, Mix};
use crate::Request;
use crate::any::{Any, Menu};
use crate::op::{Access, CHANNELS, Form, KEYS, Op, QUEUES, Token, Want, is_string};
use crate::reform::{self, Look, PROBES};
use crate::tally::Tally;

/// What one client does.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// The core it connects to, modulo how many there are.
    pub core: usize,
    /// Operations it sends without waiting for replies.
    pub depth: usize,
    /// What it does, in order.
    pub ops: Vec<Op>,
}

/// When the power is cut.
#[derive(Clone, Copy, Debug)]
pub enum Power {
    /// After so many operations on the disk.
    Operations(u32),
    /// While a core stands still, which is when the others have gone on: that of this number, and
    /// then after so many operations.
    Stall(u32, u32),
}

impl Power {
    /// A life begins with `disk`.
    pub(crate) fn limit(self, disk: &MemoryDisk) {
        if let Self::Operations(count) = self {
            disk.fail_power_after(count);
        }
    }

    /// A core begins to stand still, as cores have done `stalls` times by now.
    pub(crate) fn limit_in_stall(self, disk: &MemoryDisk, stalls: u64) {
        if let Self::Stall(number, count) = self
            && u64::from(number) == stalls
        {
            disk.fail_power_after(count);
        }
    }
}

/// One life of a server.
#[derive(Clone, Debug)]
pub struct Life {
    /// What its scheduler follows.
    pub seed: u64,
    /// How many cores it has.
    pub core_count: u16,
    /// How changes are written, if they are.
    pub policy: Option<SyncPolicy>,
    /// Whether the disk fails now and then.
    pub has_faults: bool,
    /// When the power is cut; in the end if it does not get there.
    pub power: Power,
    /// How likely a core begins to stand still before a step, in a thousand.
    pub stall_rate: u32,
    /// How likely time passes before a step, in a thousand.
    pub time_rate: u32,
    /// Clients that listen to all channels.
    pub listeners: usize,
    /// The keys that are in use, of [`KEYS`].
    pub keys: Vec<usize>,
    /// Whether clients run any command, see [`crate::free`].
    pub is_free: bool,
    /// Whether memory is short.
    pub has_limit: bool,
    /// Whether clients that wait go away now and then.
    pub waits_end: bool,
    /// Clients that do something.
    pub clients: Vec<ClientPlan>,
}

/// A simulation.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was drawn from.
    pub seed: u64,
    /// What happens.
    pub lives: Vec<Life>,
}

/// How large plans are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Operations of a life, at most.
    pub ops: usize,
    /// Lives, at most.
    pub lives: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { ops: 400, lives: 3 }
    }
}

/// Draws plans.
struct Draw {
    random: fastrand::Rng,
    next_token: Token,
    /// What the configuration was set to last.
    number: u32,
    mix: Mix,
    /// Keys in use, of [`KEYS`]: fewer are hotter.
    keys: Vec<usize>,
    /// What any commands are drawn from.
    menu: Menu,
    core_count: u16,
    /// Whether the append-only file is rewritten.
    has_rewrites: bool,
}

/// Keys in use where they are hot.
const HOT_KEYS_MAX: usize = 3;

/// How likely cores begin to stand still before a step, in a thousand.
const STALL_RATES: [u32; 4] = [0, STALL_RATE_LOW, STALL_RATE_LOW, 8];
const STALL_RATE_LOW: u32 = 3;

/// The power is cut in one of the first stalls, and within so many operations on the disk.
const STALLS_POWERED: u32 = 6;
const STALL_OPERATIONS: u32 = 16;

/// The longest time a client does nothing.
const PAUSE_MAX_MS: f64 = 3_600_000.0;

/// A client waits for keys a number of milliseconds that is two to the power of less than this.
const WAIT_EXPONENT_MAX: u32 = 16;

/// One life of so many is free.
const FREE_EVERY: u64 = 4;

/// In one of so many memory is short; it is free as well.
const LIMITED_EVERY: u64 = 12;

const _: () = assert!(LIMITED_EVERY.is_multiple_of(FREE_EVERY));

impl Plan {
    /// The plan of a seed, of one kind or the other.
    pub fn drawn(seed: u64, size: Size) -> Self {
        match seed.is_multiple_of(FREE_EVERY) {
            true if seed.is_multiple_of(LIMITED_EVERY) => Self::limited(seed, size),
            true => Self::free(seed, size),
            false => Self::new(seed, size),
        }
    }

    /// One life in which clients run any command.
    pub fn free(seed: u64, size: Size) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let policy = [None, Some(SyncPolicy::EverySecond), Some(SyncPolicy::Always)];
        let policy = policy[random.usize(..policy.len())];
        let mut draw = Draw::new(random.fork(), 1);
        let mut life = draw.life(policy, size);
        (life.is_free, life.has_faults, life.listeners) = (true, false, 0);
        let has_flushes = draw.random.bool();
        for client in &mut life.clients {
            client.ops = (0..client.ops.len()).map(|_| draw.any_op(has_flushes)).collect();
        }
        Self { seed, lives: vec![life] }
    }

    /// The same while memory is short, for those who can say how much is in use.
    pub fn limited(seed: u64, size: Size) -> Self {
        let mut plan = Self::free(seed, size);
        plan.lives.iter_mut().for_each(|life| life.has_limit = true);
        plan
    }

    /// The plan of a seed, for clients that know what they should see.
    pub fn new(seed: u64, size: Size) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let policy = match random.u32(..8) {
            0 | 1 => None,
            2..5 => Some(SyncPolicy::EverySecond),
            _ => Some(SyncPolicy::Always),
        };
        let count = if policy.is_some() { random.usize(1..=size.lives) } else { 1 };
        let mut next_token = 1;
        let lives = (0..count).map(|_| {
            let mut draw = Draw::new(random.fork(), next_token);
            let life = draw.life(policy, size);
            next_token = draw.next_token;
            life
        });
        Self { seed, lives: lives.collect() }
    }

    /// Operations of all clients.
    pub fn op_count(&self) -> usize {
        let clients = self.lives.iter().flat_map(|life| &life.clients);
        clients.map(|client| client.ops.len()).sum()
    }
}

impl Life {
    /// Tells what kind of life it was.
    pub(crate) fn count(&self, tally: &mut Tally) {
        let files = match self.policy {
            None => "none",
            Some(SyncPolicy::Always) => "fsync always",
            Some(SyncPolicy::EverySecond) => "fsync every second",
            Some(SyncPolicy::Never) => "no fsync",
        };
        tally.reach(("files", files));
        let cores = ["one", "two", "three", "four", "five"];
        let name = cores.get(usize::from(self.core_count) - 1).copied().unwrap_or("more");
        tally.reach(("cores", name));
    }
}

impl Draw {
    fn new(mut random: fastrand::Rng, next_token: Token) -> Self {
        let mix = Mix::drawn(&mut random);
        let mut keys: Vec<usize> = (0..KEYS.len()).collect();
        random.shuffle(&mut keys);
        let is_hot = random.bool();
        keys.truncate(random.usize(1..=if is_hot { HOT_KEYS_MAX } else { KEYS.len() }));
        let core_count = random.u16(1..=5);
        let has_rewrites = random.u32(..3) == 0;
        let number = reform::INITIAL;
        let menu = Menu::drawn(&mut random);
        Self { random, next_token, number, mix, keys, menu, core_count, has_rewrites }
    }

    fn life(&mut self, policy: Option<SyncPolicy>, size: Size) -> Life {
        let count = self.random.usize(size.ops / 4..=size.ops);
        let client_count = self.random.usize(2..=7);
        let crowd = self.random.bool();
        let clients = (0..client_count).map(|number| {
            let mix = self.mix.of_client(&mut self.random);
            let ops = (0..count / client_count).map(|_| self.op(number, &mix)).collect();
            let core = if crowd { self.random.usize(..2) } else { self.random.usize(..5) };
            ClientPlan { core, depth: self.random.usize(1..=8), ops }
        });
        let mut clients: Vec<ClientPlan> = clients.collect();
        clients.extend(self.lookers(count / client_count));
        let random = &mut self.random;
        let mut stall_rate = STALL_RATES[random.usize(..STALL_RATES.len())];
        let power = match random.bool() {
            true => Power::Operations(random.u32(1..=count as u32)),
            false => {
                stall_rate = stall_rate.max(STALL_RATE_LOW);
                Power::Stall(random.u32(1..=STALLS_POWERED), random.u32(1..=STALL_OPERATIONS))
            }
        };
        let listeners = random.usize(usize::from(self.mix.has(Kind::Publish))..=2);
        Life {
            seed: random.u64(..),
            core_count: self.core_count,
            policy,
            has_faults: policy.is_some() && random.u32(..3) == 0,
            power,
            stall_rate,
            time_rate: *random.choice(&[1, 5, 30]).expect("there are some"),
            listeners,
            keys: self.keys.clone(),
            is_free: false,
            has_limit: false,
            waits_end: self.mix.has(Kind::Quit),
            clients,
        }
    }

    /// Clients that do nothing but look at what all cores show, one at each, where that changes:
    /// whatever else stands still, these see it.
    fn lookers(&mut self, count: usize) -> Vec<ClientPlan> {
        let looks = [(Kind::Rights, Op::Rights), (Kind::Settings, Op::Settings(Look::Shown))];
        let looks = looks.into_iter().filter(|(kind, _)| self.mix.has(*kind));
        let looks: Vec<Op> = looks.map(|(_, op)| op).collect();
        if looks.is_empty() || self.random.bool() {
            return Vec::new();
        }
        let plan = |core| {
            let ops = (0..count).map(|_| looks[self.random.usize(..looks.len())].clone());
            ClientPlan { core: usize::from(core), depth: 1, ops: ops.collect() }
        };
        (0..self.core_count).map(plan).collect()
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token
    }

    fn op(&mut self, client: usize, mix: &Mix) -> Op {
        let may_reform = self.number < reform::NUMBER_MAX;
        let may = |kind| match kind {
            // One client makes all snapshots, so that they are begun in the order of its commands.
            Kind::Save => client == 0,
            // The same one sets the configuration, to ascending numbers.
            Kind::Reform => client == 0 && may_reform,
            Kind::Quit => client != 0,
            _ => true,
        };
        match mix.kind(&mut self.random, may) {
            Kind::Plain => Op::Unit(Form::Plain, vec![self.access()]),
            Kind::Several => self.several(),
            Kind::Transaction => Op::Unit(Form::Transaction, self.accesses()),
            Kind::Watched => Op::Unit(Form::Watched, self.watched()),
            Kind::Script => Op::Unit(Form::Script, self.accesses()),
            Kind::BlindScript => Op::Unit(Form::BlindScript, self.accesses()),
            Kind::Queue => self.queue(),
            Kind::Publish => Op::Publish(self.random.usize(..CHANNELS.len()), self.token()),
            Kind::Save => Op::Save,
            Kind::Move => self.move_slot(),
            Kind::Aside => self.aside(),
            Kind::Grant => Op::Grant(self.token()),
            Kind::Rights => Op::Rights,
            Kind::Reform => self.reform(),
            Kind::Settings => self.look(),
            Kind::Quit => Op::Quit,
            // Short ones and long ones are alike.
            Kind::Pause => Op::Pause(2_f64.powf(self.random.f64() * PAUSE_MAX_MS.log2()) as u32),
        }
    }

    /// An operation of a client that runs any command.
    fn any_op(&mut self, has_flushes: bool) -> Op {
        match self.random.u32(..100) {
            0 if has_flushes => {
                let mut any = self.any();
                Op::Any(Form::Plain, vec![any.on_everything()])
            }
            1 => Op::Quit,
            2..6 => self.move_any_slot(),
            6 => Op::Aside("DBSIZE".to_owned()),
            7 => Op::Aside("KEYS l*".to_owned()),
            8 if self.has_rewrites => Op::Aside("BGREWRITEAOF".to_owned()),
            9..17 => Op::Any(Form::Transaction, self.any_commands()),
            17..22 => Op::Any(Form::BlindScript, self.any_commands()),
            _ => {
                let mut any = self.any();
                Op::Any(Form::Plain, vec![any.command()])
            }
        }
    }

    fn any_commands(&mut self) -> Vec<Request> {
        let count = self.random.usize(1..=4);
        let mut any = self.any();
        (0..count).map(|_| any.command()).collect()
    }

    fn any(&mut self) -> Any<'_> {
        Any { menu: &self.menu, random: &mut self.random, next_value: &mut self.next_token }
    }

    fn move_any_slot(&mut self) -> Op {
        let name = self.any().any_key();
        let slot = HashSlot::of_key(name.as_bytes()).number();
        Op::Aside(format!("DEBUG MOVE-SLOT {slot} {}", self.random.u16(..self.core_count)))
    }

    fn access(&mut self) -> Access {
        let key = self.keys[self.random.usize(..self.keys.len())];
        let want = if self.random.bool() { Want::Write(self.token()) } else { Want::Read };
        Access { key, want }
    }

    /// Accesses of keys that are not the same.
    fn accesses(&mut self) -> Vec<Access> {
        let mut accesses: Vec<Access> = Vec::new();
        for _ in 0..self.random.usize(1..=4) {
            let access = self.access();
            if accesses.iter().all(|other| other.key != access.key) {
                accesses.push(access);
            }
        }
        accesses
    }

    /// The same, where the first one writes.
    fn watched(&mut self) -> Vec<Access> {
        let mut accesses = self.accesses();
        accesses[0].want = Want::Write(self.token());
        accesses
    }

    fn several(&mut self) -> Op {
        let strings = self.keys.iter().filter(|key| is_string(**key));
        let mut reads: Vec<Access> = strings.map(|&key| Access { key, want: Want::Read }).collect();
        if reads.is_empty() {
            return Op::Unit(Form::Plain, vec![self.access()]);
        }
        self.random.shuffle(&mut reads);
        reads.truncate(self.random.usize(1..=reads.len()));
        Op::Unit(Form::Plain, reads)
    }

    fn queue(&mut self) -> Op {
        // Short ones and long ones are alike: who waits long waits while much else happens.
        let ms = 1 << self.random.u32(..WAIT_EXPONENT_MAX);
        match self.random.u32(..10) {
            0..5 => Op::Push(self.random.usize(..QUEUES.len()), self.token()),
            5..8 => {
                let from = self.random.usize(..QUEUES.len());
                let mut queues = vec![from];
                if self.random.bool() {
                    queues.push((from + 1) % QUEUES.len());
                }
                Op::Pop(queues, ms)
            }
            _ => {
                let from = self.random.usize(..QUEUES.len() - 1);
                let to = self.random.usize(from + 1..QUEUES.len());
                Op::Move(from, to, self.random.bool().then_some(ms))
            }
        }
    }

    fn reform(&mut self) -> Op {
        self.number += 1;
        // Seldom in a transaction: that one collects all slots, which is most of the work then.
        let is_alone = self.random.u32(..10) > 0;
        Op::Reform(if is_alone { Form::Plain } else { Form::Transaction }, self.number)
    }

    fn look(&mut self) -> Op {
        let key = self.random.usize(..PROBES.len());
        Op::Settings(match self.random.u32(..8) {
            0..5 => Look::Shown,
            5 => Look::Together(key),
            6 => Look::Probed(key, Form::BlindScript),
            _ => Look::Probed(key, Form::Transaction),
        })
    }

    fn move_slot(&mut self) -> Op {
        let mut names: Vec<&str> = self.keys.iter().map(|key| KEYS[*key]).collect();
        let others: [(Kind, &[&str]); 3] =
            [(Kind::Queue, &QUEUES), (Kind::Publish, &CHANNELS), (Kind::Settings, &PROBES)];
        let used = others.iter().filter(|(kind, _)| self.mix.has(*kind));
        names.extend(used.flat_map(|(_, names)| *names));
        let name = names[self.random.usize(..names.len())];
        let slot = HashSlot::of_key(name.as_bytes()).number();
        Op::Aside(format!("DEBUG MOVE-SLOT {slot} {}", self.random.u16(..self.core_count)))
    }

    fn aside(&mut self) -> Op {
        let number = self.random.u32(1..9);
        let other = self.random.u32(1..9);
        let lines = [
            "DBSIZE".to_owned(),
            "KEYS n*".to_owned(),
            "SWAPDB 3 4".to_owned(),
            "CONFIG SET slowlog-max-len 10".to_owned(),
            "ACL SETUSER guest on".to_owned(),
            "SCAN 0".to_owned(),
            "CLIENT LIST".to_owned(),
            "PUBSUB NUMSUB news".to_owned(),
            if self.has_rewrites { "BGREWRITEAOF" } else { "TIME" }.to_owned(),
            format!("SET n{number} x PX {other}"),
            format!("MSET n{number} 1 n{other} 2"),
            format!("RENAME n{number} n{other}"),
            format!("DEL n{number} n{other}"),
            format!("EXISTS {} n{number}", KEYS.join(" ")),
        ];
        Op::Aside(lines[self.random.usize(..lines.len())].clone())
    }
}
