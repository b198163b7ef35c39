//! What is no longer needed: small things are freed at once, large ones in the background, so that
//! no command waits for the allocator to take back a million blocks.

use super::Store;
use crate::host::Garbage;
use crate::object::Object;
use crate::table::{Footprint, OldValue, OwnedEntry};

/// Values of at least this size are freed in the background where that is asked for.
const BACKGROUND_FREE_BYTES_MIN: usize = 64 * 1024;

impl Store {
    /// Frees a value in the background if that could take long.
    pub fn dispose_value(&mut self, old: OldValue<Object>) {
        let bytes = match &old {
            OldValue::Inline => 0,
            OldValue::Shared(bytes) => bytes.allocated_bytes(),
            OldValue::Object(object) => object.footprint_bytes(),
        };
        if bytes < BACKGROUND_FREE_BYTES_MIN {
            return;
        }
        match old {
            OldValue::Inline => {}
            OldValue::Shared(content) => self.discard(Box::new(content), bytes),
            OldValue::Object(content) => self.discard(Box::new(content), bytes),
        }
    }

    /// Frees an entry in the background if that could take long.
    pub fn dispose_entry(&mut self, entry: OwnedEntry<Object>) {
        let bytes = entry.as_entry().bytes();
        if bytes >= BACKGROUND_FREE_BYTES_MIN {
            self.discard(Box::new(entry), bytes);
        }
    }

    pub(crate) fn discard(&mut self, garbage: Box<dyn Send>, bytes: usize) {
        self.stats.lazy_freed += 1;
        self.garbage_bytes += bytes;
        self.garbage.push(Garbage::new(garbage, bytes));
    }

    /// Memory of what [`Store::take_garbage`] will return, in bytes.
    #[inline]
    pub fn garbage_bytes(&self) -> usize {
        self.garbage_bytes
    }

    /// What is to be freed in the background.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        self.garbage_bytes = 0;
        std::mem::take(&mut self.garbage)
    }
}
