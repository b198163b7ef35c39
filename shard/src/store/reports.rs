//! Reports of changes: what has happened to a key is told here, once, after it was made. From here
//! it reaches the journal, watchers, waiters, subscribers and clients that remember the key.

use std::iter;

use super::{Key, Store};
use crate::event::Event;
use crate::object::Object;
use crate::table::Value;
use crate::types::Type;

impl Store {
    /// Stores a value in place of whatever was there and reports it: for commands that replace
    /// values whole.
    #[inline]
    pub fn replace(
        &mut self,
        key: Key<'_>,
        kind: Type,
        value: Value<'_, Object>,
        expiry_ms: Option<i64>,
        event: Event,
    ) {
        let old = self.type_to_replace(key);
        self.set(key, kind, value, expiry_ms);
        self.note_replaced(key, old);
        self.changed(key, event);
    }

    /// A command has changed a key.
    #[inline]
    pub fn changed(&mut self, key: Key<'_>, event: Event) {
        self.changed_fields(key, event, iter::empty());
    }

    /// The same for a change of some fields of a hash.
    #[inline]
    pub fn changed_fields<'f>(
        &mut self,
        key: Key<'_>,
        event: Event,
        fields: impl Iterator<Item = &'f [u8]>,
    ) {
        self.stats.changes += 1;
        self.changed_fields_too(key, event, fields);
    }

    /// Reports what belongs to a change that was reported already and does not count as another:
    /// the expiry set along with a value, the other key of a RENAME.
    #[inline]
    pub fn changed_too(&mut self, key: Key<'_>, event: Event) {
        self.changed_fields_too(key, event, iter::empty());
    }

    /// The same for a change of some fields of a hash.
    #[inline]
    pub fn changed_fields_too<'f>(
        &mut self,
        key: Key<'_>,
        event: Event,
        fields: impl Iterator<Item = &'f [u8]>,
    ) {
        self.touch(key);
        self.changed_fields_by_itself(key, event, fields);
    }

    /// Reports what no command has done: the end of a key whose time had come. The caller tells the
    /// journal.
    #[inline]
    pub(crate) fn changed_by_itself(&mut self, key: Key<'_>, event: Event) {
        self.changed_fields_by_itself(key, event, iter::empty());
    }

    /// The same of the end of fields of a hash.
    #[inline]
    pub(crate) fn changed_fields_by_itself<'f>(
        &mut self,
        key: Key<'_>,
        event: Event,
        mut fields: impl Iterator<Item = &'f [u8]>,
    ) {
        if self.slot_mut(key.slot).observers.is_some() {
            self.tell_observers(key, event);
        }
        if self.news.is_asked_for() {
            self.note_news(key, event, &mut fields);
        }
    }

    /// Reports a change of a value that means the same as before (a count it keeps, another
    /// encoding): it must reach files and replicas, but no subscriber hears of it.
    pub fn changed_quietly(&mut self, key: Key<'_>) {
        self.stats.changes += 1;
        self.touch(key);
    }

    /// Tells the journal which slot the command has changed.
    #[inline]
    fn touch(&mut self, key: Key<'_>) {
        if self.journal.is_on() {
            self.journal.touch(key.slot);
        }
    }
}
