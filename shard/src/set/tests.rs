//! Sets against the standard library's, in every form.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::table::Table;
use super::{Form, Member, Set, SetLimits, difference, intersect, intersection, union};
use crate::random::Random;
use crate::table::Footprint;

type Model = BTreeSet<Vec<u8>>;

/// Limits that small tests pass, each in turn.
fn limits() -> impl Strategy<Value = SetLimits> {
    let entries = prop::sample::select(vec![0usize, 3, 20, 512]);
    (entries.clone(), entries, 1usize..70, any::<u64>()).prop_map(
        |(intset_entries, listpack_entries, listpack_value_bytes, hash_seed)| SetLimits {
            intset_entries,
            listpack_entries,
            listpack_value_bytes,
            hash_seed,
        },
    )
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-20i64..20).prop_map(|number| number.to_string().into_bytes()),
        2 => (0i64..8).prop_map(|bits| (1i64 << (8 * bits)).to_string().into_bytes()),
        4 => prop::collection::vec(97u8..101, 0..4),
        1 => (250usize..260).prop_map(|length| vec![b'L'; length]),
    ]
}

fn set_of(texts: &[Vec<u8>], limits: &SetLimits) -> (Set, Model) {
    let (mut set, mut model) = (Set::default(), Model::new());
    for text in texts {
        set.insert(Member::Text(text), limits);
        model.insert(text.clone());
    }
    (set, model)
}

fn members(set: &Set) -> Model {
    let found: Vec<_> = set.iter().map(Member::to_vec).collect();
    let model: Model = found.iter().cloned().collect();
    assert_eq!(model.len(), found.len(), "no member comes twice");
    model
}

fn check_same(set: &Set, model: &Model) {
    assert_eq!(set.len(), model.len());
    assert_eq!(&members(set), model);
    assert!(model.iter().all(|text| set.contains(Member::Text(text))));
    if let Form::Table(table) = &set.0 {
        table.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_set_does_what_a_set_does(
        limits in limits(),
        changes in prop::collection::vec((any::<bool>(), text()), 1..150),
    ) {
        let (mut set, mut model) = (Set::default(), Model::new());
        for (adds, text) in changes {
            let member = Member::Text(&text);
            prop_assert_eq!(set.contains(member), model.contains(&text));
            if adds {
                prop_assert_eq!(set.insert(member, &limits), model.insert(text));
            } else {
                prop_assert_eq!(set.remove(member), model.remove(&text));
            }
            check_same(&set, &model);
        }
        check_same(&set.clone(), &model);
    }

    #[test]
    fn operations_give_what_they_give_elsewhere(
        limits in limits(),
        texts in prop::collection::vec(prop::collection::vec(text(), 0..40), 1..5),
    ) {
        let sets: Vec<_> = texts.iter().map(|texts| set_of(texts, &limits)).collect();
        let operands: Vec<_> = sets.iter().map(|(set, _)| Some(set)).collect();
        let (first, others) = sets.split_first().expect("there is one");
        let in_all = |text: &&Vec<u8>| others.iter().all(|(_, model)| model.contains(*text));
        let in_none = |text: &&Vec<u8>| others.iter().all(|(_, model)| !model.contains(*text));
        let all: Model = sets.iter().flat_map(|(_, model)| model.iter().cloned()).collect();
        check_same(&union(&operands, &limits), &all);
        let shared: Model = first.1.iter().filter(in_all).cloned().collect();
        check_same(&intersection(&operands, &limits), &shared);
        let rest: Model = first.1.iter().filter(in_none).cloned().collect();
        check_same(&difference(&operands, &limits), &rest);
        let with_missing: Vec<_> = operands.iter().copied().chain([None]).collect();
        check_same(&intersection(&with_missing, &limits), &Model::new());
        check_same(&difference(&with_missing, &limits), &rest);
        let with_same: Vec<_> = operands.iter().copied().chain([operands[0]]).collect();
        check_same(&difference(&with_same, &limits), &Model::new());
    }

    #[test]
    fn random_members_are_different_members(
        limits in limits(), texts in prop::collection::vec(text(), 1..80),
        count in 0usize..90, seed: u64,
    ) {
        let (mut set, mut model) = set_of(&texts, &limits);
        let mut random = Random::new(seed);
        prop_assert!(model.contains(&set.random(&mut random).to_vec()));
        let mut drawn = Vec::new();
        set.sample(count, &mut random, |member| drawn.push(member.to_vec()));
        let different: Model = drawn.iter().cloned().collect();
        prop_assert_eq!(drawn.len(), count.min(model.len()));
        prop_assert_eq!(different.len(), drawn.len());
        prop_assert!(different.is_subset(&model));
        let mut taken = Model::new();
        set.take_random(count, &mut random, |member| _ = taken.insert(member.to_vec()));
        prop_assert_eq!(taken.len(), drawn.len());
        model.retain(|text| !taken.contains(text));
        check_same(&set, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_walk_sees_what_stays(seed: u64, present in 0u32..3000, change_per_step in -60i32..60) {
        let mut table = Table::new(seed);
        let text_of = |number: u32| format!("member:{number}").into_bytes();
        let stays = (0..100).map(text_of);
        stays.clone().for_each(|text| _ = table.insert(&text));
        let (mut removed, mut added) = (1000, 1000 + present);
        (removed..added).for_each(|number| _ = table.insert(&text_of(number)));
        let (mut seen, mut position) = (BTreeSet::new(), 0);
        while let Some(next) = table.scan(position, |text| _ = seen.insert(text.to_vec())) {
            prop_assert!(next > position);
            position = next;
            for _ in 0..change_per_step.abs() {
                if change_per_step > 0 && added < 20_000 {
                    table.insert(&text_of(added));
                    added += 1;
                } else if removed < added {
                    table.remove(&text_of(removed));
                    removed += 1;
                }
            }
        }
        table.check();
        prop_assert!(stays.into_iter().all(|text| seen.contains(&text)));
    }
}

const REDIS_LIMITS: SetLimits = SetLimits {
    intset_entries: 512,
    listpack_entries: 128,
    listpack_value_bytes: 64,
    hash_seed: 7,
};

#[track_caller]
fn check_encoding(texts: impl Iterator<Item = String>, expected: &str) {
    let mut set = Set::default();
    texts.for_each(|text| _ = set.insert(Member::Text(text.as_bytes()), &REDIS_LIMITS));
    assert_eq!(set.encoding(), expected);
}

#[test]
fn forms_change_at_the_limits() {
    let numbers = |count: i32| (0..count).map(|number| number.to_string());
    let words = |count: i32| (0..count).map(|number| format!("w{number}"));
    check_encoding(numbers(512), "intset");
    check_encoding(numbers(513), "hashtable");
    check_encoding(numbers(127).chain(words(1)), "listpack");
    check_encoding(numbers(128).chain(words(1)), "hashtable");
    check_encoding(words(128), "listpack");
    check_encoding(words(129), "hashtable");
    check_encoding(std::iter::once("x".repeat(64)), "listpack");
    check_encoding(std::iter::once("x".repeat(65)), "hashtable");
}

#[test]
fn an_announced_crowd_chooses_the_form_at_once() {
    let prepared = |first: &str, count: usize| {
        let mut set = Set::default();
        set.prepare_for(Member::Text(first.as_bytes()), count, &REDIS_LIMITS);
        set.encoding()
    };
    assert_eq!(prepared("1", 512), "intset");
    assert_eq!(prepared("1", 513), "hashtable");
    assert_eq!(prepared("a", 128), "listpack");
    assert_eq!(prepared("a", 129), "hashtable");
}

#[test]
fn an_intersection_stops_when_told() {
    let texts: Vec<_> = (0..100).map(|number| format!("m{number}").into_bytes()).collect();
    let (set, _) = set_of(&texts, &REDIS_LIMITS);
    let mut count = 0;
    intersect(&[Some(&set), Some(&set)], |_| {
        count += 1;
        if count == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(count, 10);
}

#[test]
fn draws_are_fair() {
    let mut table = Set(Form::Table(Box::new(Table::new(11))));
    for number in 0..1000 {
        table.insert(Member::Text(format!("{number}").as_bytes()), &REDIS_LIMITS);
    }
    let mut random = Random::new(5);
    let mut counts = vec![0u32; 1000];
    for _ in 0..100_000 {
        let number = table.random(&mut random).as_int().expect("all are numbers");
        counts[number as usize] += 1;
    }
    // 100 draws each: 50 and 170 lie five and seven standard deviations off.
    assert!(counts.iter().all(|count| (50..170).contains(count)), "{counts:?}");
}

#[test]
fn members_cost_little_beside_their_text() {
    let mut set = Set::default();
    for number in 0..200_000u32 {
        let text = format!("member:{number:09}");
        set.insert(Member::Text(text.as_bytes()), &REDIS_LIMITS);
    }
    let bytes_per_member = set.footprint_bytes() as f64 / 200_000.0;
    assert!(bytes_per_member < 16.0 + 6.5, "{bytes_per_member} bytes for 16 bytes of text");
    for number in 0..199_000u32 {
        set.remove(Member::Text(format!("member:{number:09}").as_bytes()));
    }
    assert!(set.footprint_bytes() < 60_000, "{} bytes are left", set.footprint_bytes());
}
