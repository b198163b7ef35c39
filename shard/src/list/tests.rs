//! Lists against a vector of texts, in both forms and under several limits.

use proptest::prelude::*;

use super::{End, Form, List, NodeLimit, Side};
use crate::packed::Element;
use crate::table::Footprint;

#[derive(Clone, Debug)]
enum Change {
    Push(End, Vec<Vec<u8>>),
    Remove(End, usize),
    Keep(usize, usize),
    RemoveEqual(End, Vec<u8>, usize),
    Replace(usize, Vec<u8>),
    Rotate(End, End),
    Insert(Side, Vec<u8>, Vec<u8>),
}

/// Few different texts, so that searches find something; some too long for a run.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..5).prop_map(|digit: i32| digit.to_string().into_bytes()),
        4 => (0u8..5).prop_map(|letter| vec![b'a' + letter; 3]),
        2 => Just(vec![b'm'; 900]),
        1 => Just(vec![b'L'; 9000]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Head), Just(End::Tail)]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Before), Just(Side::After)]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (end(), prop::collection::vec(text(), 1..8))
            .prop_map(|(end, texts)| Change::Push(end, texts)),
        3 => (end(), 0usize..12).prop_map(|(end, count)| Change::Remove(end, count)),
        1 => (0usize..6, 0usize..6).prop_map(|(front, back)| Change::Keep(front, back)),
        1 => (end(), text(), prop_oneof![Just(usize::MAX), 1usize..3])
            .prop_map(|(end, text, count)| Change::RemoveEqual(end, text, count)),
        3 => (any::<usize>(), text()).prop_map(|(index, text)| Change::Replace(index, text)),
        2 => (end(), end()).prop_map(|(from, to)| Change::Rotate(from, to)),
        4 => (side(), text(), text())
            .prop_map(|(side, pivot, text)| Change::Insert(side, pivot, text)),
    ]
}

fn apply(change: Change, list: &mut List, model: &mut Vec<Vec<u8>>, limit: NodeLimit) {
    match change {
        Change::Push(end, texts) => {
            list.push_all(end, texts.iter().map(Vec::as_slice), limit);
            for text in texts {
                model.insert(if end == End::Head { 0 } else { model.len() }, text);
            }
        }
        Change::Remove(end, count) => {
            list.remove(end, count, limit);
            let count = count.min(model.len());
            match end {
                End::Head => drop(model.drain(..count)),
                End::Tail => model.truncate(model.len() - count),
            }
        }
        Change::Keep(front, back) => {
            let front = front.min(model.len());
            let count = (model.len() - front).saturating_sub(back);
            list.keep(front, count, limit);
            *model = model[front..front + count].to_vec();
        }
        Change::RemoveEqual(end, text, count) => {
            let mut places: Vec<_> =
                (0..model.len()).filter(|&index| model[index] == text).collect();
            if end == End::Tail {
                places.reverse();
            }
            places.truncate(count);
            assert_eq!(list.remove_equal(end, &text, count, limit), places.len());
            places.sort_unstable_by(|one, other| other.cmp(one));
            places.into_iter().for_each(|index| drop(model.remove(index)));
        }
        Change::Replace(index, text) => {
            let index = index % (model.len() + 1);
            assert_eq!(list.replace(index, &text, limit), index < model.len());
            if let Some(present) = model.get_mut(index) {
                *present = text;
            }
        }
        Change::Rotate(from, to) => {
            let moved = match from {
                End::Head if !model.is_empty() => Some(model.remove(0)),
                End::Head => None,
                End::Tail => model.pop(),
            };
            assert_eq!(list.rotate(from, to, limit), moved);
            if let Some(text) = moved {
                model.insert(if to == End::Head { 0 } else { model.len() }, text);
            }
        }
        Change::Insert(side, pivot, text) => {
            let found = model.iter().position(|present| *present == pivot);
            assert_eq!(list.insert_beside(side, &pivot, &text, limit), found.is_some());
            if let Some(index) = found {
                model.insert(index + usize::from(side == Side::After), text);
            }
        }
    }
}

fn check_same(list: &List, model: &[Vec<u8>]) {
    assert_eq!(list.len(), model.len());
    assert!(list.iter().map(Element::to_vec).eq(model.iter().cloned()));
    assert!(list.iter().rev().map(Element::to_vec).eq(model.iter().rev().cloned()));
    for (index, text) in model.iter().enumerate() {
        assert_eq!(list.get(index), Some(Element::new(text)));
    }
    assert_eq!(list.get(model.len()), None);
    if let Form::Long(quick) = &list.0 {
        quick.check();
    }
    let (start, count) = (model.len() / 3, model.len() / 2);
    let part: Vec<_> = list.range(start, count).map(Element::to_vec).collect();
    assert_eq!(part, model[start..start + count]);
    // Walks from both ends meet.
    let mut elements = list.iter();
    let mut seen = 0;
    while elements.next().is_some() {
        seen += 1 + usize::from(elements.next_back().is_some());
    }
    assert_eq!(seen, model.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_list_does_what_a_vector_does(
        changes in prop::collection::vec(change(), 1..60),
        setting in prop::sample::select(vec![-1i64, -2, 1, 2, 5, 128]),
        large_from in prop::sample::select(vec![1, 50, u64::MAX]),
    ) {
        let limit = NodeLimit::of_setting(setting).with_large_from(large_from);
        let (mut list, mut model) = (List::default(), Vec::new());
        for change in changes {
            apply(change, &mut list, &mut model, limit);
            check_same(&list, &model);
        }
        check_same(&list.clone(), &model);
        list.remove(End::Tail, usize::MAX, limit);
        prop_assert!(list.is_empty());
    }
}

#[test]
fn forms_change_at_the_limit_and_back_at_half_of_it() {
    let limit = NodeLimit::of_setting(8);
    let mut list = List::default();
    for number in 0..8 {
        list.push(End::Tail, number.to_string().as_bytes(), limit);
        assert_eq!(list.encoding(), "listpack");
    }
    list.push(End::Tail, b"8", limit);
    assert_eq!(list.encoding(), "quicklist");
    list.remove(End::Tail, 4, limit);
    assert_eq!((list.len(), list.encoding()), (5, "quicklist"));
    list.remove(End::Head, 1, limit);
    assert_eq!((list.len(), list.encoding()), (4, "listpack"));
}

#[test]
fn large_elements_stand_alone() {
    let limit = NodeLimit::of_setting(-1);
    let mut list = List::default();
    let large = vec![b'x'; 5000];
    list.push(End::Tail, b"a", limit);
    list.push(End::Tail, &large, limit);
    list.push(End::Tail, b"b", limit);
    assert_eq!(list.encoding(), "quicklist");
    assert!(list.footprint_bytes() >= 5120);
    assert!(list.replace(1, b"small again", limit));
    let texts: Vec<_> = list.iter().map(Element::to_vec).collect();
    assert_eq!(texts, [&b"a"[..], b"small again", b"b"]);
}

#[test]
fn a_million_elements_take_little_more_than_their_bytes() {
    let limit = NodeLimit::of_setting(-2);
    let mut list = List::default();
    for number in 0..1_000_000 {
        list.push(End::Tail, format!("element:{number:07}").as_bytes(), limit);
    }
    let bytes_per_element = list.footprint_bytes() as f64 / 1e6;
    // 15 bytes of text, 2 of framing.
    assert!(bytes_per_element < 18.0, "{bytes_per_element} bytes");
    assert_eq!(list.get(654_321).map(Element::to_vec), Some(b"element:0654321".to_vec()));
}

#[test]
fn replacements_do_not_stretch_a_run_without_bound() {
    let limit = NodeLimit::of_setting(-1);
    let mut list = List::default();
    for _ in 0..1000 {
        list.push(End::Tail, b"tiny", limit);
    }
    for index in 0..1000 {
        assert!(list.replace(index, &[b'x'; 4000], limit));
    }
    let Form::Long(quick) = &list.0 else { panic!("a long list") };
    quick.check();
    assert!(quick.longest_run_bytes() <= 4 * 4096 + 4100);
}
