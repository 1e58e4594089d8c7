//! Format-preserving permutations: FF1 of NIST SP 800-38G with AES-256, over decimal digits and over bits.
//!
//! A permutation is one to one, so unique values stay unique, and whoever holds the key can run it backwards.

#![allow(clippy::cast_possible_truncation, reason = "halves are reduced below 64 bits before each cast")]

mod rounds;

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use rounds::{Rounds, Ten};

/// Longest run of digits in one go: each half then fits 64 bits.
const MAX_DIGITS: usize = 38;
/// Bit widths in use: integer classes, and the free bits of a UUID.
const BITS: [usize; 4] = [14, 30, 62, 122];

/// FF1 under one key. What depends on the width alone, the first block of its CBC-MAC before all, is made once.
#[derive(Clone)]
pub(crate) struct Ff1 {
    cipher: Aes256,
    digits: [Rounds; MAX_DIGITS + 1],
    bits: [Rounds; BITS.len()],
    /// What shifts a lone digit.
    lone: u8,
}

impl Ff1 {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let cipher = Aes256::new(&(*key).into());
        let first = |radix: u8, length: usize, tweak: u8| -> [u8; 16] {
            let half = u8::try_from(length / 2).unwrap_or(0);
            let length = u8::try_from(length).unwrap_or(0);
            let mut block = [1, 2, 1, 0, 0, radix, 10, half, 0, 0, 0, length, 0, 0, 0, tweak].into();
            cipher.encrypt_block(&mut block);
            block.into()
        };
        let digits = std::array::from_fn(|n| {
            let (u, v) = (n / 2, n - n / 2);
            Rounds::new([POWERS[u], POWERS[v]], half_bytes_decimal(v), first(10, n, 0))
        });
        let bits = std::array::from_fn(|i| {
            let half = BITS[i] / 2;
            Rounds::new([1 << half, 1 << half], half.div_ceil(8), first(2, BITS[i], 1))
        });
        let mut block = first(10, 1, 0).into();
        cipher.encrypt_block(&mut block);
        let lone = block[0] % 10;
        Self { cipher, digits, bits, lone }
    }

    /// Permutes `digits` (values 0 to 9) among all strings of their length. A run longer than 38 is cut into equal parts.
    pub(crate) fn digits(&self, digits: &mut [u8]) {
        let parts = digits.len().div_ceil(MAX_DIGITS).max(1);
        let size = digits.len().div_ceil(parts).max(1);
        for part in digits.chunks_mut(size) {
            self.digit_run(part);
        }
    }

    fn digit_run(&self, digits: &mut [u8]) {
        let length = digits.len();
        if length < 2 {
            // FF1 needs two halves; a shift is all that ten values allow.
            if let [digit] = digits {
                *digit = (*digit + self.lone) % 10;
            }
            return;
        }
        let (left, right) = digits.split_at_mut(length / 2);
        let (a, b) = self.run(&self.digits[length], number_of(left), number_of(right));
        spread(a, left);
        spread(b, right);
    }

    /// Permutes `value` among the numbers of `width` bits (one of [`BITS`]); `tweak` tells permutations apart.
    pub(crate) fn bits(&self, value: u128, width: usize, tweak: u8) -> u128 {
        let Some(index) = BITS.iter().position(|w| *w == width) else { return value };
        let half = width / 2;
        let low = (value & ((1 << half) - 1)) as u64;
        let (a, b) = self.run(&self.bits[index].tweaked(tweak), (value >> half) as u64, low);
        (u128::from(a) << half) | u128::from(b)
    }

    fn run(&self, rounds: &Rounds, a: u64, b: u64) -> (u64, u64) {
        let mut halves = (a, b);
        self.cipher.encrypt_with_backend(Ten { rounds, halves: &mut halves });
        halves
    }
}

/// The number that digits stand for. Four at a time, as each step waits for the one before.
fn number_of(digits: &[u8]) -> u64 {
    let (rest, fours) = digits.as_rchunks::<4>();
    let rest = rest.iter().fold(0, |n, d| n * 10 + u64::from(*d));
    fours.iter().fold(rest, |n, four| n * 10_000 + four.iter().fold(0, |n, d| n * 10 + u64::from(*d)))
}

/// The opposite of [`number_of`].
fn spread(mut number: u64, digits: &mut [u8]) {
    let (rest, fours) = digits.as_rchunks_mut::<4>();
    for four in fours.iter_mut().rev() {
        let part = (number % 10_000) as u16;
        number /= 10_000;
        *four = [part / 1000, part / 100 % 10, part / 10 % 10, part % 10].map(|d| d as u8);
    }
    for digit in rest.iter_mut().rev() {
        *digit = (number % 10) as u8;
        number /= 10;
    }
}

/// Bytes that hold every number of `digits` decimal digits.
fn half_bytes_decimal(digits: usize) -> usize {
    let bits = 64 - (POWERS[digits] - 1).leading_zeros() as usize;
    bits.div_ceil(8)
}

const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Permutes an integer within its width class: the values that 15, 31 or 63 bits hold and fewer do not. Positive values
/// of a class's lower half (all that a sequence gives in practice) stay in it, so that sequences can start above.
/// Negative values mirror this. The class is the value's own, not the column's: an `int4` key and an `int8` reference
/// to it get the same value.
pub(crate) fn permute_int(ff1: &Ff1, value: i64) -> i64 {
    let (magnitude, sign) = if value < 0 { (!value, 2) } else { (value, 0) };
    let magnitude = magnitude.cast_unsigned();
    let width = 64 - magnitude.leading_zeros();
    let permuted = match width {
        // Zero stays zero: programs and CHECKs give it a meaning, and sequences start at one.
        0 if sign == 0 => 0,
        0..=14 => walk(ff1, magnitude, 14, sign, u64::from(sign == 0)),
        15 => high(ff1, magnitude, 14, sign),
        16..=30 => walk(ff1, magnitude, 30, sign, 1 << 15),
        31 => high(ff1, magnitude, 30, sign),
        32..=62 => walk(ff1, magnitude, 62, sign, 1 << 31),
        _ => high(ff1, magnitude, 62, sign),
    }
    .cast_signed();
    if value < 0 { !permuted } else { permuted }
}

fn low(ff1: &Ff1, value: u64, bits: usize, tweak: u8) -> u64 {
    ff1.bits(u128::from(value), bits, tweak) as u64
}

/// Values with the class's highest bit set: the bits below it are permuted.
fn high(ff1: &Ff1, value: u64, bits: usize, tweak: u8) -> u64 {
    let top = 1 << bits;
    low(ff1, value ^ top, bits, tweak + 1) | top
}

/// Walks the permutation's cycle until it leaves the smaller classes below `floor`; the start lies above, so it ends.
fn walk(ff1: &Ff1, value: u64, bits: usize, tweak: u8, floor: u64) -> u64 {
    let mut value = low(ff1, value, bits, tweak);
    while value < floor {
        value = low(ff1, value, bits, tweak);
    }
    value
}

/// Permutes the 122 free bits of a UUID; version and variant stay.
pub(crate) fn permute_uuid(ff1: &Ff1, uuid: [u8; 16]) -> [u8; 16] {
    const LOW: u128 = (1 << 62) - 1;
    const MIDDLE: u128 = (1 << 12) - 1;
    const FIXED: u128 = 0x0000_0000_0000_f000_c000_0000_0000_0000;
    let bits = u128::from_be_bytes(uuid);
    let free = ((bits >> 80) << 74) | (((bits >> 64) & MIDDLE) << 62) | (bits & LOW);
    let mixed = ff1.bits(free, 122, 0);
    let spread = ((mixed >> 74) << 80) | (((mixed >> 62) & MIDDLE) << 64) | (mixed & LOW);
    (spread | (bits & FIXED)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ff1() -> Ff1 {
        Ff1::new(&[9; 32])
    }

    #[test]
    fn nist_sample_7_of_ff1_comes_out() {
        // NIST's FF1samples.pdf, sample 7: AES-256, radix 10, empty tweak.
        let key = [
            0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C,
            0xEF, 0x43, 0x59, 0xD8, 0xD5, 0x80, 0xAA, 0x4F, 0x7F, 0x03, 0x6D, 0x6F, 0x04, 0xFC, 0x6A, 0x94,
        ];
        let mut digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        Ff1::new(&key).digits(&mut digits);
        assert_eq!(digits, [6, 6, 5, 7, 6, 6, 7, 0, 0, 9]);
    }

    #[test]
    fn every_smallint_maps_to_another_smallint_one_to_one_and_low_ones_stay_low() {
        let ff1 = ff1();
        let all: BTreeSet<i64> =
            (i64::from(i16::MIN)..=i64::from(i16::MAX)).map(|v| permute_int(&ff1, v)).collect();
        assert_eq!(all.len(), 1 << 16);
        assert_eq!((all.first(), all.last()), (Some(&-32768), Some(&32767)));
        assert!((0..1 << 14).all(|v| (0..1 << 14).contains(&permute_int(&ff1, v))));
    }

    #[test]
    fn short_digit_strings_are_permuted_one_to_one() {
        let ff1 = ff1();
        for length in 1..5u32 {
            let all: BTreeSet<Vec<u8>> = (0..10u32.pow(length))
                .map(|n| {
                    let mut digits: Vec<u8> = (0..length).map(|i| (n / 10u32.pow(i) % 10) as u8).collect();
                    ff1.digits(&mut digits);
                    digits
                })
                .collect();
            assert_eq!(all.len(), 10usize.pow(length));
        }
    }

    proptest! {
        #[test]
        fn integers_keep_sign_class_and_lower_half(value: i64, shift in 0..63u32) {
            let value = value >> shift;
            let masked = permute_int(&ff1(), value);
            let class = |v: i64| if i16::try_from(v).is_ok() { 16 } else if i32::try_from(v).is_ok() { 32 } else { 64 };
            prop_assert_eq!(class(masked), class(value));
            prop_assert_eq!(masked < 0, value < 0);
            let half = 1i64 << (class(value) - 2);
            prop_assert_eq!((0..half).contains(&masked), (0..half).contains(&value));
            prop_assert_eq!(masked == 0, value == 0);
        }

        #[test]
        fn different_integers_stay_different(a: i64, b: i64) {
            prop_assume!(a != b);
            prop_assert_ne!(permute_int(&ff1(), a), permute_int(&ff1(), b));
        }

        #[test]
        fn uuids_keep_version_and_variant_and_stay_different(a: [u8; 16], b: [u8; 16]) {
            let (x, y) = (permute_uuid(&ff1(), a), permute_uuid(&ff1(), b));
            prop_assert_eq!((x[6] >> 4, x[8] >> 6), (a[6] >> 4, a[8] >> 6));
            prop_assert_eq!(x == y, a == b);
        }

        #[test]
        fn long_digit_strings_stay_digits(digits in proptest::collection::vec(0..10u8, 0..200)) {
            let mut masked = digits.clone();
            ff1().digits(&mut masked);
            prop_assert_eq!(masked.len(), digits.len());
            prop_assert!(masked.iter().all(|d| *d < 10));
        }
    }
}
