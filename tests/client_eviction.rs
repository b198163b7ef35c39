//! `maxmemory-clients`: the largest clients of all cores go first, and only as many as have to.

mod support;

use support::{Client, Fields, OK, Test, each, encode, eventually};

const MEGABYTE: usize = 1 << 20;

/// A client that has sent `bytes` of an argument and not its end.
fn half_an_argument(t: &mut Test, name: &str, bytes: usize) -> Client {
    let mut client = t.connect();
    client.check(["CLIENT", "SETNAME", name], OK);
    let mut request = format!("*2\r\n$4\r\nECHO\r\n${bytes}\r\n").into_bytes();
    request.resize(request.len() + bytes, b'v');
    client.send(&request);
    eventually("its bytes have arrived", || query_bytes(t, name) == Some(bytes));
    client
}

/// The clients whose names begin like this.
fn named(t: &mut Test, prefix: &str) -> Vec<Fields> {
    let list = t.text("CLIENT LIST");
    let lines = list.lines().map(Fields::of_client);
    lines.filter(|line| line.text("name").starts_with(prefix)).collect()
}

fn query_bytes(t: &mut Test, name: &str) -> Option<usize> {
    named(t, name).first().map(|client| client.number("qbuf") as usize)
}

fn total_bytes(t: &mut Test) -> i64 {
    let list = t.text("CLIENT LIST");
    list.lines().map(|line| Fields::of_client(line).number("tot-mem")).sum()
}

#[test]
fn the_largest_clients_go_first_and_no_more_than_have_to() {
    each(|t| {
        t.check("CONFIG RESETSTAT", OK);
        t.check("CLIENT NO-EVICT ON", OK);
        let sizes = [MEGABYTE / 8, MEGABYTE, 3 * MEGABYTE];
        let mut clients = Vec::new();
        for (class, bytes) in sizes.iter().enumerate() {
            for number in 0..4 {
                clients.push(half_an_argument(t, &format!("size{class}-{number}"), *bytes));
            }
        }
        let all_bytes = total_bytes(t);
        let largest_bytes = named(t, "size2")[0].number("tot-mem");
        // Room for all but two of the largest, and a little less than for all but one.
        let limit = (all_bytes - 2 * largest_bytes + 1000).to_string();
        t.check(["CONFIG", "SET", "maxmemory-clients", &limit], OK);
        let left = |t: &mut Test, prefix| named(t, prefix).len();
        // At once: whoever asks is shown nobody that has to go.
        assert_eq!([left(t, "size0"), left(t, "size1"), left(t, "size2")], [4, 4, 2]);
        // Room for the small ones.
        let limit = (4 * (MEGABYTE / 8 + 20_000)).to_string();
        t.check(["CONFIG", "SET", "maxmemory-clients", &limit], OK);
        assert_eq!([left(t, "size0"), left(t, "size1"), left(t, "size2")], [4, 0, 0]);
        assert_eq!(t.info("stats").number("evicted_clients"), 8);
        t.check("CONFIG SET maxmemory-clients 0", OK);
        for client in &mut clients[..4] {
            client.send(b"\r\n");
            assert_eq!(client.read_reply().text().len(), MEGABYTE / 8);
        }
    });
}

#[test]
fn what_a_client_makes_the_server_hold_counts() {
    each(|t| {
        t.check("CLIENT NO-EVICT ON", OK);
        t.check("CONFIG SET maxmemory-clients 200000", OK);
        let long = "x".repeat(1000);
        let grow: [&dyn Fn(usize) -> Vec<String>; 4] = [
            &|number| vec!["WATCH".into(), format!("{long}{number}")],
            &|number| vec!["SUBSCRIBE".into(), format!("{long}{number}")],
            &|number| vec!["SSUBSCRIBE".into(), format!("{long}{number}")],
            &|_| vec!["SET".into(), "k".into(), long.clone()],
        ];
        for words in grow {
            let mut client = t.server.connect_plain();
            client.check("CLIENT SETNAME grows", OK);
            if words(0)[0] == "SET" {
                client.check("MULTI", OK);
            }
            let mut goes_on = (0..1000).map(|number| {
                client.try_send(&encode(words(number).as_slice())).is_ok()
                    && client.read_line_if_any().is_some()
            });
            while goes_on.next() == Some(true) {}
            // Some replies have several lines, so all may be sent before anything is noticed.
            let what = format!("{:?} has cost its client the connection", words(0)[0]);
            eventually(&what, || named(t, "grows").is_empty());
        }
        t.check("CONFIG SET maxmemory-clients 0", OK);
    });
}

#[test]
fn whoever_must_not_be_evicted_stays() {
    each(|t| {
        t.check("CLIENT NO-EVICT ON", OK);
        t.check("CONFIG SET maxmemory-clients 1mb", OK);
        let mut kept = t.connect();
        kept.check("CLIENT NO-EVICT ON", OK);
        kept.check("CLIENT SETNAME kept", OK);
        kept.send(format!("*2\r\n$4\r\nECHO\r\n${}\r\n", 2 * MEGABYTE).as_bytes());
        kept.send(&vec![b'v'; 2 * MEGABYTE]);
        eventually("it has arrived", || query_bytes(t, "kept") == Some(2 * MEGABYTE));
        // Somebody else is no way out: who holds nothing is still small, but all are over.
        eventually("nobody else is left", || t.text("CLIENT LIST").lines().count() == 2);
        kept.send(b"\r\n");
        assert_eq!(kept.read_reply().text().len(), 2 * MEGABYTE);
        t.check("CONFIG SET maxmemory-clients 0", OK);
    });
}
