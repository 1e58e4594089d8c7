//! `.keelwayignore`: what of a repository is not meant for the cluster, in the syntax of `.gitignore`.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::problem::{Place, Problem};

/// The name of the file that lists what is left out.
pub const FILE: &str = ".keelwayignore";

/// The rules of all `.keelwayignore` files of a commit. A file rules its own folder and what is below; the deeper one wins.
#[derive(Debug, Default)]
pub struct Ignore {
    /// Deepest first.
    rules: Vec<(String, Gitignore)>,
}

impl Ignore {
    /// Reads the rules. Each file is given by its path in the repository and its text.
    ///
    /// # Errors
    /// [`Problem`] with the line of a pattern that cannot be understood.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Problem> {
        let mut rules = Vec::new();
        for (path, text) in files {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut builder = GitignoreBuilder::new("");
            for (index, line) in text.lines().enumerate() {
                builder.add_line(None, line).map_err(|_| {
                    let message = format!("{line:?} is not a pattern; write it as in a .gitignore file");
                    Problem::new(Place::new(path, index + 1), message)
                })?;
            }
            let matcher = builder.build().map_err(|_| {
                Problem::new(Place::new(path, 0), "the patterns are too large together; write fewer")
            })?;
            rules.push((folder.to_owned(), matcher));
        }
        rules.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
        Ok(Self { rules })
    }

    /// Whether a file is left out. The path is the one in the repository.
    pub fn is_ignored(&self, path: &str) -> bool {
        for (folder, matcher) in &self.rules {
            let below = match folder.as_str() {
                "" => Some(path),
                folder => path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            let Some(below) = below else { continue };
            match matcher.matched_path_or_any_parents(below, false) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_work_as_in_gitignore() {
        let rules = Ignore::new([(
            ".keelwayignore",
            "# comment\n*.tmpl.yaml\n/docs/\ntests/**\n!tests/keep.yaml\nvalues.yaml\n",
        )])
        .unwrap();
        for path in ["a.tmpl.yaml", "x/a.tmpl.yaml", "docs/x/y.yaml", "tests/a.yaml", "charts/values.yaml"] {
            assert!(rules.is_ignored(path), "{path}");
        }
        for path in ["a.yaml", "x/docs/y.yaml", "tests/keep.yaml"] {
            assert!(!rules.is_ignored(path), "{path}");
        }
    }

    #[test]
    fn a_deeper_file_wins_and_rules_only_its_folder() {
        let rules =
            Ignore::new([(".keelwayignore", "*.yaml\n"), ("team/.keelwayignore", "!app.yaml\n")]).unwrap();
        assert!(rules.is_ignored("app.yaml"));
        assert!(!rules.is_ignored("team/app.yaml"));
        assert!(rules.is_ignored("team/other.yaml"));
        assert!(rules.is_ignored("teamwork/app.yaml"));
    }

    #[test]
    fn a_pattern_that_cannot_be_read_names_its_line() {
        let error = Ignore::new([("a/.keelwayignore", "ok\n{a,b\n")]).unwrap_err();
        assert_eq!(error.place.to_string(), "a/.keelwayignore:2");
    }
}
