//! Everything a server holds, read while nothing else goes on.

use std::collections::HashSet;

use crate::cluster::{ClientId, Cluster};
use crate::history::Event;
use crate::op::{KEYS, QUEUES, Seen, Token, is_string, token_of, tokens_of};
use crate::value::Value;

/// The values of all keys, and of all queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Of each of [`KEYS`].
    pub keys: Vec<Vec<Token>>,
    /// Of each of [`QUEUES`].
    pub queues: Vec<Vec<Token>>,
}

impl Values {
    /// Asks for all keys and queues.
    ///
    /// # Errors
    /// If an answer does not come, or cannot be.
    pub fn read(mut ask: impl FnMut(&str) -> Result<Value, String>) -> Result<Self, String> {
        let mut values = Self::default();
        for (number, key) in KEYS.iter().enumerate() {
            let line = match is_string(number) {
                true => format!("GET {key}"),
                false => format!("LRANGE {key} 0 -1"),
            };
            values.keys.push(tokens_of(number, &ask(&line)?)?);
        }
        for queue in QUEUES {
            let value = ask(&format!("LRANGE {queue} 0 -1"))?;
            let elements = value.elements().unwrap_or_default().iter();
            let tokens = elements.map(|element| token_of(element.bytes().unwrap_or_default()));
            values.queues.push(tokens.collect::<Result<Vec<Token>, String>>()?);
        }
        Ok(values)
    }
}

/// Reads everything, while nothing else goes on.
///
/// # Errors
/// If what is there cannot be.
pub fn read_all(cluster: &mut Cluster, reader: ClientId) -> Result<Values, String> {
    Values::read(|line| {
        let reply = cluster.execute_in_turns(reader, line);
        let value = Value::parse(&reply).map(|(value, _)| value);
        value.ok_or_else(|| "a reply is not whole".to_owned())
    })
}

/// What went into a queue came out once or is still there. Returns what left without a trace: a
/// client that has gone may have been served, which its last commands say.
///
/// # Errors
/// If it did not.
pub fn check_queues(
    initial: &[Vec<Token>],
    events: &[Event],
    finals: &Values,
) -> Result<HashSet<(usize, Token)>, String> {
    let mut gone = HashSet::new();
    for (queue, name) in QUEUES.iter().enumerate() {
        let (mut fed, mut may_be_fed) = (initial[queue].clone(), HashSet::new());
        let (mut taken, mut may_leave) = (finals.queues[queue].clone(), 0);
        for event in events {
            for seen in &event.seen {
                match seen {
                    Seen::Fed(of, token) if *of == queue && event.completed.is_some() => {
                        fed.push(*token);
                    }
                    Seen::Fed(of, token) if *of == queue => drop(may_be_fed.insert(*token)),
                    Seen::Took(of, token) if *of == queue => taken.push(*token),
                    Seen::MayHaveTaken(from) if from.contains(&queue) => may_leave += 1,
                    Seen::MayHaveMoved(from, _) if *from == queue => may_leave += 1,
                    // Queues feed higher ones only, so what left the other is known by now.
                    Seen::MayHaveMoved(from, to) if *to == queue => {
                        let left = gone.iter().filter(|(of, _)| of == from);
                        may_be_fed.extend(left.map(|(_, token)| *token));
                    }
                    _ => {}
                }
            }
        }
        let lost: Vec<Token> = fed.iter().copied().filter(|token| !taken.contains(token)).collect();
        let is_known = |token: &&Token| fed.contains(token) || may_be_fed.contains(*token);
        let more: Vec<&Token> = taken.iter().filter(|token| !is_known(token)).collect();
        let twice = taken.len() - taken.iter().collect::<HashSet<_>>().len();
        if lost.len() > may_leave || !more.is_empty() || twice > 0 {
            return Err(format!(
                "queue {name}: {lost:x?} got lost, where {may_leave} may have, {more:x?} came from \
                 nowhere, {twice} twice"
            ));
        }
        gone.extend(lost.into_iter().map(|token| (queue, token)));
        // What may be there may have left again.
        gone.extend(may_be_fed.into_iter().map(|token| (queue, token)));
    }
    Ok(gone)
}
