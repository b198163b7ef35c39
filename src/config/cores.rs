//! The `cores` directive: which processors serve clients.
//!
//! ```text
//! cores ""          every processor the process may run on
//! cores 4           the first four of them
//! cores 0-3,8       exactly these, one serving thread on each
//! ```

use std::collections::BTreeSet;

use super::value::ValueError;

/// Most serving threads; also one more than the highest processor number.
pub const CORES_MAX: usize = 1024;

/// Which processors serve clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Every processor in the affinity mask of the process.
    All,
    /// The first so many of them; at least one.
    Count(usize),
    /// These processors, in ascending order, each once; at least one.
    List(Vec<usize>),
}

impl Cores {
    /// Reads the value of the directive.
    ///
    /// # Errors
    ///
    /// Fails on anything but the three forms above, and on numbers of 1,024 and more.
    pub fn parse(text: &[u8]) -> Result<Cores, ValueError> {
        const BROKEN: ValueError = ValueError::Rule(
            "argument must be a number of cores between 1 and 1024, or a list of processors \
             such as 0-3,8",
        );
        if text.is_empty() {
            return Ok(Cores::All);
        }
        let text = std::str::from_utf8(text).map_err(|_| BROKEN)?;
        if !text.contains([',', '-']) {
            return match number(text) {
                Some(count @ 1..=CORES_MAX) => Ok(Cores::Count(count)),
                _ => Err(BROKEN),
            };
        }
        let mut list = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = number(first).zip(number(last)).ok_or(BROKEN)?;
            if first > last || last >= CORES_MAX {
                return Err(BROKEN);
            }
            list.extend(first..=last);
        }
        Ok(Cores::List(list.into_iter().collect()))
    }
}

fn number(text: &str) -> Option<usize> {
    let is_plain = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

pub(super) fn check(text: &[u8]) -> Result<(), ValueError> {
    Cores::parse(text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::Cores;

    #[test]
    fn reads_all_three_forms() {
        assert_eq!(Cores::parse(b""), Ok(Cores::All));
        assert_eq!(Cores::parse(b"4"), Ok(Cores::Count(4)));
        assert_eq!(Cores::parse(b"0-3,8"), Ok(Cores::List(vec![0, 1, 2, 3, 8])));
        assert_eq!(Cores::parse(b"8,1,8,0-1"), Ok(Cores::List(vec![0, 1, 8])));
    }

    #[test]
    fn refuses_everything_else() {
        for bad in [
            "0",
            "1025",
            "a",
            "3,",
            "3-1",
            "-1",
            "1-",
            "1,,2",
            "0-99999999999",
            "+1",
            " 1",
            "1-2-3",
        ] {
            assert!(Cores::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
