//! XREAD and XREADGROUP.
//!
//! A read has three steps: the arguments are parsed; positions such as `$` are resolved against
//! what the streams hold now; and [`serve`] answers with what lies behind those positions, or says
//! that there is nothing. Then the client waits, if it asked to: the positions are written into its
//! command, which is served by the last step again, from the streams that are at hand.

use smallvec::SmallVec;

use super::operand::integer;
use super::stream::{reply_entry, reply_id};
use super::stream_id::id_at;
use super::stream_idle::{self, IdleEntry};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::key_waits::KeyWait;
use crate::number::parse_integer;
use crate::object::Missing;
use crate::reply::{Protocol, Reply};
use crate::store::{Access, Key};
use crate::stream::{ConsumerId, Group, Log, Pending, Stream, StreamId};

/// On whose behalf XREADGROUP reads.
#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// Whether what is delivered becomes pending.
    acknowledges_later: bool,
    /// How long entries must have been pending for being claimed, in milliseconds, if it claims.
    idle_ms_min: Option<i64>,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    reader: Option<Reader<'a>>,
    /// Most entries of each stream.
    count: usize,
    /// How long to wait, 0 for ever; `None` not to wait.
    timeout_ms: Option<u64>,
    /// Index of the first key.
    first_key: usize,
    /// Number of keys, and of ids behind them.
    key_count: usize,
}

/// From where on a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Behind this id; for a group, among what its consumer has pending.
    Behind(StreamId),
    /// What no consumer of the group has got yet (`>`).
    New,
}

/// Which streams are read, as their place among those asked for, and from where on.
type Positions = SmallVec<[(usize, Position); 4]>;

/// What one stream has to give.
#[derive(Debug)]
struct Share {
    /// Index of the stream among those asked for.
    stream: usize,
    entries: Entries,
}

#[derive(Debug)]
enum Entries {
    /// So many from this id on.
    From(StreamId, usize),
    /// These, which a consumer had pending; some may be gone.
    Pending(Vec<StreamId>),
    /// These, which were claimed, and so many new ones from this id on.
    Claimed(Vec<IdleEntry>, StreamId, usize),
}

impl<'a> Request<'a> {
    fn parse(
        arguments: Arguments<'a>,
        is_group_read: bool,
        now_ms: i64,
    ) -> Result<Self, CommandError> {
        const NO_GROUP: CommandError =
            CommandError::Fixed("ERR Missing GROUP option for XREADGROUP");
        let mut request =
            Self { reader: None, count: usize::MAX, timeout_ms: None, first_key: 0, key_count: 0 };
        let (mut names, mut acknowledges_later, mut idle_ms_min) = (None, true, None);
        let mut index = 1;
        while request.first_key == 0 {
            let more = arguments.len().saturating_sub(index + 1);
            if arguments.is(index, "block") && more > 0 {
                request.timeout_ms = Some(timeout_ms(arguments, index + 1, now_ms)?);
                index += 2;
            } else if arguments.is(index, "count") && more > 0 {
                request.count = match usize::try_from(integer(arguments, index + 1)?) {
                    Ok(count) if count > 0 => count,
                    _ => usize::MAX,
                };
                index += 2;
            } else if arguments.is(index, "streams") && more > 0 {
                request.first_key = index + 1;
                request.key_count = key_count(more, is_group_read)?;
            } else if arguments.is(index, "group") && more > 1 {
                require_group_read("GROUP", is_group_read)?;
                names = Some((arguments.at(index + 1), arguments.at(index + 2)));
                index += 3;
            } else if arguments.is(index, "claim") && more > 0 {
                require_group_read("CLAIM", is_group_read)?;
                idle_ms_min = Some(stream_idle::idle_ms_min(arguments, index + 1)?);
                index += 2;
            } else if arguments.is(index, "noack") {
                require_group_read("NOACK", is_group_read)?;
                acknowledges_later = false;
                index += 1;
            } else {
                return Err(error::SYNTAX);
            }
        }
        if is_group_read {
            let (group, consumer) = names.ok_or(NO_GROUP)?;
            request.reader = Some(Reader { group, consumer, acknowledges_later, idle_ms_min });
        }
        Ok(request)
    }

    fn key<'c>(&self, call: &Call<'c>, stream: usize) -> Key<'c> {
        call.key(self.first_key + stream)
    }
}

/// How long `BLOCK` waits.
fn timeout_ms(arguments: Arguments<'_>, index: usize, now_ms: i64) -> Result<u64, CommandError> {
    const NO_INTEGER: CommandError =
        CommandError::Fixed("ERR timeout is not an integer or out of range");
    const NEGATIVE: CommandError = CommandError::Fixed("ERR timeout is negative");
    const TOO_LONG: CommandError = CommandError::Fixed("ERR timeout is out of range");
    let timeout_ms = parse_integer(arguments.at(index)).ok_or(NO_INTEGER)?;
    now_ms.checked_add(timeout_ms).ok_or(TOO_LONG)?;
    u64::try_from(timeout_ms).map_err(|_| NEGATIVE)
}

fn key_count(arguments: usize, is_group_read: bool) -> Result<usize, CommandError> {
    if arguments.is_multiple_of(2) {
        return Ok(arguments / 2);
    }
    let (name, mark) = if is_group_read { ("xreadgroup", '>') } else { ("xread", '$') };
    Err(CommandError::worded(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{mark}' must be \
         specified."
    )))
}

fn require_group_read(option: &str, is_group_read: bool) -> Outcome {
    if is_group_read {
        return Ok(());
    }
    Err(CommandError::worded(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

/// Finds out from where on each stream is to be read.
fn positions_of(call: &mut Call<'_>, request: &Request<'_>) -> Result<Positions, CommandError> {
    let streams = 0..request.key_count;
    streams.map(|stream| Ok((stream, position_of(call, request, stream)?))).collect()
}

fn position_of(
    call: &mut Call<'_>,
    request: &Request<'_>,
    stream: usize,
) -> Result<Position, CommandError> {
    let (arguments, access) = (call.arguments, call.read_access());
    let index = request.first_key + request.key_count + stream;
    let key = request.key(call, stream);
    let stream = call.store.collection::<Stream>(key, access)?;
    if let Some(reader) = request.reader {
        if stream.is_none_or(|stream| stream.group(reader.group).is_none()) {
            return Err(no_group(key.name, reader.group));
        }
        return group_position(arguments, index);
    }
    match arguments.at(index) {
        b"$" => Ok(Position::Behind(stream.map_or(StreamId::MIN, |stream| stream.log().last_id()))),
        b"+" => {
            let last = stream.map_or(StreamId::MIN, |stream| stream.log().last_entry_id());
            Ok(Position::Behind(last.previous().unwrap_or(StreamId::MIN)))
        }
        b">" => Err(CommandError::Fixed(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        _ => Ok(Position::Behind(id_at(arguments, index)?)),
    }
}

fn group_position(arguments: Arguments<'_>, index: usize) -> Result<Position, CommandError> {
    match arguments.at(index) {
        b">" => Ok(Position::New),
        mark @ (b"$" | b"+") => {
            let mark = char::from(mark[0]);
            Err(CommandError::worded(format!(
                "ERR The {mark} ID is meaningless in the context of XREADGROUP: you want to read \
                 the history of this consumer by specifying a proper ID, or use the > ID to get \
                 new messages. The {mark} ID would just return an empty result set."
            )))
        }
        _ => match id_at(arguments, index)? {
            // There is no history behind the greatest id; Redis uses it as another word for `>`.
            StreamId::MAX => Ok(Position::New),
            id => Ok(Position::Behind(id)),
        },
    }
}

fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (error::printable(key, 512), error::printable(group, 512));
    CommandError::worded(format!(
        "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option"
    ))
}

/// Answers with what the streams have to give; whether that was anything. Nothing is written if it
/// was not.
fn serve(
    call: &mut Call<'_>,
    request: &Request<'_>,
    positions: &Positions,
) -> Result<bool, CommandError> {
    let mut shares: SmallVec<[Share; 4]> = SmallVec::new();
    for &(stream, position) in positions {
        let share = match (request.reader, position) {
            (Some(reader), position) => deliver(call, request, reader, stream, position)?,
            (None, Position::Behind(id)) => share_of(call, request, stream, id)?,
            (None, Position::New) => unreachable!("only groups know what is new to them"),
        };
        shares.extend(share);
    }
    if shares.is_empty() {
        return Ok(false);
    }
    match call.reply.protocol() {
        Protocol::Resp2 => call.reply.array_len(shares.len()),
        Protocol::Resp3 => call.reply.map_len(shares.len()),
    }
    for share in shares {
        reply_share(call, request, share)?;
    }
    Ok(true)
}

/// What XREAD finds behind an id.
fn share_of(
    call: &mut Call<'_>,
    request: &Request<'_>,
    stream: usize,
    id: StreamId,
) -> Result<Option<Share>, CommandError> {
    let (key, access) = (request.key(call, stream), call.read_access());
    let found = call.store.collection::<Stream>(key, access)?;
    let (Some(found), Some(start)) = (found, id.next()) else { return Ok(None) };
    let count = found.log().range(start, StreamId::MAX).take(request.count).count();
    Ok((count > 0).then_some(Share { stream, entries: Entries::From(start, count) }))
}

/// Delivers what there is for a consumer, which is made if it is new.
fn deliver(
    call: &mut Call<'_>,
    request: &Request<'_>,
    reader: Reader<'_>,
    stream: usize,
    position: Position,
) -> Result<Option<Share>, CommandError> {
    let (key, now_ms) = (request.key(call, stream), call.store.now().unix_ms());
    let deliver = |group: &mut Group, log: &Log| {
        let (consumer, is_new) = seen_consumer(group, reader.consumer, now_ms);
        let entries = match position {
            Position::Behind(id) => {
                let start = id.next().unwrap_or(StreamId::MAX);
                let ids = deliver_again(group, log, consumer, start, request.count, now_ms);
                Some(Entries::Pending(ids))
            }
            Position::New => deliver_unread(group, log, (reader, consumer), request.count, now_ms),
        };
        (is_new, entries.map(|entries| Share { stream, entries }))
    };
    let delivered = call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
        stream.change_group(reader.group, deliver)
    })?;
    let Some((is_new, share)) = delivered.flatten() else {
        return Err(no_group(key.name, reader.group));
    };
    if is_new {
        call.store.changed(key, Event::XGroupCreateConsumer);
        journal_consumer(call, key, reader.group, reader.consumer);
    }
    if let Some(share) = &share {
        call.store.changed_quietly(key);
        if call.store.journal.is_on() {
            journal_share(call, key, reader, share)?;
        }
    }
    Ok(share)
}

/// Tells the journal of a consumer that was made on the way.
pub(super) fn journal_consumer(call: &mut Call<'_>, key: Key<'_>, group: &[u8], name: &[u8]) {
    call.did(key, &[b"XGROUP", b"CREATECONSUMER", key.name, group, name]);
}

/// Tells the journal what was delivered: how each entry is pending now, and up to where the group
/// has read.
fn journal_share(call: &mut Call<'_>, key: Key<'_>, reader: Reader<'_>, share: &Share) -> Outcome {
    let stream = call.store.collection::<Stream>(key, Access::Peek)?;
    let stream = stream.expect("something was delivered from it");
    let group = stream.group(reader.group).expect("it has delivered something");
    let log = stream.log();
    // What is read without acknowledgement may be pending for somebody who read it before; that
    // stays as it is.
    let pending_new = |start: StreamId, count: usize| {
        let count = if reader.acknowledges_later { count } else { 0 };
        log.range(start, StreamId::MAX).take(count).map(|entry| entry.id)
    };
    let (ids, is_new): (Vec<StreamId>, bool) = match &share.entries {
        Entries::From(start, count) => (pending_new(*start, *count).collect(), true),
        Entries::Pending(ids) => {
            (ids.iter().copied().filter(|id| log.contains(*id)).collect(), false)
        }
        Entries::Claimed(claimed, start, count) => {
            let ids = claimed.iter().map(|entry| entry.id);
            (ids.chain(pending_new(*start, *count)).collect(), *count > 0)
        }
    };
    let pending = ids.into_iter().filter_map(|id| group.find_pending(id).copied());
    let pending: Vec<Pending> = pending.collect();
    let (last_id, entries_read) = (group.last_id(), group.entries_read());
    if !is_new && pending.is_empty() {
        call.store.journal.retract();
    }
    journal_pending(call, key, (reader.group, reader.consumer), &pending, last_id);
    if is_new {
        let last_id = last_id.to_string();
        let entries_read = entries_read.map_or("-1".to_owned(), |count| count.to_string());
        let parts: [&[u8]; 7] = [
            b"XGROUP",
            b"SETID",
            key.name,
            reader.group,
            last_id.as_bytes(),
            b"ENTRIESREAD",
            entries_read.as_bytes(),
        ];
        call.did(key, &parts);
    }
    Ok(())
}

/// Tells the journal how entries are pending now.
pub(super) fn journal_pending(
    call: &mut Call<'_>,
    key: Key<'_>,
    (group, consumer): (&[u8], &[u8]),
    pending: &[Pending],
    last_id: StreamId,
) {
    let last_id = last_id.to_string();
    for pending in pending {
        let (id, time) = (pending.id.to_string(), pending.delivered_ms.to_string());
        let deliveries = pending.deliveries.to_string();
        let head: [&[u8]; 6] = [b"XCLAIM", key.name, group, consumer, b"0", id.as_bytes()];
        let state: [&[u8]; 4] = [b"TIME", time.as_bytes(), b"RETRYCOUNT", deliveries.as_bytes()];
        let manner: [&[u8]; 4] = [b"FORCE", b"JUSTID", b"LASTID", last_id.as_bytes()];
        call.did(key, &[head.as_slice(), &state, &manner].concat());
    }
}

/// The consumer of that name, made if there is none, and whether it was; it was seen now.
pub(super) fn seen_consumer(group: &mut Group, name: &[u8], now_ms: i64) -> (ConsumerId, bool) {
    match group.find_consumer(name) {
        Some(consumer) => {
            group.consumer_mut(consumer).seen_ms = now_ms;
            (consumer, false)
        }
        None => (group.create_consumer(name, now_ms).expect("there was none"), true),
    }
}

/// Delivers what a consumer asks for by `>`: what is idle, if it claims that, and what is new.
fn deliver_unread(
    group: &mut Group,
    log: &Log,
    (reader, consumer): (Reader<'_>, ConsumerId),
    count_max: usize,
    now_ms: i64,
) -> Option<Entries> {
    let claim =
        |idle_ms_min| stream_idle::claim(group, log, consumer, (idle_ms_min, count_max), now_ms);
    let claimed = reader.idle_ms_min.map(claim);
    let count_left = count_max - claimed.as_ref().map_or(0, Vec::len);
    let pending_for = reader.acknowledges_later.then_some(consumer);
    let (start, count) = deliver_new(group, log, pending_for, count_left, now_ms);
    match claimed {
        Some(claimed) if !claimed.is_empty() || count > 0 => {
            Some(Entries::Claimed(claimed, start, count))
        }
        None if count > 0 => Some(Entries::From(start, count)),
        _ => None,
    }
}

/// Delivers entries for the first time, if there are any. Returns how many, and from which id on.
fn deliver_new(
    group: &mut Group,
    log: &Log,
    pending_for: Option<ConsumerId>,
    count_max: usize,
    now_ms: i64,
) -> (StreamId, usize) {
    let Some(start) = group.last_id().next() else { return (StreamId::MAX, 0) };
    let mut count = 0;
    for entry in log.range(start, StreamId::MAX).take(count_max) {
        group.advance(entry.id, log);
        if let Some(consumer) = pending_for {
            group.assign(Pending { id: entry.id, delivered_ms: now_ms, deliveries: 1, consumer });
        }
        count += 1;
    }
    if let Some(consumer) = pending_for.filter(|_| count > 0) {
        group.consumer_mut(consumer).active_ms = Some(now_ms);
    }
    (start, count)
}

/// Delivers pending entries of a consumer once more. Returns which.
fn deliver_again(
    group: &mut Group,
    log: &Log,
    consumer: ConsumerId,
    start: StreamId,
    count_max: usize,
    now_ms: i64,
) -> Vec<StreamId> {
    let pending = group.consumer(consumer).pending_from(start);
    let ids: Vec<StreamId> = pending.take(count_max).collect();
    for &id in ids.iter().filter(|id| log.contains(**id)) {
        let old = *group.find_pending(id).expect("what a consumer has pending its group has");
        let deliveries = old.deliveries.wrapping_add(1);
        group.assign(Pending { delivered_ms: now_ms, deliveries, ..old });
    }
    ids
}

fn reply_share(call: &mut Call<'_>, request: &Request<'_>, share: Share) -> Outcome {
    let key = request.key(call, share.stream);
    let stream = call.store.collection::<Stream>(key, Access::Peek)?;
    let log = stream.expect("it had something to give").log();
    if call.reply.protocol() == Protocol::Resp2 {
        call.reply.array_len(2);
    }
    call.reply.bulk(key.name);
    match share.entries {
        Entries::From(start, count) => {
            call.reply.array_len(count);
            let entries = log.range(start, StreamId::MAX).take(count);
            entries.for_each(|entry| reply_entry(&mut call.reply, entry));
        }
        Entries::Pending(ids) => {
            call.reply.array_len(ids.len());
            ids.into_iter().for_each(|id| reply_pending(&mut call.reply, log, id));
        }
        Entries::Claimed(claimed, start, count) => {
            call.reply.array_len(claimed.len() + count);
            let entry_of = |id| log.get(id).expect("only entries that are there are claimed");
            for IdleEntry { id, idle_ms, deliveries } in claimed {
                stream_idle::reply(&mut call.reply, entry_of(id), idle_ms, deliveries);
            }
            let new = log.range(start, StreamId::MAX).take(count);
            new.for_each(|entry| stream_idle::reply(&mut call.reply, entry, 0, 0));
        }
    }
    Ok(())
}

/// Answers with an entry, or with null fields if it was deleted meanwhile.
fn reply_pending(reply: &mut Reply<'_>, log: &Log, id: StreamId) {
    match log.get(id) {
        Some(entry) => reply_entry(reply, entry),
        None => {
            reply.array_len(2);
            reply_id(reply, id);
            reply.null_array();
        }
    }
}

/// XREAD.
pub fn xread(call: &mut Call<'_>) -> Outcome {
    read(call, false)
}

/// XREADGROUP.
pub fn xreadgroup(call: &mut Call<'_>) -> Outcome {
    read(call, true)
}

fn read(call: &mut Call<'_>, is_group_read: bool) -> Outcome {
    let request = Request::parse(call.arguments, is_group_read, call.store.now_ms())?;
    let positions = positions_of(call, &request)?;
    if serve(call, &request, &positions)? {
        return Ok(());
    }
    match request.timeout_ms {
        Some(timeout_ms) => wait(call, &request, &positions, timeout_ms),
        None => call.reply.null_array(),
    }
    Ok(())
}

/// Lets the client wait for entries behind the positions.
fn wait(call: &mut Call<'_>, request: &Request<'_>, positions: &Positions, timeout_ms: u64) {
    let first_id = request.first_key + request.key_count;
    let resolved = positions.iter().filter_map(|(stream, position)| match position {
        Position::Behind(id) => Some((first_id + stream, id.to_string().into_bytes())),
        Position::New => None,
    });
    let resolved = resolved.collect();
    let (now, is_group_read) = (call.store.now(), request.reader.is_some());
    call.wait(KeyWait {
        keys: request.first_key..first_id,
        deadline_ms: (timeout_ms > 0).then(|| now.monotonic_ms_after(timeout_ms)),
        is_ready: if is_group_read { has_news } else { has_more },
        ready_at_ms: request.reader.and_then(|reader| reader.idle_ms_min).map(|_| NEXT_IDLE),
        serve: match is_group_read {
            true => |call, _| serve_waiting(call, true),
            false => |call, _| serve_waiting(call, false),
        },
        on_timeout: |reply| reply.null_array(),
        // A group that is gone cannot be waited for.
        wants_missing: is_group_read,
        companion: None,
        resolved,
    });
}

/// The request of a command that was let wait: it parses as it did then.
fn waiting_request<'a>(call: &Call<'a>, is_group_read: bool) -> Request<'a> {
    Request::parse(call.arguments, is_group_read, 0).expect("it was parsed when the wait began")
}

/// Whether the stream at an argument has what a waiting XREAD asked for.
fn has_more(call: &mut Call<'_>, index: usize) -> bool {
    let request = waiting_request(call, false);
    let stream = index - request.first_key;
    let position = position_of(call, &request, stream);
    let Ok(Position::Behind(id)) = position else { return false };
    matches!(share_of(call, &request, stream, id), Ok(Some(_)))
}

/// Whether the stream at an argument has news for a waiting XREADGROUP, or lost its group, which
/// is news as well.
fn has_news(call: &mut Call<'_>, index: usize) -> bool {
    let request = waiting_request(call, true);
    let reader = request.reader.expect("XREADGROUP has a reader");
    let key = request.key(call, index - request.first_key);
    let Ok(Some(stream)) = call.store.collection::<Stream>(key, Access::Peek) else { return true };
    let Some(group) = stream.group(reader.group) else { return true };
    let start = group.last_id().next();
    start.is_some_and(|start| stream.log().range(start, StreamId::MAX).next().is_some())
        || idle_in_ms(call, key, reader).is_some_and(|ms| ms <= 0)
}

/// For [`KeyWait::ready_at_ms`]: when the stream at an argument has an entry for a waiting
/// XREADGROUP to claim.
const NEXT_IDLE: fn(&mut Call<'_>, usize) -> Option<u64> = |call, index| {
    let request = waiting_request(call, true);
    let reader = request.reader.expect("XREADGROUP has a reader");
    let key = request.key(call, index - request.first_key);
    let in_ms = u64::try_from(idle_in_ms(call, key, reader)?.max(0)).expect("it is not negative");
    call.store.now().monotonic_ms().checked_add(in_ms)
};

/// In how many milliseconds the first pending entry has been idle for as long as the reader asks
/// for; negative if it is already. `None` if none will be, or the reader does not claim.
fn idle_in_ms(call: &mut Call<'_>, key: Key<'_>, reader: Reader<'_>) -> Option<i64> {
    let (idle_ms_min, now_ms) = (reader.idle_ms_min?, call.store.now_ms());
    // What is pending does not change, but how it is listed may.
    let first = call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
        stream.change_group(reader.group, |group, log| group.first_delivered_ms(log))
    });
    let delivered_ms = first.ok().flatten().flatten().flatten()?;
    delivered_ms.checked_add(idle_ms_min)?.checked_sub(now_ms)
}

/// Answers a command that waited with what the streams that are here have to give.
fn serve_waiting(call: &mut Call<'_>, is_group_read: bool) -> Outcome {
    let request = waiting_request(call, is_group_read);
    let mut positions = Positions::new();
    for stream in 0..request.key_count {
        if call.store.has_slot(request.key(call, stream).slot) {
            positions.push((stream, position_of(call, &request, stream)?));
        }
    }
    serve(call, &request, &positions).map(drop)
}
