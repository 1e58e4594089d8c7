//! Whole rows: domains over tables and types, keys, random draws, chance, check digits.
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

use std::collections::BTreeSet;

use common::{decided, masker, one, row, schema, secrets};
use masking::{TableMasker, Wire};

const TEXT: &str = "{name: text, kind: {text: {}}}";

fn of(ty: &str, mask: &str) -> TableMasker {
    let (schema, policy) = one(ty, mask);
    masker(&schema, &policy, "t", Wire::Text)
}

#[test]
fn columns_of_one_domain_get_equal_values_whatever_their_types() {
    let schema = schema(
        "tables:
          - name: a
            keys: [{name: k, columns: [mail]}]
            columns:
              - {name: mail, type: {name: citext, kind: citext}}
              - {name: id, type: {name: integer, kind: int4}}
          - name: b
            columns:
              - {name: mail, type: {name: 'varchar(60)', kind: {text: {max: 60}}}}
              - {name: id, type: {name: text, kind: {text: {}}}}
            foreignKeys: [{name: f, columns: [mail], target: public.a, targetColumns: [mail]}]",
    );
    let policy = "tables:
      - {name: a, columns: [{name: mail, mask: {email: {}}}, {name: id, mask: {id: {}}, domain: number}]}
      - {name: b, columns: [{name: mail, mask: {email: {}}}, {name: id, mask: {id: {}}, domain: number}]}";
    let (mut a, mut b) = (masker(&schema, policy, "a", Wire::Text), masker(&schema, policy, "b", Wire::Text));
    assert_eq!(row(&mut a, &["Taro@X.jp", "42"]), row(&mut b, &["taro@x.JP", "42"]));
    assert_ne!(row(&mut a, &["taro@x.jp", "42"]), row(&mut a, &["jiro@x.jp", "43"]));
}

#[test]
fn random_draws_differ_by_row_and_stream_and_need_no_key() {
    let (schema, policy) = one(TEXT, "{username: {}}");
    let policy = policy.replace("}}]}]", "}, random: true}]}]");
    let decisions = decided(&policy, &schema);
    assert!(!decisions.needs_key());
    let without = masking::Secrets { master: None, ..secrets() };
    let made = TableMasker::new(&decisions, &"t".parse().unwrap(), Wire::Text, &without).unwrap();
    let mut seen = BTreeSet::new();
    for stream in 0..10 {
        let mut masker = made.for_stream(stream);
        seen.extend((0..100).map(|_| row(&mut masker, &["a"]).remove(0)));
    }
    assert_eq!(seen.len(), 1000);
}

#[test]
fn a_keyed_mask_without_a_key_is_refused_by_name() {
    let (schema, policy) = one(TEXT, "{email: {}}");
    let without = masking::Secrets { master: None, ..secrets() };
    let error = TableMasker::new(&decided(&policy, &schema), &"t".parse().unwrap(), Wire::Text, &without)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "public.t.c: mask `email` needs the master key; name its variable or file with --key"
    );
}

#[test]
fn no_more_values_stay_as_they_were_than_chance_allows() {
    // 10,000 values of a class of 2^30: one fixed point is already rarer than 10⁻⁵, three than 10⁻⁹.
    let mut ids = of("{name: bigint, kind: int8}", "{id: {}}");
    let mut made = |i: i64| {
        let text = (100_000 + i).to_string();
        row(&mut ids, &[&text]).remove(0) == text
    };
    assert!((0..10_000).filter(|i| made(*i)).count() < 3);
    // Of 100 names each stays itself with a chance of about 1/100: more than 60 of 2,000 is rarer than 10⁻⁹.
    let list = ["Emma Smith", "Liam Jones", "Olivia Brown", "Noah Davis"];
    let mut names = of(TEXT, "{fullName: {}}");
    let same = (0..2000).filter(|i| {
        let text = format!("{} {i}", list[i % 4]);
        let made = row(&mut names, &[&text]).remove(0);
        text.starts_with(&made)
    });
    assert!(same.count() < 60);
}

#[test]
fn every_card_and_iban_stays_valid() {
    // Check digits computed here by the textbook, apart from the crate.
    let luhn = |text: &str| {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
        digits
            .iter()
            .rev()
            .enumerate()
            .map(|(i, d)| if i % 2 == 1 { d * 2 / 10 + d * 2 % 10 } else { *d })
            .sum::<u32>()
            % 10
            == 0
    };
    let iban = |text: &str| {
        let moved = format!("{}{}", &text[4..], &text[..4]);
        let digits: String = moved.chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
        digits.bytes().fold(0u32, |n, b| (n * 10 + u32::from(b - b'0')) % 97) == 1
    };
    let (mut cards, mut ibans) = (of(TEXT, "{card: {}}"), of(TEXT, "{iban: {}}"));
    for i in 0..500u64 {
        let card = |last: u64| format!("42424242{:07}{last}", i * 7919 % 10_000_000);
        let valid = (0..10).map(card).find(|c| luhn(c)).unwrap();
        let made = row(&mut cards, &[&valid]).remove(0);
        assert!(luhn(&made) && !made.starts_with(['2', '3', '4', '5', '6']), "{made}");
        let account = |check: u64| format!("DE{check:02}{:018}", i * 104_729);
        let valid = (2..99).map(account).find(|c| iban(c)).unwrap();
        let made = row(&mut ibans, &[&valid]).remove(0);
        assert!(iban(&made) && made.starts_with("DE") && made != valid, "{made}");
    }
}
