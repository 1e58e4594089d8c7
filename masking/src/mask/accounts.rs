//! Numbers with check digits: payment cards and bank accounts. Their masks are one to one, as those of [`super::digits`].

use super::digits::{Keys, digit, digits, digits_of, is_wordy, rebuild};

/// Luhn's check digit for the digits before it (ISO/IEC 7812-1).
fn luhn(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d) * if i % 2 == 0 { 2 } else { 1 };
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

/// A text that is a card number.
pub(crate) fn is_card(text: &str) -> bool {
    let mut found = Vec::new();
    digits_of(text, &mut found);
    let shape = text.chars().all(|c| digit(c).is_some() || matches!(c, ' ' | '-'));
    shape
        && (13..=19).contains(&found.len())
        && found.split_last().is_some_and(|(last, rest)| luhn(rest) == *last)
}

/// A card number with the first digit moved out of the ranges of payment cards (2 to 6) and a check digit that is as
/// right, or as wrong, as the original's.
pub(crate) fn card(keys: &Keys<'_>, text: &str, found: &mut Vec<u8>, out: &mut String) -> bool {
    /// Swaps 2..=6 with 0, 7, 8, 9 and 1 (airlines).
    const FIRST: [u8; 10] = [2, 6, 0, 7, 8, 9, 1, 3, 4, 5];
    digits_of(text, found);
    if !(12..=19).contains(&found.len()) || is_wordy(text, found.len()) {
        return digits(keys, text, found, out);
    }
    let end = found.len() - 1;
    let wrong = (10 + found[end] - luhn(&found[..end])) % 10;
    found[0] = FIRST[usize::from(found[0] % 10)];
    keys.ff1.digits(&mut found[1..end]);
    found[end] = (luhn(&found[..end]) + wrong) % 10;
    rebuild(keys, text, found, None, out);
    true
}

/// Longest account number of ISO 13616.
const LONGEST: usize = 34;

/// The characters of an account number without its blanks; `None` if it is too long, or not of ASCII.
fn unspaced(text: &str) -> Option<([u8; LONGEST], usize)> {
    let mut plain = [0; LONGEST];
    let mut length = 0;
    for byte in text.bytes().filter(|b| *b != b' ') {
        *plain.get_mut(length)? = byte;
        length += 1;
    }
    text.is_ascii().then_some((plain, length))
}

/// The remainder by 97 of an account with its country and check digits moved to the end (ISO 13616, ISO 7064 MOD
/// 97-10).
fn mod97(plain: &[u8]) -> Option<u64> {
    let (head, tail) = plain.split_at_checked(4)?;
    let mut rest = 0;
    for byte in tail.iter().chain(head) {
        let value = u64::from(VALUES[usize::from(*byte)]);
        if value > 35 {
            return None;
        }
        rest = if value < 10 { rest * 10 } else { rest * 100 } + value;
        // Dividing is needed only before the number outgrows its 64 bits.
        if rest >= 1 << 56 {
            rest %= 97;
        }
    }
    Some(rest % 97)
}

/// What characters count in [`mod97`]: digits as they are, letters of either case from 10; others more than 35.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 36 {
        if value < 10 {
            values[(b'0' + value) as usize] = value;
        } else {
            values[(b'A' + value - 10) as usize] = value;
            values[(b'a' + value - 10) as usize] = value;
        }
        value += 1;
    }
    values
};

/// A text that is an IBAN.
pub(crate) fn is_iban(text: &str) -> bool {
    let Some((plain, length)) = unspaced(text) else { return false };
    let plain = &plain[..length];
    length >= 15
        && plain[..2].iter().all(u8::is_ascii_uppercase)
        && plain[2..4].iter().all(u8::is_ascii_digit)
        && mod97(plain) == Some(1)
}

/// An IBAN of the same country and length; letters (a bank's code) stay, digits change, the check digits are right.
pub(crate) fn iban(keys: &Keys<'_>, text: &str, found: &mut Vec<u8>, out: &mut String) -> bool {
    if !is_iban(text) {
        return digits(keys, text, found, out);
    }
    digits_of(text, found);
    keys.ff1.digits(&mut found[2..]);
    let start = out.len();
    found[..2].fill(0);
    rebuild(keys, text, found, None, out);
    let rest = unspaced(&out[start..]).and_then(|(plain, length)| mod97(&plain[..length])).unwrap_or(0);
    let check = (98 - rest) as u8;
    out.truncate(start);
    (found[0], found[1]) = (check / 10, check % 10);
    rebuild(keys, text, found, None, out);
    true
}
