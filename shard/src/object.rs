//! Values that are more than a string. The table keeps each inside the entry of its key.
//!
//! A type takes part by a variant of [`Object`] and by [`Collection`], which lets commands reach it
//! through [`Store::collection`] and [`Store::change_collection`]: those answer `WRONGTYPE`, make
//! missing keys, and remove keys whose collection became empty, the same way for every type.

use std::ptr::NonNull;

use crate::error::{self, CommandError};
use crate::event::Event;
pub use crate::hashes::Hash;
use crate::list::List;
use crate::set::Set;
use crate::sorted_set::SortedSet;
use crate::store::{Access, Key, Store};
use crate::stream::Stream;
use crate::table::{Footprint, Value, ValueRef};
use crate::types::Type;

/// A collection stored at a key.
#[derive(Clone, Debug)]
pub enum Object {
    /// A hash.
    Hash(Hash),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A stream.
    Stream(Stream),
}

impl Object {
    /// What TYPE says.
    pub fn kind(&self) -> Type {
        match self {
            Self::Hash(_) => Type::Hash,
            Self::List(_) => Type::List,
            Self::Set(_) => Type::Set,
            Self::SortedSet(_) => Type::SortedSet,
            Self::Stream(_) => Type::Stream,
        }
    }

    /// What OBJECT ENCODING says.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Hash(hash) => hash.encoding(),
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::SortedSet(set) => set.encoding(),
            Self::Stream(_) => "stream",
        }
    }
}

impl Object {
    /// Asks the processor to load what a command will look at once the first block is there.
    #[inline]
    pub(crate) fn prefetch_content(&self) {
        match self {
            Self::Hash(hash) => hash.prefetch_content(),
            Self::List(list) => list.prefetch_content(),
            Self::Set(set) => set.prefetch_content(),
            Self::SortedSet(set) => set.prefetch_content(),
            Self::Stream(_) => {}
        }
    }
}

impl Footprint for Object {
    fn footprint_bytes(&self) -> usize {
        match self {
            Self::Hash(hash) => hash.footprint_bytes(),
            Self::List(list) => list.footprint_bytes(),
            Self::Set(set) => set.footprint_bytes(),
            Self::SortedSet(set) => set.footprint_bytes(),
            Self::Stream(stream) => stream.footprint_bytes(),
        }
    }

    #[inline]
    fn first_block(&self) -> Option<NonNull<u8>> {
        match self {
            Self::Hash(hash) => hash.first_block(),
            Self::List(list) => list.first_block(),
            Self::Set(set) => set.first_block(),
            Self::SortedSet(set) => set.first_block(),
            Self::Stream(stream) => stream.first_block(),
        }
    }
}

// An object lies in the entry of its key.
const _: () = assert!(size_of::<Object>() == 24);

/// Makes a type a collection: its variant of [`Object`] and its [`Type`] have one name.
macro_rules! collection {
    ($name:ident) => {
        collection!($name, $name::is_empty);
    };
    ($name:ident, $is_empty:expr) => {
        impl Collection for $name {
            const TYPE: Type = Type::$name;

            fn of(object: &Object) -> Option<&Self> {
                if let Object::$name(collection) = object { Some(collection) } else { None }
            }

            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$name(collection) = object { Some(collection) } else { None }
            }

            fn into_object(self) -> Object {
                Object::$name(self)
            }

            fn is_empty(&self) -> bool {
                $is_empty(self)
            }
        }
    };
}

collection!(List);
collection!(Set);
collection!(SortedSet);
// A stream without entries keeps its last id and its groups.
collection!(Stream, |_| false);

/// A type of collection.
pub trait Collection: Sized {
    /// What TYPE says.
    const TYPE: Type;

    /// The collection inside an object of this type.
    fn of(object: &Object) -> Option<&Self>;

    /// The collection inside an object of this type, for change.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;

    /// Makes it an object.
    fn into_object(self) -> Object;

    /// Whether nothing is left in it: such a key is removed.
    fn is_empty(&self) -> bool;
}

/// What [`Store::change_collection`] does about a key that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The change is not made.
    Skip,
    /// An empty collection is made and changed; it stays if it is not empty then.
    Create,
}

impl Store {
    /// The collection at a key for reading.
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds something else.
    pub fn collection<C: Collection>(
        &mut self,
        key: Key<'_>,
        access: Access,
    ) -> Result<Option<&C>, CommandError> {
        let Some(entry) = self.find(key, access) else { return Ok(None) };
        match entry.value() {
            ValueRef::Object(object) => C::of(object).map(Some).ok_or(error::WRONG_TYPE),
            _ => Err(error::WRONG_TYPE),
        }
    }

    /// Changes the collection at a key. Returns what `change` returned, or `None` if the key is not
    /// there and is not to be made. A collection that is empty afterwards is removed with its key;
    /// the caller reports that, as all changes, by [`Store::changed`].
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds something else.
    pub fn change_collection<C: Collection + Default, R>(
        &mut self,
        key: Key<'_>,
        missing: Missing,
        change: impl FnOnce(&mut C) -> R,
    ) -> Result<Option<R>, CommandError> {
        let Some(mut entry) = self.find_mut(key) else {
            if missing == Missing::Skip {
                return Ok(None);
            }
            let mut fresh = C::default();
            let result = change(&mut fresh);
            if !fresh.is_empty() {
                self.set(key, C::TYPE, Value::Object(fresh.into_object()), None);
            }
            return Ok(Some(result));
        };
        if !matches!(entry.as_entry().value(), ValueRef::Object(_)) {
            return Err(error::WRONG_TYPE);
        }
        let collection = C::of_mut(entry.object_mut()).ok_or(error::WRONG_TYPE)?;
        let result = change(collection);
        let is_empty = collection.is_empty();
        drop(entry);
        if is_empty {
            self.remove(key, false);
        }
        Ok(Some(result))
    }

    /// Reports a change that took elements out of a collection, and the end of its key if none are
    /// `left`.
    pub fn changed_by_removal(&mut self, key: Key<'_>, event: Event, left: usize) {
        self.changed(key, event);
        if left == 0 {
            self.changed_too(key, Event::Del);
        }
    }
}
