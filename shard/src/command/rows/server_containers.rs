//! The subcommands of the server family, one list per container.

use super::prelude::*;

const GROUP: Group = Group("server");

const fn acl_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("acl")
}

const fn command_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("command").acl(&[category::CONNECTION])
}

const fn commandlog_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("commandlog")
}

const fn config_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("config")
}

const fn latency_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("latency")
}

const fn memory_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("memory")
}

const fn module_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("module")
}

const fn slowlog_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("slowlog")
}

/// What ACL contains.
pub(super) const ACL_ROWS: &[Command] = &[
    acl_row("cat", -2)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("[category]")
        .summary("Lists the command categories, or the commands within one.")
        .complexity("O(N), N commands")
        .handler(on_session!(acl::cat)),
    acl_row("deluser", -3)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("username [username ...]")
        .summary("Removes users and closes their connections.")
        .complexity("O(N), N users, plus the connections to close")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(acl::deluser)),
    acl_row("dryrun", -4)
        .since("7.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("username command [arg [arg ...]]")
        .summary("Tells whether a user could run a command, without running it.")
        .complexity("O(N), N keys and channels of the command")
        .handler(on_session!(acl::dryrun)),
    acl_row("genpass", -2)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("[bits]")
        .summary("Makes a random password of hexadecimal digits.")
        .handler(on_session!(acl::genpass)),
    acl_row("getuser", 3)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("username")
        .summary("Shows the flags, passwords and rules of one user.")
        .complexity("O(N), N rules of the user")
        .history(&[
            ("6.2.0", "Also shows the channel patterns."),
            ("7.0.0", "Also shows selectors; keys and channels are written as rules."),
        ])
        .handler(on_session!(acl::getuser)),
    acl_row("help", 2)
        .since("6.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .summary("Lists the ACL subcommands.")
        .handler(on_session!(introspection::help)),
    acl_row("list", 2)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Prints every user as the rules that would recreate it.")
        .complexity("O(N), N users")
        .handler(on_session!(acl::list)),
    acl_row("load", 2)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Reads all users anew from the configured ACL file.")
        .complexity("O(N), N users")
        .handler(on_session!(acl::load)),
    acl_row("log", -2)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("[count|RESET]")
        .summary("Shows recent refusals of commands, keys, channels and logins.")
        .complexity("O(N), N entries shown")
        .history(&[("7.2.0", "Entries carry an id and the times of creation and last update.")])
        .handler(on_session!(acl::log)),
    acl_row("save", 2)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Writes all users to the configured ACL file.")
        .complexity("O(N), N users")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(acl::save)),
    acl_row("setuser", -3)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("username [rule [rule ...]]")
        .summary("Creates a user or applies rules to an existing one.")
        .complexity("O(N), N rules given")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[
            ("6.2.0", "Understands channel patterns."),
            ("7.0.0", "Understands selectors and key patterns limited to reading or writing."),
        ])
        .handler(on_session!(acl::setuser)),
    acl_row("users", 2)
        .since("6.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Lists the names of all users.")
        .complexity("O(N), N users")
        .handler(on_session!(acl::users)),
    acl_row("whoami", 2)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Tells which user this connection is logged in as.")
        .handler(on_session!(acl::whoami)),
];

/// What COMMAND contains.
pub(super) const COMMAND_ROWS: &[Command] = &[
    command_row("count", 2)
        .since("2.8.13")
        .flags(&[LOADING, STALE, SENTINEL])
        .summary("Counts the commands this server knows.")
        .handler(on_session!(introspection::count)),
    command_row("docs", -2)
        .since("7.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .syntax("[command-name [command-name ...]]")
        .summary("Documents commands: summary, history, arguments and more.")
        .complexity("O(N), N commands")
        .tips(&["nondeterministic_output_order"])
        .handler(on_session!(introspection::docs)),
    command_row("getkeys", -3)
        .since("2.8.13")
        .flags(&[LOADING, STALE, SENTINEL])
        .syntax("command [arg [arg ...]]")
        .summary("Picks the key names out of a complete command line.")
        .complexity("O(N), N arguments")
        .handler(on_session!(introspection::getkeys)),
    command_row("getkeysandflags", -3)
        .since("7.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .syntax("command [arg [arg ...]]")
        .summary("Picks the key names and how each is used out of a command line.")
        .complexity("O(N), N arguments")
        .handler(on_session!(introspection::getkeysandflags)),
    command_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .summary("Lists the COMMAND subcommands.")
        .handler(on_session!(introspection::help)),
    command_row("info", -2)
        .since("2.8.13")
        .flags(&[LOADING, STALE, SENTINEL])
        .syntax("[command-name [command-name ...]]")
        .summary("Describes the given commands: arity, flags, keys and more.")
        .complexity("O(N), N commands")
        .tips(&["nondeterministic_output_order"])
        .history(&[("7.0.0", "Understands subcommands written as `container|name`.")])
        .handler(on_session!(introspection::info)),
    command_row("list", -2)
        .since("7.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .syntax("[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]")
        .summary("Lists command names, all or those passing a filter.")
        .complexity("O(N), N commands")
        .tips(&["nondeterministic_output_order"])
        .handler(on_session!(introspection::list)),
];

/// What COMMANDLOG contains.
pub(super) const COMMANDLOG_ROWS: &[Command] = &[
    commandlog_row("get", 4)
        .since("8.1.0")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("count <slow|large-request|large-reply>")
        .summary("Shows the newest entries of one of the command logs.")
        .complexity("O(N), N entries shown")
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .handler(on_session!(slow_log::command_get)),
    commandlog_row("help", 2)
        .since("8.1.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the COMMANDLOG subcommands.")
        .handler(on_session!(introspection::help)),
    commandlog_row("len", 3)
        .since("8.1.0")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("<slow|large-request|large-reply>")
        .summary("Counts the entries of one of the command logs.")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .handler(on_session!(slow_log::command_len)),
    commandlog_row("reset", 3)
        .since("8.1.0")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("<slow|large-request|large-reply>")
        .summary("Empties one of the command logs.")
        .complexity("O(N), N entries dropped")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(slow_log::command_reset)),
];

/// What CONFIG contains.
pub(super) const CONFIG_ROWS: &[Command] = &[
    config_row("get", -3)
        .since("2.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .syntax("parameter [parameter ...]")
        .summary("Shows the directives whose names match the patterns.")
        .complexity("O(N*M), N directives and M patterns")
        .history(&[("7.0.0", "Accepts more than one pattern.")])
        .handler(on_session!(config::get)),
    config_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the CONFIG subcommands.")
        .handler(on_session!(introspection::help)),
    config_row("resetstat", 2)
        .since("2.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .summary("Sets the statistics shown by INFO back to zero.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(config::resetstat)),
    config_row("rewrite", 2)
        .since("2.8.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .summary("Writes the directives in force into the configuration file.")
        .complexity("O(N), N lines of the file")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(config::rewrite)),
    config_row("set", -4)
        .since("2.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .syntax("parameter value [parameter value ...]")
        .summary("Changes directives of the running server, all or none.")
        .complexity("O(N), N directives given")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[("7.0.0", "Accepts more than one directive.")])
        .handler(on_session!(config::set)),
];

/// What LATENCY contains.
pub(super) const LATENCY_ROWS: &[Command] = &[
    latency_row("doctor", 2)
        .since("2.8.13")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .summary("Explains the latency spikes seen and what may help.")
        .complexity("O(N), N samples recorded")
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .handler(on_session!(latency::doctor)),
    latency_row("graph", 3)
        .since("2.8.13")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .syntax("event")
        .summary("Draws the latency of an event over time in characters.")
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .handler(on_session!(latency::graph)),
    latency_row("help", 2)
        .since("2.8.13")
        .flags(&[LOADING, STALE])
        .summary("Lists the LATENCY subcommands.")
        .handler(on_session!(introspection::help)),
    latency_row("histogram", -2)
        .since("7.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .syntax("[command [command ...]]")
        .summary("Shows how the run times of commands are distributed.")
        .complexity("O(N), N commands asked for")
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .handler(on_session!(latency::histogram)),
    latency_row("history", 3)
        .since("2.8.13")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .syntax("event")
        .summary("Shows the recorded latency samples of an event.")
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .handler(on_session!(latency::history)),
    latency_row("latest", 2)
        .since("2.8.13")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .summary("Shows the newest latency sample of every event.")
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .handler(on_session!(latency::latest)),
    latency_row("reset", -2)
        .since("2.8.13")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .syntax("[event [event ...]]")
        .summary("Forgets the samples of the given events, or of all.")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .handler(on_session!(latency::reset)),
];

/// What MEMORY contains.
pub(super) const MEMORY_ROWS: &[Command] = &[
    memory_row("doctor", 2)
        .since("4.0.0")
        .summary("Explains problems with memory use and what may help.")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(on_session!(memory_report::doctor)),
    memory_row("help", 2)
        .since("4.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the MEMORY subcommands.")
        .handler(on_session!(introspection::help)),
    memory_row("malloc-stats", 2)
        .since("4.0.0")
        .summary("Prints the statistics of the memory allocator.")
        .complexity("O(N), N arenas of the allocator")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(on_session!(memory::malloc_stats)),
    memory_row("purge", 2)
        .since("4.0.0")
        .summary("Asks the allocator to give free memory back to the system.")
        .complexity("O(N), N pages held back by the allocator")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(on_session!(memory::purge)),
    memory_row("stats", 2)
        .since("4.0.0")
        .summary("Breaks down where the memory of the server goes.")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(on_session!(memory_report::stats)),
    memory_row("usage", -3)
        .since("4.0.0")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO])])
        .syntax("key [SAMPLES count]")
        .summary("Estimates the bytes that a key and its value occupy.")
        .complexity("O(N), N elements sampled")
        .handler(on_keys!(memory::usage)),
];

/// What MODULE contains.
pub(super) const MODULE_ROWS: &[Command] = &[
    module_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the MODULE subcommands.")
        .handler(on_session!(introspection::help)),
    module_row("list", 2)
        .since("4.0.0")
        .flags(&[ADMIN, NOSCRIPT])
        .summary("Lists the modules present.")
        .complexity("O(N), N modules")
        .tips(&["nondeterministic_output_order"])
        .handler(on_session!(module::list)),
    module_row("load", -3)
        .since("4.0.0")
        .flags(&[ADMIN, NOSCRIPT, PROTECTED, NO_ASYNC_LOADING])
        .syntax("path [arg [arg ...]]")
        .summary("Loads a module from a file.")
        .handler(on_session!(module::load)),
    module_row("loadex", -3)
        .since("7.0.0")
        .flags(&[ADMIN, NOSCRIPT, PROTECTED, NO_ASYNC_LOADING])
        .syntax("path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]")
        .summary("Loads a module from a file along with its configuration.")
        .handler(on_session!(module::load)),
    module_row("unload", 3)
        .since("4.0.0")
        .flags(&[ADMIN, NOSCRIPT, PROTECTED, NO_ASYNC_LOADING])
        .syntax("name")
        .summary("Removes a loaded module.")
        .handler(on_session!(module::unload)),
];

/// What SLOWLOG contains.
pub(super) const SLOWLOG_ROWS: &[Command] = &[
    slowlog_row("get", -2)
        .since("2.2.12")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("[count]")
        .summary("Shows the newest entries of the slow log.")
        .complexity("O(N), N entries shown")
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .history(&[
            ("4.0.0", "Entries name the address and the name of the client."),
            ("8.10.0", "Entries count all arguments, also those cut off."),
        ])
        .handler(on_session!(slow_log::get)),
    slowlog_row("help", 2)
        .since("6.2.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the SLOWLOG subcommands.")
        .handler(on_session!(introspection::help)),
    slowlog_row("len", 2)
        .since("2.2.12")
        .flags(&[ADMIN, LOADING, STALE])
        .summary("Counts the entries of the slow log.")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .handler(on_session!(slow_log::len)),
    slowlog_row("reset", 2)
        .since("2.2.12")
        .flags(&[ADMIN, LOADING, STALE])
        .summary("Empties the slow log.")
        .complexity("O(N), N entries dropped")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(slow_log::reset)),
];
