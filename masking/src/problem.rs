//! What is wrong with a policy: named, explained, and with a line to paste.

use std::fmt;

use serde::Serialize;

use crate::name::TableName;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Stops the copy before a row moves.
    Error,
    /// Worth a look; the copy goes on.
    Warning,
}

/// A stable name for each sort of problem (SARIF rule ids).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Nothing decides a column.
    Undecided,
    /// A rule says nothing, or two things, or lacks an option.
    BadRule,
    /// A rule for a table or column that the database does not have.
    Missing,
    /// Two rules for the same thing.
    Duplicate,
    /// The mask does not work on the column's type.
    WrongType,
    /// The column is too short for what the mask makes.
    TooShort,
    /// The mask makes NULL where NULL is refused.
    NotNull,
    /// The mask can make two values equal in a unique key.
    Unique,
    /// A CHECK constraint would refuse, or might refuse, what the mask makes.
    Check,
    /// Masked values would lose their foreign key.
    ForeignKey,
    /// A value outside the enum.
    Enum,
    /// A rule for a generated column.
    Generated,
    /// The mask would move rows between partitions.
    Partition,
    /// A kept column holds a copy of masked data.
    Copy,
    /// A text of the schema carries data out.
    SchemaText,
    /// Few distinct values: frequencies tell them apart.
    Frequency,
    /// A pattern that matches nothing.
    UnusedPattern,
    /// A row's subject, gender or condition cannot be read.
    RowContext,
    /// The subset names rows that cannot be chosen.
    Subset,
}

impl Code {
    /// The name as SARIF and the docs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::BadRule => "bad-rule",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::WrongType => "wrong-type",
            Self::TooShort => "too-short",
            Self::NotNull => "not-null",
            Self::Unique => "unique",
            Self::Check => "check",
            Self::ForeignKey => "foreign-key",
            Self::Enum => "enum",
            Self::Generated => "generated",
            Self::Partition => "partition",
            Self::Copy => "copy",
            Self::SchemaText => "schema-text",
            Self::Frequency => "frequency",
            Self::UnusedPattern => "unused-pattern",
            Self::RowContext => "row-context",
            Self::Subset => "subset",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What sort of problem.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// The table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableName>,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong, and why.
    pub why: String,
    /// A line of the policy that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paste: Option<String>,
}

impl Problem {
    pub(crate) fn error(code: Code, why: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, table: None, column: None, why: why.into(), paste: None }
    }

    pub(crate) fn warning(code: Code, why: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, why) }
    }

    pub(crate) fn at(mut self, table: &TableName) -> Self {
        self.table = Some(table.clone());
        self
    }

    pub(crate) fn column(mut self, table: &TableName, column: &str) -> Self {
        self.table = Some(table.clone());
        self.column = Some(column.to_owned());
        self
    }

    pub(crate) fn paste(mut self, line: impl Into<String>) -> Self {
        self.paste = Some(line.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{severity}[{}] ", self.code.name())?;
        match (&self.table, &self.column) {
            (Some(table), Some(column)) => write!(f, "{table}.{column}: ")?,
            (Some(table), None) => write!(f, "{table}: ")?,
            _ => {}
        }
        f.write_str(&self.why)?;
        if let Some(paste) = &self.paste {
            for line in paste.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}
