//! `maxmemory-clients` at a core: what its clients weigh, and which of them has to go.
//!
//! Clients are weighed by whoever drives the core, at the end of each turn that moved something of
//! theirs, and only while there is a limit. See [`crate::client_weights`] for how cores agree on
//! who goes.

use std::collections::BTreeSet;

use super::message::Message;
use super::{Core, Ending, SessionId};
use crate::client_weights::{CLASSES, Plan, class_of};

/// What a client weighed when it was looked at last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    bytes: usize,
    /// Its class, if it may be ended.
    class: Option<u8>,
}

impl Weight {
    /// What of it may be ended, in bytes.
    fn endable_bytes(self) -> i64 {
        self.class.map_or(0, |_| self.bytes as i64)
    }
}

/// The clients of a core by size.
pub(super) struct Scales {
    /// 0 for no limit: then nobody is weighed.
    limit_bytes: u64,
    sums: [u64; CLASSES],
    /// Those that may be ended, the largest last.
    ranks: BTreeSet<(u8, SessionId)>,
}

impl Scales {
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, sums: [0; CLASSES], ranks: BTreeSet::new() }
    }

    /// Puts a client from one weight to another. O(log clients) where its class changes.
    fn shift(&mut self, id: SessionId, from: Weight, to: Weight) {
        if let Some(class) = from.class {
            self.sums[usize::from(class)] -= from.bytes as u64;
        }
        if let Some(class) = to.class {
            self.sums[usize::from(class)] += to.bytes as u64;
        }
        if from.class != to.class {
            if let Some(class) = from.class {
                self.ranks.remove(&(class, id));
            }
            if let Some(class) = to.class {
                self.ranks.insert((class, id));
            }
        }
    }
}

impl Core {
    /// Whether there is a limit on what clients weigh.
    #[inline]
    pub fn weighs_clients(&self) -> bool {
        self.scales.limit_bytes != 0
    }

    /// Weighs a client anew, as its figures are; whether it has come down by a class at least.
    pub fn weigh(&mut self, id: SessionId) -> bool {
        let Some(session) = self.session(id).filter(|session| !session.is_gone) else {
            return true;
        };
        let before = session.weight.class;
        let bytes = match session.is_monitor {
            true => 0,
            false => session.memory_bytes(),
        };
        let may_go = !session.no_evict && !session.is_monitor;
        let class = may_go.then(|| class_of(bytes));
        self.put_weight(id, Weight { bytes, class });
        class < before
    }

    /// A client is leaving: it weighs nothing.
    pub(super) fn unweigh(&mut self, id: SessionId) {
        if self.weighs_clients() {
            self.put_weight(id, Weight::default());
        }
    }

    fn put_weight(&mut self, id: SessionId, to: Weight) {
        let Some(session) = self.session_mut(id) else { return };
        let from = std::mem::replace(&mut session.weight, to);
        if from == to {
            return;
        }
        self.scales.shift(id, from, to);
        let growth_bytes = to.bytes as i64 - from.bytes as i64;
        // Whoever sees a client gone from its class sees it gone from the total, too.
        self.shared.weights.add(growth_bytes, to.endable_bytes() - from.endable_bytes());
        for class in [from.class, to.class].into_iter().flatten().map(usize::from) {
            self.shared.weights.post(self.id, class, self.scales.sums[class]);
        }
    }

    /// What clients hold that are about to be ended, on any core, in bytes. O(1).
    pub(super) fn leaving_client_bytes(&self) -> u64 {
        match self.scales.limit_bytes {
            0 => 0,
            limit_bytes => self.shared.weights.leaving_bytes(limit_bytes),
        }
    }

    /// Weighs everybody when a limit is set, and forgets the weights when it is taken away.
    pub(super) fn set_client_limit(&mut self, limit_bytes: u64) {
        let before = std::mem::replace(&mut self.scales.limit_bytes, limit_bytes);
        if (before == 0) == (limit_bytes == 0) {
            return;
        }
        let ids: Vec<SessionId> = self.sessions().map(|(id, _)| id).collect();
        for id in ids {
            match limit_bytes {
                0 => self.put_weight(id, Weight::default()),
                _ => _ = self.weigh(id),
            }
        }
    }

    /// A client of this core that has to go, the largest, if clients weigh more than they may and
    /// it is not for others to end theirs; those are asked to. It may have grown lighter since it
    /// was weighed. O(cores) where there is something to do.
    pub fn heaviest_client_to_end(&mut self) -> Option<SessionId> {
        let plan = self.plan_of_endings()?;
        for core in plan.others {
            if self.shared.weights.ask(core) {
                self.send(core, Message::EndClients);
            }
        }
        self.mesh.end_turn();
        let heaviest = self.scales.ranks.last().filter(|_| plan.is_own_turn);
        heaviest.map(|(_, id)| *id)
    }

    /// Ends the clients of this core that have to go, by what they weighed last, before the turn is
    /// over: who asks for the clients is shown none that is as good as gone, on whatever core.
    /// O(cores) for each that is ended.
    pub(crate) fn end_excess_clients(&mut self) {
        while self.plan_of_endings().is_some_and(|plan| plan.is_own_turn) {
            let Some(&(_, id)) = self.scales.ranks.last() else { return };
            self.unweigh(id);
            self.close_connection(id, Ending::Evicted);
        }
    }

    /// Who has to end clients, if they weigh more than they may.
    fn plan_of_endings(&self) -> Option<Plan> {
        let (limit_bytes, weights) = (self.scales.limit_bytes, &self.shared.weights);
        let is_over = limit_bytes != 0 && weights.total_bytes() > limit_bytes;
        is_over.then(|| weights.plan(self.id, limit_bytes))
    }

    /// Another core has found that clients weigh too much: whoever drives this one looks at the end
    /// of the turn.
    pub(super) fn end_clients_on_request(&mut self) {
        self.shared.weights.answer(self.id);
    }
}
