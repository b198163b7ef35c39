//! Which connections a run opens, and which keys each may use.
//!
//! A *lane* is an endpoint with a population of keys. A plain server is one lane; a cluster has
//! one lane per primary, with the slots it owns, so that no request is ever redirected; one hash
//! tag per connection makes each connection a lane.

use crate::args::usage;
use crate::error::{BenchError, Outcome};
use crate::keys::distribution::Distribution;
use crate::keys::shape::KeyShape;
use crate::keys::slot::SLOT_COUNT;
use crate::keys::source::{KeySource, Population};
use crate::load::connection::Link;
use crate::request::template::{Frame, ValueSize};
use crate::resp::client::{Client, Session};
use crate::resp::endpoint::Endpoint;
use crate::resp::value::Value;

/// How keys are spread over slots and connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// Keys without hash tags, wherever they fall.
    Plain,
    /// Connection `i` keeps to the `i`-th of these slots, that is to one hash tag.
    SlotPerConnection(Vec<usize>),
    /// All connections use these slots.
    Slots(Vec<usize>),
    /// Every connection goes to one primary of a cluster and uses its slots.
    Cluster,
}

/// How keys look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyStyle {
    /// First letters of every key.
    pub(crate) prefix: String,
    /// Length of every key in bytes.
    pub(crate) len: usize,
}

/// A server or cluster under load.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The server, or any node of the cluster.
    pub(crate) endpoint: Endpoint,
    /// How to greet it.
    pub(crate) session: Session,
    /// How keys are spread.
    pub(crate) addressing: Addressing,
    /// How keys look.
    pub(crate) style: KeyStyle,
    /// Keys in all; rounded up to a multiple of the slots where slots are addressed.
    pub(crate) key_count: u64,
}

/// An endpoint with the keys that may be asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// Where its connections go.
    pub(crate) endpoint: Endpoint,
    /// Which keys they use.
    pub(crate) population: Population,
}

impl Addressing {
    /// One slot for each of so many connections, far apart.
    pub(crate) fn slot_per_connection(connections: usize) -> Self {
        let count = connections.min(SLOT_COUNT);
        Self::SlotPerConnection((0..count).map(|index| index * SLOT_COUNT / count).collect())
    }
}

impl Target {
    /// The lanes for so many connections; connection `i` takes lane `i % lanes`.
    pub(crate) fn lanes(&self, connections: usize) -> Outcome<Vec<Lane>> {
        let here = |population| Lane { endpoint: self.endpoint.clone(), population };
        let lanes = match &self.addressing {
            Addressing::Plain => vec![here(Population::Plain { count: self.key_count })],
            Addressing::Slots(slots) => {
                let per_slot = self.key_count.div_ceil(slots.len() as u64);
                vec![here(Population::of_slots(slots.iter().copied(), per_slot))]
            }
            Addressing::SlotPerConnection(slots) => {
                let per_slot = self.key_count.div_ceil(slots.len() as u64);
                slots.iter().map(|slot| here(Population::of_slots([*slot], per_slot))).collect()
            }
            Addressing::Cluster => self.cluster_lanes()?,
        };
        if lanes.len() > connections {
            let (nodes, count) = (lanes.len(), connections);
            return Err(usage(format!("{count} connections cannot reach {nodes} nodes")));
        }
        Ok(lanes)
    }

    fn cluster_lanes(&self) -> Outcome<Vec<Lane>> {
        let mut client = Client::connect(&self.endpoint, &self.session)?;
        let reply = client.call(&["CLUSTER", "SLOTS"])?;
        let nodes = parse_cluster_slots(&reply, &self.endpoint)?;
        let per_slot = self.key_count.div_ceil(SLOT_COUNT as u64);
        let lane = |(endpoint, slots)| Lane {
            endpoint,
            population: Population::of_slots(slots, per_slot),
        };
        Ok(nodes.into_iter().map(lane).collect())
    }

    /// What templates for these lanes have in common.
    pub(crate) fn frame(&self, lanes: &[Lane], value: ValueSize) -> Outcome<Frame> {
        let numbers = lanes.iter().map(|lane| lane.population.number_count());
        let is_tagged = lanes.iter().any(|lane| lane.population.is_tagged());
        let number_count = numbers.max().unwrap_or(1);
        let shape = KeyShape::new(&self.style.prefix, self.style.len, is_tagged, number_count)?;
        Ok(Frame { shape, value, key_count: self.key_count })
    }

    /// Opens connections over the lanes in turn.
    pub(crate) fn open(&self, lanes: &[Lane], count: usize) -> Outcome<Vec<Link>> {
        let one = |index: usize| {
            let lane = index % lanes.len();
            let client = Client::connect(&lanes[lane].endpoint, &self.session)?;
            Ok(Link { wire: client.into_wire()?, lane })
        };
        (0..count).map(one).collect()
    }
}

/// Process of the server, where it runs on this machine and tells its number.
pub(crate) fn server_pid(endpoint: &Endpoint, session: &Session) -> Outcome<Option<u32>> {
    if !endpoint.is_local() {
        return Ok(None);
    }
    let mut client = Client::connect(endpoint, session)?;
    let text = match client.info_field("server", "process_id") {
        Ok(text) => text,
        // A server may forbid INFO, or not know it; it is then measured from outside only.
        Err(BenchError::Reply { .. }) => None,
        Err(failure) => return Err(failure),
    };
    let pid: Option<u32> = text.and_then(|text| text.trim().parse().ok());
    Ok(pid.filter(|pid| crate::procfs::ProcessCpu::of(*pid).is_ok()))
}

/// Samplers over the populations of lanes.
pub(crate) fn key_sources(lanes: &[Lane], distribution: Distribution) -> Vec<KeySource> {
    lanes.iter().map(|lane| KeySource::new(lane.population.clone(), distribution)).collect()
}

/// Reads CLUSTER SLOTS: `[[first, last, [host, port, ...], replicas...], ...]`. A node without
/// a host is the one that was asked.
fn parse_cluster_slots(reply: &Value, asked: &Endpoint) -> Outcome<Vec<(Endpoint, Vec<usize>)>> {
    let unusable = || BenchError::Reply { command: "CLUSTER SLOTS".into(), text: reply.text() };
    let mut nodes: Vec<(Endpoint, Vec<usize>)> = Vec::new();
    for range in reply.elements().ok_or_else(unusable)? {
        let (first, last, node) = slot_range(range).ok_or_else(unusable)?;
        let port = node.get(1).and_then(Value::integer).and_then(|port| u16::try_from(port).ok());
        let (host, port) = (node.first().ok_or_else(unusable)?, port.ok_or_else(unusable)?);
        let endpoint = match (host, asked) {
            (Value::Nil, _) => with_port(asked, port),
            (host, _) if host.text().is_empty() || host.text() == "?" => with_port(asked, port),
            (host, _) => Endpoint::resolve(&host.text(), port)?,
        };
        match nodes.iter_mut().find(|(known, _)| *known == endpoint) {
            Some((_, slots)) => slots.extend(first..=last),
            None => nodes.push((endpoint, (first..=last).collect())),
        }
    }
    if nodes.is_empty() {
        return Err(usage("the cluster serves no slots yet"));
    }
    Ok(nodes)
}

fn slot_range(range: &Value) -> Option<(usize, usize, &[Value])> {
    let [first, last, primary, ..] = range.elements()? else { return None };
    let slot = |value: &Value| {
        let number = usize::try_from(value.integer()?).ok()?;
        (number < SLOT_COUNT).then_some(number)
    };
    Some((slot(first)?, slot(last)?, primary.elements()?))
}

fn with_port(asked: &Endpoint, port: u16) -> Endpoint {
    let mut endpoint = asked.clone();
    if let Endpoint::Tcp(address) | Endpoint::Tls(address) = &mut endpoint {
        address.set_port(port);
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(addressing: Addressing) -> Target {
        Target {
            endpoint: Endpoint::resolve("127.0.0.1", 7000).expect("an address"),
            session: Session::default(),
            addressing,
            style: KeyStyle { prefix: "key:".to_owned(), len: 16 },
            key_count: 1000,
        }
    }

    #[test]
    fn cluster_slots_are_grouped_by_node() {
        let reply = b"*3\r\n\
            *3\r\n:0\r\n:9\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\nid\r\n\
            *3\r\n:10\r\n:19\r\n*3\r\n$0\r\n\r\n:7002\r\n$2\r\nid\r\n\
            *4\r\n:20\r\n:20\r\n*2\r\n$9\r\n127.0.0.1\r\n:7001\r\n*2\r\n$1\r\nx\r\n:1\r\n";
        let reply = Value::read(&mut reply.as_slice()).expect("valid RESP");
        let nodes = parse_cluster_slots(&reply, &target(Addressing::Plain).endpoint);
        let nodes = nodes.expect("two nodes");
        assert_eq!(nodes.len(), 2);
        assert_eq!((nodes[0].0.to_string().as_str(), nodes[0].1.len()), ("127.0.0.1:7001", 11));
        assert_eq!((nodes[1].0.to_string().as_str(), nodes[1].1.len()), ("127.0.0.1:7002", 10));
    }

    #[test]
    fn unusable_maps_are_refused() {
        let asked = target(Addressing::Plain).endpoint;
        for reply in ["*0\r\n", "+OK\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n", "*1\r\n:1\r\n"] {
            let value = Value::read(&mut reply.as_bytes()).expect("valid RESP");
            assert!(parse_cluster_slots(&value, &asked).is_err(), "{reply:?}");
        }
    }

    #[test]
    fn lanes_cover_the_keys() {
        let lanes = target(Addressing::Plain).lanes(50).expect("lanes");
        assert_eq!((lanes.len(), lanes[0].population.count()), (1, 1000));

        let lanes = target(Addressing::slot_per_connection(50)).lanes(50).expect("lanes");
        let total: u64 = lanes.iter().map(|lane| lane.population.count()).sum();
        assert_eq!((lanes.len(), total), (50, 1000));

        let slots = target(Addressing::Slots(vec![1, 2, 3]));
        let lanes = slots.lanes(2).expect("lanes");
        assert_eq!((lanes.len(), lanes[0].population.count()), (1, 1002));
        assert_eq!(slots.frame(&lanes, ValueSize::fixed(1)).expect("a frame").shape.key_len(), 16);
    }
}
