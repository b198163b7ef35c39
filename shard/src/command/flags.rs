//! What the server must know about a command before it runs it.
//!
//! The order of declaration is the order in which Redis prints the flags in COMMAND INFO. Hidden
//! flags steer our own code and never appear in a reply; which ones Redis hides is kept, because
//! client libraries compare the lists.

use super::bits::bit_set;

bit_set! {
    /// The flags of a command.
    pub struct CommandFlags(u32);
    /// One constant per command flag.
    pub mod flag {
        /// May change the keyspace.
        WRITE "write";
        /// Reads keys and never changes them.
        READONLY "readonly";
        /// Refused while memory stands above `maxmemory` and nothing can be evicted.
        DENYOOM "denyoom";
        /// Belongs to a module.
        MODULE "module";
        /// Administrates the server.
        ADMIN "admin";
        /// Belongs to publish and subscribe.
        PUBSUB "pubsub";
        /// Not available to scripts.
        NOSCRIPT "noscript";
        /// May suspend the client until something happens.
        BLOCKING "blocking";
        /// Allowed while the data set is being loaded.
        LOADING "loading";
        /// Allowed on a replica that has lost its primary.
        STALE "stale";
        /// Not fed to MONITOR.
        SKIP_MONITOR "skip_monitor";
        /// Not recorded in the slow log.
        SKIP_SLOWLOG "skip_slowlog";
        /// Reaches a slot that is being imported without an ASKING ahead of it.
        ASKING "asking";
        /// Takes constant or logarithmic time.
        FAST "fast";
        /// Allowed before the connection is authenticated.
        NO_AUTH "no_auth";
        /// Replicates although it does not carry `WRITE`.
        MAY_REPLICATE hidden;
        /// Also answered in Sentinel mode.
        SENTINEL hidden;
        /// Answered in Sentinel mode only.
        ONLY_SENTINEL hidden;
        /// May be called without any key although it has key specifications.
        NO_MANDATORY_KEYS "no_mandatory_keys";
        /// Needs an `enable-...-command` directive.
        PROTECTED hidden;
        /// Refused while a replica loads a data set beside the one it serves.
        NO_ASYNC_LOADING "no_async_loading";
        /// Runs at once even while its connection queues a transaction.
        IN_MULTI hidden;
        /// Concerns its connection alone: sees no key and no other connection.
        AT_HOME hidden;
        /// Runs when all earlier commands of its connection are answered.
        AFTER_REPLIES hidden;
        /// Not allowed inside a transaction.
        NO_MULTI "no_multi";
        /// Has keys that first, last and step cannot describe.
        MOVABLEKEYS "movablekeys";
        /// Allowed while a script runs past its time limit.
        ALLOW_BUSY "allow_busy";
        /// Runs a script or a function.
        SCRIPT_RUNNER hidden;
        /// May touch keys that its arguments do not name.
        TOUCHES_ARBITRARY_KEYS hidden;
        /// Keeps its slots to itself for a while: travels in an envelope wherever they are.
        KEEPS_SLOTS hidden;
    }
}
