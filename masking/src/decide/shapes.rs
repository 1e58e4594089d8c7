//! Shapes of personal data in texts.

use crate::mask::accounts::{is_card, is_iban};

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A card number with a right check digit.
    Card,
    /// An account number with right check digits.
    Iban,
    /// An IP address.
    Ip,
    /// A MAC address.
    Mac,
    /// A UUID.
    Uuid,
    /// A URL.
    Url,
    /// A password hash.
    Password,
    /// A token, key or session id.
    Token,
    /// A Japanese postal code.
    Zip,
    /// A person's name.
    Name,
    /// A street address.
    Address,
    /// A JSON object or array.
    Json,
}

impl Shape {
    /// As a sentence has it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::Card => "a card number",
            Self::Iban => "an IBAN",
            Self::Ip => "an IP address",
            Self::Mac => "a MAC address",
            Self::Uuid => "a UUID",
            Self::Url => "a URL",
            Self::Password => "a password hash",
            Self::Token => "a token",
            Self::Zip => "a postal code",
            Self::Name => "a person's name",
            Self::Address => "an address",
            Self::Json => "a JSON document",
        }
    }
}

type Test<'a> = &'a dyn Fn(&str) -> bool;

/// The shape of a whole value.
pub(crate) fn of(value: &str) -> Option<Shape> {
    let value = value.trim();
    let looks: [(Shape, Test<'_>); 14] = [
        (Shape::Json, &|v| {
            v.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(v).is_ok()
        }),
        (Shape::Email, &is_email),
        (Shape::Password, &|v| {
            ["$2a$", "$2b$", "$2y$", "$argon2", "$scrypt$", "pbkdf2", "{SSHA}"]
                .iter()
                .any(|p| v.starts_with(p))
        }),
        (Shape::Url, &|v| v.starts_with("http://") || v.starts_with("https://")),
        (Shape::Uuid, &|v| v.len() == 36 && crate::engine::value::parse_uuid(v).is_some()),
        (Shape::Ip, &|v| v.contains(['.', ':']) && crate::engine::net::parse(v).is_some()),
        (Shape::Mac, &|v| v.len() == 17 && crate::engine::net::parse_mac(v).is_some()),
        (Shape::Iban, &is_iban),
        (Shape::Card, &is_card),
        (Shape::Zip, &is_zip),
        (Shape::Phone, &is_phone),
        (Shape::Address, &is_address),
        (Shape::Name, &is_name),
        (Shape::Token, &is_token),
    ];
    looks.iter().find(|(_, test)| test(value)).map(|(shape, _)| *shape)
}

pub(crate) fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let user = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let ends = domain.rsplit_once('.').is_some_and(|(name, end)| {
        !name.is_empty() && end.chars().count() >= 2 && end.chars().all(char::is_alphabetic)
    });
    !local.is_empty() && local.chars().all(user) && domain.chars().all(host) && ends
}

fn is_zip(value: &str) -> bool {
    let value = value.strip_prefix('〒').unwrap_or(value);
    let is = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    value.split_once('-').is_some_and(|(a, b)| (is(a, 3) && is(b, 4)) || (is(a, 5) && is(b, 4)))
}

pub(crate) fn is_phone(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let form = value.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')' | '+' | '.'));
    let marked = value.starts_with(['+', '0', '(']) || value.contains('-');
    // A date has four digits first and two hyphens.
    let date = crate::engine::time::parse_date(value.get(..10).unwrap_or(value)).is_some();
    form && marked && !date && (9..=15).contains(&digits)
}

fn is_address(value: &str) -> bool {
    const STREETS: [&str; 12] = [
        "street",
        "st.",
        "avenue",
        "ave",
        "road",
        "rd.",
        "lane",
        "drive",
        "blvd",
        "boulevard",
        "court",
        "suite",
    ];
    let prefecture =
        ["都", "道", "府", "県"].iter().any(|p| value.find(p).is_some_and(|at| (6..=9).contains(&at)));
    let town = prefecture && ["市", "区", "町", "村", "郡"].iter().any(|p| value.contains(p));
    let lower = value.to_lowercase();
    let english = value.starts_with(|c: char| c.is_ascii_digit())
        && lower.split([' ', ',']).any(|word| STREETS.contains(&word));
    town || english
}

/// Two or three capitalised words, or a Japanese name, with one that is in the dictionaries.
fn is_name(value: &str) -> bool {
    let words: Vec<&str> = value.split([' ', '　']).filter(|w| !w.is_empty()).collect();
    let short = (1..=3).contains(&words.len()) && value.chars().count() <= 40;
    let plain = value.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '　' | '\'' | '-' | '.' | '々'));
    let latin = value.is_ascii();
    let known = |word: &&str| {
        crate::locale::is_name(word) && (!latin || word.starts_with(|c: char| c.is_uppercase()))
    };
    // Without a space between, a Japanese family name may start the text.
    let joined = !latin && words.len() == 1 && {
        let at = value.char_indices().nth(2).map_or(value.len(), |(at, _)| at);
        value.chars().count() <= 6 && crate::locale::is_name(&value[..at])
    };
    short && plain && (words.iter().any(known) || joined)
}

/// Long, without blanks, and of many different characters.
fn is_token(value: &str) -> bool {
    let form = value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'+' | b'/'));
    let mut distinct: Vec<u8> = value.bytes().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mixed = value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic());
    (20..=4096).contains(&value.len()) && form && mixed && distinct.len() >= 10
}

/// Personal data within a longer text, such as a view's definition or a comment.
pub(crate) fn within(text: &str) -> Option<Shape> {
    words(text).next().map(|(shape, _)| shape)
}

/// Every word of a text that looks like personal data. Reserved domains (RFC 2606) are nobody's.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (Shape, &str)> {
    let separators = |c: char| {
        c.is_whitespace()
            || matches!(c, '\'' | '"' | '(' | ')' | ',' | ';' | '<' | '>' | '=' | '[' | ']' | '、' | '。')
    };
    let reserved = |word: &str| {
        ["example.com", "example.org", "example.net", ".example", ".test", ".invalid", ".localhost"]
            .iter()
            .any(|d| word.ends_with(d))
    };
    let shape = move |word: &str| match () {
        () if is_email(word) && !reserved(word) => Some(Shape::Email),
        () if is_iban(word) => Some(Shape::Iban),
        () if is_card(word) && !word.bytes().all(|b| b == b'0') => Some(Shape::Card),
        () if word.starts_with(['+', '0']) && word.contains('-') && is_phone(word) && !is_zip(word) => {
            Some(Shape::Phone)
        }
        () => None,
    };
    text.split(separators).filter_map(move |word| {
        let word = word.trim_end_matches(['.', ':', '!', '?']);
        shape(word).map(|shape| (shape, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_what_they_are() {
        for (value, shape) in [
            ("taro@mail.co.jp", Some(Shape::Email)),
            ("090-1234-5678", Some(Shape::Phone)),
            ("+44 20 7946 0958", Some(Shape::Phone)),
            ("4242 4242 4242 4242", Some(Shape::Card)),
            ("GB82 WEST 1234 5698 7654 32", Some(Shape::Iban)),
            ("192.168.0.1", Some(Shape::Ip)),
            ("08:00:2b:01:02:03", Some(Shape::Mac)),
            ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", Some(Shape::Uuid)),
            ("$2b$10$abcdefghijklmnopqrstuv", Some(Shape::Password)),
            ("〒150-0001", Some(Shape::Zip)),
            ("東京都渋谷区神宮前1-2-3", Some(Shape::Address)),
            ("742 Evergreen Ave", Some(Shape::Address)),
            ("佐藤 花子", Some(Shape::Name)),
            ("鈴木一郎", Some(Shape::Name)),
            ("サトウ ハナコ", Some(Shape::Name)),
            ("Emma Johnson", Some(Shape::Name)),
            ("{\"a\": 1}", Some(Shape::Json)),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", Some(Shape::Token)),
            ("2024-01-31", None),
            ("pending", None),
            ("12345", None),
            ("", None),
        ] {
            assert_eq!(of(value), shape, "{value}");
        }
    }

    #[test]
    fn texts_of_a_schema_give_away_real_data_only() {
        assert_eq!(within("COALESCE(mail, 'boss@acme.co.jp'::text)"), Some(Shape::Email));
        assert_eq!(within("call 03-1234-5678 first"), Some(Shape::Phone));
        assert_eq!(within("SELECT 'a@example.com', '2024-01-01', 1234567890123 FROM t"), None);
    }
}
