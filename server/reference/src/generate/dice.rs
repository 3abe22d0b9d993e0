//! Chance that repeats: the same seed and key give the same draws on every machine and with every version of `rand`.
//!
//! The generator is one of rand's portable ones and the draws are made here, because rand may change its own between
//! minor versions. Does not know what is drawn.

use rand::{Rng as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};

/// A stream of draws.
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The stream of one purpose (`plan`, `queries`) for one commune: a draw more in one changes no other.
    pub fn new(seed: u64, purpose: &str, insee: &str) -> Self {
        let bytes = purpose.bytes().chain([0]).chain(insee.bytes());
        // FNV-1a.
        let key = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(Xoshiro256PlusPlus::seed_from_u64(key ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// 0 to `n` - 1; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * n as u128;
        (wide >> 64) as usize
    }

    /// `low` to `high`, both included; `low` when they are the wrong way round.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        let span = i64::from(high) - i64::from(low) + 1;
        low + self.below(usize::try_from(span).unwrap_or(0)) as i32
    }

    /// 0 or more, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with that probability.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A whole number, 1 or more, with that mean, small ones most often (a geometric distribution).
    pub fn around(&mut self, mean: f64) -> u32 {
        if mean <= 1.0 {
            return 1;
        }
        let tail = (1.0 - self.unit()).ln() / (1.0 - 1.0 / mean).ln();
        1 + tail.floor() as u32
    }

    /// A place in `weights`, the heavier the likelier; the last one when all are zero.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        for (place, weight) in weights.iter().enumerate() {
            if rest < *weight {
                return place;
            }
            rest -= weight;
        }
        weights.len().saturating_sub(1)
    }

    /// One of a table that is not empty.
    pub fn pick<'a, T>(&mut self, table: &'a [T]) -> &'a T {
        &table[self.below(table.len())]
    }
}
