//! The ACL categories: the groups of commands that `+@name` and `-@name` grant and revoke.
//!
//! Most categories of a command follow from its flags; [`AclCategories::implied_by`] holds these
//! rules, so that a row names only what its flags cannot say.

use super::bits::bit_set;
use super::flags::{CommandFlags, flag};

bit_set! {
    /// The ACL categories a command belongs to.
    pub struct AclCategories(u64);
    /// One constant per ACL category.
    pub mod category {
        /// Works on keys without regard to their type.
        KEYSPACE "keyspace";
        /// Reads data.
        READ "read";
        /// Changes data.
        WRITE "write";
        /// Works on sets.
        SET "set";
        /// Works on sorted sets.
        SORTEDSET "sortedset";
        /// Works on lists.
        LIST "list";
        /// Works on hashes.
        HASH "hash";
        /// Works on strings.
        STRING "string";
        /// Works on the bits of strings.
        BITMAP "bitmap";
        /// Works on HyperLogLogs.
        HYPERLOGLOG "hyperloglog";
        /// Works on geo indexes.
        GEO "geo";
        /// Works on streams.
        STREAM "stream";
        /// Belongs to publish and subscribe.
        PUBSUB "pubsub";
        /// Administrates the server.
        ADMIN "admin";
        /// Takes constant or logarithmic time.
        FAST "fast";
        /// May take longer than that.
        SLOW "slow";
        /// May suspend the client.
        BLOCKING "blocking";
        /// Can hurt when used without thought.
        DANGEROUS "dangerous";
        /// Concerns the connection itself.
        CONNECTION "connection";
        /// Belongs to transactions.
        TRANSACTION "transaction";
        /// Belongs to scripts and functions.
        SCRIPTING "scripting";
    }
}

impl AclCategories {
    /// Every category there is, in printing order: what ACL CAT lists.
    pub fn all_names() -> &'static [&'static str] {
        Self::NAMES
    }

    /// The categories a command has because of its flags and its `own` categories.
    ///
    /// A script that may not write is still not a read by itself: its commands are checked one by
    /// one.
    pub const fn implied_by(flags: CommandFlags, own: Self) -> Self {
        let mut implied = Self::EMPTY;
        if flags.contains(flag::WRITE) {
            implied = implied.with(category::WRITE);
        }
        if flags.contains(flag::READONLY) && !own.contains(category::SCRIPTING) {
            implied = implied.with(category::READ);
        }
        if flags.contains(flag::ADMIN) {
            implied = implied.with(category::ADMIN).with(category::DANGEROUS);
        }
        if flags.contains(flag::PUBSUB) {
            implied = implied.with(category::PUBSUB);
        }
        if flags.contains(flag::BLOCKING) {
            implied = implied.with(category::BLOCKING);
        }
        implied.with(if flags.contains(flag::FAST) { category::FAST } else { category::SLOW })
    }
}
