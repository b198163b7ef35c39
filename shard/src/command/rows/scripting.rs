//! Commands that run scripts and functions, and those that manage them.

use super::prelude::*;

const GROUP: Group = Group("scripting");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::SCRIPTING])
}

const fn function_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("function").acl(&[category::SCRIPTING])
}

const fn script_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("script").acl(&[category::SCRIPTING])
}

/// The scripting family.
pub(super) const ROWS: &[Command] = &[
    row("eval", -3)
        .since("2.6.0")
        .flags(&[NOSCRIPT, STALE, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, SCRIPT_RUNNER])
        .keys(&[counted_keys(2, 1, &[RW, ACCESS, UPDATE])
            .note("What the code does is not known, so any change is assumed")])
        .syntax("script numkeys [key [key ...]] [arg [arg ...]]")
        .summary("Runs a Lua script given as text.")
        .complexity("Depends on the script")
        .handler(on_keys!(script::run)),
    row("evalsha", -3)
        .since("2.6.0")
        .flags(&[NOSCRIPT, STALE, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, SCRIPT_RUNNER])
        .keys(&[counted_keys(2, 1, &[RW, ACCESS, UPDATE])
            .note("What the code does is not known, so any change is assumed")])
        .syntax("sha1 numkeys [key [key ...]] [arg [arg ...]]")
        .summary("Runs a cached Lua script named by its SHA1 digest.")
        .complexity("Depends on the script")
        .handler(on_keys!(script::run)),
    row("evalsha_ro", -3)
        .since("7.0.0")
        .flags(&[READONLY, NOSCRIPT, STALE, SKIP_MONITOR, NO_MANDATORY_KEYS, SCRIPT_RUNNER])
        .keys(&[counted_keys(2, 1, &[RO, ACCESS])
            .note("What the code does is not known, so any read is assumed")])
        .syntax("sha1 numkeys [key [key ...]] [arg [arg ...]]")
        .summary("Runs a cached Lua script by its digest and refuses writes.")
        .complexity("Depends on the script")
        .handler(on_keys!(script::run)),
    row("eval_ro", -3)
        .since("7.0.0")
        .flags(&[READONLY, NOSCRIPT, STALE, SKIP_MONITOR, NO_MANDATORY_KEYS, SCRIPT_RUNNER])
        .keys(&[counted_keys(2, 1, &[RO, ACCESS])
            .note("What the code does is not known, so any read is assumed")])
        .syntax("script numkeys [key [key ...]] [arg [arg ...]]")
        .summary("Runs a Lua script given as text and refuses writes.")
        .complexity("Depends on the script")
        .handler(on_keys!(script::run)),
    row("fcall", -3)
        .since("7.0.0")
        .flags(&[NOSCRIPT, STALE, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, SCRIPT_RUNNER])
        .keys(&[counted_keys(2, 1, &[RW, ACCESS, UPDATE])
            .note("What the code does is not known, so any change is assumed")])
        .syntax("function numkeys [key [key ...]] [arg [arg ...]]")
        .summary("Calls a function of a loaded library.")
        .complexity("Depends on the function")
        .handler(on_keys!(script::run)),
    row("fcall_ro", -3)
        .since("7.0.0")
        .flags(&[READONLY, NOSCRIPT, STALE, SKIP_MONITOR, NO_MANDATORY_KEYS, SCRIPT_RUNNER])
        .keys(&[counted_keys(2, 1, &[RO, ACCESS])
            .note("What the code does is not known, so any read is assumed")])
        .syntax("function numkeys [key [key ...]] [arg [arg ...]]")
        .summary("Calls a function of a loaded library and refuses writes.")
        .complexity("Depends on the function")
        .handler(on_keys!(script::run)),
    Command::new(GROUP, "function", -2)
        .since("7.0.0")
        .summary("Groups the commands that manage function libraries.")
        .complexity("Depends on the subcommand")
        .subcommands(FUNCTION_ROWS),
    Command::new(GROUP, "script", -2)
        .since("2.6.0")
        .summary("Groups the commands that manage Lua scripts.")
        .complexity("Depends on the subcommand")
        .subcommands(SCRIPT_ROWS),
];

const FUNCTION_ROWS: &[Command] = &[
    function_row("delete", 3)
        .since("7.0.0")
        .flags(&[WRITE, NOSCRIPT])
        .syntax("library-name")
        .summary("Removes a library and its functions.")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(on_session!(function::delete)),
    function_row("dump", 2)
        .since("7.0.0")
        .flags(&[NOSCRIPT])
        .summary("Serializes all libraries in the format FUNCTION RESTORE reads.")
        .complexity("O(N), N functions")
        .handler(on_session!(function::dump)),
    function_row("flush", -2)
        .since("7.0.0")
        .flags(&[WRITE, NOSCRIPT])
        .syntax("[ASYNC|SYNC]")
        .summary("Removes all libraries.")
        .complexity("O(N), N functions")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(on_session!(function::flush)),
    function_row("help", 2)
        .since("7.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the FUNCTION subcommands.")
        .handler(on_session!(function::help)),
    function_row("kill", 2)
        .since("7.0.0")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .summary("Stops the function that is running, if it has written nothing.")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .handler(on_session!(function::kill)),
    function_row("list", -2)
        .since("7.0.0")
        .flags(&[NOSCRIPT])
        .syntax("[LIBRARYNAME library-name-pattern] [WITHCODE]")
        .summary("Describes the libraries and their functions.")
        .complexity("O(N), N functions")
        .tips(&["nondeterministic_output_order"])
        .handler(on_session!(function::list)),
    function_row("load", -3)
        .since("7.0.0")
        .flags(&[WRITE, DENYOOM, NOSCRIPT])
        .syntax("[REPLACE] function-code")
        .summary("Loads a library from its source text.")
        .complexity("O(N), N bytes of source")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(on_session!(function::load)),
    function_row("restore", -3)
        .since("7.0.0")
        .flags(&[WRITE, DENYOOM, NOSCRIPT])
        .syntax("serialized-value [FLUSH|APPEND|REPLACE]")
        .summary("Loads libraries from a payload made by FUNCTION DUMP.")
        .complexity("O(N), N functions in the payload")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(on_session!(function::restore)),
    function_row("stats", 2)
        .since("7.0.0")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .summary("Describes the function that is running and the engines.")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(on_session!(function::stats)),
];

const SCRIPT_ROWS: &[Command] = &[
    script_row("debug", 3)
        .since("3.2.0")
        .flags(&[NOSCRIPT])
        .syntax("<YES|SYNC|NO>")
        .summary("Chooses how the scripts of this connection are debugged.")
        .handler(on_session!(script::debug)),
    script_row("exists", -3)
        .since("2.6.0")
        .flags(&[NOSCRIPT])
        .syntax("sha1 [sha1 ...]")
        .summary("Tells which digests belong to cached scripts.")
        .complexity("O(N), N digests")
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .handler(on_session!(script::exists)),
    script_row("flush", -2)
        .since("2.6.0")
        .flags(&[NOSCRIPT])
        .syntax("[ASYNC|SYNC]")
        .summary("Empties the script cache.")
        .complexity("O(N), N scripts in the cache")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[("6.2.0", "Accepts `ASYNC` and `SYNC`.")])
        .handler(on_session!(script::flush)),
    script_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the SCRIPT subcommands.")
        .handler(on_session!(script::help)),
    script_row("kill", 2)
        .since("2.6.0")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .summary("Stops the script that is running, if it has written nothing.")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .handler(on_session!(script::kill)),
    script_row("load", 3)
        .since("2.6.0")
        .flags(&[NOSCRIPT, STALE])
        .syntax("script")
        .summary("Puts a script into the cache without running it.")
        .complexity("O(N), N bytes of source")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(script::load)),
    script_row("show", 3)
        .since("8.0.0")
        .flags(&[NOSCRIPT, STALE])
        .syntax("sha1")
        .summary("Shows the text of a cached script.")
        .handler(on_session!(script::show)),
];
