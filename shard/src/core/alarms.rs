//! Waits for keys that time alone may end: a reader of a group that also takes what others have
//! left idle (CLAIM of XREADGROUP) has something to get once that has been idle for long enough,
//! though nobody changes the stream then.
//!
//! Whichever core looks at a key for such a waiter and finds nothing works out when there would be
//! something, and the waiter notes the earliest of these moments. Its client's core keeps the
//! alarm: when that is due it sends an envelope that collects the slots of the command and has its
//! keys looked at once more, just as after a change. Then either the client is served, or there is
//! another moment to wait for.
//!
//! Moments are lower bounds. What happens to the stream meanwhile makes them later, or is a change
//! that has the key looked at; so nothing is missed, and an alarm in vain costs one look.

use std::sync::Arc;

use super::serving::call_of;
use super::{Core, SessionId};
use crate::core::parcels::Parcel;
use crate::key_waits::{Address, KeyWaiter};
use crate::reply::Output;

impl Core {
    /// A key of a waiter, whose slot is here, has nothing for it: whether time will change that is
    /// noted, and told to the core of its client.
    pub(super) fn note_alarm(&mut self, waiter: &Arc<KeyWaiter>, argument: usize) {
        if self.is_sooner(waiter, argument) {
            match waiter.address.core {
                core if core == self.id => self.set_alarm(waiter.address),
                core => self.post(core, Parcel::Alarm(waiter.address)),
            }
        }
    }

    /// A waiter begins to wait for its keys, whose slots are here. Its client's core is about to
    /// learn of it, and of its alarm with it.
    pub(super) fn note_first_alarm(&mut self, waiter: &Arc<KeyWaiter>) {
        for argument in waiter.wait.keys.clone() {
            self.is_sooner(waiter, argument);
        }
    }

    /// Whether a key will be ready sooner than the alarm of the waiter, which is moved if so.
    fn is_sooner(&mut self, waiter: &Arc<KeyWaiter>, argument: usize) -> bool {
        let Some(ready_at_ms) = waiter.wait.ready_at_ms else { return false };
        let mut output = Output::default();
        let at_ms = ready_at_ms(&mut call_of(&mut self.store, waiter, &mut output), argument);
        at_ms.is_some_and(|at_ms| waiter.want_alarm(at_ms))
    }

    /// The alarm of a waiter was moved. If its session does not wait yet it will see that when it
    /// begins to; if it waits no more nothing is left to do.
    pub(super) fn set_alarm(&mut self, address: Address) {
        let Some(session) = self.session_mut(address.session) else { return };
        let Some(blocked) = session.blocked.as_deref_mut() else { return };
        if blocked.place != address.place {
            return;
        }
        let wanted_ms = blocked.waiter.as_ref().and_then(|waiter| waiter.alarm_ms());
        let old_ms = std::mem::replace(&mut blocked.alarm_ms, wanted_ms);
        self.move_alarm(address.session, old_ms, wanted_ms);
    }

    /// Keeps the list of alarms.
    pub(super) fn move_alarm(&mut self, id: SessionId, from_ms: Option<u64>, to_ms: Option<u64>) {
        if let Some(at_ms) = from_ms {
            self.alarms.remove(&(at_ms, id));
        }
        if let Some(at_ms) = to_ms {
            self.alarms.insert((at_ms, id));
        }
    }

    /// When the first alarm is due, monotonic milliseconds. None is while clients are paused: what
    /// would be served changes keys.
    pub(super) fn next_alarm_ms(&self) -> Option<u64> {
        let first = self.alarms.first().map(|&(at_ms, _)| at_ms);
        first.filter(|_| !self.store.is_paused)
    }

    /// Has the keys of all waiters looked at whose alarm is due.
    pub(super) fn ring_alarms(&mut self) {
        let now_ms = self.store.now().monotonic_ms();
        while self.next_alarm_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            let (_, id) = self.alarms.pop_first().expect("it was looked at");
            let session = self.session_mut(id).expect("a session that closes has no alarm");
            let blocked = session.blocked.as_deref_mut().expect("alarms are of blocked sessions");
            blocked.alarm_ms = None;
            let waiter = blocked.waiter.clone().expect("alarms are of waiters");
            waiter.clear_alarm();
            self.send_service_or_put_off(&waiter);
        }
    }
}
