//! The loop of one core: what arrived goes to the core, what the core answers goes out.
//!
//! A turn:
//!
//! 1. wait for the reactor: while there is load, for several clients at once, or spinning a little;
//! 2. drain the inbox (after the reads completed: rule 2 of the order, see `basalt_shard::core`);
//! 3. take in what happened: new connections, closed ones, bytes; commands are parsed into the
//!    stage, which runs whenever it is full (see `input`);
//! 4. run the rest of the stage, then what had to wait in earlier turns;
//! 5. let the core send what it kept back, hand replies to the reactor, close what is to be closed;
//! 6. a little housekeeping: expired keys, idle clients, output limits.
//!
//! Bounds of a turn: a connection has the input that was received in it parsed, in stages of a few
//! dozen commands, or as much as fits a receive buffer of what it has pending. It runs no more once
//! its unsent output passes a bound, and nothing more is received from it while too much is
//! pending; what is left waits for the next turn, for the peer to read, or in the kernel.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use basalt_net::doorbell::Doorbell;
use basalt_net::reactor::{
    BufferRef, CloseReason, Company, ConnectionId, Event, ListenerId, Reactor,
};
use basalt_shard::core::{Core, SessionId};

use super::clock;
use super::connection::{Connection, connection_of, session_of};
use super::defragmentation::Defragmentation;
use super::held::{DiskFailure, HeldReplies, has_held};
use super::housekeeping;
use super::listening::ListenerKind;
use super::loading::CoreLoading;
use super::process::Process;
use super::stage::Stage;
use super::tls::TlsWork;
use super::walk_pace::WalkPace;
use crate::config::Settings;
use crate::warning;

/// A suspended connection goes on once no more than this many of its bytes are unsent.
const RESUME_BYTES: usize = 128 * 1024;

/// Events of the last turn from which on it sleeps for several, instead of spinning for the next.
/// A client or two alone are better off with the shorter wait.
const COMPANY_MIN: usize = 4;
/// Events it sleeps for at most.
const COMPANY_MAX: usize = 64;
/// How long it sleeps for several before it settles for one.
const COMPANY_PATIENCE: Duration = Duration::from_micros(20);

/// Between two looks at the disk while too many replies wait for it.
const HELD_PAUSE: Duration = Duration::from_micros(200);

/// Files up to this size are loaded before anybody is answered.
const SMALL_DATA_BYTES: u64 = 2 << 20;

/// One core with its sockets.
pub struct Driver {
    pub(super) core: Core,
    pub(super) reactor: Reactor,
    pub(super) process: Arc<Process>,
    pub(super) doorbell: Doorbell,
    pub(super) settings: Arc<Settings>,
    pub(super) settings_version: u64,
    pub(super) connections: Vec<Option<Box<Connection>>>,
    /// Connections with input to run.
    pub(super) ready: Vec<SessionId>,
    pub(super) stage: Stage,
    /// What listens, and how its clients come.
    pub(super) listeners: Vec<(ListenerId, ListenerKind)>,
    /// Version of the sockets these are.
    pub(super) listening_version: u64,
    pub(super) tls: TlsWork,
    pub(super) resting_listeners: Vec<ListenerId>,
    pub(super) housekeeping_due_ms: u64,
    pub(super) expiry_pending: bool,
    pub(super) has_noted_start: bool,
    pub(super) defragmentation: Defragmentation,
    pub(super) spin: Duration,
    /// How long the last sleep was.
    pub(super) last_sleep: Duration,
    /// What the last turn found: events of the reactor, and whether other cores had sent something.
    pub(super) last_events: usize,
    pub(super) had_mail: bool,
    /// Connections with an incomplete command whose rest may be large.
    pub(super) fills: Vec<SessionId>,
    /// Connections whose peers do not read.
    pub(super) suspended: Vec<ConnectionId>,
    /// Connections whose peers send faster than their commands run.
    pub(super) throttled: Vec<SessionId>,
    /// Connections that end once other cores have sent the replies they are owed.
    pub(super) closing_later: Vec<SessionId>,
    /// Unsent bytes of a client from which on its limits are looked at.
    pub(super) output_watch_bytes: usize,
    /// What comes from a file at the start.
    pub(super) loading: Option<CoreLoading>,
    /// Changes the others know of.
    pub(super) posted_changes: i64,
    pub(super) walk_pace: WalkPace,
    /// Replies that wait for the disk.
    pub(super) held: HeldReplies,
    pub(super) disk_failure: DiskFailure,
    /// Sessions whose replies wait for those behind them.
    pub(super) withheld: Vec<SessionId>,
    /// How many turns a script was put off for, until replies of the turn had left.
    pub(super) times_put_off: u8,
    /// Who was sent replies in the last turn.
    pub(super) replied: Vec<SessionId>,
    /// Who sent something in this turn, noted while clients are weighed.
    pub(super) received_from: Vec<SessionId>,
    /// Clients still weigh more than they may.
    pub(super) has_clients_to_end: bool,
}

impl Driver {
    /// A core with its reactor, whose listeners are in place already: those of the first sockets.
    pub fn new(
        core: Core,
        reactor: Reactor,
        process: Arc<Process>,
        doorbell: Doorbell,
        listeners: Vec<(ListenerId, ListenerKind)>,
        may_spin: bool,
        loading: Option<CoreLoading>,
    ) -> Self {
        let settings = process.settings();
        let output_watch_bytes = watch_bytes(&settings);
        let spin_us = if may_spin { u64::from(settings.core_spin_microseconds) } else { 0 };
        Self {
            core,
            reactor,
            settings_version: process.settings_version(),
            tls: TlsWork::new(process.tls.server()),
            process,
            doorbell,
            settings,
            connections: Vec::new(),
            ready: Vec::new(),
            stage: Stage::default(),
            listeners,
            listening_version: 0,
            resting_listeners: Vec::new(),
            housekeeping_due_ms: 0,
            expiry_pending: false,
            has_noted_start: false,
            defragmentation: Defragmentation::default(),
            spin: Duration::from_micros(spin_us),
            last_sleep: Duration::MAX,
            last_events: 0,
            had_mail: false,
            fills: Vec::new(),
            suspended: Vec::new(),
            throttled: Vec::new(),
            closing_later: Vec::new(),
            output_watch_bytes,
            loading,
            posted_changes: 0,
            walk_pace: WalkPace::default(),
            held: HeldReplies::default(),
            disk_failure: DiskFailure::default(),
            withheld: Vec::new(),
            times_put_off: 0,
            replied: Vec::new(),
            received_from: Vec::new(),
            has_clients_to_end: false,
        }
    }

    /// Runs until the process is to end.
    ///
    /// # Errors
    /// Only if the reactor itself breaks.
    pub fn run(&mut self) -> std::io::Result<()> {
        self.load_what_is_small();
        while !self.process.is_stopping() {
            self.wait()?;
            self.turn();
            // The one case in which a core stands still for the disk: nothing else bounds how much
            // clients that send and do not wait can have it answer meanwhile.
            while self.is_holding_too_much() && !self.process.is_stopping() {
                std::thread::sleep(HELD_PAUSE);
                self.release_replies();
            }
        }
        // Whoever is owed a reply that is made already still gets it, if it may be told.
        self.flush_at_the_end();
        self.process.append_only.stop(self.core.id(), &mut self.core.store);
        self.release_replies();
        self.core.store.abandon();
        self.reactor.poll(Some(Duration::ZERO))
    }

    /// A data set that takes no time is loaded before anybody is answered, as Redis does: whoever
    /// connects at the start does not meet LOADING for it.
    fn load_what_is_small(&mut self) {
        let bytes = self.process.persistence.progress.going().total_bytes;
        let is_slowed = self.settings.snapshots.key_load_delay_microseconds != 0;
        if bytes > SMALL_DATA_BYTES || is_slowed {
            return;
        }
        self.core.begin_turn(clock::now());
        while self.process.persistence.is_loading() && !self.process.is_stopping() {
            if self.loading.is_some() {
                self.keep_files();
            } else {
                std::thread::sleep(HELD_PAUSE);
            }
        }
        self.core.end_turn();
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> std::io::Result<()> {
        let has_chores = self.expiry_pending
            || self.core.has_eviction_work()
            || self.has_clients_to_end
            || self.loading.is_some()
            || (self.tls.count > 0 && self.has_tls_work())
            || self.walk_patience().is_zero();
        if !self.ready.is_empty() || self.core.has_mail() || has_chores {
            return self.reactor.poll(Some(Duration::ZERO));
        }
        self.reactor.poll(Some(Duration::ZERO))?;
        if !self.reactor.events().is_empty() || self.resume_drained() {
            return Ok(());
        }
        let company = self.company();
        // Worth it only where work comes soon: after a long sleep the next one will be long, too.
        if company == Company::NONE && self.is_work_near() && self.spin_for_work()? {
            return Ok(());
        }
        self.sleep(company)
    }

    /// Whether work is likely to come within the time it may spin.
    fn is_work_near(&self) -> bool {
        self.last_sleep < self.spin * 2
    }

    /// For how many events to sleep. Where the last turn served several clients the next will, too:
    /// then sleeping for them all takes less processor time than spinning for the first of them.
    /// Not where other cores send mail, though: that is looked for while spinning only.
    fn company(&self) -> Company {
        let is_worth_it = self.last_events >= COMPANY_MIN && self.is_work_near();
        if !is_worth_it || self.had_mail || !self.reactor.can_gather() {
            return Company::NONE;
        }
        let patience = self.spin.min(COMPANY_PATIENCE);
        Company {
            wanted: self.last_events.min(COMPANY_MAX) as u32,
            patience_us: patience.as_micros() as u32,
        }
    }

    fn sleep(&mut self, company: Company) -> std::io::Result<()> {
        self.doorbell.prepare_sleep();
        let (begun_ns, patience) = (clock::elapsed_ns(), self.patience());
        let result = if self.core.has_mail() || self.process.is_stopping() {
            Ok(())
        } else {
            self.reactor.poll_in_company(patience, company)
        };
        self.last_sleep = Duration::from_nanos(clock::elapsed_ns().saturating_sub(begun_ns));
        self.doorbell.cancel_sleep();
        result
    }

    /// How long it may sleep: until the next housekeeping, until a blocked client's time is over,
    /// or until defragmentation or a snapshot goes on.
    fn patience(&mut self) -> Duration {
        let now_ms = clock::now().monotonic_ms();
        let left_ms = self.core.next_deadline_ms().map(|at_ms| at_ms.saturating_sub(now_ms));
        let until_deadline = left_ms.map_or(Duration::MAX, Duration::from_millis);
        let until_slice = self.defragmentation_patience().min(self.walk_patience());
        until_deadline.min(until_slice).min(housekeeping::INTERVAL)
    }

    /// Looks for work for a while without giving up the processor; whether there is some.
    fn spin_for_work(&mut self) -> std::io::Result<bool> {
        let begun_ns = clock::elapsed_ns();
        let spin_ns = self.spin.as_nanos() as u64;
        while clock::elapsed_ns() - begun_ns < spin_ns {
            if self.core.has_mail() || self.reactor.has_work_hint() {
                self.reactor.poll(Some(Duration::ZERO))?;
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        Ok(false)
    }

    fn turn(&mut self) {
        let begun_ns = clock::elapsed_ns();
        self.core.begin_turn(clock::now());
        self.note_disk_failure();
        if self.process.settings_version() != self.settings_version {
            self.take_settings();
        }
        self.settle_replied();
        self.core.stats.mark(clock::elapsed_ns());
        self.had_mail = self.core.has_mail();
        self.core.drain();
        if self.core.has_departed() {
            self.core.take_deliveries();
        }
        self.last_events = self.reactor.events().len();
        self.core.is_taking_in = true;
        self.take_in_events();
        self.core.is_taking_in = false;
        if self.tls.count > 0 {
            self.run_handshakes();
        }
        self.resume_drained();
        self.run_stage();
        self.run_ready();
        self.receive_from_throttled();
        self.start_fills();
        self.core.end_turn();
        if self.core.has_disk_waits() {
            self.core.serve_disk_waits();
        }
        if self.tls.count > 0 {
            self.seal_more();
        }
        self.flush_replies();
        self.limit_clients();
        self.take_listeners();
        self.keep_house();
        self.keep_files();
        self.core.stats.note_turn(clock::elapsed_ns() - begun_ns);
    }

    fn take_settings(&mut self) {
        self.settings_version = self.process.settings_version();
        self.settings = self.process.settings();
        self.output_watch_bytes = watch_bytes(&self.settings);
        self.tls.server = self.process.tls.server();
    }

    /// Takes in everything the last poll reported. Bytes of connections that have nothing pending
    /// are parsed where they lie; their turn comes in [`Driver::run_input`].
    fn take_in_events(&mut self) {
        for index in 0..self.reactor.events().len() {
            match self.reactor.events()[index] {
                Event::Accepted { listener, socket } => {
                    if let Some(socket) = self.reactor.take_accepted(socket) {
                        self.accept(listener, socket);
                    }
                }
                // Shut down, since its port has changed: it is removed at the end of the turn.
                Event::AcceptFailed { errno: libc::EINVAL, .. } => {}
                Event::AcceptFailed { listener, errno } => {
                    let error = std::io::Error::from_raw_os_error(errno);
                    warning!("Accepting client connection: {error}");
                    self.resting_listeners.push(listener);
                }
                Event::Received { connection, buffer } => self.receive(connection, buffer),
                Event::Filled { connection } => self.take_filled(connection),
                Event::Closed { connection, reason } => self.note_end(connection, reason),
                // Looked for in `resume_drained`, which does not depend on the event.
                Event::Drained { .. } | Event::Woken { .. } => {}
            }
        }
    }

    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(id.index as usize)?.as_deref_mut()?;
        (connection.id == id).then_some(connection)
    }

    pub(super) fn make_ready(&mut self, session: SessionId) {
        if let Some(connection) = self.connection(connection_of(session))
            && !connection.is_ready
        {
            connection.is_ready = true;
            self.ready.push(session);
        }
    }

    fn receive(&mut self, id: ConnectionId, buffer: BufferRef) {
        if self.is_secured(id) {
            return self.receive_sealed(id, buffer);
        }
        if !self.note_received(id, buffer.len()) {
            return;
        }
        if self.may_stage(id) {
            return self.stage_buffer(session_of(id), buffer);
        }
        let bytes = self.reactor.bytes(buffer);
        let connection =
            self.connections[id.index as usize].as_deref_mut().expect("it has a session");
        connection.pending.append(bytes);
        self.note_pending(id);
    }

    /// Counts received bytes; whether anybody wants them.
    #[inline]
    pub(super) fn note_received(&mut self, id: ConnectionId, len: usize) -> bool {
        let now_ms = self.core.store.now().monotonic_ms();
        self.core.stats.reads += 1;
        self.core.stats.input_bytes += len as u64;
        let turn = self.core.turn();
        self.note_sender(session_of(id));
        let Some(state) = self.core.session_mut(session_of(id)) else { return false };
        state.figures.active_ms = now_ms;
        state.figures.active_turn = turn;
        state.figures.input_bytes += len as u64;
        self.connection(id).is_some()
    }

    /// Whether received bytes may be parsed where they lie: nothing waits that goes before them.
    #[inline]
    pub(super) fn may_stage(&mut self, id: ConnectionId) -> bool {
        let is_held = self.core.is_held(session_of(id));
        let connection = self.connection(id);
        connection.is_some_and(|it| it.pending.is_empty() && !is_held && !it.is_ready)
    }

    /// Bytes were put behind those that wait.
    pub(super) fn note_pending(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        let pending_bytes = connection.pending.len();
        self.refresh_figures(id);
        if pending_bytes as u64 > self.settings.client_query_buffer_limit_bytes {
            return self.cut_for_query_buffer(id);
        }
        self.make_ready(session_of(id));
    }

    pub(super) fn note_end(&mut self, id: ConnectionId, reason: CloseReason) {
        match reason {
            CloseReason::PeerClosed => {
                let Some(connection) = self.connection(id) else { return };
                connection.is_ended = true;
                // It ends once what it sent has run; see `end_if_done`.
                self.make_ready(session_of(id));
            }
            CloseReason::Failed(_) => self.close(id),
        }
    }

    /// Lets suspended connections go on whose peers have read by now; whether there were any.
    fn resume_drained(&mut self) -> bool {
        let mut found = false;
        for id in std::mem::take(&mut self.suspended) {
            if self.unsent_bytes(id) > RESUME_BYTES {
                self.suspended.push(id);
            } else if let Some(connection) = self.connection(id) {
                connection.is_suspended = false;
                connection.soft_limit_since_ms = None;
                if !connection.is_throttled {
                    self.reactor.resume_receive(id);
                }
                self.make_ready(session_of(id));
                found = true;
            }
        }
        found
    }

    /// Forgets a connection and closes its socket.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if self.connection(id).is_some() {
            self.forget(id);
            self.reactor.close(id);
        }
    }

    /// Forgets a connection; its socket is closed once its replies have left.
    pub(super) fn close_after_output(&mut self, id: ConnectionId) {
        if !self.held.is_empty() && has_held(&self.held, session_of(id)) {
            return self.closing_later.push(session_of(id));
        }
        if self.connection(id).is_some() {
            self.send_replies(session_of(id));
            if self.is_secured(id) && !self.end_secured(id) {
                return self.closing_later.push(session_of(id));
            }
            self.forget(id);
            self.reactor.close_after_flush(id);
        }
    }

    /// Forgets a connection. What becomes of its socket is the caller's business.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        let is_secured = connection.tls.is_some();
        self.tls.count -= usize::from(is_secured);
        self.connections[id.index as usize] = None;
        self.core.close_session(session_of(id));
        self.core.shared().connected_clients.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn cut_for_query_buffer(&mut self, id: ConnectionId) {
        warning!(
            "Closing client that reached max query buffer length: {} bytes",
            self.settings.client_query_buffer_limit_bytes
        );
        self.core.stats.query_buffer_disconnections += 1;
        self.close(id);
    }
}

/// Below this many unsent bytes no limit on a client's output can be passed.
fn watch_bytes(settings: &Settings) -> usize {
    const UNLIMITED_WATCH_BYTES: u64 = 256 * 1024;
    let [normal, _, subscribers] = &settings.client_output_buffer_limits;
    let limits = [normal, subscribers].into_iter();
    limits
        .flat_map(|limit| [limit.hard_bytes, limit.soft_bytes])
        .chain([UNLIMITED_WATCH_BYTES])
        .filter(|bytes| *bytes > 0)
        .min()
        .map_or(usize::MAX, |bytes| bytes as usize - 1)
}
