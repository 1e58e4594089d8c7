//! Problems: what each says, and that the good policy has none.
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

use common::{decided, policy, problems, schema, shop};
use masking::{Decision, Reversible, Severity, decide};

const POLICY: &str = include_str!("common/policy.yaml");

#[test]
fn a_whole_policy_fits_and_reports_every_column() {
    let decisions = decided(POLICY, &shop());
    assert!(decisions.warnings.is_empty(), "{:#?}", decisions.warnings);
    assert!(decisions.needs_key());
    insta::assert_yaml_snapshot!(decisions.report());
}

#[test]
fn generated_columns_are_not_copied_and_nulls_run_in_the_select() {
    let decisions = decided(POLICY, &shop());
    let users = decisions.table(&"public.users".parse().unwrap()).unwrap();
    assert!(users.copied().all(|c| c.column.name != "email_lower"));
    let search = users.columns.iter().find(|c| c.column.name == "search").unwrap();
    let Decision::Sql(mask) = &search.decision else { panic!("{search:?}") };
    assert_eq!(mask.expression(&search.column), "NULL::tsvector");
    assert_eq!(users.columns[0].sequence_floor, Some(1 << 62));
}

#[test]
fn both_ends_of_a_foreign_key_share_a_domain() {
    let report = decided(POLICY, &shop()).report();
    let domain = |table: &str, column: &str| {
        let line = report.iter().find(|l| l.table.table == table && l.column == column).unwrap();
        (line.domain.clone().unwrap(), line.reversible)
    };
    assert_eq!(domain("orders", "user_id"), ("column/public.users.id".to_owned(), Reversible::ByKeyHolder));
    assert_eq!(domain("orders", "user_id"), domain("users", "id"));
}

/// Every change to the good policy, and what is said about it.
#[test]
fn every_slip_is_named_with_its_column_and_a_cure() {
    let changes: &[(&str, &str, &str)] = &[
        ("an undecided column", "        - {name: phone, mask: {phone: {}}}\n", ""),
        ("an undecided foreign key", "        - {name: user_id, mask: {id: {}}}\n", ""),
        ("a table without rules", "    - name: public.orders\n", "    - name: public.users2\n"),
        ("a wrong column", "name: born,", "name: bron,"),
        ("keep and mask", "{name: status, keep: true}", "{name: status, keep: true, mask: {choice: {}}}"),
        ("null into NOT NULL", "{name: status, keep: true}", "{name: status, mask: {null: {}}}"),
        ("no label", "{name: status, keep: true}", "{name: status, mask: {constant: {value: gone}}}"),
        ("wrong type", "mask: {date: {from: \"1950-01-01\", to: \"2005-12-31\"}}", "mask: {phone: {}}"),
        ("lossy on unique", "{name: email, mask: {email: {}}}", "{name: email, mask: {fullName: {}}}"),
        ("check fails", "from: \"1950-01-01\"", "from: \"1850-01-01\""),
        (
            "check unknown",
            "mask: {date: {from: \"1950-01-01\", to: \"2005-12-31\"}}",
            "mask: {dateShift: {}}",
        ),
        (
            "check of kept domains",
            "mask: {email: {}}}\n        - {name: first",
            "mask: {email: {keepDomain: true}}}\n        - {name: first",
        ),
        ("foreign key ends differ", "{name: user_id, mask: {id: {}}}", "{name: user_id, keep: true}"),
        ("copy in a tsvector", "{name: search, mask: {null: {}}}", "{name: search, keep: true}"),
        (
            "truncated target",
            "    - name: public.users\n      columns:",
            "    - name: public.users\n      truncate: true\n      columns:",
        ),
        (
            "password too long",
            "password: {value: preview, cost: 4}",
            "password: {value: preview, algorithm: argon2id}",
        ),
        ("unused pattern", "\"*_digest\", types: [varchar]", "\"*_digests\", types: [varchar]"),
        (
            "when without otherwise",
            "{name: phone, mask: {phone: {}}}",
            "{name: phone, mask: {phone: {}}, when: [{column: status, equals: active}]}",
        ),
        (
            "when on a wrong value",
            "{name: phone, mask: {phone: {}}}",
            "{name: phone, mask: {phone: {}}, when: [{column: born, lessThan: soon}], otherwise: nullify}",
        ),
        (
            "random on a permutation",
            "{name: phone, mask: {phone: {}}}",
            "{name: phone, mask: {phone: {}}, random: true}",
        ),
        ("few values", "{name: gender, keep: true, accept: [copy]}", "{name: gender, mask: {username: {}}}"),
        ("a bad path", "path: $.bio", "path: bio"),
        ("a path undecided", "{path: $.theme, keep: true}", "{path: $.theme}"),
        ("negative totals", "min: 0, max: 500", "min: -5, max: 500"),
    ];
    let mut all = String::new();
    for (what, from, to) in changes {
        let changed = POLICY.replacen(from, to, 1);
        assert_ne!(changed, POLICY, "{what}");
        all.push_str(&format!("### {what}\n{}\n", problems(&changed, &shop())));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_column_that_nothing_decides_always_stops() {
    let shop = shop();
    let whole = policy(POLICY);
    for (t, table) in whole.tables.iter().enumerate() {
        for c in 0..table.columns.len() {
            let mut less = whole.clone();
            let gone = less.tables[t].columns.remove(c);
            let problems = decide(&less, &shop).expect_err(&gone.name);
            let named = problems.iter().any(|p| {
                p.severity == Severity::Error && p.column.as_ref() == Some(&gone.name) && p.paste.is_some()
            });
            assert!(named, "{}", gone.name);
        }
    }
}

#[test]
fn an_empty_policy_pastes_into_one_that_decides_every_column() {
    let shop = shop();
    let problems = decide(&policy("{}"), &shop).unwrap_err();
    // A rule per column, each with its table: joined, they are a policy without an undecided column.
    let mut yaml = String::from("tables:\n");
    for table in &shop.tables {
        yaml.push_str(&format!("  - name: {}\n    columns:\n", table.name));
        for problem in problems.iter().filter(|p| p.table.as_ref() == Some(&table.name)) {
            let line = problem.paste.as_ref().unwrap().lines().last().unwrap().trim();
            yaml.push_str(&format!("      {line}\n"));
        }
    }
    let left = match decide(&policy(&yaml), &shop) {
        Ok(decisions) => decisions.warnings,
        Err(problems) => problems,
    };
    assert!(left.iter().all(|p| p.code != masking::Code::Undecided), "{}", masking::render::plain(&left));
}

#[test]
fn patterns_mask_by_name_and_type_and_never_keep() {
    let schema = schema(
        "tables: [{name: t, columns: [
          {name: api_token, type: {name: text, kind: {text: {}}}},
          {name: reset_TOKEN, type: {name: bytea, kind: bytea}},
          {name: token_count, type: {name: integer, kind: int4}}]}]",
    );
    let yaml = "patterns: [{name: tokens, column: '*_token', mask: {null: {}}}]";
    let text = problems(yaml, &schema);
    assert!(text.contains("public.t.token_count: nothing decides"), "{text}");
    assert_eq!(text.matches("error[").count(), 1, "{text}");
    assert!(masking::parse("patterns: [{name: a, column: '*', keep: true}]").is_err());
}

#[test]
fn partitions_follow_their_parent_and_their_key_is_not_masked() {
    let schema = schema(
        "tables:
          - {name: log, partitionKey: [day], columns: [{name: day, type: {name: date, kind: date}}, {name: who, type: {name: text, kind: {text: {}}}}]}
          - {name: log_1, parent: public.log, columns: [{name: day, type: {name: date, kind: date}}, {name: who, type: {name: text, kind: {text: {}}}}]}",
    );
    let good = "tables: [{name: log, columns: [{name: day, keep: true}, {name: who, mask: {username: {}}}]}]";
    let report = decided(good, &schema).report();
    let domains: Vec<_> = report.iter().filter_map(|l| l.domain.clone()).collect();
    assert_eq!(domains, ["column/public.log.who", "column/public.log.who"]);
    let text = problems(&good.replace("day, keep: true", "day, mask: {dateShift: {}}"), &schema);
    assert!(text.contains("error[partition] public.log.day"), "{text}");
    assert!(!text.contains("error[partition] public.log_1.day"), "{text}");
    let own = good.replace(
        "tables: [",
        "tables: [{name: log_1, columns: [{name: day, mask: {dateShift: {}}}, {name: who, mask: {username: {}}}]}, ",
    );
    let text = problems(&own, &schema);
    assert!(
        text.contains("error[partition] public.log_1.day: public.log is partitioned by this column"),
        "{text}"
    );
}

#[test]
fn a_partitions_own_rule_has_to_fit_the_foreign_keys_of_its_table() {
    let id = "{name: id, type: {name: integer, kind: int4}}";
    let (day, key) = (
        "{name: day, type: {name: date, kind: date}}",
        "{name: log_id_fkey, columns: [id], target: public.t, targetColumns: [id]}",
    );
    let schema = schema(&format!(
        "tables:
          - {{name: t, partitionKey: [id], columns: [{id}]}}
          - {{name: t_1, parent: public.t, columns: [{id}]}}
          - {{name: log, partitionKey: [day], columns: [{id}, {day}], foreignKeys: [{key}]}}
          - {{name: log_1, parent: public.log, columns: [{id}, {day}]}}",
    ));
    let good = "tables: [{name: t, columns: [{name: id, keep: true}]}, {name: log, columns: [{name: id, keep: true}, {name: day, keep: true}]}";
    assert_eq!(problems(&format!("{good}]"), &schema), "");
    let text = problems(&format!("{good}, {{name: t_1, truncate: true}}]"), &schema);
    assert!(text.contains("error[foreign-key] public.log.id: public.t_1 is truncated"), "{text}");
    assert_eq!(text.matches("error[").count(), 1, "{text}");
    let own = "{name: log_1, columns: [{name: id, mask: {id: {}}}, {name: day, keep: true}]}";
    let text = problems(&format!("{good}, {own}]"), &schema);
    assert!(text.contains("error[foreign-key] public.log_1.id"), "{text}");
    assert_eq!(text.matches("error[").count(), 1, "{text}");
}

#[test]
fn texts_of_the_schema_that_carry_data_stop_the_copy_until_accepted() {
    let mut schema = schema("tables: []");
    schema.texts.push(masking::SchemaText {
        object: "default of public.t.mail".into(),
        text: "'boss@acme.co.jp'::text".into(),
    });
    let text = problems("{}", &schema);
    assert!(
        text.contains("error[schema-text] the default of public.t.mail holds an e-mail address"),
        "{text}"
    );
    assert!(!text.contains("boss"), "{text}");
    assert_eq!(problems("schemaTexts: [{name: default of public.t.mail}]", &schema), "");
}

#[test]
fn sarif_points_at_the_rule() {
    let changed = POLICY.replacen("name: born,", "name: bron,", 1);
    let problems = decide(&policy(&changed), &shop()).unwrap_err();
    let sarif = masking::render::sarif(&problems, "policy.yaml", &changed);
    let value: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    let line = |rule: &str| {
        let results = value["runs"][0]["results"].as_array().unwrap();
        let found = results.iter().find(|r| r["ruleId"] == rule).unwrap();
        found["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap() as usize
    };
    assert!(changed.lines().nth(line("missing") - 1).unwrap().contains("bron"));
    assert!(changed.lines().nth(line("undecided") - 1).unwrap().contains("public.users"));
}
