//! From the command line to a running process, and from the end of it to an exit status.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use basalt_net::doorbell::Doorbell;
use basalt_net::inbox::{Receiver as InboxReceiver, Sender, inbox};
use basalt_net::reactor::{BackendChoice, ListenerId, Reactor, ReactorOptions};
use basalt_shard::acl::Acl;
use basalt_shard::command::Renames;
use basalt_shard::core::message::Message;
use basalt_shard::core::shared::Shared;
use basalt_shard::core::{Core, CoreId, CoreOptions, inbox_capacity};
use basalt_shard::host::{Garbage, ShutdownOptions};

use super::clock;
use super::driver::Driver;
use super::host::{CoreHost, core_settings, plain_reason};
use super::listening::{ListenerKind, Listening};
use super::loading::{self, CoreLoading};
use super::mesh::CoreMesh;
use super::process::Process;
use super::{processors, tls_files};
use crate::config::arguments::{self, Request, StartOptions};
use crate::config::{Config, IoBackend, Settings, ShutdownFlags};
use crate::daemon::{self, PidFile};
use crate::logging::{self, Destination, Role};
use crate::supervision::Supervision;
use crate::syslog::Syslog;
use crate::{banner, memory, metrics, notice, process_title, signals, warning};

/// Things one core may hand over to be freed before it has to free them itself.
const GARBAGE_QUEUE_MAX: usize = 1024;

/// Stack of a core's thread. Commands do not recurse deeply.
const STACK_BYTES: usize = 2 << 20;

/// Runs the server the command line asks for.
pub fn main(command_line: &[Vec<u8>]) -> ExitCode {
    let options = match arguments::parse(&command_line[1..]) {
        Ok(Request::Start(options)) => options,
        Ok(Request::Version) => return print(&banner::version()),
        Ok(Request::Help) => return print(arguments::USAGE),
        Err(error) => return fail(&error.to_string()),
    };
    let config = match Config::load(&options, &mut io::stdin()) {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string()),
    };
    let program = String::from_utf8_lossy(&command_line[0]).into_owned();
    match start(config, &options, &program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warning!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(text: &str) -> ExitCode {
    // Nobody is left to tell if standard error is closed as well.
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
    ExitCode::FAILURE
}

/// Why the server did not start, or stopped other than it should.
type Failure = Box<dyn std::error::Error>;

fn start(mut config: Config, options: &StartOptions, program: &str) -> Result<(), Failure> {
    let settings = config.settings();
    std::env::set_current_dir(&settings.directory)?;
    let supervision = Supervision::detect(settings.supervised);
    let is_background = settings.daemonize && !supervision.is_supervised();
    if is_background {
        daemon::daemonize()?;
    }
    signals::block()?;
    start_log(&settings)?;
    signals::report_crashes(settings.crash_log_enabled)?;
    banner::starting();
    banner::configured(!options.is_empty, program);
    config.lower_maxclients(daemon::raise_open_files(settings.maxclients)?);
    let pid_file = PidFile::create(&settings, is_background);
    process_title::claim();
    clock::calibrate();

    let process =
        Arc::new(Process::new(config, random_hexadecimal(40)?, program, supervision.name()));
    banner::running(&process.settings());
    let result = serve(&process, supervision);
    drop(pid_file);
    if result.is_ok() {
        notice!("Basalt is now ready to exit, bye bye...");
    }
    result
}

fn start_log(settings: &Settings) -> io::Result<()> {
    let file = settings.logfile.as_ref().map(|path| settings.directory.join(path));
    let syslog = settings
        .syslog
        .is_enabled
        .then(|| Syslog::new(&settings.syslog.ident, settings.syslog.facility));
    logging::start(Destination { file, syslog }, settings.loglevel)?;
    logging::set_role(Role::Primary);
    Ok(())
}

/// `count` random hexadecimal digits from the system.
fn random_hexadecimal(count: usize) -> io::Result<String> {
    let mut bytes = vec![0; count.div_ceil(2)];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits[..count].to_owned())
}

/// Runs the cores until the process is to end.
fn serve(process: &Arc<Process>, supervision: Supervision) -> Result<(), Failure> {
    let settings = process.settings();
    let assigned = processors::assign(&settings.cores, &processors::available()?)?;
    let acl = Arc::new(load_users(&settings)?);
    listen(process, &settings, assigned.len())?;
    let metrics = metrics::listen(&settings).map_err(|error| {
        let port = settings.observation.metrics_port;
        format!("Failed listening on metrics port {port}: {error}")
    })?;
    process_title::show(&process.config(), &process.program);
    process.oom_score.follow(&settings)?;
    process
        .audit
        .follow(&settings)
        .map_err(|error| format!("Can't open the audit log: {error}"))?;
    let (garbage, trash) = sync_channel::<Garbage>(GARBAGE_QUEUE_MAX);
    let freeing = std::thread::Builder::new().name("free".into()).spawn({
        let process = Arc::clone(process);
        move || free(&process, trash)
    })?;
    let seed = u64::from_str_radix(&random_hexadecimal(16)?, 16)?;
    // As in Redis: what is wrong with the data set is told after this.
    banner::initialized();
    let (cores, source) = loading::Source::open(process, assigned.len())?;
    let loader = CoreHost::new(Arc::clone(process), garbage.clone());
    let threads = start_cores(process, &assigned, garbage, &acl, (seed, cores))?;
    let loaded = source.start(process, seed, loader)?;
    let handler = Arc::clone(process);
    signals::listen(move |event| on_signal(&handler, event))?;
    memory::post_used_bytes();
    if let Some(listener) = metrics {
        metrics::serve(&listener, process)?;
    }
    let loaded = loaded.wait(process);
    if loaded.is_err() {
        process.stop(ShutdownOptions { save: Some(false), ..ShutdownOptions::default() });
    } else {
        announce(&settings);
        supervision.ready();
    }
    let mut result = Ok(());
    for thread in threads {
        match thread.join() {
            Ok(ended) => result = result.and(ended),
            Err(_) => return Err("a core has panicked".into()),
        }
        // A core that ended by itself takes the others along.
        if !process.is_stopping() {
            process.stop(ShutdownOptions::default());
        }
    }
    supervision.stopping();
    process.persistence.wait_for_writers();
    freeing.join().map_err(|_| "the freeing thread has panicked")?;
    if let Some(path) = &settings.unixsocket {
        notice!("Removing the unix socket file.");
        let _ = std::fs::remove_file(settings.directory.join(path));
    }
    loaded?;
    result.map_err(Into::into)
}

fn announce(settings: &Settings) {
    for (is_served, kind) in [
        (settings.port != 0, ListenerKind::Tcp),
        (settings.unixsocket.is_some(), ListenerKind::Unix),
        (settings.tls.port != 0, ListenerKind::Tls),
    ] {
        if is_served {
            banner::ready(kind.name());
        }
    }
}

/// Makes ready for clients, those of TLS first: without certificates there is no use in a port.
fn listen(process: &Process, settings: &Settings, cores: usize) -> Result<(), Failure> {
    let tls = tls_files::load(&settings.tls).map_err(|why| {
        warning!("{why}");
        "Failed to configure TLS. Check logs for more info."
    })?;
    process.tls.replace(tls, &settings.tls);
    let listening = Listening::open(settings, cores).map_err(|failure| {
        let (name, port) = (failure.kind.name(), failure.error.port);
        warning!("{}", failure.error);
        warning!("Failed listening on port {port} ({name}), aborting.");
        failure.error
    })?;
    if listening.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    process.set_listening(listening);
    Ok(())
}

/// Frees what cores have no time to free, until all of them are gone.
fn free(process: &Process, trash: Receiver<Garbage>) {
    for garbage in trash {
        process.free(garbage);
    }
}

/// What a core's thread needs to begin.
struct CoreStart {
    options: CoreOptions,
    processor: usize,
    may_spin: bool,
    loading: Option<CoreLoading>,
    senders: Vec<Sender<Message>>,
    receiver: InboxReceiver<Message>,
    host: CoreHost,
    process: Arc<Process>,
    /// Where each core leaves its doorbell, and takes those of the others.
    bells: Arc<Bells>,
}

/// A meeting point: no core begins before all of them have a reactor to be woken through.
struct Bells {
    doorbells: std::sync::Mutex<Vec<Option<Doorbell>>>,
    all_here: std::sync::Barrier,
    /// Passed once every core is made and has posted what it takes: the first client already sees
    /// how much memory an empty server needs.
    all_made: std::sync::Barrier,
}

type CoreThread = JoinHandle<io::Result<()>>;

fn start_cores(
    process: &Arc<Process>,
    assigned: &[usize],
    garbage: std::sync::mpsc::SyncSender<Garbage>,
    acl: &Arc<Acl>,
    (seed, loadings): (u64, Vec<Option<CoreLoading>>),
) -> Result<Vec<CoreThread>, Failure> {
    let count = assigned.len();
    let mut renames = Renames::default();
    for (old, new) in &process.settings().renamed_commands {
        renames.rename(old, new)?;
    }
    let settings = Arc::new(core_settings(&process.config(), &process.settings()));
    let shared = Arc::new(Shared::new(count as u16));
    process.persistence.share(&shared);
    let may_spin = !processors::is_oversubscribed(assigned);
    let bells = Arc::new(Bells {
        doorbells: std::sync::Mutex::new(vec![None; count]),
        all_here: std::sync::Barrier::new(count + 1),
        all_made: std::sync::Barrier::new(count),
    });
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..count).map(|_| inbox(inbox_capacity(count))).unzip();
    let mut threads = Vec::with_capacity(count);
    let parts = receivers.into_iter().zip(assigned).zip(loadings).enumerate();
    for (index, ((receiver, &processor), loading)) in parts {
        let start = CoreStart {
            options: CoreOptions {
                id: CoreId(index as u16),
                core_count: count as u16,
                seed,
                settings: Arc::clone(&settings),
                shared: Arc::clone(&shared),
                acl: Arc::clone(acl),
                renames: renames.clone(),
            },
            processor,
            may_spin,
            loading,
            senders: senders.clone(),
            receiver,
            host: CoreHost::new(Arc::clone(process), garbage.clone()),
            process: Arc::clone(process),
            bells: Arc::clone(&bells),
        };
        let name = format!("core-{index}");
        let builder = std::thread::Builder::new().name(name).stack_size(STACK_BYTES);
        threads.push(builder.spawn(move || run_core(start))?);
    }
    bells.all_here.wait();
    Ok(threads)
}

/// The users at the start, from the `user` lines of the configuration or from the ACL file.
fn load_users(settings: &Settings) -> Result<Acl, Failure> {
    let mut acl = Acl::default();
    if let Some(password) = &settings.requirepass {
        acl = acl.with_default_password(&password.0);
    }
    let all_channels = settings.acl_pubsub_default_all;
    let Some(path) = &settings.aclfile else {
        let lines: Vec<Vec<Vec<u8>>> = settings
            .users
            .iter()
            .map(|line| line.iter().map(|word| word.0.clone()).collect())
            .collect();
        let acl = acl.with_lines(&lines, all_channels).inspect_err(|error| {
            warning!("{error}");
        });
        let acl = acl.map_err(|_| "Critical error while loading ACLs. Exiting.")?;
        warn_of_disabled_users(settings, &acl);
        return Ok(acl);
    };
    if !settings.users.is_empty() {
        return Err("Configuring Basalt with users defined in the configuration file and at the \
                    same setting an ACL file path is invalid. This setup is very likely to lead \
                    to configuration errors and security holes, please define either an ACL file \
                    or declare users directly in the configuration file, but not both."
            .into());
    }
    let loaded = match std::fs::read(path) {
        Ok(text) => acl
            .from_file(&path.display().to_string(), &text, all_channels)
            .map_err(|error| error.to_string()),
        Err(error) => Err(format!(
            "Error loading ACLs, opening file '{}': {}",
            path.display(),
            plain_reason(&error)
        )),
    };
    loaded.map_err(|error| format!("Aborting Basalt startup because of ACL errors: {error}").into())
}

fn warn_of_disabled_users(settings: &Settings, acl: &Acl) {
    for name in settings.users.iter().filter_map(|line| line.first()) {
        if acl.user(&name.0).is_some_and(|user| !user.is_enabled) {
            notice!(
                "The user '{}' is disabled (there is no 'on' modifier in the user description). \
                 Make sure this is not a configuration error.",
                String::from_utf8_lossy(&name.0)
            );
        }
    }
}

fn run_core(start: CoreStart) -> io::Result<()> {
    let index = start.options.id.index();
    if !processors::pin_current_thread(start.processor) {
        warning!("Core {index} could not be pinned to processor {}.", start.processor);
    }
    let prepared = prepare_reactor(&start);
    let waker = match &prepared {
        Ok((reactor, _)) => Some(reactor.waker()),
        Err(error) => {
            warning!("Core {index} cannot serve: {error}");
            start.process.stop(ShutdownOptions::default());
            None
        }
    };
    if let Some(waker) = waker {
        start.process.add_waker(waker.clone());
        let mut doorbells = start.bells.doorbells.lock().expect("no core panics here");
        doorbells[index] = Some(Doorbell::new(waker));
    }
    start.bells.all_here.wait();
    let (reactor, listeners) = prepared?;
    let doorbells: Option<Vec<Doorbell>> =
        start.bells.doorbells.lock().expect("no core panics here").iter().cloned().collect();
    let Some(doorbells) = doorbells else {
        return Err(io::Error::other("another core could not start"));
    };
    let own_bell = doorbells[index].clone();
    let mesh = CoreMesh::new(start.options.id, start.senders, doorbells, start.receiver);
    let core = Core::new(start.options, Box::new(mesh), Box::new(start.host));
    memory::post_used_bytes();
    // Whoever has no reactor has left above, and so have all others then.
    start.bells.all_made.wait();
    let CoreStart { process, may_spin, loading, .. } = start;
    Driver::new(core, reactor, process, own_bell, listeners, may_spin, loading).run()
}

type PreparedReactor = (Reactor, Vec<(ListenerId, ListenerKind)>);

fn prepare_reactor(start: &CoreStart) -> io::Result<PreparedReactor> {
    let settings = start.process.settings();
    let backend = match settings.io_backend {
        IoBackend::Auto => BackendChoice::Auto,
        IoBackend::Uring => BackendChoice::Uring,
        IoBackend::Epoll => BackendChoice::Epoll,
    };
    let mut reactor = Reactor::new(&ReactorOptions { backend, ..ReactorOptions::default() })?;
    if start.options.id == CoreId(0) {
        let name = reactor.backend().to_string();
        match reactor.fallback_reason() {
            Some(reason) => notice!("I/O backend: {name} (io_uring is not available: {reason})"),
            None => notice!("I/O backend: {name}"),
        }
        let _ = start.process.io_backend.set(name);
    }
    let mut listeners = Vec::new();
    for (kind, sockets) in start.process.listening().taken_by(start.options.id, None)? {
        for socket in sockets {
            listeners.push((reactor.add_listener(socket)?, kind));
        }
    }
    Ok((reactor, listeners))
}

fn on_signal(process: &Process, event: signals::Event) {
    let settings = process.settings();
    match event {
        signals::Event::ReopenLog => {
            match logging::reopen() {
                Ok(()) => notice!("Log file reopened on SIGHUP."),
                Err(error) => warning!("The log file could not be reopened: {error}"),
            }
            if let Err(error) = process.audit.follow(&settings) {
                warning!("The audit log could not be reopened: {error}");
            }
        }
        signals::Event::Terminate => {
            process.ask_for_shutdown(shutdown_options(settings.shutdown_on_sigterm));
        }
        signals::Event::Interrupt => {
            process.ask_for_shutdown(shutdown_options(settings.shutdown_on_sigint));
        }
        signals::Event::Insist => process.persistence.remove_temporary(),
    }
}

fn shutdown_options(flags: ShutdownFlags) -> ShutdownOptions {
    let save = match (flags.save, flags.no_save) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    ShutdownOptions { save, now: flags.now, force: flags.force }
}
