//! One raw connection: whatever bytes a test wants out, exactly one reply in.
//!
//! No client library stands in between, so a test sees what a socket sees. Every read runs under
//! a time limit; a server that stays silent fails the test instead of hanging it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::args::{Command, encode};
use super::expect::Expect;
use super::reply::{Reply, measure, parse};

/// Generous: eight test processes may share two cores.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const READ_CHUNK_BYTES: usize = 256 * 1024;
/// What TLS hands out at a time.
const RECORD_BYTES: usize = 16 * 1024;

/// Protocol version of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resp {
    Two,
    Three,
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
    Tls(SocketAddr, Arc<ClientConfig>),
}

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// What bytes go through, whatever it is.
    fn stream(&mut self) -> &mut dyn Stream {
        match self {
            Wire::Tcp(stream) => stream,
            Wire::Unix(stream) => stream,
            Wire::Tls(stream) => stream,
        }
    }

    /// The TCP socket, if it is one.
    fn socket(&self) -> Option<&TcpStream> {
        match self {
            Wire::Tcp(stream) => Some(stream),
            Wire::Tls(stream) => Some(&stream.sock),
            Wire::Unix(_) => None,
        }
    }
}

trait Stream: Read + Write {}
impl<One: Read + Write> Stream for One {}

/// A connection to the server under test.
pub(crate) struct Client {
    wire: Wire,
    address: Address,
    resp: Resp,
    /// Received, not yet consumed.
    received: Vec<u8>,
}

impl Client {
    /// Connects over TCP; speaks RESP2 until told otherwise.
    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, READ_TIMEOUT)?;
        stream.set_nodelay(true)?;
        Client::over(Wire::Tcp(stream), Address::Tcp(address))
    }

    /// Connects to a unix socket.
    pub(crate) fn connect_unix(path: &Path) -> std::io::Result<Client> {
        Client::over(Wire::Unix(UnixStream::connect(path)?), Address::Unix(path.to_owned()))
    }

    /// Connects over TCP and begins a TLS connection, whose handshake comes with the first bytes.
    pub(crate) fn connect_tls(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, READ_TIMEOUT)?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a host name");
        let connection =
            ClientConnection::new(Arc::clone(config), name).expect("a client configuration");
        let wire = Wire::Tls(Box::new(StreamOwned::new(connection, stream)));
        Client::over(wire, Address::Tls(address, Arc::clone(config)))
    }

    fn over(wire: Wire, address: Address) -> std::io::Result<Client> {
        let mut client = Client { wire, address, resp: Resp::Two, received: Vec::new() };
        client.set_read_timeout(READ_TIMEOUT)?;
        Ok(client)
    }

    /// Limits how long one read may wait for bytes.
    pub(crate) fn set_read_timeout(&mut self, limit: Duration) -> std::io::Result<()> {
        match &self.wire {
            Wire::Unix(stream) => stream.set_read_timeout(Some(limit)),
            other => other.socket().expect("no unix socket").set_read_timeout(Some(limit)),
        }
    }

    /// A fresh connection to the same place, in the same protocol.
    pub(crate) fn another(&self) -> Client {
        let mut client = match &self.address {
            Address::Tcp(address) => Client::connect(*address),
            Address::Unix(path) => Client::connect_unix(path),
            Address::Tls(address, config) => Client::connect_tls(*address, config),
        }
        .expect("the server accepts another connection");
        client.speak(self.resp);
        client
    }

    /// The protocol expectations are rendered in.
    pub(crate) fn resp(&self) -> Resp {
        self.resp
    }

    /// Sends HELLO when `resp` differs from what the connection speaks.
    #[track_caller]
    pub(crate) fn speak(&mut self, resp: Resp) {
        if resp == self.resp {
            return;
        }
        self.resp = resp;
        let version = if resp == Resp::Three { "3" } else { "2" };
        let reply = self.call(["HELLO", version]);
        assert!(!matches!(reply, Reply::Error(_)), "HELLO {version}: {reply:?}");
    }

    /// Says that the connection changed its protocol by other means (a HELLO or RESET under test).
    pub(crate) fn assume(&mut self, resp: Resp) {
        self.resp = resp;
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the server takes what is sent");
    }

    /// Sends bytes; a server that has hung up is the caller's to judge.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let stream = self.wire.stream();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Sends one command and reads nothing.
    #[track_caller]
    pub(crate) fn send_command(&mut self, command: impl Command) {
        self.send(&encode(command));
    }

    /// The single entry point of exact tests: sends `command`, compares the reply byte by byte.
    #[track_caller]
    pub(crate) fn check(&mut self, command: impl Command, expected: impl Into<Expect>) {
        let arguments = command.arguments();
        self.send_command(&arguments[..]);
        let shown = arguments.iter().map(|argument| shortened(argument)).collect::<Vec<_>>();
        self.check_next(&shown.join(" "), expected);
    }

    /// Compares the next reply byte by byte; `what` names it in the failure.
    #[track_caller]
    pub(crate) fn check_next(&mut self, what: &str, expected: impl Into<Expect>) {
        let expected = expected.into().render(self.resp);
        let received = self.read_bytes();
        assert!(
            received == expected,
            "{what}\n  expected: {}\n  received: {}",
            shortened(&expected),
            shortened(&received)
        );
    }

    /// Sends raw bytes and compares raw bytes: for the protocol itself.
    #[track_caller]
    pub(crate) fn check_bytes(&mut self, sent: &[u8], expected: &[u8]) {
        self.send(sent);
        let received = self.read_exactly(expected.len());
        assert!(
            received == expected,
            "{}\n  expected: {}\n  received: {}",
            shortened(sent),
            shortened(expected),
            shortened(&received)
        );
    }

    /// Sends a command and returns the reply as a tree.
    #[track_caller]
    pub(crate) fn call(&mut self, command: impl Command) -> Reply {
        self.send_command(command);
        self.read_reply()
    }

    /// The text of a string-like reply.
    #[track_caller]
    pub(crate) fn text(&mut self, command: impl Command) -> String {
        self.call(command).text()
    }

    /// The number of an integer reply.
    #[track_caller]
    pub(crate) fn integer(&mut self, command: impl Command) -> i64 {
        self.call(command).integer()
    }

    /// Sends all commands without waiting, returns all replies. Writing has a thread of its own:
    /// a server that suspends a slow reader must not deadlock with a test that only writes.
    #[track_caller]
    pub(crate) fn pipeline<One: Command>(
        &mut self,
        commands: impl IntoIterator<Item = One>,
    ) -> Vec<Reply> {
        let mut bytes = Vec::new();
        let mut count = 0;
        for command in commands {
            bytes.extend(encode(command));
            count += 1;
        }
        self.pipeline_bytes(bytes, count)
    }

    /// As [`Client::pipeline`], for bytes that hold `count` commands.
    #[track_caller]
    pub(crate) fn pipeline_bytes(&mut self, bytes: Vec<u8>, count: usize) -> Vec<Reply> {
        let mut writer = self.writer();
        thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes).expect("the server takes a pipeline"));
            (0..count).map(|_| self.read_reply()).collect()
        })
    }

    /// A second handle on the socket, for writing beside a reader.
    pub(crate) fn writer(&self) -> Box<dyn Write + Send> {
        match &self.wire {
            Wire::Tcp(stream) => Box::new(stream.try_clone().expect("a socket can be cloned")),
            Wire::Unix(stream) => Box::new(stream.try_clone().expect("a socket can be cloned")),
            Wire::Tls(_) => panic!("a TLS connection has one handle"),
        }
    }

    /// Reads one reply as a tree.
    #[track_caller]
    pub(crate) fn read_reply(&mut self) -> Reply {
        let bytes = self.read_bytes();
        let (reply, length) = parse(&bytes).expect("a measured reply is complete");
        assert_eq!(length, bytes.len(), "measure and parse must agree");
        reply
    }

    /// Reads one reply, exactly its bytes.
    #[track_caller]
    pub(crate) fn read_bytes(&mut self) -> Vec<u8> {
        loop {
            if let Some(length) = measure(&self.received) {
                return self.take(length);
            }
            let received_count = self.receive().unwrap_or_else(|error| {
                panic!("no reply: {error} after {}", shortened(&self.received))
            });
            assert!(
                received_count > 0,
                "connection closed inside a reply: {}",
                shortened(&self.received)
            );
        }
    }

    /// One line in time, or `None` when the server hangs up or stays silent.
    pub(crate) fn read_line_if_any(&mut self) -> Option<Vec<u8>> {
        while !self.received.contains(&b'\n') {
            if self.receive().ok()? == 0 {
                return None;
            }
        }
        let end = self.received.iter().position(|&byte| byte == b'\n')?;
        Some(self.take(end + 1))
    }

    /// Reads `length` bytes, whatever they are.
    #[track_caller]
    pub(crate) fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            let received_count = self
                .receive()
                .unwrap_or_else(|error| panic!("{error} after {}", shortened(&self.received)));
            assert!(received_count > 0, "closed after {}", shortened(&self.received));
        }
        self.take(length)
    }

    /// What the server sends until it hangs up. Panics when it does not hang up in time.
    #[track_caller]
    pub(crate) fn read_until_closed(&mut self) -> Vec<u8> {
        loop {
            match self.receive() {
                Ok(0) => return std::mem::take(&mut self.received),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return std::mem::take(&mut self.received);
                }
                Err(error) => panic!("expected the connection to be closed, got {error}"),
            }
        }
    }

    /// True when nothing arrives within `limit`; what does arrive stays to be read.
    pub(crate) fn is_silent_for(&mut self, limit: Duration) -> bool {
        assert!(self.received.is_empty(), "unread: {}", shortened(&self.received));
        self.set_read_timeout(limit).expect("a time limit can be set");
        let outcome = self.receive();
        self.set_read_timeout(READ_TIMEOUT).expect("a time limit can be set");
        matches!(outcome, Err(error) if is_timeout(&error))
    }

    /// Ends the sending side; replies can still be read.
    pub(crate) fn finish_sending(&self) {
        self.shut_down_writing().expect("the sending side can be closed");
    }

    /// As [`Client::finish_sending`], for a connection the server may have ended already.
    pub(crate) fn finish_sending_if_connected(&self) {
        drop(self.shut_down_writing());
    }

    fn shut_down_writing(&self) -> std::io::Result<()> {
        match &self.wire {
            Wire::Unix(stream) => stream.shutdown(Shutdown::Write),
            other => other.socket().expect("no unix socket").shutdown(Shutdown::Write),
        }
    }

    /// The TLS connection.
    pub(crate) fn tls(&mut self) -> &mut ClientConnection {
        match &mut self.wire {
            Wire::Tls(stream) => &mut stream.conn,
            Wire::Tcp(_) | Wire::Unix(_) => panic!("no TLS connection"),
        }
    }

    /// Reads and forgets everything until the connection ends in whatever way.
    pub(crate) fn drain(&mut self) -> std::io::Result<()> {
        while self.receive()? > 0 {
            self.received.clear();
        }
        Ok(())
    }

    /// Own side of the connection as the server prints it.
    pub(crate) fn local_address(&self) -> String {
        let socket = self.wire.socket().expect("a unix socket has no local address");
        socket.local_addr().expect("a local address").to_string()
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.received.split_off(length);
        std::mem::replace(&mut self.received, rest)
    }

    fn receive(&mut self) -> std::io::Result<usize> {
        let old_length = self.received.len();
        // Doubling keeps re-measuring of a long reply linear in its length.
        let room = match self.wire {
            // A record at a time, however much there is room for.
            Wire::Tls(_) => 2 * RECORD_BYTES,
            Wire::Tcp(_) | Wire::Unix(_) => READ_CHUNK_BYTES.max(old_length),
        };
        self.received.resize(old_length + room, 0);
        // Whoever was stopped for a while and goes on is told so where there is a time limit.
        let outcome = loop {
            match self.wire.stream().read(&mut self.received[old_length..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.received.truncate(old_length + *outcome.as_ref().unwrap_or(&0));
        outcome
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Bytes for a failure message: printable, and never a screenful.
fn shortened(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 600;
    let shown = bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii().to_string();
    if bytes.len() > SHOWN_BYTES { format!("{shown}... ({} bytes)", bytes.len()) } else { shown }
}
