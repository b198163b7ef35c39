//! Commands of publish and subscribe. Shard channels are hashed to slots like keys.

use super::prelude::*;

const GROUP: Group = Group("pubsub");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity)
}

const fn pubsub_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("pubsub")
}

/// The publish and subscribe family.
pub(super) const ROWS: &[Command] = &[
    row("psubscribe", -2)
        .since("2.0.0")
        .flags(&[DENYOOM, PUBSUB, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("pattern [pattern ...]")
        .summary("Listens to all channels whose names match glob patterns.")
        .complexity("O(N), N patterns")
        .handler(on_session!(pubsub::psubscribe)),
    row("publish", 3)
        .since("2.0.0")
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE, SENTINEL])
        .syntax("channel message")
        .summary("Sends a message to the subscribers of a channel.")
        .complexity("O(N+M), N subscribers of the channel and M patterns in use")
        .handler(on_channel!(pubsub::publish)),
    Command::new(GROUP, "pubsub", -2)
        .since("2.8.0")
        .summary("Groups the commands that describe publish and subscribe.")
        .complexity("Depends on the subcommand")
        .subcommands(PUBSUB_ROWS),
    row("punsubscribe", -1)
        .since("2.0.0")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("[pattern [pattern ...]]")
        .summary("Stops listening to patterns, or to all of them.")
        .complexity("O(N), N patterns")
        .handler(on_session!(pubsub::punsubscribe)),
    row("spublish", 3)
        .since("7.0.0")
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .keys(&[key(1, &[NOT_KEY])])
        .syntax("shardchannel message")
        .summary("Sends a message to the subscribers of a shard channel.")
        .complexity("O(N), N subscribers of the shard channel")
        .handler(on_channel!(pubsub::spublish)),
    row("ssubscribe", -2)
        .since("7.0.0")
        .flags(&[DENYOOM, PUBSUB, NOSCRIPT, LOADING, STALE])
        .keys(&[keys(1, -1, 1, &[NOT_KEY])])
        .syntax("shardchannel [shardchannel ...]")
        .summary("Listens to shard channels.")
        .complexity("O(N), N shard channels")
        .handler(on_session!(pubsub::ssubscribe)),
    row("subscribe", -2)
        .since("2.0.0")
        .flags(&[DENYOOM, PUBSUB, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("channel [channel ...]")
        .summary("Listens to channels.")
        .complexity("O(N), N channels")
        .handler(on_session!(pubsub::subscribe)),
    row("sunsubscribe", -1)
        .since("7.0.0")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .keys(&[keys(1, -1, 1, &[NOT_KEY])])
        .syntax("[shardchannel [shardchannel ...]]")
        .summary("Stops listening to shard channels, or to all of them.")
        .complexity("O(N), N shard channels")
        .handler(on_session!(pubsub::sunsubscribe)),
    row("unsubscribe", -1)
        .since("2.0.0")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SENTINEL])
        .syntax("[channel [channel ...]]")
        .summary("Stops listening to channels, or to all of them.")
        .complexity("O(N), N channels")
        .handler(on_session!(pubsub::unsubscribe)),
];

const PUBSUB_ROWS: &[Command] = &[
    pubsub_row("channels", -2)
        .since("2.8.0")
        .flags(&[PUBSUB, LOADING, STALE])
        .syntax("[pattern]")
        .summary("Lists the channels that have subscribers.")
        .complexity("O(N), N channels in use")
        .handler(on_session!(pubsub::channels)),
    pubsub_row("help", 2)
        .since("6.2.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the PUBSUB subcommands.")
        .handler(on_session!(introspection::help)),
    pubsub_row("numpat", 2)
        .since("2.8.0")
        .flags(&[PUBSUB, LOADING, STALE])
        .summary("Counts the patterns that clients are subscribed to.")
        .handler(on_session!(pubsub::numpat)),
    pubsub_row("numsub", -2)
        .since("2.8.0")
        .flags(&[PUBSUB, LOADING, STALE])
        .syntax("[channel [channel ...]]")
        .summary("Counts the subscribers of the given channels.")
        .complexity("O(N), N channels asked for")
        .handler(on_session!(pubsub::numsub)),
    pubsub_row("shardchannels", -2)
        .since("7.0.0")
        .flags(&[PUBSUB, LOADING, STALE])
        .syntax("[pattern]")
        .summary("Lists the shard channels that have subscribers.")
        .complexity("O(N), N shard channels in use")
        .handler(on_session!(pubsub::shardchannels)),
    pubsub_row("shardnumsub", -2)
        .since("7.0.0")
        .flags(&[PUBSUB, LOADING, STALE])
        .syntax("[shardchannel [shardchannel ...]]")
        .summary("Counts the subscribers of the given shard channels.")
        .complexity("O(N), N shard channels asked for")
        .handler(on_session!(pubsub::shardnumsub)),
];

/// How a command line names channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelUse {
    /// Whether only the first argument is one; else all arguments are.
    pub is_single: bool,
    /// Whether they are patterns of channels.
    pub are_patterns: bool,
}

impl Command {
    /// How it names the channels that it publishes to or subscribes to; none if it does neither.
    pub fn channel_use(&self) -> Option<ChannelUse> {
        if !self.flags.contains(PUBSUB) || !self.container.is_empty() {
            return None;
        }
        let (is_single, are_patterns) = match self.name {
            "subscribe" | "ssubscribe" => (false, false),
            "psubscribe" => (false, true),
            "publish" | "spublish" => (true, false),
            _ => return None,
        };
        Some(ChannelUse { is_single, are_patterns })
    }
}
