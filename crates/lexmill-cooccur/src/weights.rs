//! Distances to whole units.

use crate::settings::Weighting;

/// What a context weighs at each distance, in whole units.
///
/// One count is `units_per_count` units: lcm(1..w) for harmonic weights, so that each 1/d is a whole
/// number of units (2520 for w = 10, 360360 for w = 15). From w = 23 on that would leave too little
/// of 64 bits for the counts; then 1/d is rounded to the nearest of 232 792 560 units, an error below
/// one in a hundred thousand for any window, and still the same for every order of adding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    units_per_count: u64,
    by_distance: Vec<u64>,
}

/// lcm(1..=22), the largest that leaves room for 79 billion occurrences of a pair.
const MOST_UNITS: u64 = 232_792_560;

impl Weights {
    /// Weights for distances 1 to `window`.
    pub fn new(weighting: Weighting, window: u32) -> Weights {
        let w = u64::from(window);
        let units_per_count = match weighting {
            Weighting::Flat => 1,
            Weighting::Linear => w,
            Weighting::Harmonic => (1..=w)
                .try_fold(1u64, |lcm, d| {
                    let next = lcm / gcd(lcm, d) * d;
                    (next <= MOST_UNITS).then_some(next)
                })
                .unwrap_or(MOST_UNITS),
        };
        let weigh = |d: u64| match weighting {
            Weighting::Flat => 1,
            Weighting::Linear => w - d + 1,
            Weighting::Harmonic => (units_per_count + d / 2) / d,
        };
        Weights { units_per_count, by_distance: (1..=w).map(weigh).collect() }
    }

    /// Units that make one count.
    pub fn units_per_count(&self) -> u64 {
        self.units_per_count
    }

    /// Units at distance 1, 2, ...
    pub fn by_distance(&self) -> &[u64] {
        &self.by_distance
    }

    /// The window.
    pub fn window(&self) -> usize {
        self.by_distance.len()
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmonic_weights_are_exact_up_to_22() {
        for (window, units) in
            [(1, 1), (2, 2), (5, 60), (10, 2520), (15, 360_360), (22, MOST_UNITS)]
        {
            let weights = Weights::new(Weighting::Harmonic, window);
            assert_eq!(weights.units_per_count(), units);
            for (i, &weight) in weights.by_distance().iter().enumerate() {
                assert_eq!(weight * (i as u64 + 1), units);
            }
        }
        let weights = Weights::new(Weighting::Harmonic, 1000);
        for (i, &weight) in weights.by_distance().iter().enumerate() {
            let exact = MOST_UNITS as f64 / (i + 1) as f64;
            assert!((weight as f64 / exact - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn linear_weights_fall_to_one_unit() {
        assert_eq!(Weights::new(Weighting::Linear, 4).by_distance(), [4, 3, 2, 1]);
        assert_eq!(Weights::new(Weighting::Flat, 3).by_distance(), [1, 1, 1]);
    }
}
