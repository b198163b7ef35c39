//! `basalt-echo`: the bare server that Basalt is measured against.
//!
//! It parses requests with Basalt's parser on Basalt's reactor and stores nothing: `GET` is
//! answered with 16 fixed bytes, everything else with `+OK`. What a real server takes longer than
//! this one is the price of its commands and its keyspace; what this one takes is the price of the
//! network.
//!
//! ```text
//!   basalt-echo [port [core [auto|uring|epoll [spin-us]]]]
//! ```
//!
//! Replies of a turn leave in one piece per connection. Before it sleeps it may spin for some
//! microseconds, which costs an idle processor and saves the way through the scheduler.

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

use basalt_net::listen;
use basalt_net::reactor::{BackendChoice, BufferRef, ConnectionId, Event, Reactor, ReactorOptions};
use basalt_net::resp::{ArgRange, Limits, Parsed, ProtocolError, RequestParser};
use basalt_net::sys;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const VALUE_REPLY: &[u8] = b"$16\r\nxxxxxxxxxxxxxxxx\r\n";
const OK_REPLY: &[u8] = b"+OK\r\n";
const BACKLOG: u32 = 511;

/// Output of one client that may wait before it is no longer listened to.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What is known about one client.
#[derive(Default)]
struct Client {
    parser: RequestParser,
    /// The beginning of a request whose rest has not come.
    partial: Vec<u8>,
    replies: Vec<u8>,
    generation: u32,
}

struct Server {
    reactor: Reactor,
    clients: Vec<Client>,
    args: Vec<ArgRange>,
    limits: Limits,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("basalt-echo: {error}");
            eprintln!("usage: basalt-echo [port [core [auto|uring|epoll [spin-us]]]]");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let argument = |place: usize| arguments.get(place).map(String::as_str);
    let port = argument(0).unwrap_or("6400").parse()?;
    if let Some(core) = argument(1) {
        sys::pin_current_thread(core.parse()?)?;
    }
    let backend = match argument(2) {
        None | Some("auto") => BackendChoice::Auto,
        Some("uring") => BackendChoice::Uring,
        Some("epoll") => BackendChoice::Epoll,
        Some(other) => return Err(format!("no such backend: {other}").into()),
    };
    let spin = Duration::from_micros(argument(3).unwrap_or("0").parse()?);
    let mut reactor = Reactor::new(&ReactorOptions { backend, ..ReactorOptions::default() })?;
    reactor.add_listener(listen::listen_tcp_on(([127, 0, 0, 1], port).into(), BACKLOG)?)?;
    let reason = reactor.fallback_reason().unwrap_or("as asked for");
    eprintln!("basalt-echo: port {port}, {}, {reason}", reactor.backend());
    let mut server =
        Server { reactor, clients: Vec::new(), args: Vec::new(), limits: Limits::default() };
    loop {
        server.turn(spin)?;
    }
}

impl Server {
    fn turn(&mut self, spin: Duration) -> std::io::Result<()> {
        if !spin.is_zero() {
            let start = Instant::now();
            while !self.reactor.has_work_hint() && start.elapsed() < spin {
                std::hint::spin_loop();
            }
        }
        self.reactor.poll(None)?;
        for place in 0..self.reactor.events().len() {
            match self.reactor.events()[place] {
                Event::Accepted { socket, .. } => {
                    if let Some(socket) = self.reactor.take_accepted(socket) {
                        let connection = self.reactor.add_connection(socket)?;
                        self.welcome(connection);
                    }
                }
                Event::Received { connection, buffer } => self.receive(connection, buffer),
                Event::Closed { connection, .. } => self.reactor.close_after_flush(connection),
                Event::Drained { connection } => self.reactor.resume_receive(connection),
                Event::AcceptFailed { listener, .. } => self.reactor.resume_accept(listener)?,
                Event::Filled { .. } | Event::Woken { .. } => {}
            }
        }
        Ok(())
    }

    fn welcome(&mut self, connection: ConnectionId) {
        let index = connection.index as usize;
        if index >= self.clients.len() {
            self.clients.resize_with(index + 1, Client::default);
        }
        self.clients[index] = Client { generation: connection.generation, ..Client::default() };
    }

    fn receive(&mut self, connection: ConnectionId, buffer: BufferRef) {
        let client = &mut self.clients[connection.index as usize];
        if client.generation != connection.generation {
            return;
        }
        let bytes = self.reactor.bytes(buffer);
        let result = if client.partial.is_empty() {
            let consumed = client.serve(bytes, &self.limits, &mut self.args);
            consumed.map(|consumed| client.partial.extend_from_slice(&bytes[consumed..]))
        } else {
            let mut input = std::mem::take(&mut client.partial);
            input.extend_from_slice(bytes);
            let consumed = client.serve(&input, &self.limits, &mut self.args);
            consumed.map(|consumed| {
                input.drain(..consumed);
                client.partial = input;
            })
        };
        if let Err(error) = &result {
            client.replies.extend_from_slice(b"-ERR ");
            error.write_message(&mut client.replies);
            client.replies.extend_from_slice(b"\r\n");
        }
        self.reactor.send(connection, &mut client.replies);
        if result.is_err() {
            self.reactor.close_after_flush(connection);
        } else if self.reactor.queued_bytes(connection) > OUTPUT_BYTES_MAX {
            self.reactor.suspend_receive(connection);
        }
    }
}

impl Client {
    /// Answers the complete requests at the front of `input` and returns how long they were.
    fn serve(
        &mut self,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<ArgRange>,
    ) -> Result<usize, ProtocolError> {
        let mut start = 0;
        while start < input.len() {
            args.clear();
            let request = &input[start..];
            let (text, consumed) = match self.parser.parse(request, limits, args)? {
                Parsed::Complete { consumed } => (request, consumed),
                Parsed::Unquoted { consumed } => (self.parser.unquoted(), consumed),
                Parsed::Incomplete { .. } => break,
            };
            start += consumed;
            if let Some(name) = args.first().map(|arg| arg.of(text)) {
                let is_get = name.eq_ignore_ascii_case(b"GET");
                self.replies.extend_from_slice(if is_get { VALUE_REPLY } else { OK_REPLY });
            }
        }
        Ok(start)
    }
}
