//! How to prove to a git host who we are. Nothing here prints a secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{GitError, tame};

/// A secret string: wiped from memory when dropped, shown as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret as it stands in a Kubernetes Secret. The line break that editors leave at the end is dropped.
    pub fn new(value: impl Into<String>) -> Self {
        let value = Zeroizing::new(value.into());
        Self(Zeroizing::new(value.trim_end_matches(['\r', '\n']).to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a request is authenticated with. It is sent only to the scheme, host and port of the repository's URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// A public repository.
    #[default]
    None,
    /// An access token, sent as the password of HTTP basic authentication with the user name `oauth2` (GitHub, GitLab,
    /// Gitea and Forgejo take any name; where a name matters use [`Credentials::Basic`]).
    Token(Secret),
    /// A user name and a password or token.
    Basic {
        /// The user name; may not hold a colon.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// An SSH key (ed25519, RSA or ECDSA, in OpenSSH or PEM form) and the host keys to expect.
    SshKey {
        /// The private key file's content.
        private_key: Secret,
        /// What the key file is encrypted with, if it is.
        passphrase: Option<Secret>,
        /// Lines as in OpenSSH's `known_hosts`; a host that is not in it is refused.
        known_hosts: String,
    },
}

impl Credentials {
    /// The value of the `Authorization` header, if these credentials go over HTTP.
    pub(crate) fn authorization(&self) -> Result<Option<Zeroizing<String>>, GitError> {
        let (user, password) = match self {
            Self::None => return Ok(None),
            Self::Token(token) => ("oauth2", token),
            Self::Basic { username, password } => (username.as_str(), password),
            Self::SshKey { .. } => {
                return Err(GitError::InvalidCredentials {
                    reason: "an SSH key cannot be used with an https URL; use an ssh URL, or a token".into(),
                });
            }
        };
        if user.contains(':') || user.chars().any(char::is_control) {
            return Err(GitError::InvalidCredentials {
                reason: "the user name may hold neither a colon nor control characters".into(),
            });
        }
        let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
        Ok(Some(Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))))
    }

    /// Feeds the whole identity into `hasher`, every part with its length so that no two identities are alike.
    pub(crate) fn identify(&self, hasher: &mut Sha256) {
        let parts: Vec<&str> = match self {
            Self::None => vec!["none"],
            Self::Token(token) => vec!["token", token.expose()],
            Self::Basic { username, password } => vec!["basic", username, password.expose()],
            Self::SshKey { private_key, passphrase, known_hosts } => {
                vec!["ssh", private_key.expose(), passphrase.as_ref().map_or("", Secret::expose), known_hosts]
            }
        };
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }

    /// Text from a server, fit for a message: without our secrets, in case the server repeats them, and [`tame`].
    pub(crate) fn redact(&self, text: &str) -> String {
        let secrets: Vec<&str> = match self {
            Self::None => Vec::new(),
            Self::Token(secret) | Self::Basic { password: secret, .. } => vec![secret.expose()],
            Self::SshKey { private_key, passphrase, .. } => {
                private_key.expose().lines().chain(passphrase.iter().map(Secret::expose)).collect()
            }
        };
        let mut text = text.to_owned();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        if let Ok(Some(header)) = self.authorization() {
            text = text.replace(header.trim_start_matches("Basic "), "***");
        }
        tame(&text)
    }
}
