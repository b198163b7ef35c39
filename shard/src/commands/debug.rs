//! DEBUG: what test suites and people in trouble need. Off unless `enable-debug-command` allows it.

use super::{debug_keys, reload};
use crate::call::SessionCall;
use crate::command::SessionHandler;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, CoreId, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::glob;
use crate::hash::HashSlot;
use crate::host::RewriteExtent;
use crate::number::{parse_double, parse_integer, parse_memory};
use crate::rdb::payload::ChecksumCheck;
use crate::reply::{Protocol, Reply};
use crate::table::Value;
use crate::types::Type;

/// One subcommand.
struct Subcommand {
    /// Its name and its arguments, as help shows them.
    usage: &'static str,
    /// Least number of arguments, DEBUG and its own name included.
    arguments_min: usize,
    handler: SessionHandler,
    help: &'static str,
}

impl Subcommand {
    fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }
}

const fn row(
    usage: &'static str,
    arguments_min: usize,
    handler: SessionHandler,
    help: &'static str,
) -> Subcommand {
    Subcommand { usage, arguments_min, handler, help }
}

/// In the order help tells them.
const SUBCOMMANDS: &[Subcommand] = &[
    row("AOF-FLUSH-SLEEP <us>", 3, delay_append_only, "Let writes to the AOF files take longer."),
    row("CONFIG-REWRITE-FORCE-ALL", 2, rewrite_all, "Write all directives into the file."),
    row("DIGEST", 2, debug_keys::digest, "Return a hash of all keys and values."),
    row(
        "DIGEST-VALUE <key> [<key> ...]",
        2,
        debug_keys::digest_value,
        "Return a hash of each value.",
    ),
    row("ERROR <text>", 3, reply_error, "Answer with this error."),
    row("HELP", 2, help, "Print this help."),
    row("LOADAOF", 2, reload::load_append_only, "Empty all databases, and load the AOF files."),
    row("LOG <text>", 3, log, "Write this text to the log."),
    row("MOVE-SLOT <slot> <core>", 4, move_slot, "Hand a hash slot to another core."),
    row("OBJECT <key>", 3, debug_keys::object, "Describe a key and its value."),
    row("PANIC", 2, panic_now, "End the process as a fault of the server would."),
    row("PAUSE-CRON <0|1>", 3, pause_cron, "Pause what is done without being asked for."),
    row("POPULATE <count> [<prefix> [<size>]]", 3, populate, "Make keys, named by numbers."),
    row("PROTOCOL <type>", 3, protocol, "Answer with an example of this type."),
    row(
        "QUICKLIST-PACKED-THRESHOLD <size>",
        3,
        quicklist_packed_threshold,
        "Give elements of lists from this size on nodes of their own; zero for the default.",
    ),
    row(
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        2,
        reload::reload,
        "Save, empty all databases, and load what was saved.",
    ),
    row(
        "REPLYBUFFER <RESIZING|PEAK-RESET-TIME> <value>",
        4,
        keep_reply_buffers,
        "Nothing: no client has a reply buffer of its own.",
    ),
    row("SET-ACTIVE-EXPIRE <0|1>", 3, set_active_expire, "Let expired keys be looked for or not."),
    row(
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        3,
        set_disable_deny_scripts,
        "Let scripts run what they otherwise may not, or not.",
    ),
    row(
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        3,
        set_skip_checksum_validation,
        "Let RESTORE take payloads whose checksum is wrong, or not.",
    ),
    row("SLEEP <seconds>", 3, sleep, "Stop the server for so long. Fractions are allowed."),
    row("SLOT-OWNER <slot>", 3, slot_owner, "Return the core that has a hash slot."),
    row("STRINGMATCH-LEN <length> <pattern>", 4, stringmatch, "Match letters against a pattern."),
];

/// DEBUG.
pub fn debug(call: &mut SessionCall<'_>) -> Outcome {
    let is_local = call.session().origin.is_local();
    if !call.core.store.settings().enable_debug_command.includes(is_local) {
        return Err(CommandError::Fixed(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
             \"local\", you can run it from a local connection, otherwise you need to set this \
             option in the configuration file, and then restart the server.",
        ));
    }
    let arguments = call.arguments;
    let found = SUBCOMMANDS
        .iter()
        .find(|row| arguments.is(1, row.name()) && arguments.len() >= row.arguments_min);
    match found {
        Some(row) => (row.handler)(call),
        None => {
            let name = error::printable(arguments.at(1), 128);
            Err(CommandError::worded(format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP."
            )))
        }
    }
}

fn integer(call: &SessionCall<'_>, index: usize) -> Result<i64, CommandError> {
    parse_integer(call.arguments.at(index)).ok_or(error::NOT_AN_INTEGER)
}

fn help(call: &mut SessionCall<'_>) -> Outcome {
    let reply = &mut call.reply;
    reply.array_len(1 + 2 * SUBCOMMANDS.len());
    reply.simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for row in SUBCOMMANDS {
        reply.simple(row.usage);
        reply.simple(&format!("    {}", row.help));
    }
    Ok(())
}

/// A change made at every core, answered with OK.
struct Everywhere<F>(F);

impl<F: FnMut(&mut Core) + Send> TourTask for Everywhere<F> {
    fn visit(&mut self, core: &mut Core) {
        (self.0)(core);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}

fn set_active_expire(call: &mut SessionCall<'_>) -> Outcome {
    let is_on = integer(call, 2)? != 0;
    switch_active_expiry(call, is_on)
}

fn set_disable_deny_scripts(call: &mut SessionCall<'_>) -> Outcome {
    let is_allowed = integer(call, 2)? != 0;
    call.tour(
        TourKind::Gathering,
        Everywhere(move |core: &mut Core| core.scripting.allows_everything = is_allowed),
    );
    Ok(())
}

fn set_skip_checksum_validation(call: &mut SessionCall<'_>) -> Outcome {
    let check = match integer(call, 2)? {
        0 => ChecksumCheck::Done,
        _ => ChecksumCheck::Skipped,
    };
    let set = move |core: &mut Core| core.store.payload_checksums = check;
    call.tour(TourKind::Gathering, Everywhere(set));
    Ok(())
}

/// What can be seen of a pause of the periodic work is that keys no longer expire by it, and that
/// nobody looks whether a signal asks for the end.
fn pause_cron(call: &mut SessionCall<'_>) -> Outcome {
    let is_paused = integer(call, 2)? != 0;
    let pause = move |core: &mut Core| {
        core.store.active_expiry = !is_paused;
        core.is_cron_paused = is_paused;
    };
    call.tour(TourKind::Gathering, Everywhere(pause));
    Ok(())
}

fn rewrite_all(call: &mut SessionCall<'_>) -> Outcome {
    super::config::write_file(call, RewriteExtent::Everything)
}

fn keep_reply_buffers(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.ok();
    Ok(())
}

fn switch_active_expiry(call: &mut SessionCall<'_>, is_on: bool) -> Outcome {
    call.tour(
        TourKind::Gathering,
        Everywhere(move |core: &mut Core| core.store.active_expiry = is_on),
    );
    Ok(())
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD size`. Elements that may be numbers share nodes all the same.
fn quicklist_packed_threshold(call: &mut SessionCall<'_>) -> Outcome {
    /// What nobody may ask for, being more than a value can hold.
    const TOO_MANY_BYTES: u64 = 1 << 32;
    let bytes = parse_memory(call.arguments.at(2)).filter(|bytes| *bytes < TOO_MANY_BYTES);
    let bytes = bytes.ok_or(CommandError::Fixed(
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    ))?;
    let bytes = if bytes == 0 { u64::MAX } else { bytes };
    call.tour(
        TourKind::Parking,
        Everywhere(move |core: &mut Core| core.store.large_element_bytes = bytes),
    );
    Ok(())
}

/// Stops every core, as it stops all of a server that has one thread.
fn sleep(call: &mut SessionCall<'_>) -> Outcome {
    let seconds = parse_double(call.arguments.at(2)).ok_or(error::NOT_A_FLOAT)?;
    let us = (seconds.clamp(0.0, 3600.0) * 1e6) as u64;
    let mut left = true;
    call.tour(
        TourKind::Parking,
        Everywhere(move |core: &mut Core| {
            // The other cores are parked, or will be once they come to look.
            if std::mem::take(&mut left) {
                core.host.sleep_us(us);
                if core.store.is_scripted {
                    // For a script time stands still.
                    return;
                }
                // Within a transaction this turn goes on, and what is to see is that time passed.
                let mut now = core.store.now();
                now.unix_us += us as i64;
                now.monotonic_us += us;
                core.store.set_now(now);
            }
        }),
    );
    Ok(())
}

fn delay_append_only(call: &mut SessionCall<'_>) -> Outcome {
    let us = integer(call, 2)?.clamp(0, 60_000_000) as u64;
    call.core.host.delay_append_only(us);
    call.reply.ok();
    Ok(())
}

fn log(call: &mut SessionCall<'_>) -> Outcome {
    let text = error::printable(call.arguments.at(2), 1024);
    call.core.host.log_warning(&format!("DEBUG LOG: {text}"));
    call.reply.ok();
    Ok(())
}

fn reply_error(call: &mut SessionCall<'_>) -> Outcome {
    Err(CommandError::worded(error::printable(call.arguments.at(2), 1024)))
}

fn panic_now(_: &mut SessionCall<'_>) -> Outcome {
    panic!("DEBUG PANIC was called");
}

/// One reply of each type of the protocol.
fn protocol(call: &mut SessionCall<'_>) -> Outcome {
    let kind = call.arguments.at(2).to_ascii_lowercase();
    let reply = &mut call.reply;
    match kind.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        // What suites expect here; that it is near a constant of nature is their joke.
        #[expect(clippy::approx_constant, reason = "the reply is fixed")]
        b"double" => reply.double(3.141),
        b"null" => reply.null(),
        b"array" => {
            reply.array_len(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set_len(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map_len(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.protocol() == Protocol::Resp3 {
                reply.attribute_len(1);
                reply.bulk(b"key-popularity");
                reply.array_len(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if reply.protocol() == Protocol::Resp2 {
                return Err(CommandError::Fixed("ERR RESP2 is not supported by this command"));
            }
            reply.push_len(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        _ => {
            return Err(CommandError::Fixed(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|\
                 false",
            ));
        }
    }
    Ok(())
}

fn stringmatch(call: &mut SessionCall<'_>) -> Outcome {
    let length = integer(call, 2)?.clamp(0, 1 << 20) as usize;
    let text = vec![b'a'; length];
    let found = glob::matches(call.arguments.at(3), &text, glob::Case::Sensitive);
    call.reply.integer(i64::from(found));
    Ok(())
}

/// `DEBUG POPULATE count [prefix [size]]`: keys `prefix:n` with values `value:n`, padded with
/// zero bytes or cut to `size`. Keys that are there already stay.
fn populate(call: &mut SessionCall<'_>) -> Outcome {
    let count = integer(call, 2)?.max(0) as u64;
    let prefix = call.arguments.get(3).unwrap_or(b"key").to_vec();
    let size = match call.arguments.get(4) {
        Some(_) => integer(call, 4)?.max(0) as usize,
        None => 0,
    };
    let db = call.session().db;
    call.tour(
        TourKind::Parking,
        Everywhere(move |core: &mut Core| populate_core(core, db, count, &prefix, size)),
    );
    Ok(())
}

fn populate_core(core: &mut Core, db: u32, count: u64, prefix: &[u8], size: usize) {
    let mut name = prefix.to_vec();
    name.push(b':');
    let prefix_len = name.len();
    for number in 0..count {
        name.truncate(prefix_len);
        name.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        let key = core.store.key(db, &name);
        if core.owner(key.slot) != core.id() || core.store.exists(key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        core.store.set(key, Type::String, Value::Bytes(&value), None);
    }
}

fn slot_argument(call: &SessionCall<'_>) -> Result<HashSlot, CommandError> {
    u16::try_from(integer(call, 2)?)
        .ok()
        .and_then(HashSlot::new)
        .ok_or(CommandError::Fixed("ERR Invalid or out of range slot"))
}

/// `DEBUG SLOT-OWNER slot`: the core that owns it.
fn slot_owner(call: &mut SessionCall<'_>) -> Outcome {
    let slot = slot_argument(call)?;
    call.reply.integer(i64::from(call.core.owner(slot).0));
    Ok(())
}

/// `DEBUG MOVE-SLOT slot core`: hands a slot to another core.
fn move_slot(call: &mut SessionCall<'_>) -> Outcome {
    let slot = slot_argument(call)?;
    let target = u16::try_from(integer(call, 3)?)
        .ok()
        .filter(|core| *core < call.core.core_count())
        .ok_or(CommandError::Fixed("ERR No such core"))?;
    call.tour(TourKind::Parking, MoveSlot { slot, target: CoreId(target) });
    Ok(())
}

struct MoveSlot {
    slot: HashSlot,
    target: CoreId,
}

impl TourTask for MoveSlot {
    fn visit(&mut self, _: &mut Core) {}

    fn moves(&self) -> Vec<(HashSlot, CoreId)> {
        vec![(self.slot, self.target)]
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}
