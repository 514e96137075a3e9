//! Percentile bootstrap intervals (Efron 1979).
//!
//! A test set is a sample of the questions one could ask. Drawing as many questions from it with
//! replacement, again and again, shows how far a score moves with the sample: the interval holds the
//! middle 95 % of the scores so drawn. It says nothing about other seeds of the training.

use lexmill_vocab::Random;

/// The normal distribution has 95 % within so many standard deviations.
const Z: f64 = 1.96;
/// How much of the scores an interval leaves out on each side.
const TAIL: f64 = 0.025;

/// The middle 95 % of what `statistic` gives in `resamples` draws; draws that give nothing don't
/// count. NaN twice if none counts.
pub(crate) fn interval(resamples: usize, mut statistic: impl FnMut() -> Option<f64>) -> (f64, f64) {
    let mut values: Vec<f64> = (0..resamples).filter_map(|_| statistic()).collect();
    middle(&mut values)
}

/// Where the middle 95 % of values begins and ends; NaN twice if there are none.
pub(crate) fn middle(values: &mut [f64]) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    (percentile(values, TAIL), percentile(values, 1.0 - TAIL))
}

/// The interval of a statistic of `items`: `statistic` says what it is when item `i` is there `times[i]`
/// times. `name` names the random numbers.
pub(crate) fn resampled(
    items: usize,
    resamples: usize,
    name: &[u64],
    mut statistic: impl FnMut(&[u32]) -> Option<f64>,
) -> (f64, f64) {
    let Some(bound) = u32::try_from(items).ok().filter(|&bound| bound > 0) else {
        return (f64::NAN, f64::NAN);
    };
    let mut random = Random::named(name);
    let mut times = vec![0u32; items];
    interval(resamples, || {
        times.fill(0);
        for _ in 0..bound {
            times[random.below(bound) as usize] += 1;
        }
        statistic(&times)
    })
}

/// The interval of a proportion, `hits` of `of`. Where all or none are hits, draws would never say
/// anything else: then it is Wilson's interval (1927).
pub(crate) fn proportion(resamples: usize, seed: u64, hits: u64, of: u64) -> (f64, f64) {
    let Ok(bound) = u32::try_from(of) else { return (f64::NAN, f64::NAN) };
    if bound > 0 && resamples > 0 && (hits == 0 || hits == of) {
        let open = Z * Z / (f64::from(bound) + Z * Z);
        return if hits == 0 { (0.0, open) } else { (1.0 - open, 1.0) };
    }
    // Only how many of each there are matters, so equal proportions share their draws.
    let mut random = Random::named(&[seed, PROPORTION, hits, of]);
    interval(resamples, || {
        let drawn = (0..bound).filter(|_| u64::from(random.below(bound)) < hits).count();
        (bound > 0).then(|| drawn as f64 / f64::from(bound))
    })
}

/// Names of random streams.
const PROPORTION: u64 = 1;
pub(crate) const CORRELATION: u64 = 2;
pub(crate) const POSITIONS: u64 = 5;
pub(crate) const TEXTS: u64 = 6;

/// The value below which a share `p` of the sorted values lies, interpolated.
fn percentile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = p * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate() {
        let values: Vec<f64> = (0..=40).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.025), 1.0);
        assert_eq!(percentile(&values, 0.975), 39.0);
        assert_eq!(percentile(&[1.0, 2.0], 0.25), 1.25);
        assert_eq!(percentile(&[5.0], 0.9), 5.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_proportion_gets_the_interval_of_the_normal_approximation() {
        let (low, high) = proportion(4000, 1, 300, 1000);
        let half = 1.96 * (0.3f64 * 0.7 / 1000.0).sqrt();
        assert!((low - (0.3 - half)).abs() < 0.003 && (high - (0.3 + half)).abs() < 0.003);
        assert_eq!(proportion(4000, 1, 300, 1000), (low, high));
        assert_ne!(proportion(4000, 2, 300, 1000), (low, high));
        // Wilson: for 7 of 7 from 0.646, for 0 of 7 to 0.354.
        let (low, high) = proportion(100, 1, 7, 7);
        assert!((low - 0.646).abs() < 0.001 && high == 1.0);
        let (low, high) = proportion(100, 1, 0, 7);
        assert!(low == 0.0 && (high - 0.354).abs() < 0.001);
        assert!(proportion(100, 1, 0, 0).0.is_nan());
        assert!(proportion(0, 1, 3, 7).1.is_nan());
    }
}
