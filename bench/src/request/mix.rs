//! Several templates with weights, drawn per request.

use crate::args::usage;
use crate::error::Outcome;
use crate::keys::source::KeySource;
use crate::request::template::{Frame, Template};
use crate::request::workloads;

/// Templates and their shares.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    templates: Vec<Template>,
    /// Template `i` is chosen by draws below `bounds[i]` and not below its predecessor's.
    bounds: Vec<f64>,
}

impl Mix {
    /// Prepares templates with positive weights.
    pub(crate) fn compile(weighted: &[(&str, f64)], frame: &Frame) -> Outcome<Self> {
        assert!(!weighted.is_empty(), "a mix of nothing");
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        let usable = weighted.iter().all(|(_, weight)| *weight > 0.0) && total.is_finite();
        if !usable {
            return Err(usage("the weights of a mix must be positive numbers"));
        }
        let mut templates = Vec::new();
        let mut bounds = Vec::new();
        let mut sum = 0.0;
        for (text, weight) in weighted {
            templates.push(Template::compile(text, frame)?);
            sum += weight / total;
            bounds.push(sum);
        }
        Ok(Self { templates, bounds })
    }

    /// Prepares templates with equal weights.
    pub(crate) fn even(texts: &[&str], frame: &Frame) -> Outcome<Self> {
        let weighted: Vec<(&str, f64)> = texts.iter().map(|text| (*text, 1.0)).collect();
        Self::compile(&weighted, frame)
    }

    /// Appends one request of a random template; returns how many replies it draws.
    /// O(templates + bytes).
    #[inline]
    pub(crate) fn append(
        &self,
        keys: &KeySource,
        random: &mut fastrand::Rng,
        out: &mut Vec<u8>,
    ) -> u64 {
        let index = if self.templates.len() == 1 { 0 } else { self.choose(random.f64()) };
        self.templates[index].append(keys, random, out);
        self.templates[index].command_count()
    }

    fn choose(&self, draw: f64) -> usize {
        let last = self.templates.len() - 1;
        self.bounds[..last].iter().position(|bound| draw < *bound).unwrap_or(last)
    }

    /// The templates' texts, for the report.
    pub(crate) fn names(&self) -> Vec<String> {
        self.templates.iter().map(|template| template.name().to_owned()).collect()
    }
}

/// Reads `get:0.9,set:0.1`: workload names or whole templates, each with a weight. A name that
/// stands for several commands shares its weight among them.
pub(crate) fn parse_weights(text: &str) -> Outcome<Vec<(String, f64)>> {
    let mut weighted = Vec::new();
    for entry in text.split(',') {
        let (what, weight) = entry.rsplit_once(':').unwrap_or((entry, "1"));
        let weight: f64 = weight
            .parse()
            .map_err(|_| usage(format!("'{entry}' is not NAME:WEIGHT or TEMPLATE:WEIGHT")))?;
        match workloads::named(what.trim()) {
            Some(workload) => {
                let share = weight / workload.commands.len() as f64;
                let commands = workload.commands.iter();
                weighted.extend(commands.map(|command| ((*command).to_owned(), share)));
            }
            None if what.trim().contains(' ') => weighted.push((what.to_owned(), weight)),
            None => return Err(workloads::unknown(what)),
        }
    }
    Ok(weighted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::distribution::Distribution;
    use crate::keys::shape::KeyShape;
    use crate::keys::source::Population;
    use crate::request::template::ValueSize;

    fn frame() -> Frame {
        let shape = KeyShape::new("key:", 16, false, 10).expect("it fits");
        Frame { shape, value: ValueSize::fixed(3), key_count: 10 }
    }

    #[test]
    fn shares_follow_the_weights() {
        let mix = Mix::compile(&[("GET __key__", 3.0), ("PING", 1.0)], &frame());
        let mix = mix.expect("a mix");
        let keys = KeySource::new(Population::Plain { count: 10 }, Distribution::Uniform);
        let seed = 5;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut gets = 0;
        for _ in 0..10_000 {
            let mut sent = Vec::new();
            mix.append(&keys, &mut random, &mut sent);
            gets += u32::from(sent.starts_with(b"*2"));
        }
        assert!((7200..7800).contains(&gets), "seed {seed}: {gets}");
    }

    #[test]
    fn names_templates_and_weights_are_read() {
        let mix = parse_weights("get:0.9,LPUSH list:__key__ __value__:0.1").expect("a mix");
        assert_eq!(mix[0], ("GET __key__".to_owned(), 0.9));
        assert_eq!(mix[1], ("LPUSH list:__key__ __value__".to_owned(), 0.1));
        for bad in ["nosuch:1", "get:x", "get:0.5,"] {
            assert!(parse_weights(bad).is_err(), "{bad}");
        }
        assert!(Mix::compile(&[("PING", 0.0)], &frame()).is_err());
    }
}
