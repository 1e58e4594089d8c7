//! Whether a row may hold one of thousands of values: eight bytes of each in, yes or no by row out. A yes has to be
//! looked at again; a no is certain, and comes several times sooner than from an automaton over all values.

use std::collections::{HashMap, HashSet};

/// Bytes of a value that are looked for.
const WIDTH: usize = 8;

/// Bits of the table that most windows fail at: 128 KiB, of which 8000 values set less than a hundredth.
const BITS: u32 = 20;

/// One window of each value.
pub(super) struct Windows {
    /// None if a value is shorter than a window.
    table: Option<Vec<u64>>,
    windows: HashSet<u64>,
}

fn place(window: u64) -> (usize, u64) {
    let at = window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS);
    (usize::try_from(at >> 6).unwrap_or_default(), 1 << (at & 63))
}

fn windows(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.windows(WIDTH).map(|window| u64::from_le_bytes(window.try_into().unwrap_or_default()))
}

impl Windows {
    /// Takes of every value the window that fewest others have: a common start or end would be met too often.
    pub(super) fn new(values: &[String]) -> Self {
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for window in values.iter().flat_map(|value| windows(value.as_bytes())) {
            *counts.entry(window).or_default() += 1;
        }
        let mut made = Self { table: Some(vec![0; 1 << (BITS - 6)]), windows: HashSet::new() };
        for value in values {
            let rarest = windows(value.as_bytes()).min_by_key(|window| counts.get(window).copied());
            match (rarest, &mut made.table) {
                (Some(window), Some(table)) => {
                    let (word, bit) = place(window);
                    table[word] |= bit;
                    made.windows.insert(window);
                }
                _ => made.table = None,
            }
        }
        made
    }

    /// Whether a value may lie in these bytes.
    pub(super) fn may_hold(&self, bytes: &[u8]) -> bool {
        let Some(table) = &self.table else { return true };
        windows(bytes).any(|window| {
            let (word, bit) = place(window);
            table[word] & bit != 0 && self.windows.contains(&window)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_holds_a_value_is_never_missed(
            values in proptest::collection::vec("[ -~é漢]{10,40}", 1..20), before: String, after: String, at: prop::sample::Index
        ) {
            let windows = Windows::new(&values);
            let row = format!("{before}{}{after}", values[at.index(values.len())]);
            prop_assert!(windows.may_hold(row.as_bytes()));
        }
    }

    #[test]
    fn what_holds_none_is_told_at_once_unless_a_value_is_too_short() {
        let values = ["taro@example.jp".to_owned(), "hanako@example.jp".to_owned()];
        assert!(!Windows::new(&values).may_hold(b"someone.else@example.jp"));
        assert!(Windows::new(&["short".to_owned()]).may_hold(b"anything"));
    }
}
