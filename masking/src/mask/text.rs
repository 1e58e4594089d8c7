//! Masks that make texts.

use crate::draw::{Draw, push_tag};
use crate::key::Tag;
use crate::locale::{Gender, Persona, dictionary};
use crate::policy::{Locale, Name, Script};

/// What texts are made from.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(crate) locale: Locale,
    /// Domain of e-mail addresses and URLs.
    pub(crate) email_domain: String,
    /// Longest text in characters.
    pub(crate) max: Option<usize>,
}

/// What follows a street's name in English.
pub(crate) const STREET_ENDS: [&str; 5] = [" Street", " Avenue", " Road", " Lane", " Drive"];

/// Which of a person's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamePart {
    First,
    Last,
    Full,
}

/// The start and end stay; at least half of the characters become `pad`.
pub(crate) fn partial(text: &str, prefix: usize, suffix: usize, pad: char, out: &mut String) {
    let count = text.chars().count();
    let allowed = count / 2;
    let prefix = prefix.min(allowed);
    let suffix = suffix.min(allowed - prefix);
    out.extend(
        text.chars().enumerate().map(|(i, c)| if i < prefix || i + suffix >= count { c } else { pad }),
    );
}

impl Words {
    /// `hanako.sato.<tag>@example.com`; only the tag where the column is short.
    pub(crate) fn email(&self, text: &str, keep_domain: bool, person: &Tag, tag: &Tag, out: &mut String) {
        // What follows the last @ may be more than a domain.
        let is_domain = |domain: &&str| {
            !domain.is_empty()
                && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        };
        let kept =
            keep_domain.then(|| text.rsplit_once('@')).flatten().map(|(_, domain)| domain).filter(is_domain);
        let start = out.len();
        let persona = Persona::new(self.locale, person, None);
        push_lower(persona.given.latin, out);
        out.push('.');
        push_lower(persona.family.latin, out);
        out.push('.');
        let names = out.len() - start;
        push_tag(tag, out);
        out.push('@');
        let domain = out.len();
        out.push_str(kept.unwrap_or(&self.email_domain));
        let Some(max) = self.max else { return };
        // A kept domain that leaves no room for the tag gives way first, then the names.
        if kept.is_some_and(|d| 17 + d.chars().count() > max) {
            out.truncate(domain);
            out.push_str(&self.email_domain);
        }
        if out[start..].chars().count() > max {
            out.replace_range(start..start + names, "");
        }
    }

    /// `hanako_<tag>`; only the tag where the column is short.
    pub(crate) fn username(&self, person: &Tag, tag: &Tag, out: &mut String) {
        let given = Persona::new(self.locale, person, None).given.latin;
        if self.max.is_none_or(|max| given.len() + 17 <= max) {
            push_lower(given, out);
            out.push('_');
        }
        push_tag(tag, out);
    }

    /// `https://www.example.com/<tag>`.
    pub(crate) fn url(&self, tag: &Tag, out: &mut String) {
        out.push_str("https://");
        if self.max.is_none_or(|max| self.email_domain.len() + 29 <= max) {
            out.push_str("www.");
        }
        out.push_str(&self.email_domain);
        out.push('/');
        push_tag(tag, out);
    }

    /// A given, family or full name.
    pub(crate) fn name(
        &self,
        part: NamePart,
        options: &Name,
        person: &Tag,
        gender: Option<Gender>,
        out: &mut String,
    ) {
        let persona = Persona::new(self.locale, person, gender);
        let japanese = self.locale == Locale::JaJp;
        match part {
            NamePart::First => persona.given.push(options.script, out),
            NamePart::Last => persona.family.push(options.script, out),
            NamePart::Full => {
                let latin = !japanese || options.script == Script::Latin;
                let family_first = options.family_first.unwrap_or(japanese && !latin);
                let separator = options.separator.as_deref().unwrap_or(" ");
                let (first, second) = if family_first {
                    (persona.family, persona.given)
                } else {
                    (persona.given, persona.family)
                };
                first.push(options.script, out);
                out.push_str(separator);
                second.push(options.script, out);
            }
        }
    }

    /// `742 Maple Street`, or 京都府宇治市桜町3-12-8.
    pub(crate) fn address(&self, draw: &mut Draw, out: &mut String) {
        let words = dictionary(self.locale);
        if self.locale == Locale::JaJp {
            out.push_str(draw.pick(words.cities).unwrap_or(&""));
            out.push_str(draw.pick(words.streets).unwrap_or(&""));
            let (a, b, c) = (draw.below(7) + 1, draw.below(25) + 1, draw.below(30) + 1);
            for (i, n) in [a, b, c].into_iter().enumerate() {
                if i > 0 {
                    out.push('-');
                }
                push_number(n, out);
            }
        } else {
            push_number(draw.below(9899) + 100, out);
            out.push(' ');
            out.push_str(draw.pick(words.streets).unwrap_or(&""));
            out.push_str(draw.pick(&STREET_ENDS).unwrap_or(&""));
        }
    }

    /// A town.
    pub(crate) fn city(&self, draw: &mut Draw, out: &mut String) {
        out.push_str(draw.pick(dictionary(self.locale).cities).unwrap_or(&""));
    }

    /// `Silver Harbor Logistics`, or 株式会社北斗システム.
    pub(crate) fn company(&self, draw: &mut Draw, out: &mut String) {
        let words = dictionary(self.locale);
        let (first, second) =
            (draw.pick(words.company).unwrap_or(&""), draw.pick(words.company).unwrap_or(&""));
        let end = draw.pick(words.company_ends).unwrap_or(&"");
        let (before, between) = if self.locale == Locale::JaJp { ("株式会社", "") } else { ("", " ") };
        out.push_str(before);
        out.push_str(first);
        if self.locale == Locale::EnUs {
            out.push_str(between);
            out.push_str(second);
        }
        out.push_str(between);
        out.push_str(end);
    }

    /// Words without meaning, exactly as many characters as `text`.
    pub(crate) fn lorem(&self, text: &str, draw: &mut Draw, out: &mut String) {
        let words = dictionary(self.locale).lorem;
        let mut left = text.chars().count();
        let mut first = true;
        while left > 0 {
            if !first {
                out.push(' ');
                left -= 1;
            }
            first = false;
            let word = draw.pick(words).unwrap_or(&"lorem");
            let length = word.chars().count();
            if length <= left {
                out.push_str(word);
                left -= length;
            } else {
                out.extend(word.chars().take(left));
                left = 0;
            }
        }
    }
}

fn push_number(n: u64, out: &mut String) {
    if n > 9 {
        push_number(n / 10, out);
    }
    out.push(char::from(b'0' + (n % 10) as u8));
}

fn push_lower(word: &str, out: &mut String) {
    let start = out.len();
    out.push_str(word);
    out[start..].make_ascii_lowercase();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(locale: Locale, max: Option<usize>) -> Words {
        Words { locale, email_domain: "example.com".into(), max }
    }

    proptest! {
        #[test]
        fn lorem_keeps_the_length_and_no_more(text: String, tag: [u8; 32], ja: bool) {
            let locale = if ja { Locale::JaJp } else { Locale::EnUs };
            let mut out = String::new();
            words(locale, None).lorem(&text, &mut Draw::new(&tag), &mut out);
            prop_assert_eq!(out.chars().count(), text.chars().count());
        }

        #[test]
        fn partial_hides_at_least_half_of_any_text(text in ".{0,40}", prefix in 0..50usize, suffix in 0..50usize) {
            let mut out = String::new();
            partial(&text, prefix, suffix, '\u{1}', &mut out);
            let hidden = out.chars().filter(|c| *c == '\u{1}').count();
            prop_assert_eq!(out.chars().count(), text.chars().count());
            let open = text.chars().filter(|c| *c != '\u{1}').count();
            prop_assert!(hidden * 2 >= open);
        }

        #[test]
        fn an_email_fits_its_column_and_keeps_its_80_bits(text in ".{0,60}", tag: [u8; 32], max in 28..80usize, keep: bool) {
            let (mut out, mut end) = (String::new(), String::new());
            words(Locale::JaJp, Some(max)).email(&text, keep, &tag, &tag, &mut out);
            push_tag(&tag, &mut end);
            prop_assert!(out.chars().count() <= max);
            prop_assert!(out.contains(&end));
        }
    }
}
