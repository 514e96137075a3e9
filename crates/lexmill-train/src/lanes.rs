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

/// Room for [`sums`] of eight.
pub(crate) type Halves = [Lanes; LANES / 2];

/// The [`sum`](Lanes::sum) of each, in loops that the compiler turns into wide ones. Each loop adds
/// halves of what the one before left; of a single one the compiler would make a muddle of shuffles.
#[inline(always)]
pub(crate) fn sums(all: &[[Lanes; LANES]], room: &mut [Halves], to: &mut [[f32; LANES]]) {
    for (halves, all) in room.iter_mut().zip(all) {
        for (i, half) in halves.iter_mut().enumerate() {
            let (a, b) = (all[i].0, all[i + 4].0);
            let first = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
            let second = [a[4], a[5], a[6], a[7], b[4], b[5], b[6], b[7]];
            *half = Lanes(first).plus(Lanes(second));
        }
    }
    let quarters = |Lanes(a): Lanes, Lanes(b): Lanes| {
        let first = [a[0], a[1], b[0], b[1], a[4], a[5], b[4], b[5]];
        let second = [a[2], a[3], b[2], b[3], a[6], a[7], b[6], b[7]];
        Lanes(first).plus(Lanes(second))
    };
    for (halves, _) in room.iter_mut().zip(all) {
        let [a, b, c, d] = *halves;
        (halves[0], halves[2]) = (quarters(a, b), quarters(c, d));
    }
    for (to, [Lanes(a), _, Lanes(b), _]) in to.iter_mut().zip(room) {
        let first = [a[0], a[2], b[0], b[2], a[4], a[6], b[4], b[6]];
        let second = [a[1], a[3], b[1], b[3], a[5], a[7], b[5], b[7]];
        *to = Lanes(first).plus(Lanes(second)).0;
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
fn log_of_one_plus(e: f32) -> f32 {
    // 2 artanh(e / (2 + e))
    let z = e / (e + 2.0);
    let square = z * z;
    let mut y = 2.0 / 11.0;
    for factor in [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        y = y * square + factor;
    }
    y * z
}

/// ln x for 1 ≤ x < ∞, within two millionths.
#[inline(always)]
pub(crate) fn log(x: f32) -> f32 {
    let bits = x.to_bits();
    let whole = (bits >> 23) as i32 - 127;
    let rest = f32::from_bits(bits & 0x7F_FFFF | 0x3F80_0000);
    whole as f32 * std::f32::consts::LN_2 + log_of_one_plus(rest - 1.0)
}

/// Asks the processor for a row, so that it is in the cache by the time of its turn.
#[inline(always)]
pub(crate) fn prefetch(row: &[Lanes]) {
    // Two lanes are a line of the cache.
    row.iter().step_by(2).for_each(prefetch_line);
}

/// Asks the processor for the line of the cache that an item begins in.
#[inline(always)]
pub(crate) fn prefetch_line<T>(item: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "subwords take 0.73 of the time, skip-gram 0.92")]
        // SAFETY: a prefetch changes nothing that a program sees, and the address is a reference's.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast());
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = item;
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
        let mut x = 1.0f32;
        while x < 1e38 {
            let exact = f64::from(x).ln();
            assert!((f64::from(log(x)) - exact).abs() < 2e-6 * exact.max(1.0), "{x}");
            x *= 1.003;
        }
    }

    #[test]
    fn sums_are_those_of_each() {
        let number = |i: usize| (i * 37 % 101) as f32 / 7.0 - 5.0;
        let row = |i: usize| Lanes(std::array::from_fn(|k| number(i * LANES + k)));
        let all: Vec<[Lanes; LANES]> =
            (0..3).map(|chunk| std::array::from_fn(|i| row(chunk * LANES + i))).collect();
        let mut room = vec![[Lanes::ZERO; LANES / 2]; 3];
        let mut found = vec![[0.0; LANES]; 3];
        sums(&all, &mut room, &mut found);
        for (found, lanes) in found.as_flattened().iter().zip(all.as_flattened()) {
            assert_eq!(found.to_bits(), lanes.sum().to_bits());
        }
    }
}
