//! The replies of COMMAND that do not need a server to compare with.

use basalt_shard::command::docs::{
    INVALID_ARGUMENT_COUNT, INVALID_ARGUMENTS, INVALID_COMMAND, KeyReply, ListFilter,
    NO_KEY_ARGUMENTS, SYNTAX_ERROR, write_docs, write_help, write_infos, write_keys, write_list,
};
use basalt_shard::command::{Argument, commands, lookup};

use crate::value::{TreeWriter, Value};
use crate::{registered_rows, words, written};

/// What GETKEYS replies once the command has code; before, it is unknown.
fn once_built(line: &str, reply: Result<Value, &'static str>) -> Result<Value, &'static str> {
    let row = written::row_of_line(&words(line)).expect("a row");
    if written::is_built(row) { reply } else { Err(INVALID_COMMAND) }
}

fn get_keys(line: &str, form: KeyReply) -> Result<Value, &'static str> {
    let args = words(line);
    let mut reply = TreeWriter::default();
    write_keys(args.as_slice(), form, &mut reply)?;
    Ok(reply.finish())
}

#[test]
fn getkeys_refuses_what_it_cannot_answer() {
    for (line, error) in [
        ("nothing", INVALID_COMMAND),
        ("object nothing key", INVALID_COMMAND),
        ("ping", NO_KEY_ARGUMENTS),
        ("config get x", NO_KEY_ARGUMENTS),
        ("get", INVALID_ARGUMENT_COUNT),
        ("get a b", INVALID_ARGUMENT_COUNT),
        ("msetex 5 a 1", INVALID_ARGUMENTS),
    ] {
        assert_eq!(get_keys(line, KeyReply::Names), Err(error), "{line}");
    }
}

/// Shard channels are no keys, and a script may have none, which is no error.
#[test]
fn getkeys_answers_commands_as_they_are_built() {
    let empty = || Ok(Value::Array(Vec::new()));
    for (line, reply) in [
        ("spublish channel message", Err(NO_KEY_ARGUMENTS)),
        ("zunionstore d 5 a", Err(INVALID_ARGUMENTS)),
        ("eval script 0", empty()),
        ("eval script x k", empty()),
    ] {
        assert_eq!(get_keys(line, KeyReply::Names), once_built(line, reply), "{line}");
    }
}

#[test]
fn getkeysandflags_pairs_names_with_flags() {
    let reply = get_keys("rename a b", KeyReply::NamesAndFlags).expect("keys");
    let pairs: Vec<_> = reply
        .items()
        .iter()
        .map(|pair| (pair.items()[0].text(), pair.items()[1].texts()))
        .collect();
    assert_eq!(pairs, [("a", vec!["RW", "access", "delete"]), ("b", vec!["OW", "update"])]);
}

#[test]
fn info_has_null_for_strangers_and_docs_leave_them_out() {
    let infos = TreeWriter::collect(|reply| write_infos(&["get", "nothing"], reply));
    assert_eq!(infos.items()[0].items().len(), 10);
    assert_eq!(infos.items()[1], Value::Null);
    let docs = TreeWriter::collect(|reply| write_docs(&["get", "nothing"], reply));
    assert!(docs.field("get").is_some() && docs.field("nothing").is_none());
    let all = TreeWriter::collect(|reply| write_infos::<_, &str>(&[], reply));
    assert_eq!(all.items().len(), commands().len());
}

fn list(options: &str) -> Result<Vec<String>, &'static str> {
    let options = words(options);
    let filter = ListFilter::parse(&options)?;
    let prefix = |pattern: &[u8], name: &[u8]| name.starts_with(pattern);
    let reply = TreeWriter::collect(|reply| write_list(filter, prefix, reply));
    Ok(reply.texts().into_iter().map(str::to_owned).collect())
}

#[test]
fn list_filters() {
    assert_eq!(list("").expect("all").len(), registered_rows().count());
    assert_eq!(list("FILTERBY module none"), Ok(Vec::new()));
    assert_eq!(list("filterby ACLCAT nothing"), Ok(Vec::new()));
    let hyperloglogs = ["pfadd", "pfcount", "pfdebug", "pfmerge", "pfselftest"];
    assert_eq!(list("filterby aclcat HyperLogLog").expect("a list"), hyperloglogs);
    assert_eq!(list("filterby pattern config|g"), Ok(vec!["config|get".to_owned()]));
    for wrong in ["filterby", "filterby pattern", "filterby nothing x", "x y z", "a b c d"] {
        assert_eq!(list(wrong), Err(SYNTAX_ERROR), "{wrong}");
    }
}

#[test]
fn help_lists_every_subcommand() {
    let container = lookup(b"object").expect("a row");
    let help = TreeWriter::collect(|reply| write_help(container, reply));
    let lines = help.texts();
    assert_eq!(lines[0], "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    assert_eq!(lines[1], "ENCODING key");
    assert_eq!(lines[lines.len() - 2..], ["HELP", "    Prints this help."]);
    assert_eq!(lines.len(), 1 + 2 * container.subcommands.len());
}

/// A tree in one line: `name:type "token" #spec flags{members}`.
fn draw(arguments: &[Argument]) -> String {
    let one = |argument: &Argument| {
        let mut line = format!("{}:{}", argument.name, argument.kind.name());
        argument.token.iter().for_each(|token| line += &format!(" \"{token}\""));
        argument.key_spec_index.iter().for_each(|index| line += &format!(" #{index}"));
        let flags = [(argument.optional, " ?"), (argument.multiple, " *")];
        flags.iter().filter(|(set, _)| *set).for_each(|(_, mark)| line += mark);
        if argument.multiple_token {
            line += " token*";
        }
        if !argument.members.is_empty() {
            line += &format!("{{{}}}", draw(&argument.members));
        }
        line
    };
    arguments.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check_arguments(name: &str, expected: &str) {
    let row = written::row(name).expect("a row");
    assert_eq!(draw(&row.arguments()), expected, "{name}: {}", row.syntax);
}

#[test]
fn argument_trees() {
    check_arguments("get", "key:key #0");
    check_arguments(
        "sort",
        "key:key #0; pattern:pattern \"BY\" #1 ?; \
         limit:block \"LIMIT\" ?{offset:integer; count:integer}; \
         pattern:pattern \"GET\" #1 ? * token*; \
         order:oneof ?{asc:pure-token \"ASC\"; desc:pure-token \"DESC\"}; \
         sorting:pure-token \"ALPHA\" ?; destination:key \"STORE\" #2 ?",
    );
    check_arguments(
        "xread",
        "count:integer \"COUNT\" ?; maxcount:integer \"MAXCOUNT\" ?; \
         maxsize:integer \"MAXSIZE\" ?; milliseconds:integer \"BLOCK\" ?; \
         streams:block \"STREAMS\"{key:key #0 *; id:string *}",
    );
    check_arguments(
        "commandlog|len",
        "slow-large-request-large-reply:oneof{slow:pure-token \"slow\"; \
         large-request:pure-token \"large-request\"; large-reply:pure-token \"large-reply\"}",
    );
    check_arguments("ping", "message:string ?");
    check_arguments("dbsize", "");
}

#[test]
fn every_syntax_line_parses_and_names_every_key_once() {
    for row in written::rows() {
        let arguments = row.arguments();
        assert_eq!(arguments.is_empty(), row.syntax.is_empty(), "{row:?}");
        let mut specs = Vec::new();
        collect_specs(&arguments, &mut specs);
        assert!(specs.iter().all(|index| *index < row.key_specs.len()), "{row:?}");
        let real = row.has_keys();
        assert_eq!(specs.contains(&0), real, "{row:?}: {}", row.syntax);
    }
}

fn collect_specs(arguments: &[Argument], specs: &mut Vec<usize>) {
    for argument in arguments {
        specs.extend(argument.key_spec_index);
        collect_specs(&argument.members, specs);
    }
}
