//! The clients of a plan as threads that talk to a real server over TCP, and the history of what
//! they saw.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::history::{Event, History};
use crate::op::{CHANNELS, KEYS, Moments, Op, QUEUES};
use crate::plan::{ClientPlan, Life};
use crate::resp::{encode, split_line};
use crate::value::Value;
use crate::values::{Values, check_queues};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What waits for keys waits so long at most: time passes by itself here, and for all.
const WAIT_MS_MAX: u32 = 500;

/// A connection that waits for each reply.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When the server does not listen.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    fn reply(&mut self) -> io::Result<Value> {
        loop {
            if !self.received.is_empty()
                && let Some((value, length)) = Value::parse(&self.received)
            {
                self.received.drain(..length);
                return Ok(value);
            }
            let mut chunk = [0; 16 * 1024];
            let length = self.stream.read(&mut chunk)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received.extend_from_slice(&chunk[..length]);
        }
    }

    /// Runs one command.
    ///
    /// # Errors
    /// When the server goes away.
    pub fn execute(&mut self, line: &str) -> io::Result<Value> {
        self.stream.write_all(&encode(&split_line(line)))?;
        self.reply()
    }

    /// Reads all keys and queues.
    ///
    /// # Errors
    /// When the server goes away, or what it has cannot be.
    pub fn read_all(&mut self) -> Result<Values, String> {
        Values::read(|line| self.execute(line).map_err(|error| error.to_string()))
    }
}

/// Runs the clients of a life against a server until all are done, or it goes away. Returns what
/// they did and saw, each client's in order.
///
/// # Errors
/// If a reply is not what may be answered.
///
/// # Panics
/// If the server does not let a client in.
pub fn drive(address: SocketAddr, life: &Life) -> Result<Vec<Event>, String> {
    let clock = AtomicU64::new(1);
    let mut events = Vec::new();
    thread::scope(|scope| {
        let clients = life.clients.iter().enumerate();
        let threads: Vec<_> = clients
            .map(|(number, plan)| {
                let connection = Connection::open(address).expect("the server listens");
                let clock = &clock;
                scope.spawn(move || work(connection, number, plan, clock))
            })
            .collect();
        for thread in threads {
            events.append(&mut thread.join().expect("a client does not panic")?);
        }
        Ok(events)
    })
}

/// What one client does.
fn work(
    mut connection: Connection,
    number: usize,
    plan: &ClientPlan,
    clock: &AtomicU64,
) -> Result<Vec<Event>, String> {
    let is_meant = |op: &&Op| {
        let is_of_settings =
            matches!(op, Op::Grant(_) | Op::Rights | Op::Reform(..) | Op::Settings(_));
        !is_of_settings && !matches!(op, Op::Pause(_) | Op::Quit | Op::Any(..))
    };
    let ops: Vec<Op> =
        plan.ops.iter().filter(is_meant).map(|op| op.hastened(WAIT_MS_MAX)).collect();
    let (mut events, mut next) = (Vec::new(), 0);
    let mut outstanding: VecDeque<(usize, u64)> = VecDeque::new();
    // Nothing is sent any more; nothing is read any more, for it may answer what was given up.
    let (mut is_gone, mut is_deaf) = (false, false);
    while next < ops.len() && !is_gone || !outstanding.is_empty() {
        while !is_gone && outstanding.len() < plan.depth && next < ops.len() {
            let bytes: Vec<u8> =
                ops[next].requests().iter().flat_map(|request| encode(request)).collect();
            outstanding.push_back((next, clock.fetch_add(1, SeqCst)));
            next += 1;
            is_gone = connection.stream.write_all(&bytes).is_err();
        }
        let Some((op, invoked)) = outstanding.pop_front() else { break };
        let op = &ops[op];
        let count = if is_deaf { 0 } else { op.requests().len() };
        let replies: io::Result<Vec<Value>> = (0..count).map(|_| connection.reply()).collect();
        let (moments, completed) = match replies {
            Ok(replies) if !is_deaf => {
                let completed = clock.fetch_add(1, SeqCst);
                let said = |error| format!("client {number}: {op}: {error}");
                (op.moments(&replies).map_err(said)?, Some(completed))
            }
            _ => {
                (is_gone, is_deaf) = (true, true);
                (op.unanswered(), None)
            }
        };
        push(&mut events, number, op, moments, (invoked, completed));
    }
    Ok(events)
}

fn push(
    events: &mut Vec<Event>,
    client: usize,
    op: &Op,
    moments: Moments,
    (invoked, completed): (u64, Option<u64>),
) {
    let text = op.to_string();
    for seen in moments {
        events.push(Event { client, text: text.clone(), invoked, completed, seen });
    }
}

/// Whether some order explains what clients of a server saw that was empty before and has `finals`
/// now.
///
/// # Errors
/// Why not.
pub fn check(events: Vec<Event>, finals: &Values) -> Result<(), String> {
    check_queues(&vec![Vec::new(); QUEUES.len()], &events, finals)?;
    let history = History {
        events,
        finals: finals.keys.clone(),
        initial: vec![0; KEYS.len()],
        messages: vec![Vec::new(); CHANNELS.len()],
    };
    history.check().map(drop)
}
