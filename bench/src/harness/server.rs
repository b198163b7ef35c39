//! A server process under the harness: started with the flags its kind needs, pinned, waited
//! for, and gone when its handle is dropped.
//!
//! Each server runs in a directory of its own, so that no earlier dump or configuration leaks
//! into a measurement, and writes its output to a file whose end is shown when it fails.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::usage;
use crate::error::{BenchError, Outcome};
use crate::harness::certificate::Certificate;
use crate::resp::client::{Client, Session};
use crate::resp::endpoint::Endpoint;
use crate::resp::value::Value;

const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for one that has data to load, or to bring to the disk.
const LOAD_TIMEOUT: Duration = Duration::from_secs(600);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_TAIL_LINES: usize = 30;

/// Which flags a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `basalt-server`: directives of redis-server, and `--cores`.
    Basalt,
    /// `redis-server`, `valkey-server` and what else takes their directives.
    Redis,
    /// `basalt-echo PORT CPU BACKEND`: answers without executing, the floor of the reactor.
    Echo,
}

/// A server as named on the command line: `[LABEL=]PATH [ARGUMENT...]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSpec {
    /// Name in reports.
    pub(crate) label: String,
    /// The binary.
    pub(crate) path: PathBuf,
    /// Which flags it takes.
    pub(crate) kind: Kind,
    /// Arguments added behind ours, so that they win.
    pub(crate) extra: Vec<String>,
}

impl ServerSpec {
    /// Reads a specification. The kind follows from the file's name; a program of an unknown name
    /// is taken for a server with Redis' directives.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let first = words.next().ok_or_else(|| usage("a server needs a path"))?;
        let (label, path) = match first.split_once('=') {
            Some((label, path)) => (Some(label.to_owned()), PathBuf::from(path)),
            None => (None, PathBuf::from(&first)),
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| usage(format!("'{first}' names no file")))?;
        let kind = match name.as_str() {
            name if name.contains("echo") => Kind::Echo,
            name if name.contains("basalt") => Kind::Basalt,
            _ => Kind::Redis,
        };
        let label = label.unwrap_or_else(|| name.trim_end_matches("-server").to_owned());
        Ok(Self { label, path, kind, extra: words.collect() })
    }

    fn arguments(&self, port: u16, layout: &Layout) -> Vec<String> {
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let port = port.to_string();
        let common = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let mut arguments = match self.kind {
            Kind::Basalt => {
                let cores = layout.cores.to_string();
                [text(&common), text(&["--cores", &cores])].concat()
            }
            Kind::Redis => {
                [text(&common), text(&["--io-threads", "1", "--daemonize", "no"])].concat()
            }
            Kind::Echo => {
                let cpu = layout.cpus.first().copied().unwrap_or(0).to_string();
                text(&[&port, &cpu, "epoll"])
            }
        };
        if self.kind == Kind::Echo && !self.extra.is_empty() {
            // The backend is the last positional argument; a given one replaces ours.
            arguments.pop();
        }
        arguments.extend(self.extra.iter().cloned());
        if self.kind != Kind::Echo {
            if let Some(certificate) = &layout.certificate {
                arguments.extend(certificate.arguments(&port));
            }
            arguments.extend(layout.directives.iter().cloned());
        }
        arguments
    }
}

/// How a server is laid out on the machine.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// CPUs its threads may use; empty leaves them to the kernel.
    pub(crate) cpus: Vec<usize>,
    /// Cores of a server that has such a directive.
    pub(crate) cores: usize,
    /// Further directives of this run.
    pub(crate) directives: Vec<String>,
    /// What it shows clients, who then come by TLS.
    pub(crate) certificate: Option<Certificate>,
}

/// A running server. Dropping it ends the process and removes its directory.
#[derive(Debug)]
pub(crate) struct Server {
    label: String,
    child: Child,
    endpoint: Endpoint,
    scratch: Scratch,
}

impl Server {
    /// Starts a server and waits until it answers PING.
    ///
    /// # Errors
    /// When it cannot be started, ends early or stays silent; with the end of its log.
    pub(crate) fn start(spec: &ServerSpec, layout: &Layout) -> Outcome<Self> {
        let scratch = Scratch::new()?;
        let port = free_port(layout.cores)?;
        let child = spawn(spec, layout, port, &scratch)?;
        let mut endpoint = Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        if layout.certificate.is_some() {
            if spec.kind == Kind::Echo {
                return Err(usage("the echo server knows no TLS"));
            }
            endpoint = endpoint.by_tls();
        }
        let mut server = Self { label: spec.label.clone(), child, endpoint, scratch };
        server.wait_until_ready(START_TIMEOUT)?;
        Ok(server)
    }

    /// Ends a server that was started in this way without a word about its data, starts it again
    /// in the same directory, and returns how long that took until it answered PING.
    ///
    /// # Errors
    /// When it does not end, or as [`Server::start`].
    pub(crate) fn restart(&mut self, spec: &ServerSpec, layout: &Layout) -> Outcome<Duration> {
        // It hangs up instead of answering.
        let _no_reply = self.client()?.call_raw(&["SHUTDOWN", "NOSAVE"]);
        let begin = Instant::now();
        while self.child.try_wait().map_err(BenchError::io("wait for a server"))?.is_none() {
            if begin.elapsed() > LOAD_TIMEOUT {
                return Err(self.failed("did not shut down".to_owned()));
            }
            thread::sleep(POLL_INTERVAL);
        }
        let Endpoint::Tcp(address) = self.endpoint else {
            return Err(usage("a server that is started again listens on TCP"));
        };
        let begin = Instant::now();
        self.child = spawn(spec, layout, address.port(), &self.scratch)?;
        self.wait_until_ready(LOAD_TIMEOUT)?;
        Ok(begin.elapsed())
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its process. `taskset` replaces itself by the server, so this is the server in any case.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A control connection with default settings.
    pub(crate) fn client(&self) -> Outcome<Client> {
        Client::connect(&self.endpoint, &Session::default())
    }

    /// What the server says it is, for the report.
    pub(crate) fn version(&self) -> Outcome<String> {
        let mut client = self.client()?;
        let info = match client.call_raw(&["INFO", "server"])? {
            Value::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => String::new(),
        };
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)).map(|it| it.trim().to_owned())
        };
        let own = ["basalt_version:", "valkey_version:", "redis_version:"];
        Ok(own.iter().find_map(|name| field(name)).unwrap_or_else(|| "unknown".to_owned()))
    }

    /// Turns a failure of a run into one that shows the server's log, if the server is to blame.
    pub(crate) fn blame(&mut self, failure: BenchError) -> BenchError {
        let is_usage = matches!(failure, BenchError::Usage(_));
        match self.child.try_wait() {
            _ if is_usage => failure,
            Ok(Some(status)) => self.failed(ended(status)),
            _ => self.failed(format!("failed: {failure}")),
        }
    }

    fn failed(&self, problem: String) -> BenchError {
        let log_tail = tail(&self.scratch.log_path());
        BenchError::ServerFailed { label: self.label.clone(), problem, log_tail }
    }

    fn wait_until_ready(&mut self, patience: Duration) -> Outcome<()> {
        let begin = Instant::now();
        loop {
            match self.child.try_wait().map_err(BenchError::io("wait for a server"))? {
                Some(status) => return Err(self.failed(ended(status))),
                None if self.answers() => return Ok(()),
                None if begin.elapsed() > patience => {
                    let limit_s = patience.as_secs();
                    return Err(self.failed(format!("did not answer PING for {limit_s} s")));
                }
                None => thread::sleep(POLL_INTERVAL),
            }
        }
    }

    /// Whether PING draws anything but an error; a loading server answers with one.
    fn answers(&self) -> bool {
        let reply = self.client().and_then(|mut client| client.call_raw(&["PING"]));
        reply.is_ok_and(|reply| !matches!(reply, Value::Error(_)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is worth saving, so the process is killed; it may have ended by itself.
        let _already_gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Starts the process of a server in its directory.
fn spawn(spec: &ServerSpec, layout: &Layout, port: u16, scratch: &Scratch) -> Outcome<Child> {
    let log = File::create(scratch.log_path()).map_err(BenchError::io("create a log file"))?;
    let log_too = log.try_clone().map_err(BenchError::io("share a log file"))?;
    let binary = runnable(&spec.path)?;
    let mut command = pinned(&binary, &layout.cpus);
    command.args(spec.arguments(port, layout));
    command.current_dir(&scratch.0).stdin(Stdio::null()).stdout(log).stderr(log_too);
    let doing = format!("start {}", spec.path.display());
    command.spawn().map_err(BenchError::io(doing))
}

fn ended(status: ExitStatus) -> String {
    format!("ended by itself ({status})")
}

/// The command that starts a program on the given CPUs alone.
fn pinned(binary: &Path, cpus: &[usize]) -> Command {
    if cpus.is_empty() {
        return Command::new(binary);
    }
    let list: Vec<String> = cpus.iter().map(usize::to_string).collect();
    let mut command = Command::new("taskset");
    command.arg("-c").arg(list.join(",")).arg(binary);
    command
}

/// The server runs in another directory, so a relative path must be made absolute; a bare name
/// is looked up on PATH by the system. Links are not followed: a server may go by the name it is
/// called by, as Redis' does, which is one program with the checkers of its files.
fn runnable(path: &Path) -> Outcome<PathBuf> {
    if path.components().count() == 1 && !path.exists() {
        return Ok(path.to_owned());
    }
    std::path::absolute(path).map_err(BenchError::io(format!("find {}", path.display())))
}

/// A directory of its own for a server or a certificate, removed with the handle.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    pub(crate) fn new() -> Outcome<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("basalt-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let doing = format!("create {}", path.display());
        fs::create_dir_all(&path).map_err(BenchError::io(doing))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn log_path(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays behind is no reason to lose the figures.
        let _stays_behind = fs::remove_dir_all(&self.0);
    }
}

/// A port whose followers are free too: a core-addressed server takes one per core. Drawn below
/// the range from which the kernel takes ports of outgoing connections, of which a load generator
/// leaves thousands behind in TIME_WAIT. Another program may still grab it first; the server
/// then fails loudly.
fn free_port(cores: usize) -> Outcome<u16> {
    const ATTEMPTS: usize = 1000;
    const PORTS: Range<u16> = 10_000..32_000;
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let followers = u16::try_from(cores).map_err(|_| usage("that many cores have no ports"))?;
    for _ in 0..ATTEMPTS {
        let first = fastrand::u16(PORTS);
        if (first..=first.saturating_add(followers)).all(is_free) {
            return Ok(first);
        }
    }
    Err(usage(format!("no {cores} ports in a row are free")))
}

fn tail(path: &Path) -> String {
    let log = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(LOG_TAIL_LINES);
    if lines.is_empty() { "(the log is empty)".to_owned() } else { lines[start..].join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            cpus: vec![3],
            cores: 2,
            directives: vec!["--hz".to_owned(), "5".to_owned()],
            certificate: None,
        }
    }

    #[test]
    fn specifications_name_kind_label_and_arguments() {
        let spec = ServerSpec::parse("new=/a/valkey-server --io-threads 2").expect("valid");
        assert_eq!((spec.label.as_str(), spec.kind), ("new", Kind::Redis));
        assert_eq!(spec.extra, ["--io-threads", "2"]);
        let spec = ServerSpec::parse("/b/basalt-server").expect("valid");
        assert_eq!((spec.label.as_str(), spec.kind), ("basalt", Kind::Basalt));
        assert_eq!(ServerSpec::parse("./basalt-echo").expect("valid").kind, Kind::Echo);
        assert!(ServerSpec::parse("").is_err());
    }

    #[test]
    fn each_kind_gets_its_flags() {
        let line = |text: &str| {
            let spec = ServerSpec::parse(text).expect("valid");
            spec.arguments(7000, &layout()).join(" ")
        };
        assert!(line("basalt-server").contains("--cores 2"));
        assert!(line("redis-server --x y").ends_with("--daemonize no --x y --hz 5"));
        assert!(line("basalt-echo").starts_with("7000 3 epoll"));
        assert!(line("basalt-echo uring").starts_with("7000 3 uring"));
    }

    #[test]
    fn a_program_that_ends_is_reported_with_its_log() {
        let spec = ServerSpec::parse("broken=/bin/echo").expect("valid");
        let spec = ServerSpec { kind: Kind::Redis, ..spec };
        let failure = Server::start(&spec, &Layout { cpus: vec![], ..layout() });
        let text = failure.expect_err("echo is no server").to_string();
        assert!(text.contains("'broken' ended by itself") && text.contains("--port"), "{text}");
    }
}
