//! What a power cut may leave of a history.
//!
//! * What was answered before the cut is there, with `appendfsync always`; with `everysec`, what
//!   was answered before everything was on the disk for the last time.
//! * What is there is a prefix of history: nothing is missing that anything depends on.
//! * A transaction or script is there as a whole or not at all, and values are as they were at some
//!   moment.

use std::collections::HashSet;

use basalt_persist::aof::segment::SyncPolicy;

use crate::coda::Timed;
use crate::history::{Event, History};
use crate::op::{KEYS, QUEUES, Seen, Token, token_text};
use crate::order::Order;
use crate::values::Values;

/// A life that ended with a power cut.
pub struct Before {
    /// What happened, also after the cut.
    pub history: History,
    /// In what order.
    pub order: Order,
    /// When the power was cut.
    pub cut_at: u64,
    /// What was answered before this moment must be there.
    pub safe_at: u64,
    /// How changes were written.
    pub policy: SyncPolicy,
    /// Keys whose time was short, if nothing is missing of what was done to them.
    pub timed: Option<Timed>,
    /// The time when everything had come to rest, milliseconds since 1970.
    pub ended_ms: i64,
    /// What left queues without a trace: taken for clients that had gone.
    pub lost: HashSet<(usize, Token)>,
    /// What recovery had to say.
    pub log: Vec<String>,
}

/// Compares what was recovered with what had happened. Returns how many tokens are gone.
///
/// # Errors
/// What must not be.
pub fn check_recovery(before: &Before, recovered: &Values) -> Result<u64, String> {
    let tell = |error| format!("{error}\nrecovery said:\n  {}", before.log.join("\n  "));
    compare(before, recovered).map_err(tell)
}

fn compare(before: &Before, recovered: &Values) -> Result<u64, String> {
    let history = &before.history;
    for (key, tokens) in recovered.keys.iter().enumerate() {
        if !history.finals[key].starts_with(tokens) {
            return Err(format!("{} has a value after recovery that it never had", KEYS[key]));
        }
        if tokens.len() < history.initial[key] {
            return Err(format!("{} lost what was there before the last life", KEYS[key]));
        }
    }
    let there: HashSet<Token> = recovered.keys.iter().flatten().copied().collect();
    let mut kept = vec![false; history.events.len()];
    for (number, event) in history.events.iter().enumerate() {
        let written: Vec<Token> = tokens_written(event).collect();
        let count = written.iter().filter(|token| there.contains(token)).count();
        if count != 0 && count != written.len() {
            return Err(format!("half of this was recovered:\n  {}", history.tell(number)));
        }
        kept[number] = count > 0;
        let is_safe = event.completed.is_some_and(|completed| completed < before.safe_at);
        if is_safe && count < written.len() {
            let (cut, safe) = (before.cut_at, before.safe_at);
            return Err(format!(
                "this was answered, but is gone after a power cut at {cut} ({:?}, safe up to \
                 {safe}):\n  {}",
                before.policy,
                history.tell(number)
            ));
        }
    }
    // What was not answered, a transaction that lost its race for one, may never have happened.
    let ever: HashSet<Token> = history.finals.iter().flatten().copied().collect();
    let matters =
        |number: usize| tokens_written(&history.events[number]).any(|token| ever.contains(&token));
    if let Some((missing, dependent)) = before.order.gap(&kept, matters) {
        return Err(format!(
            "what was recovered is no prefix of history: this is missing\n  {}\nthough this is \
             there, which comes later\n  {}",
            history.tell(missing),
            history.tell(dependent)
        ));
    }
    if before.policy == SyncPolicy::Always {
        check_queues(before, &recovered.queues)?;
    }
    let all: usize = history.finals[..KEYS.len()].iter().map(Vec::len).sum();
    Ok((all - there.len()) as u64)
}

fn tokens_written(event: &Event) -> impl Iterator<Item = Token> {
    event.seen.iter().filter_map(|seen| match seen {
        Seen::Wrote(key, token, _) if *key < KEYS.len() => Some(*token),
        _ => None,
    })
}

/// Tokens in queues: what was fed and never taken is there, what was taken is not, and nothing is
/// in two places.
fn check_queues(before: &Before, queues: &[Vec<Token>]) -> Result<(), String> {
    let mut places = HashSet::new();
    for (queue, tokens) in queues.iter().enumerate() {
        for token in tokens {
            if !places.insert(*token) {
                return Err(format!("{} was recovered twice", token_text(*token)));
            }
            let taken = |event: &&Event| {
                event.seen.contains(&Seen::Took(queue, *token))
                    && event.completed.is_some_and(|completed| completed < before.safe_at)
            };
            if before.history.events.iter().any(|event| taken(&event)) {
                let (text, name) = (token_text(*token), QUEUES[queue]);
                return Err(format!("{text} was taken from {name}, and is back after recovery"));
            }
        }
    }
    let events = &before.history.events;
    let taken: HashSet<(usize, Token)> = events
        .iter()
        .flat_map(|event| &event.seen)
        .filter_map(|seen| match seen {
            Seen::Took(queue, token) => Some((*queue, *token)),
            _ => None,
        })
        .chain(before.lost.iter().copied())
        .collect();
    for event in events.iter().filter(|event| event.completed.is_some_and(|at| at < before.safe_at))
    {
        for seen in &event.seen {
            if let Seen::Fed(queue, token) = seen
                && !taken.contains(&(*queue, *token))
                && !queues[*queue].contains(token)
            {
                let (text, name) = (token_text(*token), QUEUES[*queue]);
                return Err(format!("{text} was put into {name}, and is gone after recovery"));
            }
        }
    }
    Ok(())
}
