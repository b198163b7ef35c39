//! How a client begins to listen to channels and patterns, and how it ends that.
//!
//! PUBLISH tells how many clients will receive a message, and each of them does. So a client must
//! be counted, where messages come from, at the very moment from which on it receives:
//!
//! * A **channel** is counted in its slot. If the slots of all channels named are here, that is
//!   done at once; else an envelope collects them. Where it has the last, it counts, *then* sends
//!   word to the client's core, *then* the slots home: whatever is published later arrives behind
//!   that word, since all that arrives at a core arrives in one line.
//! * A **pattern**, and a channel of keyspace events, is counted at every core, by a tour that
//!   parks them. Its word, too, is on its way before any core goes on.
//!
//! The client's core makes the session a listener when the word is there, and writes the
//! confirmations. What a client that is gone listened to is taken back without hurry: from slots
//! the way watchers leave them, from all cores by one tour at a time for all who left meanwhile.

use super::listeners::Interests;
use super::message::{Batch, Errand, Route};
use super::session::{Hold, ReplyMode};
use super::tour::{TourKind, TourTask};
use super::{Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::command::Command;
use crate::hash::HashSlot;
use crate::interests::Kind;
use crate::observers::Observer;
use crate::reply::{Output, Reply};
use crate::store::Store;

/// Whether somebody begins or ends to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// SUBSCRIBE and its like.
    Join,
    /// UNSUBSCRIBE and its like.
    Leave,
}

/// A client begins or ends to listen to names.
pub struct MembershipRequest {
    kind: Kind,
    direction: Direction,
    core: CoreId,
    /// The names as the client gave them, for the confirmations.
    named: Vec<Box<[u8]>>,
    /// Those among them, each once, for which it changes something.
    changes: Vec<Box<[u8]>>,
    /// Replies to the client are silenced, which confirmations are not.
    is_silenced: bool,
}

/// Where a request has to go.
enum Reach {
    /// All it concerns is here.
    Here,
    /// To these slots.
    Slots(Vec<HashSlot>),
    /// To every core.
    Everywhere,
}

/// What is left to do about a request.
pub enum Pending {
    /// Nothing: it has its reply.
    Nothing,
    /// An envelope has to collect the slots.
    Envelope(Box<MembershipRequest>, Vec<HashSlot>),
    /// All cores have to be visited.
    Tour(Box<MembershipRequest>),
}

impl MembershipRequest {
    /// Counts the client, or counts it no more, as far as what is counted is in this store.
    pub(crate) fn apply(&self, store: &mut Store) {
        for name in &self.changes {
            match (self.kind.is_everywhere(name), self.direction) {
                (true, Direction::Join) => store.news.join(self.kind, name, self.core),
                (true, Direction::Leave) => store.news.leave(self.kind, name, self.core),
                (false, _) if !store.has_slot(HashSlot::of_key(name)) => {}
                (false, Direction::Join) => store.join_channel(self.kind, name, self.core),
                (false, Direction::Leave) => store.leave_channel(self.kind, name, self.core),
            }
        }
    }

    /// What a confirmation says.
    fn verb(&self) -> &'static str {
        match (self.kind, self.direction) {
            (Kind::Channel, Direction::Join) => "subscribe",
            (Kind::Channel, Direction::Leave) => "unsubscribe",
            (Kind::ShardChannel, Direction::Join) => "ssubscribe",
            (Kind::ShardChannel, Direction::Leave) => "sunsubscribe",
            (Kind::Pattern, Direction::Join) => "psubscribe",
            (Kind::Pattern, Direction::Leave) => "punsubscribe",
            (Kind::Prefix, _) => unreachable!("nobody confirms prefixes"),
        }
    }
}

impl Core {
    /// A client begins or ends to listen to the names given, or ends to listen to all of a kind.
    /// Does it and confirms, if that can be done here and now.
    pub(crate) fn change_membership(
        &mut self,
        id: SessionId,
        kind: Kind,
        direction: Direction,
        names: Vec<Box<[u8]>>,
        reply: &mut Reply<'_>,
    ) -> Pending {
        let request = Box::new(self.membership_request(id, kind, direction, names));
        match self.reach(&request) {
            Reach::Here => {
                // What was published before is not for who joins now, and is for who leaves now.
                self.spread_pending(None);
                request.apply(&mut self.store);
                self.confirm_membership(id, &request, reply);
                Pending::Nothing
            }
            Reach::Slots(slots) => {
                self.note_leaving(id, &request);
                Pending::Envelope(request, slots)
            }
            Reach::Everywhere => {
                self.note_leaving(id, &request);
                Pending::Tour(request)
            }
        }
    }

    /// Until the word is back nobody here knows whether the client is still counted: should it be
    /// gone by then, the request is what counts it no more.
    fn note_leaving(&mut self, id: SessionId, request: &MembershipRequest) {
        let session = self.session_mut(id).expect("a session is open while its command runs");
        if request.direction == Direction::Leave
            && let Some(interests) = session.interests.as_deref_mut()
        {
            interests.set_leaving(Some(request.kind), request.changes.clone());
        }
    }

    pub(crate) fn membership_request(
        &self,
        id: SessionId,
        kind: Kind,
        direction: Direction,
        named: Vec<Box<[u8]>>,
    ) -> MembershipRequest {
        let interests = self.session(id).and_then(|session| session.interests.as_deref());
        let is_in = |name: &[u8]| interests.is_some_and(|interests| interests.contains(kind, name));
        let mut changes = named.clone();
        changes.retain(|name| is_in(name) == (direction == Direction::Leave));
        changes.sort_unstable();
        changes.dedup();
        let is_silenced =
            self.session(id).is_some_and(|session| session.reply_mode != ReplyMode::On);
        MembershipRequest { kind, direction, core: self.id, named, changes, is_silenced }
    }

    fn reach(&self, request: &MembershipRequest) -> Reach {
        if self.core_count == 1 && self.gate.is_open() && self.lent.is_empty() {
            return Reach::Here;
        }
        if request.changes.iter().any(|name| request.kind.is_everywhere(name)) {
            return Reach::Everywhere;
        }
        let slots: Vec<_> = request.changes.iter().map(|name| HashSlot::of_key(name)).collect();
        let may_touch = self.gate.is_open() || self.is_transacting;
        let is_here = may_touch && slots.iter().all(|slot| self.store.has_slot(*slot));
        if slots.is_empty() || is_here { Reach::Here } else { Reach::Slots(slots) }
    }

    /// Has an envelope collect the slots of the channels a request is about. That there is credit
    /// for it was checked before the command ran.
    pub(super) fn send_membership(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
        request: Box<MembershipRequest>,
        slots: Vec<HashSlot>,
    ) {
        let mut batch = self.spare_batch();
        let Some(session) = self.session_mut(id) else { return };
        let place = session.reserve(false, None);
        let caller = session.caller();
        session.step_reply_mode();
        self.credit -= 1;
        self.hold(id, Hold::Replies);
        batch.push(id, place, row, Route::Many, caller, arguments);
        batch.errand = Errand::Membership(request);
        batch.extra_slots = slots;
        self.enclose(batch);
    }

    /// All slots are here: counts, and sends word home ahead of the slots.
    pub(super) fn run_membership(&mut self, mut batch: Box<Batch>) {
        let Errand::Membership(request) = &batch.errand else {
            unreachable!("the caller has seen it");
        };
        request.apply(&mut self.store);
        batch.next = batch.commands.len();
        self.send_home(batch);
    }

    /// The word is here: from now on the client is, or is no more, a listener.
    pub(super) fn finish_membership(&mut self, batch: &Batch, request: &MembershipRequest) {
        let (id, place) = (batch.commands[0].session, batch.commands[0].place);
        let mut output = Output::default();
        let protocol = self.session(id).map(|session| session.protocol).unwrap_or_default();
        self.confirm_membership(id, request, &mut Reply::new(&mut output, protocol));
        self.fill_place(id, place, output);
    }

    /// Makes the session what it has been counted as, and writes the confirmations.
    fn confirm_membership(
        &mut self,
        id: SessionId,
        request: &MembershipRequest,
        reply: &mut Reply<'_>,
    ) {
        if self.session(id).is_none() {
            if request.direction == Direction::Join {
                self.take_back(request.kind, request.changes.clone());
            }
            return;
        }
        if request.is_silenced {
            let mut output = Output::default();
            let mut aside = Reply::new(&mut output, reply.protocol());
            self.write_confirmations(id, request, &mut aside);
            let session = self.session_mut(id).expect("seen above");
            session.push_output(None, None).append(&mut output);
        } else {
            self.write_confirmations(id, request, reply);
        }
        self.note_change(id);
    }

    fn write_confirmations(
        &mut self,
        id: SessionId,
        request: &MembershipRequest,
        reply: &mut Reply<'_>,
    ) {
        let MembershipRequest { kind, direction, .. } = *request;
        let session = self.session_mut(id).expect("the caller has seen it");
        if let Some(interests) = session.interests.as_deref_mut() {
            interests.set_leaving(None, Vec::new());
        }
        for name in &request.named {
            match direction {
                Direction::Join => self.listen(id, kind, name),
                Direction::Leave => self.listen_no_more(id, kind, name),
            }
            self.write_confirmation(id, request, Some(name), reply);
        }
        if request.named.is_empty() {
            self.write_confirmation(id, request, None, reply);
        }
    }

    fn write_confirmation(
        &self,
        id: SessionId,
        request: &MembershipRequest,
        name: Option<&[u8]>,
        reply: &mut Reply<'_>,
    ) {
        let session = self.session(id).expect("the caller has seen it");
        let count = match request.kind {
            Kind::ShardChannel => session.interest_count(Kind::ShardChannel),
            _ => session.interest_count(Kind::Channel) + session.interest_count(Kind::Pattern),
        };
        reply.push_len(3);
        reply.bulk(request.verb().as_bytes());
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.integer(count as i64);
    }

    /// A session that was counted becomes a listener.
    pub(super) fn listen(&mut self, id: SessionId, kind: Kind, name: &[u8]) {
        let session = self.session_mut(id).expect("the caller has seen it");
        if session.interests.get_or_insert_default().insert(kind, name) {
            self.listeners.insert(kind, name, id);
        }
    }

    pub(super) fn listen_no_more(&mut self, id: SessionId, kind: Kind, name: &[u8]) {
        let session = self.session_mut(id).expect("the caller has seen it");
        let Some(interests) = session.interests.as_deref_mut() else { return };
        if interests.remove(kind, name) {
            if interests.is_empty() {
                session.interests = None;
            }
            self.listeners.remove(kind, name, id);
        }
    }

    /// A session becomes a listener to what it asked for and has been counted for, without a word.
    pub(crate) fn fulfil(&mut self, id: SessionId, request: &MembershipRequest) {
        for name in &request.named {
            self.listen(id, request.kind, name);
        }
    }

    /// What a client was counted for is not to be.
    pub(crate) fn take_back_request(&mut self, request: MembershipRequest) {
        self.take_back(request.kind, request.changes);
    }

    /// Names of a kind a session listens to.
    pub(crate) fn interests_of(&self, id: SessionId, kind: Kind) -> Vec<Box<[u8]>> {
        let interests = self.session(id).and_then(|session| session.interests.as_deref());
        interests.into_iter().flat_map(|interests| interests.names(kind)).map(Into::into).collect()
    }

    /// A session listens to nothing of a kind any more, at once; it is counted for a while yet.
    pub(crate) fn abandon_interests(&mut self, id: SessionId, kinds: &[Kind]) {
        let Some(session) = self.session(id) else { return };
        let Some((leaving_kind, leaving)) = session.interests.as_deref().map(Interests::leaving)
        else {
            return;
        };
        for &kind in kinds {
            let mut names = self.interests_of(id, kind);
            for name in &names {
                self.listen_no_more(id, kind, name);
            }
            names.retain(|name| Some(kind) != leaving_kind || !leaving.contains(name));
            self.take_back(kind, names);
        }
    }

    /// Clients of this core are to be counted no more, one for each name.
    pub(super) fn take_back(&mut self, kind: Kind, names: Vec<Box<[u8]>>) {
        for name in names {
            if kind.is_everywhere(&name) {
                self.farewells.pending.push((kind, name));
            } else {
                self.forget(Observer::Listener(kind, name, self.id));
            }
        }
        self.send_farewells();
    }

    fn send_farewells(&mut self) {
        if self.farewells.is_under_way || self.farewells.pending.is_empty() {
            return;
        }
        self.farewells.is_under_way = true;
        let names = std::mem::take(&mut self.farewells.pending);
        let task = Farewell { core: self.id, names };
        self.begin_tour_unasked(TourKind::Gathering, Box::new(task));
    }
}

/// What clients that are gone had listened to, where every core counts it.
#[derive(Default)]
pub(super) struct Farewells {
    pending: Vec<(Kind, Box<[u8]>)>,
    is_under_way: bool,
}

/// Takes it back at every core. It stops nobody: that a client is gone shows when it shows.
struct Farewell {
    core: CoreId,
    names: Vec<(Kind, Box<[u8]>)>,
}

impl TourTask for Farewell {
    fn visit(&mut self, core: &mut Core) {
        for (kind, name) in &self.names {
            core.store.news.leave(*kind, name, self.core);
        }
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, _: &mut Reply<'_>) {
        core.farewells.is_under_way = false;
        core.send_farewells();
    }
}

/// Counts at every core.
pub(crate) struct MembershipTour(pub(crate) Box<MembershipRequest>);

impl TourTask for MembershipTour {
    fn visit(&mut self, core: &mut Core) {
        self.0.apply(&mut core.store);
    }

    fn finish(self: Box<Self>, core: &mut Core, session: SessionId, reply: &mut Reply<'_>) {
        core.confirm_membership(session, &self.0, reply);
    }
}

impl MembershipTour {
    /// The kind of tour it is.
    pub(crate) const KIND: TourKind = TourKind::Parking;
}
