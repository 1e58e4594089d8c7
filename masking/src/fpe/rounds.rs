//! The rounds of FF1: two halves as numbers and the cipher's backend in, two other halves out.

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockSizeUser};

/// One direction of ten rounds over a pair of halves.
pub(super) struct Rounds {
    /// Sizes of the halves as numbers: radix^u, radix^v.
    pub(super) modulus: [u64; 2],
    /// Bytes of a half in the round's input.
    pub(super) bytes: usize,
    /// Bytes of the round's output that count.
    pub(super) output: usize,
    pub(super) first: [u8; 16],
    pub(super) tweak: Option<u8>,
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
        let mut first = u128::from_be_bytes(rounds.first);
        if let Some(tweak) = rounds.tweak {
            first ^= u128::from(tweak) << 120;
        }
        for round in 0..10u8 {
            let input = first ^ u128::from(b) ^ (u128::from(round) << (8 * rounds.bytes));
            let mut block = input.to_be_bytes().into();
            backend.encrypt_block_inplace(&mut block);
            let wide = u128::from_be_bytes(block.into()) >> (8 * (16 - rounds.output));
            let c = add(a, wide, rounds.modulus[usize::from(round % 2)]);
            (a, b) = (b, c);
        }
        *self.halves = (a, b);
    }
}

/// `(a + y) mod modulus`, by the cheapest division that does.
fn add(a: u64, y: u128, modulus: u64) -> u64 {
    if modulus.is_power_of_two() {
        return (a.wrapping_add(y as u64)) & (modulus - 1);
    }
    let y = match u64::try_from(y) {
        Ok(y) => y % modulus,
        Err(_) => (y % u128::from(modulus)) as u64,
    };
    // Both are below 10^19, whose double exceeds 64 bits.
    let sum = u128::from(a) + u128::from(y);
    if sum >= u128::from(modulus) { (sum - u128::from(modulus)) as u64 } else { sum as u64 }
}
