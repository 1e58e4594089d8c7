//! What column names say, in English and Japanese.

use crate::policy::{
    Choice, DateRange, DateShift, Email, Hash, Leaf, Mask, Name, Noise, Nothing, Password, Scalar, Script,
    Zip,
};
use crate::types::Family;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Password,
    Secret,
    Email,
    FirstName,
    LastName,
    FullName,
    Phone,
    Zip,
    Address,
    City,
    Company,
    Url,
    Username,
    Ip,
    Mac,
    Card,
    Iban,
    Number,
    Birth,
    Remark,
    Place,
    Money,
    Gender,
}

/// Words of a column's name (all of an entry's have to be there, in a row) and what they mean; the first entry that
/// matches counts, so longer and surer ones stand first. Japanese words match anywhere in the name.
#[rustfmt::skip]
const WORDS: &[(Meaning, &[&str])] = &[
    (Meaning::Password, &["password", "passwd", "pwd", "パスワード"]),
    (Meaning::Secret, &["api key", "access key", "private key", "secret", "token", "otp", "cvv", "cvc",
        "session id", "cookie", "トークン", "暗証"]),
    (Meaning::Ip, &["ip", "ip address", "remote addr"]),
    (Meaning::Mac, &["mac address", "mac"]),
    (Meaning::Remark, &["user agent"]),
    (Meaning::Email, &["email", "e mail", "mail", "メール"]),
    (Meaning::FirstName, &["first name", "firstname", "given name", "forename", "fname", "mei", "名（名）"]),
    (Meaning::LastName, &["last name", "lastname", "family name", "surname", "lname", "sei", "苗字", "姓"]),
    (Meaning::Username, &["user name", "username", "login", "nickname", "screen name", "handle",
        "ニックネーム", "ユーザー名"]),
    (Meaning::Company, &["company", "employer", "organization", "会社", "法人", "勤務先"]),
    (Meaning::FullName, &["full name", "fullname", "display name", "contact name", "recipient name",
        "recipient", "customer name"]),
    (Meaning::LastName, &["maiden name"]),
    (Meaning::FullName, &["shimei", "furigana", "フリガナ", "ふりがな", "氏名", "名前", "宛名", "担当者"]),
    (Meaning::Phone, &["phone", "telephone", "tel", "mobile", "fax", "denwa", "電話", "携帯"]),
    (Meaning::Zip, &["zip", "zipcode", "postal code", "postcode", "yubin", "郵便"]),
    (Meaning::Address, &["address", "addr", "street", "jusho", "住所", "番地"]),
    (Meaning::City, &["city", "town", "市区町村"]),
    (Meaning::Card, &["card number", "credit card", "pan", "カード番号"]),
    (Meaning::Iban, &["iban"]),
    (Meaning::Number, &["account number", "口座", "ssn", "social security", "passport", "license number",
        "tax id", "my number", "マイナンバー", "個人番号", "保険証", "免許"]),
    (Meaning::Birth, &["birth", "birthday", "birthdate", "dob", "生年月日", "誕生日"]),
    (Meaning::Place, &["latitude", "longitude", "lat", "lng", "緯度", "経度"]),
    (Meaning::Money, &["salary", "income", "balance", "年収", "給与", "残高"]),
    (Meaning::Gender, &["gender", "sex", "性別"]),
    (Meaning::Url, &["url", "website", "homepage"]),
    (Meaning::Remark, &["comment", "note", "notes", "memo", "message", "body", "bio", "remarks", "備考",
        "メモ", "本文", "自己紹介"]),
];

/// Tables about people, where `name` is a person's.
const PEOPLE: &[&str] = &[
    "user",
    "customer",
    "member",
    "person",
    "people",
    "employee",
    "staff",
    "contact",
    "patient",
    "student",
    "client",
    "account",
    "subscriber",
    "profile",
    "recipient",
    "guest",
    "顧客",
    "会員",
    "社員",
    "利用者",
    "ユーザー",
    "患者",
    "従業員",
];

/// A name in lower-case words: `lastSignInIP` → "last sign in ip".
pub(crate) fn words(name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_alphanumeric() && c != 'ー' {
            out.push(' ');
        } else {
            let starts = c.is_uppercase()
                && (before.is_lowercase()
                    || (before.is_uppercase() && chars.peek().is_some_and(|n| n.is_lowercase())));
            // `address2` is an address.
            let number = c.is_ascii_digit() && before.is_alphabetic();
            if starts || number {
                out.push(' ');
            }
            out.extend(c.to_lowercase());
        }
        before = c;
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a column's name means, and the word that says so.
pub(crate) fn meaning(table: &str, column: &str) -> Option<(Meaning, &'static str)> {
    let name = words(column);
    let spaced = format!(" {name} ");
    let mut all = WORDS.iter().flat_map(|(meaning, words)| words.iter().map(move |word| (word, meaning)));
    let found = all.find(|(word, _)| {
        let whole = spaced.contains(&format!(" {word} "));
        whole || (!word.is_ascii() && name.contains(*word))
    });
    if let Some((word, meaning)) = found {
        return Some((*meaning, *word));
    }
    let people = PEOPLE.iter().any(|p| words(table).contains(p));
    let personal =
        name == "name" || name == "名" || ["name kana", "kana", "カナ", "かな"].contains(&name.as_str());
    (people && personal).then_some((Meaning::FullName, "name"))
}

/// How a name column is written.
fn script(column: &str) -> Script {
    let name = words(column);
    if ["kana", "カナ", "フリガナ", "furigana", "カタカナ"].iter().any(|w| name.contains(w)) {
        Script::Katakana
    } else if ["ふりがな", "かな", "hiragana"].iter().any(|w| name.contains(w)) {
        Script::Hiragana
    } else if ["romaji", "ローマ字", "latin"].iter().any(|w| name.contains(w)) {
        Script::Latin
    } else {
        Script::Native
    }
}

/// The mask for a meaning, where it works on the type.
pub(crate) fn mask(meaning: Meaning, column: &str, family: Family, not_null: bool) -> Option<Mask> {
    let nothing = Nothing::default;
    let name = || Name { script: script(column), ..Name::default() };
    let noise = |percent| Leaf::Noise(Noise { percent: Some(percent), by: None });
    let leaf = match (meaning, family) {
        (Meaning::Password, Family::Text) => {
            Leaf::Password(Password { value: "preview".into(), ..Password::default() })
        }
        (Meaning::Secret | Meaning::Password, _) | (Meaning::Birth, Family::Text) if !not_null => {
            Leaf::Null(nothing())
        }
        (Meaning::Secret, Family::Text | Family::Bytes) => Leaf::Hash(Hash::default()),
        (Meaning::Email, Family::Text) => Leaf::Email(Email::default()),
        (Meaning::FirstName, Family::Text) => Leaf::FirstName(name()),
        (Meaning::LastName, Family::Text) => Leaf::LastName(name()),
        (Meaning::FullName, Family::Text) => Leaf::FullName(name()),
        (Meaning::Phone, Family::Text) => Leaf::Phone(nothing()),
        (Meaning::Zip, Family::Text) => Leaf::Zip(Zip { keep: 2 }),
        (Meaning::Address, Family::Text) => Leaf::Address(nothing()),
        (Meaning::City, Family::Text) => Leaf::City(nothing()),
        (Meaning::Company, Family::Text) => Leaf::Company(nothing()),
        (Meaning::Url, Family::Text) => Leaf::Url(nothing()),
        (Meaning::Username, Family::Text) => Leaf::Username(nothing()),
        (Meaning::Ip, Family::Text) | (_, Family::Net) => Leaf::Ip(nothing()),
        (Meaning::Mac, Family::Text) | (_, Family::Mac) => Leaf::Mac(nothing()),
        (Meaning::Card, Family::Text) => Leaf::Card(nothing()),
        (Meaning::Iban, Family::Text) => Leaf::Iban(nothing()),
        (Meaning::Card | Meaning::Number | Meaning::Phone, Family::Text | Family::Int | Family::Numeric) => {
            Leaf::Digits(nothing())
        }
        (Meaning::Birth, Family::Date | Family::Timestamp) => Leaf::Date(DateRange::default()),
        (Meaning::Remark, Family::Text) => Leaf::Lorem(nothing()),
        (Meaning::Place, Family::Float | Family::Numeric) => noise(1.0),
        (Meaning::Money, Family::Float | Family::Numeric | Family::Int) => noise(10.0),
        (Meaning::Gender, Family::Enum) => Leaf::Choice(Choice::default()),
        (Meaning::Gender, Family::Bool) => {
            Leaf::Choice(Choice { values: vec![Scalar::Bool(true), Scalar::Bool(false)] })
        }
        (Meaning::Email | Meaning::Remark, Family::Timestamp | Family::Date) => {
            Leaf::DateShift(DateShift::default())
        }
        _ => return None,
    };
    Some(leaf.into())
}
