//! Classes of keyspace events, as `notify-keyspace-events` names them with letters.

/// A set of classes of keyspace events, and the forms in which they go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(u32);

/// Letter and meaning of each class, in the order in which Redis prints them.
const LETTERS: &[(u8, KeyspaceEvents)] = &[
    (b'g', KeyspaceEvents::GENERIC),
    (b'$', KeyspaceEvents::STRING),
    (b'l', KeyspaceEvents::LIST),
    (b's', KeyspaceEvents::SET),
    (b'h', KeyspaceEvents::HASH),
    (b'z', KeyspaceEvents::SORTED_SET),
    (b'x', KeyspaceEvents::EXPIRED),
    (b'e', KeyspaceEvents::EVICTED),
    (b't', KeyspaceEvents::STREAM),
    (b'd', KeyspaceEvents::MODULE),
    (b'n', KeyspaceEvents::NEW),
    (b'o', KeyspaceEvents::OVERWRITTEN),
    (b'c', KeyspaceEvents::TYPE_CHANGED),
    (b'a', KeyspaceEvents::ARRAY),
    (b'K', KeyspaceEvents::BY_KEY),
    (b'E', KeyspaceEvents::BY_EVENT),
    (b'm', KeyspaceEvents::KEY_MISS),
    (b'S', KeyspaceEvents::FIELDS_BY_KEY),
    (b'T', KeyspaceEvents::FIELDS_BY_EVENT),
    (b'I', KeyspaceEvents::FIELD_BY_FIELD),
    (b'V', KeyspaceEvents::FIELDS_BY_EVENT_AND_KEY),
];

/// Letters that CONFIG GET of Redis does not show where it shows `A`.
const HIDDEN_BY_ALL: [char; 4] = ['n', 'o', 'c', 'a'];

impl KeyspaceEvents {
    /// `K`: publish on the channel of the key.
    pub const BY_KEY: KeyspaceEvents = KeyspaceEvents(1);
    /// `E`: publish on the channel of the event.
    pub const BY_EVENT: KeyspaceEvents = KeyspaceEvents(1 << 1);
    /// `g`: commands that work on any type, such as DEL.
    pub const GENERIC: KeyspaceEvents = KeyspaceEvents(1 << 2);
    /// `$`: strings.
    pub const STRING: KeyspaceEvents = KeyspaceEvents(1 << 3);
    /// `l`: lists.
    pub const LIST: KeyspaceEvents = KeyspaceEvents(1 << 4);
    /// `s`: sets.
    pub const SET: KeyspaceEvents = KeyspaceEvents(1 << 5);
    /// `h`: hashes.
    pub const HASH: KeyspaceEvents = KeyspaceEvents(1 << 6);
    /// `z`: sorted sets.
    pub const SORTED_SET: KeyspaceEvents = KeyspaceEvents(1 << 7);
    /// `x`: keys that expired.
    pub const EXPIRED: KeyspaceEvents = KeyspaceEvents(1 << 8);
    /// `e`: keys that were evicted.
    pub const EVICTED: KeyspaceEvents = KeyspaceEvents(1 << 9);
    /// `t`: streams.
    pub const STREAM: KeyspaceEvents = KeyspaceEvents(1 << 10);
    /// `m`: reads of keys that are not there.
    pub const KEY_MISS: KeyspaceEvents = KeyspaceEvents(1 << 11);
    /// `d`: types of modules.
    pub const MODULE: KeyspaceEvents = KeyspaceEvents(1 << 13);
    /// `n`: keys that were not there before.
    pub const NEW: KeyspaceEvents = KeyspaceEvents(1 << 14);
    /// `o`: keys whose value was replaced whole.
    pub const OVERWRITTEN: KeyspaceEvents = KeyspaceEvents(1 << 15);
    /// `c`: keys whose value was replaced by one of another type.
    pub const TYPE_CHANGED: KeyspaceEvents = KeyspaceEvents(1 << 16);
    /// `S`: publish fields of hashes on a channel of the key.
    pub const FIELDS_BY_KEY: KeyspaceEvents = KeyspaceEvents(1 << 19);
    /// `T`: publish fields of hashes on a channel of the event.
    pub const FIELDS_BY_EVENT: KeyspaceEvents = KeyspaceEvents(1 << 20);
    /// `I`: publish fields of hashes, each on a channel of its own.
    pub const FIELD_BY_FIELD: KeyspaceEvents = KeyspaceEvents(1 << 21);
    /// `V`: publish fields of hashes on a channel of the event and the key.
    pub const FIELDS_BY_EVENT_AND_KEY: KeyspaceEvents = KeyspaceEvents(1 << 22);
    /// `a`: arrays, a type of Redis 8.8 that is not there.
    pub const ARRAY: KeyspaceEvents = KeyspaceEvents(1 << 23);
    /// `A`: all classes of values but `a`, which older servers do not know, and those of keys that
    /// are gone. The other events have to be asked for by their own letters.
    pub const ALL: KeyspaceEvents = KeyspaceEvents(
        Self::GENERIC.0
            | Self::STRING.0
            | Self::LIST.0
            | Self::SET.0
            | Self::HASH.0
            | Self::SORTED_SET.0
            | Self::EXPIRED.0
            | Self::EVICTED.0
            | Self::STREAM.0
            | Self::MODULE.0,
    );

    /// The set as bits; the constants above say which bit is which. They are those of Redis.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` is in the set.
    pub fn contains(self, other: KeyspaceEvents) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads letters in any order; `None` where one is unknown.
    pub fn parse(letters: &[u8]) -> Option<KeyspaceEvents> {
        let mut events = KeyspaceEvents::default();
        for &letter in letters {
            let class = match letter {
                b'A' => KeyspaceEvents::ALL,
                _ => LETTERS.iter().find(|(known, _)| *known == letter)?.1,
            };
            events.0 |= class.0;
        }
        Some(events)
    }

    /// Prints the letters as CONFIG GET of Redis does, which leaves some out where `A` stands.
    pub fn letters(self) -> String {
        let all = self.all_letters();
        if self.contains(KeyspaceEvents::ALL) { all.replace(HIDDEN_BY_ALL, "") } else { all }
    }

    /// Prints the letters so that they read back equal.
    pub fn all_letters(self) -> String {
        let has_all = self.contains(KeyspaceEvents::ALL);
        let shown = LETTERS
            .iter()
            .filter(|(_, class)| self.contains(*class))
            .filter(|(_, class)| !(has_all && KeyspaceEvents::ALL.contains(*class)))
            .map(|(letter, _)| char::from(*letter));
        has_all.then_some('A').into_iter().chain(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::KeyspaceEvents;

    #[test]
    fn prints_as_redis_does() {
        for (given, printed) in [
            // Put to a Redis server with CONFIG SET and read back with CONFIG GET.
            ("", ""),
            ("KEA", "AKE"),
            ("KEAn", "AKE"),
            ("nKEg$lshzxetdm", "AKEm"),
            ("gKx", "gxK"),
            // Letters of Redis 8.
            ("coKn", "nocK"),
            ("KEAoc", "AKE"),
            ("VITShEK", "hKESTIV"),
            ("VITSmEKA", "AKEmSTIV"),
            ("Kag", "gaK"),
        ] {
            let events = KeyspaceEvents::parse(given.as_bytes()).expect("known letters");
            assert_eq!(events.letters(), printed, "{given}");
            assert_eq!(KeyspaceEvents::parse(events.all_letters().as_bytes()), Some(events));
        }
    }

    #[test]
    fn unknown_letters_are_refused() {
        assert_eq!(KeyspaceEvents::parse(b"KEQ"), None);
        assert_eq!(KeyspaceEvents::parse(b"\xff"), None);
    }
}
