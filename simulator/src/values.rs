//! Everything a server holds, read while nothing else goes on.

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

/// What went into a queue came out once or is still there.
///
/// # Errors
/// If it did not.
pub fn check_queues(
    initial: &[Vec<Token>],
    events: &[Event],
    finals: &Values,
) -> Result<(), String> {
    for (queue, name) in QUEUES.iter().enumerate() {
        let (mut fed, mut taken) = (initial[queue].clone(), Vec::new());
        for seen in events.iter().flat_map(|event| &event.seen) {
            match seen {
                Seen::Fed(of, token) if *of == queue => fed.push(*token),
                Seen::Took(of, token) if *of == queue => taken.push(*token),
                _ => {}
            }
        }
        taken.extend(&finals.queues[queue]);
        fed.sort_unstable();
        taken.sort_unstable();
        if fed != taken {
            let lost: Vec<&Token> = fed.iter().filter(|token| !taken.contains(token)).collect();
            let more: Vec<&Token> = taken.iter().filter(|token| !fed.contains(token)).collect();
            return Err(format!("queue {name}: {lost:x?} got lost, {more:x?} came from nowhere"));
        }
    }
    Ok(())
}
