//! Quoting. Every name and every literal that reaches a server goes through here.

use std::fmt::Write as _;

/// A quoted identifier: always in double quotes, so that keywords, dots and upper case mean nothing.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `"schema"."name"`.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// A string literal that means the same with either setting of `standard_conforming_strings`.
pub fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 3);
    if value.contains('\\') {
        out.push('E');
    }
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// `ARRAY['a', 'b']::pg_catalog.text[]`.
pub fn text_array<S: AsRef<str>>(values: &[S]) -> String {
    let mut out = String::from("ARRAY[");
    for (i, value) in values.iter().enumerate() {
        let _ = write!(out, "{}{}", if i == 0 { "" } else { ", " }, literal(value.as_ref()));
    }
    out.push_str("]::pg_catalog.text[]");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotes_and_dots_stays_one_identifier() {
        assert_eq!(qualified("a.b", "c\"; DROP"), "\"a.b\".\"c\"\"; DROP\"");
    }

    #[test]
    fn a_literal_cannot_be_left_with_a_backslash_or_a_quote() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'"), "E'a\\\\'''");
    }
}
