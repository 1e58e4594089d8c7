//! What to fetch: a branch, a tag or a commit.

use std::fmt;

use crate::error::{GitError, tame};
use crate::oid::Oid;

/// A branch's or tag's short name (`main`, `release/1.2`) that keeps to git's rules for ref names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

impl RefName {
    /// Checks the rules of `git check-ref-format` (<https://git-scm.com/docs/git-check-ref-format>).
    ///
    /// # Errors
    /// [`GitError::InvalidRef`] names the broken rule.
    pub fn parse(name: &str) -> Result<Self, GitError> {
        match broken_rule(name) {
            None => Ok(Self(name.to_owned())),
            Some(reason) => Err(GitError::InvalidRef { reference: tame(name), reason: reason.into() }),
        }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    if name.is_empty() || name.len() > 255 {
        return Some("it must have between 1 and 255 bytes");
    }
    if name.starts_with("refs/") {
        return Some("give the short name, without `refs/heads/` or `refs/tags/`");
    }
    if name.chars().any(forbidden) {
        return Some("it may hold no space, control character or any of ~^:?*[\\");
    }
    if name.starts_with('-') || name == "@" || name.contains("@{") || name.contains("..") {
        return Some("it may not start with `-`, be `@`, or hold `@{` or `..`");
    }
    let bad_part = |part: &str| {
        let lock = part.to_ascii_lowercase().ends_with(".lock");
        part.is_empty() || part.starts_with('.') || part.ends_with('.') || lock
    };
    if name.split('/').any(bad_part) {
        return Some("no part between slashes may be empty, start or end with a dot, or end with `.lock`");
    }
    None
}

/// The commit that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GitRef {
    /// The branch that the host calls the default one (what its `HEAD` points at).
    Default,
    /// The tip of a branch.
    Branch(RefName),
    /// The commit that a tag points at; annotated tags are peeled.
    Tag(RefName),
    /// One commit by its whole id.
    Commit(Oid),
}

impl GitRef {
    /// A branch by its short name.
    ///
    /// # Errors
    /// [`GitError::InvalidRef`] if git allows no such name.
    pub fn branch(name: &str) -> Result<Self, GitError> {
        RefName::parse(name).map(Self::Branch)
    }

    /// A tag by its short name.
    ///
    /// # Errors
    /// [`GitError::InvalidRef`] if git allows no such name.
    pub fn tag(name: &str) -> Result<Self, GitError> {
        RefName::parse(name).map(Self::Tag)
    }

    /// A commit by 40 hexadecimal digits.
    ///
    /// # Errors
    /// [`GitError::InvalidRef`] for anything else.
    pub fn commit(id: &str) -> Result<Self, GitError> {
        id.parse().map(Self::Commit)
    }

    /// The full ref name to ask the server for; `None` for a commit.
    pub(crate) fn full_name(&self) -> Option<String> {
        match self {
            Self::Default => Some("HEAD".to_owned()),
            Self::Branch(name) => Some(format!("refs/heads/{}", name.as_str())),
            Self::Tag(name) => Some(format!("refs/tags/{}", name.as_str())),
            Self::Commit(_) => None,
        }
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default branch"),
            Self::Branch(name) => write!(f, "branch `{}`", name.as_str()),
            Self::Tag(name) => write!(f, "tag `{}`", name.as_str()),
            Self::Commit(id) => write!(f, "commit {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_takes_are_taken() {
        for name in ["main", "release/1.2", "feature/äöü", "a@b", "x-", "v1.0.0"] {
            assert!(GitRef::branch(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_git_refuses_are_refused() {
        let bad = [
            "",
            "-x",
            "a b",
            "a..b",
            "a//b",
            "/a",
            "a/",
            ".a",
            "a/.b",
            "a.lock",
            "a.LOCK/b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "@",
            "a@{1}",
            "a\nb",
            "a.",
            "refs/heads/main",
        ];
        for name in bad {
            assert!(GitRef::branch(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_commit_needs_all_of_its_digits() {
        assert!(GitRef::commit("0123456789abcdef0123456789abcdef01234567").is_ok());
        for id in ["", "abc", "g123456789abcdef0123456789abcdef01234567", &"0".repeat(40), &"a".repeat(64)] {
            assert!(GitRef::commit(id).is_err(), "{id:?}");
        }
    }
}
