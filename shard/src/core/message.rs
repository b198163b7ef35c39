//! What cores send each other.
//!
//! Every command that waits or travels is in one of three things: a [`Batch`] of commands, an
//! [`Envelope`] that collects the slots one command needs, or a [`Tour`] that visits every core.
//! Each is a box that is in exactly one place at any time (an inbox, a waiting queue, or being
//! worked on), so the number of boxes a core may have outside bounds every queue in the system.

use std::sync::Arc;

use crate::acl::UserId;
use crate::arguments::{ArgRange, Arguments};
use crate::call::Travel;
use crate::command::Command;
use crate::core::membership::MembershipRequest;
use crate::core::parcels::Bag;
use crate::core::spreading::{Author, News, NewsBag, NewsReceipt};
use crate::core::tour::Tour;
use crate::core::transaction::Execution;
use crate::core::{CoreId, SessionId};
use crate::hash::HashSlot;
use crate::key_waits::KeyWaiter;
use crate::reply::{Output, Protocol};
use crate::scripting::functions::Libraries;
use crate::slot::Slot;
use crate::slow_log::SlowCommand;
use crate::store::holding::Holding;
use crate::watches::Watcher;

/// Commands one batch carries at most.
pub const BATCH_COMMANDS_MAX: usize = 256;

/// A batch with this many bytes of arguments takes no further command.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// What of a client a command needs to know where it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// Selected database.
    pub db: u32,
    /// Protocol version of the reply.
    pub protocol: Protocol,
    /// `CLIENT NO-TOUCH`: reading leaves no trace in the LRU bits.
    pub no_touch: bool,
    /// Who it is logged in as; none for the server itself, which may do everything.
    pub user: Option<UserId>,
    /// `CLIENT TRACKING`: which keys it reads is to be remembered.
    pub tracks: bool,
}

/// How the keys of a command map to slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// No key: runs at the connection's core.
    Home,
    /// One key (or one slot): its slot and the hash of the key.
    One(HashSlot, u64),
    /// Several keys; their slots are worked out when needed.
    Many,
}

/// One command of a batch.
#[derive(Clone)]
pub struct BatchCommand {
    /// Whose command it is, at the batch's origin.
    pub session: SessionId,
    /// Which reply place of that session its reply belongs to.
    pub place: u64,
    /// Its row.
    pub row: &'static Command,
    /// Where its keys live.
    pub route: Route,
    /// Database, protocol and manners of the client.
    pub caller: Caller,
    /// Its arguments: this many ranges from this one on.
    pub ranges: (u32, u32),
    /// Where its reply ends in the batch's output, once it ran.
    pub reply_end: usize,
}

/// What the commands of a batch are to be run as.
#[derive(Default)]
pub enum Errand {
    /// One after the other, each on its own.
    #[default]
    Commands,
    /// The only one is not run but served, to this waiter.
    Service(Arc<KeyWaiter>),
    /// All of them in one, in an envelope.
    Transaction(Box<Execution>),
    /// The only one is not run; it makes a client listen to channels, or stop listening.
    Membership(Box<MembershipRequest>),
}

/// Commands on their way to the core that owns their slots, and their replies on the way back.
///
/// Commands run in order; `next` is the first that has not run. A batch that meets a slot which is
/// lent out waits as a whole, so nothing in it is overtaken; if some of it has run by then it goes
/// home first, so that no news overtakes a reply.
#[derive(Default)]
pub struct Batch {
    /// Core the commands came from and the replies go to.
    pub origin: CoreId,
    /// The commands.
    pub commands: Vec<BatchCommand>,
    /// Index of the first command that has not run yet.
    pub next: usize,
    /// Where it was when it was sent home.
    pub(super) ran_at: CoreId,
    /// Replies of the commands that ran.
    pub output: Output,
    /// How far the command has come, if it walks over slots; then it is the only one.
    pub(super) travel: Travel,
    /// Slots the command at `next` needs besides those of its keys.
    pub extra_slots: Vec<HashSlot>,
    /// The only command found nothing and waits for keys; its reply comes another way.
    pub waiter: Option<Arc<KeyWaiter>>,
    /// The only command has made its session watch keys.
    pub watcher: Option<Arc<Watcher>>,
    /// What the commands are to be run as.
    pub errand: Errand,
    /// Commands that were slow on another core, for the log at home.
    pub(super) slow: Vec<(SessionId, SlowCommand)>,
    /// News for clients of the origin, each behind the reply of the command at this index.
    pub(super) news: Vec<(usize, News)>,
    bytes: Vec<u8>,
    ranges: Vec<ArgRange>,
}

impl Batch {
    /// Takes a copy of a command.
    pub fn push(
        &mut self,
        session: SessionId,
        place: u64,
        row: &'static Command,
        route: Route,
        caller: Caller,
        arguments: Arguments<'_>,
    ) {
        let first = self.ranges.len() as u32;
        arguments.copy_to(&mut self.bytes, &mut self.ranges);
        let ranges = (first, arguments.len() as u32);
        let command = BatchCommand { session, place, row, route, caller, ranges, reply_end: 0 };
        self.commands.push(command);
    }

    /// Bytes of all arguments.
    pub fn argument_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Memory the commands take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.ranges.capacity() * size_of::<ArgRange>()
            + self.commands.capacity() * size_of::<BatchCommand>()
    }

    /// Whether the batch should be sent before it takes another command.
    pub fn is_full(&self) -> bool {
        self.commands.len() >= BATCH_COMMANDS_MAX || self.bytes.len() >= BATCH_BYTES_MAX
    }

    /// Arguments of command `index` and, apart from them, the output.
    pub fn arguments_and_output(&mut self, index: usize) -> (Arguments<'_>, &mut Output) {
        let (first, count) = self.commands[index].ranges;
        let ranges = &self.ranges[first as usize..(first + count) as usize];
        (Arguments::new(&self.bytes, ranges), &mut self.output)
    }

    /// Arguments of command `index`.
    pub fn arguments(&self, index: usize) -> Arguments<'_> {
        let (first, count) = self.commands[index].ranges;
        Arguments::new(&self.bytes, &self.ranges[first as usize..(first + count) as usize])
    }

    /// Who command `index` is of, for news of what it does.
    pub(super) fn author_of(&self, index: usize) -> Author {
        let command = &self.commands[index];
        Author { core: self.origin, session: command.session, place: Some(command.place) }
    }

    /// The author of news that came up with command `index`, as its replies are handed out: news
    /// of that command may stand right behind its reply. A waiting client that was served in
    /// passing gets its reply by another way, and its news stays behind the place of that.
    pub(super) fn author_when_handed_out(&self, index: usize, author: Author) -> Author {
        let command = &self.commands[index];
        let is_own = author.session == command.session && author.place == Some(command.place);
        if is_own { Author { place: None, ..author } } else { author }
    }

    /// Notes that the command at `next` has written its whole reply.
    pub fn advance(&mut self) {
        self.commands[self.next].reply_end = self.output.bytes.len();
        self.travel = Travel::None;
        self.extra_slots.clear();
        self.next += 1;
    }

    /// Forgets the commands that ran and what came of them.
    pub(super) fn drop_done(&mut self) {
        self.commands.drain(..self.next);
        self.output.clear();
        self.news.clear();
        self.next = 0;
    }

    /// Whether all commands ran.
    pub fn is_done(&self) -> bool {
        self.next == self.commands.len()
    }

    /// Empties the batch for its next use. Memory above what a full batch needs is given back.
    pub fn reset(&mut self) {
        self.commands.clear();
        self.ranges.clear();
        self.bytes.clear();
        self.output.clear();
        self.travel = Travel::None;
        self.extra_slots.clear();
        self.waiter = None;
        self.watcher = None;
        self.errand = Errand::Commands;
        self.slow.clear();
        self.news.clear();
        self.next = 0;
        self.bytes.shrink_to(BATCH_BYTES_MAX);
        self.output.bytes.shrink_to(BATCH_BYTES_MAX);
        self.ranges.shrink_to(8 * BATCH_COMMANDS_MAX);
    }
}

/// One command that needs slots of several cores, and the slots it has collected so far.
///
/// It visits the owners of `wanted` in ascending order of (core, slot), takes each slot out as soon
/// as it is its turn there, and runs on the last of them with all slots at hand. It has executed
/// nothing until then, so it may be sent back at any time.
pub struct Envelope {
    /// The command at `batch.next`; the ones after it follow when it is done.
    pub batch: Box<Batch>,
    /// Slots to collect, ascending by (owner when it set out, slot).
    pub wanted: Vec<HashSlot>,
    /// Slots collected, with the core each belongs to: a prefix of `wanted`.
    pub held: Vec<(HashSlot, CoreId, Box<Slot>)>,
}

/// What a core that was parked gets at the end.
pub struct Release {
    /// Slots that move here.
    pub slots: Vec<(HashSlot, Box<Slot>)>,
    /// The slots of this core, if the tour took them with it.
    pub holding: Option<Box<Holding>>,
    /// Libraries of functions that all cores have from now on, if the tour has brought others.
    pub libraries: Option<Arc<Libraries>>,
}

/// A message between two cores.
pub enum Message {
    /// Commands to run.
    Batch(Box<Batch>),
    /// A batch that is done, back at its origin.
    Answer(Box<Batch>),
    /// A batch back at its origin because the slot of its next command lives elsewhere.
    Bounced(Box<Batch>),
    /// A command collecting its slots.
    Envelope(Box<Envelope>),
    /// Slots coming home after an envelope ran (or had to start again).
    Home(Vec<(HashSlot, Box<Slot>)>),
    /// A visit to all cores.
    Tour(Box<Tour>),
    /// The tour that parked this core is over; what it brings comes along.
    Release(Release),
    /// A tour back at its origin.
    TourDone(Box<Tour>),
    /// Memory is short, and the receiver has the coldest keys. At most one per inbox.
    Evict,
    /// Clients weigh too much, and the receiver has some that have to go. At most one per inbox.
    EndClients,
    /// Replies and notes that concern clients which wait for keys.
    Bag(Box<Bag>),
    /// Such a bag back where it came from, empty.
    BagBack(Box<Bag>),
    /// What clients of the receiver are to be told.
    News(Box<NewsBag>),
    /// How much of that the sender has delivered since it last said so.
    NewsTaken(NewsReceipt),
}
