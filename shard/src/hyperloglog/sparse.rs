//! The sparse encoding: changes in place, one register at a time.
//!
//! Raising a register rewrites the one run that covers it as up to three, then joins neighbours of
//! equal rank where the new ones touch the old. Which neighbours are looked at decides the bytes,
//! and these are format, so the reach is that of Redis: five runs from the one before.
//!
//! Finding the run is a walk from the front, up to eight runs a step. Whoever raises registers in
//! ascending order goes on from a [`Mark`] instead, so that merging many costs one walk.

use super::observation::Observation;
use super::run::{self, RANKED_LENGTH_MAX, Run, Stride};
use super::{Corrupted, HEADER_SIZE, REGISTER_COUNT};

/// Runs looked at when neighbours are joined.
const JOIN_REACH: usize = 5;

/// The place a run starts at, and the first register it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    at: usize,
    register: usize,
}

impl Mark {
    /// The first run.
    pub(super) const START: Self = Self { at: HEADER_SIZE, register: 0 };
}

/// What came of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// The register holds that much already.
    No,
    /// It holds the new rank now. Looking for a higher register may start at the mark.
    Yes(Mark),
    /// It takes the dense encoding to hold it.
    NeedsDense,
}

/// The run that covers a register.
struct Found {
    mark: Mark,
    run: Run,
    before: Option<Mark>,
}

/// The rank in a register, and where to begin to raise it. O(length).
pub(super) fn rank(bytes: &[u8], register: usize) -> Result<(u8, Mark), Corrupted> {
    let found = find(bytes, Mark::START, register)?;
    Ok((found.run.rank, found.before.unwrap_or(Mark::START)))
}

/// Finds the run that covers `register`, which is not before `start`.
fn find(bytes: &[u8], start: Mark, register: usize) -> Result<Found, Corrupted> {
    let (mut mark, mut before) = (start, None);
    while let Some(eight) = bytes.get(mark.at..).and_then(<[u8]>::first_chunk) {
        let Stride { length, size, last_length, last_size } = Stride::of(*eight);
        let next = Mark { at: mark.at + size, register: mark.register + length };
        if next.register > register {
            break;
        }
        let last = Mark { at: next.at - last_size, register: next.register - last_length };
        (mark, before) = (next, Some(last));
    }
    loop {
        let run = Run::at(bytes, mark.at).ok_or(Corrupted)?;
        if register < mark.register + run.length {
            return Ok(Found { mark, run, before });
        }
        before = Some(mark);
        mark = Mark { at: mark.at + run.size, register: mark.register + run.length };
    }
}

/// Offers a rank, unless the string would grow past `size_max`. `start` is at or before the
/// register. O(length).
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    start: Mark,
    observation: Observation,
    size_max: usize,
) -> Result<Raised, Corrupted> {
    let Observation { register, rank } = observation;
    if rank > run::RANK_MAX {
        return Ok(Raised::NeedsDense);
    }
    let mut found = find(bytes, start, register)?;
    if found.before.is_none() && start != Mark::START {
        // The run before is needed, and only a walk from the front can tell it.
        found = find(bytes, Mark::START, register)?;
    }
    if found.run.rank >= rank {
        return Ok(Raised::No);
    }
    let (runs, size) = split(&found, observation);
    if size > found.run.size && bytes.len() + size - found.run.size > size_max {
        return Ok(Raised::NeedsDense);
    }
    let at = found.mark.at;
    bytes.splice(at..at + found.run.size, runs[..size].iter().copied());
    let before = found.before.unwrap_or(Mark::START);
    join_from(bytes, before.at);
    Ok(Raised::Yes(before))
}

/// The runs that replace the one found: what is left of the register, it, and what is right of it.
fn split(found: &Found, observation: Observation) -> ([u8; 5], usize) {
    let Found { mark, run, .. } = found;
    let left = observation.register - mark.register;
    let right = run.length - left - 1;
    let mut runs = [0; 5];
    let mut size = 0;
    let mut push = |bytes: &[u8]| {
        runs[size..size + bytes.len()].copy_from_slice(bytes);
        size += bytes.len();
    };
    let side = |length: usize, push: &mut dyn FnMut(&[u8])| match (run.rank, length) {
        (_, 0) => {}
        (0, _) => {
            let (bytes, size) = Run::zeros(length);
            push(&bytes[..size]);
        }
        (rank, _) => push(&[Run::ranked(rank, length)]),
    };
    side(left, &mut push);
    push(&[Run::ranked(observation.rank, 1)]);
    side(right, &mut push);
    (runs, size)
}

/// Joins neighbours of equal rank among the runs from `at` on.
fn join_from(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_REACH {
        let Some(run) = Run::at(bytes, at) else { return };
        if run.rank == 0 {
            at += run.size;
            continue;
        }
        let next = Run::at(bytes, at + 1).filter(|next| next.rank == run.rank);
        match next.map(|next| run.length + next.length) {
            Some(length) if length <= RANKED_LENGTH_MAX => {
                bytes[at] = Run::ranked(run.rank, length);
                bytes.remove(at + 1);
            }
            _ => at += 1,
        }
    }
}

/// Calls `visit` with each run and the first register it covers. Fails when the runs do not make up
/// all registers and no more; `visit` may have seen some of them by then. O(length).
pub(super) fn for_each_run(
    bytes: &[u8],
    mut visit: impl FnMut(usize, Run),
) -> Result<(), Corrupted> {
    let mut mark = Mark::START;
    while let Some(run) = Run::at(bytes, mark.at) {
        if mark.register + run.length > REGISTER_COUNT {
            return Err(Corrupted);
        }
        visit(mark.register, run);
        mark = Mark { at: mark.at + run.size, register: mark.register + run.length };
    }
    let complete = mark.at == bytes.len() && mark.register == REGISTER_COUNT;
    if complete { Ok(()) } else { Err(Corrupted) }
}

/// The runs as PFDEBUG DECODE prints them, whether or not they make up all registers. O(length).
pub(super) fn describe(bytes: &[u8]) -> Result<String, Corrupted> {
    let mut words = Vec::new();
    let mut at = HEADER_SIZE;
    while let Some(Run { rank, length, size }) = Run::at(bytes, at) {
        words.push(match (rank, size) {
            (0, 1) => format!("z:{length}"),
            (0, _) => format!("Z:{length}"),
            _ => format!("v:{rank},{length}"),
        });
        at += size;
    }
    if at == bytes.len() { Ok(words.join(" ")) } else { Err(Corrupted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hyperloglog::SketchBuf;
    use proptest::prelude::*;

    const NO_LIMIT: usize = usize::MAX;

    fn ranks(bytes: &[u8]) -> Vec<u8> {
        let mut ranks = Vec::new();
        for_each_run(bytes, |_, run| ranks.resize(ranks.len() + run.length, run.rank))
            .expect("made by this module");
        ranks
    }

    /// Registers close to each other, so that runs are split and joined in every way.
    fn crowded() -> impl Strategy<Value = Vec<(usize, u8)>> {
        proptest::collection::vec((0..300_usize, 1..5_u8), 1..400)
    }

    proptest! {
        #[test]
        fn every_register_holds_the_highest_offer(offers in crowded(), base in 0..16_000_usize) {
            let mut bytes = SketchBuf::new().into_bytes();
            let mut expected = vec![0; REGISTER_COUNT];
            for (register, rank) in offers {
                let register = base + register;
                let observation = Observation { register, rank };
                let raised = raise(&mut bytes, Mark::START, observation, NO_LIMIT)
                    .expect("made by this module");
                prop_assert_eq!(raised == Raised::No, expected[register] >= rank);
                expected[register] = expected[register].max(rank);
                let (present, mark) = super::rank(&bytes, register).expect("well made");
                prop_assert_eq!(present, expected[register]);
                prop_assert!(mark.register <= register);
            }
            prop_assert_eq!(ranks(&bytes), expected);
        }

        #[test]
        fn going_on_from_a_mark_makes_the_same_bytes(
            first in crowded(),
            mut second in crowded(),
            base in 0..16_000_usize,
        ) {
            let mut bytes = SketchBuf::new().into_bytes();
            for (register, rank) in first {
                let observation = Observation { register: base + register, rank };
                raise(&mut bytes, Mark::START, observation, NO_LIMIT).expect("well made");
            }
            let mut by_mark = bytes.clone();
            let mut mark = Mark::START;
            second.sort_unstable();
            for (register, rank) in second {
                let observation = Observation { register: base + register, rank };
                raise(&mut bytes, Mark::START, observation, NO_LIMIT).expect("well made");
                let raised = raise(&mut by_mark, mark, observation, NO_LIMIT).expect("well made");
                if let Raised::Yes(next) = raised {
                    mark = next;
                }
                prop_assert_eq!(&by_mark, &bytes);
            }
        }

        #[test]
        fn any_bytes_are_answered(
            runs in proptest::collection::vec(any::<u8>(), 0..60),
            register in 0..REGISTER_COUNT,
            rank in 1..64_u8,
        ) {
            let mut bytes = [&[0; HEADER_SIZE], &runs[..]].concat();
            let mut registers = 0;
            let whole = for_each_run(&bytes, |start, run| registers = start + run.length);
            prop_assert!(whole.is_err() || registers == REGISTER_COUNT);
            let covered = super::rank(&bytes, register).is_ok();
            prop_assert!(covered || whole.is_err());
            let raised = raise(&mut bytes, Mark::START, Observation { register, rank }, NO_LIMIT);
            prop_assert_eq!(raised.is_ok(), covered || rank > run::RANK_MAX);
        }
    }

    #[test]
    fn the_limit_holds_back_growth_only() {
        let mut bytes = SketchBuf::new().into_bytes();
        let size = bytes.len();
        let offer = |bytes: &mut Vec<u8>, register, rank, size_max| {
            raise(bytes, Mark::START, Observation { register, rank }, size_max).expect("well made")
        };
        assert_eq!(offer(&mut bytes, 100, 1, size), Raised::NeedsDense);
        assert!(matches!(offer(&mut bytes, 100, 1, size + 3), Raised::Yes(_)));
        assert!(matches!(offer(&mut bytes, 100, 2, 0), Raised::Yes(_)));
        assert_eq!(offer(&mut bytes, 100, 33, NO_LIMIT), Raised::NeedsDense);
        assert_eq!(describe(&bytes).as_deref(), Ok("Z:100 v:2,1 Z:16283"));
    }
}
