//! Dictionaries of made-up people and places. The lists are our own: common names and words, no data of anyone.

#![allow(clippy::cast_possible_truncation, reason = "only the remainder counts")]

mod en;
mod ja;

use crate::draw::Draw;
use crate::key::Tag;
use crate::policy::{Locale, Script};

/// One name in the ways that it is written. In English all are the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) native: &'static str,
    pub(crate) katakana: &'static str,
    pub(crate) latin: &'static str,
}

/// The words of a language.
pub(crate) struct Dictionary {
    pub(crate) female: &'static [Word],
    pub(crate) male: &'static [Word],
    pub(crate) family: &'static [Word],
    pub(crate) cities: &'static [&'static str],
    pub(crate) streets: &'static [&'static str],
    pub(crate) company: &'static [&'static str],
    pub(crate) company_ends: &'static [&'static str],
    pub(crate) lorem: &'static [&'static str],
}

/// The words of `locale`.
pub(crate) fn dictionary(locale: Locale) -> &'static Dictionary {
    match locale {
        Locale::EnUs => &en::DICTIONARY,
        Locale::JaJp => &ja::DICTIONARY,
    }
}

/// A gender as far as names go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gender {
    Female,
    Male,
}

impl Gender {
    /// As people and forms write it; 1 and 2 by ISO/IEC 5218.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(text));
        if is(&["f", "female", "woman", "girl", "2", "女", "女性", "mrs", "ms", "miss"]) {
            Some(Self::Female)
        } else if is(&["m", "male", "man", "boy", "1", "男", "男性", "mr"]) {
            Some(Self::Male)
        } else {
            None
        }
    }
}

/// A made-up person: all of its names come from one tag.
pub(crate) struct Persona {
    pub(crate) given: &'static Word,
    pub(crate) family: &'static Word,
}

const NOBODY: Word = Word { native: "x", katakana: "x", latin: "x" };

impl Persona {
    pub(crate) fn new(locale: Locale, tag: &Tag, gender: Option<Gender>) -> Self {
        let words = dictionary(locale);
        let mut draw = Draw::new(tag);
        // Always the same draws in the same order, so that columns of one row agree.
        let (coin, given, family) = (draw.next(), draw.next(), draw.next());
        let gender = gender.unwrap_or(if coin & 1 == 0 { Gender::Female } else { Gender::Male });
        let list = if gender == Gender::Female { words.female } else { words.male };
        let at = |list: &'static [Word], n: u64| list.get(n as usize % list.len().max(1)).unwrap_or(&NOBODY);
        Self { given: at(list, given), family: at(words.family, family) }
    }
}

impl Word {
    /// Appends the word in a script.
    pub(crate) fn push(&self, script: Script, text: &mut String) {
        match script {
            Script::Native => text.push_str(self.native),
            Script::Katakana => text.push_str(self.katakana),
            Script::Latin => text.push_str(self.latin),
            Script::Hiragana => text.extend(self.katakana.chars().map(hiragana)),
        }
    }
}

/// Katakana and hiragana lie 0x60 apart in Unicode.
fn hiragana(c: char) -> char {
    match c {
        'ァ'..='ヶ' => char::from_u32(c as u32 - 0x60).unwrap_or(c),
        other => other,
    }
}

/// The word is a family or given name of either language.
pub(crate) fn is_name(word: &str) -> bool {
    [Locale::EnUs, Locale::JaJp].into_iter().map(dictionary).any(|d| {
        let mut names = d.female.iter().chain(d.male).chain(d.family);
        names.any(|w| w.native == word || w.katakana == word || w.latin.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_hold_no_word_twice_and_enough_of_them() {
        for locale in [Locale::EnUs, Locale::JaJp] {
            let d = dictionary(locale);
            for list in [d.female, d.male, d.family] {
                let mut words: Vec<_> = list.iter().map(|w| w.native).collect();
                let count = words.len();
                words.sort_unstable();
                words.dedup();
                assert_eq!(words.len(), count);
                assert!(count >= 60, "{count}");
                assert!(
                    list.iter().all(|w| w.latin.is_ascii() && !w.latin.is_empty() && !w.katakana.is_empty())
                );
            }
        }
    }

    #[test]
    fn one_tag_is_one_person_in_every_script() {
        let persona = Persona::new(Locale::JaJp, &[3; 32], Some(Gender::Female));
        let mut text = String::new();
        for script in [Script::Native, Script::Katakana, Script::Hiragana, Script::Latin] {
            persona.given.push(script, &mut text);
            text.push(' ');
        }
        insta::assert_snapshot!(text);
    }
}
