//! Kills of the real server at any moment, and what is there afterwards.
//!
//! Writers count in several keys of several cores at once, by transactions and by scripts, and
//! before and after that by plain commands of the same pipeline, while slots move and the
//! append-only file is rewritten. Each knows when it sent what, and when that was answered, by one
//! counter for all of them. After the kill the server starts again, perhaps with another number of
//! cores, and:
//!
//! * with `appendfsync always` everything that was answered is there, with the others what was
//!   answered more than a second before the kill;
//! * with any policy what is there is a prefix of history: whatever was answered before something
//!   was sent that is there, is there, too;
//! * no transaction and no script is there by halves, and nothing is there that was not asked.
//!
//! `BASALT_CRASH_RUNS` says how many data sets are made, each with several kills and a policy in
//! turn; 3 unless set.
//! `BASALT_TEST_SEED` replays the choices, if not the moments.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use support::{
    Client, Resp, Seeded, Server, ServerConfig, TestDirectory, backends, core_counts,
    environment_number, eventually, signal,
};

const WRITERS: usize = 5;
/// What keys of a writer are called, but for its number.
const NAMES: [&str; 5] = ["before", "left", "log", "right", "after"];
/// Kills of one data set.
const KILLS: usize = 4;

const POLICIES: [&str; 3] = ["always", "everysec", "no"];
/// What was answered so long before a kill is there, whatever the policy.
const LOST_AT_MOST: Duration = Duration::from_secs(1);

/// When a round was sent, and when it was answered, if it was.
#[derive(Clone, Copy)]
struct Round {
    sent: u64,
    answered: Option<Answer>,
}

#[derive(Clone, Copy)]
struct Answer {
    tick: u64,
    at: Instant,
}

/// What writers have done so far.
struct History {
    /// Counts everything that is sent and answered.
    clock: AtomicU64,
    /// By writer.
    rounds: Vec<Mutex<Vec<Round>>>,
    is_over: AtomicBool,
    killed_at: Mutex<Instant>,
}

impl History {
    fn new() -> Self {
        let rounds = (0..WRITERS).map(|_| Mutex::default()).collect();
        let (clock, killed_at) = (AtomicU64::new(0), Mutex::new(Instant::now()));
        Self { clock, rounds, is_over: AtomicBool::new(false), killed_at }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst)
    }

    fn rounds(&self, writer: usize) -> MutexGuard<'_, Vec<Round>> {
        self.rounds[writer].lock().expect("nobody panics with the lock")
    }

    fn answer(&self) -> Answer {
        Answer { tick: self.tick(), at: Instant::now() }
    }

    /// How many rounds of a writer, from the first on, were answered as is wanted.
    fn count_answered(&self, writer: usize, is_wanted: impl Fn(&Answer) -> bool) -> usize {
        let rounds = self.rounds(writer);
        rounds.iter().take_while(|round| round.answered.as_ref().is_some_and(&is_wanted)).count()
    }

    /// Rounds that were answered.
    fn answered(&self, writer: usize) -> usize {
        self.count_answered(writer, |_| true)
    }

    /// Rounds that have to be there after the kill.
    fn promised(&self, writer: usize, policy: &str) -> usize {
        let killed_at = *self.killed_at.lock().expect("nobody panics with the lock");
        let is_old = |answer: &Answer| killed_at.duration_since(answer.at) > LOST_AT_MOST;
        self.count_answered(writer, |answer| policy == "always" || is_old(answer))
    }
}

/// What a writer sends in a round, in one go, and how many lines answer it.
fn round(writer: usize, number: usize) -> (Vec<u8>, usize) {
    let names = [format!("left{writer}"), format!("log{writer}"), format!("right{writer}")];
    let [left, log, right] = &names;
    let (text, lines) = if number.is_multiple_of(3) {
        let script = "redis.call('set',KEYS[1],ARGV[1]) redis.call('rpush',KEYS[2],ARGV[1]) \
                      redis.call('set',KEYS[3],ARGV[1]) return redis.status_reply('OK')";
        (format!("EVAL \"{script}\" 3 {left} {log} {right} {number}\r\n"), 1)
    } else {
        let text = format!(
            "MULTI\r\nSET {left} {number}\r\nRPUSH {log} {number}\r\nSET {right} {number}\r\n\
             EXEC\r\n"
        );
        (text, 8)
    };
    let text = format!("SET before{writer} {number}\r\n{text}SET after{writer} {number}\r\n");
    (text.into_bytes(), lines + 2)
}

/// Writes until the server is gone.
fn write(history: &History, mut client: Client, writer: usize) {
    loop {
        let number = history.rounds(writer).len() + 1;
        let (bytes, lines) = round(writer, number);
        let sent = history.tick();
        history.rounds(writer).push(Round { sent, answered: None });
        if client.try_send(&bytes).is_err() {
            return;
        }
        for _ in 0..lines {
            match client.read_line_if_any() {
                Some(line) => assert_ne!(line.first(), Some(&b'-'), "an error: {line:?}"),
                None => return,
            }
        }
        let answered = Some(history.answer());
        history.rounds(writer).last_mut().expect("it was pushed above").answered = answered;
    }
}

/// Moves slots and rewrites files until the server is gone.
fn disturb(history: &History, mut client: Client, cores: u32, mut random: fastrand::Rng) {
    while !history.is_over.load(SeqCst) {
        let line = match random.u32(..20) {
            0 => "BGREWRITEAOF\r\n".to_owned(),
            _ => {
                let name = *random.choice(&NAMES).expect("not empty");
                let key = format!("{name}{}", random.usize(..WRITERS));
                let slot = support::slot_of(key.as_bytes());
                format!("DEBUG MOVE-SLOT {slot} {}\r\n", random.u32(..cores))
            }
        };
        if client.try_send(line.as_bytes()).is_err() || client.read_line_if_any().is_none() {
            return;
        }
    }
}

/// Lets writers write until so many rounds were answered, and kills the server.
fn write_and_kill(mut server: Server, history: &History, cores: u32, random: &mut fastrand::Rng) {
    let answered = || (0..WRITERS).map(|writer| history.answered(writer)).sum::<usize>();
    let target = answered() + random.usize(1..400);
    let process = server.process().id();
    history.is_over.store(false, SeqCst);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let client = server.connect(Resp::Two);
            scope.spawn(move || write(history, client, writer));
        }
        let (client, own) = (server.connect(Resp::Two), random.fork());
        scope.spawn(move || disturb(history, client, cores, own));
        eventually("enough is written", || answered() >= target);
        *history.killed_at.lock().expect("nobody panics with the lock") = Instant::now();
        signal(process, "KILL");
        history.is_over.store(true, SeqCst);
    });
    server.process().wait_for_exit();
}

/// How many rounds of a writer are there; none is by halves.
fn rounds_kept(client: &mut Client, writer: usize, context: &str) -> usize {
    let mut number = |name: &str| match client.call(format!("GET {name}{writer}").as_str()) {
        support::Reply::Null => 0,
        reply => reply.text().parse::<usize>().expect("it is a number"),
    };
    let (before, left, right) = (number("before"), number("left"), number("right"));
    let after = number("after");
    assert_eq!(left, right, "{context}: a unit of writer {writer} by halves");
    let is_prefix = after <= left && left <= before && before <= after + 1;
    assert!(is_prefix, "{context}: {before}, then {left}, then {after} of writer {writer}");
    let log = client.call(format!("LRANGE log{writer} 0 -1").as_str());
    let log: Vec<String> = log.elements().iter().map(|reply| reply.clone().text()).collect();
    let expected: Vec<String> = (1..=left).map(|number| number.to_string()).collect();
    assert_eq!(log, expected, "{context}: the log of writer {writer}");
    left
}

/// Looks at what is there, and lets history go on from it.
fn check(client: &mut Client, history: &History, policy: &str, context: &str) {
    let kept: Vec<usize> =
        (0..WRITERS).map(|writer| rounds_kept(client, writer, context)).collect();
    for (writer, &count) in kept.iter().enumerate() {
        let sent = match count {
            0 => 0,
            count => history.rounds(writer)[count - 1].sent,
        };
        for (other, &other_count) in kept.iter().enumerate() {
            let before = history.count_answered(other, |answer| answer.tick < sent);
            assert!(
                before <= other_count,
                "{context}: round {count} of writer {writer} is there, but of those of {other} \
                 that were answered before only {other_count} of {before}"
            );
        }
        let promised = history.promised(writer, policy);
        assert!(count >= promised, "{context}: {count} of {promised} rounds that must be there");
    }
    for (writer, &count) in kept.iter().enumerate() {
        let mut rounds = history.rounds(writer);
        rounds.truncate(count);
        // What is there now happened, whether somebody was told or not; and if the command behind
        // the last unit is lost it is as if it came now.
        let last = history.answer();
        rounds.iter_mut().for_each(|round| round.answered = round.answered.or(Some(last)));
        drop(rounds);
        client.call(format!("SET after{writer} {count}").as_str());
    }
}

#[test]
fn what_a_kill_leaves_is_a_prefix_of_history() {
    let Seeded { seed, generator: mut random } = Seeded::announced("kills");
    let (core_counts, backends) = (core_counts(&[1, 2, 3]), backends());
    for run in 0..environment_number("BASALT_CRASH_RUNS").unwrap_or(3) {
        let policy = POLICIES[run as usize % POLICIES.len()];
        let (files, history) = (TestDirectory::create(), History::new());
        for kill in 0..=KILLS {
            let core_count = *random.choice(&core_counts).expect("there are some");
            let io_backend = *random.choice(&backends).expect("there are some");
            let context = format!(
                "BASALT_TEST_SEED={seed} run {run} kill {kill} {policy}, {core_count} cores on \
                 {io_backend:?}"
            );
            let config = ServerConfig::Basalt { core_count, io_backend };
            let server = Server::start_on(&config, &files, policy);
            check(&mut server.connect(Resp::Two), &history, policy, &context);
            if kill < KILLS {
                write_and_kill(server, &history, core_count, &mut random);
            }
        }
    }
}
