//! Properties of the masks over any values, on both wires.
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

use std::collections::BTreeMap;

use common::masks::{JSON, JSON_MASKS, TEXT, TEXT_MASKS, TYPED};
use common::{masker, one, row};
use masking::{MaskedRow, TableMasker, Wire};
use proptest::prelude::*;

fn binary(masker: &mut TableMasker, raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = MaskedRow::new();
    masker.mask_row(&[Some(raw)], &mut out).ok()?;
    out.field(0, Some(raw)).map(<[u8]>::to_vec)
}

thread_local! {
    /// Maskers are made once: making them is not what is tested here.
    static MADE: std::cell::RefCell<BTreeMap<(String, String, bool), TableMasker>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

fn with<T>(ty: &str, mask: &str, wire: Wire, work: impl FnOnce(&mut TableMasker) -> T) -> T {
    MADE.with_borrow_mut(|made| {
        let made = made.entry((ty.into(), mask.into(), wire == Wire::Binary)).or_insert_with(|| {
            let (schema, policy) = one(ty, mask);
            masker(&schema, &policy, "t", wire)
        });
        work(made)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_becomes_a_text_that_fits_and_stays_the_same_for_the_same(
        mask in proptest::sample::select(TEXT_MASKS),
        text in proptest::string::string_regex("(?s).{0,50}|[0-9 +-]{0,30}|[a-z.]{1,9}@[a-z]{1,9}\\.[a-z]{2,3}").unwrap(),
        max in 40..60u32,
    ) {
        prop_assume!(!text.contains('\0'));
        // A column holds no text that is longer than the column.
        let text: String = text.chars().take(max as usize).collect();
        let ty = format!("{{name: varchar, kind: {{text: {{max: {max}}}}}}}");
        let made = with(&ty, mask, Wire::Binary, |m| binary(m, text.as_bytes()));
        let again = with(&ty, mask, Wire::Binary, |m| binary(m, text.as_bytes()));
        prop_assert_eq!(&made, &again);
        let made = String::from_utf8(made.unwrap()).unwrap();
        prop_assert!(made.chars().count() <= max as usize, "{} is too long", made);
        // Both wires carry texts alike.
        let printed = with(&ty, mask, Wire::Text, |m| binary(m, text.as_bytes()));
        prop_assert_eq!(printed.unwrap(), made.into_bytes());
    }

    #[test]
    fn masked_texts_hold_nothing_of_high_entropy_originals(
        mask in proptest::sample::select(&["{id: {}}", "{hash: {}}", "{email: {}}", "{fullName: {}}", "{username: {}}", "{lorem: {}}", "{url: {}}"][..]),
        text in "[A-Z0-9]{16}",
    ) {
        let made = with(TEXT, mask, Wire::Text, |m| row(m, &[&text])).remove(0);
        prop_assert!(!made.contains(&text[..8]));
    }

    #[test]
    fn any_bytes_are_masked_to_the_right_length_or_refused(
        (ty, mask, length) in proptest::sample::select(TYPED),
        raw in proptest::collection::vec(any::<u8>(), 0..20),
        exact: bool,
    ) {
        let mut raw = raw;
        if exact {
            raw.resize(length, 7);
        }
        if let Some(made) = with(ty, mask, Wire::Binary, |m| binary(m, &raw)) {
            prop_assert_eq!(made.len(), length);
        } else {
            prop_assert!(raw.len() != length, "a value of the type was refused");
        }
    }

    #[test]
    fn any_text_on_the_text_wire_is_masked_or_refused(
        (ty, mask, _) in proptest::sample::select(TYPED),
        text in "[-+0-9a-f:./ TZ]{0,40}",
    ) {
        let _ = with(ty, mask, Wire::Text, |m| binary(m, text.as_bytes()));
    }

    #[test]
    fn null_stays_null((ty, mask, _) in proptest::sample::select(TYPED), wide: bool) {
        let wire = if wide { Wire::Binary } else { Wire::Text };
        let made = with(ty, mask, wire, |m| {
            let mut out = MaskedRow::new();
            m.mask_row(&[None], &mut out).unwrap();
            out.field(0, None).map(<[u8]>::to_vec)
        });
        prop_assert_eq!(made, None);
    }

    #[test]
    fn integers_mask_alike_on_both_wires_and_in_wider_and_decimal_columns(value: i32, mask in proptest::sample::select(&["{id: {}}", "{digits: {}}"][..])) {
        let text = value.to_string();
        let made = with("{name: integer, kind: int4}", mask, Wire::Text, |m| row(m, &[&text])).remove(0);
        let wire = with("{name: integer, kind: int4}", mask, Wire::Binary, |m| binary(m, &value.to_be_bytes())).unwrap();
        prop_assert_eq!(i32::from_be_bytes(wire.try_into().unwrap()).to_string(), made.clone());
        if mask == "{id: {}}" {
            let wide = with("{name: bigint, kind: int8}", mask, Wire::Text, |m| row(m, &[&text])).remove(0);
            prop_assert_eq!(&wide, &made);
            let decimal = with("{name: numeric, kind: {numeric: {}}}", mask, Wire::Text, |m| row(m, &[&format!("{text}.00")])).remove(0);
            prop_assert_eq!(&decimal, &made);
        }
    }

    #[test]
    fn form_keeping_masks_are_one_to_one(
        mask in proptest::sample::select(&["{digits: {}}", "{phone: {}}", "{card: {}}", "{iban: {}}", "{id: {}}", "{zip: {}}"][..]),
        a in "[+0]?[0-9]{0,3}[- ]?[0-9]{3,12}|[A-Z]{2}[0-9]{14,20}|[A-Z0-9]{5,8}",
        b in "[+0]?[0-9]{0,3}[- ]?[0-9]{3,12}|[A-Z]{2}[0-9]{14,20}|[A-Z0-9]{5,8}",
    ) {
        let made = |text: &str| with(TEXT, mask, Wire::Text, |m| row(m, &[text])).remove(0);
        prop_assert_eq!(made(&a) == made(&b), a == b);
    }

    #[test]
    fn any_json_document_is_masked_into_one_of_the_same_shape(document in json(), known: bool) {
        let (ty, mask) = (JSON, JSON_MASKS[usize::from(!known)]);
        let text = document.to_string();
        let made = with(ty, mask, Wire::Text, |m| row(m, &[&text])).remove(0);
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        prop_assert!(like(&document, &made), "{} {}", document, made);
        let mut wire = vec![1];
        wire.extend(text.bytes());
        let binary = with(ty, mask, Wire::Binary, |m| binary(m, &wire)).unwrap();
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&binary[1..]).unwrap(), made);
    }

    #[test]
    fn any_text_as_json_is_refused_without_a_panic(text in "[{}\\[\\],:\"\\\\a-c0-9. -]{0,40}") {
        let mask = "{json: {paths: [{path: $, mask: {hash: {}}}]}}";
        let _ = with("{name: json, kind: json}", mask, Wire::Text, |m| binary(m, text.as_bytes()));
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<f32>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| f64::from(f).into()),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::btree_map("[a-d\"\\\\é]{1,2}", inner, 0..5)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

/// The same structure: as many items and keys.
fn like(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Null, Object};
    match (a, b) {
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| like(a, b)),
        (Object(a), Object(b)) => a.len() == b.len(),
        (Null, other) => *other == Null,
        (Array(_) | Object(_), _) | (_, Array(_) | Object(_)) => false,
        _ => true,
    }
}

#[test]
fn a_number_that_its_column_cannot_hold_is_refused() {
    let (ty, mask) = ("{name: smallint, kind: int2}", "{digits: {}}");
    assert_eq!(with(ty, mask, Wire::Text, |m| binary(m, b"171777")), None);
    assert!(with(ty, mask, Wire::Text, |m| binary(m, b"17177")).is_some());
}

#[test]
fn words_beside_digits_do_not_leave() {
    for mask in ["{phone: {}}", "{digits: {}}", "{card: {}}", "{iban: {}}"] {
        for text in
            ["Carol Jones (mother) 090-1234-5678", "佐藤花子 090-1234-5678", "call Carol: +81 90 1234 5678"]
        {
            let made = with(TEXT, mask, Wire::Text, |m| row(m, &[text])).remove(0);
            assert!(
                !made.contains("Carol") && !made.contains("Jones") && !made.contains("佐藤"),
                "{mask}: {made}"
            );
        }
        let made = with(TEXT, mask, Wire::Text, |m| row(m, &["090-1234-5678 ext 12"])).remove(0);
        assert!(made.contains(" ext "), "{mask}: {made}");
    }
    let made = with(TEXT, "{email: {keepDomain: true}}", Wire::Text, |m| row(m, &["x@corp.jp Carol Jones"]))
        .remove(0);
    assert!(!made.contains("Carol") && !made.contains("corp.jp"), "{made}");
}

#[test]
fn what_is_too_long_to_compute_with_is_refused_and_an_address_never_stays_whole() {
    let numeric = "{name: numeric, kind: {numeric: {}}}";
    let long = "1234567890123456789012345678901234567890";
    for mask in ["{noise: {percent: 5}}", "{generalize: {step: 10}}"] {
        assert_eq!(with(numeric, mask, Wire::Text, |m| binary(m, long.as_bytes())), None, "{mask}");
        assert_eq!(with(numeric, mask, Wire::Text, |m| row(m, &["NaN"])), ["NaN"]);
    }
    let inet = "{name: inet, kind: inet}";
    assert_eq!(
        with(inet, "{generalize: {bits: 48}}", Wire::Text, |m| row(m, &["203.0.113.77"])),
        ["203.0.113.0"]
    );
}

#[test]
fn keys_of_a_document_that_the_policy_does_not_name_do_not_leave() {
    let ty = "{name: jsonb, kind: jsonb}";
    let (schema, policy) = one(ty, "{json: {paths: [{path: $.a, keep: true}, {path: $.b.c, keep: true}]}}");
    let mut masker = masker(&schema, &policy, "t", Wire::Text);
    let mut refused = |text: &str| masker.mask_row(&[Some(text.as_bytes())], &mut MaskedRow::new()).is_err();
    assert!(
        refused(r#"{"carol@corp.jp": null}"#)
            && refused(r#"{"carol@corp.jp": {}}"#)
            && refused(r#"{"x": []}"#)
    );
    assert!(!refused(r#"{"a": null, "b": null}"#) && !refused(r#"{"b": {}}"#) && !refused("{}"));
    let nullify = "{json: {paths: [{path: $.a, keep: true}], unknown: nullify}}";
    let made =
        with(ty, nullify, Wire::Text, |m| row(m, &[r#"{"a": 1, "carol@corp.jp": 2, "x": {"taro": 3}}"#]));
    assert_eq!(made, [r#"{"a": 1, "_1": null, "_2": {"_1": null}}"#]);
}

#[test]
fn an_unknown_json_path_stops_the_row_and_says_nothing_of_the_value() {
    let (schema, policy) = one("{name: jsonb, kind: jsonb}", "{json: {paths: [{path: $.a, keep: true}]}}");
    let mut masker = masker(&schema, &policy, "t", Wire::Text);
    let error =
        masker.mask_row(&[Some(b"{\"a\": 1, \"hidden\": \"Taro\"}")], &mut MaskedRow::new()).unwrap_err();
    assert_eq!(error.column, "c");
    assert!(!error.to_string().contains("Taro") && !error.to_string().contains("hidden"), "{error}");
}
