//! Runs a plan and checks what came of it.
//!
//! Between two steps of the cluster the runner sends what clients have to send, lets time pass,
//! breaks the disk, and takes replies, all as the seed says. At the end of a life everything comes
//! to rest; then the values are read, the history is checked, and what a power cut has left is
//! recovered and compared with the history up to the cut.

use std::collections::VecDeque;

use basalt_persist::aof::manifest::Manifest;
use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::cluster::{ClientId, Cluster, ClusterOptions, START_MS, settings};
use crate::coda::{self, Timed};
use crate::disk::{Disk, Image};
use crate::files::{Files, load_snapshot, recover};
use crate::history::{Event, History};
use crate::invariants;
use crate::op::{
    CHANNELS, Form, KEYS, Moments, Op, QUEUES, Seen, Token, is_refusal, token_of, tokens_of,
};
use crate::plan::{Life, Plan};
use crate::recovery::{Before, check_recovery};
use crate::resp::split_line;
use crate::value::Value;

/// Rounds after which a life that should be over runs in circles.
const ROUNDS_MAX: u64 = 3_000_000;

/// Times a disk fails in one life.
const FAULTS_MAX: u32 = 5;

/// How likely time passes before a step while the disk fails, in a thousand.
const FAILING_TIME_RATE: u32 = 100;

/// What was reached: counts of what happened in a simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Commands cores took.
    pub commands: u64,
    /// Steps of cores and writers.
    pub steps: u64,
    /// Time that passed, in virtual milliseconds.
    pub virtual_ms: u64,
    /// Lives.
    pub lives: u64,
    /// Events in histories.
    pub events: u64,
    /// Power cuts that were recovered from, and tokens they took away.
    pub cuts: u64,
    /// Tokens that power cuts took away.
    pub tokens_lost: u64,
    /// Snapshots that were compared.
    pub snapshots: u64,
    /// Rewrites of the append-only file.
    pub rewrites: u64,
    /// Transactions that a WATCH ended.
    pub watches_broken: u64,
    /// Operations that a failing disk had refused.
    pub refused: u64,
    /// Tokens that were taken from queues.
    pub taken: u64,
    /// Messages that were received.
    pub received: u64,
    /// A digest of all replies and when they came: two runs that are the same have the same.
    pub digest: u64,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.steps += other.steps;
        self.virtual_ms += other.virtual_ms;
        self.lives += other.lives;
        self.events += other.events;
        self.cuts += other.cuts;
        self.tokens_lost += other.tokens_lost;
        self.snapshots += other.snapshots;
        self.rewrites += other.rewrites;
        self.watches_broken += other.watches_broken;
        self.refused += other.refused;
        self.taken += other.taken;
        self.received += other.received;
        self.digest = self.digest.rotate_left(5) ^ other.digest;
    }
}

/// Runs a plan.
///
/// # Errors
/// What is wrong with what happened.
///
/// # Panics
/// If a core or the machinery breaks an invariant of its own.
pub fn run(plan: &Plan, tally: &mut Tally) -> Result<(), String> {
    let mut image = Image::default();
    let mut before: Option<(Store, Before)> = None;
    for (number, life) in plan.lives.iter().enumerate() {
        let at = |error: String| format!("life {}: {error}", number + 1);
        let mut run = Run::begin(life, image, &mut before, tally).map_err(at)?;
        run.live().map_err(at)?;
        let ended = run.end(tally).map_err(at)?;
        tally.lives += 1;
        let Some((left, past)) = ended else { return Ok(()) };
        // Keys are found by hashes that follow from the seed of whoever has them.
        let seed = plan.lives.get(number + 1).map_or(plan.seed, |next| next.seed);
        let (store, after, _) = recover(&left, &settings(), seed)
            .map_err(|error| format!("life {}: nothing can be recovered: {error}", number + 1))?;
        tally.cuts += 1;
        (image, before) = (after, Some((store, past)));
    }
    // What the last life left is looked at as well.
    if let Some((mut store, mut past)) = before {
        let mut cluster = Cluster::new(1, plan.seed);
        cluster.advance_ms(past.ended_ms - START_MS);
        cluster.adopt(&mut store);
        let reader = cluster.connect(0);
        let values = read_all(&mut cluster, reader)?;
        if let Some(timed) = &mut past.timed {
            timed.check(&mut cluster, reader)?;
        }
        tally.tokens_lost += check_recovery(&past, &values)?;
    }
    Ok(())
}

/// The values of all keys, and of all queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Of each of [`KEYS`].
    pub keys: Vec<Vec<Token>>,
    /// Of each of [`QUEUES`].
    pub queues: Vec<Vec<Token>>,
}

/// Reads everything, while nothing else goes on.
fn read_all(cluster: &mut Cluster, reader: ClientId) -> Result<Values, String> {
    let mut values = Values::default();
    let mut read = |line: String| {
        let reply = cluster.execute_in_turns(reader, &line);
        Value::parse(&reply).map(|(value, _)| value).ok_or("a reply is not whole")
    };
    for (number, key) in KEYS.iter().enumerate() {
        let line = match crate::op::is_string(number) {
            true => format!("GET {key}"),
            false => format!("LRANGE {key} 0 -1"),
        };
        values.keys.push(tokens_of(number, &read(line)?)?);
    }
    for queue in QUEUES {
        let value = read(format!("LRANGE {queue} 0 -1"))?;
        let elements = value.elements().unwrap_or_default().iter();
        let tokens = elements.map(|element| token_of(element.bytes().unwrap_or_default()));
        values.queues.push(tokens.collect::<Result<_, _>>()?);
    }
    Ok(values)
}

/// An operation that was sent and is not answered in full.
struct Outstanding {
    op: usize,
    invoked: u64,
    replies_due: usize,
    replies: Vec<Value>,
}

struct Client {
    id: ClientId,
    next: usize,
    outstanding: VecDeque<Outstanding>,
    received: Vec<u8>,
}

/// What somebody who listens has received, by channel, with when it was.
struct Listener {
    id: ClientId,
    received: Vec<u8>,
    messages: Vec<Vec<(Token, u64)>>,
    /// Keys it reads, and since when.
    reads: VecDeque<(usize, u64)>,
}

impl Listener {
    fn hear(&mut self, parts: &[Value], now: u64) -> Result<(), String> {
        let [_, name, text] = parts else { return Err("a message has three parts".to_owned()) };
        let name = name.bytes().unwrap_or_default();
        let channel = CHANNELS.iter().position(|other| other.as_bytes() == name);
        let token = token_of(text.bytes().unwrap_or_default())?;
        self.messages[channel.ok_or("a message of no channel")?].push((token, now));
        Ok(())
    }

    /// The oldest read is answered, behind all messages that came before.
    fn note_read(&mut self, number: usize, value: &Value, now: u64) -> Result<Event, String> {
        let read = self.reads.pop_front();
        let (key, invoked) = read.ok_or("a client that listens got a reply too many")?;
        let mut seen = vec![Seen::Read(key, tokens_of(key, value)?)];
        let counts = self.messages.iter().map(Vec::len).enumerate();
        seen.extend(counts.map(|(channel, count)| Seen::Heard(channel, count)));
        let text = format!("listener {number} reads {}", KEYS[key]);
        let (client, completed) = (LISTENERS_FROM + number, Some(now));
        Ok(Event { client, text, invoked, completed, seen })
    }
}

/// Clients that listen are counted from here on.
const LISTENERS_FROM: usize = 1000;

/// Reads of a client that listens which are under way at once.
const READS_MAX: usize = 3;

/// A life under way.
struct Run<'a> {
    life: &'a Life,
    settings: Settings,
    cluster: Cluster,
    files: Option<Files>,
    random: fastrand::Rng,
    clients: Vec<Client>,
    listeners: Vec<Listener>,
    initial: Values,
    events: Vec<Event>,
    /// Counts what is sent and what is seen.
    clock: u64,
    /// When the power was cut.
    cut_at: Option<u64>,
    /// A moment up to which everything is on the disk.
    safe_at: u64,
    reader: ClientId,
    /// Times the disk will fail.
    faults_left: u32,
    /// Keys whose time is short, if it is known what they are.
    timed: Option<Timed>,
    start_ms: i64,
    /// Operations that a failing disk had refused.
    refused: u64,
    /// Transactions that a WATCH ended.
    watches_broken: u64,
    digest: u64,
}

/// Adds what was received at some moment to a digest (FNV-1a).
fn digest(before: u64, moment: u64, bytes: &[u8]) -> u64 {
    let all = moment.to_le_bytes().into_iter().chain(bytes.iter().copied());
    all.fold(before, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

impl<'a> Run<'a> {
    fn begin(
        life: &'a Life,
        image: Image,
        before: &mut Option<(Store, Before)>,
        tally: &mut Tally,
    ) -> Result<Self, String> {
        let settings = settings();
        let files = match life.policy {
            None => None,
            Some(policy) => {
                let manifest = match image.manifest.as_str() {
                    "" => Manifest::default(),
                    text => Manifest::parse(text.as_bytes()).map_err(|error| error.to_string())?,
                };
                let disk = Disk::new(life.seed, image);
                Some(Files::new(disk, policy, life.core_count, manifest))
            }
        };
        let mut cluster = Cluster::with_options(ClusterOptions {
            core_count: life.core_count,
            seed: life.seed,
            settings: settings.clone(),
            meter: || 0,
            start_ms: before.as_ref().map_or(START_MS, |(_, past)| past.ended_ms),
            files: files.clone(),
        });
        let past = before.take().map(|(mut store, past)| {
            cluster.adopt(&mut store);
            past
        });
        if past.is_none() {
            cluster.begin_files();
        }
        let reader = cluster.connect(0);
        let initial = read_all(&mut cluster, reader)?;
        let mut timed = None;
        if let Some(mut past) = past {
            tally.tokens_lost += check_recovery(&past, &initial)?;
            timed = past.timed.take();
            if let Some(timed) = &mut timed {
                timed.check(&mut cluster, reader)?;
            }
        }
        if let Some(files) = &files {
            files.disk().cut_power_after(life.power);
        }
        let start_ms = cluster.now_ms();
        let mut run = Self {
            life,
            settings,
            cluster,
            files,
            random: fastrand::Rng::with_seed(life.seed),
            clients: Vec::new(),
            listeners: Vec::new(),
            initial,
            events: Vec::new(),
            clock: 0,
            cut_at: None,
            safe_at: 0,
            reader,
            faults_left: if life.has_faults { FAULTS_MAX } else { 0 },
            timed,
            start_ms,
            refused: 0,
            watches_broken: 0,
            digest: 0xcbf2_9ce4_8422_2325,
        };
        run.connect();
        Ok(run)
    }

    fn connect(&mut self) {
        let core_count = usize::from(self.life.core_count);
        for number in 0..self.life.listeners {
            let id = self.cluster.connect(number % core_count);
            self.cluster.execute_in_turns(id, "HELLO 3");
            self.cluster.execute_in_turns(id, &format!("SUBSCRIBE {}", CHANNELS.join(" ")));
            let (messages, reads) = (vec![Vec::new(); CHANNELS.len()], VecDeque::new());
            self.listeners.push(Listener { id, received: Vec::new(), messages, reads });
        }
        for plan in &self.life.clients {
            let id = self.cluster.connect(plan.core % core_count);
            let outstanding = VecDeque::new();
            self.clients.push(Client { id, next: 0, outstanding, received: Vec::new() });
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Until all clients have sent everything and have their replies.
    fn live(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            if self.cut_at.is_none() {
                self.send_something();
            }
            self.disturb()?;
            for _ in 0..self.random.u32(1..6) {
                self.cluster.step();
            }
            // First: what is answered in the steps of a power cut may have been answered after it.
            self.look_at_disk();
            self.take_replies()?;
            if self.is_over() {
                return Ok(());
            }
        }
        Err("the life does not come to an end".to_owned())
    }

    fn is_over(&mut self) -> bool {
        let has_cut = self.cut_at.is_some();
        let is_done = |(client, plan): (&Client, &crate::plan::ClientPlan)| {
            client.outstanding.is_empty() && (has_cut || client.next == plan.ops.len())
        };
        self.clients.iter().zip(&self.life.clients).all(is_done)
            && self.listeners.iter().all(|listener| listener.reads.is_empty())
            && !self.cluster.has_work()
    }

    fn send_something(&mut self) {
        self.let_listeners_read();
        let number = self.random.usize(..self.clients.len());
        let (client, plan) = (&mut self.clients[number], &self.life.clients[number]);
        if client.outstanding.len() >= plan.depth || self.random.u32(..3) > 0 {
            return;
        }
        let Some(op) = plan.ops.get(client.next) else { return };
        let requests = op.requests();
        self.clock += 1;
        client.outstanding.push_back(Outstanding {
            op: client.next,
            invoked: self.clock,
            replies_due: requests.len(),
            replies: Vec::new(),
        });
        client.next += 1;
        for request in requests {
            self.cluster.send(client.id, request);
        }
    }

    fn let_listeners_read(&mut self) {
        if self.listeners.is_empty() || self.random.u32(..8) > 0 {
            return;
        }
        let number = self.random.usize(..self.listeners.len());
        if self.listeners[number].reads.len() < READS_MAX {
            let key = self.random.usize(..KEYS.len());
            let now = self.tick();
            self.listeners[number].reads.push_back((key, now));
            let line = match crate::op::is_string(key) {
                true => format!("GET {}", KEYS[key]),
                false => format!("LRANGE {} 0 -1", KEYS[key]),
            };
            self.cluster.send(self.listeners[number].id, split_line(&line));
        }
    }

    /// Lets time pass, cores stand still, and the disk fail.
    fn disturb(&mut self) -> Result<(), String> {
        let is_idle = self.clients.iter().all(|client| client.next > 0)
            && !self.cluster.has_work()
            && self.random.bool();
        if is_idle {
            self.check_waiting()?;
        }
        // A disk that fails is tried again by the clock.
        let rate = if self.has_failing_disk() { FAILING_TIME_RATE } else { self.life.time_rate };
        if is_idle || self.random.u32(..1000) < rate {
            let ms = self.random.i64(1..30);
            self.cluster.advance_ms(ms);
        }
        if self.life.has_stalls && self.random.u32(..300) == 0 {
            let core = self.random.usize(..self.cluster.core_count());
            let steps = self.random.u64(10..1500);
            self.cluster.stall(core, steps);
        }
        if self.faults_left > 0
            && self.random.u32(..400) == 0
            && let Some(files) = &self.files
        {
            self.faults_left -= 1;
            files.disk().fail(self.random.u32(1..8));
        }
        Ok(())
    }

    /// Nothing is going on: whoever waits for a queue waits for an empty one.
    fn check_waiting(&mut self) -> Result<(), String> {
        for number in 0..self.clients.len() {
            let client = &self.clients[number];
            let Some(front) = client.outstanding.front() else { continue };
            let op = &self.life.clients[number].ops[front.op];
            if !self.cluster.is_blocked(client.id) {
                continue;
            }
            for &queue in op.queues_waited_for() {
                if invariants::has_key(&mut self.cluster, QUEUES[queue]) {
                    return Err(format!(
                        "client {number} waits in {op}, though there is something"
                    ));
                }
            }
        }
        Ok(())
    }

    fn has_failing_disk(&self) -> bool {
        let now = self.files.as_ref().and_then(Files::generation);
        now.is_some_and(|generation| generation.error() != 0)
    }

    fn take_replies(&mut self) -> Result<(), String> {
        for number in 0..self.clients.len() {
            let bytes = self.cluster.take_replies(self.clients[number].id);
            if bytes.is_empty() {
                continue;
            }
            let now = self.tick();
            self.digest = digest(self.digest, now, &bytes);
            let client = &mut self.clients[number];
            client.received.extend_from_slice(&bytes);
            let mut at = 0;
            let mut done = Vec::new();
            while let Some((value, length)) =
                Value::parse(&client.received[at..]).filter(|_| at < client.received.len())
            {
                at += length;
                let Some(front) = client.outstanding.front_mut() else {
                    return Err(format!("client {number} got a reply too many: {value}"));
                };
                front.replies.push(value);
                if front.replies.len() == front.replies_due {
                    done.extend(client.outstanding.pop_front());
                }
            }
            client.received.drain(..at);
            for outstanding in done {
                self.note(number, &outstanding, now)?;
            }
        }
        self.take_messages()
    }

    /// An operation is answered: notes its moments.
    fn note(&mut self, client: usize, done: &Outstanding, now: u64) -> Result<(), String> {
        let op = &self.life.clients[client].ops[done.op];
        self.refused += u64::from(done.replies.iter().any(is_refusal));
        let is_broken = matches!(op, Op::Unit(Form::Watched, _))
            && done.replies.last() == Some(&Value::Array(None));
        self.watches_broken += u64::from(is_broken);
        let moments = op.moments(&done.replies).map_err(|error| {
            let replies: Vec<String> = done.replies.iter().map(Value::to_string).collect();
            format!("client {client}: {op} => {}: {error}", replies.join("; "))
        })?;
        self.push_events(client, &op.to_string(), moments, done.invoked, Some(now));
        Ok(())
    }

    fn push_events(
        &mut self,
        client: usize,
        text: &str,
        moments: Moments,
        invoked: u64,
        completed: Option<u64>,
    ) {
        for seen in moments {
            let text = text.to_owned();
            self.events.push(Event { client, text, invoked, completed, seen });
        }
    }

    fn take_messages(&mut self) -> Result<(), String> {
        for number in 0..self.listeners.len() {
            let bytes = self.cluster.take_replies(self.listeners[number].id);
            if bytes.is_empty() {
                continue;
            }
            let now = self.tick();
            self.digest = digest(self.digest, now, &bytes);
            let listener = &mut self.listeners[number];
            listener.received.extend_from_slice(&bytes);
            let mut at = 0;
            while at < listener.received.len()
                && let Some((value, length)) = Value::parse(&listener.received[at..])
            {
                at += length;
                match value {
                    Value::Push(parts) => listener.hear(&parts, now)?,
                    value => {
                        let event = listener.note_read(number, &value, now)?;
                        self.events.push(event);
                    }
                }
            }
            listener.received.drain(..at);
        }
        Ok(())
    }

    fn look_at_disk(&mut self) {
        let Some(files) = &self.files else { return };
        if self.cut_at.is_some() {
            return;
        }
        if files.disk().is_cut() {
            self.cut_at = Some(self.clock + 1);
        } else if let Some(now) = files.generation().filter(|_| self.clock.is_multiple_of(4))
            && now.is_durable(&now.made())
        {
            self.safe_at = self.clock + 1;
        }
    }

    /// Everything has come to rest: checks it all. Returns what a power cut has left, and what it
    /// has to be compared with.
    fn end(mut self, tally: &mut Tally) -> Result<Option<(Image, Before)>, String> {
        self.cluster.run_until_idle();
        self.take_replies()?;
        // Not where the power was cut already: then nothing is known of what comes now.
        let may_play = self.cut_at.is_none() && !self.has_failing_disk();
        if may_play {
            if let Some(files) = &self.files {
                files.disk().calm();
            }
            let clients: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
            self.timed = Some(coda::play(&mut self.cluster, &clients, &mut self.random)?);
        }
        let ending = self.files.as_ref().map(|files| {
            // In the end at the latest: then everything that was answered is safe, if anything is.
            files.disk().cut_power();
            let image = files.disk().image().expect("the power is cut");
            (image, self.cut_at.unwrap_or(self.clock + 1), files.policy())
        });
        invariants::check(&mut self.cluster)?;
        let reader = self.reader;
        let finals = read_all(&mut self.cluster, reader)?;
        self.check_messages()?;
        check_queues(&self.initial.queues, &self.events, &finals)?;
        self.note_snapshots(tally)?;
        let history = self.history(&finals);
        let order = history.check()?;
        self.count(tally, &history);
        let ended_ms = self.cluster.now_ms();
        Ok(ending.map(|(image, cut_at, policy)| {
            let safe_at = match policy {
                SyncPolicy::Always => cut_at,
                SyncPolicy::EverySecond | SyncPolicy::Never => self.safe_at,
            };
            let timed = self.timed.filter(|_| policy == SyncPolicy::Always);
            (image, Before { history, order, cut_at, safe_at, policy, timed, ended_ms })
        }))
    }

    /// All who listen received the same messages in the same order, once each, and all that were
    /// published.
    fn check_messages(&self) -> Result<(), String> {
        let tokens = |messages: &[(Token, u64)]| -> Vec<Token> {
            messages.iter().map(|(token, _)| *token).collect()
        };
        let Some(first) = self.listeners.first() else { return Ok(()) };
        for (channel, name) in CHANNELS.iter().enumerate() {
            let expected = tokens(&first.messages[channel]);
            for listener in &self.listeners {
                if tokens(&listener.messages[channel]) != expected {
                    return Err(format!("two clients received different messages on {name}"));
                }
            }
            let is_told = |seen: &&Seen| matches!(seen, Seen::Told(of, ..) if *of == channel);
            let told = self.events.iter().flat_map(|event| &event.seen).filter(is_told).count();
            if told != expected.len() {
                let count = expected.len();
                return Err(format!("{name} brought {count} messages, {told} were published"));
            }
        }
        let count = self.listeners.len() as i64;
        let all = self.events.iter().flat_map(|event| &event.seen);
        let mut wrong = all.filter(|seen| matches!(seen, Seen::Told(_, _, Some(n)) if *n != count));
        match wrong.next() {
            None => Ok(()),
            Some(seen) => Err(format!("{count} clients listen, but {seen:?}")),
        }
    }

    /// A snapshot is one read of everything, at the moment of its cut.
    fn note_snapshots(&mut self, tally: &mut Tally) -> Result<(), String> {
        let Some(files) = self.files.clone() else { return Ok(()) };
        tally.rewrites += files.rewrites();
        let is_save = |event: &Event| event.seen == [Seen::Saved];
        let saves = self.events.iter().enumerate().filter(|(_, event)| is_save(event));
        let saves: Vec<usize> = saves.map(|(number, _)| number).collect();
        for (save, file) in saves.into_iter().zip(files.take_snapshots()) {
            let mut store = load_snapshot(&file, &self.settings, self.life.seed)?;
            let mut cluster = Cluster::new(1, self.life.seed);
            cluster.adopt(&mut store);
            let reader = cluster.connect(0);
            let values = read_all(&mut cluster, reader)?;
            let reads = values.keys.into_iter().enumerate();
            self.events[save].seen = reads.map(|(key, tokens)| Seen::Read(key, tokens)).collect();
            tally.snapshots += 1;
        }
        Ok(())
    }

    fn history(&mut self, finals: &Values) -> History {
        let first = |channel: usize| {
            let lists = self.listeners.iter().map(|listener| &listener.messages[channel]);
            let mut earliest: Vec<(Token, u64)> = Vec::new();
            for messages in lists {
                for (place, (token, at)) in messages.iter().enumerate() {
                    match earliest.get_mut(place) {
                        Some(known) => known.1 = known.1.min(*at),
                        None => earliest.push((*token, *at)),
                    }
                }
            }
            earliest
        };
        let messages = (0..CHANNELS.len()).map(first).collect();
        History {
            events: std::mem::take(&mut self.events),
            finals: finals.keys.clone(),
            initial: self.initial.keys.iter().map(Vec::len).collect(),
            messages,
        }
    }

    fn count(&self, tally: &mut Tally, history: &History) {
        tally.events += history.events.len() as u64;
        for event in &history.events {
            let took = |seen: &&Seen| matches!(seen, Seen::Took(..));
            tally.taken += event.seen.iter().filter(took).count() as u64;
        }
        tally.digest = tally.digest.rotate_left(5) ^ self.digest;
        tally.refused += self.refused;
        tally.watches_broken += self.watches_broken;
        let (commands, steps) = self.cluster.work_done();
        tally.commands += commands;
        tally.steps += steps;
        tally.virtual_ms += (self.cluster.now_ms() - self.start_ms) as u64;
        let messages = self.listeners.iter().flat_map(|listener| &listener.messages);
        tally.received += messages.map(|of_channel| of_channel.len() as u64).sum::<u64>();
    }
}

/// What went into a queue came out once or is still there.
///
/// # Errors
/// If it did not.
pub fn check_queues(
    initial: &[Vec<Token>],
    events: &[Event],
    finals: &Values,
) -> Result<(), String> {
    for (queue, name) in QUEUES.iter().enumerate() {
        let (mut fed, mut taken) = (initial[queue].clone(), Vec::new());
        for seen in events.iter().flat_map(|event| &event.seen) {
            match seen {
                Seen::Fed(of, token) if *of == queue => fed.push(*token),
                Seen::Took(of, token) if *of == queue => taken.push(*token),
                _ => {}
            }
        }
        taken.extend(&finals.queues[queue]);
        fed.sort_unstable();
        taken.sort_unstable();
        if fed != taken {
            let lost: Vec<&Token> = fed.iter().filter(|token| !taken.contains(token)).collect();
            let more: Vec<&Token> = taken.iter().filter(|token| !fed.contains(token)).collect();
            return Err(format!("queue {name}: {lost:x?} got lost, {more:x?} came from nowhere"));
        }
    }
    Ok(())
}
