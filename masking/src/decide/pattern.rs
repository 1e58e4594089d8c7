//! Patterns over names and types.

use crate::policy::Pattern;
use crate::schema::{Column, Table};

/// `*` stands for any characters; case does not count.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(previous) = last.replace(part) {
            match rest.find(previous) {
                Some(at) => rest = &rest[at + str::len(previous)..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// The pattern decides this column.
pub(crate) fn applies(pattern: &Pattern, table: &Table, column: &Column) -> bool {
    let name = || table.name.to_string();
    matches(&pattern.column, &column.name)
        && pattern.table.as_ref().is_none_or(|p| matches(p, &name()))
        && (pattern.types.is_empty() || pattern.types.iter().any(|t| type_matches(t, &column.ty.name)))
}

/// Type names that people write and Postgres does not print.
const ALIASES: [(&str, &str); 11] = [
    ("varchar", "character varying"),
    ("char", "character"),
    ("bpchar", "character"),
    ("int", "integer"),
    ("int4", "integer"),
    ("int2", "smallint"),
    ("int8", "bigint"),
    ("bool", "boolean"),
    ("timestamptz", "timestamp with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("decimal", "numeric"),
];

fn type_matches(wanted: &str, actual: &str) -> bool {
    let wanted = wanted.trim().to_lowercase();
    let (base, rest) = wanted.find(['(', '[']).map_or((wanted.as_str(), ""), |at| wanted.split_at(at));
    let base = ALIASES.iter().find(|(alias, _)| *alias == base.trim()).map_or(base.trim(), |(_, name)| name);
    let actual = actual.to_lowercase();
    let bare: String = actual.split('(').next().unwrap_or_default().to_owned()
        + actual.split_once(')').map_or("", |(_, after)| after);
    let full = format!("{base}{rest}");
    actual == full || bare == full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_characters_and_case_does_not_count() {
        for (pattern, name, expected) in [
            ("*_token", "api_TOKEN", true),
            ("*_token", "token", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("email", "email", true),
            ("email", "e-mail", false),
            ("*x*", "axb", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn types_match_by_the_names_people_use() {
        for (wanted, actual, expected) in [
            ("varchar", "character varying(255)", true),
            ("varchar(255)", "character varying(255)", true),
            ("varchar(20)", "character varying(255)", false),
            ("timestamptz", "timestamp with time zone", true),
            ("timestamptz", "timestamp(3) with time zone", true),
            ("text", "text[]", false),
            ("text[]", "text[]", true),
            ("int", "bigint", false),
        ] {
            assert_eq!(type_matches(wanted, actual), expected, "{wanted} {actual}");
        }
    }
}
