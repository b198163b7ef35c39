//! One run: a cluster and a real server, the same requests for both.
//!
//! Requests go to the real server in pipelines, and one by one to the cluster, whose clients sit at
//! different cores and take turns. After each pipeline some payloads of DUMP are restored by either
//! from the other, then the whole keyspaces are compared by DEBUG DIGEST, in the end by SCAN, too.

use std::time::{SystemTime, UNIX_EPOCH};

use basalt_shard::rdb::payload::seal;

use crate::draw::Draw;
use crate::masks::Peer;
use crate::shape::Shape;
use crate::support::redis::RealServer;
use crate::support::resp::{elements, show, show_request};
use crate::support::{ClientId, Cluster, Request};

/// The greatest type of payload that releases before 7.2 know, and the version of their payloads.
const OLD_TYPE_MAX: u8 = 19;
const OLD_VERSION: u16 = 10;

/// Payloads exchanged at once.
const EXCHANGES: usize = 5;

/// Databases of either server.
const DATABASES: usize = 16;

/// Milliseconds within which both servers must once have held the same.
const KEYSPACES_MS_MAX: i64 = 2000;

/// Requests told beside one that was answered differently.
const HISTORY: usize = 12;

/// Milliseconds that pass for a client that waits. Whoever waits here asked for less.
const WAIT_MS: i64 = 2;

/// What went apart, and how to see it again.
pub(crate) struct Difference(pub(crate) String);

type Checked = Result<(), Difference>;

/// Wall clock in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    elapsed.as_millis() as i64
}

/// A request from a line without quotes.
pub(crate) fn line(text: &str) -> Request {
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Both servers and what they were asked.
pub(crate) struct Contest<'real> {
    real: &'real mut RealServer,
    peer: Peer,
    cluster: Cluster,
    clients: Vec<ClientId>,
    /// Which client asks.
    turn: usize,
    history: Vec<Request>,
}

impl<'real> Contest<'real> {
    /// An empty cluster of that shape beside a real server that is emptied.
    pub(crate) fn begin(real: &'real mut RealServer, peer: Peer, shape: &Shape, seed: u64) -> Self {
        for request in shape.directives().into_iter().chain([line("flushall"), line("select 0")]) {
            real.execute(&request);
        }
        let mut cluster = Cluster::with_settings(shape.core_count, seed, shape.settings());
        let clients: Vec<ClientId> =
            (0..usize::from(shape.core_count)).map(|core| cluster.connect(core)).collect();
        let hello = line(&format!("hello {}", shape.protocol));
        real.execute(&hello);
        for client in &clients {
            cluster.execute_request(*client, hello.clone());
        }
        cluster.advance_ms(now_ms() - cluster.now_ms());
        Self { real, peer, cluster, clients, turn: 0, history: Vec::new() }
    }

    fn ours(&mut self, request: &Request) -> Vec<u8> {
        self.cluster.advance_ms((now_ms() - self.cluster.now_ms()).max(0));
        let client = self.clients[self.turn];
        // Interleaving in small steps is for other tests where there are many cores.
        let reply = match self.clients.len() {
            1 | 2 => self.cluster.execute_request(client, request.clone()),
            _ => self.cluster.execute_request_in_turns(client, request.clone()),
        };
        if !reply.is_empty() || !self.cluster.is_blocked(client) {
            return reply;
        }
        self.cluster.pass_ms(WAIT_MS);
        self.cluster.take_replies(client)
    }

    /// Runs requests on both and compares the replies.
    pub(crate) fn compare(&mut self, requests: &[Request]) -> Checked {
        self.turn = (self.turn + 1) % self.clients.len();
        let mut sent = vec![line("select 0")];
        sent.extend(requests.iter().filter(|request| !self.peer.skips(request)).cloned());
        let expected = self.real.execute_all(&sent);
        let mut half_done = Vec::new();
        for (request, theirs) in sent.iter().zip(expected) {
            let ours = self.ours(request);
            if ours.is_empty() || !self.peer.agree(request, &ours, &theirs) {
                return Err(self.difference(request, &ours, &theirs));
            }
            if ours.starts_with(b"-INVALIDOBJ") {
                half_done.push(request[1].clone());
            }
            self.history.push(request.clone());
        }
        half_done.iter().try_for_each(|key| self.delete_everywhere(key))
    }

    /// Deletes a key from all databases: after PFADD has met a broken part of a sketch, that of the
    /// real server holds the elements before that one, and ours none.
    fn delete_everywhere(&mut self, key: &[u8]) -> Checked {
        (0..DATABASES).try_for_each(|db| {
            let delete = vec![b"del".to_vec(), key.to_vec()];
            self.compare(&[line(&format!("select {db}")), delete])
        })
    }

    /// Compares all values at once.
    pub(crate) fn compare_keyspaces(&mut self) -> Checked {
        self.compare(&[line("select 0")])?;
        if self.compare_digests().is_ok() {
            return Ok(());
        }
        // What the real server counts includes keys whose time is over and that it has not come by
        // yet. Looking at every key makes it forget those; but others may expire between the
        // answers of the two, so it takes several attempts where many are about to.
        let deadline_ms = now_ms() + KEYSPACES_MS_MAX;
        loop {
            let checked = self.compare_databases().and_then(|()| self.compare_digests());
            if checked.is_ok() || now_ms() > deadline_ms {
                return checked;
            }
        }
    }

    fn compare_digests(&mut self) -> Checked {
        let digest = line("debug digest");
        let (ours, theirs) = (self.ours(&digest), self.real.execute(&digest));
        match ours == theirs {
            true => Ok(()),
            false => Err(self.difference(&digest, &ours, &theirs)),
        }
    }

    fn compare_databases(&mut self) -> Checked {
        (0..DATABASES).try_for_each(|db| self.compare_keys(&line(&format!("select {db}"))))
    }

    /// Compares one database key by key: values, and whether they expire.
    fn compare_keys(&mut self, select: &Request) -> Checked {
        let keys = line("keys *");
        self.compare(&[select.clone(), keys.clone()])?;
        self.ours(select);
        for key in elements(&self.ours(&keys)) {
            let key = payload(&key).expect("it is a bulk string");
            let about = |words: &str| line(words).into_iter().chain([key.clone()]).collect();
            let questions = [about("debug digest-value"), about("pexpiretime")];
            self.compare(&[std::slice::from_ref(select), &questions].concat())?;
        }
        Ok(())
    }

    /// Compares the keys that SCAN finds.
    pub(crate) fn compare_scans(&mut self) -> Checked {
        self.compare(&[line("select 0")])?;
        let ours = self.scan(Self::ours);
        let theirs = self.scan(|contest, request| contest.real.execute(request));
        if ours == theirs {
            return Ok(());
        }
        let joined = |keys: Vec<Vec<u8>>| keys.concat();
        Err(self.difference(&line("scan"), &joined(ours), &joined(theirs)))
    }

    /// All keys that SCAN finds. Nothing changes meanwhile.
    fn scan(&mut self, mut ask: impl FnMut(&mut Self, &Request) -> Vec<u8>) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let page = elements(&ask(self, &line(&format!("scan {cursor} count 20"))));
            keys.extend(elements(&page[1]));
            let text = String::from_utf8_lossy(&page[0]).into_owned();
            cursor = text.lines().nth(1).expect("a cursor is a bulk string").to_owned();
            if cursor == "0" {
                keys.sort();
                keys.dedup();
                return keys;
            }
        }
    }

    /// Restores what one of the two dumps of some keys, on both sides, at other keys. Both get the
    /// same bytes: where a long list is cut into nodes is a matter of its past, which may differ,
    /// and can be told afterwards.
    pub(crate) fn exchange(&mut self, draw: &mut Draw) -> Checked {
        self.compare(&[line("select 0")])?;
        let keys: Vec<String> = (0..EXCHANGES).map(|_| draw.any_key()).collect();
        let dump = |key: &String| vec![b"dump".to_vec(), key.clone().into_bytes()];
        let dumps: Vec<Request> = keys.iter().map(dump).collect();
        let theirs = self.real.execute_all(&dumps);
        let mut restores = Vec::new();
        for (request, theirs) in dumps.iter().zip(theirs) {
            let ours = self.ours(request);
            match (payload(&ours), payload(&theirs)) {
                (None, None) => {}
                (Some(ours), Some(theirs)) => {
                    let is_ours = draw.one_in(2);
                    let payload = if is_ours { self.peer.readable(ours, &theirs) } else { theirs };
                    restores.push(restore(&draw.any_key(), payload));
                }
                _ => return Err(self.difference(request, &ours, &theirs)),
            }
        }
        let their_replies = self.real.execute_all(&restores);
        for (request, theirs) in restores.into_iter().zip(their_replies) {
            let ours = self.ours(&request);
            if ours != b"+OK\r\n" || theirs != ours {
                return Err(self.difference(&request, &ours, &theirs));
            }
            self.history.push(request);
        }
        Ok(())
    }

    /// Tells what went apart and what was done before to the keys in question.
    fn difference(&self, request: &Request, ours: &[u8], theirs: &[u8]) -> Difference {
        let concerns = |earlier: &&Request| {
            earlier[1..].iter().any(|word| request[1..].contains(word) && !word.is_empty())
        };
        let mut before: Vec<String> = self
            .history
            .iter()
            .rev()
            .filter(concerns)
            .take(HISTORY)
            .map(|request| format!("  before {}", show_request(request)))
            .collect();
        before.reverse();
        Difference(format!(
            "{}\n  ours   {}\n  theirs {}\n{}",
            show_request(request),
            show(ours),
            show(theirs),
            before.join("\n")
        ))
    }
}

/// The text of a bulk string.
fn payload(reply: &[u8]) -> Option<Vec<u8>> {
    let head = reply.iter().position(|byte| *byte == b'\n').expect("a reply has a line");
    reply.get(head + 1..reply.len() - 2).map(<[u8]>::to_vec)
}

fn restore(key: &str, payload: Vec<u8>) -> Request {
    let mut request = line("restore key 0 payload replace");
    (request[1], request[3]) = (key.as_bytes().to_vec(), payload);
    request
}

impl Peer {
    /// What this server reads of two payloads of one value: ours if it knows the type, as if of its
    /// version, else its own.
    fn readable(self, ours: Vec<u8>, theirs: &[u8]) -> Vec<u8> {
        match self.is_before_7_2() {
            true if ours[0] > OLD_TYPE_MAX => theirs.to_vec(),
            true => {
                let mut value = ours[..ours.len() - 10].to_vec();
                seal(&mut value, OLD_VERSION);
                value
            }
            false => ours,
        }
    }
}
