//! Client-side caching as the core of a client does it: who is to be told, in which form, and
//! where.
//!
//! Word that a key has changed comes here as news ([`super::spreading`]), from the slot of the key
//! where its readers are remembered, or by prefix. A client that speaks RESP3 is told itself; one
//! that has another receive for it is told there, on whatever core that is. If the other is gone,
//! word of that comes back.
//!
//! Keys that are told by prefix are gathered until the turn is over, as Redis does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spreading::Author;
use super::{Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::command::{Command, flag};
use crate::core::message::Caller;
use crate::hash::HashSlot;
use crate::interests::Kind;
use crate::news::{KeyNames, Notice};
use crate::reply::{Protocol, Reply};

/// Which keys are tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackingMode {
    /// All that are read.
    Reads,
    /// Those read right after `CLIENT CACHING YES`.
    OptIn,
    /// Those read but right after `CLIENT CACHING NO`.
    OptOut,
    /// All that have one of some prefixes, read or not.
    Broadcast,
}

/// Another client that receives what is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Its id.
    pub client_id: u64,
    /// The core of its connection.
    pub core: CoreId,
    /// Its connection there.
    pub session: SessionId,
}

/// What a client wants to be told.
#[derive(Clone, Copy, Debug)]
pub struct Tracking {
    /// Which keys are tracked.
    pub mode: TrackingMode,
    /// Whether it is not told of what it changes itself.
    pub no_loop: bool,
    /// Whether `CLIENT CACHING` was given for the next command.
    pub caching: bool,
    /// Who receives it, if not the client itself.
    pub redirect: Option<Redirect>,
    /// Whether that client is gone.
    pub is_broken: bool,
}

impl Tracking {
    /// Whether keys the next command reads are to be remembered.
    pub fn remembers_reads(&self) -> bool {
        match self.mode {
            TrackingMode::Reads => true,
            TrackingMode::OptIn => self.caching,
            TrackingMode::OptOut => !self.caching,
            TrackingMode::Broadcast => false,
        }
    }
}

/// Keys that are forgotten at most in a turn, to get below the limit.
const FORGET_MAX: u64 = 1000;

/// The channel on which a RESP2 client is told.
const CHANNEL: &[u8] = b"__redis__:invalidate";

impl Core {
    /// A command is over whose slots are all here: remembers what it has read, if its client wants
    /// that, and spreads the news of what it did.
    #[inline]
    pub(super) fn conclude(
        &mut self,
        author: Author,
        row: &Command,
        caller: Caller,
        arguments: Arguments<'_>,
    ) {
        if caller.tracks {
            self.remember_reads(author, row, arguments);
        }
        self.spread_pending(Some(author));
    }

    #[cold]
    pub(super) fn remember_reads(
        &mut self,
        author: Author,
        row: &Command,
        arguments: Arguments<'_>,
    ) {
        // A script is told of by the commands it runs.
        if !row.flags.contains(flag::READONLY) || row.flags.contains(flag::SCRIPT_RUNNER) {
            return;
        }
        let mut added = 0;
        let store = &mut self.store;
        row.for_each_key(arguments, |name| {
            added += i64::from(store.add_reader(name, (author.core, author.session)));
        });
        self.shared.count_tracked_keys(added);
    }

    /// Forgets readers of keys of this core, which are told as if these had changed, while more
    /// keys are remembered than may be.
    #[inline]
    pub(super) fn limit_remembered_reads(&mut self) {
        let limit = self.store.settings().tracking_table_max_keys;
        if limit != 0 && self.shared.tracked_keys() > limit && self.gate.is_open() {
            self.forget_some_reads(limit);
        }
    }

    #[cold]
    fn forget_some_reads(&mut self, limit: u64) {
        for _ in 0..FORGET_MAX {
            // Counted first, so that cores which do this at once do not do too much.
            if !self.shared.count_tracked_key_above(limit) {
                return;
            }
            let Some(slot) = self.store.forget_some_readers(self.tracked_cursor) else {
                return self.shared.count_tracked_keys(1);
            };
            let next = (slot.number() + 1) % HashSlot::COUNT;
            self.tracked_cursor = HashSlot::new(next).expect("the number is in range");
        }
    }

    /// A key that a client of this core has read has changed, or all have.
    pub(super) fn invalidate_for(
        &mut self,
        id: SessionId,
        author: Option<Author>,
        is_by_author: bool,
        key: Option<&Arc<[u8]>>,
    ) {
        let own = author.filter(|author| author.core == self.id && author.session == id);
        let Some(session) = self.session(id) else { return };
        let Some(tracking) = session.tracking.as_deref() else { return };
        let is_told_otherwise = tracking.mode == TrackingMode::Broadcast && key.is_some();
        if is_told_otherwise || tracking.no_loop && is_by_author && own.is_some() {
            return;
        }
        let place = own.and_then(|author| author.place);
        match key {
            Some(key) => self.invalidate(id, place, Some(&[Arc::clone(key)])),
            None => self.invalidate(id, place, None),
        }
    }

    /// Keys that changed in this turn have a prefix of a client of this core.
    pub(super) fn invalidate_keys_of_prefix(
        &mut self,
        id: SessionId,
        keys: &BTreeMap<Arc<[u8]>, Option<(CoreId, SessionId)>>,
    ) {
        let Some(tracking) = self.session(id).and_then(|session| session.tracking.as_deref())
        else {
            return;
        };
        let (no_loop, own) = (tracking.no_loop, Some((self.id, id)));
        let is_told = |author: &Option<(CoreId, SessionId)>| !no_loop || *author != own;
        let keys = keys.iter().filter(|(_, author)| is_told(author));
        let names: Vec<Arc<[u8]>> = keys.map(|(key, _)| Arc::clone(key)).collect();
        if !names.is_empty() {
            self.invalidate(id, None, Some(&names));
        }
    }

    /// All keys are gone, and this core is visited for it: forgets who has read them. The last core
    /// has all clients told, but for the one who did it, which is told when it has its reply: now
    /// no core has a reply under way that was made before.
    pub(crate) fn forget_all_reads(&mut self, but: (CoreId, SessionId)) {
        self.store.forget_all_readers();
        let difference = self.store.news.take_tracked_difference();
        self.shared.count_tracked_keys(difference);
        if self.id.0 + 1 == self.core_count {
            for core in (0..self.core_count).map(CoreId) {
                self.store.news.push(core, Notice::AllChangedForAll { but });
            }
        }
    }

    /// All keys are gone: every client of this core that tracks any is told.
    pub(super) fn invalidate_all_clients(&mut self, but: (CoreId, SessionId)) {
        let tracking = self.sessions().filter(|(_, session)| session.tracking.is_some());
        let ids = tracking.map(|(id, _)| id).filter(|id| (self.id, *id) != but);
        for id in ids.collect::<Vec<_>>() {
            self.invalidate(id, None, None);
        }
    }

    /// All keys are gone, and the client who did it is about to have its reply.
    pub(crate) fn invalidate_everything_for(&mut self, id: SessionId) {
        self.store.news.push(self.id, Notice::AllChanged { reader: id });
    }

    /// Tells a client, or who receives in its place, that keys are not what it remembers; `None`
    /// stands for all keys.
    fn invalidate(&mut self, id: SessionId, place: Option<u64>, keys: Option<&[Arc<[u8]>]>) {
        let session = self.session(id).expect("the caller has seen it");
        let tracking = session.tracking.as_deref().expect("the caller has seen it");
        if let Some(Redirect { core, session: to, .. }) = tracking.redirect {
            let keys = keys.map(KeyNames::from);
            let notice = Notice::Redirected { to, on_behalf: (self.id, id), keys };
            return self.dispatch(core, None, notice);
        }
        if session.protocol == Protocol::Resp3 {
            let author =
                place.map(|place| Author { core: self.id, session: id, place: Some(place) });
            self.push_to_all(author, &[id], |reply| {
                reply.push_len(2);
                reply.bulk(b"invalidate");
                write_names(reply, keys);
            });
        }
    }

    /// A client of this core receives what another is to be told.
    pub(super) fn deliver_redirected(
        &mut self,
        to: SessionId,
        on_behalf: (CoreId, SessionId),
        keys: Option<&[Arc<[u8]>]>,
    ) {
        let Some(session) = self.session(to) else {
            let (core, of) = on_behalf;
            return self.dispatch(core, None, Notice::RedirectionBroken { of });
        };
        let is_resp3 = session.protocol == Protocol::Resp3;
        if !is_resp3 && !session.is_subscriber() {
            return;
        }
        self.push_to_all(None, &[to], |reply| {
            reply.push_len(if is_resp3 { 2 } else { 3 });
            if is_resp3 {
                reply.bulk(b"invalidate");
            } else {
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
            }
            write_names(reply, keys);
        });
    }

    /// Who was to receive for a client of this core is gone.
    pub(super) fn break_redirection(&mut self, of: SessionId) {
        let Some(session) = self.session_mut(of) else { return };
        let Some(tracking) = session.tracking.as_deref_mut() else { return };
        let Some(redirect) = tracking.redirect else { return };
        tracking.is_broken = true;
        if session.protocol == Protocol::Resp3 {
            self.push_to_all(None, &[of], |reply| {
                reply.push_len(2);
                reply.bulk(b"tracking-redir-broken");
                reply.integer(redirect.client_id as i64);
            });
        }
    }

    /// CLIENT TRACKING OFF, and what ends tracking otherwise.
    pub(crate) fn stop_tracking(&mut self, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        if session.tracking.take().is_some() {
            self.abandon_interests(id, &[Kind::Prefix]);
        }
    }
}

fn write_names(reply: &mut Reply<'_>, keys: Option<&[Arc<[u8]>]>) {
    match keys {
        Some(keys) => {
            reply.array_len(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
        None => reply.null(),
    }
}
