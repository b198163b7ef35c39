//! A mirror of the log in syslog.
//!
//! One datagram per line to the local socket, in the form that the C library sends (RFC 3164
//! without the host, which a local daemon knows):
//!
//! ```text
//! <133>Nov  1 12:05:09 redis[15630]: Server initialized
//!  |   |               |     |
//!  |   local time      ident process
//!  facility * 8 + severity
//! ```
//!
//! Sending never waits: where nobody listens or the daemon lags behind, the line is dropped here
//! and stays in the log proper. The socket is connected again with the next line, since daemons
//! are restarted.

use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use log::Level;

use crate::logging::{LocalTime, MONTHS};

/// Where syslog daemons listen.
const SOCKET: &str = "/dev/log";

/// The connection to a syslog daemon.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    ident: String,
    facility: u8,
}

impl Syslog {
    /// Prepares to send under a name. `facility` is `user` or `local0` to `local7`.
    ///
    /// # Panics
    ///
    /// Panics on another facility: the configuration allows no other.
    pub fn new(ident: &[u8], facility: &str) -> Syslog {
        Syslog::to_socket(Path::new(SOCKET), ident, facility)
    }

    fn to_socket(path: &Path, ident: &[u8], facility: &str) -> Syslog {
        let facility = match facility.strip_prefix("local").and_then(|number| number.parse().ok()) {
            Some(number @ 0u8..=7) => 16 + number,
            _ => {
                assert_eq!(facility, "user", "no facility of syslog");
                1
            }
        };
        let ident = String::from_utf8_lossy(ident).into_owned();
        Syslog { path: path.to_owned(), socket: None, ident, facility }
    }

    /// Sends a line, or drops it where that would take time.
    pub(crate) fn send(&mut self, level: Level, time: &LocalTime, message: &[u8]) {
        let datagram = self.datagram(level, time, message);
        if self.socket.is_none() {
            self.socket = self.connect();
        }
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(&datagram)
            && error.kind() != std::io::ErrorKind::WouldBlock
        {
            // The daemon went away. It gets this line if it is back already.
            self.socket = self.connect();
            if let Some(socket) = &self.socket {
                let _ = socket.send(&datagram);
            }
        }
    }

    fn connect(&self) -> Option<UnixDatagram> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.connect(&self.path).ok()?;
        Some(socket)
    }

    fn datagram(&self, level: Level, time: &LocalTime, message: &[u8]) -> Vec<u8> {
        let severity = match level {
            Level::Error | Level::Warn => 4,
            Level::Info => 5,
            Level::Debug => 6,
            Level::Trace => 7,
        };
        let mut head = String::new();
        // Writing to memory does not fail.
        let _ = write!(
            head,
            "<{}>{} {:>2} {:02}:{:02}:{:02} {}[{}]: ",
            self.facility * 8 + severity,
            MONTHS[time.month],
            time.day,
            time.hour,
            time.minute,
            time.second,
            self.ident,
            std::process::id()
        );
        [head.as_bytes(), message].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: LocalTime = LocalTime {
        year: 2026,
        month: 10,
        day: 1,
        hour: 12,
        minute: 5,
        second: 9,
        milliseconds: 7,
    };

    fn receive(daemon: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = daemon.recv(&mut buffer).expect("a datagram");
        String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")
    }

    #[test]
    fn lines_reach_the_daemon_and_its_successor() {
        let path = std::env::temp_dir().join(format!("basalt-syslog-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut syslog = Syslog::to_socket(&path, b"redis", "local0");
        syslog.send(Level::Info, &TIME, b"nobody listens");

        let daemon = UnixDatagram::bind(&path).expect("a socket");
        let process = std::process::id();
        syslog.send(Level::Info, &TIME, b"hello");
        assert_eq!(receive(&daemon), format!("<133>Nov  1 12:05:09 redis[{process}]: hello"));
        drop(daemon);
        std::fs::remove_file(&path).expect("our own socket");

        let daemon = UnixDatagram::bind(&path).expect("a socket");
        syslog.send(Level::Warn, &TIME, b"again");
        assert_eq!(receive(&daemon), format!("<132>Nov  1 12:05:09 redis[{process}]: again"));
        std::fs::remove_file(&path).expect("our own socket");
    }

    #[test]
    fn a_daemon_that_lags_does_not_stop_the_server() {
        let path = std::env::temp_dir().join(format!("basalt-syslog-lag-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let daemon = UnixDatagram::bind(&path).expect("a socket");
        let mut syslog = Syslog::to_socket(&path, b"redis", "user");
        let line = [b'x'; 1024];
        for _ in 0..10_000 {
            syslog.send(Level::Trace, &TIME, &line);
        }
        assert!(receive(&daemon).starts_with("<15>Nov  1"));
        std::fs::remove_file(&path).expect("our own socket");
    }
}
