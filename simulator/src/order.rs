//! What comes before what: a graph of events, with a chain of ticks for time.

use std::collections::{HashMap, VecDeque};

use crate::op::Token;

/// Why one event comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It wrote, or took, what the other wrote or took next.
    Written,
    /// The other saw it.
    Seen,
    /// It did not see the other.
    Unseen,
    /// The same client did both in this order.
    Program,
    /// It was over when the other began.
    Time,
    /// Both are messages of one channel, and were received in this order.
    Told,
}

impl Why {
    /// In words, between the one and the other.
    pub fn words(self) -> &'static str {
        match self {
            Self::Written => "then this was written, or taken, next:",
            Self::Seen => "which was seen by:",
            Self::Unseen => "which has not seen:",
            Self::Program => "then the same client:",
            Self::Time => "was over when this began:",
            Self::Told => "then this was told on the same channel:",
        }
    }
}

/// Which events come before which.
pub struct Order {
    /// To whom edges lead from each event, and from each tick behind the events.
    edges: Vec<Vec<(u32, Why)>>,
    event_count: usize,
    /// Who wrote each token.
    pub(crate) writers: HashMap<Token, usize>,
    /// Who told each message, by channel.
    pub(crate) tellers: HashMap<(usize, Token), usize>,
}

impl Order {
    /// Of so many events, without edges.
    pub(crate) fn new(event_count: usize) -> Self {
        Self {
            edges: vec![Vec::new(); event_count],
            event_count,
            writers: HashMap::new(),
            tellers: HashMap::new(),
        }
    }

    /// One comes before the other.
    pub(crate) fn add(&mut self, one: usize, other: usize, why: Why) {
        if one != other {
            self.edges[one].push((other as u32, why));
        }
    }

    /// Makes room for so many ticks; the first of them.
    pub(crate) fn add_ticks(&mut self, count: usize) -> usize {
        let first = self.edges.len();
        self.edges.resize(first + count, Vec::new());
        first
    }

    /// Who wrote a token.
    pub fn writer(&self, token: Token) -> Option<usize> {
        self.writers.get(&token).copied()
    }

    /// Edges that are looked at, by what they lead from and to.
    fn degrees(&self, counts: impl Fn(Why) -> bool) -> Vec<u32> {
        let mut degrees = vec![0; self.edges.len()];
        for (to, _) in self.edges.iter().flatten().filter(|(_, why)| counts(*why)) {
            degrees[*to as usize] += 1;
        }
        degrees
    }

    /// The nodes in an order that fits the edges that count; those on circles are left out.
    fn sorted(&self, counts: impl Fn(Why) -> bool) -> Vec<usize> {
        let mut degrees = self.degrees(&counts);
        let mut sorted: Vec<usize> =
            (0..degrees.len()).filter(|node| degrees[*node] == 0).collect();
        let mut next = 0;
        while let Some(&node) = sorted.get(next) {
            next += 1;
            for (to, _) in self.edges[node].iter().filter(|(_, why)| counts(*why)) {
                degrees[*to as usize] -= 1;
                if degrees[*to as usize] == 0 {
                    sorted.push(*to as usize);
                }
            }
        }
        sorted
    }

    /// A shortest circle through some event, as events each with why the next comes after it; none
    /// if there is no circle at all.
    pub fn circle(&self) -> Option<Vec<(usize, Why)>> {
        let sorted = self.sorted(|_| true);
        if sorted.len() == self.edges.len() {
            return None;
        }
        let mut is_left = vec![true; self.edges.len()];
        sorted.into_iter().for_each(|node| is_left[node] = false);
        let starts = (0..self.event_count).filter(|node| is_left[*node]).take(STARTS_MAX);
        let circles = starts.filter_map(|start| self.circle_through(start, &is_left));
        circles.min_by_key(Vec::len)
    }

    /// A shortest circle through `start`, by breadth first. Ticks are left out of it.
    fn circle_through(&self, start: usize, is_left: &[bool]) -> Option<Vec<(usize, Why)>> {
        let mut from = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for &(to, why) in &self.edges[node] {
                let to = to as usize;
                if to == start {
                    let mut circle = vec![(node, why)];
                    let mut at = node;
                    while at != start {
                        let (before, why) = from[at].expect("it was reached from somewhere");
                        circle.push((before, why));
                        at = before;
                    }
                    circle.reverse();
                    circle.retain(|(node, _)| *node < self.event_count);
                    return Some(circle);
                }
                if is_left[to] && from[to].is_none() {
                    from[to] = Some((node, why));
                    queue.push_back(to);
                }
            }
        }
        None
    }

    /// The first event, in an order of events, that is missing from `kept` though one that is in it
    /// depends on it; and that one. Only events that `matters` says so can be missing.
    ///
    /// A dependence is any edge but one kind, over any number of others: that something was not
    /// seen is no reason to be there.
    pub fn gap(&self, kept: &[bool], matters: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
        let counts = |why| why != Why::Unseen;
        // For each node one that is kept and depends on it.
        let mut dependent: Vec<Option<usize>> = vec![None; self.edges.len()];
        let mut gap = None;
        for node in self.sorted(counts).into_iter().rev() {
            if kept.get(node).copied().unwrap_or(false) {
                dependent[node] = Some(node);
                continue;
            }
            let edges = self.edges[node].iter().filter(|(_, why)| counts(*why));
            dependent[node] = edges.filter_map(|(to, _)| dependent[*to as usize]).next();
            if let Some(other) = dependent[node]
                && node < self.event_count
                && matters(node)
            {
                gap = Some((node, other));
            }
        }
        gap
    }
}

/// Events a circle is looked for through, to find a short one.
const STARTS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_and_its_ticks_are_left_out() {
        let mut order = Order::new(3);
        order.add(0, 1, Why::Seen);
        assert!(order.circle().is_none());
        let tick = order.add_ticks(1);
        order.add(1, tick, Why::Time);
        order.add(tick, 0, Why::Time);
        assert_eq!(order.circle(), Some(vec![(0, Why::Seen), (1, Why::Time)]));
    }

    #[test]
    fn what_others_depend_on_must_be_kept() {
        let mut order = Order::new(4);
        order.add(0, 1, Why::Seen);
        order.add(1, 2, Why::Time);
        order.add(3, 2, Why::Unseen);
        assert_eq!(order.gap(&[true, true, true, false], |_| true), None);
        assert_eq!(order.gap(&[false, false, true, false], |event| event == 0), Some((0, 2)));
        assert_eq!(order.gap(&[true, false, true, false], |event| event == 0), None);
    }
}
