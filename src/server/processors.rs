//! Which processors serve clients, and which thread sits on which.

use std::io;

use crate::config::Cores;
use crate::debug;

/// The processors this process may run on, ascending.
///
/// # Errors
/// When the system does not tell.
pub fn available() -> io::Result<Vec<usize>> {
    let ids = core_affinity::get_core_ids()
        .ok_or_else(|| io::Error::other("the affinity mask cannot be read"))?;
    let mut numbers: Vec<usize> = ids.into_iter().map(|id| id.id).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The processor of each core, in the order of the cores. A number of cores above that of the
/// processors is allowed: they then share, which is for tests and not for speed.
///
/// # Errors
/// When a processor is named that the process may not run on.
pub fn assign(cores: &Cores, available: &[usize]) -> Result<Vec<usize>, String> {
    match cores {
        Cores::All => Ok(available.to_vec()),
        Cores::Count(count) => {
            Ok((0..*count).map(|core| available[core % available.len()]).collect())
        }
        Cores::List(list) => match list.iter().find(|number| !available.contains(number)) {
            Some(missing) => Err(format!(
                "cores names processor {missing}, but this process may only run on {available:?}"
            )),
            None => Ok(list.clone()),
        },
    }
}

/// Whether two cores share a processor.
pub fn is_oversubscribed(assigned: &[usize]) -> bool {
    let mut sorted = assigned.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

/// Keeps the calling thread on one processor. Where the system refuses, it runs where it likes.
pub fn pin_current_thread(processor: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: processor })
}

/// Lets the cores go before the calling thread, which has time. Where the system refuses, it
/// competes with them.
pub fn yield_to_cores() {
    if let Err(error) = basalt_net::sys::yield_current_thread_to_others() {
        debug!("Cannot lower the priority of a thread: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_assigned_in_turn() {
        let assigned = |cores| assign(&cores, &[2, 5]);
        assert_eq!(assigned(Cores::All), Ok(vec![2, 5]));
        assert_eq!(assigned(Cores::Count(5)), Ok(vec![2, 5, 2, 5, 2]));
        assert_eq!(assigned(Cores::List(vec![5])), Ok(vec![5]));
        assert!(assigned(Cores::List(vec![3])).is_err());
    }

    #[test]
    fn sharing_a_processor_is_noticed() {
        assert!(is_oversubscribed(&[0, 1, 0]));
        assert!(!is_oversubscribed(&[0, 1]));
    }
}
