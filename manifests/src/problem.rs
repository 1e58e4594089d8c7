//! Where something stands in a repository, and what is wrong with it.

use std::fmt;
use std::sync::Arc;

/// Where a document or a mistake stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The path in the repository.
    pub path: Arc<str>,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
}

impl Place {
    /// A line of a file.
    pub fn new(path: impl Into<Arc<str>>, line: usize) -> Self {
        Self { path: path.into(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.path),
            line => write!(f, "{}:{line}", self.path),
        }
    }
}

/// What a person must mend in the repository: where, what, and how. It never holds a value of the file, because the
/// file may be a Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// Something is wrong at this place.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}
