//! A real redis-server beside the tests, where there is one: the judge of what is right.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::resp;

static SERVERS: AtomicU32 = AtomicU32::new(0);

/// The program to compare with, if it is not the redis-server on the PATH. Several years lie
/// between what distributions have and what clients expect by now.
const PROGRAM_VARIABLE: &str = "BASALT_TEST_REFERENCE";

/// A server process of our own, and a connection to it. The process ends with this value.
pub(crate) struct RealServer {
    process: Child,
    stream: UnixStream,
    directory: PathBuf,
    received: Vec<u8>,
}

impl RealServer {
    /// Starts a server, or says that there is none on this machine and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Option<Self> {
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("basalt-test-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("the directory for temporary files is writable");
        let socket = directory.join("socket");
        let program = std::env::var(PROGRAM_VARIABLE).unwrap_or("redis-server".into());
        let spawned = Command::new(program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--unixsocket")
            .arg(&socket)
            .args(arguments)
            .current_dir(&directory)
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut process) = spawned else {
            let _ = writeln!(std::io::stderr(), "skipped: there is no redis-server on the PATH");
            return None;
        };
        let log = process.stdout.take().expect("it was asked for");
        let mut lines = BufReader::new(log).lines().map(|line| line.expect("the log is text"));
        lines.find(|line| line.contains("eady to accept")).expect("the server comes up");
        let stream = UnixStream::connect(&socket).expect("the server listens");
        Some(Self { process, stream, directory, received: Vec::new() })
    }

    /// Major and minor version of the Redis that the server is or is compatible with.
    pub(crate) fn version(&mut self) -> (u32, u32) {
        let info = self.execute(&[b"INFO".to_vec(), b"server".to_vec()]);
        let info = String::from_utf8(info).expect("INFO is text");
        let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        let mut parts = line.expect("INFO tells the version").split('.');
        let mut next = || parts.next().and_then(|part| part.parse().ok()).expect("a version");
        (next(), next())
    }

    /// Whether it is a Valkey.
    pub(crate) fn is_valkey(&mut self) -> bool {
        let info = self.execute(&[b"INFO".to_vec(), b"server".to_vec()]);
        String::from_utf8(info).expect("INFO is text").contains("valkey_version:")
    }

    /// Runs one request.
    pub(crate) fn execute(&mut self, request: &[Vec<u8>]) -> Vec<u8> {
        self.execute_all(std::slice::from_ref(&request.to_vec())).remove(0)
    }

    /// Runs requests in one pipeline.
    pub(crate) fn execute_all(&mut self, requests: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
        let bytes: Vec<u8> = requests.iter().flat_map(|request| resp::encode(request)).collect();
        self.stream.write_all(&bytes).expect("the server reads");
        let Self { stream, received, .. } = self;
        requests.iter().map(|_| read_reply(stream, received)).collect()
    }

    /// Another connection, which listens to all channels that match `pattern`.
    pub(crate) fn listen(&mut self, pattern: &str) -> Listener {
        let socket = self.directory.join("socket");
        let stream = UnixStream::connect(&socket).expect("the server listens");
        let mut listener = Listener { stream, received: Vec::new() };
        let request = resp::encode(&[b"PSUBSCRIBE".to_vec(), pattern.as_bytes().to_vec()]);
        listener.stream.write_all(&request).expect("the server reads");
        listener.next();
        listener
    }
}

/// A connection that listens to what is published.
pub(crate) struct Listener {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Listener {
    /// The next message, as it came.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        read_reply(&mut self.stream, &mut self.received)
    }
}

/// The next reply of a connection.
fn read_reply(stream: &mut UnixStream, received: &mut Vec<u8>) -> Vec<u8> {
    loop {
        if let Some(length) = resp::reply_length(received) {
            return received.drain(..length).collect();
        }
        let mut chunk = [0; 64 * 1024];
        let length = stream.read(&mut chunk).expect("the server answers");
        assert!(length > 0, "the server keeps the connection");
        received.extend_from_slice(&chunk[..length]);
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
