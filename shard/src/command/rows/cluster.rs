//! Commands of the cluster: slots, nodes, epochs, failover.

use super::prelude::*;

const GROUP: Group = Group("cluster");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::CONNECTION])
}

const fn cluster_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("cluster")
}

/// The cluster family.
pub(super) const ROWS: &[Command] = &[
    row("asking", 1)
        .since("3.0.0")
        .flags(&[FAST])
        .summary("Lets the next command reach a slot that is being imported.")
        .handler(on_session!(cluster::disabled)),
    Command::new(GROUP, "cluster", -2)
        .since("3.0.0")
        .summary("Groups the commands that inspect and manage the cluster.")
        .complexity("Depends on the subcommand")
        .subcommands(CLUSTER_ROWS),
    row("readonly", 1)
        .since("3.0.0")
        .flags(&[LOADING, STALE, FAST])
        .summary("Lets this connection read from a replica of a cluster.")
        .handler(on_session!(cluster::disabled)),
    row("readwrite", 1)
        .since("3.0.0")
        .flags(&[LOADING, STALE, FAST])
        .summary("Takes back READONLY, so that reads go to the primary.")
        .handler(on_session!(cluster::disabled)),
];

const CLUSTER_ROWS: &[Command] = &[
    cluster_row("addslots", -3)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("slot [slot ...]")
        .summary("Takes hash slots into the care of this node.")
        .complexity("O(N), N slots")
        .handler(on_session!(cluster::disabled)),
    cluster_row("addslotsrange", -4)
        .since("7.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("start-slot end-slot [start-slot end-slot ...]")
        .summary("Takes ranges of hash slots into the care of this node.")
        .complexity("O(N), N slots in the ranges")
        .handler(on_session!(cluster::disabled)),
    cluster_row("bumpepoch", 2)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .summary("Raises the configuration epoch of this node.")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("count-failure-reports", 3)
        .since("3.0.0")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("node-id")
        .summary("Counts the failure reports held against a node.")
        .complexity("O(N), N failure reports")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("countkeysinslot", 3)
        .since("3.0.0")
        .flags(&[STALE])
        .syntax("slot")
        .summary("Counts the keys of a hash slot.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("delslots", -3)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("slot [slot ...]")
        .summary("Gives up hash slots of this node.")
        .complexity("O(N), N slots")
        .handler(on_session!(cluster::disabled)),
    cluster_row("delslotsrange", -4)
        .since("7.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("start-slot end-slot [start-slot end-slot ...]")
        .summary("Gives up ranges of hash slots of this node.")
        .complexity("O(N), N slots in the ranges")
        .handler(on_session!(cluster::disabled)),
    cluster_row("failover", -2)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("[FORCE|TAKEOVER]")
        .summary("Makes this replica take over from its primary.")
        .complexity("O(1) to start")
        .handler(on_session!(cluster::disabled)),
    cluster_row("flushslots", 2)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .summary("Gives up all hash slots of this node.")
        .complexity("O(N), N slots owned")
        .handler(on_session!(cluster::disabled)),
    cluster_row("forget", 3)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("node-id")
        .summary("Removes a node from the known ones.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("getkeysinslot", 4)
        .since("3.0.0")
        .flags(&[STALE])
        .syntax("slot count")
        .summary("Lists keys of a hash slot, up to a count.")
        .complexity("O(N), N keys returned")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the CLUSTER subcommands.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("info", 2)
        .since("3.0.0")
        .flags(&[LOADING, STALE])
        .summary("Reports state and statistics of the cluster.")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("keyslot", 3)
        .since("3.0.0")
        .flags(&[LOADING, STALE])
        .syntax("key")
        .summary("Tells which hash slot a key belongs to.")
        .complexity("O(N), N bytes of the key")
        .handler(on_session!(cluster::disabled)),
    cluster_row("links", 2)
        .since("7.0.0")
        .flags(&[LOADING, STALE])
        .summary("Describes the connections to the other nodes.")
        .complexity("O(N), N nodes")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("meet", -4)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("ip port [cluster-bus-port]")
        .summary("Introduces another node to the cluster.")
        .history(&[("4.0.0", "Accepts the port of the cluster bus.")])
        .handler(on_session!(cluster::disabled)),
    cluster_row("myid", 2)
        .since("3.0.0")
        .flags(&[LOADING, STALE])
        .summary("Tells the identifier of this node.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("myshardid", 2)
        .since("7.2.0")
        .flags(&[LOADING, STALE])
        .summary("Tells the identifier of the shard this node is part of.")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("nodes", 2)
        .since("3.0.0")
        .flags(&[LOADING, STALE])
        .summary("Describes the known nodes in the format of the nodes file.")
        .complexity("O(N), N nodes")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("replicas", 3)
        .since("5.0.0")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("node-id")
        .summary("Describes the replicas of a primary.")
        .complexity("O(N), N replicas")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("replicate", 3)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("node-id")
        .summary("Makes this node a replica of the given primary.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("reset", -2)
        .since("3.0.0")
        .flags(&[ADMIN, NOSCRIPT, STALE])
        .syntax("[HARD|SOFT]")
        .summary("Takes this node out of its cluster, forgetting what it knew.")
        .complexity("O(N), N nodes known, plus a FLUSHALL on a replica")
        .handler(on_session!(cluster::disabled)),
    cluster_row("saveconfig", 2)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .summary("Writes the cluster configuration to disk now.")
        .complexity("O(N), N nodes")
        .handler(on_session!(cluster::disabled)),
    cluster_row("set-config-epoch", 3)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .syntax("config-epoch")
        .summary("Sets the configuration epoch of a fresh node.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("setslot", -4)
        .since("3.0.0")
        .flags(&[ADMIN, STALE, MAY_REPLICATE, NO_ASYNC_LOADING])
        .syntax("slot <IMPORTING node-id|MIGRATING node-id|NODE node-id|STABLE>")
        .summary("Changes the owner or the migration state of a hash slot.")
        .handler(on_session!(cluster::disabled)),
    cluster_row("shards", 2)
        .since("7.0.0")
        .flags(&[LOADING, STALE])
        .summary("Describes the shards with their slots and nodes.")
        .complexity("O(N), N nodes")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("slaves", 3)
        .since("3.0.0")
        .flags(&[ADMIN, LOADING, STALE])
        .syntax("node-id")
        .summary("Describes the replicas of a primary.")
        .complexity("O(N), N replicas")
        .tips(&["nondeterministic_output"])
        .deprecated("5.0.0", "`CLUSTER REPLICAS`")
        .handler(on_session!(cluster::disabled)),
    cluster_row("slot-stats", -4)
        .since("8.0.0")
        .flags(&[LOADING, STALE])
        .syntax("<SLOTSRANGE start-slot end-slot|ORDERBY metric [LIMIT limit] [ASC|DESC]>")
        .summary("Shows usage statistics by hash slot.")
        .complexity("O(N*log(N)) to order N slots, else O(N)")
        .tips(&["nondeterministic_output", "request_policy:all_shards"])
        .handler(on_session!(cluster::disabled)),
    cluster_row("slots", 2)
        .since("3.0.0")
        .flags(&[LOADING, STALE])
        .summary("Tells which nodes serve which ranges of hash slots.")
        .complexity("O(N), N nodes")
        .tips(&["nondeterministic_output"])
        .history(&[
            ("4.0.0", "Shows the identifiers of the nodes."),
            ("7.0.0", "Shows further addresses of the nodes."),
        ])
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .handler(on_session!(cluster::disabled)),
    cluster_row("syncslots", -3)
        .since("8.4.0")
        .flags(&[ADMIN, STALE, MAY_REPLICATE, NO_ASYNC_LOADING])
        .syntax(
            "<SYNC task-id start-slot end-slot [start-slot end-slot ...]|RDBCHANNEL \
             task-id|SNAPSHOT-EOF|STREAM-EOF|ACK state offset|FAIL error|CONF option [option \
             ...] value [value ...]>",
        )
        .summary("Carries out the steps of a slot migration between nodes.")
        .complexity("Depends on the step")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(cluster::disabled)),
];
