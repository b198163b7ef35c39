//! What clients are to be told besides replies: messages on channels, keyspace events, keys that
//! are no longer what a client remembers.
//!
//! Whatever happens to keys happens in a [`Store`]; there it is noted what follows from it for
//! which cores, and nothing else. When the command is over, its core takes the notes and sees that
//! they arrive (`core/spreading.rs`).
//!
//! Where nobody asked for anything, a change costs one look at a flag.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::core::{CoreId, SessionId};
use crate::event::{Event, EventClasses};
use crate::field_news::Fields;
use crate::glob::{self, Case};
use crate::hash::HashSlot;
use crate::interests::{Directory, Kind};
use crate::settings::Settings;
use crate::store::{Access, Key, Store};
use crate::table::SharedBytes;
use crate::types::Type;

/// A message on a channel.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) is_shard: bool,
    pub(crate) channel: Box<[u8]>,
    pub(crate) payload: SharedBytes,
}

/// Names of keys.
pub(crate) type KeyNames = SmallVec<[Arc<[u8]>; 1]>;

/// Something to be told to clients of one core.
pub(crate) enum Notice {
    /// To all who listen to its channel there.
    Publication(Arc<Publication>),
    /// To these clients, who have read this key.
    Changed { key: Arc<[u8]>, readers: Vec<SessionId>, is_by_author: bool },
    /// To a client that tracks keys: all are gone.
    AllChanged { reader: SessionId },
    /// The same to all who do, but one.
    AllChangedForAll { but: (CoreId, SessionId) },
    /// To all whose prefixes this key has.
    ChangedInPrefix { key: Arc<[u8]>, is_by_author: bool },
    /// To the client that receives invalidations in place of another; `None` stands for all keys.
    Redirected { to: SessionId, on_behalf: (CoreId, SessionId), keys: Option<KeyNames> },
    /// To a client whose invalidations somebody else was to receive, who is gone.
    RedirectionBroken { of: SessionId },
    /// To a client that monitors: a command was run.
    Line { to: SessionId, line: Arc<[u8]> },
}

impl Notice {
    /// About the memory it takes while it is under way, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let content = match self {
            Self::Publication(publication) => publication.channel.len() + publication.payload.len(),
            Self::Changed { key, readers, .. } => key.len() + size_of_val(&**readers),
            Self::ChangedInPrefix { key, .. } => key.len(),
            Self::Line { line, .. } => line.len(),
            Self::Redirected { keys, .. } => {
                keys.iter().flatten().map(|key| key.len()).sum::<usize>()
            }
            Self::AllChanged { .. }
            | Self::AllChangedForAll { .. }
            | Self::RedirectionBroken { .. } => 0,
        };
        content + size_of::<Self>()
    }
}

/// What a store knows of those who want news, and what it has for them.
#[derive(Default)]
pub(crate) struct News {
    /// Names every core knows of; the same on all cores.
    pub(crate) everywhere: Directory,
    /// Which keyspace events are published.
    events: EventClasses,
    /// Whether a change may be news: somebody asked for events or has a prefix.
    is_asked_for: bool,
    pending: Vec<(CoreId, Notice)>,
    /// By how much the number of keys that are remembered for readers has changed.
    tracked_difference: i64,
}

impl News {
    /// Puts new settings in force.
    pub(crate) fn apply(&mut self, settings: &Settings) {
        self.events = settings.notify_keyspace_events;
        self.note_demand();
    }

    /// Counts a client of a core among those who listen to a name every core knows of.
    pub(crate) fn join(&mut self, kind: Kind, name: &[u8], core: CoreId) {
        self.everywhere.add(kind, name, core);
        self.note_demand();
    }

    /// Ends that.
    pub(crate) fn leave(&mut self, kind: Kind, name: &[u8], core: CoreId) {
        self.everywhere.remove(kind, name, core);
        self.note_demand();
    }

    fn note_demand(&mut self) {
        self.is_asked_for = self.events.are_published() || self.everywhere.len(Kind::Prefix) > 0;
    }

    /// Whether a change may be news to anybody who is not told by the key's slot.
    #[inline]
    pub(crate) fn is_asked_for(&self) -> bool {
        self.is_asked_for
    }

    /// Which events are published, and how.
    pub(crate) fn events(&self) -> EventClasses {
        self.events
    }

    /// Whether events of a class are published.
    #[inline]
    pub(crate) fn wants(&self, class: EventClasses) -> bool {
        self.is_asked_for && self.events.are_published() && self.events.contains(class)
    }

    /// Whether anything waits to be sent.
    #[inline]
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What waits to be sent, in order.
    pub(crate) fn take_pending(&mut self) -> Vec<(CoreId, Notice)> {
        std::mem::take(&mut self.pending)
    }

    /// By how much the number of keys remembered for readers has changed since the last call.
    pub(crate) fn take_tracked_difference(&mut self) -> i64 {
        std::mem::take(&mut self.tracked_difference)
    }

    /// Notes that keys remembered for readers are so many fewer.
    pub(crate) fn note_forgotten(&mut self, keys: usize) {
        self.tracked_difference -= keys as i64;
    }

    /// Notes something for clients of a core.
    pub(crate) fn push(&mut self, core: CoreId, notice: Notice) {
        self.pending.push((core, notice));
    }

    /// Notes a message for those among `members`, and for those whose patterns its channel has
    /// unless it is a shard channel. Returns how many clients that are. O(patterns).
    fn publish(
        &mut self,
        members: &[(CoreId, u32)],
        channel: &[u8],
        is_shard: bool,
        payload: impl FnOnce() -> SharedBytes,
    ) -> i64 {
        let mut cores: SmallVec<[CoreId; 8]> = SmallVec::new();
        let mut receivers = 0;
        let mut count = |members: &[(CoreId, u32)]| {
            for &(core, clients) in members {
                receivers += i64::from(clients);
                if !cores.contains(&core) {
                    cores.push(core);
                }
            }
        };
        count(members);
        if !is_shard {
            count(self.everywhere.members(Kind::Channel, channel));
            for (pattern, members) in self.everywhere.names(Kind::Pattern) {
                if glob::matches(pattern, channel, Case::Sensitive) {
                    count(members);
                }
            }
        }
        if cores.is_empty() {
            return 0;
        }
        let payload = payload();
        let publication = Arc::new(Publication { is_shard, channel: channel.into(), payload });
        for core in cores {
            self.push(core, Notice::Publication(Arc::clone(&publication)));
        }
        receivers
    }

    /// Notes a keyspace event for those who listen to it. O(patterns).
    #[cold]
    pub(crate) fn publish_event(&mut self, key: Key<'_>, event: &str) {
        let publications = [
            (EventClasses::BY_KEY, "keyspace", key.name, event.as_bytes()),
            (EventClasses::BY_EVENT, "keyevent", event.as_bytes(), key.name),
        ];
        for (form, space, name, payload) in publications {
            if self.events.contains(form) {
                self.publish_in_space(space, key.db, &[name], payload);
            }
        }
    }

    /// Notes a message on a channel of keyspace events; `name` is what comes behind the database.
    pub(crate) fn publish_in_space(
        &mut self,
        space: &str,
        db: u32,
        name: &[&[u8]],
        payload: &[u8],
    ) {
        let mut channel = format!("__{space}@{db}__:").into_bytes();
        name.iter().for_each(|part| channel.extend_from_slice(part));
        self.publish(&[], &channel, false, || SharedBytes::new(payload));
    }

    /// Notes that a key has changed for those whose prefixes it has. O(prefixes).
    fn note_in_prefixes(&mut self, name: &[u8], is_by_author: bool) {
        let mut cores: SmallVec<[CoreId; 8]> = SmallVec::new();
        let prefixes = self.everywhere.names(Kind::Prefix);
        for (_, members) in prefixes.filter(|(prefix, _)| name.starts_with(prefix)) {
            for &(core, _) in members {
                if !cores.contains(&core) {
                    cores.push(core);
                }
            }
        }
        if cores.is_empty() {
            return;
        }
        let key: Arc<[u8]> = name.into();
        for core in cores {
            self.push(core, Notice::ChangedInPrefix { key: Arc::clone(&key), is_by_author });
        }
    }
}

impl Store {
    /// A key changed, or these fields of it, and somebody asked for events or has a prefix.
    #[cold]
    pub(crate) fn note_news(&mut self, key: Key<'_>, event: Event, fields: Fields<'_, '_>) {
        if self.news.wants(event.class()) {
            self.news.publish_event(key, event.name());
            self.news.publish_fields(key, event, fields);
        }
        self.news.note_in_prefixes(key.name, event.is_by_author());
    }

    /// A key is there that was not before.
    #[inline]
    pub(crate) fn note_new(&mut self, key: Key<'_>) {
        if self.news.wants(EventClasses::NEW) {
            self.news.publish_event(key, "new");
        }
    }

    /// The type of the value that is about to be replaced whole, for [`Store::note_replaced`].
    /// `None` as well where nobody listens to that.
    #[inline]
    pub(crate) fn type_to_replace(&mut self, key: Key<'_>) -> Option<Type> {
        if !self.news.is_asked_for() {
            return None;
        }
        let classes = [EventClasses::OVERWRITTEN, EventClasses::TYPE_CHANGED];
        if !classes.into_iter().any(|class| self.news.wants(class)) {
            return None;
        }
        self.find(key, Access::Peek).map(|entry| Type::of(entry.kind()))
    }

    /// A key has another value, if there was one before, which was of this type. That is no change
    /// by itself: the command reports one, too.
    #[inline]
    pub(crate) fn note_replaced(&mut self, key: Key<'_>, old: Option<Type>) {
        if let Some(old) = old {
            self.publish_replacement(key, old);
        }
    }

    #[cold]
    fn publish_replacement(&mut self, key: Key<'_>, old: Type) {
        let new = self.entry(key).map(|entry| Type::of(entry.kind())).expect("it was stored");
        if self.news.wants(EventClasses::OVERWRITTEN) {
            self.news.publish_event(key, "overwritten");
        }
        if old.name() != new.name() && self.news.wants(EventClasses::TYPE_CHANGED) {
            self.news.publish_event(key, "type_changed");
        }
    }

    /// Publishes a message; its slot is here. Returns how many clients will receive it.
    pub(crate) fn publish(&mut self, channel: &[u8], payload: &[u8], is_shard: bool) -> i64 {
        let slot = HashSlot::of_key(channel);
        let kind = if is_shard { Kind::ShardChannel } else { Kind::Channel };
        let directory = self.slot(slot).and_then(|slot| slot.channels.as_deref());
        let members: SmallVec<[(CoreId, u32); 8]> =
            directory.map_or(&[][..], |directory| directory.members(kind, channel)).into();
        self.news.publish(&members, channel, is_shard, || SharedBytes::new(payload))
    }

    /// Counts a client of a core among those who listen to a channel whose slot is here.
    pub(crate) fn join_channel(&mut self, kind: Kind, name: &[u8], core: CoreId) {
        let slot = self.slot_mut(HashSlot::of_key(name));
        slot.channels.get_or_insert_default().add(kind, name, core);
    }

    /// Ends that.
    pub(crate) fn leave_channel(&mut self, kind: Kind, name: &[u8], core: CoreId) {
        let slot = self.slot_mut(HashSlot::of_key(name));
        let channels = slot.channels.as_deref_mut().expect("who leaves a channel has joined it");
        channels.remove(kind, name, core);
        if channels.is_empty() {
            slot.channels = None;
        }
    }

    /// The directories of the slots that are here. O(slots).
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Directory> {
        self.slots().filter_map(|(_, slot)| slot.channels.as_deref())
    }
}
