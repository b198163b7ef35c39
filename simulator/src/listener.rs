//! Clients of a simulation that listen to all channels, and read keys meanwhile (RESP3).

use std::collections::VecDeque;

use crate::cluster::ClientId;
use crate::history::Event;
use crate::op::{CHANNELS, KEYS, Seen, Token, token_of, tokens_of};
use crate::value::Value;

/// What somebody who listens has received, by channel, with when it was.
pub(crate) struct Listener {
    pub(crate) id: ClientId,
    pub(crate) received: Vec<u8>,
    pub(crate) messages: Vec<Vec<(Token, u64)>>,
    /// Keys it reads, and since when.
    pub(crate) reads: VecDeque<(usize, u64)>,
}

impl Listener {
    pub(crate) fn hear(&mut self, parts: &[Value], now: u64) -> Result<(), String> {
        let [_, name, text] = parts else { return Err("a message has three parts".to_owned()) };
        let name = name.bytes().unwrap_or_default();
        let channel = CHANNELS.iter().position(|other| other.as_bytes() == name);
        let token = token_of(text.bytes().unwrap_or_default())?;
        self.messages[channel.ok_or("a message of no channel")?].push((token, now));
        Ok(())
    }

    /// The oldest read is answered, behind all messages that came before.
    pub(crate) fn note_read(
        &mut self,
        number: usize,
        value: &Value,
        now: u64,
    ) -> Result<Event, String> {
        let read = self.reads.pop_front();
        let (key, invoked) = read.ok_or("a client that listens got a reply too many")?;
        let mut seen = vec![Seen::Read(key, tokens_of(key, value)?)];
        let counts = self.messages.iter().map(Vec::len).enumerate();
        seen.extend(counts.map(|(channel, count)| Seen::Heard(channel, count)));
        let text = format!("listener {number} reads {}", KEYS[key]);
        let (client, completed) = (LISTENERS_FROM + number, Some(now));
        Ok(Event { client, text, invoked, completed, seen })
    }
}

/// Clients that listen are counted from here on.
const LISTENERS_FROM: usize = 1_000_000;

/// Reads of a client that listens which are under way at once. Among several replies that are on
/// their way a message stands behind those that are here, though an earlier one may know more.
pub(crate) const READS_MAX: usize = 4;
