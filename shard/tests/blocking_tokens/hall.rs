//! One run: guests wait all over the cores while keys are fed, moved and renamed, slots change
//! their owners, clients are unblocked, and some leave.

use crate::Kind;
use crate::guests::{
    LISTS, SORTED_SETS, STREAMS, TOKENS_OF_REPLY_MAX, draw_feeding, draw_wait, keys_of,
};
use crate::ledger::{Ledger, tokens_in};
use crate::readers::Reader;
use crate::support::resp::{show, split_line, split_replies};
use crate::support::{ClientId, Cluster, Request};

const GUESTS: usize = 12;
const FEEDERS: usize = 3;

/// Things that happen in one run.
const EVENTS: usize = 400;

/// Steps of cores between two of them, at most.
const STEPS_MAX: usize = 30;

/// Longer than any timeout that is drawn.
const PATIENCE_MS: i64 = 100;

struct Guest {
    client: ClientId,
    /// As CLIENT ID tells it.
    id: String,
    asked: Vec<Request>,
}

pub(crate) struct Hall {
    cluster: Cluster,
    random: fastrand::Rng,
    guests: Vec<Guest>,
    gone: Vec<Guest>,
    feeders: Vec<ClientId>,
    readers: Vec<Reader>,
    watcher: ClientId,
    ledger: Ledger,
    kind: Kind,
    seed: u64,
}

impl Hall {
    pub(crate) fn new(seed: u64, core_count: u16, kind: Kind) -> Self {
        let mut cluster = Cluster::new(core_count, seed);
        let cores = usize::from(core_count);
        let watcher = cluster.connect(0);
        let mut readers = Vec::new();
        if kind == Kind::Streams {
            for stream in STREAMS {
                cluster.execute(watcher, &format!("XGROUP CREATE {stream} g $ MKSTREAM"));
            }
            readers.extend((0..2).map(|number| Reader::start(&mut cluster, number % cores)));
        }
        let guests =
            (0..GUESTS).map(|number| Guest::arrive(&mut cluster, number % cores)).collect();
        let feeders = (0..FEEDERS).map(|number| cluster.connect(number % cores)).collect();
        let random = fastrand::Rng::with_seed(seed);
        let (gone, ledger) = (Vec::new(), Ledger::new(seed));
        Self { cluster, random, guests, gone, feeders, readers, watcher, ledger, kind, seed }
    }

    pub(crate) fn run(mut self) {
        for _ in 0..EVENTS {
            self.happen();
            self.readers.iter_mut().for_each(|reader| reader.look(&mut self.cluster));
            for _ in 0..self.random.usize(..STEPS_MAX) {
                self.cluster.step();
            }
        }
        self.cluster.run_until_idle();
        // Whoever still waits has a reason, now and when all timeouts are over.
        for _ in 0..2 {
            self.check_that_nobody_waits_beside_a_full_key();
            self.cluster.pass_ms(PATIENCE_MS);
        }
        for mut reader in std::mem::take(&mut self.readers) {
            reader.check(&mut self.cluster, self.watcher, self.seed);
        }
        self.check_ledger();
    }

    fn happen(&mut self) {
        match self.random.u32(..40) {
            0..16 => {
                let number = self.random.usize(..GUESTS);
                let request = draw_wait(&mut self.random, number, self.kind);
                self.guests[number].asked.push(request.clone());
                self.cluster.send(self.guests[number].client, request);
            }
            16..34 => {
                let about = (self.cluster.core_count(), self.kind);
                let request = draw_feeding(&mut self.random, &mut self.ledger, about);
                self.send_by_feeder(request);
            }
            34 | 35 => {
                let guest = self.random.usize(..GUESTS);
                let how = ["", " TIMEOUT", " ERROR"][self.random.usize(..3)];
                let line = format!("CLIENT UNBLOCK {}{how}", self.guests[guest].id);
                self.send_by_feeder(split_line(&line));
            }
            36 => self.leave(),
            _ => self.cluster.advance_ms(1),
        }
    }

    fn send_by_feeder(&mut self, request: Request) {
        let feeder = self.feeders[self.random.usize(..FEEDERS)];
        self.cluster.send(feeder, request);
    }

    /// A guest leaves whatever it is doing; another takes its seat.
    fn leave(&mut self) {
        let number = self.random.usize(..GUESTS);
        let core = self.random.usize(..self.cluster.core_count());
        let client = self.guests[number].client;
        let unread = self.cluster.abandon(client);
        let begun = self.guests[number].asked.len() - unread;
        let untold = begun - self.cluster.answered(client);
        self.ledger.may_be_lost += untold * TOKENS_OF_REPLY_MAX;
        // Its id is asked for when the cluster comes to rest, or never.
        let client = self.cluster.connect(core);
        let successor = Guest { client, id: "0".to_owned(), asked: Vec::new() };
        self.gone.push(std::mem::replace(&mut self.guests[number], successor));
    }

    fn check_that_nobody_waits_beside_a_full_key(&mut self) {
        let Self { cluster, watcher, seed, .. } = self;
        let is_there =
            |name: &&str| cluster.execute(*watcher, &format!("EXISTS {name}")) == b":1\r\n";
        let full: Vec<&str> = LISTS.into_iter().chain(SORTED_SETS).filter(is_there).collect();
        for guest in self.guests.iter().filter(|guest| self.cluster.is_blocked(guest.client)) {
            let request = &guest.asked[self.cluster.answered(guest.client)];
            let missed = |key: &Vec<u8>| full.iter().any(|name| name.as_bytes() == key.as_slice());
            let has_missed = keys_of(request).iter().any(missed);
            let shown: Vec<String> = request.iter().map(|word| show(word)).collect();
            assert!(!has_missed, "seed {seed}: a client waits for one of {full:?}: {shown:?}");
        }
        self.check_that_no_entry_is_kept_back();
    }

    /// Of a stream somebody waits for in a group, the group has got all.
    fn check_that_no_entry_is_kept_back(&mut self) {
        for stream in STREAMS.into_iter().filter(|_| self.kind == Kind::Streams) {
            let waits = |guest: &&Guest| {
                let request = guest.asked.get(self.cluster.answered(guest.client));
                self.cluster.is_blocked(guest.client)
                    && keys_of(request.expect("it waits"))
                        .iter()
                        .any(|key| key == stream.as_bytes())
            };
            let somebody_waits = self.guests.iter().any(|guest| waits(&guest));
            let request = format!("XREADGROUP GROUP g watcher STREAMS {stream} >");
            let left = tokens_in(&self.cluster.execute(self.watcher, &request));
            let seed = self.seed;
            assert!(!somebody_waits || left.is_empty(), "seed {seed}: {stream} kept {left:?}");
            self.ledger.note(left);
        }
    }

    fn check_ledger(&mut self) {
        for guest in self.guests.iter().chain(&self.gone) {
            let replies = split_replies(&self.cluster.take_replies(guest.client));
            for (request, reply) in guest.asked.iter().zip(&replies) {
                self.ledger.note_reply(request, reply);
            }
        }
        for database in 0..2 {
            self.cluster.execute(self.watcher, &format!("SELECT {database}"));
            for list in LISTS {
                let reply = self.cluster.execute(self.watcher, &format!("LRANGE {list} 0 -1"));
                self.ledger.note(tokens_in(&reply));
            }
            for set in SORTED_SETS {
                let reply = self.cluster.execute(self.watcher, &format!("ZRANGE {set} 0 -1"));
                self.ledger.note(tokens_in(&reply));
            }
        }
        if self.kind == Kind::Flushes {
            self.ledger.may_be_lost = usize::MAX;
        }
        self.ledger.check();
    }
}

impl Guest {
    fn arrive(cluster: &mut Cluster, core: usize) -> Self {
        let client = cluster.connect(core);
        let reply = String::from_utf8(cluster.execute(client, "CLIENT ID")).expect("a number");
        let id = reply.trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
        Self { client, id, asked: Vec::new() }
    }
}
