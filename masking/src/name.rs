//! A table's name, parsed once: `schema.table`, with double quotes where a part holds a dot or a quote.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A schema-qualified table name. `users` reads as `public.users`; a part that holds a dot, a quote or a space is
/// quoted as in SQL: `"my schema"."a.b"`. Case is kept as written: `Users` is not `users`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema, unquoted.
    pub schema: String,
    /// The table, unquoted.
    pub table: String,
}

impl TableName {
    /// A name from its two unquoted parts, as the catalog holds them.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }

    /// The name as SQL: both parts quoted, always.
    pub fn sql(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.table))
    }
}

/// `name` as a quoted SQL identifier.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn plain(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c != '.' && c != '"' && !c.is_whitespace() && !c.is_control())
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in [&self.schema, &self.table].into_iter().enumerate() {
            if i == 1 {
                f.write_str(".")?;
            }
            if plain(part) { f.write_str(part)? } else { f.write_str(&quote_ident(part))? }
        }
        Ok(())
    }
}

/// Why a text is no table name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no table name; write schema.table, and double quotes around a part that holds a dot")]
pub struct BadTableName(String);

impl FromStr for TableName {
    type Err = BadTableName;

    fn from_str(text: &str) -> Result<Self, BadTableName> {
        let bad = || BadTableName(text.to_owned());
        let (first, rest) = part(text).ok_or_else(bad)?;
        if rest.is_empty() {
            return Ok(Self::new("public", first));
        }
        let (second, end) = part(rest.strip_prefix('.').ok_or_else(bad)?).ok_or_else(bad)?;
        if end.is_empty() { Ok(Self::new(first, second)) } else { Err(bad()) }
    }
}

/// One part of a name and what follows it.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return plain(&text[..end]).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
            chars.next();
            name.push('"');
        } else {
            return (!name.is_empty()).then(|| (name, &quoted[at + 1..]));
        }
    }
    None
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for TableName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TableName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "minLength": 1, "maxLength": 260})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_prints() {
        for (schema, table) in [("public", "users"), ("a.b", "c\"d"), ("顧客", "注文 明細"), ("s", "Users")]
        {
            let name = TableName::new(schema, table);
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn a_bare_name_lies_in_public_and_nonsense_is_refused() {
        assert_eq!("users".parse(), Ok(TableName::new("public", "users")));
        for bad in ["", "a.", ".a", "a.b.c", "\"a", "a b", "\"\".x"] {
            assert!(bad.parse::<TableName>().is_err(), "{bad}");
        }
    }
}
