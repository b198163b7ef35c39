//! Streams against a simple model, with blocks of all sizes, and the account against what is held.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs(fields: &Pairs) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    fields.iter().map(|(name, value)| (&name[..], &value[..]))
}

fn read(entry: Entry<'_>) -> (StreamId, Pairs) {
    let count = entry.fields.len();
    let fields: Pairs = entry.fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    assert_eq!(fields.len(), count);
    (entry.id, fields)
}

#[derive(Clone, Debug)]
enum Change {
    /// Milliseconds and sequence behind the last id.
    Append(u64, u64, Pairs),
    Delete(usize),
    TrimLength(usize, bool),
    TrimId(usize, bool),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"name".to_vec()),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(any::<u8>(), 4000..5000),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let fields = prop::collection::vec((text(), text()), 1..4);
    let same = text().prop_map(|value| vec![(b"f".to_vec(), value)]);
    let near = (0u64..3, 0u64..5, fields);
    let far = (0u64..1 << 40, 0u64..5, same);
    let length = (0usize..30, any::<bool>());
    let index = (0usize..10, any::<bool>());
    prop_oneof![
        6 => near.prop_map(|(ms, seq, fields)| Change::Append(ms, seq, fields)),
        6 => far.prop_map(|(ms, seq, fields)| Change::Append(ms, seq, fields)),
        5 => (0usize..40).prop_map(Change::Delete),
        1 => length.prop_map(|(length, rough)| Change::TrimLength(length, rough)),
        1 => index.prop_map(|(index, rough)| Change::TrimId(index, rough)),
    ]
}

fn limits() -> impl Strategy<Value = BlockLimit> {
    (prop_oneof![Just(0usize), Just(64), Just(4096)], 0u64..8)
        .prop_map(|(bytes_max, entries_max)| BlockLimit { bytes_max, entries_max })
}

type Model = BTreeMap<StreamId, Pairs>;

fn trim(stream: &mut Stream, model: &mut Model, threshold: Threshold, is_approximate: bool) {
    let references = References::Keep;
    let removed = stream.trim(Trim { threshold, is_approximate, limit: 0, references });
    let too_many = match threshold {
        Threshold::Length(length) => model.len().saturating_sub(length),
        Threshold::Id(id) => model.range(..id).count(),
    };
    assert!(if is_approximate { removed <= too_many } else { removed == too_many });
    for _ in 0..removed {
        model.pop_first();
    }
}

fn apply(stream: &mut Stream, model: &mut Model, change: Change, limit: BlockLimit) {
    let nth = |model: &Model, index: usize| model.keys().nth(index).copied();
    match change {
        Change::Append(ms, seq, fields) => {
            let last = stream.log().last_id();
            let seq = if ms == 0 { last.seq + seq } else { seq };
            let id = StreamId::new(last.ms + ms, seq);
            let outcome = stream.log_mut().append(id, pairs(&fields), limit);
            assert_eq!(outcome.is_ok(), id > last);
            if id > last {
                model.insert(id, fields);
            }
        }
        Change::Delete(index) => {
            let id = nth(model, index).unwrap_or(StreamId::new(1, index as u64));
            let was_there = model.remove(&id).is_some();
            let deletion = stream.delete(id, References::Keep);
            assert_eq!(deletion == Deletion::Done, was_there);
        }
        Change::TrimLength(length, rough) => {
            trim(stream, model, Threshold::Length(length), rough);
        }
        Change::TrimId(index, rough) => {
            let id = nth(model, index).unwrap_or(stream.log().last_id());
            trim(stream, model, Threshold::Id(id), rough);
        }
    }
}

fn check(log: &Log, model: &Model) {
    assert_eq!(log.len(), model.len());
    assert_eq!(log.first_id(), model.keys().next().copied().unwrap_or_default());
    assert_eq!(log.last_entry_id(), model.keys().last().copied().unwrap_or_default());
    let expected = || model.iter().map(|(id, fields)| (*id, fields.clone()));
    assert!(log.iter().map(read).eq(expected()));
    assert!(log.range_reversed(StreamId::MIN, StreamId::MAX).map(read).eq(expected().rev()));
}

fn check_ranges(log: &Log, model: &Model, bounds: &[(usize, usize)]) {
    let id_at = |index: usize| match index {
        0 => StreamId::MIN,
        60.. => StreamId::MAX,
        _ => {
            let id = model.keys().nth(index / 2).copied().unwrap_or(log.last_id());
            if index.is_multiple_of(2) { id } else { id.next().unwrap_or(id) }
        }
    };
    for (start, end) in bounds {
        let (start, end) = (id_at(*start), id_at(*end));
        let within = |id: &StreamId| start <= *id && *id <= end;
        let expected: Vec<StreamId> = model.keys().copied().filter(within).collect();
        assert!(log.range(start, end).map(|entry| entry.id).eq(expected.iter().copied()));
        let reversed = log.range_reversed(start, end).map(|entry| entry.id);
        assert!(reversed.eq(expected.iter().rev().copied()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn entries_are_those_of_a_map(
        changes in prop::collection::vec(change(), 0..120),
        bounds in prop::collection::vec((0usize..70, 0usize..70), 8),
        limit in limits(),
    ) {
        let (mut stream, mut model) = (Stream::default(), Model::new());
        for change in changes {
            apply(&mut stream, &mut model, change, limit);
            check(stream.log(), &model);
        }
        check_ranges(stream.log(), &model, &bounds);
        for id in model.keys() {
            prop_assert_eq!(stream.log().get(*id).map(|entry| entry.id), Some(*id));
        }
        let copy = stream.clone();
        check(copy.log(), &model);
        while let Some((id, _)) = model.pop_first() {
            prop_assert_eq!(stream.delete(id, References::Spare), Deletion::Done);
        }
        prop_assert_eq!(stream.log().block_count(), 0);
    }

    /// Deliveries, acknowledgements and consumers that come and go, against maps.
    #[test]
    fn pending_entries_are_those_of_a_map(
        changes in prop::collection::vec((0u8..10, 0u64..300, 0usize..4), 0..400),
    ) {
        let mut stream = Stream::default();
        prop_assert!(stream.create_group(b"g", StreamId::MIN, None));
        let empty_bytes = stream.footprint_bytes();
        let mut model: BTreeMap<StreamId, (String, u64)> = BTreeMap::new();
        for (kind, number, consumer) in changes {
            let (id, name) = (StreamId::new(number, 1), format!("consumer{consumer}"));
            stream.change_group(b"g", |group, _| match kind {
                0..6 => {
                    let consumer = group
                        .find_consumer(name.as_bytes())
                        .or_else(|| group.create_consumer(name.as_bytes(), 5))
                        .expect("it is there or made");
                    let deliveries = group.find_pending(id).map_or(1, |old| old.deliveries + 1);
                    group.assign(Pending { id, delivered_ms: 7, deliveries, consumer });
                    model.insert(id, (name, deliveries));
                }
                6..9 => assert_eq!(group.acknowledge(id), model.remove(&id).is_some()),
                _ => {
                    let Some(consumer) = group.find_consumer(name.as_bytes()) else { return };
                    let before = model.len();
                    model.retain(|_, (owner, _)| *owner != name);
                    assert_eq!(group.delete_consumer(consumer), before - model.len());
                }
            });
            check_group(stream.group(b"g").expect("it is there"), &model);
        }
        stream.change_group(b"g", |group, _| {
            let names: Vec<Vec<u8>> = group.consumers().map(|c| c.name().to_vec()).collect();
            for name in names {
                let consumer = group.find_consumer(&name).expect("it is listed");
                group.delete_consumer(consumer);
            }
        });
        prop_assert_eq!(stream.group(b"g").map(Group::pending_len), Some(0));
        prop_assert!(stream.footprint_bytes() < empty_bytes + 1500);
        prop_assert!(stream.destroy_group(b"g"));
        prop_assert!(stream.footprint_bytes() <= empty_bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Deliveries at any time, acknowledgements and deletions against a map, with questions for
    /// idle entries from some moment on.
    #[test]
    fn idle_entries_are_found_by_when_they_were_delivered(
        changes in prop::collection::vec((0u8..12, 1u64..120, -5i64..60), 0..400),
    ) {
        let limit = BlockLimit { bytes_max: 4096, entries_max: 10 };
        let mut stream = Stream::default();
        let field = [(&b"f"[..], &b"v"[..])];
        let append = |stream: &mut Stream, id| {
            stream.log_mut().append(id, field.into_iter(), limit).expect("ascending")
        };
        (1..120).for_each(|ms| append(&mut stream, StreamId::new(ms, 0)));
        prop_assert!(stream.create_group(b"g", StreamId::MIN, None));
        stream.change_group(b"g", |group, _| group.create_consumer(b"c", 5));
        let empty_bytes = stream.footprint_bytes();
        let mut model: BTreeMap<StreamId, i64> = BTreeMap::new();
        for (kind, number, time_ms) in changes {
            let id = StreamId::new(number, 0);
            match kind {
                0..6 => {
                    model.insert(id, time_ms);
                    stream.change_group(b"g", |group, _| {
                        let consumer = group.find_consumer(b"c").expect("it was made");
                        let delivered_ms = time_ms;
                        group.assign(Pending { id, delivered_ms, deliveries: 1, consumer });
                    });
                }
                6..8 => {
                    model.remove(&id);
                    stream.change_group(b"g", |group, _| group.acknowledge(id));
                }
                8 => {
                    stream.delete(id, References::Keep);
                }
                _ => check_idle(&mut stream, &model, time_ms, number as usize % 20),
            }
        }
        check_idle(&mut stream, &model, i64::MAX, usize::MAX);
        let copy = &mut stream.clone();
        check_idle(copy, &model, i64::MAX, usize::MAX);
        // An id that is gone comes again, if clients lower the last id.
        if stream.log().last_entry_id() < StreamId::new(119, 0) {
            stream.set_last_id(StreamId::new(118, 0));
            append(&mut stream, StreamId::new(119, 0));
            check_idle(&mut stream, &model, i64::MAX, usize::MAX);
        }
        for id in model.keys() {
            stream.change_group(b"g", |group, _| group.acknowledge(*id));
        }
        prop_assert!(stream.footprint_bytes() < empty_bytes + 1000);
    }
}

fn check_idle(
    stream: &mut Stream,
    model: &BTreeMap<StreamId, i64>,
    until_ms: i64,
    count_max: usize,
) {
    let is_there = |(id, _): &(&StreamId, &i64)| stream.log().contains(**id);
    let mut expected: Vec<(i64, StreamId)> =
        model.iter().filter(is_there).map(|(id, ms)| (*ms, *id)).collect();
    expected.sort_unstable();
    let first_ms = expected.first().map(|(ms, _)| *ms);
    expected.retain(|(ms, _)| *ms <= until_ms);
    expected.truncate(count_max);
    let found = stream.change_group(b"g", |group, log| {
        let found = group.delivered_until(until_ms, count_max, log);
        assert_eq!(group.first_delivered_ms(log), first_ms);
        found
    });
    let found = found.expect("the group is there").into_iter();
    assert_eq!(found.map(|old| (old.delivered_ms, old.id)).collect::<Vec<_>>(), expected);
    assert_eq!(stream.group(b"g").map(Group::pending_len), Some(model.len()));
}

fn check_group(group: &Group, model: &BTreeMap<StreamId, (String, u64)>) {
    let owner = |pending: &Pending| group.consumer(pending.consumer).name().to_vec();
    let records = group.pending_from(StreamId::MIN);
    let expected = model.iter().map(|(id, (name, count))| (*id, name.clone().into_bytes(), *count));
    assert!(records.map(|record| (record.id, owner(record), record.deliveries)).eq(expected));
    for consumer in group.consumers() {
        let owned = model.iter().filter(|(_, (name, _))| name.as_bytes() == consumer.name());
        let ids: Vec<StreamId> = owned.map(|(id, _)| *id).collect();
        assert_eq!(consumer.pending_len(), ids.len());
        assert!(consumer.pending_from(StreamId::MIN).eq(ids));
    }
}

#[test]
fn shared_names_cost_nothing() {
    let limit = BlockLimit { bytes_max: 4096, entries_max: 100 };
    let mut stream = Stream::default();
    for ms in 1..=100 {
        let fields = [(&b"temperature"[..], &b"21"[..]), (b"humidity", b"63")];
        stream
            .log_mut()
            .append(StreamId::new(ms, 0), fields.into_iter(), limit)
            .expect("ascending");
    }
    assert_eq!(stream.log().block_count(), 1);
    // Size, time, sequence and two small numbers: five or six bytes an entry.
    assert!(stream.log().footprint_bytes() < 900, "{}", stream.log().footprint_bytes());
}

#[test]
fn deleting_with_references() {
    let limit = BlockLimit { bytes_max: 4096, entries_max: 2 };
    let mut stream = Stream::default();
    let id = |ms| StreamId::new(ms, 0);
    for ms in 1..=6 {
        let fields = [(&b"a"[..], &b"b"[..])];
        stream.log_mut().append(id(ms), fields.into_iter(), limit).expect("ascending");
    }
    stream.create_group(b"g", id(4), None);
    stream.change_group(b"g", |group, _| {
        let consumer = group.create_consumer(b"c", 1).expect("it is new");
        for ms in [2, 3] {
            group.assign(Pending { id: id(ms), delivered_ms: 1, deliveries: 1, consumer });
        }
    });
    assert_eq!(stream.delete(id(3), References::Spare), Deletion::Spared);
    assert_eq!(stream.delete(id(5), References::Spare), Deletion::Spared);
    assert_eq!(stream.delete(id(9), References::Spare), Deletion::Missing);
    let trim = Trim {
        threshold: Threshold::Length(0),
        is_approximate: false,
        limit: 0,
        references: References::Spare,
    };
    assert_eq!(stream.clone().trim(trim), 2);
    assert_eq!(stream.clone().trim(Trim { threshold: Threshold::Length(5), ..trim }), 1);
    assert_eq!(stream.clone().trim(Trim { is_approximate: true, ..trim }), 0);
    assert_eq!(stream.delete(id(3), References::Remove), Deletion::Done);
    assert_eq!(stream.group(b"g").map(Group::pending_len), Some(1));
    assert_eq!(
        stream.trim(Trim { references: References::Remove, is_approximate: true, ..trim }),
        5
    );
    assert_eq!(stream.group(b"g").map(Group::pending_len), Some(0));
    assert_eq!(stream.log().max_deleted_id(), id(3));
}
