//! Every form of a hash against a sorted map, under random changes and a clock that goes on.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn text_of(text: Text<'_>) -> Vec<u8> {
    text.bytes(&mut itoa::Buffer::new()).to_vec()
}

/// What a hash should hold: values and deadlines by name.
#[derive(Clone, Default)]
struct Model(BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>);

impl Model {
    fn live(&self, now_ms: i64) -> BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)> {
        let is_live = |at_ms: Option<i64>| at_ms.is_none_or(|at_ms| at_ms >= now_ms);
        let fields = self.0.iter().filter(|(_, (_, at_ms))| is_live(*at_ms));
        fields.map(|(name, field)| (name.clone(), field.clone())).collect()
    }

    fn set(&mut self, name: &[u8], value: &[u8], lifetime: Lifetime, now_ms: i64) -> bool {
        let old = self.live(now_ms).remove(name);
        let deadline_ms = lifetime.deadline_ms(old.as_ref().and_then(|(_, at_ms)| *at_ms));
        self.0.insert(name.to_vec(), (value.to_vec(), deadline_ms));
        old.is_none()
    }

    fn remove(&mut self, name: &[u8], now_ms: i64) -> bool {
        let was_live = self.live(now_ms).contains_key(name);
        self.0.remove(name);
        was_live
    }

    /// Forgets what is due before `now_ms`.
    fn remove_due(&mut self, now_ms: i64) -> usize {
        let before = self.0.len();
        self.0 = self.live(now_ms);
        before - self.0.len()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>, u8, i64),
    Remove(u8),
    SetDeadline(u8, Option<i64>),
    RemoveDue(usize),
    Wait(i64),
}

fn name_of(number: u8) -> Vec<u8> {
    // Numbers and text, and names longer than the low limit allows.
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => format!("field {number}").into_bytes(),
        _ => vec![number; usize::from(number % 7) + 1],
    }
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
        (2000usize..3000).prop_map(|len| vec![7; len]),
    ];
    prop_oneof![
        8 => (any::<u8>(), value, 0u8..3, 1i64..300)
            .prop_map(|(name, value, kind, ms)| Step::Set(name, value, kind, ms)),
        3 => any::<u8>().prop_map(Step::Remove),
        3 => (any::<u8>(), prop::option::of(1i64..300))
            .prop_map(|(name, ms)| Step::SetDeadline(name, ms)),
        1 => (1usize..4).prop_map(Step::RemoveDue),
        1 => (1i64..100).prop_map(Step::Wait),
    ]
}

fn limits(packed_fields_max: usize, packed_text_bytes_max: usize) -> Limits {
    Limits { packed_fields_max, packed_text_bytes_max, seed: Seed(99) }
}

fn fields_of(hash: &Hash, now_ms: i64) -> BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)> {
    let mut fields = BTreeMap::new();
    hash.for_each(now_ms, |name, value| {
        let name = text_of(name);
        let deadline_ms = hash.deadline_ms(&name, now_ms).expect("the field is there");
        let before = fields.insert(name, (text_of(value), deadline_ms));
        assert!(before.is_none(), "a field comes once");
    });
    fields
}

fn scanned(hash: &Hash, now_ms: i64) -> BTreeSet<Vec<u8>> {
    let mut names = BTreeSet::new();
    let mut position = Some(Position::START);
    while let Some(place) = position {
        position = hash.scan(place, now_ms, |name, _| {
            names.insert(text_of(name));
        });
    }
    names
}

fn check(hash: &Hash, model: &Model, now_ms: i64) {
    let live = model.live(now_ms);
    assert_eq!(fields_of(hash, now_ms), live);
    assert_eq!(hash.len(now_ms), live.len());
    assert_eq!(hash.is_empty(), model.0.is_empty());
    let first_ms = model.0.values().filter_map(|(_, at_ms)| *at_ms).min();
    assert_eq!(hash.first_deadline_ms(), first_ms);
    assert_eq!(scanned(hash, now_ms), live.keys().cloned().collect());
    for number in [0u8, 1, 2, 77] {
        let name = name_of(number);
        let value = hash.get(&name, now_ms).map(text_of);
        assert_eq!(value, live.get(&name).map(|(value, _)| value.clone()));
    }
}

fn run(steps: Vec<Step>, limits: &Limits) -> (Hash, Model, i64) {
    let (mut hash, mut model, mut now_ms) = (Hash::default(), Model::default(), 1000);
    for step in steps {
        match step {
            Step::Set(number, value, kind, ms) => {
                let name = name_of(number);
                let lifetime = match kind {
                    0 => Lifetime::Endless,
                    1 => Lifetime::Kept,
                    _ => Lifetime::Until(now_ms + ms),
                };
                let is_new = hash.set(&name, &value, lifetime, now_ms, limits);
                assert_eq!(is_new, model.set(&name, &value, lifetime, now_ms));
            }
            Step::Remove(number) => {
                let name = name_of(number);
                assert_eq!(hash.remove(&name, now_ms), model.remove(&name, now_ms));
            }
            Step::SetDeadline(number, ms) => {
                let (name, deadline_ms) = (name_of(number), ms.map(|ms| now_ms + ms));
                if hash.deadline_ms(&name, now_ms).is_some() {
                    hash.set_deadline(&name, deadline_ms);
                    model.0.get_mut(&name).expect("it is in both").1 = deadline_ms;
                }
            }
            Step::RemoveDue(count_max) => {
                let due = model.remove_due(now_ms);
                let (mut removed, len) = (0, hash.len(now_ms));
                loop {
                    let count = hash.remove_due(now_ms, count_max, |_| {});
                    assert!(hash.encoding() != "hashtable" || count <= count_max);
                    assert_eq!(hash.len(now_ms), len, "what is due was hidden before");
                    removed += count;
                    if count == 0 {
                        break;
                    }
                }
                assert_eq!(removed, due);
            }
            Step::Wait(ms) => now_ms += ms,
        }
    }
    (hash, model, now_ms)
}

proptest! {
    #[test]
    fn all_forms_behave_as_a_map(
        steps in prop::collection::vec(step(), 0..300),
        fields_max in prop_oneof![Just(0), Just(8), Just(512)],
        text_bytes_max in prop_oneof![Just(16), Just(4096)],
    ) {
        let (hash, model, now_ms) = run(steps, &limits(fields_max, text_bytes_max));
        check(&hash, &model, now_ms);
        check(&hash.clone(), &model, now_ms);
        prop_assert_eq!(hash.clone().len(i64::MIN), model.0.len());
    }

    #[test]
    fn draws_return_what_is_there(
        steps in prop::collection::vec(step(), 0..200),
        fields_max in prop_oneof![Just(0), Just(512)],
        count in 0usize..300,
        seed: u64,
    ) {
        let (hash, model, now_ms) = run(steps, &limits(fields_max, 4096));
        let live = model.live(now_ms);
        let distinct = hash.pick_distinct(count, now_ms, &mut Draws(seed));
        let names: BTreeSet<_> = distinct.iter().map(|(name, _)| text_of(*name)).collect();
        prop_assert_eq!(names.len(), distinct.len());
        prop_assert_eq!(names.len(), count.min(live.len()));
        prop_assert!(names.iter().all(|name| live.contains_key(name)));
        let mut drawn = 0;
        hash.pick_any(count, now_ms, &mut Draws(seed), |(name, _)| {
            drawn += 1;
            assert!(live.contains_key(&text_of(name)));
        });
        prop_assert_eq!(drawn, if live.is_empty() { 0 } else { count });
    }
}

#[test]
fn forms_change_where_limits_are_passed() {
    let limits = limits(2, 4);
    let mut hash = Hash::default();
    let mut set = |name: &[u8], value: &[u8], lifetime| {
        hash.set(name, value, lifetime, 0, &limits);
        hash.encoding()
    };
    assert_eq!(set(b"a", b"1234", Lifetime::Endless), "listpack");
    assert_eq!(set(b"b", b"1", Lifetime::Until(9)), "listpackex");
    assert_eq!(set(b"b", b"1", Lifetime::Endless), "listpackex");
    assert_eq!(set(b"c", b"1", Lifetime::Kept), "hashtable");
    hash.remove(b"a", 0);
    hash.remove(b"b", 0);
    assert_eq!(hash.encoding(), "hashtable");
    let mut long = Hash::default();
    long.set(b"a", b"12345", Lifetime::Endless, 0, &limits);
    assert_eq!(long.encoding(), "hashtable");
}

#[test]
fn draws_reach_every_field_about_equally() {
    for fields_max in [0, 512] {
        let mut hash = Hash::default();
        for number in 0..100 {
            let name = format!("field:{number}");
            hash.set(name.as_bytes(), b"", Lifetime::Endless, 0, &limits(fields_max, 64));
        }
        let mut counts = BTreeMap::<Vec<u8>, u32>::new();
        hash.pick_any(100_000, 0, &mut Draws(5), |(name, _)| {
            *counts.entry(text_of(name)).or_default() += 1;
        });
        assert_eq!(counts.len(), 100);
        assert!(counts.values().all(|count| (500..2000).contains(count)), "{counts:?}");
    }
}

#[test]
fn a_field_of_a_table_takes_fifty_bytes() {
    let mut hash = Hash::default();
    for number in 0..100_000 {
        let (name, value) = (format!("field:{number:010}"), format!("value:{number:010}"));
        hash.set(name.as_bytes(), value.as_bytes(), Lifetime::Endless, 0, &limits(0, 64));
    }
    let per_field = hash.footprint_bytes() as f64 / 100_000.0;
    assert!((48.0..52.0).contains(&per_field), "{per_field}");
    for number in 0..100_000 {
        let name = format!("field:{number:010}");
        hash.set_deadline(name.as_bytes(), Some(1_700_000_000_000 + number));
    }
    let per_field = hash.footprint_bytes() as f64 / 100_000.0;
    assert!((64.0..72.0).contains(&per_field), "{per_field}");
    assert_eq!(hash.remove_due(i64::MAX, usize::MAX, |_| {}), 100_000);
    assert!(hash.is_empty());
}
