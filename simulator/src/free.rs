//! Lives in which clients run any command on keys that all of them share.
//!
//! All cores are on one thread, so there is one order in which commands ran, and the cores tell it
//! ([`basalt_shard::trace`]). Three things make the life right:
//!
//! * **The same answers.** A single core that runs the same commands in this order, at the same
//!   times, answers the same.
//! * **Each where it belongs.** What a client was answered is what one of these commands answered,
//!   one that ran after it was sent and before the reply came, and behind the client's last one on
//!   the same key. What was sent as one ran as one. (Commands of one pipeline for several cores run
//!   in any order; that nobody sees it is what [`crate::history`] looks at.)
//! * **Once.** No write ran that nobody sent, and none twice.
//!
//! In the end everything is on the disk; the power fails, and what comes back has the same digest,
//! and so has the model.

use std::collections::{HashMap, VecDeque};

use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::memory_disk::MemoryDisk;
use basalt_shard::settings::{MaxmemoryPolicy, Settings};
use basalt_shard::trace::{self, Ran};

use crate::Request;
use crate::any::{comparable, is_key};
use crate::cluster::{ClientId, Cluster, ClusterOptions, START_MS, settings};
use crate::files::{Files, recover};
use crate::host::Meter;
use crate::invariants;
use crate::op::{Form, Op};
use crate::plan::Life;
use crate::resp::{elements, reply_length, show, show_request, split_line};
use crate::tally::Tally;

/// Rounds after which a life that should be over runs in circles.
const ROUNDS_MAX: u64 = 3_000_000;

/// One round of so many changes how much memory there may be, and to how much more than there is.
const LIMITED_EVERY: u32 = 100;
const ROOM_BYTES_MAX: u64 = 4096;

/// Time after which everything is on the disk, whatever the policy.
const SYNC_MS: i64 = 1001;

/// An operation that was sent.
struct Sent {
    op: usize,
    /// How much had run when it was sent, and when it was answered, if it was.
    from: usize,
    to: Option<usize>,
    replies_due: usize,
    replies: Vec<Vec<u8>>,
}

struct Client {
    id: ClientId,
    core: usize,
    next: usize,
    /// What is left to send of the last operation.
    unsent: VecDeque<Request>,
    outstanding: VecDeque<Sent>,
    received: Vec<u8>,
    /// What is over, in order; what was not answered as well.
    done: Vec<Sent>,
}

struct Free<'a> {
    life: &'a Life,
    cluster: Cluster,
    files: Option<Files>,
    random: fastrand::Rng,
    clients: Vec<Client>,
    meter: Meter,
    /// Says how much memory there may be, where that is limited.
    limiter: Option<ClientId>,
}

/// Lives it, where `meter` says how much memory is in use.
///
/// # Errors
/// What is wrong with what happened.
///
/// # Panics
/// If a core breaks an invariant of its own.
pub fn live(life: &Life, meter: Meter, tally: &mut Tally) -> Result<(), String> {
    if !trace::IS_BUILT {
        return Err("simulations have to be built with assertions".to_owned());
    }
    let mut free = Free::begin(life, meter)?;
    trace::switch(true);
    let lived = free.live(tally);
    let ran = trace::take();
    trace::switch(false);
    lived?;
    invariants::check(&mut free.cluster, tally)?;
    let mut model = replay(life, &ran)?;
    free.check_clients(&ran)?;
    free.check_writes(&ran)?;
    free.check_remains(&mut model)?;
    free.count(tally, &ran);
    invariants::weigh(&mut free.cluster, tally)
}

impl<'a> Free<'a> {
    fn begin(life: &'a Life, meter: Meter) -> Result<Self, String> {
        let open = |policy: SyncPolicy| Files::open(MemoryDisk::default(), policy, life.core_count);
        let files = life.policy.map(open).transpose()?;
        let mut cluster = Cluster::with_options(ClusterOptions {
            core_count: life.core_count,
            seed: life.seed,
            settings: settings_of(life),
            meter,
            start_ms: START_MS,
            files: files.clone(),
        });
        cluster.begin_files();
        let core_count = usize::from(life.core_count);
        let clients = life.clients.iter().map(|plan| {
            let core = plan.core % core_count;
            Client {
                id: cluster.connect(core),
                core,
                next: 0,
                unsent: VecDeque::new(),
                outstanding: VecDeque::new(),
                received: Vec::new(),
                done: Vec::new(),
            }
        });
        let clients = clients.collect();
        let random = fastrand::Rng::with_seed(life.seed);
        let limiter = life.has_limit.then(|| cluster.connect(0));
        Ok(Self { life, cluster, files, random, clients, meter, limiter })
    }

    fn live(&mut self, tally: &mut Tally) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            self.send_something(tally);
            self.disturb();
            self.limit();
            for _ in 0..self.random.u32(1..6) {
                self.cluster.step();
            }
            self.take_replies()?;
            let is_done = |(client, plan): (&Client, &crate::plan::ClientPlan)| {
                client.outstanding.is_empty() && client.next == plan.ops.len()
            };
            if self.clients.iter().zip(&self.life.clients).all(is_done) {
                self.cluster.run_until_idle();
                if let Some(limiter) = self.limiter {
                    // Nothing is to go while it is looked at.
                    self.cluster.execute(limiter, "CONFIG SET maxmemory 0");
                }
                return self.take_replies();
            }
        }
        Err("the life does not come to an end".to_owned())
    }

    fn send_something(&mut self, tally: &mut Tally) {
        let number = self.random.usize(..self.clients.len());
        let plan = &self.life.clients[number];
        let client = &mut self.clients[number];
        if self.random.u32(..3) > 0 {
            return;
        }
        if !client.unsent.is_empty() {
            return self.send_part(number);
        }
        if client.outstanding.len() >= plan.depth {
            return;
        }
        let Some(op) = plan.ops.get(client.next) else { return };
        client.next += 1;
        if *op == Op::Quit {
            tally.disconnects += 1;
            self.cluster.abandon(client.id);
            client.done.extend(client.outstanding.drain(..));
            client.received.clear();
            client.unsent.clear();
            client.id = self.cluster.connect(client.core);
            return;
        }
        let requests = op.requests();
        client.outstanding.push_back(Sent {
            op: client.next - 1,
            from: trace::len(),
            to: None,
            replies_due: requests.len(),
            replies: Vec::new(),
        });
        client.unsent.extend(requests);
        self.send_part(number);
    }

    fn send_part(&mut self, number: usize) {
        let Client { id, unsent, .. } = &mut self.clients[number];
        self.cluster.send_part(*id, unsent, &mut self.random);
    }

    /// Lets time pass and cores stand still. All cores have the same time: it passes between their
    /// turns.
    fn disturb(&mut self) {
        if self.random.u32(..1000) < self.life.time_rate && self.cluster.is_between_turns() {
            self.cluster.advance_ms(self.random.i64(1..30));
        }
        if self.random.u32(..1000) < self.life.stall_rate {
            self.cluster.stall_some();
        }
    }

    /// Lets memory be short, again and again: what the simulation itself takes is part of it.
    fn limit(&mut self) {
        if let Some(limiter) = self.limiter.filter(|_| self.random.u32(..LIMITED_EVERY) == 0) {
            let bytes = (self.meter)() + self.random.u64(..ROOM_BYTES_MAX);
            self.cluster.send(limiter, split_line(&format!("CONFIG SET maxmemory {bytes}")));
            self.cluster.take_replies(limiter);
        }
    }

    fn take_replies(&mut self) -> Result<(), String> {
        for (number, client) in self.clients.iter_mut().enumerate() {
            let bytes = self.cluster.take_replies(client.id);
            if bytes.is_empty() {
                continue;
            }
            client.received.extend_from_slice(&bytes);
            let mut at = 0;
            while let Some(length) = reply_length(&client.received[at..]) {
                let reply = client.received[at..at + length].to_vec();
                at += length;
                let Some(front) = client.outstanding.front_mut() else {
                    let reply = show(&reply);
                    return Err(format!("client {number} got a reply too many: {reply}"));
                };
                front.replies.push(reply);
                if front.replies.len() == front.replies_due {
                    front.to = Some(trace::len());
                    client.done.extend(client.outstanding.pop_front());
                }
            }
            client.received.drain(..at);
        }
        Ok(())
    }

    /// What clients were answered is what was answered by commands that ran meanwhile, in order.
    fn check_clients(&self, ran: &[Ran]) -> Result<(), String> {
        let mut places: HashMap<&Request, Vec<usize>> = HashMap::new();
        for (place, what) in ran.iter().enumerate() {
            places.entry(request_of(what)).or_default().push(place);
        }
        for (number, client) in self.clients.iter().enumerate() {
            // Where the client's last command on each key ran.
            let mut behind: HashMap<Vec<u8>, usize> = HashMap::new();
            for sent in &client.done {
                let Some(to) = sent.to.filter(|_| !is_refused(sent)) else { continue };
                let op = &self.life.clients[number].ops[sent.op];
                if self.life.has_limit && matches!(op, Op::Any(Form::BlindScript, _)) {
                    // Commands of scripts are refused without a word.
                    continue;
                }
                let Some(parts) = parts_of(op, &sent.replies) else { continue };
                let Some((first, _)) = parts.first() else { continue };
                let key = first.get(1).filter(|word| is_key(word));
                let last = key.and_then(|key| behind.get(key)).copied();
                let from = sent.from.max(last.unwrap_or_default());
                let candidates = places.get(first).map(Vec::as_slice).unwrap_or_default();
                let mut fitting = candidates.iter().filter(|place| (from..to).contains(*place));
                let found = fitting.find(|place| fits(&ran[**place..], &parts));
                let Some(place) = found else {
                    let replies: Vec<String> =
                        sent.replies.iter().map(|bytes| show(bytes)).collect();
                    return Err(format!(
                        "nothing that ran from {from} to {to} answers client {number}: {op} => \
                         {}\n{}",
                        replies.join("; "),
                        tell(&ran[from.min(to)..to])
                    ));
                };
                behind.extend(key.map(|key| (key.clone(), place + 1)));
            }
        }
        Ok(())
    }

    /// Every write that was answered ran, and none ran that was not sent, or twice.
    fn check_writes(&self, ran: &[Ran]) -> Result<(), String> {
        // How often each was sent, and how often answered.
        let mut counts: HashMap<Request, (usize, usize)> = HashMap::new();
        // A command of a script is refused without a word.
        let counts_script = !self.life.has_limit;
        for (number, client) in self.clients.iter().enumerate() {
            for sent in client.done.iter().chain(&client.outstanding) {
                let Op::Any(form, requests) = &self.life.clients[number].ops[sent.op] else {
                    continue;
                };
                for request in requests {
                    let count = counts.entry(request.clone()).or_default();
                    count.0 += 1;
                    let has_run = sent.to.is_some() && !is_refused(sent);
                    let is_script = matches!(form, Form::Script | Form::BlindScript);
                    count.1 += usize::from(has_run && (counts_script || !is_script));
                }
            }
        }
        let mut times: HashMap<&Request, usize> = HashMap::new();
        for what in ran {
            if let Ran::Command { is_write: true, request, .. } = what {
                *times.entry(request).or_default() += 1;
            }
        }
        for (request, times) in times {
            let (sent, answered) = counts.get(request).copied().unwrap_or_default();
            if times > sent || times < answered {
                let text = show_request(request);
                return Err(format!(
                    "{text} ran {times} times, was sent {sent} times and answered {answered} times"
                ));
            }
        }
        Ok(())
    }

    /// What is there in the end is what the model has, and so is what the disk has.
    fn check_remains(&mut self, model: &mut Cluster) -> Result<(), String> {
        let behind_ms = self.cluster.now_ms() - model.now_ms();
        model.advance_ms(behind_ms);
        let digest = digest_of(&mut self.cluster);
        let expected = digest_of(model);
        if digest != expected {
            return Err(format!("the digest is {digest}, that of the model {expected}"));
        }
        let Some(files) = self.files.clone() else { return Ok(()) };
        // Once until what is open is settled, and once more until that is on the disk.
        for _ in 0..2 {
            self.cluster.pass_ms(SYNC_MS);
            model.advance_ms(SYNC_MS);
        }
        files.disk().fail_power();
        let left = files.disk().after_power_failure(&mut |_| 0);
        let left = left.expect("the power has failed");
        let (mut store, _) = recover(&left, &settings(), self.life.seed)
            .map_err(|error| format!("nothing can be recovered: {error}"))?;
        let mut cluster = Cluster::new(1, self.life.seed);
        cluster.advance_ms(model.now_ms() - START_MS);
        cluster.adopt(&mut store);
        let (digest, expected) = (digest_of(&mut cluster), digest_of(model));
        if digest != expected {
            return Err(format!("the digest after recovery is {digest}, before it was {expected}"));
        }
        Ok(())
    }

    fn count(&self, tally: &mut Tally, ran: &[Ran]) {
        self.cluster.count(tally);
        self.life.count(tally);
        tally.lives += 1;
        tally.free_lives += 1;
        tally.limited_lives += u64::from(self.life.has_limit);
        tally.replayed += ran.len() as u64;
        tally.virtual_ms += (self.cluster.now_ms() - START_MS) as u64;
        let evicted = ran.iter().filter(|what| matches!(what, Ran::Evicted { .. }));
        tally.evicted += evicted.count() as u64;
        let sum = |digest: u64, client: &Client| {
            let replies = client.done.iter().flat_map(|sent| &sent.replies);
            replies.fold(digest, |sum, reply| sum.rotate_left(5) ^ digest_of_bytes(reply))
        };
        tally.digest = self.clients.iter().fold(tally.digest, sum);
    }
}

/// Settings of a life: where memory is short, keys go whatever they are.
fn settings_of(life: &Life) -> Settings {
    let policies = [
        MaxmemoryPolicy::AllKeysLru,
        MaxmemoryPolicy::AllKeysLfu,
        MaxmemoryPolicy::AllKeysRandom,
        MaxmemoryPolicy::NoEviction,
    ];
    let maxmemory_policy = policies[life.seed as usize % policies.len()];
    let replies_wait_for_disk = life.policy == Some(SyncPolicy::Always);
    Settings { maxmemory_policy, replies_wait_for_disk, ..settings() }
}

/// Whether it was refused for want of memory, in whole or in part; EXEC tells that in passing.
fn is_refused(sent: &Sent) -> bool {
    const WORDS: &[u8] = b"OOM command not allowed";
    sent.replies.iter().any(|reply| reply.windows(WORDS.len()).any(|words| words == WORDS))
}

/// A number that stands for some bytes (FNV-1a).
fn digest_of_bytes(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The command of something that ran.
fn request_of(what: &Ran) -> &Request {
    static NOTHING: Request = Request::new();
    match what {
        Ran::Command { request, .. } | Ran::Everywhere { request, .. } => request,
        Ran::Evicted { .. } => &NOTHING,
    }
}

/// The commands of an operation, each with what it was answered if that is known; `None` if they
/// did not run.
fn parts_of(op: &Op, replies: &[Vec<u8>]) -> Option<Vec<(Request, Option<Vec<u8>>)>> {
    let Op::Any(form, requests) = op else { return None };
    let last = replies.last()?;
    // How the flush is done is not told by what ran.
    let told = |request: &Request| match request[0].starts_with(b"FLUSH") {
        true => request[..1].to_vec(),
        false => request.clone(),
    };
    let of = |answers: Vec<Option<Vec<u8>>>| requests.iter().map(told).zip(answers).collect();
    Some(match form {
        Form::Plain => of(vec![Some(last.clone())]),
        Form::Transaction | Form::Watched => of(elements(last).into_iter().map(Some).collect()),
        Form::Script | Form::BlindScript => of(vec![None; requests.len()]),
    })
}

/// Whether what ran begins with these commands, which were answered so.
fn fits(ran: &[Ran], parts: &[(Request, Option<Vec<u8>>)]) -> bool {
    // Room may be made between the commands of a transaction.
    let mut commands = ran.iter().filter(|what| !matches!(what, Ran::Evicted { .. }));
    parts.iter().all(|(request, answer)| {
        commands.next().is_some_and(|what| match what {
            Ran::Command { request: other, reply, .. } => {
                other == request && answer.as_ref().is_none_or(|answer| answer == reply)
            }
            Ran::Everywhere { request: other, .. } => other == request,
            Ran::Evicted { .. } => false,
        })
    })
}

fn tell(ran: &[Ran]) -> String {
    let line = |what: &Ran| match what {
        Ran::Command { request, reply, .. } => {
            format!("  {} => {}", show_request(request), show(reply))
        }
        other => format!("  {other:?}"),
    };
    let last = &ran[ran.len().saturating_sub(TOLD_MAX)..];
    last.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Commands that are shown where something does not fit.
const TOLD_MAX: usize = 30;

/// Runs the same on a single core.
fn replay(life: &Life, ran: &[Ran]) -> Result<Cluster, String> {
    let mut model = Cluster::new(1, life.seed);
    let client = model.connect(0);
    for (place, what) in ran.iter().enumerate() {
        match what {
            Ran::Command { db, now_ms, request, reply, .. } => {
                if *db != 0 {
                    return Err(format!("{} ran in database {db}", show_request(request)));
                }
                let passed_ms = now_ms - model.now_ms();
                if passed_ms < 0 {
                    return Err(format!("{} ran in the past", show_request(request)));
                }
                model.advance_ms(passed_ms);
                let answer = model.execute_request_in_turns(client, request.clone());
                if comparable(request, &answer) != comparable(request, reply) {
                    return Err(format!(
                        "{} was answered {} where one core answers {}, behind\n{}",
                        show_request(request),
                        show(reply),
                        show(&answer),
                        tell(&ran[..place])
                    ));
                }
            }
            Ran::Everywhere { request, .. } => {
                model.execute_request_in_turns(client, request.clone());
            }
            Ran::Evicted { db, name } => {
                model.execute_in_turns(client, &format!("SELECT {db}"));
                model.execute_request_in_turns(client, vec![b"DEL".to_vec(), name.clone()]);
                model.execute_in_turns(client, "SELECT 0");
            }
        }
    }
    Ok(model)
}

/// A digest of everything a cluster at rest has.
fn digest_of(cluster: &mut Cluster) -> String {
    let reader = cluster.connect(0);
    let reply = cluster.execute_request_in_turns(reader, split_line("DEBUG DIGEST"));
    show(&reply)
}
