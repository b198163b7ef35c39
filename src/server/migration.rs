//! The way of MIGRATE to other servers: threads with blocking sockets, and connections that last.
//!
//! A core puts a shipment into one bounded queue and goes on; a thread takes it, carries it, leaves
//! the delivery where the core looks for it, and wakes the cores. Threads are started when there
//! is work and nobody free, up to [`THREADS_MAX`], so that one server that does not answer does not
//! keep keys for others waiting. They end when there is no work and no connection to look after.
//!
//! A connection is kept for [`IDLE_MAX`] after its last use, under the name of its target *and* who
//! it is logged in as: nobody travels on the rights of somebody else. The database it has selected
//! is remembered. One that was kept may have been closed by the other end meanwhile; then a new one
//! is tried, once, unless a key was acknowledged by then.
//!
//! What is sent and how replies are judged is as in Redis, but that only a status reply counts as
//! an acknowledgement: whatever else answers on that port may not cost anybody a key.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use basalt_shard::error::CommandError;
use basalt_shard::journal::write_command;
use basalt_shard::migration::{
    CANNOT_CONNECT, CANNOT_READ, CANNOT_WRITE, Delivery, Journey, Shipment, Target,
};

use super::process::Process;
use crate::warning;

/// Threads that carry at the same time.
const THREADS_MAX: usize = 16;
/// Shipments that wait for one of them.
const QUEUE_MAX: usize = 1024;
/// Connections that are kept.
const KEPT_MAX: usize = 64;
/// How long an unused one is.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Longest line another server may answer, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of an error of another server that are passed on.
const REPORTED_BYTES_MAX: usize = 1022;

/// What the process does for MIGRATE.
#[derive(Default)]
pub struct Migrations {
    state: Mutex<State>,
    has_work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Those of them that have nothing to do.
    idle: usize,
    kept: Vec<Kept>,
}

struct Job {
    shipment: Shipment,
    deliver: SyncSender<Delivery>,
}

/// A connection nobody uses.
struct Kept {
    target: Target,
    connection: Connection,
    since: Instant,
}

/// A connection to another server.
struct Connection {
    stream: BufReader<TcpStream>,
    /// The database it works on, if that is known.
    selected: Option<i64>,
}

/// What a core asks for news.
struct Receipt(Receiver<Delivery>);

impl Journey for Receipt {
    fn delivery(&mut self) -> Option<Delivery> {
        match self.0.try_recv() {
            Ok(delivery) => Some(delivery),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => unreachable!("a thread that carries delivers"),
        }
    }
}

/// Has a thread carry a shipment.
pub fn ship(process: &Arc<Process>, shipment: Shipment) -> Result<Box<dyn Journey>, CommandError> {
    let migrations = &process.migrations;
    let mut state = migrations.lock();
    if state.queue.len() >= QUEUE_MAX {
        warning!("MIGRATE: {QUEUE_MAX} commands wait for other servers already");
        return Err(CANNOT_CONNECT);
    }
    let (deliver, receipt) = sync_channel(1);
    state.queue.push_back(Job { shipment, deliver });
    if state.idle < state.queue.len() && !state.start_thread(process) && state.threads == 0 {
        state.queue.pop_back();
        return Err(CANNOT_CONNECT);
    }
    drop(state);
    migrations.has_work.notify_one();
    Ok(Box::new(Receipt(receipt)))
}

/// Carries a shipment and returns when that is over.
pub fn ship_at_once(process: &Arc<Process>, shipment: &Shipment) -> Delivery {
    let delivery = process.migrations.carry(shipment);
    let mut state = process.migrations.lock();
    if state.threads == 0 && !state.kept.is_empty() && !state.start_thread(process) {
        state.kept.clear();
    }
    delivery
}

fn work(process: &Arc<Process>) {
    while let Some(Job { shipment, deliver }) = process.migrations.next_job() {
        let delivery = process.migrations.carry(&shipment);
        // A core that has ended asks no more.
        let _ = deliver.send(delivery);
        process.wake_cores();
    }
}

impl State {
    /// Starts a thread, if there may be one more; whether there is.
    fn start_thread(&mut self, process: &Arc<Process>) -> bool {
        if self.threads >= THREADS_MAX {
            return false;
        }
        let process = Arc::clone(process);
        let started =
            std::thread::Builder::new().name("migrate".into()).spawn(move || work(&process));
        if let Err(error) = &started {
            warning!("MIGRATE: no thread could be started: {error}");
        }
        self.threads += usize::from(started.is_ok());
        started.is_ok()
    }

    fn end_idle(&mut self, now: Instant) {
        self.kept.retain(|kept| now.duration_since(kept.since) < IDLE_MAX);
    }
}

impl Migrations {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    /// How many connections are kept.
    pub fn kept(&self) -> usize {
        self.lock().kept.len()
    }

    /// Waits for something to carry; `None` if the thread is not needed any more.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            let now = Instant::now();
            state.end_idle(now);
            let Some(oldest) = state.kept.iter().map(|kept| kept.since).min() else {
                state.threads -= 1;
                return None;
            };
            state.idle += 1;
            let patience = (oldest + IDLE_MAX).saturating_duration_since(now);
            let (woken, _) =
                self.has_work.wait_timeout(state, patience).expect("nobody panics with the lock");
            state = woken;
            state.idle -= 1;
        }
    }

    fn take_kept(&self, target: &Target) -> Option<Connection> {
        let mut state = self.lock();
        state.end_idle(Instant::now());
        let index = state.kept.iter().position(|kept| kept.target == *target)?;
        Some(state.kept.swap_remove(index).connection)
    }

    fn keep(&self, target: Target, connection: Connection) {
        let mut state = self.lock();
        if state.kept.len() >= KEPT_MAX {
            let oldest = (0..state.kept.len()).min_by_key(|index| state.kept[*index].since);
            state.kept.swap_remove(oldest.expect("there are many"));
        }
        state.kept.push(Kept { target, connection, since: Instant::now() });
    }

    fn carry(&self, shipment: &Shipment) -> Delivery {
        let mut kept = self.take_kept(&shipment.target);
        let mut may_retry = true;
        loop {
            let opened = kept.take().map_or_else(|| Connection::open(shipment), Ok);
            let mut connection = match opened {
                Ok(connection) => connection,
                Err(error) => return Delivery::failed(error),
            };
            let (delivery, failure) = connection.carry(shipment);
            let Some(failure) = failure else {
                self.keep(shipment.target.clone(), connection);
                return delivery;
            };
            // Others that were kept for this target are of no more use.
            self.lock().kept.retain(|kept| kept.target != shipment.target);
            let is_untouched = delivery == Delivery::default();
            if may_retry && is_untouched && !failure.is_timeout {
                may_retry = false;
                continue;
            }
            let error = delivery.error.or(Some(failure.error));
            return Delivery { error, ..delivery };
        }
    }
}

/// Why a connection is of no more use.
struct Failure {
    error: CommandError,
    is_timeout: bool,
}

impl Failure {
    fn of(error: &io::Error, told: CommandError) -> Self {
        Self { error: told, is_timeout: is_timeout(error) }
    }
}

impl Connection {
    /// A refused connection is told as Redis tells it, which finds out only when it writes.
    fn open(shipment: &Shipment) -> Result<Self, CommandError> {
        let host = std::str::from_utf8(&shipment.target.host).map_err(|_| CANNOT_CONNECT)?;
        let port = leading_number(&shipment.target.port).ok_or(CANNOT_CONNECT)?;
        let mut failure = CANNOT_CONNECT;
        for address in (host, port).to_socket_addrs().map_err(|_| CANNOT_CONNECT)? {
            match TcpStream::connect_timeout(&address, shipment.timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(|_| CANNOT_CONNECT)?;
                    return Ok(Self { stream: BufReader::new(stream), selected: None });
                }
                Err(error) if is_timeout(&error) => failure = CANNOT_CONNECT,
                Err(_) => failure = CANNOT_WRITE,
            }
        }
        Err(failure)
    }

    /// Sends everything and reads all replies, as far as that goes.
    fn carry(&mut self, shipment: &Shipment) -> (Delivery, Option<Failure>) {
        let mut greetings = Vec::new();
        let greeting_count = self.write_greetings(shipment, &mut greetings);
        let mut delivery = Delivery::default();
        if let Err(error) = self.send(shipment, &greetings) {
            return (delivery, Some(Failure::of(&error, CANNOT_WRITE)));
        }
        let mut refusal = None;
        for index in 0..greeting_count + shipment.key_count {
            let line = match self.read_line() {
                Ok(line) => line,
                Err(error) => return (delivery, Some(Failure::of(&error, CANNOT_READ))),
            };
            let is_accepted = line.first() == Some(&b'+');
            if index < greeting_count {
                refusal = refusal.or_else(|| (!is_accepted).then_some(line));
                continue;
            }
            delivery.acknowledged.push(is_accepted && refusal.is_none());
            if delivery.error.is_none() && (!is_accepted || refusal.is_some()) {
                delivery.error = Some(passed_on(refusal.as_ref().unwrap_or(&line)));
            }
        }
        self.selected = delivery.error.is_none().then_some(shipment.db);
        (delivery, None)
    }

    /// Commands that go ahead of the keys; how many.
    fn write_greetings(&self, shipment: &Shipment, to: &mut Vec<u8>) -> usize {
        let mut count = 0;
        if let Some(credentials) = &shipment.target.credentials {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(credentials.user.as_deref());
            parts.push(&credentials.password);
            write_command(to, parts.len(), parts.into_iter());
            count += 1;
        }
        if self.selected != Some(shipment.db) {
            let number = shipment.db.to_string();
            let parts: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
            write_command(to, parts.len(), parts.into_iter());
            count += 1;
        }
        count
    }

    fn send(&mut self, shipment: &Shipment, greetings: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.set_write_timeout(Some(shipment.timeout))?;
        stream.set_read_timeout(Some(shipment.timeout))?;
        stream.write_all(greetings)?;
        stream.write_all(&shipment.restores)
    }

    /// The next line, without its end.
    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The port at the start of a text, 0 if there is none, as Redis reads it.
fn leading_number(text: &[u8]) -> Option<u16> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let digits = std::str::from_utf8(&text[..end]).ok()?;
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

/// What the client is told of an error of the other server.
fn passed_on(line: &[u8]) -> CommandError {
    let text = line.strip_prefix(b"-").unwrap_or(line);
    let text = String::from_utf8_lossy(&text[..text.len().min(REPORTED_BYTES_MAX)]);
    CommandError::worded(format!("ERR Target instance replied with error: {text}"))
}
