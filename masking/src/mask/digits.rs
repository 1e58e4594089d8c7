//! Masks that keep a text's form: digits stay digits, separators stay where they are.
//!
//! Each is one to one: what decides the form is the same for the masked value, so two forms never meet.

#![allow(clippy::cast_possible_truncation, reason = "a check digit is below 100")]

use crate::fpe::Ff1;
use crate::key::DomainKey;

/// A character that counts as a digit: ASCII, or full-width as Japanese forms have it.
pub(super) fn digit(c: char) -> Option<u8> {
    match c {
        '0'..='9' => Some(c as u8 - b'0'),
        '０'..='９' => u8::try_from(c as u32 - '０' as u32).ok(),
        _ => None,
    }
}

/// A digit in the width of another.
fn like(c: char, digit: u8) -> char {
    let zero = if c.is_ascii() { '0' } else { '０' };
    char::from_u32(zero as u32 + u32::from(digit)).unwrap_or('0')
}

/// Fewest digits that hide a value.
const ENOUGH: usize = 6;

/// The tools of the masks here.
pub(crate) struct Keys<'a> {
    pub(crate) ff1: &'a Ff1,
    pub(crate) key: &'a DomainKey,
}

/// The digits of a text. Kept apart so that masks can work on numbers.
pub(super) fn digits_of(text: &str, found: &mut Vec<u8>) {
    found.clear();
    if text.is_ascii() {
        // Every byte is written and only digits are counted: no branch, no growing.
        found.resize(text.len(), 0);
        let mut count = 0;
        for byte in text.bytes() {
            let value = byte.wrapping_sub(b'0');
            found[count] = value;
            count += usize::from(value < 10);
        }
        found.truncate(count);
    } else {
        found.extend(text.chars().filter_map(digit));
    }
}

/// Latin letters that may stay beside digits, as in `x`, `ext` or `AB-12`. Of other scripts four may be a whole name.
const LETTERS: usize = 4;

/// Whether a text says more than a number: few digits, or so many letters that they may be words. Masked texts have as
/// many of both, so the two kinds never meet.
pub(super) fn is_wordy(text: &str, free: usize) -> bool {
    if free < ENOUGH {
        return true;
    }
    if text.is_ascii() {
        return text.bytes().filter(u8::is_ascii_alphabetic).count() > LETTERS;
    }
    let mut letters = text.chars().filter(|c| c.is_alphabetic());
    letters.clone().any(|c| !c.is_ascii()) || letters.nth(LETTERS).is_some()
}

fn has_letters(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Replaces every digit; letters too where fewer than six digits would hide the value, or there are more than four. `false` if the text holds letters
/// that have no alphabet to move in.
pub(crate) fn digits(keys: &Keys<'_>, text: &str, found: &mut Vec<u8>, out: &mut String) -> bool {
    digits_of(text, found);
    let few = is_wordy(text, found.len());
    if few && text.chars().any(|c| c.is_alphabetic() && !c.is_ascii()) {
        return false;
    }
    let original = (few && has_letters(text)).then(|| found.clone());
    keys.ff1.digits(found);
    rebuild(keys, text, found, original.as_deref(), out);
    true
}

/// A postal code: digits and letters are replaced, but for the first `keep` characters.
pub(crate) fn zip(keys: &Keys<'_>, text: &str, keep: usize, found: &mut Vec<u8>, out: &mut String) -> bool {
    let split = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
    let (head, tail) = text.split_at(split);
    if tail.chars().any(|c| c.is_alphabetic() && !c.is_ascii()) {
        return false;
    }
    out.push_str(head);
    digits_of(tail, found);
    let original = found.clone();
    keys.ff1.digits(found);
    rebuild(keys, tail, found, Some(&original), out);
    true
}

/// Writes `text` with other digits. With `letters`, ASCII letters are shifted by amounts that depend on the original
/// digits and the place: for given digits that is one to one.
pub(super) fn rebuild(keys: &Keys<'_>, text: &str, found: &[u8], letters: Option<&[u8]>, out: &mut String) {
    let letters = letters.filter(|_| has_letters(text));
    if letters.is_none() && rebuild_short(text, found, out) {
        return;
    }
    let shifts = letters.map(|digits| keys.key.tag(&[b"\0letters ", digits].concat()));
    let mut next = found.iter();
    for (i, c) in text.chars().enumerate() {
        if digit(c).is_some() {
            let d = next.next().copied().unwrap_or(0);
            out.push(like(c, d));
        } else if let Some(shifts) = shifts.filter(|_| c.is_ascii_alphabetic()) {
            let base = if c.is_ascii_uppercase() { b'A' } else { b'a' };
            let shift = shifts[i % 32] % 25 + 1;
            out.push(char::from(base + (c as u8 - base + shift) % 26));
        } else {
            out.push(c);
        }
    }
}

/// The same for a short ASCII text whose letters stay, as most numbers are.
fn rebuild_short(text: &str, found: &[u8], out: &mut String) -> bool {
    let mut buffer = [0; 64];
    let Some(masked) = buffer.get_mut(..text.len()).filter(|_| text.is_ascii()) else { return false };
    let mut next = found.iter();
    for (to, byte) in masked.iter_mut().zip(text.bytes()) {
        *to = if byte.is_ascii_digit() { b'0' + next.next().copied().unwrap_or(0) } else { byte };
    }
    std::str::from_utf8(masked).map(|masked| out.push_str(masked)).is_ok()
}

/// How a phone number is built: digits that stay, and what the first free one must be.
#[derive(PartialEq, Eq)]
struct Layout {
    keep: usize,
    /// The first free digit is 0 or 1.
    low: bool,
}

fn layout(international: bool, digits: &[u8]) -> Layout {
    let mut keep = if international { calling_code(digits) } else { usize::from(digits.first() == Some(&0)) };
    let rest = digits.get(keep..).unwrap_or(&[]);
    // Japanese mobile and IP numbers: 0[5789]0 and eight more.
    let japan = if international { digits.starts_with(&[8, 1]) } else { keep == 1 };
    if japan && rest.len() == 10 && matches!(rest, [5 | 7 | 8 | 9, 0, ..]) {
        keep += 2;
    }
    Layout { keep, low: digits.get(keep).is_some_and(|d| *d < 2) }
}

/// Digits of the country calling code (ITU-T E.164): zones 1 and 7 have one, these have two, all others three.
fn calling_code(digits: &[u8]) -> usize {
    const TWO: [u8; 43] = [
        20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57,
        58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95,
    ];
    match digits {
        [1 | 7, ..] => 1,
        [a, b, ..] if *a * 10 + *b == 98 || TWO.contains(&(*a * 10 + *b)) => 2,
        _ => digits.len().min(3),
    }
}

/// A phone number of the same country, format and length.
pub(crate) fn phone(keys: &Keys<'_>, text: &str, found: &mut Vec<u8>, out: &mut String) -> bool {
    digits_of(text, found);
    let international = text.trim_start().starts_with(['+', '＋']);
    let wanted = layout(international, found);
    let free = found.len().saturating_sub(wanted.keep);
    let few = is_wordy(text, free);
    if free == 0 || (few && text.chars().any(|c| c.is_alphabetic() && !c.is_ascii())) {
        return false;
    }
    let original = (few && has_letters(text)).then(|| found.clone());
    // Walks the cycle until the form is the same again; the start has it, so it ends, and forms never meet.
    loop {
        keys.ff1.digits(&mut found[wanted.keep..]);
        if layout(international, found) == wanted {
            break;
        }
    }
    rebuild(keys, text, found, original.as_deref(), out);
    true
}

/// An integer of the same sign and as many digits, within `min..=max`; zero stays zero.
pub(crate) fn integer(keys: &Keys<'_>, value: i64, min: i64, max: i64) -> i64 {
    if value == 0 {
        return 0;
    }
    let mut rest = value.unsigned_abs();
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = &mut buffer[at..];
    // The start fits and begins with no zero, so the walk comes to an end.
    loop {
        keys.ff1.digits(digits);
        if digits[0] == 0 {
            continue;
        }
        let number = digits.iter().fold(0i128, |n, d| n * 10 + i128::from(*d));
        let number = if value < 0 { -number } else { number };
        if let Ok(masked) = i64::try_from(number)
            && (min..=max).contains(&masked)
        {
            return masked;
        }
    }
}

/// A decimal of as many digits; sign and point stay, and the first digit before the point is no zero unless it was.
pub(crate) fn decimal(keys: &Keys<'_>, value: &str, out: &mut String) {
    let mut found = Vec::with_capacity(value.len());
    digits_of(value, &mut found);
    let whole = value.trim_start_matches('-').find('.').unwrap_or(found.len());
    let leads = |digits: &[u8]| digits.first() == Some(&0);
    let zero = leads(&found);
    let all_zero = |digits: &[u8]| digits.iter().all(|d| *d == 0);
    if all_zero(&found) {
        return out.push_str(value);
    }
    // A leading zero means a fraction alone (`0.05`): only what follows the point is free then.
    let free = if zero { whole } else { 0 };
    loop {
        keys.ff1.digits(&mut found[free..]);
        if (zero || !leads(&found)) && !all_zero(&found) {
            break;
        }
    }
    rebuild(keys, value, &found, None, out);
}
