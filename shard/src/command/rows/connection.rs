//! Commands on the connection itself: login, protocol, naming, tracking, inspecting clients.

use super::prelude::*;

const GROUP: Group = Group("connection");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::CONNECTION])
}

const fn client_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("client").acl(&[category::CONNECTION])
}

/// The connection family.
pub(super) const ROWS: &[Command] = &[
    row("auth", -2)
        .since("1.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, SENTINEL, ALLOW_BUSY])
        .syntax("[username] password")
        .summary("Logs the connection in with a password, or a user name and password.")
        .complexity("O(N), N passwords of the user")
        .history(&[("6.0.0", "Accepts a user name before the password.")])
        .handler(on_session!(connection::auth)),
    Command::new(GROUP, "client", -2)
        .since("2.4.0")
        .flags(&[SENTINEL])
        .summary("Groups the commands that inspect and control connections.")
        .complexity("Depends on the subcommand")
        .subcommands(CLIENT_ROWS),
    row("echo", 2)
        .since("1.0.0")
        .flags(&[LOADING, STALE, FAST, AT_HOME])
        .syntax("message")
        .summary("Sends the given message back.")
        .handler(on_session!(connection::echo)),
    row("hello", -1)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, SENTINEL, ALLOW_BUSY])
        .syntax("[protover [AUTH username password] [SETNAME clientname]]")
        .summary("Chooses the protocol version, and can log in and name the connection.")
        .history(&[("6.2.0", "The protocol version may be left out.")])
        .handler(on_session!(connection::hello)),
    row("ping", -1)
        .since("1.0.0")
        .flags(&[FAST, SENTINEL, AT_HOME])
        .syntax("[message]")
        .summary("Checks that the server answers, and sends back a message if one is given.")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(on_session!(connection::ping)),
    row("quit", -1)
        .since("1.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, IN_MULTI])
        .summary("Closes this connection after an OK reply.")
        .deprecated("7.2.0", "closing the connection")
        .handler(on_session!(connection::quit)),
    row("reset", 1)
        .since("6.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, IN_MULTI])
        .summary("Returns the connection to the state of a freshly opened one.")
        .handler(on_session!(connection::reset)),
    row("select", 2)
        .since("1.0.0")
        .flags(&[LOADING, STALE, FAST, AT_HOME])
        .syntax("index")
        .summary("Switches the connection to another database.")
        .handler(on_session!(connection::select)),
];

const CLIENT_ROWS: &[Command] = &[
    client_row("caching", 3)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("<YES|NO>")
        .summary("Says whether the keys of the next command are to be tracked.")
        .handler(on_session!(tracking::caching)),
    client_row("capa", -3)
        .since("8.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, ALLOW_BUSY])
        .syntax("capability [capability ...]")
        .summary("Announces what optional protocol features the client understands.")
        .complexity("O(N), N capabilities")
        .not_built(),
    client_row("getname", 2)
        .since("2.6.9")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL, AT_HOME])
        .summary("Tells the name given to this connection.")
        .handler(on_session!(client::getname)),
    client_row("getredir", 2)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Tells which connection receives the tracking messages of this one.")
        .handler(on_session!(tracking::getredir)),
    client_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .summary("Lists the CLIENT subcommands.")
        .handler(on_session!(introspection::help)),
    client_row("id", 2)
        .since("5.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL, AT_HOME])
        .summary("Tells the unique number of this connection.")
        .handler(on_session!(client::id)),
    client_row("import-source", 3)
        .since("8.1.0")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .syntax("<ON|OFF>")
        .summary("Marks the connection as the source of a data import.")
        .not_built(),
    client_row("info", 2)
        .since("6.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Describes this connection in one line of properties.")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(client::info)),
    client_row("kill", -3)
        .since("2.4.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax(
            "<ip:port|<[ID client-id]|[TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER \
             username]|[ADDR ip:port]|[LADDR ip:port]|[SKIPME <YES|NO>]|[MAXAGE maxage]> [<[ID \
             client-id]|[TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER username]|[ADDR \
             ip:port]|[LADDR ip:port]|[SKIPME <YES|NO>]|[MAXAGE maxage]> ...]>",
        )
        .summary("Closes the connections that match an address or filters.")
        .complexity("O(N), N connections")
        .history(&[
            ("2.8.12", "Accepts filters in place of an address."),
            ("3.2.0", "`TYPE` knows `master`."),
            ("5.0.0", "`TYPE` knows `replica` as another word for `slave`."),
            ("6.2.0", "Accepts `LADDR`."),
            ("7.4.0", "Accepts `MAXAGE`."),
        ])
        .handler(on_session!(client::kill)),
    client_row("list", -2)
        .since("2.4.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]")
        .summary("Describes the open connections, one line each.")
        .complexity("O(N), N connections")
        .tips(&["nondeterministic_output"])
        .history(&[
            ("2.8.12", "Every line shows the unique `id`."),
            ("5.0.0", "Accepts `TYPE`."),
            ("6.0.0", "Every line shows the `user`."),
            ("6.2.0", "Accepts `ID`; every line shows `argv-mem`, `tot-mem`, `laddr` and `redir`."),
            ("7.0.0", "Every line shows `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.0.3", "Every line shows `ssub`."),
            ("7.2.0", "Every line shows `lib-name` and `lib-ver`."),
            ("7.4.0", "Every line shows `watch`."),
            ("8.0.0", "Every line shows `io-thread`."),
        ])
        .handler(on_session!(client::list)),
    client_row("no-evict", 3)
        .since("7.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL, AT_HOME])
        .syntax("<ON|OFF>")
        .summary("Protects this connection from being closed to save client memory.")
        .handler(on_session!(client::no_evict)),
    client_row("no-touch", 3)
        .since("7.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, AT_HOME])
        .syntax("<ON|OFF>")
        .summary("Lets this connection read keys without refreshing their access time.")
        .handler(on_session!(client::no_touch)),
    client_row("pause", -3)
        .since("3.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("timeout [WRITE|ALL]")
        .summary("Holds back the commands of clients for a while.")
        .history(&[("6.2.0", "Accepts `WRITE`, which lets reads pass, and `ALL`.")])
        .handler(on_session!(client::pause)),
    client_row("reply", 3)
        .since("3.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL, AT_HOME])
        .syntax("<ON|OFF|SKIP>")
        .summary("Chooses whether this connection receives replies.")
        .handler(on_session!(client::reply)),
    client_row("setinfo", 4)
        .since("7.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL, AT_HOME])
        .syntax("<LIB-NAME libname|LIB-VER libver>")
        .summary("Records the name or version of the client library.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(client::setinfo)),
    client_row("setname", 3)
        .since("2.6.9")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL, AT_HOME])
        .syntax("connection-name")
        .summary("Gives this connection a name.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(on_session!(client::setname)),
    client_row("tracking", -3)
        .since("6.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax(
            "<ON|OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] \
             [OPTOUT] [NOLOOP]",
        )
        .summary("Switches invalidation messages for client-side caching on or off.")
        .complexity("O(1), plus the prefixes given")
        .handler(on_session!(tracking::tracking)),
    client_row("trackinginfo", 2)
        .since("6.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Describes the client-side caching state of this connection.")
        .complexity("O(1), plus the prefixes registered")
        .handler(on_session!(tracking::trackinginfo)),
    client_row("unblock", -3)
        .since("5.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("client-id [TIMEOUT|ERROR]")
        .summary("Wakes another connection that waits in a blocking command.")
        .complexity("O(log(N)), N connections")
        .handler(on_session!(client::unblock)),
    client_row("unpause", 2)
        .since("6.2.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL])
        .summary("Lets paused clients go on at once.")
        .complexity("O(N), N paused clients")
        .handler(on_session!(client::unpause)),
];
