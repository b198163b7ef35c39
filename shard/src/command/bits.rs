//! Sets of named bits, built at compile time.
//!
//! A command row carries three sets: its flags, its ACL categories and, per key specification, how
//! the keys are used. All three are printed by name in a fixed order and combined in `const`
//! context, where the operators of the standard library are not available. One macro gives them
//! the same small interface; the names stand next to the bits, so that a reply and the rows can
//! never disagree.
//!
//! Invariants: bits are given out in printing order from bit 0 upwards, and a bit without a name
//! is never printed.

/// Defines a set type and a module with one constant per member.
///
/// `NAME "text"` is printed as `text`; `NAME hidden` is for our own use only.
macro_rules! bit_set {
    (
        $(#[$set_meta:meta])*
        pub struct $set:ident($bits:ty);
        $(#[$module_meta:meta])*
        pub mod $module:ident {
            $($(#[$meta:meta])* $member:ident $name:tt;)*
        }
    ) => {
        $(#[$set_meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $set($bits);

        impl $set {
            /// The set without members.
            pub const EMPTY: Self = Self(0);

            /// The printed name of every bit, in printing order; empty where the bit is hidden.
            const NAMES: &'static [&'static str] = &[$($crate::command::bits::bit_name!($name)),*];

            /// All members of the given sets. O(n).
            pub const fn of(sets: &[Self]) -> Self {
                let mut all = Self::EMPTY;
                let mut index = 0;
                while index < sets.len() {
                    all = all.with(sets[index]);
                    index += 1;
                }
                all
            }

            /// The members of either set.
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The members that `other` lacks.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether every member of `other` is here too.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether the sets share a member.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Whether there are no members.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The set as an integer, one bit per member.
            pub const fn bits(self) -> $bits {
                self.0
            }

            /// The names of the members that are shown to clients, in printing order.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                let named = Self::NAMES.iter().enumerate();
                named
                    .filter(move |(bit, name)| (self.0 >> bit) & 1 == 1 && !name.is_empty())
                    .map(|(_, name)| *name)
            }

            /// The member of that name, in any letter case. O(members).
            pub fn from_name(name: &[u8]) -> Option<Self> {
                let mut names = Self::NAMES.iter();
                let bit = names.position(|known| {
                    !known.is_empty() && known.as_bytes().eq_ignore_ascii_case(name)
                })?;
                Some(Self(1 << bit))
            }
        }

        impl std::fmt::Debug for $set {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, concat!(stringify!($set), "({:#x}"), self.0)?;
                for name in self.names() {
                    write!(formatter, " {name}")?;
                }
                formatter.write_str(")")
            }
        }

        $(#[$module_meta])*
        pub mod $module {
            use super::$set;

            /// The bit positions, in the order of declaration.
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Position {
                $($member,)*
            }

            $(
                $(#[$meta])*
                pub const $member: $set = $set(1 << (Position::$member as u32));
            )*
        }
    };
}

/// The text printed for a member: empty when it is hidden.
macro_rules! bit_name {
    (hidden) => {
        ""
    };
    ($name:literal) => {
        $name
    };
}

pub(crate) use {bit_name, bit_set};
