//! The replies of COMMAND, COMMAND INFO, DOCS, COUNT, LIST, GETKEYS, GETKEYSANDFLAGS and of the
//! HELP subcommand of every container.
//!
//! All of them only print rows. The order of fields, the kinds of reply (bulk or simple string,
//! array, set or map) and the error texts are those of Redis 7.2: clients parse them by position.
//! Nothing here is on a hot path; DOCS parses syntax lines and allocates.

use super::flags::flag;
use super::key_spec::{BeginSearch, FindKeys, KeyFlags, KeySpec};
use super::keys::ArgList;
use super::registry::{commands, lookup_full_name, lookup_line};
use super::reply::ReplyWriter;
use super::row::Command;
use super::syntax::{Argument, ArgumentType};
use super::{AclCategories, KeyRef};

/// GETKEYS was given the name of no command.
pub const INVALID_COMMAND: &str = "ERR Invalid command specified";
/// GETKEYS was given a command that never has keys.
pub const NO_KEY_ARGUMENTS: &str = "ERR The command has no key arguments";
/// GETKEYS was given a line that is too short or too long.
pub const INVALID_ARGUMENT_COUNT: &str = "ERR Invalid number of arguments specified for command";
/// GETKEYS was given a line in which the keys cannot be told.
pub const INVALID_ARGUMENTS: &str = "ERR Invalid arguments specified for command";
/// LIST was given something else than one filter.
pub const SYNTAX_ERROR: &str = "ERR syntax error";

/// COMMAND without arguments: every command. O(commands).
pub fn write_all_infos<W: ReplyWriter>(reply: &mut W) {
    reply.array_len(commands().len());
    for command in commands() {
        write_info(command, reply);
    }
}

/// COMMAND INFO: the commands named, null for unknown ones; every command if none is named.
pub fn write_infos<W: ReplyWriter, N: AsRef<[u8]>>(names: &[N], reply: &mut W) {
    if names.is_empty() {
        return write_all_infos(reply);
    }
    reply.array_len(names.len());
    for name in names {
        match lookup_full_name(name.as_ref()) {
            Some(command) => write_info(command, reply),
            None => reply.null(),
        }
    }
}

/// COMMAND DOCS: the commands named, without unknown ones; every command if none is named.
pub fn write_docs<W: ReplyWriter, N: AsRef<[u8]>>(names: &[N], reply: &mut W) {
    if names.is_empty() {
        return write_named_docs(commands().iter(), reply);
    }
    let found = names.iter().filter_map(|name| lookup_full_name(name.as_ref()));
    write_named_docs(found.collect::<Vec<_>>().into_iter(), reply);
}

/// COMMAND COUNT: subcommands are not counted.
pub fn write_count<W: ReplyWriter>(reply: &mut W) {
    reply.integer(commands().len() as i64);
}

/// Which commands COMMAND LIST shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFilter<'a> {
    /// All.
    None,
    /// Those of a module; there are no modules.
    Module,
    /// Those of an ACL category; none if the category is unknown.
    AclCategory(Option<AclCategories>),
    /// Those whose full name matches a glob pattern in any letter case.
    Pattern(&'a [u8]),
}

impl<'a> ListFilter<'a> {
    /// Reads what follows COMMAND LIST.
    ///
    /// # Errors
    ///
    /// [`SYNTAX_ERROR`] unless there is nothing or exactly one `FILTERBY kind argument`.
    pub fn parse<N: AsRef<[u8]>>(options: &'a [N]) -> Result<Self, &'static str> {
        let [filter_by, kind, argument] = options else {
            return if options.is_empty() { Ok(Self::None) } else { Err(SYNTAX_ERROR) };
        };
        let (kind, argument) = (kind.as_ref(), argument.as_ref());
        if !filter_by.as_ref().eq_ignore_ascii_case(b"filterby") {
            Err(SYNTAX_ERROR)
        } else if kind.eq_ignore_ascii_case(b"module") {
            Ok(Self::Module)
        } else if kind.eq_ignore_ascii_case(b"aclcat") {
            Ok(Self::AclCategory(AclCategories::from_name(argument)))
        } else if kind.eq_ignore_ascii_case(b"pattern") {
            Ok(Self::Pattern(argument))
        } else {
            Err(SYNTAX_ERROR)
        }
    }
}

/// COMMAND LIST: full names, subcommands included.
///
/// `matches` compares a glob pattern with a name without regard to letter case.
pub fn write_list<W: ReplyWriter>(
    filter: ListFilter<'_>,
    matches: impl Fn(&[u8], &[u8]) -> bool,
    reply: &mut W,
) {
    let passes = |command: &Command, name: &str| match filter {
        ListFilter::None => true,
        ListFilter::Module => false,
        ListFilter::AclCategory(None) => false,
        ListFilter::AclCategory(Some(category)) => command.categories.intersects(category),
        ListFilter::Pattern(pattern) => matches(pattern, name.as_bytes()),
    };
    let rows = commands().iter().flat_map(|row| std::iter::once(row).chain(row.subcommands));
    let names: Vec<String> = rows
        .map(|command| (command, command.full_name().to_string()))
        .filter(|(command, name)| passes(command, name))
        .map(|(_, name)| name)
        .collect();
    reply.array_len(names.len());
    for name in &names {
        bulk_text(name, reply);
    }
}

/// What COMMAND GETKEYS shows of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReply {
    /// GETKEYS: the name.
    Names,
    /// GETKEYSANDFLAGS: the name and how it is used.
    NamesAndFlags,
}

/// COMMAND GETKEYS and GETKEYSANDFLAGS: the keys of the command line `args`.
///
/// # Errors
///
/// The error to reply; nothing has been written then.
pub fn write_keys<W: ReplyWriter, A: ArgList + ?Sized>(
    args: &A,
    form: KeyReply,
    reply: &mut W,
) -> Result<(), &'static str> {
    let keys = keys_of_line(args)?;
    reply.array_len(keys.len());
    for key in keys {
        match form {
            KeyReply::Names => reply.bulk(args.get(key.index)),
            KeyReply::NamesAndFlags => {
                reply.array_len(2);
                reply.bulk(args.get(key.index));
                write_key_flags(key.flags, reply);
            }
        }
    }
    Ok(())
}

fn keys_of_line<A: ArgList + ?Sized>(args: &A) -> Result<Vec<KeyRef>, &'static str> {
    assert!(args.len() > 0, "a command line holds at least its name");
    let next = (args.len() > 1).then(|| args.get(1));
    let command = lookup_line(args.get(0), next).ok_or(INVALID_COMMAND)?;
    if !command.has_keys() {
        return Err(NO_KEY_ARGUMENTS);
    }
    if !command.accepts_argument_count(args.len()) {
        return Err(INVALID_ARGUMENT_COUNT);
    }
    let keys: Vec<_> = command.keys_of(args).into_iter().flatten().collect();
    if keys.is_empty() && !command.flags.contains(flag::NO_MANDATORY_KEYS) {
        return Err(INVALID_ARGUMENTS);
    }
    Ok(keys)
}

/// The HELP subcommand of a container: one line per subcommand, its summary below.
pub fn write_help<W: ReplyWriter>(container: &Command, reply: &mut W) {
    let name = container.name.to_ascii_uppercase();
    let mut lines =
        vec![format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    let (help, others): (Vec<&Command>, Vec<&Command>) =
        container.subcommands.iter().partition(|row| row.name == "help");
    for row in others {
        lines.push(format!("{} {}", row.name.to_ascii_uppercase(), row.syntax).trim_end().into());
        lines.push(format!("    {}", row.summary));
    }
    if !help.is_empty() {
        lines.push("HELP".into());
        lines.push("    Prints this help.".into());
    }
    reply.array_len(lines.len());
    for line in &lines {
        reply.simple(line);
    }
}

/// One entry of COMMAND INFO: ten fields, known by their position.
pub fn write_info<W: ReplyWriter>(command: &Command, reply: &mut W) {
    reply.array_len(10);
    bulk_text(&command.full_name().to_string(), reply);
    reply.integer(i64::from(command.arity));
    write_simple_set(command.flags.names(), reply);
    reply.integer(i64::from(command.legacy_range.first));
    reply.integer(i64::from(command.legacy_range.last));
    reply.integer(i64::from(command.legacy_range.step));
    let categories: Vec<_> = command.categories.names().map(|name| format!("@{name}")).collect();
    write_simple_set(categories.iter().map(String::as_str), reply);
    reply.set_len(command.tips.len());
    for tip in command.tips {
        bulk_text(tip, reply);
    }
    reply.set_len(command.key_specs.len());
    for spec in command.key_specs {
        write_key_spec(spec, reply);
    }
    if command.subcommands.is_empty() {
        return reply.set_len(0);
    }
    reply.array_len(command.subcommands.len());
    for subcommand in command.subcommands {
        write_info(subcommand, reply);
    }
}

fn write_key_spec<W: ReplyWriter>(spec: &KeySpec, reply: &mut W) {
    reply.map_len(if spec.note.is_empty() { 3 } else { 4 });
    if !spec.note.is_empty() {
        bulk_field("notes", spec.note, reply);
    }
    bulk_text("flags", reply);
    write_key_flags(spec.flags, reply);
    bulk_text("begin_search", reply);
    match spec.begin {
        BeginSearch::Unknown => write_step("unknown", &[], reply),
        BeginSearch::Index(index) => write_step("index", &[("index", index.into())], reply),
        BeginSearch::Keyword { keyword, start_from } => {
            write_step_head("keyword", 2, reply);
            bulk_field("keyword", keyword, reply);
            integer_field("startfrom", start_from.into(), reply);
        }
    }
    bulk_text("find_keys", reply);
    match spec.find {
        FindKeys::Unknown => write_step("unknown", &[], reply),
        FindKeys::Range { last_key, step, limit } => {
            let fields =
                [("lastkey", last_key.into()), ("keystep", step.into()), ("limit", limit.into())];
            write_step("range", &fields, reply);
        }
        FindKeys::KeyNumber { count_index, first_key, step } => {
            let fields = [
                ("keynumidx", count_index.into()),
                ("firstkey", first_key.into()),
                ("keystep", step.into()),
            ];
            write_step("keynum", &fields, reply);
        }
    }
}

/// One of the two steps of a key specification: its type and its numbers.
fn write_step<W: ReplyWriter>(kind: &str, fields: &[(&str, i64)], reply: &mut W) {
    write_step_head(kind, fields.len(), reply);
    for (name, value) in fields {
        integer_field(name, *value, reply);
    }
}

fn write_step_head<W: ReplyWriter>(kind: &str, field_count: usize, reply: &mut W) {
    reply.map_len(2);
    bulk_field("type", kind, reply);
    bulk_text("spec", reply);
    reply.map_len(field_count);
}

fn write_key_flags<W: ReplyWriter>(flags: KeyFlags, reply: &mut W) {
    write_simple_set(flags.names(), reply);
}

/// One entry of COMMAND DOCS: a map whose fields are left out where they say nothing.
pub fn write_doc<W: ReplyWriter>(command: &Command, reply: &mut W) {
    let arguments = command.arguments();
    let is_deprecated = command.deprecated.is_some();
    let optional_fields = [
        command.is_marked(),
        is_deprecated, // deprecated_since
        is_deprecated, // replaced_by
        !command.history.is_empty(),
        !arguments.is_empty(),
        !command.subcommands.is_empty(),
    ];
    reply.map_len(4 + optional_fields.iter().filter(|present| **present).count());
    bulk_field("summary", command.summary, reply);
    bulk_field("since", command.since, reply);
    bulk_field("group", command.group.name(), reply);
    bulk_field("complexity", command.complexity, reply);
    if command.is_marked() {
        bulk_text("doc_flags", reply);
        write_simple_set(command.marks(), reply);
    }
    if let Some(deprecation) = command.deprecated {
        bulk_field("deprecated_since", deprecation.since, reply);
        bulk_field("replaced_by", deprecation.replaced_by, reply);
    }
    if !command.history.is_empty() {
        bulk_text("history", reply);
        write_history(command.history, reply);
    }
    if !arguments.is_empty() {
        bulk_text("arguments", reply);
        write_arguments(&arguments, reply);
    }
    if !command.subcommands.is_empty() {
        bulk_text("subcommands", reply);
        write_named_docs(command.subcommands.iter(), reply);
    }
}

fn write_named_docs<'a, W: ReplyWriter>(
    rows: impl ExactSizeIterator<Item = &'a Command>,
    reply: &mut W,
) {
    reply.map_len(rows.len());
    for command in rows {
        bulk_text(&command.full_name().to_string(), reply);
        write_doc(command, reply);
    }
}

impl Command {
    /// The marks that COMMAND DOCS shows.
    fn marks(&self) -> impl Iterator<Item = &'static str> {
        let marks = [(self.deprecated.is_some(), "deprecated"), (self.system, "syscmd")];
        marks.into_iter().filter(|(present, _)| *present).map(|(_, name)| name)
    }

    fn is_marked(&self) -> bool {
        self.marks().next().is_some()
    }
}

fn write_history<W: ReplyWriter>(history: &[(&str, &str)], reply: &mut W) {
    reply.set_len(history.len());
    for (version, change) in history {
        reply.array_len(2);
        bulk_text(version, reply);
        bulk_text(change, reply);
    }
}

fn write_arguments<W: ReplyWriter>(arguments: &[Argument], reply: &mut W) {
    reply.array_len(arguments.len());
    for argument in arguments {
        write_argument(argument, reply);
    }
}

fn write_argument<W: ReplyWriter>(argument: &Argument, reply: &mut W) {
    let is_group = matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block);
    let flags: Vec<_> = argument.flags().collect();
    let optional_fields =
        [argument.key_spec_index.is_some(), argument.token.is_some(), !flags.is_empty()];
    // A group shows its members, everything else the text for the user.
    reply.map_len(3 + optional_fields.iter().filter(|present| **present).count());
    bulk_field("name", &argument.name, reply);
    bulk_field("type", argument.kind.name(), reply);
    if !is_group {
        bulk_field("display_text", &argument.name, reply);
    }
    if let Some(index) = argument.key_spec_index {
        integer_field("key_spec_index", index as i64, reply);
    }
    if let Some(token) = argument.token {
        bulk_field("token", token, reply);
    }
    if !flags.is_empty() {
        bulk_text("flags", reply);
        write_simple_set(flags.iter().copied(), reply);
    }
    if is_group {
        bulk_text("arguments", reply);
        write_arguments(&argument.members, reply);
    }
}

impl Argument {
    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (self.optional, "optional"),
            (self.multiple, "multiple"),
            (self.multiple_token, "multiple_token"),
        ];
        flags.into_iter().filter(|(present, _)| *present).map(|(_, name)| name)
    }
}

/// A set of simple strings: how flags of all kinds are shown.
fn write_simple_set<'a, W: ReplyWriter>(names: impl Iterator<Item = &'a str>, reply: &mut W) {
    let names: Vec<_> = names.collect();
    reply.set_len(names.len());
    for name in names {
        reply.simple(name);
    }
}

fn bulk_text<W: ReplyWriter>(text: &str, reply: &mut W) {
    reply.bulk(text.as_bytes());
}

fn bulk_field<W: ReplyWriter>(name: &str, value: &str, reply: &mut W) {
    bulk_text(name, reply);
    bulk_text(value, reply);
}

fn integer_field<W: ReplyWriter>(name: &str, value: i64, reply: &mut W) {
    bulk_text(name, reply);
    reply.integer(value);
}
