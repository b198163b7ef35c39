//! News of fields: which fields of a hash an event was about, on channels of four forms.
//!
//! | letter | channel | payload |
//! |---|---|---|
//! | `S` | `__subkeyspace@DB__:KEY` | `EVENT\|FIELDS` |
//! | `T` | `__subkeyevent@DB__:EVENT` | `LENGTH:KEY\|FIELDS` |
//! | `I` | `__subkeyspaceitem@DB__:KEY\nFIELD`, one for each field | `EVENT` |
//! | `V` | `__subkeyspaceevent@DB__:EVENT\|KEY` | `FIELDS` |
//!
//! `FIELDS` is `LENGTH:FIELD` for each of them with commas between, in the order of the command and
//! as often as it names them, so that names may hold any byte. The line break between key and field
//! has no such guard: a key with one in it is left out there, as Redis does. Names of events are
//! our own and hold no `|`.

use crate::event::{Event, EventClasses};
use crate::interests::Kind;
use crate::news::News;
use crate::store::Key;

/// Names of fields, gathered only where somebody asks for them.
pub(crate) type Fields<'i, 'f> = &'i mut dyn Iterator<Item = &'f [u8]>;

/// Names, each behind its length.
fn listed(names: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::with_capacity(names.iter().map(|name| name.len() + 4).sum());
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(name.len().to_string().as_bytes());
        text.push(b':');
        text.extend_from_slice(name);
    }
    text
}

impl News {
    /// Whether the names of the fields an event is about are published.
    pub(crate) fn names_fields(&self, event: Event) -> bool {
        self.wants(event.class()) && self.events().name_fields() && self.has_listeners()
    }

    /// Whether anybody listens to channels all cores know.
    fn has_listeners(&self) -> bool {
        [Kind::Channel, Kind::Pattern].iter().any(|kind| self.everywhere.len(*kind) > 0)
    }

    /// Notes for those who listen which fields an event was about. Does nothing without fields.
    /// O(fields * patterns).
    pub(crate) fn publish_fields(&mut self, key: Key<'_>, event: Event, fields: Fields<'_, '_>) {
        if !self.names_fields(event) {
            return;
        }
        let names: Vec<&[u8]> = fields.collect();
        if names.is_empty() {
            return;
        }
        let (db, event, list, forms) =
            (key.db, event.name().as_bytes(), listed(&names), self.events());
        if forms.contains(EventClasses::FIELDS_BY_KEY) {
            self.publish_in_space("subkeyspace", db, &[key.name], &[event, b"|", &list].concat());
        }
        if forms.contains(EventClasses::FIELDS_BY_EVENT) {
            let payload = [&listed(&[key.name]), b"|".as_slice(), &list].concat();
            self.publish_in_space("subkeyevent", db, &[event], &payload);
        }
        if forms.contains(EventClasses::FIELD_BY_FIELD) && !key.name.contains(&b'\n') {
            for name in names {
                self.publish_in_space("subkeyspaceitem", db, &[key.name, b"\n", name], event);
            }
        }
        if forms.contains(EventClasses::FIELDS_BY_EVENT_AND_KEY) {
            self.publish_in_space("subkeyspaceevent", db, &[event, b"|", key.name], &list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn names_stand_behind_their_length() {
        assert_eq!(listed(&[b"foo"]), b"3:foo");
        assert_eq!(listed(&[b"foo", b"", b"a,1:b|", b"foo"]), b"3:foo,0:,6:a,1:b|,3:foo");
    }
}
