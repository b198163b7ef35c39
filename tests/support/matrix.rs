//! Which servers a test body runs against, and the servers shared by one test binary.
//!
//! ```text
//! full   {1, 2, 8 cores} x {io_uring, epoll} x {RESP2, RESP3}
//! quick  {2 cores} x {io_uring, epoll} x {RESP2, RESP3}
//! ```
//!
//! A server of the matrix is started on first use, kept for the whole binary and handed from test
//! to test, emptied in between. One test at a time has it, so a test may look at global state
//! (DBSIZE, INFO, CONFIG) without a neighbour's noise. A server whose test failed is thrown away:
//! nobody inherits its state.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::client::{Client, Resp};
use super::expect::OK;
use super::info::Fields;
use super::reply::Reply;
use super::server::{IoBackend, Server, ServerConfig, is_basalt};

const RESPS: [Resp; 2] = [Resp::Two, Resp::Three];

/// What a test body gets: one connection to one server, speaking one protocol.
pub(crate) struct Test<'server> {
    client: Client,
    pub(crate) server: &'server mut Server,
}

impl Deref for Test<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Test<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Test<'_> {
    /// A further connection in the same protocol.
    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        self.server.connect(self.client.resp())
    }

    /// Replaces the test's connection, for tests that broke the old one.
    pub(crate) fn reconnect(&mut self) {
        self.client = self.connect();
    }

    /// INFO of one section, or of all with an empty name.
    #[track_caller]
    pub(crate) fn info(&mut self, section: &str) -> Fields {
        let command = if section.is_empty() { vec!["INFO"] } else { vec!["INFO", section] };
        Fields::of_info(&self.client.text(command))
    }

    /// True when the server is Basalt, or calls itself `version` or newer. Else the test must
    /// return; the skip is reported and counted.
    #[track_caller]
    pub(crate) fn since(&mut self, version: &str) -> bool {
        if is_basalt() {
            return true;
        }
        let running = self.info("server").text("redis_version").to_owned();
        let is_new_enough = version_numbers(&running) >= version_numbers(version);
        if !is_new_enough {
            skip(&format!("needs {version}, the server is {running}"));
        }
        is_new_enough
    }

    /// True when the server has `command`; else the skip is reported. Lets tests of one family
    /// borrow a type that another family brings.
    pub(crate) fn has_command(&mut self, command: &str) -> bool {
        let reply = self.client.call(["COMMAND", "INFO", command]);
        let is_known = !matches!(reply.elements(), [] | [Reply::Null]);
        if !is_known {
            skip(&format!("the server has no {command}"));
        }
        is_known
    }

    /// True when the server does what a directive promises; Basalt refuses one whose subject it has
    /// not built, by name. Else the test must return; the skip is reported and counted.
    #[track_caller]
    pub(crate) fn builds(&mut self, name: &str, value: &str) -> bool {
        let old = self.client.call(["CONFIG", "GET", name]).field(name);
        let old = old.unwrap_or_else(|| panic!("no directive {name}")).text();
        let reply = format!("{:?}", self.client.call(["CONFIG", "SET", name, value]));
        let is_built = !reply.contains("not built into Basalt yet");
        if is_built {
            self.client.check(["CONFIG", "SET", name, &old], OK);
        } else {
            skip(&format!("{name} is refused: not built yet"));
        }
        is_built
    }

    /// Runs `body` with a directive changed, and changes it back.
    #[track_caller]
    pub(crate) fn with_config(&mut self, name: &str, value: &str, body: impl FnOnce(&mut Self)) {
        let old = self.client.call(["CONFIG", "GET", name]).field(name);
        let old = old.unwrap_or_else(|| panic!("no directive {name}")).text();
        self.client.check(["CONFIG", "SET", name, value], OK);
        body(self);
        self.client.check(["CONFIG", "SET", name, &old], OK);
    }
}

/// Runs `body` on every server of the matrix in both protocols, each time on an empty keyspace.
pub(crate) fn each(body: impl Fn(&mut Test)) {
    for (config, pooled) in pool() {
        let mut place = pooled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = place.take().unwrap_or_else(|| Server::start(config, &[]));
        for resp in RESPS {
            run(&mut server, resp, &|t: &mut Test| {
                t.check("FLUSHALL", OK);
                body(t);
            });
        }
        *place = Some(server);
    }
}

/// One two-core configuration per backend, for tests that start processes themselves.
pub(crate) fn two_core_configs() -> Vec<ServerConfig> {
    configs(&[2])
}

/// For tests that need servers started with `arguments`. Those live for one test; the core count
/// is two and the protocol RESP2, since starting is what costs time.
pub(crate) fn each_with(arguments: &[&str], body: impl Fn(&mut Test)) {
    for config in two_core_configs() {
        run(&mut Server::start(&config, arguments), Resp::Two, &body);
    }
}

/// Runs `body` in RESP2 on fresh Basalt servers with the given core counts, or those that were
/// asked for, on the first backend allowed; on a reference server once. For long tests about cores.
pub(crate) fn each_core_count(usual: &[u32], body: impl Fn(&mut Test)) {
    for config in one_backend(configs(&core_counts(usual))) {
        run(&mut Server::start(&config, &[]), Resp::Two, &body);
    }
}

/// Runs `body` in RESP2 on a fresh Basalt server of that many cores, or as many as were asked for,
/// once on each backend allowed.
pub(crate) fn each_backend(usual: u32, body: impl Fn(&mut Test)) {
    for config in configs(&core_counts(&[usual])) {
        run(&mut Server::start(&config, &[]), Resp::Two, &body);
    }
}

/// Whether CI's whole matrix was asked for.
pub(crate) fn is_full_matrix() -> bool {
    match std::env::var("BASALT_TEST_MATRIX").as_deref() {
        Ok("full") => true,
        Ok("quick") | Err(_) => false,
        Ok(other) => panic!("BASALT_TEST_MATRIX must be full or quick, not {other:?}"),
    }
}

/// Reports that (part of) a test did not run, and counts it: once, however many points of the
/// matrix it concerns.
pub(crate) fn skip(reason: &str) {
    static SKIPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let thread = std::thread::current();
    let text = format!("{}: {reason}", thread.name().unwrap_or("unnamed test"));
    let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if skipped.insert(text.clone()) {
        announce(&format!("skip {}: {text}", skipped.len()));
    }
}

/// Prints a line that libtest does not swallow when the test passes.
pub(crate) fn announce(text: &str) {
    // Without a standard error there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

type Pooled = (ServerConfig, Mutex<Option<Server>>);

fn pool() -> &'static [Pooled] {
    static POOL: OnceLock<Vec<Pooled>> = OnceLock::new();
    POOL.get_or_init(|| {
        let usual: &[u32] = if is_full_matrix() { &[1, 2, 8] } else { &[2] };
        configs(&core_counts(usual)).into_iter().map(|config| (config, Mutex::new(None))).collect()
    })
}

/// The numbers of cores that were asked for, else the usual ones of a test.
pub(crate) fn core_counts(usual: &[u32]) -> Vec<u32> {
    let Ok(list) = std::env::var("BASALT_TEST_CORES") else { return usual.to_vec() };
    let count = |word: &str| match word.parse() {
        Ok(count @ 1..) => count,
        _ => panic!("BASALT_TEST_CORES: {word:?} is no number of cores"),
    };
    list.split(',').map(count).collect()
}

/// The backends a server may run on.
pub(crate) fn backends() -> Vec<IoBackend> {
    let allowed = std::env::var("BASALT_TEST_BACKENDS").unwrap_or_else(|_| "uring,epoll".into());
    let backends = allowed.split(',').map(|name| match name {
        "uring" => IoBackend::Uring,
        "epoll" => IoBackend::Epoll,
        other => panic!("BASALT_TEST_BACKENDS: unknown backend {other:?}"),
    });
    backends.collect()
}

fn configs(core_counts: &[u32]) -> Vec<ServerConfig> {
    if !is_basalt() {
        return vec![ServerConfig::Reference];
    }
    backends()
        .into_iter()
        .flat_map(|io_backend| core_counts.iter().map(move |&core_count| (core_count, io_backend)))
        .map(|(core_count, io_backend)| ServerConfig::Basalt { core_count, io_backend })
        .collect()
}

/// One configuration per core count.
fn one_backend(configs: Vec<ServerConfig>) -> Vec<ServerConfig> {
    let backend_of = |config: &ServerConfig| match config {
        ServerConfig::Reference => None,
        ServerConfig::Basalt { io_backend, .. } => Some(*io_backend),
    };
    let first = configs.first().and_then(backend_of);
    configs.into_iter().filter(|config| backend_of(config) == first).collect()
}

fn run(server: &mut Server, resp: Resp, body: &impl Fn(&mut Test)) {
    let client = server.connect(resp);
    let config = server.config().clone();
    let mut test = Test { client, server };
    let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut test)));
    if let Err(panic) = outcome {
        announce(&format!("failed with {config:?}, {resp:?}"));
        resume_unwind(panic);
    }
}

fn version_numbers(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}
