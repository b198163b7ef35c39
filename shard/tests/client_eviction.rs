//! `maxmemory-clients` over many cores, where nobody drives them yet: what is told of clients.

mod support;

use basalt_shard::core::SessionId;
use support::{ClientId, Cluster, settings, under_seeds};

const CORES: usize = 3;
const MEGABYTE: usize = 1 << 20;

/// Clients at all cores in turn, each of which holds a megabyte, and one that holds little.
fn heavy_clients(cluster: &mut Cluster, count: usize) -> ClientId {
    let control = cluster.connect(0);
    for number in 0..count {
        let client = cluster.connect(number % CORES);
        cluster.execute(client, &format!("CLIENT SETNAME heavy{number}"));
    }
    for number in 0..CORES {
        let core = cluster.core(number);
        let ids: Vec<SessionId> = core.sessions().map(|(id, _)| id).collect();
        for id in ids {
            let session = core.session_mut(id).expect("it was found among the open ones");
            if session.name.is_some() {
                session.figures.query_buffer_bytes = MEGABYTE;
            }
            core.weigh(id);
        }
    }
    control
}

fn listed(cluster: &mut Cluster, control: ClientId) -> usize {
    let list = cluster.execute(control, "CLIENT LIST");
    String::from_utf8(list).expect("lists are text").matches("name=heavy").count()
}

/// Symptom: CLIENT LIST right behind CONFIG SET `maxmemory-clients` showed clients over the limit.
/// Cause: a core ends clients when its turn is over, and another's may come later. Fix: whoever
/// lists the clients of a core first ends those that have to go.
#[test]
fn nobody_is_shown_clients_that_have_to_go() {
    under_seeds(|seed| {
        let mut settings = settings();
        settings.maxmemory_clients_bytes = (5 * MEGABYTE + MEGABYTE / 2) as u64;
        let mut cluster = Cluster::with_settings(CORES as u16, seed, settings);
        let control = heavy_clients(&mut cluster, 10);
        assert_eq!(listed(&mut cluster, control), 5);
        assert_eq!(listed(&mut cluster, control), 5);
        // They are gone for KILL as well.
        let killed = cluster.execute(control, "CLIENT KILL TYPE normal SKIPME yes");
        assert_eq!(killed, b":5\r\n");
        assert_eq!(cluster.execute(control, "CLIENT KILL TYPE normal SKIPME yes"), b":0\r\n");
        assert_eq!(listed(&mut cluster, control), 0);
    });
}
