//! Which core of the server a connection sits on, and which core owns a slot.
//!
//! The kernel spreads connections over the cores' listeners by a hash of the ports, so a client
//! cannot choose; it asks each connection where it came to lie (`core=` in CLIENT INFO) and
//! opens more until every core has its share. Slots are asked for with DEBUG SLOT-OWNER.

use crate::error::{BenchError, Outcome};
use crate::keys::slot::SLOT_COUNT;
use crate::resp::client::Client;

/// Connections opened for each one needed, before the kernel's spread is taken for broken.
const ATTEMPTS_PER_CONNECTION: usize = 64;
/// Questions in flight at once.
const CHUNK: usize = 1024;

/// The owner of every slot, in slot order. O(slots) round trips, pipelined.
pub(crate) fn slot_owners(client: &mut Client) -> Outcome<Vec<usize>> {
    let slots: Vec<String> = (0..SLOT_COUNT).map(|slot| slot.to_string()).collect();
    let mut owners = Vec::with_capacity(SLOT_COUNT);
    for chunk in slots.chunks(CHUNK) {
        let commands: Vec<[&str; 3]> =
            chunk.iter().map(|slot| ["DEBUG", "SLOT-OWNER", slot]).collect();
        let commands: Vec<&[&str]> = commands.iter().map(|command| command.as_slice()).collect();
        for reply in client.pipeline(&commands)? {
            let owner = reply.integer().and_then(|core| usize::try_from(core).ok());
            owners.push(owner.ok_or_else(|| BenchError::Reply {
                command: "DEBUG SLOT-OWNER".to_owned(),
                text: reply.text(),
            })?);
        }
    }
    Ok(owners)
}

/// The core a connection sits on.
pub(crate) fn core_of(client: &mut Client) -> Outcome<usize> {
    let info = client.call(&["CLIENT", "INFO"])?.text();
    core_in(&info).ok_or_else(|| BenchError::Reply {
        command: "CLIENT INFO".to_owned(),
        text: format!("a line without core=: {}", info.trim_end()),
    })
}

fn core_in(info: &str) -> Option<usize> {
    info.split_whitespace().find_map(|field| field.strip_prefix("core=")?.parse().ok())
}

/// Opens connections until each of `cores` cores holds `per_core` of them; what lands on a full
/// core is closed again. The result lists them core by core.
pub(crate) fn spread<T>(
    cores: usize,
    per_core: usize,
    mut open: impl FnMut() -> Outcome<(T, usize)>,
) -> Outcome<Vec<Vec<T>>> {
    let mut placed: Vec<Vec<T>> = (0..cores).map(|_| Vec::new()).collect();
    let needed = cores * per_core;
    // Closed only at the end: a port that comes back at once would land on the same core.
    let mut surplus = Vec::new();
    for _ in 0..needed * ATTEMPTS_PER_CONNECTION {
        if placed.iter().map(Vec::len).sum::<usize>() == needed {
            return Ok(placed);
        }
        let (connection, core) = open()?;
        match placed.get_mut(core) {
            Some(held) if held.len() < per_core => held.push(connection),
            _ => surplus.push(connection),
        }
    }
    let counts: Vec<usize> = placed.iter().map(Vec::len).collect();
    let text = format!("connections never reached every core: {counts:?} of {per_core} each");
    Err(BenchError::Reply { command: "CLIENT INFO".to_owned(), text })
}

/// The slots one core owns, ascending.
pub(crate) fn slots_of(core: usize, owners: &[usize]) -> Vec<usize> {
    (0..owners.len()).filter(|slot| owners[*slot] == core).collect()
}

/// A list in which every other slot is another core's: half of its keys are remote. With nobody
/// else to own a slot it is the core's own slots.
pub(crate) fn half_remote(core: usize, owners: &[usize]) -> Vec<usize> {
    let (own, others): (Vec<usize>, Vec<usize>) =
        (0..owners.len()).partition(|slot| owners[*slot] == core);
    if others.is_empty() || own.is_empty() {
        return if own.is_empty() { others } else { own };
    }
    let longest = own.len().max(others.len());
    let pair = |index: usize| [own[index % own.len()], others[index % others.len()]];
    (0..longest).flat_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_found_in_client_info() {
        let info = "id=3 addr=127.0.0.1:1 score=9 db=0 core=2 resp=2\n";
        assert_eq!(core_in(info), Some(2));
        assert_eq!(core_in("id=3 score=9"), None);
    }

    #[test]
    fn every_core_gets_its_share() {
        let seed = 4;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut opened = 0;
        let placed = spread(3, 5, || {
            opened += 1;
            Ok((opened, random.usize(0..3)))
        });
        let placed = placed.expect("chance reaches every core");
        assert!(placed.iter().all(|held| held.len() == 5), "seed {seed}");
    }

    #[test]
    fn a_core_out_of_reach_is_no_endless_loop() {
        assert!(spread(2, 1, || Ok(((), 0))).is_err());
        assert!(spread(2, 1, || Ok(((), 7))).is_err());
    }

    #[test]
    fn half_of_the_list_belongs_to_others() {
        let owners: Vec<usize> = (0..90).map(|slot| slot / 30).collect();
        let list = half_remote(1, &owners);
        let own = list.iter().filter(|slot| owners[**slot] == 1).count();
        assert_eq!((own * 2, list.len()), (list.len(), 120));
        for slot in 0..90 {
            assert!(list.contains(&slot));
        }
        assert_eq!(half_remote(0, &[0, 0]), [0, 1]);
        assert_eq!(slots_of(2, &owners), (60..90).collect::<Vec<_>>());
    }
}
