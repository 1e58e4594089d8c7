//! Golden vectors: what each mask makes of fixed values under a fixed key. A change here changes every copy that people
//! have made; it needs a new key-derivation label, not a new snapshot.
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

use common::{decided, masker, one, row, schema};
use masking::Wire;

const TEXTS: &[&str] = &[
    "taro.yamada@mail.co.jp",
    "山田 太郎",
    "090-1234-5678",
    "",
    "Ünïcode & more than sixteen characters",
    "∅",
];

/// A mask, the type of its column, and values.
const CASES: &[(&str, &str, &[&str])] = &[
    (
        "{id: {}}",
        "{name: bigint, kind: int8}",
        &["0", "1", "2", "16383", "16384", "2000000000", "5000000000", "-7"],
    ),
    ("{id: {}}", "{name: uuid, kind: uuid}", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    (
        "{id: {}}",
        "{name: text, kind: {text: {}}}",
        &["42", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "SKU-1", "042"],
    ),
    ("{uuid: {}}", "{name: text, kind: {text: {}}}", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "none"]),
    ("{digits: {}}", "{name: text, kind: {text: {}}}", &["ORD-000123", "１２３-４５６７", "A-12", "なし"]),
    ("{digits: {}}", "{name: integer, kind: int4}", &["123456", "7", "-12", "0"]),
    ("{digits: {}}", "{name: numeric, kind: {numeric: {}}}", &["1234.50", "0.05", "-9.99"]),
    ("{hash: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{hash: {length: 64}}", "{name: bytea, kind: bytea}", &["\\xdeadbeef"]),
    ("{partial: {prefix: 2, suffix: 2}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{email: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{email: {keepDomain: true}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{firstName: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{lastName: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{fullName: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{fullName: {script: katakana}}", "{name: text, kind: {text: {}}}", &["ヤマダ タロウ"]),
    ("{username: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    (
        "{phone: {}}",
        "{name: text, kind: {text: {}}}",
        &["090-1234-5678", "03-1234-5678", "+81 90 1234 5678", "+1 (415) 555-0132", "ext. 12"],
    ),
    ("{address: {}}", "{name: text, kind: {text: {}}}", &["東京都渋谷区1-2-3"]),
    ("{city: {}}", "{name: text, kind: {text: {}}}", &["Tokyo"]),
    ("{zip: {keep: 2}}", "{name: text, kind: {text: {}}}", &["150-0001", "SW1A 1AA"]),
    ("{company: {}}", "{name: text, kind: {text: {}}}", &["Acme"]),
    ("{url: {}}", "{name: text, kind: {text: {}}}", &["https://acme.co.jp/a"]),
    ("{ip: {}}", "{name: inet, kind: inet}", &["192.168.1.7", "10.1.0.0/16", "2001:db8::1"]),
    ("{mac: {}}", "{name: macaddr, kind: macaddr}", &["08:00:2b:01:02:03"]),
    ("{card: {}}", "{name: text, kind: {text: {}}}", &["4242 4242 4242 4242", "378282246310005"]),
    (
        "{iban: {}}",
        "{name: text, kind: {text: {}}}",
        &["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"],
    ),
    ("{lorem: {}}", "{name: text, kind: {text: {}}}", TEXTS),
    ("{regex: {pattern: '[A-Z]{3}-\\d{4}'}}", "{name: text, kind: {text: {}}}", &["x"]),
    ("{choice: {values: [a, b, c]}}", "{name: text, kind: {text: {}}}", &["x", "y"]),
    ("{int: {min: 1, max: 100}}", "{name: integer, kind: int4}", &["5", "6"]),
    (
        "{numeric: {max: 10}}",
        "{name: 'numeric(5,2)', kind: {numeric: {precision: 5, scale: 2}}}",
        &["5.00", "6.00"],
    ),
    ("{date: {}}", "{name: date, kind: date}", &["1980-05-05"]),
    ("{date: {}}", "{name: timestamp with time zone, kind: timestamptz}", &["1980-05-05 10:00:00+09"]),
    ("{noise: {percent: 10}}", "{name: integer, kind: int4}", &["1000", "0"]),
    ("{noise: {percent: 10}}", "{name: numeric, kind: {numeric: {}}}", &["1000.00", "NaN"]),
    ("{dateShift: {days: 10}}", "{name: date, kind: date}", &["1980-05-05", "infinity"]),
    ("{generalize: {step: 10}}", "{name: integer, kind: int4}", &["57", "-3"]),
    (
        "{generalize: {to: month}}",
        "{name: timestamp without time zone, kind: timestamp}",
        &["1980-05-05 10:00:00"],
    ),
    ("{generalize: {bits: 16}}", "{name: inet, kind: inet}", &["192.168.1.7"]),
    ("{hash: {}}", "{name: 'text[]', kind: {array: {name: text, kind: {text: {}}}}}", &["{a,\"b c\",NULL}"]),
    (
        "{json: {paths: [{path: $.name, mask: {fullName: {}}}, {path: $.tags, keep: true}, {path: '$.by.*', mask: {int: {max: 9}}, maskKeys: true}, {path: '$.at', mask: {dateShift: {}}}, {path: '$.n[*]', mask: {digits: {}}}], unknown: nullify}}",
        "{name: jsonb, kind: jsonb}",
        &[
            "{\"name\": \"Taro\", \"tags\": [1, 2.50], \"by\": {\"taro@x.jp\": 5}, \"x\": {\"y\": true}, \"at\": \"2020-01-01T00:00:00Z\", \"n\": [1234567, \"12-34567\"]}",
            "null",
            "[]",
        ],
    ),
    (
        "{composite: {fields: [{name: street, mask: {address: {}}}, {name: no, keep: true}]}}",
        "{name: place, kind: {composite: {fields: [{name: street, type: {name: text, kind: {text: {}}}}, {name: no, type: {name: integer, kind: int4}}]}}}",
        &["(\"a, b\",7)", "(,)"],
    ),
];

#[test]
fn every_mask_makes_what_it_always_made() {
    let mut all = String::new();
    for (mask, ty, values) in CASES {
        all.push_str(&format!("{mask} {ty}\n"));
        for locale in ["en_US", "ja_JP"] {
            let (schema, policy) = one(ty, mask);
            let mut masker = masker(&schema, &format!("locale: {locale}\n{policy}"), "t", Wire::Text);
            let made: Vec<_> =
                values.iter().map(|v| format!("  {v} → {}\n", row(&mut masker, &[v])[0])).collect();
            let made = made.concat();
            if locale == "en_US" || !all.ends_with(&made) {
                all.push_str(&format!(" {locale}\n{made}"));
            }
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_row_is_one_person_and_a_template_sees_masked_values() {
    let text = "{name: text, kind: {text: {}}}";
    let schema = schema(&format!(
        "tables: [{{name: t, keys: [{{name: p, kind: primary, columns: [id]}}], columns: [
          {{name: id, type: {{name: bigint, kind: int8}}, notNull: true}}, {{name: sex, type: {text}}},
          {{name: first, type: {text}}}, {{name: last, type: {text}}}, {{name: whole, type: {text}}},
          {{name: kana, type: {text}}}, {{name: mail, type: {text}}}, {{name: hello, type: {text}}},
          {{name: born, type: {{name: date, kind: date}}}}, {{name: joined, type: {{name: date, kind: date}}}}]}}]"
    ));
    let policy = "
locale: ja_JP
tables:
  - name: t
    subject: id
    columns:
      - {name: id, mask: {id: {}}}
      - {name: sex, keep: true, accept: [copy]}
      - {name: first, mask: {firstName: {}}}
      - {name: last, mask: {lastName: {}}}
      - {name: whole, mask: {fullName: {}}}
      - {name: kana, mask: {fullName: {script: katakana}}}
      - {name: mail, mask: {email: {}}}
      - {name: hello, mask: {template: {text: 'Dear {whole}, no. {id}'}}}
      - {name: born, mask: {dateShift: {}}}
      - {name: joined, mask: {dateShift: {}}}
";
    let mut masker = masker(&schema, policy, "t", Wire::Text);
    let raw = [
        "7",
        "女",
        "Emma",
        "Jones",
        "Emma Jones",
        "x",
        "emma@real.jp",
        "Dear Emma",
        "2000-01-01",
        "2020-03-01",
    ];
    let made = row(&mut masker, &raw);
    assert_eq!(made[4], format!("{} {}", made[3], made[2]));
    assert_eq!(made[7], format!("Dear {}, no. {}", made[4], made[0]));
    let days = |a: &str, b: &str| masking_days(b) - masking_days(a);
    assert_eq!(days(&made[8], &made[9]), days(raw[8], raw[9]));
    insta::assert_snapshot!(made.join("\n"));
}

/// Days from a fixed start, counted month by month, apart from the crate's own arithmetic.
fn masking_days(date: &str) -> i64 {
    let mut parts = date.split('-').map(|p| p.parse::<i64>().unwrap());
    let (year, month, day) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1900..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    years + lengths[..month as usize - 1].iter().sum::<i64>() + day
}

#[test]
fn when_masks_only_some_rows_and_doubt_masks() {
    let schema = schema(
        "tables: [{name: t, columns: [{name: kind, type: {name: text, kind: {text: {}}}}, {name: c, type: {name: text, kind: {text: {}}}}]}]",
    );
    let policy = |otherwise: &str| {
        format!(
            "tables: [{{name: t, columns: [{{name: kind, keep: true}}, {{name: c, mask: {{constant: {{value: x}}}}, when: [{{column: kind, notEquals: staff}}], otherwise: {otherwise}}}]}}]"
        )
    };
    let mut keep = masker(&schema, &policy("keep"), "t", Wire::Text);
    let mut null = masker(&schema, &policy("nullify"), "t", Wire::Text);
    assert_eq!(row(&mut keep, &["staff", "a"])[1], "a");
    assert_eq!(row(&mut null, &["staff", "a"])[1], "∅");
    for kind in ["customer", "∅"] {
        assert_eq!(row(&mut keep, &[kind, "a"])[1], "x");
    }
    assert!(!decided(&policy("keep"), &schema).table(&"t".parse().unwrap()).unwrap().passes_through());
}
