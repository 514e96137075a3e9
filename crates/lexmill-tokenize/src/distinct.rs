//! How many different words there are, roughly, in a few kilobytes.

use lexmill_vocab::mix;

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;

/// Registers of HyperLogLog (Flajolet et al., 2007; without the corrections for large numbers, which
/// 64-bit hashes do not need). The standard error is 1.04 / √2¹⁴ = 0.8 %.
#[derive(Debug, Clone)]
pub(crate) struct Distinct(Vec<u8>);

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct(vec![0; REGISTERS])
    }
}

impl Distinct {
    pub(crate) fn add(&mut self, word: &[u8]) {
        // FNV-1a, then mixed: the same everywhere, unlike the hashes of hash tables.
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        let hash = mix(word.iter().copied().fold(0xCBF2_9CE4_8422_2325, fnv));
        let register = (hash >> (64 - INDEX_BITS)) as usize;
        let rest = hash << INDEX_BITS;
        let rank = (rest.leading_zeros().min(64 - INDEX_BITS) + 1) as u8;
        self.0[register] = self.0[register].max(rank);
    }

    /// Takes over what another has seen.
    pub(crate) fn merge(&mut self, other: &Distinct) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How many different words were added.
    pub(crate) fn estimate(&self) -> u64 {
        let registers = REGISTERS as f64;
        let empty = self.0.iter().filter(|&&rank| rank == 0).count();
        // By rank, so that the sum has one order and few terms.
        let mut ranks = [0u32; 65];
        self.0.iter().for_each(|&rank| ranks[usize::from(rank)] += 1);
        let sum: f64 = (0..).zip(ranks).map(|(rank, n)| f64::from(n) * 0.5f64.powi(rank)).sum();
        let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        if raw <= 2.5 * registers && empty > 0 {
            // So few that counting empty registers says more.
            return (registers * libm::log(registers / empty as f64)).round() as u64;
        }
        raw.round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are() {
        let mut all = Distinct::default();
        assert_eq!(all.estimate(), 0);
        let mut next = 0;
        for (number, error) in
            [(1, 0.0), (100, 0.02), (5_000, 0.03), (60_000, 0.03), (1_000_000, 0.03)]
        {
            let mut part = Distinct::default();
            for i in next..number {
                part.add(format!("word {i}").as_bytes());
                part.add(format!("word {}", i / 2).as_bytes());
            }
            next = number;
            all.merge(&part);
            let found = all.estimate() as f64;
            let wanted = f64::from(number);
            assert!((found - wanted).abs() <= error * wanted, "{found} of {wanted}");
        }
    }
}
