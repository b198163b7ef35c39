//! How news reaches clients: from the store where it came up, to the cores of those who want it,
//! into their output.
//!
//! # Order
//!
//! When a command is over, its core takes what the store has noted:
//!
//! * What is for clients of its own is delivered at once, behind the command's reply.
//! * What is for clients of the core the command came from travels with its reply, at its place
//!   among the replies of the batch. A batch of which some has run waits nowhere but goes home
//!   first, for news made meanwhile would overtake its replies.
//! * The rest is put into one bag for each other core. A bag leaves *before anything else* the core
//!   sends, and at the end of the turn: so whoever learns of an effect by whatever way (a reply, a
//!   slot that moved on) has the news of it ahead in the same inbox.
//!
//! For rule 2 of the order (see [`super`]) news that leaves is a command that leaves: before the
//! next local command of its session the core looks into its inbox.
//!
//! All messages of a channel come from whoever has its slot, one after the other, so all clients
//! see them in one order.
//!
//! # Bounds
//!
//! Each core says, now and then, how much it has delivered. A core that has [`BAGS_MAX`] bags or
//! [`BYTES_MAX`] bytes under way to another one is *congested*: it closes its gate, and whatever
//! works on keys (PUBLISH among it) waits there in line, as it does for a tour. Delivering waits
//! for nobody, so the gate opens again; clients that do not read are cut by their output limits.
//! Nothing is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::{Batch, Message};
use super::{Core, CoreId, SessionId};
use crate::glob::{self, Case};
use crate::interests::Kind;
use crate::news::{Notice, Publication};
use crate::reply::{Output, Protocol, Reply};

/// Bags one core may have under way to another before it closes its gate.
pub(super) const BAGS_MAX: u32 = 64;

/// Bytes one core may have under way to another before it closes its gate.
const BYTES_MAX: usize = 16 << 20;

/// Receipts are sent from so much on: a fraction of the above, so that they open the gate.
const RECEIPT_BAGS_MIN: u32 = BAGS_MAX / 4;
const RECEIPT_BYTES_MIN: usize = BYTES_MAX / 4;

/// Receipts one core may have under way to another, for the bags within the bounds.
pub(super) const RECEIPTS_MAX: usize = (BAGS_MAX / RECEIPT_BAGS_MIN) as usize + 1;

/// The client whose command made the news.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    /// Core of its connection.
    pub(super) core: CoreId,
    pub(super) session: SessionId,
    /// Where its reply will go, if it is still to come.
    pub(super) place: Option<u64>,
}

/// Something to be told, and whose command made it so.
pub(super) type News = (Option<Author>, Notice);

/// News for clients of the core that the commands come from which are running.
pub(super) struct Aboard {
    origin: CoreId,
    /// Which of the commands runs.
    index: usize,
    news: Vec<(usize, News)>,
}

/// News for clients of one core.
pub struct NewsBag {
    from: CoreId,
    items: Vec<News>,
    bytes: usize,
}

/// How much a core has delivered.
#[derive(Clone, Copy, Debug)]
pub struct NewsReceipt {
    from: CoreId,
    bags: u32,
    bytes: usize,
}

/// The way of news to and from one other core.
#[derive(Default)]
pub(super) struct Way {
    pending: Vec<News>,
    pending_bytes: usize,
    /// Sent and not known to be delivered.
    bags_out: u32,
    bytes_out: usize,
    /// Received, delivered, and not told to the sender.
    bags_in: u32,
    bytes_in: usize,
}

impl Way {
    fn is_congested(&self) -> bool {
        self.bags_out >= BAGS_MAX || self.bytes_out >= BYTES_MAX
    }

    fn owes_receipt(&self) -> bool {
        self.bags_in >= RECEIPT_BAGS_MIN || self.bytes_in >= RECEIPT_BYTES_MIN
    }
}

/// Keys that changed in this turn, by prefix, and who changed each last.
pub(super) type Broadcasts = BTreeMap<Box<[u8]>, BTreeMap<Arc<[u8]>, Option<(CoreId, SessionId)>>>;

impl Core {
    /// Sends a message to a core: after all news there is.
    pub(super) fn send(&mut self, to: CoreId, message: Message) {
        self.spread_pending(None);
        self.send_news();
        self.mesh.send(to, message);
    }

    /// Sees to the news of what was just done. To be called when a command is over and its reply
    /// is written.
    #[inline]
    pub(super) fn spread_pending(&mut self, author: Option<Author>) {
        if self.store.news.has_pending() {
            self.spread(author);
        }
    }

    #[cold]
    fn spread(&mut self, author: Option<Author>) {
        let difference = self.store.news.take_tracked_difference();
        self.shared.count_tracked_keys(difference);
        for (core, notice) in self.store.news.take_pending() {
            self.dispatch(core, author, notice);
        }
    }

    /// Delivers something here, or puts it into the bag for another core.
    pub(super) fn dispatch(&mut self, to: CoreId, author: Option<Author>, notice: Notice) {
        if let Some(aboard) = self.aboard.as_mut().filter(|aboard| aboard.origin == to) {
            return aboard.news.push((aboard.index, (author, notice)));
        }
        if to == self.id {
            return self.deliver_notice(author, notice);
        }
        let way = &mut self.ways[to.index()];
        self.ways_loaded += usize::from(way.pending.is_empty());
        way.pending_bytes += notice.bytes();
        way.pending.push((author, notice));
    }

    /// A command of a session was run here. If there is news of it for other cores, its next
    /// command follows something that was sent (see rule 2 of the order).
    #[inline]
    pub(super) fn note_news_sent(&mut self, id: SessionId) {
        if self.ways_loaded > 0
            && let Some(session) = self.session_mut(id)
        {
            session.sent_since_drain = true;
        }
    }

    /// Sends all bags that have something in them.
    #[inline]
    pub(super) fn send_news(&mut self) {
        if self.ways_loaded > 0 {
            self.send_loaded_ways();
        }
    }

    #[cold]
    fn send_loaded_ways(&mut self) {
        for index in 0..self.ways.len() {
            let way = &mut self.ways[index];
            if way.pending.is_empty() {
                continue;
            }
            let was_congested = way.is_congested();
            let items = std::mem::take(&mut way.pending);
            let bytes = std::mem::take(&mut way.pending_bytes);
            way.bags_out += 1;
            way.bytes_out += bytes;
            self.gate.congested_ways += usize::from(!was_congested && way.is_congested());
            let bag = NewsBag { from: self.id, items, bytes };
            self.mesh.send(CoreId(index as u16), Message::News(Box::new(bag)));
        }
        self.ways_loaded = 0;
    }

    /// Commands of `origin` are about to run, whose replies travel together: what is news there
    /// travels with them, so that each client sees replies and news in the order they came to be.
    pub(super) fn take_aboard(&mut self, origin: CoreId) {
        assert!(self.aboard.is_none(), "commands of one core run at a time");
        self.aboard = Some(Aboard { origin, index: 0, news: Vec::new() });
    }

    /// The command at `index` is about to run.
    #[inline]
    pub(super) fn set_aboard_index(&mut self, index: usize) {
        if let Some(aboard) = &mut self.aboard {
            aboard.index = index;
        }
    }

    /// They have run.
    pub(super) fn unload(&mut self) -> Vec<(usize, News)> {
        self.aboard.take().map_or_else(Vec::new, |aboard| aboard.news)
    }

    /// Sends the news of a batch whose command has not run after all ahead of it.
    pub(super) fn send_ahead(&mut self, batch: &mut Batch) {
        for (_, (author, notice)) in std::mem::take(&mut batch.news) {
            self.dispatch(batch.origin, author, notice);
        }
    }

    /// Delivers news that travelled with replies which are handed out.
    pub(super) fn deliver_all(&mut self, news: Vec<(usize, News)>) {
        for (_, (author, notice)) in news {
            self.deliver_notice(author, notice);
        }
    }

    /// The turn is over: sends what is left, and receipts.
    pub(super) fn end_turn_of_news(&mut self) {
        self.limit_remembered_reads();
        self.spread_pending(None);
        self.send_broadcasts();
        self.send_news();
        if std::mem::take(&mut self.owes_receipts) {
            self.send_receipts();
        }
    }

    fn send_receipts(&mut self) {
        for index in 0..self.ways.len() {
            let way = &mut self.ways[index];
            if !way.owes_receipt() {
                continue;
            }
            let bags = std::mem::take(&mut way.bags_in);
            let bytes = std::mem::take(&mut way.bytes_in);
            let receipt = NewsReceipt { from: self.id, bags, bytes };
            self.mesh.send(CoreId(index as u16), Message::NewsTaken(receipt));
        }
    }

    /// News from another core is here.
    pub(super) fn open_news(&mut self, bag: NewsBag) {
        self.hears_from = Some(bag.from);
        for (author, notice) in bag.items {
            self.deliver_notice(author, notice);
        }
        self.hears_from = None;
        let way = &mut self.ways[bag.from.index()];
        way.bags_in += 1;
        way.bytes_in += bag.bytes;
        self.owes_receipts |= way.owes_receipt();
    }

    /// Whether commands on keys wait here until other cores have delivered news of this one.
    pub fn is_congested(&self) -> bool {
        self.gate.is_congested()
    }

    /// Another core has delivered news of this one: the gate may open again.
    pub(super) fn take_receipt(&mut self, receipt: NewsReceipt) {
        let way = &mut self.ways[receipt.from.index()];
        let was_congested = way.is_congested();
        way.bags_out -= receipt.bags;
        way.bytes_out -= receipt.bytes;
        if was_congested && !way.is_congested() {
            self.gate.congested_ways -= 1;
            self.let_in_who_waits();
        }
    }

    pub(super) fn deliver_notice(&mut self, author: Option<Author>, notice: Notice) {
        match notice {
            Notice::Publication(publication) => self.deliver_publication(author, &publication),
            Notice::Changed { key, readers, is_by_author } => {
                for reader in readers {
                    self.invalidate_for(reader, author, is_by_author, Some(&key));
                }
            }
            Notice::AllChangedForAll { but } => self.invalidate_all_clients(but),
            Notice::AllChanged { reader } => self.invalidate_for(reader, author, false, None),
            Notice::ChangedInPrefix { key, is_by_author } => {
                let author = author.filter(|_| is_by_author);
                self.note_broadcast(&key, author.map(|author| (author.core, author.session)));
            }
            Notice::Redirected { to, on_behalf, keys } => {
                self.deliver_redirected(to, on_behalf, keys.as_deref());
            }
            Notice::RedirectionBroken { of } => self.break_redirection(of),
            Notice::Line { to, line } => self.deliver_line(to, &line),
        }
    }

    /// A message is here: to those who listen to its channel, then to those who listen to patterns
    /// it has.
    fn deliver_publication(&mut self, author: Option<Author>, publication: &Publication) {
        let Publication { is_shard, channel, payload } = publication;
        let (kind, verb) = match is_shard {
            true => (Kind::ShardChannel, "smessage"),
            false => (Kind::Channel, "message"),
        };
        let receivers: Vec<SessionId> = self.listeners.of(kind, channel).collect();
        self.push_to_all(author, &receivers, |reply| {
            reply.push_len(3);
            reply.bulk(verb.as_bytes());
            reply.bulk(channel);
            reply.bulk_shared(payload.clone());
        });
        if *is_shard {
            return;
        }
        let has_pattern = |pattern: &&[u8]| glob::matches(pattern, channel, Case::Sensitive);
        let patterns = self.listeners.names(Kind::Pattern).filter(has_pattern);
        let mut patterns: Vec<Box<[u8]>> = patterns.map(Into::into).collect();
        patterns.sort_unstable();
        for pattern in patterns {
            let receivers: Vec<SessionId> = self.listeners.of(Kind::Pattern, &pattern).collect();
            self.push_to_all(author, &receivers, |reply| {
                reply.push_len(4);
                reply.bulk(b"pmessage");
                reply.bulk(&pattern);
                reply.bulk(channel);
                reply.bulk_shared(payload.clone());
            });
        }
    }

    /// Pushes the same to many sessions; it is written once for each protocol.
    pub(super) fn push_to_all(
        &mut self,
        author: Option<Author>,
        receivers: &[SessionId],
        write: impl Fn(&mut Reply<'_>),
    ) {
        let mut written: [Option<Output>; 2] = [None, None];
        for &id in receivers {
            let own = author.filter(|author| author.core == self.id && author.session == id);
            let from = self.hears_from;
            let Some(session) = self.session_mut(id) else { continue };
            let protocol = session.protocol;
            let output =
                written[usize::from(protocol == Protocol::Resp3)].get_or_insert_with(|| {
                    let mut output = Output::default();
                    write(&mut Reply::new(&mut output, protocol));
                    output
                });
            let place = own.and_then(|author| author.place);
            session.push_output(place, from).append_range(output, 0, output.bytes.len());
            self.note_change(id);
        }
    }

    /// Remembers a changed key until the turn is over, for those whose prefixes it has.
    fn note_broadcast(&mut self, key: &Arc<[u8]>, author: Option<(CoreId, SessionId)>) {
        let has_prefix = |prefix: &&[u8]| key.starts_with(prefix);
        for prefix in self.listeners.names(Kind::Prefix).filter(has_prefix) {
            let keys = match self.broadcasts.get_mut(prefix) {
                Some(keys) => keys,
                None => self.broadcasts.entry(prefix.into()).or_default(),
            };
            keys.insert(Arc::clone(key), author);
        }
    }

    /// Sends one message for each prefix with all keys that changed in this turn.
    fn send_broadcasts(&mut self) {
        if self.broadcasts.is_empty() {
            return;
        }
        let broadcasts = std::mem::take(&mut self.broadcasts);
        for (prefix, keys) in broadcasts {
            let receivers: Vec<SessionId> = self.listeners.of(Kind::Prefix, &prefix).collect();
            for id in receivers {
                self.invalidate_keys_of_prefix(id, &keys);
            }
        }
    }
}
