//! A redis-server to compare with.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The version the comparisons are written for; later ones check arguments in another order.
const VERSION: &str = "7.0.15";

pub(crate) struct Redis {
    process: Child,
    directory: PathBuf,
    connection: BufReader<UnixStream>,
}

impl Redis {
    /// A server on a socket of its own; none if there is none to start.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let version = Command::new("redis-server").arg("--version").output().ok()?;
        if !String::from_utf8_lossy(&version.stdout).contains(&format!("v={VERSION} ")) {
            return None;
        }
        let name = format!("basalt-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory for the socket");
        let socket = directory.join("socket");
        let mut process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--daemonize", "no", "--unixsocket"])
            .arg(&socket)
            .current_dir(&directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = BufReader::new(process.stdout.take().expect("its log is piped"));
        let mut lines = log.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("accept connections at")), "the server is ready");
        let connection = BufReader::new(UnixStream::connect(&socket).expect("a connection"));
        Some(Self { process, directory, connection })
    }

    /// Runs a command and returns its reply as it came.
    pub(crate) fn run(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(word);
            request.extend(b"\r\n");
        }
        self.connection.get_mut().write_all(&request).expect("a request");
        let mut reply = Vec::new();
        self.read_reply(&mut reply);
        reply
    }

    fn read_reply(&mut self, reply: &mut Vec<u8>) {
        let start = reply.len();
        self.connection.read_until(b'\n', reply).expect("a line");
        let line = std::str::from_utf8(&reply[start..]).expect("text").trim_end();
        let count: i64 = line[1..].parse().unwrap_or(0);
        match line.as_bytes()[0] {
            b'$' if count >= 0 => {
                let end = reply.len() + count as usize + 2;
                let body = reply.len();
                reply.resize(end, 0);
                self.connection.read_exact(&mut reply[body..]).expect("a bulk string");
            }
            b'*' => (0..count).for_each(|_| self.read_reply(reply)),
            _ => {}
        }
    }

    /// The string at a key.
    pub(crate) fn get(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let reply = self.run(&[b"GET".to_vec(), name.to_vec()]);
        let header = reply.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
        (reply != b"$-1\r\n").then(|| reply[header..reply.len() - 2].to_vec())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
        _ = std::fs::remove_dir_all(&self.directory);
    }
}
