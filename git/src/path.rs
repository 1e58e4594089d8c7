//! Paths inside a repository.

use std::fmt;

use crate::error::{GitError, tame};

/// A path inside a repository: relative, `/` between its parts, UTF-8; the empty path is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

impl RepoPath {
    /// The whole repository.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses `apps/web`, `./apps/web/` or `.` (the root).
    ///
    /// # Errors
    /// [`GitError::InvalidPath`] for absolute paths, `..` and whatever no honest file is called.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let invalid = |reason: &str| GitError::InvalidPath { path: tame(text), reason: reason.to_owned() };
        if text.starts_with('/') {
            return Err(invalid("give a path relative to the repository's root, without a leading slash"));
        }
        if text.len() > 4096 {
            return Err(invalid("it is longer than 4096 bytes"));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        for part in &parts {
            check_name(part).map_err(invalid)?;
        }
        Ok(Self(parts.join("/")))
    }

    /// The path as text, without slashes at its ends; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    pub(crate) fn join(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) }
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// Names that git itself refuses in a tree (`git fsck`), and those that only an attack has use for.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a name is empty");
    }
    if name == "." || name == ".." {
        return Err("`.` and `..` lead out of the folder");
    }
    if name.eq_ignore_ascii_case(".git") {
        return Err("`.git` is git's own");
    }
    if name.contains(['/', '\\']) {
        return Err("a name holds a slash or backslash");
    }
    if name.chars().any(char::is_control) {
        return Err("a name holds a control character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_spellings_of_a_path_are_one_path() {
        for text in ["apps/web", "./apps/web", "apps/web/", "apps//web", "apps/./web"] {
            assert_eq!(RepoPath::parse(text).unwrap().as_str(), "apps/web", "{text}");
        }
        for text in ["", ".", "./"] {
            assert_eq!(RepoPath::parse(text).unwrap(), RepoPath::root(), "{text:?}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for text in ["/etc", "../x", "a/../b", ".git/config", "a/.GIT", "a\\b", "a\nb", "a\0b"] {
            assert!(RepoPath::parse(text).is_err(), "{text:?}");
        }
    }
}
