//! A git repository served over HTTP by `git http-backend`, with commits whose ids depend on their content alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// A bare repository `config.git` and its server; it ends with this value.
pub struct GitServer {
    address: SocketAddr,
    folder: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GitServer {
    /// Serves what lies below `folder`.
    ///
    /// # Errors
    /// No git, or no free port.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let root = folder.to_owned();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let root = root.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, root.clone()));
                    // A client that goes away is no error here.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { address, folder: folder.to_owned(), task })
    }

    /// The URL of a repository.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}.git", self.address)
    }

    /// Makes the branch `main` of a repository hold exactly these files, on top of its history.
    ///
    /// # Errors
    /// What git says.
    pub async fn commit(&self, name: &str, files: &[(&str, String)], subject: &str) -> anyhow::Result<()> {
        let bare = self.folder.join(format!("{name}.git"));
        if !bare.exists() {
            git(
                &self.folder,
                &["init", "--quiet", "--bare", "--initial-branch=main", &bare.to_string_lossy()],
                b"",
            )
            .await?;
        }
        let mut tree = String::new();
        for (path, text) in files {
            let blob = git(&bare, &["hash-object", "-w", "--stdin"], text.as_bytes()).await?;
            tree.push_str(&format!("100644 blob {blob}\t{path}\n"));
        }
        let tree = git(&bare, &["mktree"], tree.as_bytes()).await?;
        let parent = git(&bare, &["rev-parse", "--quiet", "--verify", "main"], b"").await.ok();
        let mut arguments = vec!["commit-tree", &tree, "-m", subject];
        if let Some(parent) = &parent {
            arguments.extend(["-p", parent]);
        }
        let commit = git(&bare, &arguments, b"").await?;
        git(&bare, &["update-ref", "refs/heads/main", &commit], b"").await?;
        Ok(())
    }

    /// Removes a repository.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        let bare = self.folder.join(format!("{name}.git"));
        if bare.exists() {
            std::fs::remove_dir_all(bare)?;
        }
        Ok(())
    }
}

async fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> anyhow::Result<String> {
    let mut child = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        // Fixed, so that equal content has equal ids in every run.
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .envs([("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("git is missing")?;
    let mut stdin = child.stdin.take().context("no input")?;
    stdin.write_all(input).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn answer(
    request: Request<Incoming>,
    root: PathBuf,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    Ok(backend(request, &root).await.unwrap_or_else(|error| {
        let mut response = Response::new(Full::new(Bytes::from(error.to_string())));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}

/// The common gateway interface to `git http-backend`.
async fn backend(request: Request<Incoming>, root: &Path) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("no input")?;
    stdin.write_all(&body).await?;
    drop(stdin);
    let output = child.wait_with_output().await?.stdout;
    let end = output
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("git http-backend gave no header")?;
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => response = response.status(status.get(..3).unwrap_or("500")),
            Some((name, value)) => response = response.header(name, value),
            None => {}
        }
    }
    Ok(response.body(Full::new(Bytes::copy_from_slice(&output[end + 4..])))?)
}
