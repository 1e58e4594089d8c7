//! A small SSH server that runs `git upload-pack`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::runtime::Runtime;

/// A running server; its root folder holds the repositories.
pub(crate) struct SshServer {
    root: TempDir,
    port: u16,
    key: PublicKey,
    commands: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

/// A fresh key of a kind.
pub(crate) fn new_key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), algorithm).unwrap()
}

/// A private key as a file's content.
pub(crate) fn openssh(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

impl SshServer {
    /// Lets everybody with `allowed` in.
    pub(crate) fn start(allowed: PublicKey) -> Self {
        let runtime = Runtime::new().unwrap();
        let root = tempfile::tempdir().unwrap();
        let host_key = new_key(Algorithm::Ed25519);
        let (key, commands) = (host_key.public_key().clone(), Arc::<Mutex<Vec<String>>>::default());
        let config = Arc::new(Config {
            keys: vec![host_key],
            auth_rejection_time: std::time::Duration::ZERO,
            nodelay: true,
            ..Config::default()
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (dir, log) = (root.path().to_owned(), Arc::clone(&commands));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peer = Peer {
                    root: dir.clone(),
                    allowed: allowed.clone(),
                    commands: Arc::clone(&log),
                    protocol: String::new(),
                    inputs: HashMap::new(),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, stream, peer).await {
                        session.await.ok();
                    }
                });
            }
        });
        Self { root, port, key, commands, _runtime: runtime }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn url(&self, repo: &str) -> String {
        format!("ssh://git@git.test:{}/{repo}", self.port)
    }

    /// The line of `known_hosts` for this server.
    pub(crate) fn known_hosts(&self) -> String {
        format!("[git.test]:{} {}\n", self.port, self.key.to_openssh().unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The commands that clients ran.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

struct Peer {
    root: PathBuf,
    allowed: PublicKey,
    commands: Arc<Mutex<Vec<String>>>,
    protocol: String,
    inputs: HashMap<ChannelId, ChildStdin>,
}

impl Handler for Peer {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let known = user == "git" && key.public_key.key_data() == self.allowed.key_data();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn env_request(
        &mut self,
        _channel: ChannelId,
        name: &str,
        value: &str,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "GIT_PROTOCOL" {
            value.clone_into(&mut self.protocol);
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(data).into_owned();
        self.commands.lock().unwrap().push(command.clone());
        session.channel_success(channel)?;
        let handle = session.handle();
        let repo =
            command.trim_start_matches("git-upload-pack '").trim_end_matches('\'').trim_start_matches('/');
        let repo = self.root.join(repo);
        if !repo.is_dir() {
            tokio::spawn(async move {
                handle.extended_data(channel, 1, &b"ERROR: Repository not found.\n"[..]).await.ok();
                handle.exit_status_request(channel, 1).await.ok();
                handle.close(channel).await.ok();
            });
            return Ok(());
        }
        let mut child = Command::new("git")
            .arg("upload-pack")
            .arg(repo)
            .env("GIT_PROTOCOL", &self.protocol)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        self.inputs.insert(channel, child.stdin.take().expect("a pipe"));
        let mut output = child.stdout.take().expect("a pipe");
        tokio::spawn(async move {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(count @ 1..) = output.read(&mut buffer).await {
                if handle.data(channel, buffer[..count].to_vec()).await.is_err() {
                    return;
                }
            }
            let status = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(1);
            handle.exit_status_request(channel, u32::try_from(status).unwrap_or(1)).await.ok();
            handle.close(channel).await.ok();
        });
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(input) = self.inputs.get_mut(&channel) {
            input.write_all(data).await?;
        }
        Ok(())
    }
}
