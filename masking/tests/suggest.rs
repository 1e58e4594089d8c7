//! Suggestions, by name and by shape, in English and Japanese.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::format_collect
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::too_many_lines
)]

mod common;

use common::{policy, schema, shop};
use masking::suggest::{policy_yaml, suggest};
use masking::{Locale, Schema, Table};

fn table(name: &str, column: &str, ty: &str) -> Table {
    let quoted = column.replace('"', "\\\"");
    let made: Schema =
        schema(&format!("tables: [{{name: {name}, columns: [{{name: \"{quoted}\", type: {ty}}}]}}]"));
    made.tables.into_iter().next().unwrap()
}

fn suggested(name: &str, column: &str, ty: &str, samples: &[&str]) -> String {
    let table = table(name, column, ty);
    let found = suggest(&table, &table.columns[0], samples);
    let mask = found.mask.as_ref().map_or(if found.keep { "keep" } else { "?" }, |m| m.name());
    format!("{mask}{}", if found.sure { "" } else { "?" })
}

const TEXT: &str = "{name: text, kind: {text: {}}}";

#[test]
fn names_of_columns_say_what_they_hold() {
    for (table, column, expected) in [
        ("users", "email", "email"),
        ("users", "unconfirmedEmail", "email"),
        ("users", "encrypted_password", "password"),
        ("users", "reset_password_token", "password"),
        ("users", "api_token", "null"),
        ("users", "first_name", "firstName"),
        ("users", "lastName", "lastName"),
        ("users", "name", "fullName"),
        ("products", "name", "null?"),
        ("users", "phone_number", "phone"),
        ("users", "address2", "address"),
        ("users", "zipcode", "zip"),
        ("users", "last_sign_in_ip", "ip"),
        ("payments", "card_number", "card"),
        ("users", "company_name", "company"),
        ("orders", "status", "keep?"),
        ("orders", "shipping", "null?"),
        ("orders", "description_of_goods", "null?"),
        ("顧客", "氏名", "fullName"),
        ("顧客", "氏名カナ", "fullName"),
        ("顧客", "姓", "lastName"),
        ("顧客", "メールアドレス", "email"),
        ("顧客", "電話番号", "phone"),
        ("顧客", "郵便番号", "zip"),
        ("顧客", "住所1", "address"),
        ("顧客", "会社名", "company"),
        ("顧客", "備考", "lorem"),
        ("顧客", "マイナンバー", "digits"),
        ("会員", "sei_kana", "lastName"),
        ("会員", "shimei", "fullName"),
    ] {
        assert_eq!(suggested(table, column, TEXT, &[]), expected, "{table}.{column}");
    }
    assert_eq!(suggested("users", "birthday", "{name: date, kind: date}", &[]), "date");
    assert_eq!(suggested("users", "生年月日", "{name: date, kind: date}", &[]), "date");
    assert_eq!(suggested("users", "created_at", "{name: timestamptz, kind: timestamptz}", &[]), "keep?");
    assert_eq!(suggested("users", "current_ip", "{name: inet, kind: inet}", &[]), "ip");
    assert_eq!(suggested("users", "年収", "{name: integer, kind: int4}", &[]), "noise");
}

#[test]
fn the_kana_column_of_a_name_is_written_in_kana() {
    let table = table("顧客", "氏名フリガナ", TEXT);
    assert_eq!(
        suggest(&table, &table.columns[0], &[]).line("氏名フリガナ"),
        "- {name: 氏名フリガナ, mask: {fullName: {script: \"katakana\"}}}"
    );
}

#[test]
fn sampled_shapes_speak_where_names_do_not() {
    for (samples, expected) in [
        (&["a@b.jp", "c@d.com"][..], "email"),
        (&["090-1234-5678", "03-1111-2222"], "phone"),
        (&["4242 4242 4242 4242"], "card"),
        (&["佐藤 花子", "鈴木 一郎"], "fullName"),
        (&["東京都渋谷区神宮前1-2-3"], "address"),
        (&["sk_live_4eC39HqLyjWDarjtT1zdp7dc"], "hash"),
        (&["red", "green", "blue"], "null?"),
        // A tenth is enough for a doubt.
        (&["x", "x", "x", "x", "x", "x", "x", "x", "x", "taro@mail.jp"], "email?"),
    ] {
        assert_eq!(suggested("t", "field1", TEXT, samples), expected, "{samples:?}");
    }
}

#[test]
fn json_documents_get_a_path_each_and_repeat_no_value() {
    let table = table("t", "data", "{name: jsonb, kind: jsonb}");
    let samples = [
        r#"{"user": {"email": "a@b.jp", "age": 5}, "by": {"x@y.jp": 1}, "list": [{"tel": "090-1234-5678"}]}"#,
    ];
    let found = suggest(&table, &table.columns[0], &samples);
    let line = found.line("data");
    insta::assert_snapshot!(line);
    for secret in ["a@b.jp", "x@y.jp", "090"] {
        assert!(!line.contains(secret), "{secret}");
    }
    policy(&format!("tables: [{{name: t, columns:\n [{}]}}]", line.trim_start_matches("- ")));
}

#[test]
fn a_new_policy_reads_decides_what_is_sure_and_leaves_the_rest_to_a_person() {
    let text = policy_yaml(&shop(), Locale::JaJp, &|_, column| match column {
        "note" => vec!["call 山田".into()],
        _ => vec![],
    });
    insta::assert_snapshot!(text);
    policy(&text);
    let decided = text.replace("# decide:", "#").replace("      # - {", "      - {");
    let problems = masking::decide(&policy(&decided), &shop()).err().unwrap_or_default();
    assert!(
        problems.iter().all(|p| p.code != masking::Code::Undecided),
        "{}",
        masking::render::plain(&problems)
    );
}
