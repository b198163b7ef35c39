//! What all cores of the process share besides their counters: the configuration, the identity of
//! this run, and the wish to end it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use basalt_net::reactor::Waker;
use basalt_shard::commands::info::Survey;
use basalt_shard::host::{Garbage, ShutdownOptions};

use super::aof::AppendOnly;
use super::listening::Listening;
use super::migration::Migrations;
use super::persistence::Persistence;
use super::tls_files::TlsState;
use crate::audit::Audit;
use crate::config::{Config, Settings};
use crate::memory;
use crate::oom_score::OomScore;

/// State of the process. Touched by administration only, never on the way of a command.
pub struct Process {
    config: Mutex<Config>,
    settings: Mutex<Arc<Settings>>,
    /// Goes up with every change of the settings.
    settings_version: AtomicU64,
    stopping: AtomicBool,
    shutdown: Mutex<Option<ShutdownOptions>>,
    wakers: Mutex<Vec<Waker>>,
    /// Set while somebody wants the process to end in good order.
    is_shutdown_wanted: AtomicBool,
    /// Who wants to know what INFO tells.
    surveys: Mutex<Vec<SyncSender<Survey>>>,
    is_survey_wanted: AtomicBool,
    /// Saving and loading.
    pub persistence: Persistence,
    /// What the process was started as.
    pub program: String,
    /// The score by which the kernel ends processes.
    pub oom_score: OomScore,
    /// The audit log.
    pub audit: Audit,
    /// The append-only file.
    pub append_only: AppendOnly,
    /// Keys on their way to other servers.
    pub migrations: Migrations,
    /// Random id of this run: 40 hexadecimal digits.
    pub run_id: String,
    /// When the process started, seconds since 1970.
    pub started_unix_seconds: i64,
    /// Memory in use right after the start, in bytes.
    pub startup_used_bytes: AtomicU64,
    /// Highest memory use seen, in bytes.
    pub peak_used_bytes: AtomicU64,
    /// When that was, seconds since 1970.
    pub peak_unix_seconds: AtomicU64,
    /// Memory that waits to be freed in the background, in bytes.
    pub garbage_bytes: AtomicU64,
    /// In how many things.
    pub garbage_count: AtomicU64,
    /// `io_uring` or `epoll`, once the first core runs.
    pub io_backend: OnceLock<String>,
    listening: OnceLock<Listening>,
    /// What TLS connections use.
    pub tls: TlsState,
    /// `no`, `systemd` or `upstart`.
    pub supervised: &'static str,
}

impl Process {
    /// The state at the start.
    pub fn new(config: Config, run_id: String, program: &str, supervised: &'static str) -> Self {
        let program = program.to_owned();
        let settings = config.settings();
        memory::set_precision(settings.maxmemory_bytes);
        memory::set_background_purging(settings.jemalloc_bg_thread);
        let settings = Mutex::new(Arc::new(settings));
        Self {
            config: Mutex::new(config),
            settings,
            settings_version: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            shutdown: Mutex::new(None),
            wakers: Mutex::new(Vec::new()),
            is_shutdown_wanted: AtomicBool::new(false),
            surveys: Mutex::new(Vec::new()),
            is_survey_wanted: AtomicBool::new(false),
            persistence: Persistence::new(super::clock::now().unix_seconds()),
            program,
            oom_score: OomScore::default(),
            audit: Audit::default(),
            append_only: AppendOnly::default(),
            migrations: Migrations::default(),
            run_id,
            started_unix_seconds: super::clock::now().unix_seconds(),
            startup_used_bytes: AtomicU64::new(0),
            peak_used_bytes: AtomicU64::new(0),
            peak_unix_seconds: AtomicU64::new(0),
            garbage_bytes: AtomicU64::new(0),
            garbage_count: AtomicU64::new(0),
            io_backend: OnceLock::new(),
            listening: OnceLock::new(),
            tls: TlsState::default(),
            supervised,
        }
    }

    /// Sets the sockets clients come to, once at the start.
    pub fn set_listening(&self, listening: Listening) {
        assert!(self.listening.set(listening).is_ok(), "the server starts once");
    }

    /// The sockets clients come to.
    pub fn listening(&self) -> &Listening {
        self.listening.get().expect("cores run only after sockets are open")
    }

    /// The configuration, locked.
    pub fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().expect("nobody panics while changing the configuration")
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().expect("the lock is held for a copy only"))
    }

    /// Puts the configuration as it is now in force.
    pub fn publish_settings(&self, config: &Config) -> Arc<Settings> {
        let settings = Arc::new(config.settings());
        memory::set_precision(settings.maxmemory_bytes);
        memory::set_background_purging(settings.jemalloc_bg_thread);
        *self.settings.lock().expect("the lock is held for a copy only") = Arc::clone(&settings);
        self.settings_version.fetch_add(1, Ordering::Release);
        settings
    }

    /// Changes whenever the settings do.
    #[inline]
    pub fn settings_version(&self) -> u64 {
        self.settings_version.load(Ordering::Acquire)
    }

    /// Adds a core to those that are woken when the process is to end.
    pub fn add_waker(&self, waker: Waker) {
        self.wakers.lock().expect("the lock is held for a push only").push(waker);
    }

    /// Ends the process soon: all cores leave their loops.
    pub fn stop(&self, options: ShutdownOptions) {
        *self.shutdown.lock().expect("the lock is held for a copy only") = Some(options);
        if let Some(listening) = self.listening.get() {
            listening.close();
        }
        self.stopping.store(true, Ordering::Release);
        self.persistence.cancel();
        self.wake_cores();
    }

    /// Has core 0 end the process: with a snapshot, if one is to be made.
    pub fn ask_for_shutdown(&self, options: ShutdownOptions) {
        *self.shutdown.lock().expect("the lock is held for a copy only") = Some(options);
        self.is_shutdown_wanted.store(true, Ordering::Release);
        self.wake_cores();
    }

    /// Whether core 0 is to end the process and has not begun to.
    pub fn has_shutdown_wish(&self) -> bool {
        self.is_shutdown_wanted.load(Ordering::Acquire)
    }

    /// How the process is to end, if somebody has asked for it since this was called last.
    pub fn take_shutdown_wish(&self) -> Option<ShutdownOptions> {
        let is_wanted = self.is_shutdown_wanted.load(Ordering::Acquire)
            && self.is_shutdown_wanted.swap(false, Ordering::AcqRel);
        if is_wanted { self.shutdown_options() } else { None }
    }

    /// Has core 0 gather what INFO tells, and waits for it; none if that takes too long. For
    /// threads that are no cores.
    pub fn survey(&self, patience: Duration) -> Option<Survey> {
        let (deliver, delivery) = sync_channel(1);
        self.surveys.lock().expect("the lock is held for a push only").push(deliver);
        self.is_survey_wanted.store(true, Ordering::Release);
        self.wake_cores();
        delivery.recv_timeout(patience).ok()
    }

    /// Who has asked for a survey since this was called last.
    pub fn take_survey_wishes(&self) -> Vec<SyncSender<Survey>> {
        let is_wanted = self.is_survey_wanted.load(Ordering::Acquire)
            && self.is_survey_wanted.swap(false, Ordering::AcqRel);
        match is_wanted {
            true => std::mem::take(&mut *self.surveys.lock().expect("held for a push only")),
            false => Vec::new(),
        }
    }

    /// Wakes all cores that sleep.
    pub fn wake_cores(&self) {
        for waker in self.wakers.lock().expect("the lock is held for a walk only").iter() {
            waker.wake();
        }
    }

    /// Whether the process is about to end.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// How the end was asked for.
    pub fn shutdown_options(&self) -> Option<ShutdownOptions> {
        *self.shutdown.lock().expect("the lock is held for a copy only")
    }

    /// Something was put into the queue of what is to be freed.
    pub fn garbage_queued(&self, bytes: usize) {
        self.garbage_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.garbage_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Frees something from that queue.
    pub fn free(&self, garbage: Garbage) {
        let bytes = garbage.bytes as u64;
        drop(garbage);
        self.garbage_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.garbage_count.fetch_sub(1, Ordering::Relaxed);
        memory::post_used_bytes();
    }

    /// Notes how much memory is in use.
    pub fn note_used(&self, bytes: u64, unix_seconds: i64) {
        if self.peak_used_bytes.fetch_max(bytes, Ordering::Relaxed) < bytes {
            self.peak_unix_seconds.store(unix_seconds.max(0) as u64, Ordering::Relaxed);
        }
    }
}
