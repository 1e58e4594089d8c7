//! What can go wrong, sorted by what the caller does next; each class has one exit code.

use std::fmt::{self, Write as _};

/// A reason for which a copy does not start: one undecided column, one exposed object, one missing right.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// A stable name of the rule, such as `column-undecided`.
    pub rule: String,
    /// The table, column or object it is about, as a person would write it.
    pub subject: String,
    /// What is wrong and how to cure it.
    pub message: String,
    /// A warning does not stop the copy.
    pub warning: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.warning { "warning" } else { "error" };
        write!(f, "{level}[{}] {}: {}", self.rule, self.subject, self.message)
    }
}

/// Every error of this crate. [`Error::exit_code`] is part of the command's contract.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong: a name that resolves to nothing, a policy that does not parse.
    #[error("{0}")]
    Usage(String),
    /// Checks failed before a row moved.
    #[error("refused before a row moved: {} finding(s)\n{}", .0.len(), join(.0))]
    Refused(Vec<Finding>),
    /// The copy gave way: a session waited for its locks, the snapshot grew too old, a lock could not be had.
    #[error("{0}")]
    GaveWay(String),
    /// A database answered with an error.
    #[error("{context}: {message}")]
    Database {
        /// What was being done.
        context: String,
        /// The server's answer; values of rows are left out.
        message: String,
        /// The five-letter SQLSTATE, if the server sent one.
        code: Option<String>,
    },
    /// A check after the load failed; what was loaded is removed.
    #[error("the copy is not good: {0}")]
    BadCopy(String),
    /// A mask could not be applied to a value.
    #[error("{0}")]
    Mask(String),
    /// `verify` found a difference.
    #[error("verification failed: {0}")]
    Verify(String),
    /// Somebody asked the copy to stop.
    #[error("cancelled; nothing was left that could be mistaken for a finished copy")]
    Cancelled,
    /// A local file or process failed.
    #[error("{0}")]
    Local(String),
}

fn join(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Error {
    /// The exit code of the command: 2 usage, 3 refused, 4 gave way, 5 database, 6 bad copy or verification, 7 local
    /// failure, 130 cancelled.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::GaveWay(_) => 4,
            Self::Database { .. } => 5,
            Self::BadCopy(_) | Self::Verify(_) | Self::Mask(_) => 6,
            Self::Local(_) => 7,
            Self::Cancelled => 130,
        }
    }

    /// Wraps a database error. DETAIL and CONTEXT of the server may quote a row, so neither is kept.
    pub fn database(context: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        let context = context.into();
        match error.as_db_error() {
            Some(db) => {
                Self::Database { context, message: redact(db), code: Some(db.code().code().to_owned()) }
            }
            None => Self::Database { context, message: chain(error), code: None },
        }
    }

    /// Whether this is a database error of the given SQLSTATE.
    pub fn is_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Database { code: Some(code), .. } if code == wanted)
    }

    /// A lost connection or a recovery conflict on a standby: the same work may be tried again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { code: None, .. } => true,
            Self::Database { code: Some(code), .. } => {
                matches!(code.as_str(), "40001" | "40P01" | "57P01" | "57P02" | "57P03" | "08006" | "08003")
            }
            _ => false,
        }
    }
}

/// The primary message of classes that quote values (22, data exceptions; 23, integrity) is cut at the first quote, of a text
/// or of its bytes.
fn redact(db: &tokio_postgres::error::DbError) -> String {
    let code = db.code().code();
    let mut message = db.message().to_owned();
    if code.starts_with("22") {
        message.truncate(unquoted(&message));
    }
    if code == "22021" {
        message.push_str(
            "; some text is not of the database's encoding (SQL_ASCII checks none): correct these rows, or mask the column with `null`",
        );
    }
    for (name, value) in [("table", db.table()), ("column", db.column()), ("constraint", db.constraint())] {
        if let Some(value) = value {
            let _ = write!(message, " ({name} {value})");
        }
    }
    if let Some(hint) = db.hint() {
        let _ = write!(message, "; hint: {hint}");
    }
    message
}

/// How much of a message comes before it quotes a value.
fn unquoted(message: &str) -> usize {
    let quotes = [(": \"", 0), (": 0x", 0), ("value \"", "value".len())];
    let ends = quotes.iter().filter_map(|(quote, kept)| Some(message.find(quote)? + kept));
    ends.min().unwrap_or(message.len())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds what was being done to a database error.
pub trait Context<T> {
    /// Turns the error into [`Error::Database`].
    ///
    /// # Errors
    /// The error itself, with what was being done.
    fn context(self, doing: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for std::result::Result<T, tokio_postgres::Error> {
    fn context(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|error| Error::database(doing, &error))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn messages_that_quote_a_value_end_before_it() {
        let cut = |message: &'static str| &message[..super::unquoted(message)];
        assert_eq!(
            cut("invalid input syntax for type integer: \"secret\""),
            "invalid input syntax for type integer"
        );
        assert_eq!(
            cut("invalid byte sequence for encoding \"UTF8\": 0xe9 0x20"),
            "invalid byte sequence for encoding \"UTF8\""
        );
        assert_eq!(cut("value \"4711\" is out of range for type smallint"), "value");
        assert_eq!(cut("division by zero"), "division by zero");
    }
}
