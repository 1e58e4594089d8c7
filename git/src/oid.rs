//! Object ids.

use std::fmt;
use std::str::FromStr;

use crate::error::{GitError, tame};

/// The SHA-1 of a git object: 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub(crate) gix_hash::ObjectId);

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({})", self.0)
    }
}

impl FromStr for Oid {
    type Err = GitError;

    /// Parses 40 hexadecimal digits; short ids are refused because they change their meaning as a repository grows.
    fn from_str(text: &str) -> Result<Self, GitError> {
        match gix_hash::ObjectId::from_hex(text.as_bytes()) {
            Ok(id) if text.len() == 40 && !id.is_null() => Ok(Self(id)),
            _ => Err(GitError::InvalidRef {
                reference: tame(text),
                reason: "a commit is named by all 40 hexadecimal digits of its id".into(),
            }),
        }
    }
}
