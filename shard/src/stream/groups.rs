//! The consumer groups of a stream, by name.

use super::group::Group;
use super::id::StreamId;
use super::runs::Runs;
use crate::table::size_class;

/// The groups of a stream.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_name: Runs<Box<Group>>,
    /// What the groups hold, they themselves included.
    group_bytes: usize,
}

impl Clone for Groups {
    fn clone(&self) -> Self {
        let by_name = self.by_name.clone();
        // Copies have no spare room, so their bytes are not those of the originals.
        let group_bytes = by_name.iter().map(|group| bytes_of(group)).sum();
        Self { by_name, group_bytes }
    }
}

fn bytes_of(group: &Group) -> usize {
    size_class(size_of::<Group>()) + group.footprint_bytes()
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn footprint_bytes(&self) -> usize {
        self.by_name.bytes() + self.group_bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.by_name.iter().map(|group| &**group)
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Group> {
        let place = self.by_name.search(|group| group.name().cmp(name)).ok()?;
        self.by_name.get(place).map(|group| &**group)
    }

    /// Changes a group and keeps the account.
    pub(super) fn change<R>(
        &mut self,
        name: &[u8],
        change: impl FnOnce(&mut Group) -> R,
    ) -> Option<R> {
        let place = self.by_name.search(|group| group.name().cmp(name)).ok()?;
        let group = self.by_name.get_mut(place)?;
        let before = bytes_of(group);
        let result = change(group);
        self.group_bytes = self.group_bytes - before + bytes_of(group);
        Some(result)
    }

    /// Changes every group and keeps the account.
    fn change_each(&mut self, mut change: impl FnMut(&mut Group)) {
        let mut place = self.by_name.start();
        while let Some(group) = self.by_name.get_mut(place) {
            let before = bytes_of(group);
            change(group);
            self.group_bytes = self.group_bytes - before + bytes_of(group);
            place = self.by_name.next(place);
        }
    }

    /// Takes an entry off the pending ones of all groups.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.change_each(|group| {
            group.acknowledge(id);
        });
    }

    /// Has all groups forget which pending entries they found to be gone.
    pub(super) fn forget_delivery_orders(&mut self) {
        self.change_each(Group::forget_delivery_order);
    }

    pub(super) fn create(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        let Err(place) = self.by_name.search(|group| group.name().cmp(name)) else { return false };
        let group = Box::new(Group::new(name, last_id, entries_read));
        self.group_bytes += bytes_of(&group);
        self.by_name.insert(place, group);
        true
    }

    pub(super) fn destroy(&mut self, name: &[u8]) -> bool {
        let Ok(place) = self.by_name.search(|group| group.name().cmp(name)) else { return false };
        let group = self.by_name.remove(place);
        self.group_bytes -= bytes_of(&group);
        true
    }
}
