//! Texts that match a pattern.

#![allow(clippy::cast_possible_truncation, reason = "an offset within a range of characters fits 32 bits")]

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::draw::Draw;

/// How many more than its minimum an unbounded repetition gives.
const MORE: u32 = 8;
/// Longest text that a pattern may make.
const LIMIT: usize = 10_000;

/// A pattern that texts are made from.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Hir);

impl Pattern {
    /// # Errors
    /// A pattern that is wrong, asks for what cannot be made, or would make huge texts.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let hir = ParserBuilder::new().nest_limit(50).build().parse(pattern).map_err(|e| {
            format!("`{pattern}` is no pattern: {}", e.to_string().lines().last().unwrap_or_default())
        })?;
        let pattern = Self(hir);
        match longest(&pattern.0) {
            Some(length) if length <= LIMIT => Ok(pattern),
            Some(_) => {
                Err(format!("the pattern makes texts of more than {LIMIT} characters; bound its repetitions"))
            }
            None => Err("the pattern can match nothing".to_owned()),
        }
    }

    /// Most characters of a text.
    pub(crate) fn longest(&self) -> usize {
        longest(&self.0).unwrap_or(0)
    }

    /// Appends a text that matches.
    pub(crate) fn push(&self, draw: &mut Draw, out: &mut String) {
        push(&self.0, draw, out);
    }
}

fn bounds(min: u32, max: Option<u32>) -> (u32, u32) {
    (min, max.unwrap_or(min.saturating_add(MORE)))
}

/// Most characters that a part can make; `None` for an empty class.
fn longest(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(literal) => Some(literal.0.len()),
        HirKind::Class(class) => (!class.is_empty()).then_some(1),
        HirKind::Repetition(r) => Some(longest(&r.sub)?.saturating_mul(bounds(r.min, r.max).1 as usize)),
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Concat(parts) => parts.iter().try_fold(0usize, |n, p| Some(n.saturating_add(longest(p)?))),
        HirKind::Alternation(parts) => {
            parts.iter().map(longest).collect::<Option<Vec<_>>>()?.into_iter().max()
        }
    }
}

fn push(hir: &Hir, draw: &mut Draw, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => out.extend(character(class, draw)),
        HirKind::Repetition(r) => {
            let (min, max) = bounds(r.min, r.max);
            for _ in 0..u64::from(min) + draw.below(u64::from(max - min) + 1) {
                push(&r.sub, draw, out);
            }
        }
        HirKind::Capture(capture) => push(&capture.sub, draw, out),
        HirKind::Concat(parts) => parts.iter().for_each(|p| push(p, draw, out)),
        HirKind::Alternation(parts) => {
            if let Some(part) = draw.pick(parts) {
                push(part, draw, out);
            }
        }
    }
}

/// A character of a class; printable ASCII where the class has some.
fn character(class: &Class, draw: &mut Draw) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.iter().map(|r| (r.start() as u32, r.end() as u32)).collect(),
        Class::Bytes(class) => class.iter().map(|r| (r.start().into(), r.end().into())).collect(),
    };
    let clip = |(a, b): &(u32, u32)| ((*a).max(0x20), (*b).min(0x7e));
    let ascii: Vec<_> = ranges.iter().map(clip).filter(|(a, b)| a <= b).collect();
    let ranges = if ascii.is_empty() { ranges } else { ascii };
    let count: u64 = ranges.iter().map(|(a, b)| u64::from(b - a) + 1).sum();
    let mut at = draw.below(count);
    for (a, b) in ranges {
        let size = u64::from(b - a) + 1;
        if at < size {
            // A class never holds surrogates, but a range may lie on both sides of them.
            return char::from_u32(a + at as u32).or_else(|| char::from_u32(a));
        }
        at -= size;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_their_pattern_in_form() {
        let pattern = Pattern::new(r"^[A-Z]{3}-\d{4}(x|yy)?$").unwrap();
        assert_eq!(pattern.longest(), 10);
        for i in 0..200 {
            let mut text = String::new();
            pattern.push(&mut Draw::new(&[i; 32]), &mut text);
            let (head, tail) = text.split_once('-').unwrap();
            assert!(head.len() == 3 && head.bytes().all(|b| b.is_ascii_uppercase()), "{text}");
            assert!(tail[..4].bytes().all(|b| b.is_ascii_digit()), "{text}");
            assert!(["", "x", "yy"].contains(&&tail[4..]), "{text}");
        }
    }

    #[test]
    fn wrong_and_huge_patterns_are_refused() {
        for bad in ["(", "(?=a)", r"(a)\1", "(((a{1000}){1000}){1000})", "[^\\s\\S]"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }
}
