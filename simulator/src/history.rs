//! What clients saw, and whether some order of all they did explains it.
//!
//! A history is a set of *events*: moments at which a client did or saw something, each between an
//! invocation and a completion. Since values only grow ([`crate::op`]) the order of the writes of a
//! key can be read off in the end, and everything else follows:
//!
//! ```text
//! write 3 of a -> write 4 of a      they stand in this order            (written)
//! write 3 of a -> read of 3 tokens  it saw it                           (seen)
//! read of 3 tokens -> write 4 of a  it did not see it                   (unseen)
//! event -> the client's next        program order, also in a pipeline   (program)
//! event -> invoked later            one was over when the other began   (time)
//! message -> next of its channel    all who listen get them in order    (told)
//! ```
//!
//! The history is strictly serializable, with pipelines in program order, exactly if these edges
//! have no circle (Adya; Elle finds the same). Cost: linear in events and edges; time is a chain of
//! its own, so that it takes two edges an event.

use std::collections::{HashMap, HashSet};

use crate::op::{CHANNELS, QUEUES, Seen, Token, name_of, token_text};
use crate::order::{Order, Why};

/// A moment of a client.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whose it is.
    pub client: usize,
    /// What it was, for people.
    pub text: String,
    /// When it was invoked, on a clock that counts what happens.
    pub invoked: u64,
    /// When its completion was seen, if it was.
    pub completed: Option<u64>,
    /// What it did and saw.
    pub seen: Vec<Seen>,
}

/// A history and the values in the end.
#[derive(Default)]
pub struct History {
    /// Events; those of a client in program order.
    pub events: Vec<Event>,
    /// The tokens of each of the keys in the end, the rights of the user, and the settings.
    pub finals: Vec<Vec<Token>>,
    /// How many of them were there at the start.
    pub initial: Vec<usize>,
    /// The messages of each channel in the order in which they were received, and when first.
    pub messages: Vec<Vec<(Token, u64)>>,
}

impl History {
    /// Finds the edges.
    ///
    /// # Errors
    /// If what was seen contradicts itself already: a write that is not where its reply said, a
    /// value that never was, something taken twice.
    pub fn order(&self) -> Result<Order, String> {
        let mut order = Order::new(self.events.len());
        self.check_writes(&mut order)?;
        self.add_writes(&mut order);
        self.add_reads(&mut order)?;
        self.add_takes(&mut order)?;
        self.add_messages(&mut order)?;
        self.add_program(&mut order);
        self.add_time(&mut order);
        Ok(order)
    }

    /// Whether some order of the events explains all of them.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<Order, String> {
        let order = self.order()?;
        match order.circle() {
            None => Ok(order),
            Some(circle) => Err(self.describe_circle(&circle)),
        }
    }

    /// An event in words.
    pub fn tell(&self, event: usize) -> String {
        let Event { client, text, invoked, completed, .. } = &self.events[event];
        let end = completed.map_or("?".to_owned(), |end| end.to_string());
        let seen = self.events[event].seen.iter().map(show_seen).collect::<Vec<_>>().join(", ");
        format!("client {client} [{invoked}..{end}] {text} => {seen}")
    }

    fn describe_circle(&self, circle: &[(usize, Why)]) -> String {
        let mut text = "no order explains what was seen; each of these comes before the next, and \
                        the last before the first:\n"
            .to_owned();
        for (event, why) in circle {
            text += &format!("  {}\n    {}\n", self.tell(*event), why.words());
        }
        text
    }

    /// Every write is where its reply said, and every token was written once.
    fn check_writes(&self, order: &mut Order) -> Result<(), String> {
        for (number, event) in self.events.iter().enumerate() {
            for seen in &event.seen {
                let Seen::Wrote(key, token, length) = seen else { continue };
                order.writers.insert(*token, number);
                let Some(length) = length else { continue };
                let there = length.checked_sub(1).and_then(|place| self.finals[*key].get(place));
                if there != Some(token) {
                    let found = there.map_or("nothing".to_owned(), |token| token_text(*token));
                    return Err(format!(
                        "a write is lost or elsewhere: it should be number {length} of {}, where \
                         there is {found}\n  {}",
                        name_of(*key),
                        self.tell(number)
                    ));
                }
            }
        }
        self.check_wholes()?;
        for (key, tokens) in self.finals.iter().enumerate() {
            let mut places = HashMap::new();
            for (place, token) in tokens.iter().enumerate() {
                if let Some(other) = places.insert(token, place) {
                    let text = token_text(*token);
                    return Err(format!("{} has {text} twice, at {other}, {place}", name_of(key)));
                }
            }
        }
        Ok(())
    }

    /// What nobody was told of was done as a whole or not at all.
    fn check_wholes(&self) -> Result<(), String> {
        let there: HashSet<&Token> = self.finals.iter().flatten().collect();
        for (number, event) in self.events.iter().enumerate() {
            let written = event.seen.iter().filter_map(|seen| match seen {
                Seen::Wrote(_, token, None) => Some(there.contains(token)),
                _ => None,
            });
            let written: Vec<bool> = written.collect();
            let is_done = written.first().copied().unwrap_or(event.completed.is_some());
            let must_be = event.completed.is_some();
            if written.iter().any(|is_there| *is_there != is_done) || must_be && !is_done {
                return Err(format!(
                    "this was done in part, or got lost:\n  {}",
                    self.tell(number)
                ));
            }
        }
        Ok(())
    }

    fn add_writes(&self, order: &mut Order) {
        for tokens in &self.finals {
            for pair in tokens.windows(2) {
                let (one, next) = (order.writers.get(&pair[0]), order.writers.get(&pair[1]));
                if let (Some(&one), Some(&next)) = (one, next) {
                    order.add(one, next, Why::Written);
                }
            }
        }
    }

    fn add_reads(&self, order: &mut Order) -> Result<(), String> {
        for (number, event) in self.events.iter().enumerate() {
            for seen in &event.seen {
                let Seen::Read(key, tokens) = seen else { continue };
                let finals = &self.finals[*key];
                if !finals.starts_with(tokens) {
                    return Err(format!(
                        "{} never had this value; in the end it is {}\n  {}",
                        name_of(*key),
                        show_tokens(finals),
                        self.tell(number)
                    ));
                }
                let last = tokens.last().and_then(|token| order.writers.get(token)).copied();
                let next = finals.get(tokens.len());
                let next = next.and_then(|token| order.writers.get(token)).copied();
                if let Some(last) = last {
                    order.add(last, number, Why::Seen);
                }
                if let Some(next) = next {
                    order.add(number, next, Why::Unseen);
                }
            }
        }
        Ok(())
    }

    /// What is taken from a queue was fed to it, and is taken once.
    fn add_takes(&self, order: &mut Order) -> Result<(), String> {
        let (mut fed, mut taken) = (HashMap::new(), HashMap::new());
        for (number, event) in self.events.iter().enumerate() {
            for seen in &event.seen {
                match seen {
                    Seen::Fed(queue, token) => drop(fed.insert((*queue, *token), number)),
                    Seen::Took(queue, token) => {
                        if let Some(other) = taken.insert((*queue, *token), number) {
                            return Err(format!(
                                "{} was taken from {} twice:\n  {}\n  {}",
                                token_text(*token),
                                QUEUES[*queue],
                                self.tell(other),
                                self.tell(number)
                            ));
                        }
                    }
                    _ => {}
                }
            }
        }
        for (place, taker) in taken {
            if let Some(feeder) = fed.get(&place) {
                order.add(*feeder, taker, Why::Seen);
            }
        }
        Ok(())
    }

    fn add_messages(&self, order: &mut Order) -> Result<(), String> {
        for (number, event) in self.events.iter().enumerate() {
            for seen in &event.seen {
                if let Seen::Told(channel, token, _) = seen {
                    order.tellers.insert((*channel, *token), number);
                }
            }
        }
        for (channel, messages) in self.messages.iter().enumerate() {
            let mut before = None;
            for (token, _) in messages {
                let Some(&teller) = order.tellers.get(&(channel, *token)) else {
                    let (name, text) = (CHANNELS[channel], token_text(*token));
                    return Err(format!("{name} brought {text}, which nobody published"));
                };
                if let Some(before) = before.replace(teller) {
                    order.add(before, teller, Why::Told);
                }
            }
        }
        self.add_hearers(order);
        Ok(())
    }

    /// What a client that listens reads is older than every message that comes behind its reply:
    /// nobody learns of an effect before the messages that were published ahead of it. The other
    /// way round nothing is promised: a message may pass a reply that is still on its way.
    fn add_hearers(&self, order: &mut Order) {
        for (number, event) in self.events.iter().enumerate() {
            for seen in &event.seen {
                let Seen::Heard(channel, count) = seen else { continue };
                let next = self.messages[*channel].get(*count);
                let next = next.and_then(|(token, _)| order.tellers.get(&(*channel, *token)));
                if let Some(&next) = next {
                    order.add(number, next, Why::Unseen);
                }
            }
        }
    }

    fn add_program(&self, order: &mut Order) {
        let mut last: HashMap<usize, usize> = HashMap::new();
        for (number, event) in self.events.iter().enumerate() {
            if let Some(before) = last.insert(event.client, number) {
                order.add(before, number, Why::Program);
            }
        }
    }

    /// A chain of ticks, one per completion: from each event to the tick of its completion, and
    /// from the last tick before its invocation to each event.
    fn add_time(&self, order: &mut Order) {
        let of_event = |(number, event): (usize, &Event)| Some((event.completed?, number));
        let mut ends: Vec<(u64, usize)> =
            self.events.iter().enumerate().filter_map(of_event).collect();
        // Whoever receives a message knows that it was published.
        for (channel, messages) in self.messages.iter().enumerate() {
            let teller = |token: Token| order.tellers.get(&(channel, token)).copied();
            ends.extend(messages.iter().filter_map(|(token, at)| Some((*at, teller(*token)?))));
        }
        ends.sort_unstable();
        let first = order.add_ticks(ends.len());
        for (tick, (_, event)) in ends.iter().enumerate() {
            order.add(*event, first + tick, Why::Time);
            if tick > 0 {
                order.add(first + tick - 1, first + tick, Why::Time);
            }
        }
        for (number, event) in self.events.iter().enumerate() {
            let over = ends.partition_point(|(end, _)| *end < event.invoked);
            if over > 0 {
                order.add(first + over - 1, number, Why::Time);
            }
        }
    }
}

fn show_tokens(tokens: &[Token]) -> String {
    let text = |token: &Token| token_text(*token);
    match tokens.len() {
        0 => "nothing".to_owned(),
        count @ 1..=8 => {
            let all = tokens.iter().map(text).collect::<Vec<_>>().join(" ");
            format!("{count}: {all}")
        }
        count => {
            let last = tokens[count - 4..].iter().map(text).collect::<Vec<_>>().join(" ");
            format!("{count}: .. {last}")
        }
    }
}

fn show_seen(seen: &Seen) -> String {
    match seen {
        Seen::Wrote(key, token, Some(length)) => {
            format!("{} is number {length} of {}", token_text(*token), name_of(*key))
        }
        Seen::Wrote(key, token, None) => format!("{} to {}", token_text(*token), name_of(*key)),
        Seen::Read(key, tokens) => format!("{} has {}", name_of(*key), show_tokens(tokens)),
        Seen::Fed(queue, token) => format!("{} into {}", token_text(*token), QUEUES[*queue]),
        Seen::Took(queue, token) => format!("{} out of {}", token_text(*token), QUEUES[*queue]),
        Seen::MayHaveTaken(_) => "may have taken something".to_owned(),
        Seen::MayHaveMoved(from, to) => {
            format!("may have moved something from {} to {}", QUEUES[*from], QUEUES[*to])
        }
        Seen::Told(channel, token, _) => {
            format!("{} on {}", token_text(*token), CHANNELS[*channel])
        }
        Seen::Heard(channel, count) => {
            format!("{count} messages of {} had come", CHANNELS[*channel])
        }
        Seen::Saved => "a snapshot begins".to_owned(),
        Seen::Set(number) => format!("the configuration becomes {number}"),
        Seen::Setting(number) => format!("the configuration is {number}"),
    }
}
