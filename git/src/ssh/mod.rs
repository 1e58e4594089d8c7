//! `git upload-pack` over SSH: one connection per call, to a host whose key is in the Secret's `known_hosts`.

mod channel;
mod known_hosts;

use std::sync::Arc;

use gix_transport::Protocol;
use gix_transport::client::blocking_io::Transport;
use gix_transport::client::git::ConnectMode;
use gix_transport::client::git::blocking_io::Connection;
use russh::Preferred;
use russh::client::{self, Config, Handle, Handler};
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use tokio::runtime;

use crate::budget::Budget;
use crate::credentials::{Credentials, Secret};
use crate::error::{GitError, tame};
use crate::net::Dialer;
use crate::url::RepoUrl;
use known_hosts::{HostKeys, Verdict, fingerprint};

/// The user that git hosts expect when the URL names none.
const DEFAULT_USER: &str = "git";

/// Connects, checks the host, logs in, and starts `git-upload-pack`.
pub(crate) fn transport(
    runtime: &runtime::Handle,
    dialer: &Dialer,
    url: &RepoUrl,
    credentials: &Credentials,
    budget: &Arc<Budget>,
) -> Result<Box<dyn Transport>, GitError> {
    let Credentials::SshKey { private_key, passphrase, known_hosts } = credentials else {
        let reason =
            "an ssh URL needs an SSH key and `known_hosts` in the Secret; for a token use an https URL";
        return Err(GitError::InvalidCredentials { reason: reason.into() });
    };
    let key = private(private_key, passphrase.as_ref())?;
    let hosts = HostKeys::parse(known_hosts, url.host(), url.port())?;
    let channel = runtime.block_on(async {
        let mut session = connect(dialer, url, hosts, budget).await?;
        log_in(&mut session, url, key, budget).await?;
        let channel = start(&session, url, budget).await?;
        Ok(channel::Shared::new(runtime.clone(), session, channel, url, credentials, budget))
    })?;
    let (reader, writer) = channel.split();
    let path = url.path().to_owned();
    let (version, mode) = (Protocol::V2, ConnectMode::Process);
    Ok(Box::new(Connection::new(reader, writer, version, path, None::<(&str, _)>, mode, false)))
}

fn private(key: &Secret, passphrase: Option<&Secret>) -> Result<PrivateKey, GitError> {
    decode_secret_key(key.expose(), passphrase.map(Secret::expose)).map_err(|error| {
        // The library's message may quote the key file, so only its kind is told.
        let reason = match error {
            russh::keys::Error::KeyIsEncrypted => {
                "the SSH key is encrypted; add its passphrase to the Secret"
            }
            _ if passphrase.is_some() => "the SSH key cannot be read; check the file and its passphrase",
            _ => {
                "the SSH key cannot be read; it must be an OpenSSH or PEM private key (ed25519, RSA or ECDSA)"
            }
        };
        GitError::InvalidCredentials { reason: reason.into() }
    })
}

async fn connect(
    dialer: &Dialer,
    url: &RepoUrl,
    hosts: HostKeys,
    budget: &Arc<Budget>,
) -> Result<Handle<HostCheck>, GitError> {
    let stream = dialer.dial(url.host(), url.port(), budget).await?;
    let mut preferred = Preferred::DEFAULT;
    hosts.prefer(preferred.key.to_mut());
    let config = Config { preferred, nodelay: true, ..Config::default() };
    let check = HostCheck { hosts, url: url.clone(), budget: Arc::clone(budget) };
    let session = client::connect_stream(Arc::new(config), stream, check);
    let session = budget.connecting("agreeing on encryption", session).await?;
    session.map_err(|error| budget.failure().unwrap_or_else(|| broken(url, &error)))
}

async fn log_in(
    session: &mut Handle<HostCheck>,
    url: &RepoUrl,
    key: PrivateKey,
    budget: &Budget,
) -> Result<(), GitError> {
    let user = url.user().unwrap_or(DEFAULT_USER);
    let attempt = async {
        let hash = match key.algorithm() {
            Algorithm::Rsa { .. } => session.best_supported_rsa_hash().await?.flatten(),
            _ => None,
        };
        session.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), hash)).await
    };
    let result = budget.connecting("logging in", attempt).await?.map_err(|error| broken(url, &error))?;
    if result.success() {
        return Ok(());
    }
    Err(GitError::SshRefused { host: url.host().to_owned(), user: user.to_owned() })
}

async fn start(
    session: &Handle<HostCheck>,
    url: &RepoUrl,
    budget: &Budget,
) -> Result<russh::Channel<client::Msg>, GitError> {
    let command = format!("git-upload-pack {}", quoted(url.path()));
    let open = async {
        let channel = session.channel_open_session().await?;
        // A server that does not take the variable speaks the older protocol, which works as well.
        channel.set_env(false, "GIT_PROTOCOL", "version=2").await?;
        channel.exec(true, command).await?;
        Ok(channel)
    };
    let opened = budget.connecting("starting git-upload-pack", open).await?;
    opened.map_err(|error: russh::Error| broken(url, &error))
}

/// A word for the shell at the other end.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn broken(url: &RepoUrl, error: &russh::Error) -> GitError {
    GitError::Ssh { host: url.host().to_owned(), detail: tame(&error.to_string()) }
}

/// Refuses a host whose key is not in `known_hosts`, before anything is sent to it.
pub(super) struct HostCheck {
    hosts: HostKeys,
    url: RepoUrl,
    budget: Arc<Budget>,
}

impl Handler for HostCheck {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let host = self.url.host().to_owned();
        let (fingerprint, algorithm) = (fingerprint(key), key.algorithm().to_string());
        let refusal = match self.hosts.judge(key) {
            Verdict::Known => return Ok(true),
            Verdict::Mismatch => GitError::HostKeyMismatch { host, fingerprint, algorithm },
            Verdict::Unknown => {
                let keyscan = if self.url.port() == 22 {
                    host.clone()
                } else {
                    format!("-p {} {host}", self.url.port())
                };
                GitError::HostKeyUnknown { host, keyscan, fingerprint, algorithm }
            }
        };
        self.budget.fail(refusal);
        Ok(false)
    }
}
