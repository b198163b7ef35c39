//! XADD and XTRIM: entries that come, and old ones that go.

use super::operand::integer;
use super::stream::reply_id;
use super::stream_id::{OpenId, id_at, open_id_at};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::settings::Settings;
use crate::store::{Access, Key};
use crate::stream::{AppendError, BlockLimit, References, Stream, StreamId, Threshold, Trim, fits};

/// How many blocks approximate trimming removes unless told otherwise.
const TRIMMED_BLOCKS_MAX: u64 = 100;

const TOO_LARGE: CommandError = CommandError::Fixed("ERR Elements are too large to be stored");

/// The id XADD gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewId {
    /// One by the clock.
    Any,
    /// As the argument says.
    Asked(OpenId),
}

/// What is asked of a stream that gets an entry or is trimmed.
struct Options {
    trim: Option<Trim>,
    makes_no_stream: bool,
    id: NewId,
    /// Index of the argument behind the id.
    next: usize,
}

/// The options of trimming while they are read.
#[derive(Default)]
struct TrimParser {
    threshold: Option<Threshold>,
    is_approximate: bool,
    limit: Option<usize>,
    references: Option<References>,
}

impl TrimParser {
    /// Reads the option at `index`. Returns the index behind it; `None` if it is something else.
    fn read(
        &mut self,
        arguments: Arguments<'_>,
        index: usize,
    ) -> Result<Option<usize>, CommandError> {
        let has_more = index + 1 < arguments.len();
        if has_more && (arguments.is(index, "maxlen") || arguments.is(index, "minid")) {
            return self.read_threshold(arguments, index).map(Some);
        }
        if has_more && arguments.is(index, "limit") {
            const NEGATIVE: CommandError =
                CommandError::Fixed("ERR The LIMIT argument must be >= 0.");
            let limit = usize::try_from(integer(arguments, index + 1)?);
            self.limit = Some(limit.map_err(|_| NEGATIVE)?);
            return Ok(Some(index + 2));
        }
        let Some(references) = references_at(arguments, index) else { return Ok(None) };
        if self.references.replace(references).is_some() {
            return Err(error::SYNTAX);
        }
        Ok(Some(index + 1))
    }

    fn read_threshold(
        &mut self,
        arguments: Arguments<'_>,
        index: usize,
    ) -> Result<usize, CommandError> {
        const TWO_THRESHOLDS: CommandError = CommandError::Fixed(
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        );
        const NEGATIVE: CommandError = CommandError::Fixed("ERR The MAXLEN argument must be >= 0.");
        if self.threshold.is_some() {
            return Err(TWO_THRESHOLDS);
        }
        let has_mark = index + 2 < arguments.len();
        self.is_approximate = has_mark && arguments.at(index + 1) == b"~";
        let is_exact = has_mark && arguments.at(index + 1) == b"=";
        let value = if self.is_approximate || is_exact { index + 2 } else { index + 1 };
        self.threshold = Some(if arguments.is(index, "maxlen") {
            let length = usize::try_from(integer(arguments, value)?);
            Threshold::Length(length.map_err(|_| NEGATIVE)?)
        } else {
            Threshold::Id(id_at(arguments, value)?)
        });
        Ok(value + 1)
    }

    fn finish(self, is_required: bool, settings: &Settings) -> Result<Option<Trim>, CommandError> {
        const LIMIT_ALONE: CommandError = CommandError::Fixed(
            "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        );
        const NO_THRESHOLD: CommandError =
            CommandError::Fixed("ERR syntax error, XTRIM must be called with a trimming strategy");
        const LIMIT_OF_EXACT: CommandError = CommandError::Fixed(
            "ERR syntax error, LIMIT cannot be used without the special ~ option",
        );
        if self.threshold.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return Err(LIMIT_ALONE);
        }
        if self.threshold.is_none() && is_required {
            return Err(NO_THRESHOLD);
        }
        if self.limit.is_some() && !self.is_approximate {
            return Err(LIMIT_OF_EXACT);
        }
        let limit = match self.limit {
            Some(limit) => limit,
            None if self.is_approximate => default_limit(settings),
            None => 0,
        };
        let references = self.references.unwrap_or_default();
        let is_approximate = self.is_approximate;
        Ok(self.threshold.map(|threshold| Trim { threshold, is_approximate, limit, references }))
    }
}

/// What is to become of references, if argument `index` says so.
pub(super) fn references_at(arguments: Arguments<'_>, index: usize) -> Option<References> {
    let words = [
        ("keepref", References::Keep),
        ("delref", References::Remove),
        ("acked", References::Spare),
    ];
    let (_, references) = words.into_iter().find(|(word, _)| arguments.is(index, word))?;
    Some(references)
}

/// Most entries approximate trimming removes when nothing is said.
fn default_limit(settings: &Settings) -> usize {
    match settings.stream_node_max_entries.saturating_mul(TRIMMED_BLOCKS_MAX) {
        0 => 10_000,
        entries => entries.min(1_000_000) as usize,
    }
}

fn block_limit(settings: &Settings) -> BlockLimit {
    BlockLimit {
        bytes_max: settings.stream_node_max_bytes,
        entries_max: settings.stream_node_max_entries,
    }
}

impl Options {
    /// Reads `XADD key [options] id`.
    fn of_add(arguments: Arguments<'_>, settings: &Settings) -> Result<Self, CommandError> {
        let mut parser = TrimParser::default();
        let mut makes_no_stream = false;
        let mut index = 2;
        let mut id = None;
        while id.is_none() && index < arguments.len() {
            if arguments.at(index) == b"*" {
                id = Some(NewId::Any);
                index += 1;
            } else if let Some(next) = parser.read(arguments, index)? {
                index = next;
            } else if arguments.is(index, "nomkstream") {
                makes_no_stream = true;
                index += 1;
            } else {
                id = Some(NewId::Asked(open_id_at(arguments, index)?));
                index += 1;
            }
        }
        let trim = parser.finish(false, settings)?;
        // Without an id nothing is left for fields either, which the caller finds.
        Ok(Self { trim, makes_no_stream, id: id.unwrap_or(NewId::Any), next: index })
    }
}

/// Reads `XTRIM key options`.
fn trim_of(arguments: Arguments<'_>, settings: &Settings) -> Result<Trim, CommandError> {
    let mut parser = TrimParser::default();
    let mut index = 2;
    while index < arguments.len() {
        index = parser.read(arguments, index)?.ok_or(error::SYNTAX)?;
    }
    Ok(parser.finish(true, settings)?.expect("it is required"))
}

/// The id of the next entry of a stream.
fn next_id(stream: &Stream, asked: NewId, now_ms: u64) -> Result<StreamId, CommandError> {
    const EXHAUSTED: CommandError = CommandError::Fixed(
        "ERR The stream has exhausted the last possible ID, unable to add more items",
    );
    let last = stream.log().last_id();
    let behind_last = last.next().ok_or(EXHAUSTED)?;
    match asked {
        NewId::Any if now_ms > last.ms => Ok(StreamId::new(now_ms, 0)),
        NewId::Any => Ok(behind_last),
        NewId::Asked(OpenId::Given(id)) => Ok(id),
        NewId::Asked(OpenId::NextOf(ms)) if ms != last.ms => Ok(StreamId::new(ms, 0)),
        NewId::Asked(OpenId::NextOf(_)) if behind_last.ms != last.ms => Err(NOT_GREATER),
        NewId::Asked(OpenId::NextOf(_)) => Ok(behind_last),
    }
}

const NOT_GREATER: CommandError = CommandError::Fixed(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);

/// XADD.
pub fn xadd(call: &mut Call<'_>) -> Outcome {
    const ZERO: CommandError =
        CommandError::Fixed("ERR The ID specified in XADD must be greater than 0-0");
    let options = Options::of_add(call.arguments, call.store.settings())?;
    let fields = call.arguments.from(options.next);
    if fields.len() < 2 || !fields.len().is_multiple_of(2) {
        return Err(error::wrong_arity(call.row.name));
    }
    if options.id == NewId::Asked(OpenId::Given(StreamId::MIN)) {
        return Err(ZERO);
    }
    add(call, options)
}

fn add(call: &mut Call<'_>, options: Options) -> Outcome {
    let arguments = call.arguments;
    let (key, now_ms) = (call.key(1), call.store.now().unix_ms().max(0) as u64);
    let limit = block_limit(call.store.settings());
    let pairs = (options.next..arguments.len()).step_by(2);
    let fields = pairs.map(move |index| (arguments.at(index), arguments.at(index + 1)));
    if !fits(fields.clone()) {
        return Err(TOO_LARGE);
    }
    let missing = if options.makes_no_stream { Missing::Skip } else { Missing::Create };
    let added = call.store.change_collection(key, missing, |stream: &mut Stream| {
        let id = next_id(stream, options.id, now_ms)?;
        stream.log_mut().append(id, fields, limit).map_err(|error| match error {
            AppendError::NotGreater => NOT_GREATER,
            AppendError::TooLarge => TOO_LARGE,
        })?;
        let trimmed = options.trim.map_or(0, |trim| stream.trim(trim));
        Ok::<_, CommandError>((id, trimmed))
    })?;
    let Some(added) = added else {
        call.reply.null();
        return Ok(());
    };
    let (id, trimmed) = added?;
    call.store.changed(key, Event::XAdd);
    if trimmed > 0 {
        call.store.changed_too(key, Event::XTrim);
    }
    if call.store.journal.is_on() {
        let trim = options.trim.filter(|_| trimmed > 0);
        journal_added(call, key, (id, options.next), trim)?;
    }
    reply_id(&mut call.reply, id);
    Ok(())
}

/// Tells the journal of an entry, whose fields begin at argument `first_field`, and of the trimming
/// that came with it.
fn journal_added(
    call: &mut Call<'_>,
    key: Key<'_>,
    (id, first_field): (StreamId, usize),
    trim: Option<Trim>,
) -> Outcome {
    let id = id.to_string();
    let stream = call.store.collection::<Stream>(key, Access::Peek)?;
    let length = stream.expect("it got an entry").log().len().to_string();
    let mut parts: Vec<&[u8]> = vec![b"XADD", key.name];
    let (inside, behind) = match trim {
        Some(trim) if trim.references == References::Keep => (true, None),
        trim => (false, trim),
    };
    if inside {
        parts.extend([b"MAXLEN".as_slice(), b"=", length.as_bytes()]);
    }
    parts.push(id.as_bytes());
    parts.extend(call.arguments.from(first_field));
    call.did(key, &parts);
    match behind {
        Some(trim) => journal_trimmed(call, key, trim),
        None => Ok(()),
    }
}

/// Tells the journal of trimming in exact terms. Where entries that are referred to were spared the
/// words of the client are as exact: the same blocks and references are there to be looked at.
fn journal_trimmed(call: &mut Call<'_>, key: Key<'_>, trim: Trim) -> Outcome {
    let stream = call.store.collection::<Stream>(key, Access::Peek)?;
    let log = stream.expect("a stream without entries stays").log();
    let length = log.len().to_string();
    match trim.references {
        References::Keep => {
            call.did(key, &[b"XTRIM", key.name, b"MAXLEN", b"=", length.as_bytes()]);
        }
        References::Remove => {
            call.did(key, &[b"XTRIM", key.name, b"MAXLEN", b"=", length.as_bytes(), b"DELREF"]);
        }
        References::Spare => {
            let threshold: [String; 2] = match trim.threshold {
                Threshold::Length(length) => ["MAXLEN".to_owned(), length.to_string()],
                Threshold::Id(id) => ["MINID".to_owned(), id.to_string()],
            };
            let limit = trim.limit.to_string();
            let mark: &[u8] = if trim.is_approximate { b"~" } else { b"=" };
            let [kind, value] = threshold.each_ref().map(String::as_bytes);
            let mut parts: Vec<&[u8]> = vec![b"XTRIM", key.name, kind, mark, value];
            if trim.is_approximate {
                parts.extend([b"LIMIT".as_slice(), limit.as_bytes()]);
            }
            parts.push(b"ACKED");
            call.did(key, &parts);
        }
    }
    Ok(())
}

/// XTRIM.
pub fn xtrim(call: &mut Call<'_>) -> Outcome {
    let trim = trim_of(call.arguments, call.store.settings())?;
    let key = call.key(1);
    let trimmed = call
        .store
        .change_collection(key, Missing::Skip, |stream: &mut Stream| stream.trim(trim))?
        .unwrap_or(0);
    if trimmed > 0 {
        call.store.changed(key, Event::XTrim);
        if call.store.journal.is_on() {
            journal_trimmed(call, key, trim)?;
        }
    }
    call.reply.integer(trimmed as i64);
    Ok(())
}
