//! ACL: users and their rules.
//!
//! Changes are made at the first core a parking tour visits, and put in force at each.

use std::sync::Arc;

use crate::acl::log::{self, Entry};
use crate::acl::{self, Acl, Selector, User};
use crate::call::SessionCall;
use crate::command::{self, AclCategories, commands};
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::number::parse_integer;
use crate::reply::Reply;

/// Entries ACL LOG shows where it is not said how many.
const LOG_COUNT_DEFAULT: i64 = 10;

/// Longest password ACL GENPASS makes, in bits.
const GENPASS_BITS_MAX: i64 = 4096;

/// Bits of a password of ACL GENPASS where it is not said how many.
const GENPASS_BITS_DEFAULT: i64 = 256;

const NO_FILE: CommandError = CommandError::Fixed(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users \
     via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
     configuration file set) in order to store users in the Redis configuration.",
);
const CANNOT_SAVE: CommandError = CommandError::Fixed(
    "ERR There was an error trying to save the ACLs. Please check the server logs for more \
     information",
);

/// ACL SETUSER.
pub fn setuser(call: &mut SessionCall<'_>) -> Outcome {
    let name = call.arguments.at(2);
    if name.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b)) {
        return Err(CommandError::Fixed("ERR Usernames can't contain spaces or null characters"));
    }
    change(call, Edit::Set(call.arguments.from(2).map(<[u8]>::to_vec).collect()))
}

/// ACL DELUSER.
pub fn deluser(call: &mut SessionCall<'_>) -> Outcome {
    change(call, Edit::Delete(call.arguments.from(2).map(<[u8]>::to_vec).collect()))
}

/// ACL LOAD.
pub fn load(call: &mut SessionCall<'_>) -> Outcome {
    let (name, text) = call.core.host.read_acl_file().ok_or(NO_FILE)?;
    let text = text.map_err(|reason| {
        CommandError::worded(format!("ERR Error loading ACLs, opening file '{name}': {reason}"))
    })?;
    change(call, Edit::Load { name, text })
}

/// ACL SAVE.
pub fn save(call: &mut SessionCall<'_>) -> Outcome {
    let mut text = Vec::new();
    for line in call.core.acl().lines() {
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    let written = call.core.host.write_acl_file(&text).ok_or(NO_FILE)?;
    written.map_err(|reason| {
        call.core.host.log_warning(&format!("Writing the ACL file for ACL SAVE: {reason}"));
        CANNOT_SAVE
    })?;
    call.reply.ok();
    Ok(())
}

/// A change of users.
enum Edit {
    /// Name and rules.
    Set(Vec<Vec<u8>>),
    /// Names.
    Delete(Vec<Vec<u8>>),
    /// A file in place of all users.
    Load { name: String, text: Vec<u8> },
}

impl Edit {
    /// The users that result, and how many were deleted.
    fn apply(&self, core: &Core) -> Result<(Acl, usize), CommandError> {
        let acl = core.acl();
        let all_channels = core.store.settings().acl_pubsub_default_all;
        match self {
            Self::Set(words) => {
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                Ok((acl.with_rules(words[0], &words[1..], all_channels)?, 0))
            }
            Self::Delete(names) => {
                let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
                acl.without(&names)
            }
            Self::Load { name, text } => {
                let loaded = acl.from_file(name, text, all_channels);
                let loaded =
                    loaded.map_err(|error| CommandError::worded(format!("ERR {error}")))?;
                Ok((loaded, 0))
            }
        }
    }
}

fn change(call: &mut SessionCall<'_>, edit: Edit) -> Outcome {
    let asker = call.session().client_id;
    call.tour(TourKind::Parking, Change { edit, asker, result: None });
    Ok(())
}

struct Change {
    edit: Edit,
    asker: u64,
    result: Option<Result<(Arc<Acl>, usize), CommandError>>,
}

impl TourTask for Change {
    fn changes_what_cores_share(&self) -> bool {
        true
    }

    fn visit(&mut self, core: &mut Core) {
        let edit = &self.edit;
        let result = self
            .result
            .get_or_insert_with(|| edit.apply(core).map(|(acl, count)| (Arc::new(acl), count)));
        if let Ok((acl, _)) = result {
            core.apply_acl(acl, self.asker);
        }
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        match (self.result.expect("a tour visits at least one core"), self.edit) {
            (Ok((_, deleted)), Edit::Delete(_)) => reply.integer(deleted as i64),
            (Ok(_), _) => reply.ok(),
            (Err(error), _) => {
                core.stats.count_error(&error);
                reply.error(&error);
            }
        }
    }
}

/// ACL GETUSER.
pub fn getuser(call: &mut SessionCall<'_>) -> Outcome {
    let user = call.core.acl().user(call.arguments.at(2)).map(Arc::clone);
    match user {
        Some(user) => write_user(&user, &mut call.reply),
        None => call.reply.null(),
    }
    Ok(())
}

fn write_user(user: &User, reply: &mut Reply<'_>) {
    let (root, others) = user.selectors().split_first().expect("a user has a root selector");
    reply.map_len(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set_len(flags.len());
    for flag in flags {
        reply.bulk(flag.as_bytes());
    }
    reply.bulk(b"passwords");
    let hashes = user.password_hashes();
    reply.array_len(hashes.len());
    for hash in hashes {
        reply.bulk(hash.as_bytes());
    }
    write_selector(root, reply);
    reply.bulk(b"selectors");
    reply.array_len(others.len());
    for selector in others {
        reply.map_len(3);
        write_selector(selector, reply);
    }
}

/// Three fields of a map.
fn write_selector(selector: &Selector, reply: &mut Reply<'_>) {
    reply.bulk(b"commands");
    reply.bulk(&selector.command_rules());
    reply.bulk(b"keys");
    reply.bulk(&selector.keys.text());
    reply.bulk(b"channels");
    reply.bulk(&selector.channels.text());
}

/// ACL LIST.
pub fn list(call: &mut SessionCall<'_>) -> Outcome {
    let acl = Arc::clone(call.core.acl());
    let lines = acl.lines();
    call.reply.array_len(lines.len());
    for line in lines {
        call.reply.bulk(&line);
    }
    Ok(())
}

/// ACL USERS.
pub fn users(call: &mut SessionCall<'_>) -> Outcome {
    let acl = Arc::clone(call.core.acl());
    let users = acl.users();
    call.reply.array_len(users.len());
    for user in users {
        call.reply.bulk(&user.name);
    }
    Ok(())
}

/// ACL WHOAMI.
pub fn whoami(call: &mut SessionCall<'_>) -> Outcome {
    let user = Arc::clone(call.session().user());
    call.reply.bulk(&user.name);
    Ok(())
}

/// ACL CAT.
pub fn cat(call: &mut SessionCall<'_>) -> Outcome {
    let names: Vec<String> = match call.arguments.len() {
        2 => AclCategories::all_names().iter().map(|name| (*name).to_owned()).collect(),
        3 => {
            let name = call.arguments.at(2);
            let category = AclCategories::from_name(name).ok_or_else(|| {
                let name = error::printable(name, 128);
                CommandError::worded(format!("ERR Unknown category '{name}'"))
            })?;
            commands()
                .iter()
                .flat_map(|row| std::iter::once(row).chain(row.subcommands))
                .filter(|row| row.categories.intersects(category))
                .map(|row| row.full_name().to_string())
                .collect()
        }
        _ => return Err(wrong_count(call)),
    };
    call.reply.array_len(names.len());
    for name in names {
        call.reply.bulk(name.as_bytes());
    }
    Ok(())
}

fn wrong_count(call: &SessionCall<'_>) -> CommandError {
    let subcommand = error::printable(call.arguments.at(1), 128);
    CommandError::worded(format!(
        "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try ACL HELP."
    ))
}

/// ACL GENPASS.
pub fn genpass(call: &mut SessionCall<'_>) -> Outcome {
    let bits = match call.arguments.len() {
        2 => GENPASS_BITS_DEFAULT,
        3 => parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?,
        _ => return Err(wrong_count(call)),
    };
    if !(1..=GENPASS_BITS_MAX).contains(&bits) {
        return Err(CommandError::worded(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a \
             positive number up to {GENPASS_BITS_MAX}"
        )));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    call.core.host.fill_with_secrets(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    call.reply.bulk(&text.as_bytes()[..digits]);
    Ok(())
}

/// ACL DRYRUN.
pub fn dryrun(call: &mut SessionCall<'_>) -> Outcome {
    let name = call.arguments.at(2);
    let user = call.core.acl().user(name).map(Arc::clone).ok_or_else(|| {
        CommandError::worded(format!("ERR User '{}' not found", error::printable(name, 128)))
    })?;
    let line = call.arguments.skip(3);
    let row = command::lookup_line(line.at(0), line.get(1)).ok_or_else(|| {
        let name = error::printable(line.at(0), 128);
        CommandError::worded(format!("ERR Command '{name}' not found"))
    })?;
    if !row.accepts_argument_count(line.len()) {
        return Err(error::wrong_arity(&row.full_name().to_string()));
    }
    match acl::check(&user, row, &line) {
        Ok(()) => call.reply.ok(),
        Err(denial) => call.reply.bulk(&denial.explanation(&user, row, &line)),
    }
    Ok(())
}

/// ACL LOG.
pub fn log(call: &mut SessionCall<'_>) -> Outcome {
    let count = match call.arguments.len() {
        2 => LOG_COUNT_DEFAULT,
        3 if call.arguments.is(2, "reset") => {
            call.tour(TourKind::Gathering, ResetLog);
            return Ok(());
        }
        3 => parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?,
        _ => return Err(wrong_count(call)),
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    call.tour(TourKind::Gathering, ShowLog { count, entries: Vec::new() });
    Ok(())
}

struct ResetLog;

impl TourTask for ResetLog {
    fn visit(&mut self, core: &mut Core) {
        core.acl_log().reset();
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}

struct ShowLog {
    count: usize,
    entries: Vec<Entry>,
}

impl TourTask for ShowLog {
    fn visit(&mut self, core: &mut Core) {
        self.entries.extend(core.acl_log().entries().cloned());
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        let count = self.count.min(core.store.settings().acllog_max_len);
        let entries = log::merge(self.entries, count);
        let now_ms = core.store.now_ms();
        reply.array_len(entries.len());
        for entry in entries {
            write_entry(&entry, now_ms, reply);
        }
    }
}

fn write_entry(entry: &Entry, now_ms: i64, reply: &mut Reply<'_>) {
    reply.map_len(10);
    reply.bulk(b"count");
    reply.integer(entry.count as i64);
    let texts: [(&str, &[u8]); 4] = [
        ("reason", entry.reason.name().as_bytes()),
        ("context", entry.context.name().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.user_name),
    ];
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double((now_ms - entry.updated_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.as_bytes());
    let numbers = [
        ("entry-id", entry.id as i64),
        ("timestamp-created", entry.created_ms),
        ("timestamp-last-updated", entry.updated_ms),
    ];
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
}
