//! Keys whose time is short, at the end of a life: one client, one command at a time, and a clock
//! that stands just before, at or just behind the moment at which a key goes.
//!
//! What is there is known exactly, so every reply is, and so is what comes back after a power cut:
//! a change that came after a key had gone must not find it when it runs again.

use std::collections::BTreeMap;

use crate::cluster::{ClientId, Cluster};
use crate::value::Value;

const NAMES: [&str; 4] = ["t", "u", "v", "{t}w"];

/// Commands of a coda.
const COMMANDS: usize = 40;

/// What is there: values, and when they go, milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Timed {
    values: BTreeMap<&'static str, (String, Option<i64>)>,
}

impl Timed {
    /// Forgets what has gone by `now_ms`: a key is there in its last millisecond.
    fn expire(&mut self, now_ms: i64) {
        self.values.retain(|_, (_, deadline)| deadline.is_none_or(|at| at >= now_ms));
    }

    /// Compares with what a cluster has.
    ///
    /// # Errors
    /// If a key is not as it should be.
    pub fn check(&mut self, cluster: &mut Cluster, client: ClientId) -> Result<(), String> {
        let now_ms = cluster.now_ms();
        self.expire(now_ms);
        for name in NAMES {
            let expected = self.values.get(name);
            let value = execute(cluster, client, &format!("GET {name}"))?;
            let wanted = Value::Bulk(expected.map(|(text, _)| text.clone().into_bytes()));
            if value != wanted {
                return Err(format!("{name} is {value} and should be {wanted}, at {now_ms} ms"));
            }
            let deadline = execute(cluster, client, &format!("PEXPIRETIME {name}"))?;
            let wanted = Value::Integer(match expected {
                None => -2,
                Some((_, None)) => -1,
                Some((_, Some(at))) => *at,
            });
            if deadline != wanted {
                return Err(format!("{name} goes at {deadline} and should at {wanted}"));
            }
        }
        Ok(())
    }
}

fn execute(cluster: &mut Cluster, client: ClientId, line: &str) -> Result<Value, String> {
    let reply = cluster.execute_in_turns(client, line);
    Value::parse(&reply).map(|(value, _)| value).ok_or_else(|| format!("{line} has no reply"))
}

/// Plays it on a cluster at rest. Clients in turn send the commands.
///
/// # Errors
/// If a reply is not what it should be.
pub fn play(
    cluster: &mut Cluster,
    clients: &[ClientId],
    random: &mut fastrand::Rng,
) -> Result<Timed, String> {
    // Whatever an earlier life has left of them.
    execute(cluster, clients[0], &format!("DEL {}", NAMES.join(" ")))?;
    let mut timed = Timed::default();
    for number in 0..COMMANDS {
        let client = clients[number % clients.len()];
        let name = NAMES[random.usize(..NAMES.len())];
        let now_ms = cluster.now_ms();
        timed.expire(now_ms);
        let ms = random.i64(1..6);
        let old = timed.values.get(name).cloned();
        let (line, new, expected) = match (random.u32(..6), old) {
            (0 | 1, _) => {
                let text = format!("{number};");
                let line = format!("SET {name} {text} PX {ms}");
                (line, Some((text, Some(now_ms + ms))), Value::Simple("OK".to_owned()))
            }
            (2, old) => {
                let (before, deadline) = old.unwrap_or_default();
                let text = format!("{before}{number};");
                let length = Value::Integer(text.len() as i64);
                (format!("APPEND {name} {number};"), Some((text, deadline)), length)
            }
            (3, old) => {
                let line = format!("PEXPIRE {name} {ms}");
                let count = Value::Integer(i64::from(old.is_some()));
                (line, old.map(|(text, _)| (text, Some(now_ms + ms))), count)
            }
            (4, old) => {
                let has_deadline = matches!(old, Some((_, Some(_))));
                let line = format!("PERSIST {name}");
                (line, old.map(|(text, _)| (text, None)), Value::Integer(has_deadline.into()))
            }
            (_, old) => {
                let text = old.as_ref().map(|(text, _)| text.clone().into_bytes());
                (format!("GET {name}"), old, Value::Bulk(text))
            }
        };
        let reply = execute(cluster, client, &line)?;
        if reply != expected {
            return Err(format!("{line} at {now_ms} ms: {reply} instead of {expected}"));
        }
        timed.values.remove(name);
        timed.values.extend(new.map(|value| (name, value)));
        if random.bool() {
            cluster.advance_ms(random.i64(1..4));
        }
    }
    timed.check(cluster, clients[0])?;
    Ok(timed)
}
