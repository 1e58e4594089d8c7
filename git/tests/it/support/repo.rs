//! Bare repositories made with the git CLI.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A bare repository in `root`, filled by plumbing commands so that no check of `git add` is in the way.
pub(crate) struct Repo {
    dir: PathBuf,
    /// Ids of blobs written so far; starting git for each of a thousand equal files takes long.
    blobs: RefCell<HashMap<Vec<u8>, String>>,
}

impl Repo {
    pub(crate) fn new(root: &Path, name: &str) -> Self {
        let dir = root.join(name);
        let repo = Self { dir, blobs: RefCell::default() };
        std::fs::create_dir_all(&repo.dir).unwrap();
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main"], b"");
        repo
    }

    /// Runs git with `input`; returns what it prints, trimmed.
    pub(crate) fn git(&self, args: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(&self.dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", &self.dir)
            .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Bob"), ("GIT_COMMITTER_EMAIL", "bob@example.com")])
            .envs([("GIT_AUTHOR_DATE", "1700000000 +0000"), ("GIT_COMMITTER_DATE", "1700000001 +0100")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn blob(&self, content: &[u8]) -> String {
        if let Some(id) = self.blobs.borrow().get(content) {
            return id.clone();
        }
        let id = self.git(&["hash-object", "-w", "--stdin"], content);
        self.blobs.borrow_mut().insert(content.to_vec(), id.clone());
        id
    }

    /// A tree from lines as `git ls-tree` prints them: mode, type, id, name.
    pub(crate) fn tree(&self, entries: &[(&str, &str, &str)]) -> String {
        let kind = |mode: &str| match mode {
            "040000" => "tree",
            "160000" => "commit",
            _ => "blob",
        };
        let lines: Vec<String> =
            entries.iter().map(|(mode, id, name)| format!("{mode} {} {id}\t{name}\0", kind(mode))).collect();
        self.git(&["mktree", "-z", "--missing"], lines.concat().as_bytes())
    }

    /// A tree object with raw bytes for names, which `git mktree` would refuse.
    pub(crate) fn raw_tree(&self, entries: &[(&str, &str, &[u8])]) -> String {
        let mut bytes = Vec::new();
        for (mode, id, name) in entries {
            bytes.extend_from_slice(mode.trim_start_matches('0').as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend((0..40).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
        }
        self.git(&["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], &bytes)
    }

    /// A commit of `tree` on top of `branch`'s tip, which then moves to it.
    pub(crate) fn commit_tree(&self, branch: &str, tree: &str, message: &str) -> String {
        let full = format!("refs/heads/{branch}");
        let tip = self.git(&["for-each-ref", "--format=%(objectname)", &full], b"");
        let mut args = vec!["commit-tree", tree, "-m", message];
        if !tip.is_empty() {
            args.extend(["-p", &tip]);
        }
        let commit = self.git(&args, b"");
        self.git(&["update-ref", &full, &commit], b"");
        commit
    }

    /// Commits `files` (path, content) as the whole content of `branch`.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, &str)], message: &str) -> String {
        let tree = self.folder(files);
        self.commit_tree(branch, &tree, message)
    }

    fn folder(&self, files: &[(&str, &str)]) -> String {
        let mut lines: Vec<(&str, String, &str)> = Vec::new();
        let mut folders: std::collections::BTreeMap<&str, Vec<(&str, &str)>> =
            std::collections::BTreeMap::new();
        for (path, content) in files {
            match path.split_once('/') {
                Some((folder, rest)) => folders.entry(folder).or_default().push((rest, content)),
                None => lines.push(("100644", self.blob(content.as_bytes()), path)),
            }
        }
        for (folder, files) in folders {
            lines.push(("040000", self.folder(&files), folder));
        }
        let lines: Vec<_> = lines.iter().map(|(mode, id, name)| (*mode, id.as_str(), *name)).collect();
        self.tree(&lines)
    }
}
