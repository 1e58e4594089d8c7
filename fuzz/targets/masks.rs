//! Any bytes through every mask, on both wires: a value of the right length or a refusal, never a panic.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeMap;

use common::{masker, masks, one};
use libfuzzer_sys::fuzz_target;
use masking::{MaskedRow, TableMasker, Wire};

#[path = "../../masking/tests/common/mod.rs"]
mod common;

thread_local! {
    /// Making a masker is not what is tested: each is made once.
    static MADE: RefCell<BTreeMap<(usize, bool), TableMasker>> = const { RefCell::new(BTreeMap::new()) };
}

/// All pairs of a type and a mask, with the bytes that a binary value of the type has (0: any).
fn pairs() -> impl Iterator<Item = (&'static str, &'static str, usize)> {
    let texts = masks::TEXT_MASKS.iter().map(|mask| (masks::TEXT, *mask, 0));
    let json = masks::JSON_MASKS.iter().map(|mask| (masks::JSON, *mask, 0));
    texts.chain(json).chain(masks::TYPED.iter().copied())
}

fuzz_target!(|given: (u8, bool, &[u8])| {
    let (pick, binary, raw) = given;
    let at = usize::from(pick) % pairs().count();
    let (ty, mask, length) = pairs().nth(at).expect("it is within the count");
    let wire = if binary { Wire::Binary } else { Wire::Text };
    MADE.with_borrow_mut(|made| {
        let masker = made.entry((at, binary)).or_insert_with(|| {
            let (schema, policy) = one(ty, mask);
            masker(&schema, &policy, "t", wire)
        });
        let mut out = MaskedRow::new();
        if masker.mask_row(&[Some(raw)], &mut out).is_ok() && binary && length > 0 {
            let made = out.field(0, Some(raw)).expect("a value stays a value");
            assert_eq!(made.len(), length, "{ty} {mask}");
        }
    });
});
