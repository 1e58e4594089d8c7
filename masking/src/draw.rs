//! Numbers and short texts drawn from a value's tag.

#![allow(clippy::cast_possible_truncation, reason = "an index below a length fits usize")]

use crate::key::{DomainKey, Tag};

/// Letters and digits of tags: 32 of them, without those that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Characters of a tag: 16 × 5 bits = 80 bits, whatever the number of rows.
pub(crate) const TAG_CHARS: u32 = 16;

/// Appends the tag's first 80 bits as 16 letters and digits.
pub(crate) fn push_tag(tag: &Tag, text: &mut String) {
    let mut bits = [0; 16];
    bits[6..].copy_from_slice(&tag[..10]);
    let bits = u128::from_be_bytes(bits);
    let tag: [u8; 16] = std::array::from_fn(|i| ALPHABET[(bits >> ((15 - i) * 5)) as usize & 31]);
    text.push_str(std::str::from_utf8(&tag).unwrap_or_default());
}

/// A stream of numbers from one tag (`SplitMix64` of Steele, Lea and Flood, 2014). Its seed is an HMAC, so that nothing leads
/// back to the value however many numbers are seen.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(tag: &Tag) -> Self {
        let mut seed = [0; 8];
        seed.copy_from_slice(&tag[16..24]);
        Self(u64::from_le_bytes(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (0 if there is none), by Lemire's multiplication: the bias is below bound / 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number between two, both included.
    pub(crate) fn between(&mut self, min: i128, max: i128) -> i128 {
        let span = max.saturating_sub(min).max(0).cast_unsigned() + 1;
        let wide = (u128::from(self.next()) << 64) | u128::from(self.next());
        min + (wide % span).cast_signed()
    }

    /// One of the items.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }
}

/// Fresh tags, for masks that do not follow the value.
#[derive(Clone)]
pub(crate) struct Fresh {
    key: DomainKey,
    stream: u64,
    count: u64,
}

impl Fresh {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { key: DomainKey::new(seed), stream: 0, count: 0 }
    }

    /// The same source for another stream of rows.
    pub(crate) fn stream(&mut self, stream: u64) {
        self.stream = stream;
        self.count = 0;
    }

    pub(crate) fn tag(&mut self) -> Tag {
        self.count += 1;
        let mut message = [0; 16];
        message[..8].copy_from_slice(&self.stream.to_le_bytes());
        message[8..].copy_from_slice(&self.count.to_le_bytes());
        self.key.tag(&message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_between_two_lies_between_them(tag: [u8; 32], a: i64, b: i64) {
            let (min, max) = (i128::from(a.min(b)), i128::from(a.max(b)));
            prop_assert!((min..=max).contains(&Draw::new(&tag).between(min, max)));
        }

        #[test]
        fn tags_differ_when_80_bits_do(a: [u8; 32], b: [u8; 32]) {
            let text = |tag| { let mut text = String::new(); push_tag(tag, &mut text); text };
            prop_assert_eq!(text(&a).len(), TAG_CHARS as usize);
            prop_assert_eq!(text(&a) == text(&b), a[..10] == b[..10]);
        }
    }
}
