//! A server process under test: its directory, port, log, and its certain death.
//!
//! Two things end a server: dropping [`Process`], and a watcher, a tiny shell that holds one end of
//! a pipe. When the test process goes away in any manner, servers in statics and killed runs
//! included, the pipe closes and the watcher kills the server and removes its directory.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::client::{Client, Resp};
use super::info::Fields;
use super::matrix::announce;
use super::poll::{eventually, wait_until};

/// How long a server may take to answer its first PING, or to exit.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// Another process may grab a reserved port before the server binds it.
const START_ATTEMPT_COUNT_MAX: u32 = 5;
const LOG_TAIL_BYTES: usize = 4_000;

/// I/O backend of a Basalt core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum IoBackend {
    Uring,
    Epoll,
}

/// How a server is started, as far as the matrix decides it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ServerConfig {
    /// Not Basalt: there is only one way.
    Reference,
    Basalt {
        core_count: u32,
        io_backend: IoBackend,
    },
}

impl ServerConfig {
    /// Cores the server runs on.
    pub(crate) fn core_count(&self) -> u32 {
        match self {
            ServerConfig::Basalt { core_count, .. } => *core_count,
            _ => 1,
        }
    }

    /// The matrix's choice as command line arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let ServerConfig::Basalt { core_count, io_backend } = self else { return Vec::new() };
        let backend = match io_backend {
            IoBackend::Uring => "uring",
            IoBackend::Epoll => "epoll",
        };
        owned(&["--cores", &core_count.to_string(), "--io-backend", backend])
    }

    /// The matrix's choice as lines of a configuration file.
    pub(crate) fn lines(&self) -> String {
        let arguments = self.arguments();
        let lines = arguments.chunks(2).map(|pair| format!("{} {}\n", &pair[0][2..], pair[1]));
        lines.collect()
    }
}

/// Texts as the strings a command line is made of.
pub(crate) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// The binary under test.
pub(crate) fn server_path() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_basalt-server");
    std::env::var_os("BASALT_TEST_SERVER").map_or_else(|| built.into(), PathBuf::from)
}

/// Whether the binary under test is Basalt, judged by its file name.
pub(crate) fn is_basalt() -> bool {
    server_path().file_name().is_some_and(|name| name.to_string_lossy().contains("basalt"))
}

/// Sends `name` (`TERM`, `HUP`, ...) to a process started by this test.
pub(crate) fn signal(process_id: u32, name: &str) {
    let command = format!("kill -{name} {process_id}");
    let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(status.success(), "{command} failed");
}

/// A directory of a test's own, removed on drop.
#[derive(Debug)]
pub(crate) struct TestDirectory {
    path: PathBuf,
}

impl TestDirectory {
    /// Makes a directory with a short path, since unix socket paths end at 107 bytes.
    pub(crate) fn create() -> TestDirectory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("basalt-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a test directory can be made");
        TestDirectory { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in this directory, as text.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path.join(name).to_str().expect("test paths are plain text").to_owned()
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.file(name);
        fs::write(&path, content).expect("a test file can be written");
        path
    }

    /// The content of a file; empty while it does not exist.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        // The watcher may have been first; nothing depends on the outcome.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// A port nobody listens on at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReservedPort(pub(crate) u16);

impl ReservedPort {
    pub(crate) fn pick() -> ReservedPort {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        ReservedPort(listener.local_addr().expect("a bound port").port())
    }
}

/// An address of this machine that is not loopback. Connecting a UDP socket sends nothing, it
/// only asks the routing table.
pub(crate) fn outside_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// A started binary, whether it gets ready or exits.
pub(crate) struct Process {
    child: Child,
    watcher: Child,
    directory: TestDirectory,
}

impl Process {
    /// Starts the binary under test in `directory` with exactly `arguments`. Its output goes to
    /// the file `output` there, its standard input is `input`.
    pub(crate) fn start(directory: TestDirectory, arguments: &[String], input: &str) -> Process {
        let output = fs::File::create(directory.path().join("output")).expect("an output file");
        let errors = output.try_clone().expect("an output file");
        let mut child = Command::new(server_path())
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", server_path().display()));
        let mut child_input = child.stdin.take().expect("a piped standard input");
        // A binary that reads no input may be gone already.
        drop(child_input.write_all(input.as_bytes()));
        drop(child_input);
        let watcher = watch(child.id(), directory.path());
        Process { child, watcher, directory }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn directory(&self) -> &TestDirectory {
        &self.directory
    }

    /// Everything printed so far.
    pub(crate) fn output(&self) -> String {
        self.directory.read("output")
    }

    /// The exit status, if the process has ended.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for the end of the process. Panics with its output when it does not come.
    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        let ended = wait_until(START_DEADLINE, || self.exit_status().is_some());
        assert!(ended, "still running:\n{}", self.output());
        self.exit_status().expect("checked above")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watcher goes first: once the server is reaped its number may belong to another.
        drop(self.watcher.kill());
        drop(self.watcher.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn watch(process_id: u32, directory: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "read line; kill -KILL \"$0\"; rm -rf \"$1\""])
        .arg(process_id.to_string())
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// What a server is started with.
pub(crate) struct Launch {
    pub(crate) arguments: Vec<String>,
    /// Standard input.
    pub(crate) input: String,
}

/// A server that answers.
pub(crate) struct Server {
    process: Process,
    port: ReservedPort,
    config: ServerConfig,
}

impl Server {
    /// Starts a server for tests (DEBUG allowed, nothing saved) with `extra` arguments behind the
    /// common ones, and waits for its first reply. Panics with its log when there is none.
    pub(crate) fn start(config: &ServerConfig, extra: &[&str]) -> Server {
        Server::launch(config, |_, port| {
            let port = port.to_string();
            let common = [
                ["--port", &port],
                ["--bind", "127.0.0.1"],
                ["--save", ""],
                ["--enable-debug-command", "yes"],
                ["--enable-protected-configs", "yes"],
            ];
            let mut arguments = owned(common.as_flattened());
            arguments.extend(config.arguments());
            arguments.extend(owned(extra));
            Launch { arguments, input: String::new() }
        })
    }

    /// Starts a server with an append-only file in `files`, and waits until that is loaded.
    pub(crate) fn start_on(config: &ServerConfig, files: &TestDirectory, policy: &str) -> Server {
        let directory = files.path().to_str().expect("test paths are plain text");
        let append_only = ["--dir", directory, "--appendonly", "yes", "--appendfsync", policy];
        let server = Server::start(config, &append_only);
        let mut client = server.connect(Resp::Two);
        eventually("the data is loaded", || {
            Fields::of_info(&client.text("INFO persistence")).number("loading") == 0
        });
        server
    }

    /// Starts a server as `prepare` says, which may write files into the server's directory and
    /// has to make it listen on the given port of 127.0.0.1. Waits for its first reply.
    pub(crate) fn launch(
        config: &ServerConfig,
        prepare: impl Fn(&TestDirectory, u16) -> Launch,
    ) -> Server {
        for _ in 0..START_ATTEMPT_COUNT_MAX {
            let (directory, port) = (TestDirectory::create(), ReservedPort::pick());
            let launch = prepare(&directory, port.0);
            let process = Process::start(directory, &launch.arguments, &launch.input);
            let mut server = Server { process, port, config: config.clone() };
            if server.wait_until_ready() {
                return server;
            }
        }
        panic!("every port tried was taken by somebody else");
    }

    /// False when the port was taken; panics when the server fails in any other way.
    fn wait_until_ready(&mut self) -> bool {
        let answered = wait_until(START_DEADLINE, || {
            self.answers_ping() || self.process.exit_status().is_some()
        });
        if self.process.exit_status().is_some() {
            let output = self.process.output();
            assert!(output.contains("already in use"), "the server ended at once:\n{output}");
            return false;
        }
        assert!(answered, "no reply to PING:\n{}", self.process.output());
        true
    }

    fn answers_ping(&self) -> bool {
        let Ok(mut client) = Client::connect(self.address()) else { return false };
        // A password or a refusal is an answer too: the server is up.
        client.try_send(b"PING\r\n").is_ok() && client.read_line_if_any().is_some()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port.0))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.0
    }

    pub(crate) fn config(&self) -> &ServerConfig {
        &self.config
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A connection that speaks `resp`.
    #[track_caller]
    pub(crate) fn connect(&self, resp: Resp) -> Client {
        let mut client = self.connect_plain();
        client.speak(resp);
        client
    }

    /// A connection that has sent nothing yet.
    #[track_caller]
    pub(crate) fn connect_plain(&self) -> Client {
        Client::connect(self.address()).expect("the server accepts connections")
    }

    /// Path of a file in the server's working directory.
    pub(crate) fn file(&self, name: &str) -> String {
        self.process.directory().file(name)
    }

    /// What the server printed last.
    pub(crate) fn log_tail(&self) -> String {
        let output = self.process.output();
        let mut start = output.len().saturating_sub(LOG_TAIL_BYTES);
        while !output.is_char_boundary(start) {
            start += 1;
        }
        output[start..].to_owned()
    }

    /// Waits until the log holds `text`.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || self.process.output().contains(text));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            announce(&format!("log of {:?}:\n{}", self.config, self.log_tail()));
        }
    }
}
