//! The packed sequence against a vector of texts, and its bytes against the format.

use proptest::prelude::*;

use super::{Element, Packed, code};
use crate::table::size_class;

/// Texts of every kind of entry, small ones most often.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let near_a_width = prop::sample::select(vec![0i64, 7, 12, 15, 23, 31, 62]);
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12),
        4 => (near_a_width, -2i64..3, any::<bool>()).prop_map(|(bits, offset, negative)| {
            let number = (1i64 << bits) + offset;
            (if negative { -number } else { number }).to_string().into_bytes()
        }),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => (60usize..130).prop_map(|length| vec![b'x'; length]),
        1 => (4090usize..4100).prop_map(|length| vec![b'y'; length]),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    Insert(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize, usize),
    RemoveFront(usize),
    RemoveBack(usize),
    SplitAndAppend(usize),
    Shrink,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => text().prop_map(Change::PushBack),
        4 => text().prop_map(Change::PushFront),
        2 => (any::<usize>(), text()).prop_map(|(index, text)| Change::Insert(index, text)),
        2 => (any::<usize>(), text()).prop_map(|(index, text)| Change::Replace(index, text)),
        1 => (any::<usize>(), 0usize..5).prop_map(|(index, count)| Change::Remove(index, count)),
        2 => (0usize..5).prop_map(Change::RemoveFront),
        2 => (0usize..5).prop_map(Change::RemoveBack),
        1 => any::<usize>().prop_map(Change::SplitAndAppend),
        1 => Just(Change::Shrink),
    ]
}

fn apply(change: Change, packed: &mut Packed, model: &mut Vec<Vec<u8>>) {
    let len = model.len();
    match change {
        Change::PushBack(text) => {
            packed.push_back(Element::new(&text));
            model.push(text);
        }
        Change::PushFront(text) => {
            packed.push_front(Element::new(&text));
            model.insert(0, text);
        }
        Change::Insert(index, text) => {
            let index = index % (len + 1);
            packed.insert(packed.seek(index), Element::new(&text));
            model.insert(index, text);
        }
        Change::Replace(index, text) if len > 0 => {
            packed.replace(packed.seek(index % len), Element::new(&text));
            model[index % len] = text;
        }
        Change::Remove(index, count) => {
            let index = index % (len + 1);
            packed.remove(packed.seek(index), count);
            model.drain(index..(index + count).min(len));
        }
        Change::RemoveFront(count) => {
            packed.remove_front(count.min(len));
            model.drain(..count.min(len));
        }
        Change::RemoveBack(count) => {
            packed.remove_back(count.min(len));
            model.truncate(len - count.min(len));
        }
        Change::SplitAndAppend(index) => {
            let rest = packed.split_off(index % (len + 1));
            packed.append(&rest);
        }
        Change::Shrink => packed.shrink_to_fit(),
        Change::Replace(..) => {}
    }
}

fn texts<'a>(elements: impl Iterator<Item = Element<'a>>) -> Vec<Vec<u8>> {
    elements.map(Element::to_vec).collect()
}

/// Compares everything one can read.
fn check_same(packed: &Packed, model: &[Vec<u8>]) {
    assert_eq!(packed.len(), model.len());
    assert_eq!(texts(packed.iter()), model);
    let mut backwards = texts(packed.iter().rev());
    backwards.reverse();
    assert_eq!(backwards, model);
    for (index, text) in model.iter().enumerate() {
        assert_eq!(packed.get(packed.seek(index)), Element::new(text));
    }
    let mut place = packed.first();
    let mut count = 0;
    while let Some(present) = place {
        place = packed.next(present);
        count += 1;
        let last = packed.end();
        assert_eq!(packed.previous(place.unwrap_or(last)), Some(present));
    }
    assert_eq!(count, model.len());
    let entries: usize = model.iter().map(|text| Packed::entry_bytes(Element::new(text))).sum();
    assert_eq!(packed.listpack_bytes(), entries + 7);
    let footprint = packed.footprint_bytes();
    assert!(footprint == size_class(footprint) && footprint >= entries);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_sequence_does_what_a_vector_does(changes in prop::collection::vec(change(), 1..120)) {
        let (mut packed, mut model) = (Packed::new(), Vec::new());
        for change in changes {
            apply(change, &mut packed, &mut model);
            check_same(&packed, &model);
        }
        let count = model.len();
        packed.remove_front(count);
        prop_assert_eq!(packed.footprint_bytes(), 0);
    }

    #[test]
    fn finding_passes_over_what_the_stride_leaves_out(
        texts in prop::collection::vec(0u8..4, 0..40), wanted in 0u8..4, stride in 1usize..4,
    ) {
        let texts: Vec<_> = texts.into_iter().map(|digit| vec![b'0' + digit, b'a']).collect();
        let packed: Packed = texts.iter().map(|text| Element::new(text)).collect();
        let needle = [b'0' + wanted, b'a'];
        let found = packed.first().and_then(|first| {
            packed.find(first, Element::new(&needle), stride)
        });
        let expected = (0..texts.len()).step_by(stride).find(|&index| texts[index] == needle);
        prop_assert_eq!(found, expected.map(|index| packed.seek(index)));
    }

    #[test]
    fn an_element_keeps_its_text(text in text()) {
        let element = Element::new(&text);
        prop_assert_eq!(element.to_vec(), text.clone());
        prop_assert_eq!(element.text_len(), text.len());
        let mut entry = vec![0; code::entry_bytes(element)];
        code::write(element, &mut entry);
        prop_assert_eq!(code::read(&entry), (element, entry.len()));
        prop_assert_eq!(code::read_backwards(&entry), entry.len());
    }
}

#[track_caller]
fn check_entry(text: &[u8], expected: &[u8]) {
    let element = Element::new(text);
    let mut entry = vec![0; code::entry_bytes(element)];
    code::write(element, &mut entry);
    assert_eq!(entry, expected);
}

#[test]
fn entries_are_those_of_a_listpack() {
    check_entry(b"0", &[0x00, 1]);
    check_entry(b"127", &[0x7f, 1]);
    check_entry(b"128", &[0xc0, 0x80, 2]);
    check_entry(b"-1", &[0xdf, 0xff, 2]);
    check_entry(b"-4096", &[0xd0, 0x00, 2]);
    check_entry(b"4096", &[0xf1, 0x00, 0x10, 3]);
    check_entry(b"-8388608", &[0xf2, 0x00, 0x00, 0x80, 4]);
    check_entry(b"2147483647", &[0xf3, 0xff, 0xff, 0xff, 0x7f, 5]);
    check_entry(b"-9223372036854775808", &[0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]);
    check_entry(b"", &[0x80, 1]);
    check_entry(b"007", &[0x83, b'0', b'0', b'7', 4]);
    let text = [b'a'; 64];
    let mut expected = vec![0xe0, 64];
    expected.extend_from_slice(&text);
    expected.push(66);
    check_entry(&text, &expected);
}

#[test]
fn a_queue_moves_nothing_and_a_growing_one_stays_lean() {
    let mut packed = Packed::new();
    for number in 0..10_000i64 {
        packed.push_back(Element::Int(number));
        if number >= 100 {
            packed.remove_front(1);
        }
    }
    assert_eq!(packed.len(), 100);
    assert_eq!(texts(packed.iter()).first().map(Vec::as_slice), Some(&b"9900"[..]));
    assert!(packed.footprint_bytes() <= 640, "{} bytes", packed.footprint_bytes());
    for number in 0..10_000i64 {
        packed.push_front(Element::Int(number));
    }
    assert!(packed.footprint_bytes() * 4 <= packed.listpack_bytes() * 5);
}
