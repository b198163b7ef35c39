//! One client connection as its core sees it: who it is, what it selected, and the replies it is
//! owed, in order.
//!
//! Replies leave in the order of the requests though some are made on other cores. A command that
//! goes elsewhere reserves a *place*; what comes after it is kept behind that place until its
//! reply has arrived. Without open places replies go straight to the output.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::acl::User;
use crate::command::Command;
use crate::core::CoreId;
use crate::core::blocking::Blocked;
use crate::core::client_eviction::Weight;
use crate::core::listeners::Interests;
use crate::core::message::Caller;
use crate::core::tracking::Tracking;
use crate::core::transaction::Transaction;
use crate::interests::Kind;
use crate::mutation::{self, Mutation};
use crate::rate_limit::Bucket;
use crate::reply::{Output, Protocol};
use crate::watches::Watcher;

/// Names a connection of one core; the generation tells apart what used the same index before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// Dense index, reused.
    pub index: u32,
    /// How often the index had been used before.
    pub generation: u32,
}

/// How a client is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Peer address as `CLIENT LIST` shows it.
    pub peer: String,
    /// Address it connected to.
    pub local: String,
    /// Socket number.
    pub descriptor: i32,
    /// Whether it came over a unix socket.
    pub is_unix: bool,
    /// Whether its bytes are sealed by TLS, so that nobody but its driver can read them.
    pub is_tls: bool,
}

impl Origin {
    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        self.is_unix || self.peer.starts_with("127.") || self.peer.starts_with("[::1]")
    }
}

/// What has to be checked before a command of a session runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Nothing: its user may do everything.
    All,
    /// Whether its user may run this command line.
    Some,
    /// It has to log in first.
    None,
}

/// What becomes of the scripts a client sends (`SCRIPT DEBUG`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Debugging {
    /// They run.
    #[default]
    Off,
    /// They are debugged.
    Sync,
    /// They are refused: the client expects that nothing they write stays, which is not built.
    Refused,
}

/// `CLIENT REPLY` state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every command is answered.
    #[default]
    On,
    /// No command is answered.
    Off,
    /// This command (`CLIENT REPLY SKIP` itself) and the next are not answered.
    SkipNext,
    /// This command is not answered.
    Skip,
}

/// Why a session's further commands wait. Several reasons may hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hold {
    /// Until all replies it is owed have arrived: something it sent is a barrier.
    Replies = 1,
    /// Until this core may send again.
    Credit = 2,
    /// Until `CLIENT PAUSE` is over.
    Pause = 4,
    /// Until the scripts it waits for have run, unless the next command is one of the same kind:
    /// one that needs the slots of all cores.
    Scripts = 8,
    /// Until all cores have what this one has been brought.
    Ahead = 16,
}

/// The reasons that hold a session at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds(u8);

impl Holds {
    /// Whether nothing holds the session.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether commands have to wait, but for scripts that wait for the same: [`Hold::Scripts`]
    /// alone.
    #[inline]
    pub fn let_scripts_pass(self) -> bool {
        self.0 == Hold::Scripts as u8
    }

    /// Whether `reason` holds it.
    pub fn contains(self, reason: Hold) -> bool {
        self.0 & reason as u8 != 0
    }

    /// Adds a reason.
    pub fn insert(&mut self, reason: Hold) {
        self.0 |= reason as u8;
    }

    /// Takes a reason away.
    pub fn remove(&mut self, reason: Hold) {
        self.0 &= !(reason as u8);
    }
}

/// Replies of one client up to this size lie in memory that is nobody's in particular, in bytes.
const SHARED_REPLY_BYTES: usize = 16 * 1024;

enum Place {
    Waiting {
        commands: u32,
        silent: bool,
        /// The core that will answer, if that is known.
        at: Option<CoreId>,
        output: Output,
        /// What is to stand behind the replies: news of what these very commands did.
        behind: Option<Box<Output>>,
    },
    Filled(Output),
}

/// A client connection.
pub struct Session {
    /// Client id as `CLIENT ID` shows it.
    pub client_id: u64,
    /// How it is connected.
    pub origin: Origin,
    /// Selected database.
    pub db: u32,
    /// Protocol version.
    pub protocol: Protocol,
    /// Who it is logged in as; the default user if it is not.
    pub(super) user: Arc<User>,
    /// Whether it has logged in, be it by connecting to a server that is open to all.
    pub(super) is_logged_in: bool,
    /// The tokens of its user, if the user is limited.
    pub(super) bucket: Option<Arc<Bucket>>,
    /// What follows from these and from the default user.
    pub(super) rights: Rights,
    /// `CLIENT SETNAME`.
    pub name: Option<Arc<[u8]>>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library_name: Option<Arc<[u8]>>,
    /// `CLIENT SETINFO LIB-VER`.
    pub library_version: Option<Arc<[u8]>>,
    /// `CLIENT NO-TOUCH`.
    pub no_touch: bool,
    /// `CLIENT NO-EVICT`.
    pub no_evict: bool,
    /// `MONITOR`.
    pub is_monitor: bool,
    /// `CLIENT REPLY`.
    pub reply_mode: ReplyMode,
    /// `SCRIPT DEBUG`.
    pub debugging: Debugging,
    /// Why further commands wait; empty when they do not.
    pub holds: Holds,
    /// Nothing more is read; the connection ends when its replies have left.
    pub closing: bool,
    /// Nothing more will come from its client, and it is looked at again once that is served.
    pub(super) has_ended: bool,
    /// It ends with this turn, whatever is left for it: nobody is shown it any more.
    pub(crate) is_gone: bool,
    /// What it has queued since MULTI.
    pub(crate) transaction: Option<Box<Transaction>>,
    /// What it watches.
    pub(super) watchers: Vec<Arc<Watcher>>,
    /// Memory that takes, in bytes.
    pub(super) watched_bytes: usize,
    /// What it waits for in a blocking command.
    pub(super) blocked: Option<Box<Blocked>>,
    /// What it listens to; `None` while that is nothing.
    pub(super) interests: Option<Box<Interests>>,
    /// What it wants to be told of keys it has read.
    pub(crate) tracking: Option<Box<Tracking>>,
    /// Replies that may leave now.
    pub output: Output,
    /// Target of the open batch that has commands of this session in it.
    pub open_target: Option<CoreId>,
    /// The same, if all replies it is owed are those of commands in that batch.
    pub(super) owed_in_batch: Option<CoreId>,
    /// Whether a command was sent to another core since this one last looked at its inbox for it.
    pub sent_since_drain: bool,
    /// Whether an open batch has a message of this session to be published: what follows on
    /// another core must not be seen before that is on its way.
    pub(super) publishes: bool,
    /// What `CLIENT LIST` tells about it.
    pub figures: Figures,
    /// What it weighed when that was looked at last.
    pub(super) weight: Weight,
    /// Generation of its index.
    pub(super) generation: u32,
    /// Whether it is on the list of sessions with new output.
    pub(super) is_changed: bool,
    places: VecDeque<Place>,
    /// Number of the place at the front of `places`.
    places_front: u64,
}

/// Counters of a session for `CLIENT LIST`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// When it connected, monotonic milliseconds.
    pub connected_ms: u64,
    /// When it last sent something, monotonic milliseconds.
    pub active_ms: u64,
    /// In which turn of its core it last sent something.
    pub active_turn: u64,
    /// Commands run.
    pub commands: u64,
    /// Bytes received.
    pub input_bytes: u64,
    /// Bytes handed to the socket.
    pub output_bytes: u64,
    /// Bytes received that are not parsed yet.
    pub query_bytes: usize,
    /// Those of them that stand before the argument being received, if that is a large one.
    pub query_header_bytes: usize,
    /// Memory they lie in, in bytes.
    pub query_buffer_bytes: usize,
    /// Bytes the socket has not taken yet.
    pub unsent_bytes: usize,
    /// The last command.
    pub last_command: Option<&'static Command>,
}

impl Figures {
    /// Counts a command.
    #[inline]
    pub fn note_command(&mut self, row: &'static Command) {
        self.commands += 1;
        self.last_command = Some(row);
    }
}

impl Session {
    /// A fresh connection.
    pub fn new(client_id: u64, origin: Origin, user: Arc<User>, now_ms: u64) -> Self {
        Self {
            client_id,
            origin,
            db: 0,
            protocol: Protocol::Resp2,
            user,
            is_logged_in: false,
            bucket: None,
            rights: Rights::None,
            name: None,
            library_name: None,
            library_version: None,
            no_touch: false,
            no_evict: false,
            is_monitor: false,
            reply_mode: ReplyMode::On,
            debugging: Debugging::Off,
            holds: Holds::default(),
            closing: false,
            has_ended: false,
            is_gone: false,
            transaction: None,
            watchers: Vec::new(),
            watched_bytes: 0,
            blocked: None,
            interests: None,
            tracking: None,
            output: Output::default(),
            open_target: None,
            owed_in_batch: None,
            sent_since_drain: false,
            publishes: false,
            figures: Figures { connected_ms: now_ms, active_ms: now_ms, ..Figures::default() },
            weight: Weight::default(),
            generation: 0,
            is_changed: false,
            places: VecDeque::new(),
            places_front: 0,
        }
    }

    /// Who it is logged in as; the default user if it is not.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Whether it may run more than what is allowed before a login.
    pub fn is_authenticated(&self) -> bool {
        self.rights != Rights::None
    }

    /// Whether it waits in a blocking command.
    pub fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Whether it waits and nobody has begun to serve it.
    pub fn is_waiting(&self) -> bool {
        self.blocked.as_ref().is_some_and(|blocked| !blocked.is_claimed())
    }

    /// Whether its commands wait for something that other cores are about to bring.
    pub fn has_to_wait_for_cores(&self) -> bool {
        [Hold::Credit, Hold::Ahead, Hold::Scripts].iter().any(|&hold| self.holds.contains(hold))
    }

    /// Number of keys it watches.
    pub fn watched_keys(&self) -> usize {
        self.watchers.iter().map(|watcher| watcher.names().len()).sum()
    }

    /// Ends what it watches, and returns that.
    pub(super) fn take_watchers(&mut self) -> Vec<Arc<Watcher>> {
        self.watched_bytes = 0;
        std::mem::take(&mut self.watchers)
    }

    /// Whether EXEC would fail for a key it watches.
    pub fn is_watch_broken(&self) -> bool {
        self.watchers.iter().any(|watcher| watcher.is_touched())
    }

    /// What a command of this session needs where it runs.
    #[inline]
    pub fn caller(&self) -> Caller {
        Caller {
            db: self.db,
            protocol: self.protocol,
            no_touch: self.no_touch,
            user: Some(self.user.id),
            tracks: self.tracking.as_deref().is_some_and(Tracking::remembers_reads),
        }
    }

    /// Whether it listens to a channel or a pattern.
    pub fn is_subscriber(&self) -> bool {
        self.interests.as_deref().is_some_and(Interests::is_subscriber)
    }

    /// How many names of a kind it listens to.
    pub fn interest_count(&self, kind: Kind) -> usize {
        self.interests.as_deref().map_or(0, |interests| interests.count(kind))
    }

    /// Bytes of replies that have not left the server.
    pub fn reply_bytes(&self) -> usize {
        let kept = self.places.iter().map(|place| match place {
            Place::Waiting { output, behind, .. } => {
                output.len() + behind.as_deref().map_or(0, Output::len)
            }
            Place::Filled(output) => output.len(),
        });
        self.output.len() + kept.sum::<usize>() + self.figures.unsent_bytes
    }

    /// Memory the client makes the server hold, in bytes: what is received and not run, what is
    /// queued, what it is owed, what it watches and listens to. The first replies lie in buffers
    /// that all clients share. O(places).
    pub fn memory_bytes(&self) -> usize {
        let transaction = self.transaction.as_deref().map_or(0, Transaction::memory_bytes);
        let interests = self.interests.as_deref().map_or(0, Interests::memory_bytes);
        size_of::<Self>()
            + self.name.as_deref().map_or(0, <[u8]>::len)
            + self.figures.query_buffer_bytes
            + self.reply_bytes().saturating_sub(SHARED_REPLY_BYTES)
            + transaction
            + self.watched_bytes
            + interests
    }

    /// A command is over: moves `CLIENT REPLY SKIP` on.
    #[inline]
    pub fn step_reply_mode(&mut self) {
        match self.reply_mode {
            ReplyMode::SkipNext => self.reply_mode = ReplyMode::Skip,
            ReplyMode::Skip => self.reply_mode = ReplyMode::On,
            ReplyMode::On | ReplyMode::Off => {}
        }
    }

    /// Whether nothing of it is under way: no command that was begun, no reply, as far as its
    /// figures tell. It may be queueing a transaction.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_authenticated()
            && self.reply_mode == ReplyMode::On
            && self.blocked.is_none()
            && self.holds.is_empty()
            && !self.closing
            && self.output.is_empty()
            && !self.is_owed()
            && self.figures.query_bytes == 0
            && self.figures.unsent_bytes == 0
    }

    /// Whether a reply to it has not left, as far as its figures tell: with TLS they count what is
    /// no reply as well.
    pub(crate) fn has_replies_pending(&self) -> bool {
        let has_unsent = !self.origin.is_tls && self.figures.unsent_bytes > 0;
        self.is_owed() || !self.output.is_empty() || has_unsent
    }

    /// Whether replies are still under way from other cores.
    #[inline]
    pub fn is_owed(&self) -> bool {
        !self.places.is_empty()
    }

    /// Where the reply of a command that runs here and now goes.
    #[inline]
    pub fn reply_output(&mut self) -> &mut Output {
        if self.places.is_empty() {
            return &mut self.output;
        }
        if !matches!(self.places.back(), Some(Place::Filled(_))) {
            self.places.push_back(Place::Filled(Output::default()));
        }
        match self.places.back_mut() {
            Some(Place::Filled(output)) => output,
            _ => unreachable!("a filled place was just put there"),
        }
    }

    /// Reserves the next place for a command that runs elsewhere. `extends` says that it travels
    /// right behind the last one, in the same batch: both then share a place, unless one of them
    /// is to be answered and the other, after `CLIENT REPLY`, is not.
    pub fn reserve(&mut self, extends: bool, at: Option<CoreId>) -> u64 {
        let mute = self.reply_mode != ReplyMode::On;
        match self.places.back_mut() {
            Some(Place::Waiting { commands, silent, .. }) if extends && *silent == mute => {
                *commands += 1;
            }
            _ => self.places.push_back(Place::Waiting {
                commands: 1,
                silent: mute,
                at,
                output: Output::default(),
                behind: None,
            }),
        }
        self.places_front + self.places.len() as u64 - 1
    }

    /// Takes replies of `count` commands that belong to `place`; `write` appends them. Returns
    /// whether nothing is owed any more.
    pub fn fill(&mut self, place: u64, count: u32, write: impl FnOnce(&mut Output)) -> bool {
        let index = place.checked_sub(self.places_front).expect("a place is filled once") as usize;
        let index = match self.places.get(index + 1) {
            Some(Place::Waiting { .. }) if mutation::is_on(Mutation::PlacesSwapped) => index + 1,
            _ => index,
        };
        let Some(Place::Waiting { commands, silent, output, behind, .. }) =
            self.places.get_mut(index)
        else {
            panic!("replies arrive for places that wait");
        };
        match (*silent, index) {
            (true, _) => {}
            (false, 0) => write(&mut self.output),
            (false, _) => write(output),
        }
        *commands = commands.checked_sub(count).expect("a place gets as many replies as commands");
        if *commands == 0 {
            let mut output = std::mem::take(output);
            if let Some(mut behind) = behind.take() {
                output.append(&mut behind);
            }
            self.places[index] = Place::Filled(output);
        }
        self.release_front();
        self.places.is_empty()
    }

    /// Where something goes that the client did not ask for: right behind the newest reply that is
    /// here, so that it stands behind every reply it may be about; or behind the replies of place
    /// `of`, if those are still to come and it tells what these commands did. O(places).
    ///
    /// A reply that is still to come from the core it is `from` may know more than it tells, so it
    /// stands ahead of that. What is here of later commands knows as much: it was asked for later.
    pub(super) fn push_output(&mut self, of: Option<u64>, from: Option<CoreId>) -> &mut Output {
        let own = of.and_then(|place| place.checked_sub(self.places_front));
        let own = own
            .map(|index| index as usize)
            .filter(|index| matches!(self.places.get(*index), Some(Place::Waiting { .. })));
        let is_newer = |place: &Place| matches!(place, Place::Waiting { at, .. } if *at == from);
        let newer = from.and_then(|_| self.places.iter().position(is_newer));
        let end = newer.map_or(self.places.len(), |index| index + 1);
        let newest = self.places.range(..end).rposition(|place| match place {
            Place::Filled(_) => true,
            Place::Waiting { output, .. } => !output.is_empty(),
        });
        match own.or(newest).and_then(|index| self.places.get_mut(index)) {
            Some(Place::Waiting { behind, .. }) if own.is_some() => behind.get_or_insert_default(),
            Some(Place::Waiting { output, .. } | Place::Filled(output)) => output,
            None => &mut self.output,
        }
    }

    /// Moves what waits at the front for nothing any more to the output.
    fn release_front(&mut self) {
        loop {
            match self.places.front_mut() {
                Some(Place::Filled(output)) => {
                    self.output.append(output);
                    self.places.pop_front();
                    self.places_front += 1;
                }
                // The replies that already came for a place that is now the first.
                Some(Place::Waiting { output, .. }) => return self.output.append(output),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Acl;

    fn session() -> Session {
        let origin = Origin {
            peer: String::new(),
            local: String::new(),
            descriptor: -1,
            is_unix: true,
            is_tls: false,
        };
        Session::new(1, origin, Arc::clone(Acl::default().default_user()), 0)
    }

    /// A read that is under way to core 1 and behind it one that was answered at once, when a
    /// message comes that core `from` has sent.
    fn replies_around_a_message(from: CoreId) -> Vec<u8> {
        let mut session = session();
        let place = session.reserve(false, Some(CoreId(1)));
        session.reply_output().bytes.extend_from_slice(b"+here\r\n");
        session.push_output(None, Some(from)).bytes.extend_from_slice(b">0\r\n");
        session.fill(place, 1, |output| output.bytes.extend_from_slice(b"+there\r\n"));
        session.output.bytes
    }

    /// A listener had several reads under way; the one to the core that published was answered
    /// late, knew what came behind the message, and was handed out ahead of it.
    #[test]
    fn a_message_stands_ahead_of_replies_that_know_more() {
        assert_eq!(replies_around_a_message(CoreId(1)), b">0\r\n+there\r\n+here\r\n");
    }

    #[test]
    fn a_message_stands_behind_replies_it_may_be_about() {
        assert_eq!(replies_around_a_message(CoreId(2)), b"+there\r\n+here\r\n>0\r\n");
    }
}
