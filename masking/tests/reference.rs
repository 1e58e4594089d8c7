//! The policy reference is generated from the types. `UPDATE_REFERENCE=1 cargo test -p masking --all-features --test
//! reference` writes it anew.
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
#![cfg(feature = "schema")]

use std::path::Path;

use masking::Policy;
use serde_json::Value;

const FILE: &str = "../docs/reference/masking-policy.md";

const HEAD: &str = "\
# MaskingPolicy reference

Generated from the types of the `masking` crate; do not edit. What the masks promise, and which of them the key's
holder can undo, is told in [../masking.md](../masking.md).

";

#[test]
fn the_reference_is_the_one_that_the_types_give() {
    let schema = schemars::schema_for!(Policy).to_value();
    let mut text = String::from(HEAD);
    object(&schema, "Policy", &mut text);
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in definitions.iter().filter(|(name, _)| !["Nothing"].contains(&name.as_str())) {
        object(definition, name, &mut text);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "{FILE} is stale; run with UPDATE_REFERENCE=1"
    );
}

fn one_line(text: &Value) -> String {
    text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A type as a section: its fields or its alternatives as a table.
fn object(schema: &Value, name: &str, text: &mut String) {
    text.push_str(&format!("## {name}\n\n{}\n\n", one_line(&schema["description"])));
    if let Some(fields) = schema["properties"].as_object() {
        text.push_str("| field | type | |\n|---|---|---|\n");
        let required: Vec<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (field, of) in fields {
            let mark = if required.contains(&field.as_str()) { " (required)" } else { "" };
            text.push_str(&format!(
                "| `{field}`{mark} | {} | {} |\n",
                kind(of),
                one_line(&of["description"])
            ));
        }
        text.push('\n');
    }
    let alternatives = schema["oneOf"].as_array().cloned().unwrap_or_default();
    if !alternatives.is_empty() {
        text.push_str("| value | options | |\n|---|---|---|\n");
        for one in &alternatives {
            let (value, options) = match one["properties"].as_object().and_then(|p| p.iter().next()) {
                Some((key, of)) => (key.clone(), kind(of)),
                None => (one["const"].as_str().unwrap_or_default().to_owned(), String::new()),
            };
            text.push_str(&format!("| `{value}` | {options} | {} |\n", one_line(&one["description"])));
        }
        text.push('\n');
    }
}

/// A type in a cell of a table.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return if name == "Nothing" {
            "`{}`".to_owned()
        } else {
            format!("[{name}](#{})", name.to_lowercase())
        };
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().filter(|s| s["type"] != "null").map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(ty) if ty == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(ty) => ty.clone(),
        Value::Array(types) => {
            let types: Vec<_> = types.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect();
            if types == ["array"] {
                format!("list of {}", kind(&schema["items"]))
            } else {
                types.join(" or ")
            }
        }
        _ => "text, number or boolean".to_owned(),
    }
}
