//! A few floats at a time.
//!
//! Every operation is a loop of its own over all lanes, which the compiler turns into one instruction
//! where the processor has one. Nothing is fused and nothing is approximated by the processor, so the
//! bits are the same everywhere, whatever the loops are compiled to.

/// Floats handled together. Dimensions are padded to a multiple of this with zeros, which stay zeros.
pub(crate) const LANES: usize = 8;

/// Floats side by side, never split by a line of the cache.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(32))]
pub(crate) struct Lanes(pub(crate) [f32; LANES]);

impl Lanes {
    pub(crate) const ZERO: Lanes = Lanes([0.0; LANES]);

    #[inline(always)]
    pub(crate) fn all(x: f32) -> Lanes {
        Lanes([x; LANES])
    }

    #[inline(always)]
    pub(crate) fn map(self, f: impl Fn(f32) -> f32) -> Lanes {
        Lanes(std::array::from_fn(|i| f(self.0[i])))
    }

    #[inline(always)]
    pub(crate) fn with(self, other: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
        Lanes(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    #[inline(always)]
    pub(crate) fn plus(self, other: Lanes) -> Lanes {
        self.with(other, |a, b| a + b)
    }

    #[inline(always)]
    pub(crate) fn minus(self, other: Lanes) -> Lanes {
        self.with(other, |a, b| a - b)
    }

    #[inline(always)]
    pub(crate) fn times(self, other: Lanes) -> Lanes {
        self.with(other, |a, b| a * b)
    }

    /// The sum of all lanes, in a fixed order.
    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        let four: [f32; 4] = std::array::from_fn(|i| self.0[i] + self.0[i + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }

    /// 1/√x for x ≥ 1, within 5 parts in a million: a seed by integer arithmetic and two steps of
    /// Newton's.
    #[inline(always)]
    pub(crate) fn reciprocal_roots(self) -> Lanes {
        let half = self.map(|x| 0.5 * x);
        let mut y = self.map(|x| f32::from_bits(0x5F37_5A86 - (x.to_bits() >> 1)));
        for _ in 0..2 {
            let correction = half.times(y).times(y).map(|x| 1.5 - x);
            y = y.times(correction);
        }
        y
    }
}

/// The [`sum`](Lanes::sum) of each, in two loops that the compiler turns into wide ones. `halves` is
/// room for as many.
#[inline(always)]
pub(crate) fn sums(all: &[Lanes], halves: &mut [[f32; 4]], to: &mut [f32]) {
    for (half, lanes) in halves.iter_mut().zip(all) {
        *half = std::array::from_fn(|i| lanes.0[i] + lanes.0[i + 4]);
    }
    for (to, half) in to.iter_mut().zip(halves) {
        *to = (half[0] + half[2]) + (half[1] + half[3]);
    }
}

/// eˣ for −87 ≤ x ≤ 0, within 2 parts in ten million. Less gives what −87 gives. Made for loops over
/// many.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f32) -> f32 {
    // 1.5 · 2²³: adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    // ln 2 in two parts, the first exact in few bits.
    let rest = x - whole * 0.693_359_4 - whole * -2.121_944_4e-4;
    let mut y = 1.0 / 720.0;
    for factor in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        y = y * rest + factor;
    }
    y * f32::from_bits((rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23)
}

/// ln(1 + e) for 0 ≤ e ≤ 1, within a millionth. Made for loops over many.
#[inline(always)]
pub(crate) fn log_of_one_plus(e: f32) -> f32 {
    // 2 artanh(e / (2 + e))
    let z = e / (e + 2.0);
    let square = z * z;
    let mut y = 2.0 / 11.0;
    for factor in [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        y = y * square + factor;
    }
    y * z
}

/// Asks the processor for a row, so that it is in the cache by the time of its turn.
#[inline(always)]
pub(crate) fn prefetch(row: &[Lanes]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // Two lanes are a line of the cache.
    for lanes in row.iter().step_by(2) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "subwords take 0.73 of the time, skip-gram 0.92")]
        // SAFETY: a prefetch changes nothing that a program sees, and the address is a reference's.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(lanes).cast());
        }
    }
}

/// Compiles a function for AVX2 as well, and asks the processor which to take. The one under the last
/// name does the work, and has to be `#[inline(always)]`; the first calls it, compiled one way or the
/// other.
macro_rules! for_processors {
    ($(#[$about:meta])* $access:vis fn $name:ident, $wide:ident, $portable:ident(
        $($arg:ident: $of:ty),* $(,)?
    ) $(-> $back:ty)?) => {
        $(#[$about])*
        #[allow(clippy::too_many_arguments, reason = "they are what one hot loop needs")]
        $access fn $name($($arg: $of),*) $(-> $back)? {
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(
                    unsafe_code,
                    reason = "the same loops compiled for 8 lanes: a GloVe epoch takes 0.7 of the time"
                )]
                // SAFETY: the processor has AVX2, which is all that the function asks for.
                return unsafe { $wide($($arg),*) };
            }
            $portable($($arg),*)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        #[allow(clippy::too_many_arguments, reason = "as above")]
        fn $wide($($arg: $of),*) $(-> $back)? {
            $portable($($arg),*)
        }
    };
}

pub(crate) use for_processors;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reciprocal_root_is_close() {
        let mut x = 1.0f32;
        while x < 1e12 {
            let exact = 1.0 / f64::from(x).sqrt();
            let found = Lanes::all(x).reciprocal_roots().0[3];
            assert!((f64::from(found) / exact - 1.0).abs() < 5e-6, "{x}");
            x *= 1.01;
        }
    }

    #[test]
    fn the_exponential_is_close() {
        let mut x = -87.0f32;
        while x < 0.0 {
            let found = f64::from(exp_of_negative(x));
            assert!((found / f64::from(x).exp() - 1.0).abs() < 3e-7, "{x} {found}");
            x += 0.003;
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!(exp_of_negative(-1e30) < 1e-36);
        assert!(exp_of_negative(f32::NAN).is_nan());
    }

    #[test]
    fn the_logarithm_is_close() {
        for i in 0..=1000 {
            let x = i as f32 / 1000.0;
            let found = f64::from(log_of_one_plus(x));
            assert!((found - f64::from(x).ln_1p()).abs() < 1e-6, "{x} {found}");
        }
    }
}
