//! XCLAIM and XAUTOCLAIM: pending entries that change hands.
//!
//! Both take a pending entry whose entry was deleted off the list instead of handing it over.

use super::stream::{no_such_group, reply_entry, reply_id};
use super::stream_id::{id_at, parse, range_start};
use super::stream_read::{journal_consumer, journal_pending, seen_consumer};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;
use crate::object::Missing;
use crate::store::{Access, Key, Store};
use crate::stream::{ConsumerId, Group, Log, Pending, Stream, StreamId};

/// How many pending entries XAUTOCLAIM looks at for each it may claim.
const ATTEMPTS_PER_CLAIM: usize = 10;

/// What the answer shows of a claimed entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Its id and fields; its count of deliveries rises.
    Entry,
    /// Its id only; nothing was delivered.
    Id,
}

/// How XCLAIM changes what it claims.
struct ClaimOptions {
    idle_ms_min: i64,
    /// The time of delivery to note, in milliseconds since 1970.
    delivered_ms: i64,
    deliveries: Option<u64>,
    /// Whether entries that are not pending become so.
    forces: bool,
    shown: Shown,
    last_id: StreamId,
}

type Parsed<T> = Result<T, CommandError>;

impl ClaimOptions {
    /// Reads the arguments from the least idle time on: the options, and the ids in front of them.
    fn parse(arguments: Arguments<'_>, store: &Store) -> Parsed<(Self, Vec<StreamId>)> {
        const BAD_IDLE_MIN: CommandError =
            CommandError::Fixed("ERR Invalid min-idle-time argument for XCLAIM");
        let mut options = Self {
            idle_ms_min: parse_integer(arguments.at(4)).ok_or(BAD_IDLE_MIN)?,
            delivered_ms: store.now().unix_ms(),
            deliveries: None,
            forces: false,
            shown: Shown::Entry,
            last_id: StreamId::MIN,
        };
        let ids: Vec<StreamId> = arguments.from(5).map_while(|text| parse(text, 0)).collect();
        let mut index = 5 + ids.len();
        while index < arguments.len() {
            index = options.read(arguments, index, store)?;
        }
        Ok((options, ids))
    }

    /// Reads the option at `index`. Returns the index behind it.
    fn read(&mut self, arguments: Arguments<'_>, index: usize, store: &Store) -> Parsed<usize> {
        let has_more = index + 1 < arguments.len();
        let value = |name: &str| {
            parse_integer(arguments.at(index + 1)).ok_or_else(|| {
                CommandError::worded(format!("ERR Invalid {name} option argument for XCLAIM"))
            })
        };
        // A time that makes no sense is taken for now: clocks of clients may be wrong. What a file
        // says is right, though the clock was set back since.
        let (now_ms, is_loading) = (store.now().unix_ms(), store.is_loading());
        let sensible = |ms: i64| if is_loading || (0..=now_ms).contains(&ms) { ms } else { now_ms };
        if arguments.is(index, "force") {
            self.forces = true;
            return Ok(index + 1);
        } else if arguments.is(index, "justid") {
            self.shown = Shown::Id;
            return Ok(index + 1);
        } else if has_more && arguments.is(index, "idle") {
            self.delivered_ms = sensible(now_ms.wrapping_sub(value("IDLE")?));
        } else if has_more && arguments.is(index, "time") {
            self.delivered_ms = sensible(value("TIME")?);
        } else if has_more && arguments.is(index, "retrycount") {
            self.deliveries = u64::try_from(value("RETRYCOUNT")?).ok();
        } else if has_more && arguments.is(index, "lastid") {
            self.last_id = id_at(arguments, index + 1)?;
        } else {
            let option = error::printable(arguments.at(index), 128);
            return Err(CommandError::worded(format!("ERR Unrecognized XCLAIM option '{option}'")));
        }
        Ok(index + 2)
    }

    /// Claims one entry, if it is there to be claimed.
    fn claim(&self, claimer: &mut Claimer<'_>, id: StreamId) {
        let pending = claimer.group.find_pending(id).copied();
        if !claimer.log.contains(id) {
            return claimer.drop_pending(id);
        }
        let before = match pending {
            Some(pending) if claimer.is_idle(&pending, self.idle_ms_min) => pending.deliveries,
            None if self.forces => 1,
            _ => return,
        };
        let risen = before.wrapping_add(u64::from(self.shown == Shown::Entry));
        claimer.take_over(id, self.delivered_ms, self.deliveries.unwrap_or(risen));
    }
}

/// A consumer that claims, and what came of it so far.
struct Claimer<'a> {
    group: &'a mut Group,
    log: &'a Log,
    consumer: ConsumerId,
    now_ms: i64,
    outcome: Claimed,
}

/// What came of claiming.
#[derive(Default)]
struct Claimed {
    makes_consumer: bool,
    /// Whether the group changed in any other way.
    changes: bool,
    ids: Vec<StreamId>,
    /// What is no longer pending, because the entry is gone.
    dropped: Vec<StreamId>,
    /// Where XAUTOCLAIM would go on; `0-0` at the end.
    next: StreamId,
}

impl<'a> Claimer<'a> {
    fn new(group: &'a mut Group, log: &'a Log, name: &[u8], now_ms: i64) -> Self {
        let (consumer, makes_consumer) = seen_consumer(group, name, now_ms);
        let outcome = Claimed { makes_consumer, ..Claimed::default() };
        Self { group, log, consumer, now_ms, outcome }
    }

    /// Whether an entry was delivered long enough ago.
    fn is_idle(&self, pending: &Pending, idle_ms_min: i64) -> bool {
        idle_ms_min <= 0 || self.now_ms.saturating_sub(pending.delivered_ms) >= idle_ms_min
    }

    fn take_over(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        let consumer = self.consumer;
        self.group.assign(Pending { id, delivered_ms, deliveries, consumer });
        self.group.consumer_mut(consumer).active_ms = Some(self.now_ms);
        self.outcome.ids.push(id);
        self.outcome.changes = true;
    }

    fn drop_pending(&mut self, id: StreamId) {
        if self.group.acknowledge(id) {
            self.outcome.dropped.push(id);
            self.outcome.changes = true;
        }
    }
}

/// Lets the consumer that the arguments name claim from the group they name.
fn claim_from(
    call: &mut Call<'_>,
    claim: impl FnOnce(&mut Claimer<'_>),
) -> Result<Claimed, CommandError> {
    let (arguments, now_ms) = (call.arguments, call.store.now().unix_ms());
    let (key, name, consumer) = (call.key(1), arguments.at(2), arguments.at(3));
    let claimed = call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
        stream.change_group(name, |group, log| {
            let mut claimer = Claimer::new(group, log, consumer, now_ms);
            claim(&mut claimer);
            claimer.outcome
        })
    })?;
    let claimed = claimed.flatten().ok_or_else(|| no_such_group(key.name, name))?;
    if claimed.makes_consumer {
        call.store.changed(key, Event::XGroupCreateConsumer);
        journal_consumer(call, key, name, consumer);
    }
    if claimed.changes {
        call.store.changed_quietly(key);
        // What is pending now may be what a reader waits for.
        call.store.tell_waiters(key);
        if call.store.journal.is_on() {
            journal_claimed(call, key, (name, consumer), &claimed)?;
        }
    }
    Ok(claimed)
}

/// Tells the journal what changed hands, and what is pending no more.
fn journal_claimed(
    call: &mut Call<'_>,
    key: Key<'_>,
    (name, consumer): (&[u8], &[u8]),
    claimed: &Claimed,
) -> Outcome {
    let stream = call.store.collection::<Stream>(key, Access::Peek)?;
    let group = stream.and_then(|stream| stream.group(name)).expect("it was claimed from");
    let ids = claimed.ids.iter();
    let pending: Vec<Pending> = ids.filter_map(|id| group.find_pending(*id).copied()).collect();
    let (last_id, entries_read) = (group.last_id(), group.entries_read());
    journal_pending(call, key, (name, consumer), &pending, last_id);
    if !claimed.dropped.is_empty() {
        let ids: Vec<String> = claimed.dropped.iter().map(StreamId::to_string).collect();
        let head: [&[u8]; 3] = [b"XACK", key.name, name];
        let parts: Vec<&[u8]> = head.into_iter().chain(ids.iter().map(String::as_bytes)).collect();
        call.did(key, &parts);
    }
    if pending.is_empty() {
        // LASTID may be all that has changed.
        let (id, read) = (last_id.to_string(), entries_read.map(|count| count.to_string()));
        let read = read.as_deref().unwrap_or("-1").as_bytes();
        let head: [&[u8]; 4] = [b"XGROUP", b"SETID", key.name, name];
        call.did(key, &[head.as_slice(), &[id.as_bytes(), b"ENTRIESREAD", read]].concat());
    }
    Ok(())
}

/// Answers with what was claimed.
fn reply_claimed(call: &mut Call<'_>, ids: &[StreamId], shown: Shown) -> Outcome {
    let stream = call.store.collection::<Stream>(call.key(1), Access::Peek)?;
    let log = stream.expect("something was claimed from it").log();
    call.reply.array_len(ids.len());
    for &id in ids {
        match shown {
            Shown::Id => reply_id(&mut call.reply, id),
            Shown::Entry => {
                let entry = log.get(id).expect("only entries that are there are claimed");
                reply_entry(&mut call.reply, entry);
            }
        }
    }
    Ok(())
}

/// XCLAIM.
pub fn xclaim(call: &mut Call<'_>) -> Outcome {
    let (key, name) = (call.key(1), call.arguments.at(2));
    let access = call.read_access();
    let stream = call.store.collection::<Stream>(key, access)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(no_such_group(key.name, name));
    }
    let (options, ids) = ClaimOptions::parse(call.arguments, call.store)?;
    let claimed = claim_from(call, |claimer| {
        claimer.outcome.changes = claimer.group.raise_last_id(options.last_id);
        ids.into_iter().for_each(|id| options.claim(claimer, id));
    })?;
    reply_claimed(call, &claimed.ids, options.shown)
}

/// What XAUTOCLAIM is asked for.
struct Sweep {
    idle_ms_min: i64,
    start: StreamId,
    count: usize,
    shown: Shown,
}

impl Sweep {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        const BAD_IDLE_MIN: CommandError =
            CommandError::Fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM");
        const BAD_COUNT: CommandError = CommandError::Fixed("ERR COUNT must be > 0");
        const COUNT_MAX: i64 = i64::MAX / 16;
        let idle_ms_min = parse_integer(arguments.at(4)).ok_or(BAD_IDLE_MIN)?;
        let start = range_start(arguments, 5)?;
        let mut sweep = Self { idle_ms_min, start, count: 100, shown: Shown::Entry };
        let mut index = 6;
        while index < arguments.len() {
            if arguments.is(index, "count") && index + 1 < arguments.len() {
                let count = parse_integer(arguments.at(index + 1));
                let count = count.filter(|count| (1..=COUNT_MAX).contains(count));
                sweep.count = count.ok_or(BAD_COUNT)? as usize;
                index += 2;
            } else if arguments.is(index, "justid") {
                sweep.shown = Shown::Id;
                index += 1;
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(sweep)
    }

    fn run(&self, claimer: &mut Claimer<'_>) {
        let mut next = Some(self.start);
        let mut attempts = self.count.saturating_mul(ATTEMPTS_PER_CLAIM);
        loop {
            let ahead = next.and_then(|id| claimer.group.pending_from(id).next().copied());
            let Some(pending) = ahead else { return };
            let done = claimer.outcome.ids.len() + claimer.outcome.dropped.len();
            if attempts == 0 || done == self.count {
                claimer.outcome.next = pending.id;
                return;
            }
            attempts -= 1;
            next = pending.id.next();
            if !claimer.log.contains(pending.id) {
                claimer.drop_pending(pending.id);
            } else if claimer.is_idle(&pending, self.idle_ms_min) {
                let risen = u64::from(self.shown == Shown::Entry);
                let deliveries = pending.deliveries.wrapping_add(risen);
                claimer.take_over(pending.id, claimer.now_ms, deliveries);
            }
        }
    }
}

/// XAUTOCLAIM.
pub fn xautoclaim(call: &mut Call<'_>) -> Outcome {
    let sweep = Sweep::parse(call.arguments)?;
    let access = call.read_access();
    call.store.collection::<Stream>(call.key(1), access)?;
    let claimed = claim_from(call, |claimer| sweep.run(claimer))?;
    call.reply.array_len(3);
    reply_id(&mut call.reply, claimed.next);
    reply_claimed(call, &claimed.ids, sweep.shown)?;
    call.reply.array_len(claimed.dropped.len());
    claimed.dropped.into_iter().for_each(|id| reply_id(&mut call.reply, id));
    Ok(())
}
