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
const WORDS: &[(&str, Meaning)] = &[
    ("password", Meaning::Password),
    ("passwd", Meaning::Password),
    ("pwd", Meaning::Password),
    ("パスワード", Meaning::Password),
    ("api key", Meaning::Secret),
    ("access key", Meaning::Secret),
    ("private key", Meaning::Secret),
    ("secret", Meaning::Secret),
    ("token", Meaning::Secret),
    ("otp", Meaning::Secret),
    ("cvv", Meaning::Secret),
    ("cvc", Meaning::Secret),
    ("session id", Meaning::Secret),
    ("cookie", Meaning::Secret),
    ("トークン", Meaning::Secret),
    ("暗証", Meaning::Secret),
    ("ip", Meaning::Ip),
    ("ip address", Meaning::Ip),
    ("remote addr", Meaning::Ip),
    ("mac address", Meaning::Mac),
    ("mac", Meaning::Mac),
    ("user agent", Meaning::Remark),
    ("email", Meaning::Email),
    ("e mail", Meaning::Email),
    ("mail", Meaning::Email),
    ("メール", Meaning::Email),
    ("first name", Meaning::FirstName),
    ("firstname", Meaning::FirstName),
    ("given name", Meaning::FirstName),
    ("forename", Meaning::FirstName),
    ("fname", Meaning::FirstName),
    ("mei", Meaning::FirstName),
    ("名（名）", Meaning::FirstName),
    ("last name", Meaning::LastName),
    ("lastname", Meaning::LastName),
    ("family name", Meaning::LastName),
    ("surname", Meaning::LastName),
    ("lname", Meaning::LastName),
    ("sei", Meaning::LastName),
    ("苗字", Meaning::LastName),
    ("姓", Meaning::LastName),
    ("user name", Meaning::Username),
    ("username", Meaning::Username),
    ("login", Meaning::Username),
    ("nickname", Meaning::Username),
    ("screen name", Meaning::Username),
    ("handle", Meaning::Username),
    ("ニックネーム", Meaning::Username),
    ("ユーザー名", Meaning::Username),
    ("company", Meaning::Company),
    ("employer", Meaning::Company),
    ("organization", Meaning::Company),
    ("会社", Meaning::Company),
    ("法人", Meaning::Company),
    ("勤務先", Meaning::Company),
    ("full name", Meaning::FullName),
    ("fullname", Meaning::FullName),
    ("display name", Meaning::FullName),
    ("contact name", Meaning::FullName),
    ("recipient name", Meaning::FullName),
    ("recipient", Meaning::FullName),
    ("customer name", Meaning::FullName),
    ("maiden name", Meaning::LastName),
    ("shimei", Meaning::FullName),
    ("furigana", Meaning::FullName),
    ("フリガナ", Meaning::FullName),
    ("ふりがな", Meaning::FullName),
    ("氏名", Meaning::FullName),
    ("名前", Meaning::FullName),
    ("宛名", Meaning::FullName),
    ("担当者", Meaning::FullName),
    ("phone", Meaning::Phone),
    ("telephone", Meaning::Phone),
    ("tel", Meaning::Phone),
    ("mobile", Meaning::Phone),
    ("fax", Meaning::Phone),
    ("denwa", Meaning::Phone),
    ("電話", Meaning::Phone),
    ("携帯", Meaning::Phone),
    ("zip", Meaning::Zip),
    ("zipcode", Meaning::Zip),
    ("postal code", Meaning::Zip),
    ("postcode", Meaning::Zip),
    ("yubin", Meaning::Zip),
    ("郵便", Meaning::Zip),
    ("address", Meaning::Address),
    ("addr", Meaning::Address),
    ("street", Meaning::Address),
    ("jusho", Meaning::Address),
    ("住所", Meaning::Address),
    ("番地", Meaning::Address),
    ("city", Meaning::City),
    ("town", Meaning::City),
    ("市区町村", Meaning::City),
    ("card number", Meaning::Card),
    ("credit card", Meaning::Card),
    ("pan", Meaning::Card),
    ("カード番号", Meaning::Card),
    ("iban", Meaning::Iban),
    ("account number", Meaning::Number),
    ("口座", Meaning::Number),
    ("ssn", Meaning::Number),
    ("social security", Meaning::Number),
    ("passport", Meaning::Number),
    ("license number", Meaning::Number),
    ("tax id", Meaning::Number),
    ("my number", Meaning::Number),
    ("マイナンバー", Meaning::Number),
    ("個人番号", Meaning::Number),
    ("保険証", Meaning::Number),
    ("免許", Meaning::Number),
    ("birth", Meaning::Birth),
    ("birthday", Meaning::Birth),
    ("birthdate", Meaning::Birth),
    ("dob", Meaning::Birth),
    ("生年月日", Meaning::Birth),
    ("誕生日", Meaning::Birth),
    ("latitude", Meaning::Place),
    ("longitude", Meaning::Place),
    ("lat", Meaning::Place),
    ("lng", Meaning::Place),
    ("緯度", Meaning::Place),
    ("経度", Meaning::Place),
    ("salary", Meaning::Money),
    ("income", Meaning::Money),
    ("balance", Meaning::Money),
    ("年収", Meaning::Money),
    ("給与", Meaning::Money),
    ("残高", Meaning::Money),
    ("gender", Meaning::Gender),
    ("sex", Meaning::Gender),
    ("性別", Meaning::Gender),
    ("url", Meaning::Url),
    ("website", Meaning::Url),
    ("homepage", Meaning::Url),
    ("comment", Meaning::Remark),
    ("note", Meaning::Remark),
    ("notes", Meaning::Remark),
    ("memo", Meaning::Remark),
    ("message", Meaning::Remark),
    ("body", Meaning::Remark),
    ("bio", Meaning::Remark),
    ("remarks", Meaning::Remark),
    ("備考", Meaning::Remark),
    ("メモ", Meaning::Remark),
    ("本文", Meaning::Remark),
    ("自己紹介", Meaning::Remark),
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
    let found = WORDS.iter().find(|(word, _)| {
        let whole = spaced.contains(&format!(" {word} "));
        whole || (!word.is_ascii() && name.contains(word))
    });
    if let Some((word, meaning)) = found {
        return Some((*meaning, word));
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
        (Meaning::Secret | Meaning::Password, _) if !not_null => Leaf::Null(nothing()),
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
        (Meaning::Ip, Family::Text | Family::Net) => Leaf::Ip(nothing()),
        (Meaning::Mac, Family::Text | Family::Mac) => Leaf::Mac(nothing()),
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
        (_, Family::Net) => Leaf::Ip(nothing()),
        (_, Family::Mac) => Leaf::Mac(nothing()),
        (Meaning::Birth, Family::Text) if !not_null => Leaf::Null(nothing()),
        (Meaning::Email | Meaning::Remark, Family::Timestamp | Family::Date) => {
            Leaf::DateShift(DateShift::default())
        }
        _ => return None,
    };
    Some(leaf.into())
}
