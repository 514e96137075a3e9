//! Values in fewer bits.

use half::f16;

use crate::rows::Rows;
use crate::{Error, Result};

/// The largest number of 8 bits that is used, on either side of 0.
const MOST: f32 = 127.0;

/// The values of some rows as 16-bit floats, rounded to nearest.
///
/// # Errors
/// If one is beyond what 16 bits hold.
pub(crate) fn halves(rows: &Rows, dim: usize) -> Result<Vec<f16>> {
    let halves: Vec<f16> = rows.vectors.iter().map(|&value| f16::from_f32(value)).collect();
    match halves.iter().position(|half| !half.is_finite()) {
        None => Ok(halves),
        Some(place) => {
            let word = rows.word(place / dim.max(1)).to_owned();
            Err(Error::BeyondF16 { word, value: rows.vectors[place] })
        }
    }
}

/// Vectors as 8-bit whole numbers, and a scale for each: `value ≈ number × scale`, where
/// `scale = max |value| / 127`, so that the error is at most `scale / 2`.
pub(crate) fn quantized(vectors: &[f32], dim: usize) -> (Vec<i8>, Vec<f32>) {
    let mut numbers = Vec::with_capacity(vectors.len());
    let mut scales = Vec::with_capacity(vectors.len() / dim.max(1));
    for vector in vectors.chunks_exact(dim.max(1)) {
        let most = vector.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let mut scale = most / MOST;
        // Of the largest numbers there are, the product may be rounded beyond them.
        if !(MOST * scale).is_finite() {
            scale = scale.next_down();
        }
        let number = |value: f32| (value / scale).round().clamp(-MOST, MOST) as i8;
        // Below the smallest numbers there are, a quotient says nothing.
        let scale = if scale >= f32::MIN_POSITIVE { scale } else { 0.0 };
        match scale {
            0.0 => numbers.extend(std::iter::repeat_n(0, dim)),
            _ => numbers.extend(vector.iter().map(|&value| number(value))),
        }
        scales.push(scale);
    }
    (numbers, scales)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn errors_are_as_stated(vector in proptest::collection::vec(-60000.0f32..60000.0, 1..40), tiny: bool) {
            let vector: Vec<f32> =
                vector.iter().map(|value| if tiny { value * 1e-9 } else { *value }).collect();
            let dim = vector.len();
            let (numbers, scales) = quantized(&vector, dim);
            for (number, value) in numbers.iter().zip(&vector) {
                let error = (f32::from(*number) * scales[0] - value).abs();
                prop_assert!(error <= scales[0] * 0.5001 + f32::MIN_POSITIVE, "{value} {error}");
            }
            let mut rows = Rows::of_vectors(vector.clone());
            rows.push_word("a");
            for (half, value) in halves(&rows, dim).unwrap().iter().zip(&vector) {
                let error = (half.to_f32() - value).abs();
                prop_assert!(error <= value.abs() / 2048.0 || error <= 3e-8, "{value} {error}");
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_and_what_is_too_large_is_named() {
        assert_eq!(
            quantized(&[0.0, 0.0, 1.0, -1.0], 2),
            (vec![0, 0, 127, -127], vec![0.0, 1.0 / 127.0])
        );
        let mut rows = Rows::of_vectors(vec![0.0, 1.0, 2.0, 70000.0]);
        rows.push_word("a");
        rows.push_word("b");
        let (numbers, scales) = quantized(&[f32::MAX, f32::MIN], 2);
        assert!(numbers.iter().all(|&number| (f32::from(number) * scales[0]).is_finite()));
        let error = halves(&rows, 2).unwrap_err().to_string();
        assert!(error.contains("\"b\"") && error.contains("70000"), "{error}");
    }
}
