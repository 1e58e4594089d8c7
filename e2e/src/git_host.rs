//! The git host of the local cluster (Gitea), as its users use it: its API by curl, its repositories by git.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::kubectl::{run, run_with};
use crate::setting;

/// The git host, as its admin.
pub struct GitHost {
    url: String,
    /// The file with the certificate of its authority.
    pub authority: PathBuf,
    user: String,
    /// The admin's token.
    pub token: String,
}

impl GitHost {
    /// The git host that the settings name.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn new() -> anyhow::Result<Self> {
        let file = setting("GITEA_TOKEN_FILE")?;
        let token = std::fs::read_to_string(&file).with_context(|| format!("read {file}"))?.trim().to_owned();
        let authority = PathBuf::from(setting("GITEA_CA")?);
        Ok(Self { url: setting("GITEA_URL")?, authority, user: setting("GITEA_USER")?, token })
    }

    /// Calls the API below `/api/v1`.
    ///
    /// # Errors
    /// When it answers other than 2xx.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let authority = self.authority.display().to_string();
        let url = format!("{}/api/v1{path}", self.url.trim_end_matches('/'));
        let header = format!("header = \"Authorization: token {}\"\n", self.token);
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut arguments =
            vec!["-sS", "--fail-with-body", "--cacert", &authority, "-X", method, "-K", "-", &url];
        if body.is_some() {
            arguments.extend(["-H", "Content-Type: application/json", "-d", &text]);
        }
        let said = run("curl", &arguments, Some(&header)).await?;
        Ok(if said.is_empty() { Value::Null } else { serde_json::from_str(&said)? })
    }

    /// Makes a private repository with a first commit on `main`, and a clone of it in a folder of its own.
    ///
    /// # Errors
    /// When the host or git refuses.
    pub async fn repo(&self, name: &str) -> anyhow::Result<Repo> {
        let body = json!({"name": name, "private": true, "auto_init": true, "default_branch": "main"});
        self.call("POST", "/user/repos", Some(&body)).await?;
        let url = format!("{}/{}/{name}.git", self.url.trim_end_matches('/'), self.user);
        let folder = std::env::temp_dir().join(format!("keelway-e2e-{}-{name}", std::process::id()));
        let repo = Repo {
            path: format!("{}/{name}", self.user),
            url,
            folder,
            options: self.options(),
            authority: self.authority.display().to_string(),
        };
        let folder = repo.folder.display().to_string();
        let mut arguments: Vec<&str> = repo.options.iter().map(String::as_str).collect();
        arguments.extend(["clone", "-q", &repo.url, &folder]);
        run_with("git", &arguments, None, &[("GIT_SSL_CAINFO", &repo.authority)]).await?;
        Ok(repo)
    }

    /// YAML of a Secret with the credentials of this host.
    ///
    /// # Errors
    /// When the authority's certificate cannot be read.
    pub fn secret(&self, name: &str) -> anyhow::Result<String> {
        let authority = std::fs::read_to_string(&self.authority)?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"token": self.token, "ca.crt": authority},
        });
        Ok(secret.to_string())
    }

    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        for option in [
            format!("http.extraHeader=Authorization: token {}", self.token),
            "user.name=A Tester".to_owned(),
            "user.email=tester@example.com".to_owned(),
        ] {
            options.extend(["-c".to_owned(), option]);
        }
        options
    }
}

/// A repository with a clone.
pub struct Repo {
    /// `owner/name`.
    pub path: String,
    /// Its https URL.
    pub url: String,
    folder: PathBuf,
    options: Vec<String>,
    authority: String,
}

impl Repo {
    /// The folder of the clone.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs git in the clone.
    ///
    /// # Errors
    /// When git does.
    pub async fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let folder = self.folder.display().to_string();
        // Without this git would look for a repository in the folders above.
        anyhow::ensure!(self.folder.join(".git").is_dir(), "{folder} is no clone");
        let mut all: Vec<&str> = self.options.iter().map(String::as_str).collect();
        all.extend(["-C", &folder]);
        all.extend(arguments);
        run_with("git", &all, None, &[("GIT_SSL_CAINFO", &self.authority)]).await
    }

    /// Writes a file of the clone; `None` removes it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, path: &str, text: Option<&str>) -> anyhow::Result<()> {
        let path = self.folder.join(path);
        match text {
            Some(text) => {
                std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
                std::fs::write(path, text)?;
            }
            None => std::fs::remove_file(path)?,
        }
        Ok(())
    }

    /// Commits all that was written and pushes it; returns the commit.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn push(&self, subject: &str) -> anyhow::Result<String> {
        self.git(&["add", "-A"]).await?;
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]).await?;
        self.git(&["push", "-q", "origin", "HEAD"]).await?;
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    /// Takes the clone away.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn done(self) -> anyhow::Result<()> {
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}
