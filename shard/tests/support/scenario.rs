//! Conversations with expected replies, held in both protocol versions and on one core and several.

use basalt_shard::settings::Settings;

use super::resp::{show, sorted_elements, texts};
use super::{ClientId, Cluster, settings};

/// Seed of the scheduler where a test is not about interleaving.
const SEED: u64 = 7;

/// One client and what it talks to.
pub(crate) struct Scenario {
    /// What it talks to.
    pub(crate) cluster: Cluster,
    client: ClientId,
    is_resp3: bool,
}

/// Holds a conversation with every kind of server.
pub(crate) fn each(talk: impl Fn(&mut Scenario)) {
    each_with(&settings(), talk);
}

/// The same with settings of the caller's choice.
pub(crate) fn each_with(settings: &Settings, talk: impl Fn(&mut Scenario)) {
    for core_count in [1, 3] {
        for is_resp3 in [false, true] {
            let mut cluster = Cluster::with_settings(core_count, SEED, settings.clone());
            let client = cluster.connect(0);
            if is_resp3 {
                cluster.execute(client, "HELLO 3");
            }
            talk(&mut Scenario { cluster, client, is_resp3 });
        }
    }
}

impl Scenario {
    /// Whether replies are those of RESP3.
    pub(crate) fn is_resp3(&self) -> bool {
        self.is_resp3
    }

    /// Sends a request without looking at the reply.
    pub(crate) fn run(&mut self, request: &str) {
        self.cluster.execute(self.client, request);
    }

    /// Checks a reply. Where it has no value, `expected` says so in RESP2.
    #[track_caller]
    pub(crate) fn check(&mut self, request: &str, expected: &str) {
        let reply = self.cluster.execute(self.client, request);
        let nulled =
            if self.is_resp3 { expected.replace("$-1\r\n", "_\r\n") } else { expected.into() };
        assert_eq!(show(&reply), show(nulled.as_bytes()), "{request}");
    }

    /// Checks a reply that is an array of bulk strings.
    #[track_caller]
    pub(crate) fn check_array(&mut self, request: &str, expected: &[&str]) {
        let bulk = |text: &&str| format!("${}\r\n{text}\r\n", text.len());
        let elements: String = expected.iter().map(bulk).collect();
        self.check(request, &format!("*{}\r\n{elements}", expected.len()));
    }

    /// Checks a reply that is a set of bulk strings in RESP3, and an array in RESP2. Their order
    /// does not matter.
    #[track_caller]
    pub(crate) fn check_set(&mut self, request: &str, expected: &[&str]) {
        let header = if self.is_resp3 { '~' } else { '*' };
        self.check_unordered(request, header, expected);
    }

    /// Checks a reply that is an array of bulk strings in any order.
    #[track_caller]
    pub(crate) fn check_array_unordered(&mut self, request: &str, expected: &[&str]) {
        self.check_unordered(request, '*', expected);
    }

    #[track_caller]
    fn check_unordered(&mut self, request: &str, header: char, expected: &[&str]) {
        let bulk = |text: &&str| format!("${}\r\n{text}\r\n", text.len());
        let elements: String = expected.iter().map(bulk).collect();
        let expected = format!("{header}{}\r\n{elements}", expected.len());
        let reply = self.reply_to(request);
        let (ours, theirs) = (sorted_elements(&reply), sorted_elements(expected.as_bytes()));
        assert_eq!(show(&ours), show(&theirs), "{request}");
    }

    /// Runs a request and returns the reply.
    pub(crate) fn reply_to(&mut self, request: &str) -> Vec<u8> {
        self.cluster.execute(self.client, request)
    }

    /// Runs a request whose reply is a list of bulk strings and returns them.
    #[track_caller]
    pub(crate) fn texts_of(&mut self, request: &str) -> Vec<String> {
        texts(&self.reply_to(request))
    }

    /// Checks a reply that is another one in RESP3.
    #[track_caller]
    pub(crate) fn check_either(&mut self, request: &str, resp2: &str, resp3: &str) {
        let expected = if self.is_resp3 { resp3 } else { resp2 };
        self.check(request, expected);
    }

    /// Checks a reply that is a bulk string.
    #[track_caller]
    pub(crate) fn check_bulk(&mut self, request: &str, expected: &str) {
        self.check(request, &format!("${}\r\n{expected}\r\n", expected.len()));
    }

    /// Checks a reply that is an integer.
    #[track_caller]
    pub(crate) fn check_integer(&mut self, request: &str, expected: i64) {
        self.check(request, &format!(":{expected}\r\n"));
    }

    /// Checks a reply that is an array of integers.
    #[track_caller]
    pub(crate) fn check_array_of_integers(&mut self, request: &str, expected: &[i64]) {
        let elements: String = expected.iter().map(|number| format!(":{number}\r\n")).collect();
        self.check(request, &format!("*{}\r\n{elements}", expected.len()));
    }

    /// Checks a reply that is OK.
    #[track_caller]
    pub(crate) fn check_ok(&mut self, request: &str) {
        self.check(request, "+OK\r\n");
    }

    /// Checks a reply that is no array.
    #[track_caller]
    pub(crate) fn check_null_array(&mut self, request: &str) {
        self.check_either(request, "*-1\r\n", "_\r\n");
    }

    /// Checks a reply that is no value.
    #[track_caller]
    pub(crate) fn check_null(&mut self, request: &str) {
        self.check(request, "$-1\r\n");
    }

    /// Checks a reply that is an error.
    #[track_caller]
    pub(crate) fn check_error(&mut self, request: &str, expected: &str) {
        self.check(request, &format!("-{expected}\r\n"));
    }
}
