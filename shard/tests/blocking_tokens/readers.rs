//! Readers outside of any group: each has to see every entry of every stream, in order.

use std::collections::BTreeMap;

use crate::guests::STREAMS;
use crate::ledger::tokens_in;
use crate::support::resp::split_line;
use crate::support::{ClientId, Cluster};

/// A client that reads on from where it is.
pub(crate) struct Reader {
    client: ClientId,
    last: BTreeMap<&'static str, String>,
    seen: BTreeMap<&'static str, Vec<String>>,
}

impl Reader {
    /// Connects a reader and lets it wait.
    pub(crate) fn start(cluster: &mut Cluster, core: usize) -> Self {
        let client = cluster.connect(core);
        let last = STREAMS.map(|stream| (stream, "0-0".to_owned())).into();
        let reader = Self { client, last, seen: STREAMS.map(|name| (name, Vec::new())).into() };
        reader.ask(cluster);
        reader
    }

    fn ask(&self, cluster: &mut Cluster) {
        let (names, ids): (Vec<&str>, Vec<&str>) =
            self.last.iter().map(|(name, id)| (*name, id.as_str())).unzip();
        let request = format!("XREAD BLOCK 0 STREAMS {} {}", names.join(" "), ids.join(" "));
        cluster.send(self.client, split_line(&request));
    }

    /// Takes what has come, and asks for what follows.
    pub(crate) fn look(&mut self, cluster: &mut Cluster) {
        if cluster.answered(self.client) == 0 {
            return;
        }
        let reply = cluster.take_replies(self.client);
        let text = String::from_utf8(reply).expect("everything in it is text");
        let mut stream = STREAMS[0];
        for line in text.lines() {
            if let Some(name) = STREAMS.into_iter().find(|name| *name == line) {
                stream = name;
            } else if line.starts_with("token:") {
                self.seen.entry(stream).or_default().push(line.to_owned());
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                self.last.insert(stream, line.to_owned());
            }
        }
        self.ask(cluster);
    }

    /// Checks that it has seen all there is. Nothing is under way any more.
    pub(crate) fn check(&mut self, cluster: &mut Cluster, watcher: ClientId, seed: u64) {
        while cluster.answered(self.client) > 0 {
            self.look(cluster);
            cluster.run_until_idle();
        }
        for stream in STREAMS {
            let all = tokens_in(&cluster.execute(watcher, &format!("XRANGE {stream} - +")));
            assert_eq!(self.seen[stream], all, "seed {seed}: a reader of {stream}");
        }
    }
}
