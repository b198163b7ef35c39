//! What a command handler gets: its arguments, the place it works on, and a writer for its reply.

use std::sync::Arc;

use crate::acl::User;
use crate::arguments::Arguments;
use crate::command::Command;
use crate::commands::migrate::Departure;
use crate::commands::scan::Walk;
use crate::core::blocking::Block;
use crate::core::membership::MembershipRequest;
use crate::core::message::{Caller, Route};
use crate::core::session::Session;
use crate::core::tour::{TourKind, TourTask};
use crate::core::transaction::Transaction;
use crate::core::{Core, SessionId};
use crate::hash::HashSlot;
use crate::host::DurableMark;
use crate::key_waits::KeyWait;
use crate::reply::Reply;
use crate::store::{Access, Key, Store};
use crate::watches::Watcher;

/// What is left to do once the code of a command has run.
pub(crate) enum Sequel {
    /// It found nothing and waits; it is answered later.
    Waits(KeyWait),
    /// It reaches keys it does not name, in slots that are elsewhere, and has to run again.
    NeedsSlots(Vec<HashSlot>),
    /// It is a script that has to run again with all slots at hand.
    NeedsEverything,
    /// Its keys travel to another server; it goes on when they have arrived.
    Departs(Departure),
    /// It has its reply; its session watches keys from now on.
    Watches(Arc<Watcher>),
}

impl Sequel {
    /// Whether the command has its reply.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self, Self::Watches(_))
    }
}

/// A command on keys, at the core where all of them are.
pub struct Call<'a> {
    /// The keys.
    pub store: &'a mut Store,
    /// The row of the command.
    pub row: &'static Command,
    /// The command line, name first.
    pub arguments: Arguments<'a>,
    /// Who asks.
    pub caller: Caller,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// What is left to do, if anything is.
    pub(crate) sequel: Option<Box<Sequel>>,
    /// Whether the command may go on at another core, and with what it does.
    pub(crate) travel: Travel,
    route: Route,
}

/// Whether a command that walks over slots can go on where the next slot lives.
#[derive(Default)]
pub(crate) enum Travel {
    /// It has to answer with what it finds here.
    #[default]
    None,
    /// It may leave an `Onward` behind instead of a reply.
    Start,
    /// It goes on: comes along to the next core, where it is found here again.
    Onward(Box<Walk>),
}

impl<'a> Call<'a> {
    /// A call of `row` with all its slots in `store`.
    #[inline]
    pub fn new(
        store: &'a mut Store,
        row: &'static Command,
        arguments: Arguments<'a>,
        caller: Caller,
        route: Route,
        reply: Reply<'a>,
    ) -> Self {
        Self { store, row, arguments, caller, reply, sequel: None, travel: Travel::None, route }
    }

    /// The key at argument `index`, in the selected database. The slot and hash of a command's only
    /// key were worked out on the way here and are not computed again.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let name = self.arguments.at(index);
        match self.route {
            Route::One(slot, hash) => Key { name, db: self.caller.db, slot, hash },
            _ => self.store.key(self.caller.db, name),
        }
    }

    /// Whether the user who asks passes a test; so does the server itself, and nobody who is
    /// deleted by now. O(log users), and the test.
    pub fn is_allowed(&self, test: impl FnOnce(&User) -> bool) -> bool {
        let acl = self.store.acl();
        self.caller.user.is_none_or(|id| acl.by_id(id).is_some_and(|user| test(user)))
    }

    /// How reading a key on behalf of this client is noted.
    #[inline]
    pub fn read_access(&self) -> Access {
        if self.caller.no_touch { Access::ReadQuietly } else { Access::Read }
    }

    /// Lets the client wait for keys; the command, which has written nothing, is answered later.
    pub fn wait(&mut self, wait: KeyWait) {
        self.sequel = Some(Box::new(Sequel::Waits(wait)));
    }

    /// Has the command run again, from its start, with these slots at hand besides those of its
    /// keys. It must have changed and written nothing, and asks for more each time at most.
    pub fn need_slots(&mut self, slots: Vec<HashSlot>) {
        self.sequel = Some(Box::new(Sequel::NeedsSlots(slots)));
    }

    /// Says what the command did, in other words than its own: what the journal tells instead of
    /// it. May be called several times. Costs nothing while nobody listens, but for the words.
    #[inline]
    pub(crate) fn did(&mut self, key: Key<'_>, parts: &[&[u8]]) {
        if self.store.journal.is_on() {
            self.store.journal.replace(key.db, parts);
        }
    }

    /// Has the session of the client watch keys.
    pub fn watch(&mut self, watcher: Arc<Watcher>) {
        self.sequel = Some(Box::new(Sequel::Watches(watcher)));
    }

    /// Where the command was routed by.
    pub fn route(&self) -> Route {
        self.route
    }
}

/// A command on the connection or the server, at the core of the connection.
pub struct SessionCall<'a> {
    /// The core.
    pub core: &'a mut Core,
    /// The connection.
    pub session: SessionId,
    /// The command line, name first.
    pub arguments: Arguments<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    pub(crate) tour: Option<(TourKind, Box<dyn TourTask>)>,
    pub(crate) block: Option<Block>,
    /// What has to reach the disk before it goes on.
    pub(crate) mark: Option<Box<dyn DurableMark>>,
    pub(crate) transaction: Option<Box<Transaction>>,
    /// Channels the client begins or ends to listen to, whose slots have to be collected.
    pub(crate) membership: Option<(Box<MembershipRequest>, Vec<HashSlot>)>,
}

impl<'a> SessionCall<'a> {
    /// A call at `core` on behalf of `session`.
    pub(crate) fn new(
        core: &'a mut Core,
        session: SessionId,
        arguments: Arguments<'a>,
        reply: Reply<'a>,
    ) -> Self {
        Self {
            core,
            session,
            arguments,
            reply,
            tour: None,
            block: None,
            mark: None,
            transaction: None,
            membership: None,
        }
    }

    /// The session of the client.
    pub fn session(&mut self) -> &mut Session {
        self.core.session_mut(self.session).expect("a session is open while its command runs")
    }

    /// Lets the client wait; its command is answered when that is over.
    pub fn block(&mut self, block: Block) {
        self.block = Some(block);
    }

    /// The same, until something is on the disk.
    pub fn block_on_disk(&mut self, block: Block, mark: Box<dyn DurableMark>) {
        self.block = Some(block);
        self.mark = Some(mark);
    }

    /// Leaves the rest, the reply included, to a visit of all cores.
    pub fn tour(&mut self, kind: TourKind, task: impl TourTask + 'static) {
        assert!(self.tour.is_none(), "a command starts one tour");
        self.tour = Some((kind, Box::new(task)));
    }
}
