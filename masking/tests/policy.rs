//! The parser: strict, and helpful about slips.
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

use common::{policy, problems, shop};
use masking::{Mask, parse};
use proptest::prelude::*;

const POLICY: &str = include_str!("common/policy.yaml");

#[test]
fn a_manifest_and_its_spec_alone_read_the_same() {
    let manifest = policy(POLICY);
    let (_, spec) = POLICY.split_once("spec:\n").unwrap();
    let spec: String = spec.lines().map(|l| format!("{}\n", l.strip_prefix("  ").unwrap_or(l))).collect();
    assert_eq!(policy(&spec), manifest);
}

#[test]
fn a_policy_reads_back_as_it_writes() {
    let manifest = policy(POLICY);
    assert_eq!(policy(&manifest.to_yaml().unwrap()), manifest);
}

#[test]
fn slips_are_refused_with_line_and_nearest_name() {
    let refused = |yaml: &str| parse(yaml).expect_err(yaml).to_string();
    let all = [
        "tables:\n  - name: a\n    columms: []",
        "tables:\n  - {name: a, columns: [{name: b, mask: {emial: {}}}]}",
        "tables:\n  - {name: a, columns: [{name: b, mask: {email: {keepDomains: true}}}]}",
        "tables:\n  - {name: a, columns: [{name: b, keep: true}, {name: c, keep: true, keep: false}]}",
        "tables:\n  - {name: a, columns: [{name: b, keep: yes}]}",
        "tables:\n  - {name: 'a.b.c', columns: []}",
        "locale: ja",
        "kind: Deployment\napiVersion: apps/v1\nspec: {}",
        "kind: MaskingPolicy\nspec: {}",
        "apiVersion: keelway.dev/v1alpha1\nkind: MaskingPolicy\nspec: {}\nspecs: {}",
        "locale: en_US\n---\nlocale: ja_JP",
        "tables: [{name: a, columns: [{name: b, mask: {sql: 'now()'}}]}]",
        "tables: [{name: a, columns: [{name: b, mask: email}]}]",
        "a: &a [*a]",
    ]
    .map(refused);
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_mask_null_reads_with_and_without_quotes() {
    for yaml in ["{null: {}}", "{\"null\": {}}"] {
        let policy = policy(&format!("tables: [{{name: a, columns: [{{name: b, mask: {yaml}}}]}}]"));
        assert!(matches!(policy.tables[0].columns[0].mask, Some(Mask::Null(_))));
    }
}

#[test]
fn every_problem_line_reads_as_a_rule() {
    let text = problems("{}", &shop());
    for line in text.lines().map(str::trim).filter(|l| l.starts_with("- {name")) {
        let parsed =
            policy(&format!("tables: [{{name: t, columns:\n  [{}]}}]", line.trim_start_matches("- ")));
        assert_eq!(parsed.tables[0].columns.len(), 1, "{line}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_refused(text in "[-a-z0-9:{}\\[\\], \n&*#'\"|>%@!?]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_policy_with_any_line_changed_is_read_or_refused(line in 0..40usize, junk in "[-a-z:{}\\[\\], &*'\"]{0,20}") {
        let changed: String = POLICY.lines().enumerate().map(|(i, l)| format!("{}\n", if i == line { &junk } else { l })).collect();
        if let Ok(policy) = parse(&changed) {
            // Whatever is read is judged without a panic.
            let _ = masking::decide(&without_passwords(policy), &shop());
        }
    }
}

/// Hashing a password takes long in a debug build, and is not what is tested.
fn without_passwords(mut policy: masking::Policy) -> masking::Policy {
    policy.patterns.retain(|p| !matches!(p.mask, Mask::Password(_)));
    policy
}
