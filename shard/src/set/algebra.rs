//! Union, intersection and difference.
//!
//! Operands are `None` where a key is missing, which is the empty set.

use std::ops::ControlFlow;

use super::{Form, Member, Set, SetLimits};
use crate::packed::Packed;

/// Visits the members that all sets share, until told to stop. O(members of the smallest set),
/// times the number of sets.
pub fn intersect<'s>(
    sets: &[Option<&'s Set>],
    mut visit: impl FnMut(Member<'s>) -> ControlFlow<()>,
) {
    let Some((smallest, others)) = smallest_first(sets) else { return };
    let _ = smallest
        .iter()
        .filter(|member| others.iter().all(|other| other.contains(*member)))
        .try_for_each(&mut visit);
}

/// The smallest set, and the others by size, as the smaller is the likelier to lack a member;
/// nothing if one of them is empty.
fn smallest_first<'s>(sets: &[Option<&'s Set>]) -> Option<(&'s Set, Vec<&'s Set>)> {
    let mut sets: Vec<&Set> = sets.iter().copied().collect::<Option<_>>()?;
    sets.sort_by_key(|set| set.len());
    let smallest = *sets.first()?;
    // A set that is named twice needs to be asked once.
    let mut others = sets.split_off(1);
    others.retain(|other| !std::ptr::eq(*other, smallest));
    Some((smallest, others))
}

/// The members that all sets share, as a set. Costs as [`intersect`].
pub fn intersection(sets: &[Option<&Set>], limits: &SetLimits) -> Set {
    let begins_with_ints =
        smallest_first(sets).is_some_and(|(smallest, _)| matches!(smallest.0, Form::Ints(_)));
    let mut result = match begins_with_ints {
        true => Set::default(),
        false => Set(Form::Packed(Packed::new())),
    };
    intersect(sets, |member| {
        result.insert(member, limits);
        ControlFlow::Continue(())
    });
    result.become_ints_if_possible(limits);
    result
}

/// The members of any of the sets. O(members of all).
pub fn union(sets: &[Option<&Set>], limits: &SetLimits) -> Set {
    let mut result = Set::default();
    for set in sets.iter().flatten() {
        set.for_each(|member| _ = result.insert(member, limits));
    }
    result
}

/// The members of the first set that no other has. O(members of all), or O(members of the first
/// times sets) where that is likely to be less.
pub fn difference(sets: &[Option<&Set>], limits: &SetLimits) -> Set {
    let mut result = Set::default();
    let Some((&Some(first), others)) = sets.split_first() else { return result };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|other| std::ptr::eq(*other, first)) {
        return result;
    }
    let all_members = first.len() + others.iter().map(|other| other.len()).sum::<usize>();
    // Asking stops at the first set that has the member, so it gets some advance.
    let questions = first.len().saturating_mul(others.len() + 1) / 2;
    if questions <= all_members {
        others.sort_by_key(|other| std::cmp::Reverse(other.len()));
        for member in first.iter() {
            if !others.iter().any(|other| other.contains(member)) {
                result.insert(member, limits);
            }
        }
    } else {
        first.for_each(|member| _ = result.insert(member, limits));
        for other in others {
            other.for_each(|member| _ = result.remove(member));
        }
    }
    result
}
