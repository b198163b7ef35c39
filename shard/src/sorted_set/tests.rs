//! Sorted sets in every form against a sorted vector.

use super::*;
use crate::table::size_class;
use proptest::prelude::*;

const SEED: Seed = Seed(11);

fn limits(entries_max: usize) -> Limits {
    Limits { entries_max, member_bytes_max: 64, seed: SEED }
}

/// What a sorted set means.
#[derive(Clone, Debug, Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn insert(&mut self, score: f64, member: &[u8]) -> Option<f64> {
        let old = self.remove(member);
        self.0.push((score, member.to_vec()));
        self.0
            .sort_by(|one, other| compare_scores(one.0, other.0).then_with(|| one.1.cmp(&other.1)));
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let place = self.0.iter().position(|entry| entry.1 == member)?;
        Some(self.0.remove(place).0)
    }

    fn count_before(&self, cut: Cut<'_>) -> usize {
        let entries = self.0.iter().map(|(score, member)| Entry { score: *score, member });
        entries.take_while(|entry| cut.is_behind(*entry)).count()
    }
}

fn collect(set: &SortedSet, ranks: Range<usize>, order: Order) -> Vec<(f64, Vec<u8>)> {
    let mut entries = Vec::new();
    set.visit(ranks, order, |entry| entries.push((entry.score, entry.member.to_vec())));
    entries
}

#[track_caller]
fn check_same(set: &SortedSet, model: &Model) {
    set.check();
    assert_eq!(set.len(), model.0.len());
    assert_eq!(collect(set, 0..set.len(), Order::Rising), model.0);
    let mut reversed = model.0.clone();
    reversed.reverse();
    assert_eq!(collect(set, 0..set.len(), Order::Falling), reversed);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(f64, Vec<u8>),
    Remove(Vec<u8>),
    RemoveRanks(usize, usize),
    Copy,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0_u32..400).prop_map(|number| format!("member:{number:04}").into_bytes()),
        3 => (0_i64..50).prop_map(|number| number.to_string().into_bytes()),
        1 => (0_u8..8, 0_usize..3000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3_i32..3).prop_map(f64::from),
        4 => -1e6..1e6_f64,
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e-300]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (score(), member()).prop_map(|(score, member)| Step::Insert(score, member)),
        4 => member().prop_map(Step::Remove),
        1 => (0_usize..400, 0_usize..120)
            .prop_map(|(start, count)| Step::RemoveRanks(start, count)),
        1 => Just(Step::Copy),
    ]
}

fn run(steps: &[Step], limits: &Limits) {
    let mut set = SortedSet::default();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Insert(score, member) => {
                let old = set.insert(Entry { score: *score, member }, limits);
                assert_eq!(old, model.score_and_insert(*score, member));
            }
            Step::Remove(member) => assert_eq!(set.remove(member), model.remove(member)),
            Step::RemoveRanks(start, count) => {
                let start = (*start).min(set.len());
                let end = (start + count).min(set.len());
                set.remove_ranks(start..end);
                model.0.drain(start..end);
            }
            Step::Copy => set = set.clone(),
        }
    }
    check_same(&set, &model);
    for (rank, (score, member)) in model.0.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
        for cut in [
            Cut::BeforeScore(*score),
            Cut::AfterScore(*score),
            Cut::Before(Entry { score: *score, member }),
            Cut::After(Entry { score: *score, member }),
        ] {
            assert_eq!(set.count_before(cut), model.count_before(cut), "{cut:?}");
        }
    }
}

impl Model {
    /// As [`Model::insert`]; a score that is equal stays as it is, signs of zero included.
    fn score_and_insert(&mut self, score: f64, member: &[u8]) -> Option<f64> {
        let present = self.0.iter().find(|entry| entry.1 == member).map(|entry| entry.0);
        if present == Some(score) { present } else { self.insert(score, member) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn packed_sets_follow_the_model(steps in prop::collection::vec(step(), 0..150)) {
        run(&steps, &Limits { member_bytes_max: 10_000, ..limits(10_000) });
    }

    #[test]
    fn indexed_sets_follow_the_model(steps in prop::collection::vec(step(), 0..1500)) {
        run(&steps, &limits(0));
    }

    #[test]
    fn sets_that_change_their_form_follow_the_model(
        steps in prop::collection::vec(step(), 0..300)
    ) {
        run(&steps, &limits(16));
    }

    #[test]
    fn parts_of_a_set_are_visited_either_way(
        members in prop::collection::btree_set(0_u32..5000, 1..600),
        start in 0_usize..600,
        count in 0_usize..600,
        entries_max in prop::sample::select(vec![0_usize, 1000]),
    ) {
        let mut set = SortedSet::default();
        for number in &members {
            let entry = Entry { score: f64::from(number % 7), member: &number.to_be_bytes() };
            set.insert(entry, &limits(entries_max));
        }
        let all = collect(&set, 0..set.len(), Order::Rising);
        let start = start.min(set.len());
        let end = (start + count).min(set.len());
        let mut part = all[start..end].to_vec();
        prop_assert_eq!(collect(&set, start..end, Order::Rising), part.clone());
        part.reverse();
        prop_assert_eq!(collect(&set, start..end, Order::Falling), part);
    }

    #[test]
    fn ranges_of_members_are_cut_where_the_model_cuts(
        members in prop::collection::btree_set(prop::collection::vec(0_u8..3, 0..5), 1..200),
        cuts in prop::collection::vec(prop::collection::vec(0_u8..3, 0..6), 20),
    ) {
        let mut set = SortedSet::default();
        let mut model = Model::default();
        for member in &members {
            set.insert(Entry { score: 1.0, member }, &limits(0));
            model.insert(1.0, member);
        }
        for member in &cuts {
            for cut in [Cut::BeforeMember(member), Cut::AfterMember(member)] {
                prop_assert_eq!(set.count_before(cut), model.count_before(cut));
            }
        }
    }
}

#[test]
fn a_large_set_grows_in_order_and_against_it_and_shrinks_away() {
    for rising in [true, false] {
        let mut set = SortedSet::default();
        let count = 20_000;
        for number in 0..count {
            let number = if rising { number } else { count - 1 - number };
            let member = format!("member:{number:08}");
            let entry = Entry { score: f64::from(number), member: member.as_bytes() };
            assert_eq!(set.insert(entry, &limits(128)), None);
        }
        set.check();
        assert_eq!(set.rank(b"member:00012345"), Some((12_345, 12_345.0)));
        set.remove_ranks(100..19_900);
        set.check();
        assert_eq!(set.len(), 200);
        assert!(set.footprint_bytes() < 20_000, "{}", set.footprint_bytes());
        set.remove_ranks(0..200);
        assert!(set.is_empty());
        set.check();
    }
}

#[test]
fn a_queue_reuses_its_leaves() {
    let mut set = SortedSet::default();
    let mut bytes_max = 0;
    for number in 0..30_000_u32 {
        set.insert(Entry { score: f64::from(number), member: &number.to_be_bytes() }, &limits(0));
        if set.len() > 1000 {
            set.remove_ranks(0..1);
        }
        bytes_max = bytes_max.max(set.footprint_bytes());
    }
    set.check();
    assert!(bytes_max < 1000 * 40, "{bytes_max}");
}

#[test]
fn scans_return_members_whose_scores_change_meanwhile() {
    let mut set = SortedSet::default();
    let member = |number: u32| format!("m{number}").into_bytes();
    for number in 0..5000 {
        let entry = Entry { score: f64::from(number), member: &member(number) };
        set.insert(entry, &limits(0));
    }
    let mut seen = std::collections::BTreeSet::new();
    let (mut cursor, mut round) = (Some(0), 0);
    while let Some(position) = cursor {
        let mut visited = 0;
        cursor = set.scan(position, 10, |entry| {
            seen.insert(entry.member.to_vec());
            visited += 1;
        });
        assert!(visited <= 12);
        for number in (round % 10..5000).step_by(10) {
            let score = f64::from(number * 7919 % 5003);
            set.insert(Entry { score, member: &member(number) }, &limits(0));
        }
        round += 1;
        for extra in 0..20 {
            set.insert(
                Entry { score: 1.0, member: &member(5000 + round * 20 + extra) },
                &limits(0),
            );
        }
    }
    assert!((0..5000).all(|number| seen.contains(&member(number))));
}

#[test]
fn the_small_form_ends_where_its_limits_end() {
    let limits = limits(3);
    let mut set = SortedSet::default();
    for member in [b"a", b"b", b"c"] {
        set.insert(Entry { score: 0.0, member }, &limits);
    }
    assert_eq!(set.encoding(), "listpack");
    set.insert(Entry { score: 1.0, member: b"a" }, &limits);
    assert_eq!(set.encoding(), "listpack");
    set.insert(Entry { score: 1.0, member: b"d" }, &limits);
    assert_eq!(set.encoding(), "skiplist");
    let mut long = SortedSet::default();
    long.insert(Entry { score: 1.0, member: &[b'x'; 64] }, &limits);
    assert_eq!(long.encoding(), "listpack");
    long.insert(Entry { score: 1.0, member: &[b'x'; 65] }, &limits);
    assert_eq!(long.encoding(), "skiplist");
}

#[test]
fn sorted_input_gives_the_form_that_fits() {
    let members: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number]).collect();
    let entries = members.iter().map(|member| Entry { score: 2.0, member });
    for (entries_max, encoding) in [(100, "listpack"), (99, "skiplist")] {
        let set = SortedSet::from_sorted(entries.clone(), &limits(entries_max));
        assert_eq!(set.encoding(), encoding);
        assert_eq!(collect(&set, 0..100, Order::Rising).len(), 100);
        set.check();
    }
}

/// The promise about memory: members of 16 bytes, random scores.
#[test]
fn an_entry_takes_less_than_fifty_bytes() {
    let mut set = SortedSet::default();
    let mut random = fastrand::Rng::with_seed(3);
    let count = 100_000;
    for number in 0..count {
        let member = format!("member:{number:09}");
        set.insert(Entry { score: random.f64(), member: member.as_bytes() }, &limits(128));
    }
    let bytes = set.footprint_bytes() as f64 / f64::from(count);
    assert!(bytes < 50.0, "{bytes}");
    assert!(size_of::<SortedSet>() <= 32);
    assert_eq!(size_class(size_of::<Indexed>()) % 8, 0);
}
