//! The rounds of FF1: two halves as numbers and the cipher's backend in, two other halves out.

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockSizeUser};

/// What the rounds over halves of two sizes need; made once per width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    /// Sizes of the halves as numbers: radix^u, radix^v.
    sizes: [Size; 2],
    /// Where the round's number stands in its input: after a half's bytes.
    shift: usize,
    /// 12 bytes of a block count in each round; else 8.
    wide: bool,
    /// The first block of the CBC-MAC, encrypted.
    first: u128,
}

impl Rounds {
    /// `bytes` hold a half; `first` is the first block of the CBC-MAC, encrypted.
    pub(super) fn new(moduli: [u64; 2], bytes: usize, first: [u8; 16]) -> Self {
        // SP 800-38G, algorithm 7, step 4: 4⌈b/4⌉ + 4 bytes.
        let wide = bytes > 4;
        let sizes = moduli.map(|modulus| Size::new(modulus, wide));
        Self { sizes, shift: 8 * bytes, wide, first: u128::from_be_bytes(first) }
    }

    /// The same rounds with a tweak of one byte.
    pub(super) fn tweaked(&self, tweak: u8) -> Self {
        Self { first: self.first ^ (u128::from(tweak) << 120), ..*self }
    }
}

/// The ten rounds, called once with the cipher's backend: asking for it anew costs more than a block.
pub(super) struct Ten<'a> {
    pub(super) rounds: &'a Rounds,
    pub(super) halves: &'a mut (u64, u64),
}

impl BlockSizeUser for Ten<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Ten<'_> {
    #[expect(
        clippy::inline_always,
        reason = "within the backend's function its instructions come inline too"
    )]
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let (rounds, (mut a, mut b)) = (self.rounds, *self.halves);
        for round in 0..10u8 {
            let fixed = rounds.first ^ (u128::from(round) << rounds.shift);
            let mut block = (fixed ^ u128::from(b)).to_be_bytes().into();
            backend.encrypt_block_inplace(&mut block);
            let y = u128::from_be_bytes(block.into());
            let c = rounds.sizes[usize::from(round % 2)].add(a, y, rounds.wide);
            (a, b) = (b, c);
        }
        *self.halves = (a, b);
    }
}

/// A modulus, and what makes reducing by it cheap: each round waits for the one before, so a division's latency counts
/// tenfold.
#[derive(Clone, Copy, Debug)]
struct Size {
    modulus: u64,
    by: By,
}

#[derive(Clone, Copy, Debug)]
enum By {
    /// The low bits are the remainder.
    Mask,
    /// Multiplying by ⌊2^64 / modulus⌋, or ⌊2^96 / modulus⌋ where 12 bytes count (Barrett's reduction).
    Reciprocal(u64),
    Division,
}

impl Size {
    fn new(modulus: u64, wide: bool) -> Self {
        let power = if wide { 96 } else { 64 };
        // Sums stay below four times the modulus, and must stay below 2^64.
        let roomy = modulus < 1 << 62;
        let by = match u64::try_from((1u128 << power) / u128::from(modulus)) {
            _ if modulus.is_power_of_two() => By::Mask,
            Ok(reciprocal) if roomy => By::Reciprocal(reciprocal),
            _ => By::Division,
        };
        Self { modulus, by }
    }

    /// `(a + y) mod modulus`, where `y` is the first 12 or 8 bytes of `block`.
    #[expect(clippy::inline_always, reason = "a call would keep the round keys out of the registers")]
    #[inline(always)]
    fn add(self, a: u64, block: u128, wide: bool) -> u64 {
        let high = (block >> 64) as u64;
        let low = if wide { (block >> 32) as u64 } else { high };
        match self.by {
            By::Mask => a.wrapping_add(low) & (self.modulus - 1),
            By::Reciprocal(reciprocal) => {
                let quotient = ((u128::from(high) * u128::from(reciprocal)) >> 64) as u64;
                // The quotient is never too large, and by less than 3 too small: by up to 1 for the reciprocal's
                // fraction, 1 for its own, and 1 for the 4 bytes that it did not see (the modulus exceeds 2^32).
                let sum = a.wrapping_add(low).wrapping_sub(quotient.wrapping_mul(self.modulus));
                below(below(sum, 2 * self.modulus), self.modulus)
            }
            By::Division => divided(a, block >> if wide { 32 } else { 64 }, self.modulus),
        }
    }
}

/// `sum`, or what exceeds `modulus`.
#[inline]
fn below(sum: u64, modulus: u64) -> u64 {
    // Without a branch: what it depends on is random.
    sum.min(sum.wrapping_sub(modulus))
}

/// `(a + y) mod modulus` for the few lengths whose moduli have no reciprocal of 64 bits.
#[cold]
fn divided(a: u64, y: u128, modulus: u64) -> u64 {
    ((u128::from(a) + y) % u128::from(modulus)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_size_reduces_as_a_division_does(
            digits in 1..20u32,
            bits in 1..64u32,
            a: u64,
            block: u128,
            wide: bool,
            edge in 0..4u8,
        ) {
            for modulus in [10u64.pow(digits), 1 << bits] {
                let a = a % modulus;
                let unseen = if wide { 32 } else { 64 };
                // Few random blocks lie where a quotient is off: beside a multiple, and at the end.
                let y = block >> unseen;
                let multiple = y - y % u128::from(modulus);
                let y = match edge {
                    0 => u128::MAX >> unseen,
                    1 => multiple,
                    2 => multiple.saturating_sub(1),
                    _ => y,
                };
                let block = (y << unseen) | (block & ((1 << unseen) - 1));
                let exact = (u128::from(a) + y) % u128::from(modulus);
                prop_assert_eq!(u128::from(Size::new(modulus, wide).add(a, block, wide)), exact);
            }
        }
    }
}
