//! What a statement of a dump is, by its own keywords (not by the dump's comments, which a name could fake), when it
//! runs, and what it locks. A statement of an unknown kind is left out, and said to be.

use super::lexer::{Token, tokens};

/// When a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the data.
    Before,
    /// After the data.
    After,
    /// Never, silently: session settings, ownership.
    Drop,
    /// Never, and the report says so.
    LeftOut,
}

/// How a statement of the last phase locks the tables that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Several at once on one table (CREATE INDEX).
    Shared,
    /// One at a time per table (ADD CONSTRAINT).
    Exclusive,
    /// Alone.
    Everything,
}

/// The kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An index.
    Index,
    /// A primary key, a unique or exclusion constraint.
    Key,
    /// An index of a partition is attached to its parent's.
    Attach,
    /// A foreign key.
    ForeignKey,
    /// A CHECK constraint added later (NOT VALID).
    Check,
    /// Extended statistics.
    Statistics,
    /// A materialised view's rows.
    Refresh,
    /// A comment.
    Comment,
    /// A trigger or rule, or its state.
    Trigger,
    /// A policy of row level security.
    Policy,
    /// Something of the first phase.
    Definition,
    /// An extension.
    Extension,
    /// What is left out.
    Other(&'static str),
}

impl Kind {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Key => "key",
            Self::Attach => "index of a partition",
            Self::ForeignKey => "foreign key",
            Self::Check => "check constraint",
            Self::Statistics => "extended statistics",
            Self::Refresh => "materialized view",
            Self::Comment => "comment",
            Self::Trigger => "trigger",
            Self::Policy => "row security policy",
            Self::Definition => "definition",
            Self::Extension => "extension",
            Self::Other(title) => title,
        }
    }
}

/// A statement with what the plan needs to know.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The SQL, without the semicolon.
    pub sql: String,
    /// When it runs.
    pub phase: Phase,
    /// What it makes.
    pub kind: Kind,
    /// How it locks `tables`.
    pub lock: Lock,
    /// Tables that it locks, as `schema.name`.
    pub tables: Vec<String>,
    /// The object's name, if one is found.
    pub subject: Option<String>,
}

/// Classifies one statement.
pub fn classify(sql: &str) -> Statement {
    let tokens = tokens(sql);
    let words: Vec<String> = tokens
        .iter()
        .take(14)
        .map(|token| match token {
            Token::Word(word) => word.to_ascii_uppercase(),
            _ => String::new(),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (phase, kind, lock) = sort(&words, &tokens);
    let tables = tables(&words, &tokens);
    let subject = subject(&tokens);
    Statement { sql: sql.trim().to_owned(), phase, kind, lock, tables, subject }
}

#[allow(clippy::unnested_or_patterns, reason = "one line per statement reads better")]
fn sort(words: &[&str], tokens: &[Token<'_>]) -> (Phase, Kind, Lock) {
    use Kind as K;
    use Phase::{After, Before, Drop, LeftOut};
    let has = |keyword: &str| tokens.iter().any(|token| token.is(keyword));
    match words {
        ["SET", "DEFAULT_TABLE_ACCESS_METHOD", ..] => (Before, K::Definition, Lock::Everything),
        ["SET" | "SELECT", ..] => (Drop, K::Definition, Lock::Everything),
        ["CREATE", "INDEX", ..] | ["CREATE", "UNIQUE", "INDEX", ..] => (After, K::Index, Lock::Shared),
        ["ALTER", "INDEX", ..] if has("ATTACH") => (After, K::Attach, Lock::Everything),
        ["ALTER", "INDEX", ..] => (After, K::Attach, Lock::Everything),
        ["CREATE", "STATISTICS", ..] | ["ALTER", "STATISTICS", ..] => {
            (After, K::Statistics, Lock::Everything)
        }
        ["REFRESH", ..] => (After, K::Refresh, Lock::Everything),
        ["CREATE", "TRIGGER" | "RULE", ..]
        | ["CREATE", "CONSTRAINT", "TRIGGER", ..]
        | ["CREATE", "OR", "REPLACE", "RULE", ..] => (After, K::Trigger, Lock::Everything),
        ["CREATE", "POLICY", ..] => (After, K::Policy, Lock::Everything),
        ["COMMENT", "ON", ..] => comment(words),
        ["CREATE" | "ALTER", "PUBLICATION", ..] => (LeftOut, K::Other("publication"), Lock::Everything),
        ["CREATE" | "ALTER", "SUBSCRIPTION", ..] => (LeftOut, K::Other("subscription"), Lock::Everything),
        ["CREATE" | "ALTER", "SERVER", ..] => (LeftOut, K::Other("foreign server"), Lock::Everything),
        ["CREATE" | "ALTER", "USER", "MAPPING", ..] => (LeftOut, K::Other("user mapping"), Lock::Everything),
        ["CREATE" | "ALTER", "EVENT", "TRIGGER", ..] => {
            (LeftOut, K::Other("event trigger"), Lock::Everything)
        }
        ["CREATE" | "ALTER", "FOREIGN", ..] => {
            (LeftOut, K::Other("foreign table or wrapper"), Lock::Everything)
        }
        ["IMPORT", "FOREIGN", ..] => (LeftOut, K::Other("foreign table or wrapper"), Lock::Everything),
        ["CREATE", "EXTENSION", ..] => (Before, K::Extension, Lock::Everything),
        ["ALTER", ..] if has("OWNER") && words.contains(&"OWNER") => (Drop, K::Definition, Lock::Everything),
        ["ALTER", "TABLE", ..] => alter_table(tokens),
        ["CREATE" | "ALTER", ..] => (Before, K::Definition, Lock::Everything),
        ["GRANT" | "REVOKE", ..] | ["SECURITY", ..] => (LeftOut, K::Other("grant"), Lock::Everything),
        _ => (LeftOut, K::Other("unknown statement"), Lock::Everything),
    }
}

/// Comments of objects that come late come late too.
fn comment(words: &[&str]) -> (Phase, Kind, Lock) {
    match words.get(2) {
        Some(
            &("EXTENSION" | "PUBLICATION" | "SUBSCRIPTION" | "SERVER" | "FOREIGN" | "EVENT" | "LARGE"
            | "DATABASE"),
        ) => (Phase::LeftOut, Kind::Other("comment of an object that is left out"), Lock::Everything),
        _ => (Phase::After, Kind::Comment, Lock::Everything),
    }
}

fn alter_table(tokens: &[Token<'_>]) -> (Phase, Kind, Lock) {
    use Kind as K;
    let at = |keyword: &str| tokens.iter().position(|token| token.is(keyword));
    let after = |kind| (Phase::After, kind, Lock::Exclusive);
    let next = |from: usize, offset: usize| tokens.get(from + offset);
    if at("pg_attver").is_some() {
        // A stamp that some servers keep per column and restore by themselves.
        return (Phase::Drop, K::Definition, Lock::Everything);
    }
    if let Some(constraint) =
        at("CONSTRAINT").filter(|i| *i > 0 && next(*i - 1, 0).is_some_and(|t| t.is("ADD")))
    {
        let word = |keyword: &str| next(constraint, 2).is_some_and(|token| token.is(keyword));
        if word("FOREIGN") {
            return after(K::ForeignKey);
        }
        if word("CHECK") {
            return after(K::Check);
        }
        let open =
            tokens.iter().rev().find(|t| !matches!(t, Token::Symbol(_))).is_some_and(|t| t.is("VALID"));
        return match word("NOT") {
            // A NOT NULL constraint is part of the table's definition, unless rows that are there may break it.
            true if open => after(K::Check),
            true => (Phase::Before, K::Definition, Lock::Everything),
            false => after(K::Key),
        };
    }
    let trigger = tokens.iter().any(|token| token.is("TRIGGER") || token.is("RULE"))
        && tokens.iter().any(|token| token.is("ENABLE") || token.is("DISABLE"));
    let security = tokens.iter().rev().take(2).any(|token| token.is("SECURITY"));
    if trigger {
        after(K::Trigger)
    } else if security {
        after(K::Policy)
    } else if at("REPLICA").is_some() || at("CLUSTER").is_some() {
        after(K::Attach)
    } else {
        (Phase::Before, K::Definition, Lock::Everything)
    }
}

/// `schema.name` that starts at this token.
fn name_at(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let first = tokens.get(at)?.name()?;
    match (tokens.get(at + 1), tokens.get(at + 2)) {
        (Some(Token::Symbol('.')), Some(second)) => Some(format!("{first}.{}", second.name()?)),
        _ => Some(first),
    }
}

/// The tables that a statement of the last phase locks.
#[allow(clippy::unnested_or_patterns)]
fn tables(words: &[&str], tokens: &[Token<'_>]) -> Vec<String> {
    let behind = |keyword: &str| {
        let at = tokens.iter().position(|token| token.is(keyword))? + 1;
        let skip = tokens.iter().skip(at).take_while(|t| t.is("ONLY")).count();
        name_at(tokens, at + skip)
    };
    let found = match words {
        ["CREATE", "INDEX", ..] | ["CREATE", "UNIQUE", ..] => vec![behind("ON")],
        ["ALTER", "TABLE", ..] => vec![behind("TABLE"), behind("REFERENCES")],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// The name of what a statement makes: the first that is quoted, or the first word that is no keyword of a definition.
fn subject(tokens: &[Token<'_>]) -> Option<String> {
    const KEYWORDS: [&str; 40] = [
        "CREATE",
        "ALTER",
        "COMMENT",
        "ON",
        "OR",
        "REPLACE",
        "UNIQUE",
        "UNLOGGED",
        "TABLE",
        "ONLY",
        "MATERIALIZED",
        "VIEW",
        "REFRESH",
        "FUNCTION",
        "PROCEDURE",
        "AGGREGATE",
        "TYPE",
        "DOMAIN",
        "SCHEMA",
        "SEQUENCE",
        "EXTENSION",
        "IF",
        "NOT",
        "EXISTS",
        "INDEX",
        "CONSTRAINT",
        "TRIGGER",
        "EVENT",
        "PUBLICATION",
        "SUBSCRIPTION",
        "SERVER",
        "USER",
        "MAPPING",
        "FOR",
        "FOREIGN",
        "DATA",
        "WRAPPER",
        "STATISTICS",
        "POLICY",
        "COLUMN",
    ];
    let at = tokens.iter().position(|token| match token {
        Token::Quoted(_) => true,
        Token::Word(_) => !KEYWORDS.iter().any(|keyword| token.is(keyword)),
        _ => false,
    })?;
    name_at(tokens, at)
}

#[cfg(test)]
mod tests;
