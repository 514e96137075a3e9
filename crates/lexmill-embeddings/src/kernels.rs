//! Dot products and lengths of vectors.
//!
//! The loops keep independent accumulators and add them up in a fixed tree, so that the compiler
//! vectorizes them and the result is the same on every machine.

use rayon::prelude::*;

const LANES: usize = 16;

/// The dot product of two vectors, in f32.
///
/// # Panics
/// If their lengths differ.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of one length");
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    let mut rest = 0.0;
    for (x, y) in a_rest.iter().zip(b_rest) {
        rest += x * y;
    }
    sums[0] + rest
}

/// The Euclidean length of a vector; in f64, so that no finite vector overflows.
#[inline]
pub fn norm(vector: &[f32]) -> f64 {
    const WIDE: usize = 8;
    let (chunks, rest) = vector.as_chunks::<WIDE>();
    let mut sums = [0.0f64; WIDE];
    for chunk in chunks {
        for lane in 0..WIDE {
            let x = f64::from(chunk[lane]);
            sums[lane] += x * x;
        }
    }
    let tail: f64 = rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    (sums.iter().sum::<f64>() + tail).sqrt()
}

/// Scales vectors of `dim` floats each, end to end, to length 1. Vectors of zeros stay as they are.
///
/// # Panics
/// If `dim` is 0.
pub fn normalize(vectors: &mut [f32], dim: usize) {
    vectors.par_chunks_mut(dim).for_each(|vector| {
        let length = norm(vector);
        if length > 0.0 {
            for x in vector {
                *x = (f64::from(*x) / length) as f32;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_formula(
            pairs in proptest::collection::vec((-9.0f32..9.0, -9.0f32..9.0), 0..80)
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let naive: f64 = a.iter().zip(&b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            prop_assert!((f64::from(dot(&a, &b)) - naive).abs() < 1e-2);
            let square: f64 = a.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            prop_assert!((norm(&a) - square.sqrt()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_long_vector_does_not_overflow() {
        assert!(norm(&[3e38, -3e38]).is_finite());
    }
}
