//! Runs a plan: starts the workers, keeps the phases, and measures the window.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::args::usage;
use crate::error::{BenchError, Outcome};
use crate::keys::source::KeySource;
use crate::load::board::{Board, Cell, Phase};
use crate::load::connection::Link;
use crate::load::pacing::Pacing;
use crate::load::worker::{self, Assignment, Harvest};
use crate::procfs::{CpuSpent, ProcessCpu, ThreadTime};
use crate::request::mix::Mix;
use crate::resp::skimmer::Tally;

const TICK: Duration = Duration::from_secs(1);
/// A server that answers nothing for this long is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    /// After measuring for this long.
    After(Duration),
    /// After so many measured requests, all replies included.
    Requests(u64),
    /// When every key source is exhausted.
    KeysUsedUp,
}

/// Everything a run needs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Connections, dealt out to the threads in turn.
    pub(crate) links: Vec<Link>,
    /// Key sources.
    pub(crate) lanes: Vec<KeySource>,
    /// Requests.
    pub(crate) mix: Mix,
    /// When to send them.
    pub(crate) pacing: Pacing,
    /// When to end.
    pub(crate) stop: Stop,
    /// Sending without measuring before.
    pub(crate) warm_up: Duration,
    /// Generator threads.
    pub(crate) threads: usize,
    /// CPUs the threads stay on, in turn; empty leaves them to the kernel.
    pub(crate) cpus: Vec<usize>,
    /// Seed of all draws.
    pub(crate) seed: u64,
    /// Server process to watch, if it runs on this machine.
    pub(crate) server_pid: Option<u32>,
}

/// What a run has shown.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// Length of the window.
    pub(crate) window: Duration,
    /// Replies that arrived in the window.
    pub(crate) requests: u64,
    /// Replies by type, and errors.
    pub(crate) tally: Tally,
    /// Time from (intended) sending to reply, in nanoseconds.
    pub(crate) latency_ns: Histogram<u64>,
    /// Time from intended to actual sending, in nanoseconds; empty in a closed loop.
    pub(crate) send_lag_ns: Histogram<u64>,
    /// CPU time of the generator threads in the window.
    pub(crate) generator_cpu: CpuSpent,
    /// CPU time of the server in the window.
    pub(crate) server_cpu: Option<CpuSpent>,
}

/// State of a running measurement, once a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    /// Whether it still warms up.
    pub(crate) phase: Phase,
    /// Time since the first request.
    pub(crate) elapsed: Duration,
    /// Replies per second since the last tick.
    pub(crate) requests_per_s: f64,
    /// Errors since the first request.
    pub(crate) errors: u64,
    /// Generator CPU time per second since the last tick: 1.0 is one CPU.
    pub(crate) generator_cpus: f64,
    /// The same of the server.
    pub(crate) server_cpus: Option<f64>,
}

/// Runs the plan and calls `on_tick` about once a second.
///
/// # Errors
/// When a connection fails, the server breaks the protocol, or it falls silent. Error replies are
/// no failure of the run; they are counted.
pub(crate) fn run(plan: Plan, on_tick: &mut dyn FnMut(&Tick)) -> Outcome<Measurement> {
    let server_pid = plan.server_pid;
    let (stop, warm_up) = (plan.stop, plan.warm_up);
    let phase = if warm_up.is_zero() { Phase::Measure } else { Phase::WarmUp };
    let budget = if let Stop::Requests(count) = stop { count } else { u64::MAX };
    let workers = plan.threads.min(plan.links.len());
    if workers == 0 {
        return Err(usage("a run needs at least one thread and one connection"));
    }
    let board = Arc::new(Board::new(workers, phase, budget));
    let mut start = Sample::take(&board, server_pid);
    let (sender, results) = mpsc::channel();
    let mut handles = Vec::with_capacity(workers);
    for assignment in assignments(plan, &board) {
        let sender = sender.clone();
        let name = format!("generator-{}", assignment.index);
        let thread = thread::Builder::new().name(name);
        let handle = thread.spawn(move || worker::run(assignment, &sender));
        handles.push(handle.map_err(BenchError::io("start a thread"))?);
    }
    drop(sender);

    let mut watch = Watch { board: &board, server_pid, on_tick, results, harvests: Vec::new() };
    if phase == Phase::WarmUp {
        watch.until(Some(warm_up))?;
        start = Sample::take(&board, server_pid);
        board.enter(Phase::Measure);
    }
    let duration = if let Stop::After(duration) = stop { Some(duration) } else { None };
    watch.until(duration)?;
    let end = Sample::take(&board, server_pid);
    board.enter(Phase::Stop);
    watch.until(None)?;
    let harvests = watch.harvests;
    for handle in handles {
        handle.join().expect("a worker reports its failures instead of panicking");
    }
    Ok(merge(&start, &end, harvests))
}

/// Deals connections and CPUs out to the workers.
fn assignments(plan: Plan, board: &Arc<Board>) -> Vec<Assignment> {
    let workers = board.cells.len();
    let mut hands: Vec<Vec<Link>> = (0..workers).map(|_| Vec::new()).collect();
    for (place, link) in plan.links.into_iter().enumerate() {
        hands[place % workers].push(link);
    }
    let mut seeds = fastrand::Rng::with_seed(plan.seed);
    let deal = |(index, links): (usize, Vec<Link>)| Assignment {
        index,
        links,
        lanes: plan.lanes.clone(),
        mix: plan.mix.clone(),
        pacing: plan.pacing,
        cpu: (!plan.cpus.is_empty()).then(|| plan.cpus[index % plan.cpus.len()]),
        seed: seeds.u64(..),
        board: Arc::clone(board),
    };
    hands.into_iter().enumerate().map(deal).collect()
}

/// Replies and CPU times of both sides at one instant.
#[derive(Debug)]
struct Sample {
    at: Instant,
    replies: u64,
    generator: Vec<ThreadTime>,
    server_cpu: Option<ProcessCpu>,
}

impl Sample {
    fn take(board: &Board, server_pid: Option<u32>) -> Self {
        Self {
            at: Instant::now(),
            replies: board.replies(),
            generator: board.cells.iter().map(Cell::time).collect(),
            // A server that ended shows up as a lost connection, not here.
            server_cpu: server_pid.and_then(|pid| ProcessCpu::of(pid).ok()),
        }
    }

    fn server_cpu_since(&self, earlier: &Self) -> Option<CpuSpent> {
        Some(self.server_cpu.as_ref()?.since(earlier.server_cpu.as_ref()?))
    }

    fn generator_cpu_since(&self, earlier: &Self) -> CpuSpent {
        let pairs = self.generator.iter().zip(&earlier.generator);
        CpuSpent::sum(pairs.map(|(now, before)| now.since(*before)))
    }
}

/// The controller's wait: for time to pass or for all workers to end, ticking meanwhile.
struct Watch<'a> {
    board: &'a Board,
    server_pid: Option<u32>,
    on_tick: &'a mut dyn FnMut(&Tick),
    results: Receiver<Outcome<Harvest>>,
    harvests: Vec<Harvest>,
}

impl Watch<'_> {
    /// Returns when `duration` is over (never, if absent) or all workers have ended. The first
    /// failure of a worker stops the others.
    fn until(&mut self, duration: Option<Duration>) -> Outcome<()> {
        let begin = Instant::now();
        let mut last = Sample::take(self.board, self.server_pid);
        let mut last_reply_at = begin;
        while self.harvests.len() < self.board.cells.len() {
            let left = duration.map_or(TICK, |it| it.saturating_sub(begin.elapsed()));
            if left.is_zero() {
                break;
            }
            let tick_left = TICK.saturating_sub(last.at.elapsed());
            match self.results.recv_timeout(left.min(tick_left)) {
                Ok(Ok(harvest)) => self.harvests.push(harvest),
                Ok(Err(failure)) => {
                    self.board.enter(Phase::Stop);
                    return Err(failure);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("a worker ended without a result"),
            }
            if last.at.elapsed() >= TICK {
                let now = Sample::take(self.board, self.server_pid);
                if now.replies != last.replies {
                    last_reply_at = now.at;
                }
                self.check_silence(now.at - last_reply_at)?;
                self.tick(&last, &now, begin);
                last = now;
            }
        }
        Ok(())
    }

    fn check_silence(&self, silence: Duration) -> Outcome<()> {
        if silence < SILENCE_MAX {
            return Ok(());
        }
        self.board.enter(Phase::Stop);
        let text = format!("no reply for {} s", SILENCE_MAX.as_secs());
        Err(BenchError::WrongReplies { workload: "the measured commands".to_owned(), text })
    }

    fn tick(&mut self, last: &Sample, now: &Sample, begin: Instant) {
        let span_s = (now.at - last.at).as_secs_f64();
        let generator_ns = now.generator_cpu_since(last).total_ns;
        let server_cpus =
            now.server_cpu_since(last).map(|spent| spent.total_ns as f64 / 1e9 / span_s);
        (self.on_tick)(&Tick {
            phase: self.board.phase(),
            elapsed: now.at - begin,
            requests_per_s: (now.replies - last.replies) as f64 / span_s,
            errors: self.board.errors(),
            generator_cpus: generator_ns as f64 / 1e9 / span_s,
            server_cpus,
        });
    }
}

fn merge(start: &Sample, end: &Sample, harvests: Vec<Harvest>) -> Measurement {
    let mut measurement = Measurement {
        window: end.at - start.at,
        requests: end.replies - start.replies,
        tally: Tally::default(),
        latency_ns: worker::new_histogram(),
        send_lag_ns: worker::new_histogram(),
        generator_cpu: end.generator_cpu_since(start),
        server_cpu: end.server_cpu_since(start),
    };
    for harvest in harvests {
        measurement.tally.add(&harvest.tally);
        let same_bounds = "all histograms have the same bounds";
        measurement.latency_ns.add(harvest.latency_ns).expect(same_bounds);
        measurement.send_lag_ns.add(harvest.send_lag_ns).expect(same_bounds);
    }
    measurement
}
