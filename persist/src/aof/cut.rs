//! How much of the segments of one generation is a prefix of history.
//!
//! After a crash each segment ends somewhere. A batch of records counts if its segment holds it
//! whole and every other segment holds what the batch may depend on; cutting one segment may take
//! away what another needs, so this is repeated until nothing changes. What is left is the greatest
//! set of batches that is closed under "happened before".

use super::item::{Damage, Item, Reader};
use std::io::BufRead;

/// The end of a batch in a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mark {
    items: u64,
    /// Where it ends, in bytes.
    end: u64,
    needs: Vec<(u16, u64)>,
    /// Latest time noted before it, in seconds since 1970.
    unix_seconds: i64,
}

/// A segment that was looked through.
#[derive(Debug, Default)]
pub struct Survey {
    marks: Vec<Mark>,
    /// Where its last whole item ends, in bytes.
    pub good_bytes: u64,
    /// How it ends, if not well.
    pub damage: Option<Damage>,
    /// Records and barriers in it.
    pub items: u64,
    /// Whether it has any annotation of ours; without one it is a plain file.
    pub is_annotated: bool,
    /// Where the part up to each time ends: (seconds, items, bytes), for plain files.
    times: Vec<(i64, u64)>,
}

/// What is left of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Records and barriers.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Survey {
    /// Reads a segment from start to end.
    pub fn of<R: BufRead>(reader: &mut Reader<R>) -> Self {
        let mut survey = Self::default();
        let mut unix_seconds = 0;
        loop {
            let before = reader.good_bytes();
            match reader.next_item() {
                Ok(None) => break,
                Ok(Some(item)) => {
                    survey.is_annotated |=
                        matches!(item, Item::Barrier { .. } | Item::BatchEnd { .. })
                            || !reader.record().slots.is_empty();
                    match item {
                        Item::Record | Item::Barrier { .. } => survey.items += 1,
                        Item::Time(seconds) => {
                            unix_seconds = seconds;
                            survey.times.push((seconds, before));
                        }
                        Item::BatchEnd { items, needs } => {
                            let end = reader.good_bytes();
                            survey.marks.push(Mark { items, end, needs, unix_seconds });
                            if items != survey.items {
                                survey.damage = Some(Damage::Malformed("the count of a batch"));
                                break;
                            }
                        }
                    }
                }
                Err(damage) => {
                    survey.damage = Some(damage);
                    break;
                }
            }
        }
        survey.good_bytes = reader.good_bytes();
        survey
    }

    /// Where the first time later than `unix_seconds` is noted, in bytes, in a plain file.
    pub fn end_of_time(&self, unix_seconds: i64) -> u64 {
        let later = self.times.iter().find(|(seconds, _)| *seconds > unix_seconds);
        later.map_or(self.good_bytes, |(_, start)| *start)
    }
}

/// Cuts the segments of one generation, in the order of their cores, back to a prefix of history,
/// of what happened up to `unix_seconds` if that is said.
pub fn cut(surveys: &[Survey], unix_seconds: Option<i64>) -> Vec<Kept> {
    if let ([only], None) = (surveys, unix_seconds) {
        // Nothing else is there that a record could depend on, so it counts by itself.
        return vec![Kept { items: only.items, bytes: only.good_bytes }];
    }
    let is_in_time = |mark: &Mark| unix_seconds.is_none_or(|limit| mark.unix_seconds <= limit);
    // How many marks of each segment count.
    let mut counts: Vec<usize> = surveys
        .iter()
        .map(|survey| survey.marks.iter().take_while(|mark| is_in_time(mark)).count())
        .collect();
    let items = |counts: &[usize], core: u16| {
        let survey = surveys.get(usize::from(core));
        let last = survey.and_then(|survey| survey.marks[..counts[usize::from(core)]].last());
        last.map_or(0, |mark| mark.items)
    };
    loop {
        let before = counts.clone();
        for core in 0..surveys.len() {
            let marks = &surveys[core].marks;
            // What a batch needs is noted once, and needed by all that follow.
            let met = marks[..counts[core]]
                .iter()
                .take_while(|mark| mark.needs.iter().all(|(of, need)| items(&counts, *of) >= *need))
                .count();
            counts[core] = met;
        }
        if counts == before {
            break;
        }
    }
    let kept = surveys.iter().zip(counts).map(|(survey, count)| {
        let last = survey.marks[..count].last();
        last.map_or(Kept { items: 0, bytes: 0 }, |mark| Kept { items: mark.items, bytes: mark.end })
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(text: &str) -> Survey {
        Survey::of(&mut Reader::new(text.as_bytes(), 0))
    }

    #[test]
    fn what_depends_on_what_is_lost_is_cut_as_well() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        let one = survey(&format!("{ping}#B:1\r\n{ping}{ping}"));
        let other = survey(&format!("{ping}#D:0:1\r\n#B:1\r\n{ping}#D:0:2\r\n#B:2\r\n"));
        let third = survey(&format!("{ping}#D:1:1\r\n#B:1\r\n{ping}#D:1:2\r\n#B:2\r\n"));
        let kept = cut(&[one, other, third], None);
        assert_eq!(kept.iter().map(|kept| kept.items).collect::<Vec<_>>(), [1, 1, 1]);
        let bytes = (ping.len() + "#B:1\r\n".len()) as u64;
        assert_eq!(kept[0].bytes, bytes);
    }

    #[test]
    fn what_needs_each_other_stays_together() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        let texts = [format!("{ping}#D:1:1\r\n#B:1\r\n"), format!("{ping}#D:0:1\r\n#B:1\r\n")];
        let kept = cut(&texts.each_ref().map(|text| survey(text)), None);
        assert!(kept.iter().all(|kept| kept.items == 1));
        let kept = cut(&[survey(&texts[0]), survey(ping)], None);
        assert!(kept.iter().all(|kept| kept.items == 0));
    }
}
