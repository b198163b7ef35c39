//! Runs a plan and checks what came of it.
//!
//! Between two steps of the cluster the runner sends what clients have to send, lets time pass,
//! breaks the disk, and takes replies, all as the seed says. At the end of a life everything comes
//! to rest; then the values are read, the history is checked, and what a power cut has left is
//! recovered and compared with the history up to the cut.

mod ending;

use std::collections::VecDeque;

use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::memory_disk::MemoryDisk;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::Request;
use crate::cluster::{ClientId, Cluster, ClusterOptions, START_MS, settings};
use crate::coda::Timed;
use crate::files::{Files, break_disk, draw_from, recover_at_last};
use crate::history::Event;
use crate::listener::{Listener, READS_MAX};
use crate::op::{CHANNELS, Form, KEYS, Moments, Op, QUEUES, is_refusal};
use crate::plan::{Life, Plan};
use crate::recovery::{Before, check_recovery};
use crate::resp::split_line;
use crate::tally::Tally;
use crate::value::Value;
use crate::values::{Values, read_all};
use crate::{free, invariants, meter, reform};

/// Rounds after which a life that should be over runs in circles.
const ROUNDS_MAX: u64 = 3_000_000;

/// Times a disk fails in one life.
const FAULTS_MAX: u32 = 5;

/// The longest time the journals are open before that is settled.
const SETTLE_INTERVAL_MAX_MS: u64 = 20;

/// How likely time passes before a step while the disk fails, in a thousand.
const FAILING_TIME_RATE: u32 = 100;

/// Runs a plan.
///
/// # Errors
/// What is wrong with what happened.
///
/// # Panics
/// If a core or the machinery breaks an invariant of its own.
pub fn run(plan: &Plan, tally: &mut Tally) -> Result<(), String> {
    let mut disk = MemoryDisk::default();
    let mut before: Option<(Store, Before)> = None;
    for (number, life) in plan.lives.iter().enumerate() {
        if life.is_free {
            free::live(life, meter::in_use_bytes, tally)?;
            continue;
        }
        let at = |error: String| format!("life {}: {error}", number + 1);
        let mut run = Run::begin(life, disk, &mut before, tally).map_err(at)?;
        run.live().map_err(at)?;
        let ended = run.end(tally).map_err(at)?;
        tally.lives += 1;
        let Some((left, past)) = ended else { return Ok(()) };
        // Keys are found by hashes that follow from the seed of whoever has them.
        let seed = plan.lives.get(number + 1).map_or(plan.seed, |next| next.seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let (store, after, log) =
            recover_at_last(left, &settings(), seed, &mut draw_from(&mut random)).map_err(
                |error| format!("life {}: nothing can be recovered: {error}", number + 1),
            )?;
        tally.cuts += 1;
        (disk, before) = (after, Some((store, Before { log, ..past })));
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

/// An operation that was sent and is not answered in full.
struct Outstanding {
    op: usize,
    invoked: u64,
    replies_due: usize,
    replies: Vec<Value>,
}

struct Client {
    id: ClientId,
    /// As whom it is known in the history: another with each connection.
    name: usize,
    /// It does nothing until then.
    wakes_at_ms: i64,
    next: usize,
    /// What is left to send of the last operation.
    unsent: VecDeque<Request>,
    outstanding: VecDeque<Outstanding>,
    received: Vec<u8>,
}

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
    /// Clients that went away, and those of them that were waiting for keys.
    quits: usize,
    waits_abandoned: u64,
    /// Times the disk was broken, a core stood still, time passed and leapt.
    faults: u64,
    stalls: u64,
    passed: u64,
    leaps: u64,
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
        disk: MemoryDisk,
        before: &mut Option<(Store, Before)>,
        tally: &mut Tally,
    ) -> Result<Self, String> {
        let settings = Settings {
            replies_wait_for_disk: life.policy == Some(SyncPolicy::Always),
            settle_interval_ms: 1 + life.seed % SETTLE_INTERVAL_MAX_MS,
            ..settings()
        };
        life.power.limit(&disk);
        let open = |policy| Files::open(disk, policy, life.core_count);
        let files = life.policy.map(open).transpose()?;
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
            quits: 0,
            waits_abandoned: 0,
            faults: 0,
            stalls: 0,
            passed: 0,
            leaps: 0,
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
        self.cluster.execute_in_turns(self.reader, "ACL SETUSER guest on");
        self.cluster.execute_request_in_turns(self.reader, reform::set(reform::INITIAL));
        for plan in &self.life.clients {
            let id = self.cluster.connect(plan.core % core_count);
            let name = self.clients.len();
            self.clients.push(Client {
                id,
                name,
                wakes_at_ms: 0,
                next: 0,
                unsent: VecDeque::new(),
                outstanding: VecDeque::new(),
                received: Vec::new(),
            });
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Until all clients have sent everything and have their replies.
    fn live(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            match self.cut_at {
                None => self.send_something(),
                Some(_) => self.send_rest(),
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
        if self.random.u32(..3) > 0 {
            return;
        }
        if !client.unsent.is_empty() {
            return self.send_part(number);
        }
        let is_asleep = client.wakes_at_ms > self.cluster.now_ms();
        if is_asleep || client.outstanding.len() >= plan.depth {
            return;
        }
        let Some(op) = plan.ops.get(client.next) else { return };
        match op {
            Op::Quit => {
                client.next += 1;
                return self.quit(number);
            }
            Op::Pause(ms) => {
                client.next += 1;
                client.wakes_at_ms = self.cluster.now_ms() + i64::from(*ms);
                return;
            }
            _ => {}
        }
        let requests = op.requests();
        self.clock += 1;
        client.outstanding.push_back(Outstanding {
            op: client.next,
            invoked: self.clock,
            replies_due: requests.len(),
            replies: Vec::new(),
        });
        client.next += 1;
        client.unsent.extend(requests);
        self.send_part(number);
    }

    fn send_part(&mut self, number: usize) {
        let Client { id, unsent, .. } = &mut self.clients[number];
        self.cluster.send_part(*id, unsent, &mut self.random);
    }

    /// Sends what is left of operations that were begun.
    fn send_rest(&mut self) {
        for client in &mut self.clients {
            for request in client.unsent.drain(..) {
                self.cluster.send(client.id, request);
            }
        }
    }

    /// A client goes away and comes back as another one. What it has not heard of may have been
    /// done; but nobody takes anything for a client that was waiting when it went.
    fn quit(&mut self, number: usize) {
        self.quits += 1;
        let new_name = self.clients.len() * self.quits + number;
        let client = &mut self.clients[number];
        let is_waiting = self.cluster.is_waiting(client.id);
        let mut unread = self.cluster.abandon(client.id) + client.unsent.len();
        client.unsent.clear();
        let plan = &self.life.clients[number];
        client.id = self.cluster.connect(plan.core % self.cluster.core_count());
        client.received.clear();
        let mut outstanding = std::mem::take(&mut client.outstanding);
        let name = std::mem::replace(&mut client.name, new_name);
        // No core has begun with the last ones.
        while let Some(sent) = outstanding.pop_back_if(|sent| sent.replies_due <= unread) {
            unread -= sent.replies_due;
        }
        if is_waiting {
            self.waits_abandoned += 1;
            outstanding.pop_back();
        }
        for sent in outstanding {
            let op = &plan.ops[sent.op];
            self.push_events(name, &op.to_string(), op.unanswered(), sent.invoked, None);
        }
    }

    fn let_listeners_read(&mut self) {
        if self.listeners.is_empty() || self.random.u32(..8) > 0 {
            return;
        }
        // Only while a client sends: whoever went on as long as others sleep or wait would keep the
        // time from leaping to their end, and who goes on as long as others do goes on for ever.
        let now_ms = self.cluster.now_ms();
        let is_sending = |(client, plan): (&Client, &crate::plan::ClientPlan)| {
            client.next < plan.ops.len()
                && client.wakes_at_ms <= now_ms
                && !self.cluster.is_blocked(client.id)
        };
        if !self.clients.iter().zip(&self.life.clients).any(is_sending) {
            return;
        }
        let number = self.random.usize(..self.listeners.len());
        if self.listeners[number].reads.len() < READS_MAX {
            let keys = &self.life.keys;
            let key = keys[self.random.usize(..keys.len())];
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
            let due_ms = if is_idle { self.until_something_is_due_ms() } else { None };
            let count = if due_ms.is_some() { &mut self.leaps } else { &mut self.passed };
            *count += 1;
            let ms = due_ms.unwrap_or_else(|| self.random.i64(1..30));
            self.cluster.advance_ms(ms);
        }
        if self.life.waits_end && self.cut_at.is_none() && self.random.u32(..40) == 0 {
            // Not the first: what it did not hear of would be unknown, snapshots among others.
            let number = self.random.usize(..self.clients.len());
            if number > 0 && self.cluster.is_waiting(self.clients[number].id) {
                self.quit(number);
            }
        }
        if self.random.u32(..1000) < self.life.stall_rate {
            self.stall();
        }
        if self.faults_left > 0
            && self.random.u32(..400) == 0
            && let Some(files) = &self.files
        {
            self.faults_left -= 1;
            self.faults += 1;
            break_disk(&files.disk(), &mut self.random);
        }
        Ok(())
    }

    /// Lets a core stand still, and perhaps the power fail within that time.
    fn stall(&mut self) {
        self.stalls += 1;
        self.cluster.stall_some();
        if let Some(files) = &self.files {
            self.life.power.limit_in_stall(&files.disk(), self.stalls);
        }
    }

    /// Nothing is going on. If nothing can begin before some client wakes up, or has waited long
    /// enough, the milliseconds until then: time may as well leap.
    fn until_something_is_due_ms(&mut self) -> Option<i64> {
        let now_ms = self.cluster.now_ms();
        let mut due_ms = self.cluster.next_deadline_ms();
        for (client, plan) in self.clients.iter().zip(&self.life.clients) {
            let may_begin = client.next < plan.ops.len() && client.outstanding.len() < plan.depth;
            let may_send = may_begin || !client.unsent.is_empty();
            match client.wakes_at_ms {
                at_ms if at_ms > now_ms && client.unsent.is_empty() => {
                    due_ms = Some(due_ms.unwrap_or(at_ms).min(at_ms))
                }
                _ if may_send && self.cut_at.is_none() => return None,
                _ => {}
            }
        }
        due_ms.map(|at_ms| (at_ms - now_ms).max(1)).filter(|_| !self.has_failing_disk())
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
        let name = self.clients[client].name;
        self.push_events(name, &op.to_string(), moments, done.invoked, Some(now));
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
        if files.disk().has_power_failed() {
            self.cut_at = Some(self.clock + 1);
        } else if let Some(now) = files.generation().filter(|_| self.clock.is_multiple_of(4))
            && now.board().has_settled(now.board().opened())
            && now.is_durable(&now.made())
        {
            self.safe_at = self.clock + 1;
        }
    }
}
