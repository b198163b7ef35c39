//! The end of a life: everything comes to rest, and what came of it is checked.

use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::memory_disk::MemoryDisk;

use super::Run;
use crate::cluster::{ClientId, Cluster};
use crate::files::{draw_from, load_snapshot};
use crate::history::{Event, History};
use crate::op::{CHANNELS, Seen, Token, rights_of};
use crate::recovery::Before;
use crate::tally::Tally;
use crate::value::Value;
use crate::values::{Values, check_queues, read_all};
use crate::{coda, invariants, reform};

impl Run<'_> {
    /// Everything has come to rest: checks it all. Returns what a power cut has left, and what it
    /// has to be compared with.
    pub(super) fn end(mut self, tally: &mut Tally) -> Result<Option<(MemoryDisk, Before)>, String> {
        self.cluster.run_until_idle();
        self.take_replies()?;
        // Not where the power was cut already: then nothing is known of what comes now.
        let may_play = self.cut_at.is_none() && !self.has_failing_disk();
        if may_play {
            if let Some(files) = &self.files {
                files.disk().recover();
            }
            let clients: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
            self.timed = Some(coda::play(&mut self.cluster, &clients, &mut self.random)?);
        }
        let ending = self.files.as_ref().map(|files| {
            // In the end at the latest: then everything that was answered is safe, if anything is.
            files.disk().fail_power();
            let left = files.disk().after_power_failure(&mut draw_from(&mut self.random));
            (
                left.expect("the power has failed"),
                self.cut_at.unwrap_or(self.clock + 1),
                files.policy(),
            )
        });
        invariants::check(&mut self.cluster, tally)?;
        let reader = self.reader;
        let finals = read_all(&mut self.cluster, reader)?;
        self.check_messages()?;
        let lost = check_queues(&self.initial.queues, &self.events, &finals)?;
        self.note_snapshots(tally)?;
        let rights = Value::parse(&self.cluster.execute_in_turns(reader, "ACL GETUSER guest"));
        let (rights, _) = rights.ok_or("ACL GETUSER has no reply")?;
        let cluster = &mut self.cluster;
        let number = reform::number_at_last(|request| {
            let reply = cluster.execute_request_in_turns(reader, request);
            Ok(Value::parse(&reply).ok_or("CONFIG GET has no reply")?.0)
        })?;
        let reforms = reform::place(&mut self.events, number)?;
        let history = self.history(&finals, [rights_of(&rights)?, reforms]);
        let order = history.check()?;
        self.count(tally, &history);
        let ended_ms = self.cluster.now_ms();
        invariants::weigh(&mut self.cluster, tally)?;
        Ok(ending.map(|(left, cut_at, policy)| {
            let safe_at = match policy {
                SyncPolicy::Always => cut_at,
                SyncPolicy::EverySecond | SyncPolicy::Never => self.safe_at,
            };
            let timed = self.timed.filter(|_| policy == SyncPolicy::Always);
            (
                left,
                Before {
                    history,
                    order,
                    cut_at,
                    safe_at,
                    policy,
                    timed,
                    ended_ms,
                    lost,
                    log: Vec::new(),
                },
            )
        }))
    }

    /// All who listen received the same messages in the same order, once each, and all that were
    /// published.
    fn check_messages(&self) -> Result<(), String> {
        let tokens = |messages: &[(Token, u64)]| -> Vec<Token> {
            messages.iter().map(|(token, _)| *token).collect()
        };
        let Some(first) = self.listeners.first() else { return Ok(()) };
        for (channel, name) in CHANNELS.iter().enumerate() {
            let expected = tokens(&first.messages[channel]);
            for listener in &self.listeners {
                if tokens(&listener.messages[channel]) != expected {
                    return Err(format!("two clients received different messages on {name}"));
                }
            }
            let seen = self.events.iter().flat_map(|event| &event.seen);
            let (mut answered, mut sent) = (0, 0);
            for seen in seen {
                if let Seen::Told(of, _, count) = seen
                    && *of == channel
                {
                    (answered, sent) = (answered + usize::from(count.is_some()), sent + 1);
                }
            }
            if !(answered..=sent).contains(&expected.len()) {
                let count = expected.len();
                return Err(format!("{name} brought {count} messages, {answered} were published"));
            }
        }
        let count = self.listeners.len() as i64;
        let all = self.events.iter().flat_map(|event| &event.seen);
        let mut wrong = all.filter(|seen| matches!(seen, Seen::Told(_, _, Some(n)) if *n != count));
        match wrong.next() {
            None => Ok(()),
            Some(seen) => Err(format!("{count} clients listen, but {seen:?}")),
        }
    }

    /// A snapshot is one read of everything, at the moment of its cut.
    fn note_snapshots(&mut self, tally: &mut Tally) -> Result<(), String> {
        let Some(files) = self.files.clone() else { return Ok(()) };
        tally.rewrites += files.rewrites();
        let is_save = |event: &Event| event.seen == [Seen::Saved];
        let saves = self.events.iter().enumerate().filter(|(_, event)| is_save(event));
        let saves: Vec<usize> = saves.map(|(number, _)| number).collect();
        for (save, file) in saves.into_iter().zip(files.take_snapshots()) {
            let mut store = load_snapshot(&file, &self.settings, self.life.seed)?;
            let mut cluster = Cluster::new(1, self.life.seed);
            cluster.adopt(&mut store);
            let reader = cluster.connect(0);
            let values = read_all(&mut cluster, reader)?;
            let reads = values.keys.into_iter().enumerate();
            self.events[save].seen = reads.map(|(key, tokens)| Seen::Read(key, tokens)).collect();
            tally.snapshots += 1;
        }
        Ok(())
    }

    fn history(&mut self, finals: &Values, others: [Vec<Token>; 2]) -> History {
        let first = |channel: usize| {
            let lists = self.listeners.iter().map(|listener| &listener.messages[channel]);
            let mut earliest: Vec<(Token, u64)> = Vec::new();
            for messages in lists {
                for (place, (token, at)) in messages.iter().enumerate() {
                    match earliest.get_mut(place) {
                        Some(known) => known.1 = known.1.min(*at),
                        None => earliest.push((*token, *at)),
                    }
                }
            }
            earliest
        };
        let messages = (0..CHANNELS.len()).map(first).collect();
        History {
            events: std::mem::take(&mut self.events),
            finals: finals.keys.iter().cloned().chain(others).collect(),
            initial: self.initial.keys.iter().map(Vec::len).collect(),
            messages,
        }
    }

    fn count(&self, tally: &mut Tally, history: &History) {
        tally.events += history.events.len() as u64;
        for event in &history.events {
            let took = |seen: &&Seen| matches!(seen, Seen::Took(..));
            tally.taken += event.seen.iter().filter(took).count() as u64;
        }
        tally.digest = tally.digest.rotate_left(5) ^ self.digest;
        tally.refused += self.refused;
        tally.watches_broken += self.watches_broken;
        tally.disconnects += self.quits as u64;
        tally.waits_abandoned += self.waits_abandoned;
        self.cluster.count(tally);
        self.life.count(tally);
        tally.reach_often(("disturbed by", "disks that fail"), self.faults);
        tally.reach_often(("disturbed by", "cores that stand still"), self.stalls);
        tally.reach_often(("time", "passed"), self.passed);
        tally.reach_often(("time", "leapt"), self.leaps);
        tally.virtual_ms += (self.cluster.now_ms() - self.start_ms) as u64;
        let messages = self.listeners.iter().flat_map(|listener| &listener.messages);
        tally.received += messages.map(|of_channel| of_channel.len() as u64).sum::<u64>();
    }
}
