//! One generator thread: an epoll loop over its connections.
//!
//! Every turn: issue what the timetable asks for (open loop), sleep until something is ready,
//! then for each ready connection write what waits, read once, count replies, and (closed loop)
//! start the next round when the last one is complete. The clock is read once per batch of
//! replies and once per batch of requests, never per request.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::args::usage;
use crate::error::{BenchError, Outcome};
use crate::keys::source::KeySource;
use crate::load::board::{Board, Phase};
use crate::load::connection::{Connection, Link};
use crate::load::pacing::{Pacing, Timetable};
use crate::procfs;
use crate::request::mix::Mix;
use crate::resp::skimmer::Tally;
use crate::sys::{Event, Poller};

/// How long a phase change may go unnoticed when nothing else happens.
const PHASE_CHECK: Duration = Duration::from_millis(20);
/// One read takes at most this much.
const READ_BUFFER_LEN: usize = 256 << 10;
/// Requests an open loop leaves unanswered on one connection before it holds the timetable back.
/// Latency still counts from the timetable, so holding back hides nothing.
const OUTSTANDING_MAX: u64 = 4096;
/// Requests issued between two looks at the sockets.
const ISSUE_MAX: usize = 1024;
/// One hour, in nanoseconds; later replies are recorded as this.
const LATENCY_MAX_NS: u64 = 3_600_000_000_000;

/// What a worker is started with.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// Its place among the workers.
    pub(crate) index: usize,
    /// Its connections.
    pub(crate) links: Vec<Link>,
    /// Key sources.
    pub(crate) lanes: Vec<KeySource>,
    /// Requests.
    pub(crate) mix: Mix,
    /// When to send them.
    pub(crate) pacing: Pacing,
    /// CPU to stay on.
    pub(crate) cpu: Option<usize>,
    /// Seed of all its draws.
    pub(crate) seed: u64,
    /// Shared with the controller.
    pub(crate) board: Arc<Board>,
}

/// What a worker has measured.
#[derive(Debug)]
pub(crate) struct Harvest {
    /// Time from (intended) sending to reply, in nanoseconds.
    pub(crate) latency_ns: Histogram<u64>,
    /// Time from intended to actual sending, in nanoseconds; open loop only.
    pub(crate) send_lag_ns: Histogram<u64>,
    /// Replies of the measuring phase.
    pub(crate) tally: Tally,
}

/// An empty latency histogram with three significant digits.
pub(crate) fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("the bounds are constants")
}

/// Body of a generator thread.
pub(crate) fn run(assignment: Assignment, results: &Sender<Outcome<Harvest>>) {
    let board = Arc::clone(&assignment.board);
    let cell = &board.cells[assignment.index];
    cell.set_thread_id(procfs::own_thread_id());
    let result = Worker::start(assignment).and_then(Worker::work);
    cell.set_final_time(procfs::own_thread_time(procfs::own_thread_id()));
    // The controller may have given up on the run and hung up.
    let _controller_is_gone = results.send(result);
}

/// Draws and encodes requests; apart from the connections so that both can be borrowed at once.
#[derive(Debug)]
struct Encoder {
    lanes: Vec<KeySource>,
    mix: Mix,
    random: fastrand::Rng,
}

impl Encoder {
    /// Appends up to `wanted` requests, fewer when the lane's keys are used up; returns how many
    /// replies they draw.
    fn append(&mut self, connection: &mut Connection, wanted: u64) -> u64 {
        let keys = &self.lanes[connection.lane];
        let mut replies = 0;
        for _ in 0..wanted {
            if keys.is_exhausted() {
                break;
            }
            replies += self.mix.append(keys, &mut self.random, &mut connection.outgoing);
        }
        replies
    }
}

#[derive(Debug)]
struct Worker {
    board: Arc<Board>,
    index: usize,
    phase: Phase,
    poller: Poller,
    connections: Vec<Connection>,
    encoder: Encoder,
    schedule: Schedule,
    epoch: Instant,
    buffer: Box<[u8]>,
    harvest: Harvest,
    /// Replies and errors of phases before the present one.
    earlier: (u64, u64),
    /// Connections with requests in flight.
    busy_count: usize,
}

#[derive(Debug)]
enum Schedule {
    Closed { pipeline: u64 },
    Open { timetable: Timetable, next: usize, touched: Vec<usize>, is_over: bool },
}

impl Schedule {
    fn new(pacing: Pacing, index: usize, workers: usize) -> Self {
        match pacing {
            Pacing::Closed { pipeline } => Self::Closed { pipeline },
            Pacing::Open { rate_per_s, arrivals } => {
                procfs::sharpen_own_timers();
                let timetable = Timetable::new(rate_per_s, arrivals, index, workers);
                Self::Open { timetable, next: 0, touched: Vec::new(), is_over: false }
            }
        }
    }
}

impl Worker {
    fn start(assignment: Assignment) -> Outcome<Self> {
        let Assignment { index, links, lanes, mix, pacing, cpu, seed, board } = assignment;
        if let Some(cpu) = cpu {
            let pinned = core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
            if !pinned {
                return Err(usage(format!("CPU {cpu} is not there to be used")));
            }
        }
        let poller = Poller::new().map_err(BenchError::io("open an epoll instance"))?;
        let mut connections = Vec::with_capacity(links.len());
        for (token, link) in links.into_iter().enumerate() {
            let connection = Connection::new(link, token, &poller);
            connections.push(connection.map_err(BenchError::io("watch a connection"))?);
        }
        let random = fastrand::Rng::with_seed(seed);
        let schedule = Schedule::new(pacing, index, board.cells.len());
        Ok(Self {
            phase: board.phase(),
            board,
            index,
            poller,
            connections,
            encoder: Encoder { lanes, mix, random },
            schedule,
            epoch: Instant::now(),
            buffer: vec![0; READ_BUFFER_LEN].into_boxed_slice(),
            harvest: Harvest {
                latency_ns: new_histogram(),
                send_lag_ns: new_histogram(),
                tally: Tally::default(),
            },
            earlier: (0, 0),
            busy_count: 0,
        })
    }

    fn work(mut self) -> Outcome<Harvest> {
        if let Schedule::Closed { .. } = self.schedule {
            for token in 0..self.connections.len() {
                self.start_round(token)?;
            }
        }
        while self.follow_phase() != Phase::Stop {
            let timeout = match self.schedule {
                Schedule::Closed { .. } if self.busy_count == 0 => break,
                Schedule::Closed { .. } => PHASE_CHECK,
                Schedule::Open { .. } => match self.issue_due()? {
                    Some(timeout) => timeout,
                    None if self.busy_count == 0 => break,
                    None => PHASE_CHECK,
                },
            };
            let ready = self.poller.wait(timeout).map_err(BenchError::io("wait for events"))?;
            for index in 0..ready {
                self.serve(self.poller.event(index))?;
            }
            self.publish();
        }
        Ok(self.harvest)
    }

    /// Notices a new phase; measuring starts from scratch.
    fn follow_phase(&mut self) -> Phase {
        let phase = self.board.phase();
        if phase != self.phase && phase == Phase::Measure {
            self.earlier.0 += self.harvest.tally.replies;
            self.earlier.1 += self.harvest.tally.errors;
            self.harvest.latency_ns.reset();
            self.harvest.send_lag_ns.reset();
            self.harvest.tally = Tally::default();
        }
        self.phase = phase;
        phase
    }

    fn publish(&self) {
        let tally = &self.harvest.tally;
        let (replies, errors) = (self.earlier.0 + tally.replies, self.earlier.1 + tally.errors);
        self.board.cells[self.index].publish(replies, errors);
    }

    fn serve(&mut self, event: Event) -> Outcome<()> {
        let connection = &mut self.connections[event.token];
        if event.writable {
            connection.flush(&self.poller)?;
        }
        if !event.readable {
            return Ok(());
        }
        let replies = connection.receive(&mut self.buffer, &mut self.harvest.tally)?;
        if replies == 0 {
            return Ok(());
        }
        let now_ns = now_ns(self.epoch);
        connection.settle(replies, now_ns, &mut self.harvest.latency_ns)?;
        if connection.outstanding() == 0 {
            self.busy_count -= 1;
            if let Schedule::Closed { .. } = self.schedule {
                self.start_round(event.token)?;
            }
        }
        Ok(())
    }

    /// Closed loop: encodes and sends the next round of a connection that has none in flight.
    fn start_round(&mut self, token: usize) -> Outcome<()> {
        let Schedule::Closed { pipeline } = self.schedule else {
            unreachable!("rounds belong to the closed loop")
        };
        let granted = claim(&self.board, self.phase, pipeline);
        let connection = &mut self.connections[token];
        let replies = self.encoder.append(connection, granted);
        if replies == 0 {
            return Ok(());
        }
        let now_ns = now_ns(self.epoch);
        connection.expect_replies(now_ns, replies);
        self.busy_count += 1;
        connection.flush(&self.poller)
    }

    /// Open loop: sends every request that is due. Returns the time until the next one, or
    /// nothing when the budget is spent.
    fn issue_due(&mut self) -> Outcome<Option<Duration>> {
        let now_ns = now_ns(self.epoch);
        for _ in 0..ISSUE_MAX {
            match self.issue_one(now_ns) {
                Issue::Sent => {}
                Issue::Wait(timeout) => {
                    self.flush_touched()?;
                    return Ok(Some(timeout));
                }
                Issue::Over => {
                    self.flush_touched()?;
                    return Ok(None);
                }
            }
        }
        self.flush_touched()?;
        Ok(Some(Duration::ZERO))
    }

    fn issue_one(&mut self, now_ns: u64) -> Issue {
        let Schedule::Open { timetable, next, touched, is_over } = &mut self.schedule else {
            unreachable!("timetables belong to the open loop")
        };
        let due_ns = timetable.due_ns();
        if *is_over {
            return Issue::Over;
        }
        if due_ns > now_ns {
            return Issue::Wait(Duration::from_nanos(due_ns - now_ns).min(PHASE_CHECK));
        }
        let count = self.connections.len();
        let candidates = (0..count).map(|step| (*next + step) % count);
        let mut free =
            candidates.filter(|token| self.connections[*token].outstanding() < OUTSTANDING_MAX);
        let Some(token) = free.next() else { return Issue::Wait(PHASE_CHECK) };
        let granted = claim(&self.board, self.phase, 1);
        let connection = &mut self.connections[token];
        let replies = self.encoder.append(connection, granted);
        if replies == 0 {
            *is_over = true;
            return Issue::Over;
        }
        *next = (token + 1) % count;
        self.busy_count += usize::from(connection.outstanding() == 0);
        connection.expect_replies(due_ns, replies);
        touched.push(token);
        timetable.advance(&mut self.encoder.random);
        self.harvest.send_lag_ns.saturating_record(now_ns - due_ns);
        Issue::Sent
    }

    fn flush_touched(&mut self) -> Outcome<()> {
        let Schedule::Open { touched, .. } = &mut self.schedule else { return Ok(()) };
        for token in touched.drain(..) {
            self.connections[token].flush(&self.poller)?;
        }
        Ok(())
    }
}

/// What came of trying to issue a request.
#[derive(Debug)]
enum Issue {
    Sent,
    Wait(Duration),
    Over,
}

/// How many of `wanted` requests may be sent; warming up costs nothing of the budget.
fn claim(board: &Board, phase: Phase, wanted: u64) -> u64 {
    if phase == Phase::WarmUp { wanted } else { board.claim(wanted) }
}

fn now_ns(epoch: Instant) -> u64 {
    epoch.elapsed().as_nanos() as u64
}
