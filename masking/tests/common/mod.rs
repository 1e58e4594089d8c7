//! A small shop's schema, and helpers that mask one row.
#![allow(
    dead_code,
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

pub mod masks;

use masking::{
    Decisions, MaskedRow, MasterKey, Policy, Problem, Schema, Secrets, TableMasker, TableName, Wire, decide,
    parse,
};

pub fn schema(yaml: &str) -> Schema {
    serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{e}"))
}

pub fn policy(yaml: &str) -> Policy {
    parse(yaml).unwrap_or_else(|e| panic!("{e}"))
}

pub fn shop() -> Schema {
    schema(include_str!("shop.yaml"))
}

pub fn decided(policy_yaml: &str, schema: &Schema) -> Decisions {
    decide(&policy(policy_yaml), schema).unwrap_or_else(|p| panic!("{}", masking::render::plain(&p)))
}

pub fn problems(policy_yaml: &str, schema: &Schema) -> String {
    let list: Vec<Problem> = match decide(&policy(policy_yaml), schema) {
        Ok(decisions) => decisions.warnings,
        Err(problems) => problems,
    };
    masking::render::plain(&list)
}

pub fn secrets() -> Secrets {
    let master =
        MasterKey::parse(b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap();
    Secrets { master: Some(master), seed: [42; 32] }
}

/// A table of one column of a type, and a policy of one mask.
pub fn one(ty: &str, mask: &str) -> (Schema, String) {
    let schema = schema(&format!("tables: [{{name: t, columns: [{{name: c, type: {ty}}}]}}]"));
    (schema, format!("tables: [{{name: t, columns: [{{name: c, mask: {mask}}}]}}]"))
}

pub fn masker(schema: &Schema, policy: &str, table: &str, wire: Wire) -> TableMasker {
    let table: TableName = table.parse().unwrap();
    TableMasker::new(&decided(policy, schema), &table, wire, &secrets()).unwrap()
}

/// A text row through a masker; NULL is `∅`.
pub fn row(masker: &mut TableMasker, fields: &[&str]) -> Vec<String> {
    let raw: Vec<Option<&[u8]>> = fields.iter().map(|f| (*f != "∅").then_some(f.as_bytes())).collect();
    let mut out = MaskedRow::new();
    masker.mask_row(&raw, &mut out).unwrap();
    let cell =
        |i: usize| out.field(i, raw[i]).map_or("∅".to_owned(), |b| String::from_utf8(b.to_vec()).unwrap());
    (0..raw.len()).map(cell).collect()
}
