//! How much of the segments of one generation is a prefix of history.
//!
//! After a crash each segment ends somewhere. An item counts if its segment holds everything before
//! it and every other segment holds what it may depend on; cutting one segment may take away what
//! another needs, so this is repeated until nothing changes. What is left is the greatest set of
//! items that is closed under "happened before". Needs lead back in time only (see
//! [`basalt_shard::journal`]), so what was safe before the crash is never cut.
//!
//! Where a segment says that it is *open*, something in it may depend on what another core was
//! still to do, and nobody could say what: what follows counts only if all segments have the
//! barrier that settles it. A core does nothing between its barrier and the moment all have theirs,
//! so a cut at a barrier that all have is closed, however many segments are open behind it; and
//! such barriers come several times a second while there is anything open (`core/succession.rs` of
//! `basalt-shard`). So cutting ends there at the latest:
//!
//! ```text
//! core 0: a  #O:1  b  #G:1  c  #O:2  d          kept: a b #G:1 c
//! core 1: e  #O:1  f  #G:1  #O:2  #D:0:5  g     kept: e f #G:1
//! ```

use std::io::BufRead;

use basalt_shard::mutation::{self, Mutation};

use super::item::{Damage, Item, Reader};

/// From here on a segment needs something of others, or tells of a later time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    /// Items before it.
    items: u64,
    /// Where it begins, in bytes.
    start: u64,
    demand: Demand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Demand {
    /// `(core, items)`
    Needs(Vec<(u16, u64)>),
    /// Seconds since 1970.
    Time(i64),
    /// Every segment has this barrier, or none: it is of one moment.
    Barrier(u64),
    /// Every segment has this barrier, or nothing of what follows counts.
    Open(u64),
}

/// A segment that was looked through.
#[derive(Debug, Default)]
pub struct Survey {
    points: Vec<Point>,
    /// Items before each barrier, from the first on.
    barriers: Vec<u64>,
    /// Where its last whole item ends, in bytes.
    pub good_bytes: u64,
    /// How it ends, if not well.
    pub damage: Option<Damage>,
    /// Records and barriers in it.
    pub items: u64,
}

/// What is left of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Records and barriers.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A survey in the making, item by item.
#[derive(Debug, Default)]
pub struct Surveyor {
    survey: Survey,
    /// Items before, and first byte of, a barrier that has not said yet what it is about.
    untold: Option<Kept>,
}

impl Surveyor {
    /// Notes the next item of the segment, which begins at byte `start`.
    pub fn note(&mut self, item: &Item, start: u64) {
        let survey = &mut self.survey;
        let items = survey.items;
        let demand = match item {
            Item::Record => {
                self.untold = None;
                survey.items += 1;
                return;
            }
            Item::Barrier { number, tells } => {
                if *tells {
                    self.untold.get_or_insert(Kept { items, bytes: start });
                }
                survey.barriers.push(items);
                survey.items += 1;
                Demand::Barrier(*number)
            }
            Item::Needs(needs) => Demand::Needs(needs.clone()),
            Item::Open(number) => Demand::Open(*number),
            Item::Time(seconds) => Demand::Time(*seconds),
        };
        survey.points.push(Point { items, start, demand });
    }

    /// The survey of a segment whose last whole item ends at byte `good_bytes`.
    pub fn finish(self, good_bytes: u64, damage: Option<Damage>) -> Survey {
        let (items, good_bytes) = match self.untold {
            Some(untold) => (untold.items, untold.bytes),
            None => (self.survey.items, good_bytes),
        };
        Survey { items, good_bytes, damage, ..self.survey }
    }
}

impl Survey {
    /// Reads a segment from start to end.
    pub fn of<R: BufRead>(reader: &mut Reader<R>) -> Self {
        let mut surveyor = Surveyor::default();
        loop {
            let start = reader.good_bytes();
            match reader.next_item() {
                Ok(None) => return surveyor.finish(reader.good_bytes(), None),
                Ok(Some(item)) => surveyor.note(&item, start),
                Err(damage) => return surveyor.finish(reader.good_bytes(), Some(damage)),
            }
        }
    }

    /// A segment that stands for itself, of which so many items were read.
    pub fn of_one(items: u64, good_bytes: u64, damage: Option<Damage>) -> Self {
        Self { items, good_bytes, damage, ..Self::default() }
    }

    /// Whether barrier `number` is among the first `items` items.
    fn has_barrier(&self, number: u64, items: u64) -> bool {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        index.and_then(|index| self.barriers.get(index)).is_some_and(|before| *before < items)
    }

    fn whole(&self) -> Kept {
        Kept { items: self.items, bytes: self.good_bytes }
    }

    /// Whether all of a segment of so many bytes is whole.
    fn covers(&self, length: u64) -> bool {
        self.damage.is_none() && self.good_bytes == length
    }
}

/// Whether nothing has to be cut off the segments of one generation, of these lengths in bytes.
pub fn is_closed(surveys: &[Survey], lengths: &[u64]) -> bool {
    surveys.iter().zip(lengths).all(|(survey, length)| survey.covers(*length))
        && cut(surveys, None).iter().zip(surveys).all(|(kept, survey)| *kept == survey.whole())
}

/// Cuts the segments of one generation, in the order of their cores, back to a prefix of history,
/// of what happened up to `unix_seconds` if that is said. O(points) for each segment that is cut.
pub fn cut(surveys: &[Survey], unix_seconds: Option<i64>) -> Vec<Kept> {
    let mut kept: Vec<Kept> = surveys.iter().map(Survey::whole).collect();
    if mutation::is_on(Mutation::CrashNotCut) {
        return kept;
    }
    loop {
        let before = kept.clone();
        for core in 0..surveys.len() {
            let is_met = |demand: &Demand| match demand {
                Demand::Time(seconds) => unix_seconds.is_none_or(|limit| *seconds <= limit),
                Demand::Open(_) if mutation::is_on(Mutation::OpenKept) => true,
                Demand::Barrier(number) | Demand::Open(number) => surveys
                    .iter()
                    .zip(&kept)
                    .all(|(other, kept)| other.has_barrier(*number, kept.items)),
                Demand::Needs(needs) => needs.iter().all(|(of, need)| {
                    kept.get(usize::from(*of)).is_some_and(|other| other.items >= *need)
                }),
            };
            let mut within =
                surveys[core].points.iter().take_while(|point| point.start < kept[core].bytes);
            if let Some(point) = within.find(|point| !is_met(&point.demand)) {
                kept[core] = Kept { items: point.items, bytes: point.start };
            }
        }
        if kept == before {
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(text: &str) -> Survey {
        Survey::of(&mut Reader::new(text.as_bytes(), 0))
    }

    const PING: &str = "*1\r\n$4\r\nPING\r\n";

    #[test]
    fn what_depends_on_what_is_lost_is_cut_as_well() {
        let one = survey(PING);
        let other = survey(&format!("#D:0:1\r\n{PING}#D:0:2\r\n{PING}"));
        let third = survey(&format!("#D:1:1\r\n{PING}{PING}#D:1:2\r\n{PING}"));
        let kept = cut(&[one, other, third], None);
        assert_eq!(kept.iter().map(|kept| kept.items).collect::<Vec<_>>(), [1, 1, 2]);
        let bytes = ("#D:0:1\r\n".len() + PING.len()) as u64;
        assert_eq!(kept[1].bytes, bytes);
    }

    #[test]
    fn a_barrier_that_not_all_have_reached_is_cut_off() {
        let one = survey(&format!("{PING}#T:1\r\n{PING}"));
        let other = survey(&format!("{PING}{PING}"));
        let kept = cut(&[one, other], None);
        assert_eq!(kept.iter().map(|kept| kept.items).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_barrier_whose_effect_is_lost_is_cut_off() {
        let one = survey(&format!("{PING}#T:1\r\n*1\r\n$4\r\nPI"));
        let other = survey(&format!("{PING}#G:1\r\n{PING}"));
        let kept = cut(&[one, other], None);
        assert_eq!(kept.iter().map(|kept| kept.items).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn later_times_are_cut_off_with_what_depends_on_them() {
        let one = survey(&format!("#TS:5\r\n{PING}#TS:7\r\n{PING}"));
        let other = survey(&format!("#TS:5\r\n{PING}#D:0:2\r\n{PING}"));
        let kept = cut(&[one, other], Some(6));
        assert!(kept.iter().all(|kept| kept.items == 1));
    }

    #[test]
    fn what_is_open_counts_only_with_the_barrier_that_settles_it() {
        let texts = [
            format!("{PING}#O:1\r\n{PING}#G:1\r\n{PING}#O:2\r\n{PING}"),
            format!("{PING}#O:1\r\n{PING}#G:1\r\n#O:2\r\n#D:0:5\r\n{PING}"),
        ];
        let items = |texts: [&str; 2]| -> Vec<u64> {
            cut(&texts.map(survey), None).iter().map(|kept| kept.items).collect()
        };
        assert_eq!(items([&texts[0], &texts[1]]), [4, 3]);
        let torn = &texts[1][..texts[1].find("#G").expect("it is there")];
        assert_eq!(items([&texts[0], torn]), [1, 1], "the barrier is not in all of them");
    }

    #[test]
    fn what_nothing_is_cut_off_is_closed() {
        let is_closed = |texts: &[&str]| {
            let lengths: Vec<u64> = texts.iter().map(|text| text.len() as u64).collect();
            is_closed(&texts.iter().map(|text| survey(text)).collect::<Vec<_>>(), &lengths)
        };
        let whole = format!("#D:0:2\r\n{PING}#G:1\r\n");
        let other = format!("{PING}#T:1\r\n{PING}#G:2\r\n");
        assert!(is_closed(&[&format!("{PING}#G:1\r\n"), &whole]));
        assert!(!is_closed(&["#G:1\r\n", &whole]), "what it needs is not there");
        assert!(!is_closed(&[&other, &whole]), "one has a barrier that the other lacks");
        assert!(!is_closed(&[&format!("{PING}#T:1\r\n"), &whole]), "nobody says what it was");
        assert!(!is_closed(&[&format!("{PING}*1\r\n"), PING]), "an end is torn");
    }

    #[test]
    fn needs_of_segments_that_are_not_there_are_not_met() {
        let kept = cut(&[survey(&format!("{PING}#D:3:1\r\n{PING}"))], None);
        assert_eq!(kept[0].items, 1);
    }
}
