//! A whole commented policy for a database.

use std::fmt::Write;

use super::{Suggestion, suggest};
use crate::decide::{inline, paste};
use crate::name::TableName;
use crate::policy::{Leaf, Locale, Mask};
use crate::schema::{Column, KeyKind, Schema, Table};

const HEAD: &str = "\
# What may leave the database, and how. Every column needs a decision: `keep: true`, or a mask.
# Lines that begin with `# decide:` are for you; until each is decided, a copy stops before a row moves.
# Which masks the key's holder can undo is said at each mask in the reference.
";

/// A policy for every table, with a comment that says why at each line. `samples` gives some values of a column as text;
/// none are repeated. Columns that are neither clearly personal nor clearly harmless are left to a person.
pub fn policy_yaml(
    schema: &Schema,
    locale: Locale,
    samples: &dyn Fn(&TableName, &str) -> Vec<String>,
) -> String {
    let mut out = String::from(HEAD);
    let locale =
        serde_json::to_value(locale).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let _ = write!(out, "locale: {locale}\ntables:\n");
    // A partition follows its parent's rules.
    for table in schema.tables.iter().filter(|t| t.parent.as_ref().is_none_or(|p| schema.table(p).is_none()))
    {
        let _ = write!(out, "  - name: {}\n    columns:\n", yaml_text(&table.name.to_string()));
        let start = out.len();
        for column in table.columns.iter().filter(|c| c.generated.is_none()) {
            let values = samples(&table.name, &column.name);
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            out.push_str(&line(table, column, &suggest(table, column, &values)));
        }
        if !out[start..].lines().any(|l| l.trim_start().starts_with('-')) {
            // A list of comments alone would read as null.
            let at = start - "    columns:\n".len();
            let comments = out.split_off(start);
            out.truncate(at);
            let _ = write!(out, "    columns: []  # replace by the lines below\n{comments}");
        }
    }
    out
}

fn yaml_text(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
        && !text.starts_with(|c: char| c.is_ascii_digit());
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn line(table: &Table, column: &Column, found: &Suggestion) -> String {
    let ty = &column.ty.name;
    let unique =
        table.keys.iter().any(|k| k.kind != KeyKind::Exclusion && k.columns == [column.name.clone()]);
    let refers = table.foreign_keys.iter().any(|k| k.columns.contains(&column.name));
    // Keys that only tie rows together are kept, so that the joins hold; personal ones among them have a sure mask.
    let tie = (refers || unique) && found.mask.is_none();
    let rule = match &found.mask {
        Some(mask)
            if unique && matches!(mask, Mask::FullName(_) | Mask::FirstName(_) | Mask::LastName(_)) =>
        {
            paste(&column.name, &inline(&Leaf::Username(crate::policy::Nothing {}).into()))
        }
        _ => found.line(&column.name),
    };
    if found.sure || tie {
        format!("      {rule}  # {ty}; {}\n", found.because)
    } else {
        format!("      # decide: {ty}; {}\n      # {rule}\n", found.because)
    }
}
