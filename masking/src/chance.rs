//! A policy's decisions in; which texts its masks may write by themselves, whatever a value was, out. Where such a text
//! equals a value of the source, chance may have made it: it tells nothing of a leak.

use std::collections::BTreeSet;

use crate::decisions::{Decision, Decisions, SqlMask};
use crate::engine::time::{parse_date, parse_timestamp};
use crate::locale::dictionary;
use crate::mask::STREET_ENDS;
use crate::policy::{Leaf, Locale, Mask, Script};

/// Digits in a row that the dictionaries' masks write at most, as a house number.
const HOUSE: usize = 5;

/// What the masks of a policy draw from lists.
#[derive(Clone, Debug, Default)]
pub struct Chance {
    literals: BTreeSet<String>,
    words: Vec<String>,
    addresses: bool,
}

impl Chance {
    /// What these decisions may write.
    pub fn new(decisions: &Decisions) -> Self {
        let mut chance = Self::default();
        for column in decisions.tables.values().flat_map(|table| &table.columns) {
            match &column.decision {
                Decision::Sql(SqlMask::Constant(text)) => {
                    chance.literals.insert(text.clone());
                }
                Decision::Engine(engine) => chance.mask(&engine.mask, decisions.locale),
                _ => {}
            }
        }
        chance
    }

    fn mask(&mut self, mask: &Mask, locale: Locale) {
        match mask {
            Mask::Json(options) => {
                options.paths.iter().filter_map(|p| p.mask.as_ref()).for_each(|leaf| self.leaf(leaf, locale));
            }
            Mask::Composite(options) => {
                options
                    .fields
                    .iter()
                    .filter_map(|f| f.mask.as_ref())
                    .for_each(|leaf| self.leaf(leaf, locale));
            }
            other => other.leaf().iter().for_each(|leaf| self.leaf(leaf, locale)),
        }
    }

    fn leaf(&mut self, leaf: &Leaf, locale: Locale) {
        match leaf {
            Leaf::Constant(options) => self.literals.extend(options.value.iter().map(ToString::to_string)),
            Leaf::Choice(options) => self.literals.extend(options.values.iter().map(ToString::to_string)),
            Leaf::Ip(_) => self.addresses = true,
            Leaf::FirstName(_)
            | Leaf::LastName(_)
            | Leaf::FullName(_)
            | Leaf::Address(_)
            | Leaf::City(_)
            | Leaf::Company(_)
            | Leaf::Lorem(_)
                if self.words.is_empty() =>
            {
                self.words = words(locale);
            }
            _ => {}
        }
    }

    /// Whether a mask may have written this text without having read it: one of a list's values, words of the dictionaries
    /// with small numbers between them, an address of the ranges for made-up ones, a day.
    pub fn may_write(&self, text: &str) -> bool {
        self.literals.contains(text)
            || self.addresses
                && ["10.", "2001:db8:", "2001:0db8:"].iter().any(|start| text.starts_with(start))
            || parse_date(text).is_some()
            || parse_timestamp(text).is_some()
            || !self.words.is_empty() && self.made_of_words(text)
    }

    /// Whether words, and small numbers between them, make the text. Its last word may be cut, as `lorem` does.
    fn made_of_words(&self, text: &str) -> bool {
        if !text.chars().any(char::is_alphabetic) {
            return false;
        }
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for (at, c) in text.char_indices() {
            if !reached[at] {
                continue;
            }
            let rest = &text.as_bytes()[at..];
            if !c.is_alphanumeric() {
                reached[at + c.len_utf8()] = true;
            }
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if (1..=HOUSE).contains(&digits) {
                reached[at + digits] = true;
            }
            for word in self.words.iter().map(String::as_bytes) {
                let same = word.len().min(rest.len());
                if word[..same].eq_ignore_ascii_case(&rest[..same]) {
                    reached[at + same] = true;
                }
            }
        }
        reached[text.len()]
    }
}

/// Every word that the masks of a locale know, in every script.
fn words(locale: Locale) -> Vec<String> {
    let d = dictionary(locale);
    let mut words = vec!["株式会社".to_owned()];
    for name in d.female.iter().chain(d.male).chain(d.family) {
        for script in [Script::Native, Script::Katakana, Script::Hiragana, Script::Latin] {
            words.push(String::new());
            words.last_mut().iter_mut().for_each(|word| name.push(script, word));
        }
    }
    let lists = [d.cities, d.streets, d.company, d.company_ends, d.lorem, &STREET_ENDS];
    words.extend(lists.into_iter().flatten().map(|word| (*word).to_owned()));
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;
    use crate::locale::Gender;
    use crate::mask::{NamePart, Words};
    use crate::policy::{Choice, Name, Nothing, Scalar};

    fn chance(locale: Locale) -> Chance {
        let mut chance = Chance::default();
        chance.mask(&Mask::Address(Nothing {}), locale);
        chance.mask(&Mask::Ip(Nothing {}), locale);
        let values = vec![Scalar::Text("premium plan 2024".to_owned())];
        chance.mask(&Mask::Choice(Choice { values }), locale);
        chance
    }

    #[test]
    fn what_the_dictionaries_make_is_known_again() {
        for locale in [Locale::EnUs, Locale::JaJp] {
            let chance = chance(locale);
            let words = Words { locale, email_domain: "example.com".into(), max: None };
            for n in 0..200 {
                let mut texts = [const { String::new() }; 5];
                let draw = || Draw::new(&[n; 32]);
                words.address(&mut draw(), &mut texts[0]);
                words.company(&mut draw(), &mut texts[1]);
                words.lorem(&"x".repeat(usize::from(n) + 1), &mut draw(), &mut texts[2]);
                words.name(NamePart::Full, &Name::default(), &[n; 32], Some(Gender::Female), &mut texts[3]);
                words.city(&mut draw(), &mut texts[4]);
                for text in texts {
                    assert!(chance.may_write(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn lists_days_and_made_up_addresses_are_known_and_nothing_else_is() {
        let chance = chance(Locale::EnUs);
        for text in ["premium plan 2024", "10.20.30.40", "1984-03-12", "1200 Oak Street"] {
            assert!(chance.may_write(text), "{text}");
        }
        for text in [
            "carol.jones@corp.example",
            "1200 Wexford Lane",
            "192.0.2.17",
            "4000 0000 0791 9123",
            "oak 123456",
        ] {
            assert!(!chance.may_write(text), "{text}");
        }
        assert!(!Chance::default().may_write("1200 Oak Street"));
    }
}
