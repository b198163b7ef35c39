//! PUBLISH, SUBSCRIBE and their like. How clients come to receive what is published: see
//! `core/membership.rs` and `core/spreading.rs`.

use std::collections::BTreeSet;

use crate::call::{Call, SessionCall};
use crate::core::membership::{Direction, MembershipTour, Pending};
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::glob::{self, Case};
use crate::hash::HashSlot;
use crate::interests::Kind;
use crate::reply::Reply;

/// PUBLISH.
pub fn publish(call: &mut Call<'_>) -> Outcome {
    publish_on(call, false)
}

/// SPUBLISH.
pub fn spublish(call: &mut Call<'_>) -> Outcome {
    publish_on(call, true)
}

fn publish_on(call: &mut Call<'_>, is_shard: bool) -> Outcome {
    let (channel, payload) = (call.arguments.at(1), call.arguments.at(2));
    let receivers = call.store.publish(channel, payload, is_shard);
    call.reply.integer(receivers);
    Ok(())
}

/// SUBSCRIBE.
pub fn subscribe(call: &mut SessionCall<'_>) -> Outcome {
    change(call, Kind::Channel, Direction::Join)
}

/// UNSUBSCRIBE.
pub fn unsubscribe(call: &mut SessionCall<'_>) -> Outcome {
    change(call, Kind::Channel, Direction::Leave)
}

/// PSUBSCRIBE.
pub fn psubscribe(call: &mut SessionCall<'_>) -> Outcome {
    change(call, Kind::Pattern, Direction::Join)
}

/// PUNSUBSCRIBE.
pub fn punsubscribe(call: &mut SessionCall<'_>) -> Outcome {
    change(call, Kind::Pattern, Direction::Leave)
}

/// SSUBSCRIBE.
pub fn ssubscribe(call: &mut SessionCall<'_>) -> Outcome {
    if call.core.is_transacting() {
        return Err(CommandError::Fixed("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    change(call, Kind::ShardChannel, Direction::Join)
}

/// SUNSUBSCRIBE.
pub fn sunsubscribe(call: &mut SessionCall<'_>) -> Outcome {
    change(call, Kind::ShardChannel, Direction::Leave)
}

fn change(call: &mut SessionCall<'_>, kind: Kind, direction: Direction) -> Outcome {
    let mut names: Vec<Box<[u8]>> = call.arguments.from(1).map(Into::into).collect();
    if names.is_empty() {
        names = call.core.interests_of(call.session, kind);
    }
    let SessionCall { core, session, reply, .. } = call;
    match core.change_membership(*session, kind, direction, names, reply) {
        Pending::Nothing => {}
        Pending::Envelope(request, slots) => call.membership = Some((request, slots)),
        Pending::Tour(request) => call.tour(MembershipTour::KIND, MembershipTour(request)),
    }
    Ok(())
}

/// PUBSUB CHANNELS.
pub fn channels(call: &mut SessionCall<'_>) -> Outcome {
    list_channels(call, Kind::Channel, "channels")
}

/// PUBSUB SHARDCHANNELS.
pub fn shardchannels(call: &mut SessionCall<'_>) -> Outcome {
    list_channels(call, Kind::ShardChannel, "shardchannels")
}

fn list_channels(call: &mut SessionCall<'_>, kind: Kind, name: &'static str) -> Outcome {
    if call.arguments.len() > 3 {
        return Err(error::unknown_subcommand("pubsub", name.as_bytes()));
    }
    let pattern = call.arguments.get(2).map(Into::into);
    call.tour(TourKind::Parking, ListChannels { kind, pattern, names: BTreeSet::new() });
    Ok(())
}

struct ListChannels {
    kind: Kind,
    pattern: Option<Box<[u8]>>,
    names: BTreeSet<Box<[u8]>>,
}

impl TourTask for ListChannels {
    fn visit(&mut self, core: &mut Core) {
        let is_wanted = |name: &[u8]| {
            self.pattern
                .as_deref()
                .is_none_or(|pattern| glob::matches(pattern, name, Case::Sensitive))
        };
        let store = &core.store;
        let directories = store.directories().chain([&store.news.everywhere]);
        let names = directories.flat_map(|directory| directory.names(self.kind));
        let wanted = names.map(|(name, _)| name).filter(|name| is_wanted(name));
        let wanted: Vec<Box<[u8]>> = wanted.map(Into::into).collect();
        self.names.extend(wanted);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.array_len(self.names.len());
        self.names.iter().for_each(|name| reply.bulk(name));
    }
}

/// PUBSUB NUMSUB.
pub fn numsub(call: &mut SessionCall<'_>) -> Outcome {
    count_subscribers(call, Kind::Channel)
}

/// PUBSUB SHARDNUMSUB.
pub fn shardnumsub(call: &mut SessionCall<'_>) -> Outcome {
    count_subscribers(call, Kind::ShardChannel)
}

fn count_subscribers(call: &mut SessionCall<'_>, kind: Kind) -> Outcome {
    let counts = call.arguments.from(2).map(|name| (name.into(), 0)).collect();
    call.tour(TourKind::Parking, CountSubscribers { kind, counts });
    Ok(())
}

struct CountSubscribers {
    kind: Kind,
    counts: Vec<(Box<[u8]>, i64)>,
}

impl TourTask for CountSubscribers {
    fn visit(&mut self, core: &mut Core) {
        for (name, count) in &mut self.counts {
            if self.kind.is_everywhere(name) {
                *count = core.store.news.everywhere.count(self.kind, name);
                continue;
            }
            let slot = core.store.slot(HashSlot::of_key(name));
            if let Some(directory) = slot.and_then(|slot| slot.channels.as_deref()) {
                *count = directory.count(self.kind, name);
            }
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.array_len(2 * self.counts.len());
        for (name, count) in &self.counts {
            reply.bulk(name);
            reply.integer(*count);
        }
    }
}

/// PUBSUB NUMPAT.
pub fn numpat(call: &mut SessionCall<'_>) -> Outcome {
    let patterns = call.core.store.news.everywhere.len(Kind::Pattern);
    call.reply.integer(patterns as i64);
    Ok(())
}
