//! Reading `known_hosts` (the format of sshd(8)) and comparing a host's key with it.

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::PublicKey;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, KnownHosts, Marker};
use russh::keys::ssh_key::{Algorithm, HashAlg};
use sha1::Sha1;

use crate::error::GitError;

/// What `known_hosts` says about a key that a host showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is listed.
    Known,
    /// The host is not listed, or only with keys of other kinds.
    Unknown,
    /// Another key of the same kind is listed, or this one is marked as revoked.
    Mismatch,
}

/// The lines of a `known_hosts` file that concern one host.
pub(super) struct HostKeys {
    entries: Vec<Entry>,
}

impl HostKeys {
    /// Reads all lines; a line that cannot be understood is refused, since it may be the one that was meant.
    pub(super) fn parse(text: &str, host: &str, port: u16) -> Result<Self, GitError> {
        let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        let mut entries = Vec::new();
        for entry in KnownHosts::new(text) {
            let entry = entry.map_err(|_| GitError::InvalidCredentials {
                reason:
                    "`known_hosts` has a line that is not `host key-type key`; use the output of ssh-keyscan"
                        .into(),
            })?;
            if concerns(entry.host_patterns(), &name) {
                entries.push(entry);
            }
        }
        Ok(Self { entries })
    }

    /// Compares the key that the host showed. Certificates of hosts are not supported: those lines are ignored.
    pub(super) fn judge(&self, shown: &PublicKey) -> Verdict {
        let same = |entry: &&Entry| entry.public_key().key_data() == shown.key_data();
        let revoked = |entry: &Entry| entry.marker() == Some(&Marker::Revoked);
        if self.entries.iter().filter(same).any(revoked) {
            return Verdict::Mismatch;
        }
        let plain = || self.entries.iter().filter(|entry| entry.marker().is_none());
        if plain().any(|entry| same(&entry)) {
            Verdict::Known
        } else if plain().any(|entry| entry.public_key().algorithm() == shown.algorithm()) {
            Verdict::Mismatch
        } else {
            Verdict::Unknown
        }
    }

    /// Sorts the kinds of keys so that those we know are asked for first; else a host might show one that is not listed.
    pub(super) fn prefer(&self, algorithms: &mut [Algorithm]) {
        let listed = |wanted: &Algorithm| {
            let kind = if let Algorithm::Rsa { .. } = wanted {
                Algorithm::Rsa { hash: None }
            } else {
                wanted.clone()
            };
            self.entries.iter().any(|e| e.marker().is_none() && e.public_key().algorithm() == kind)
        };
        algorithms.sort_by_key(|algorithm| !listed(algorithm));
    }
}

/// The fingerprint as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn concerns(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|mac| mac.chain_update(name).verify_slice(hash).is_ok()),
        HostPatterns::Patterns(patterns) => {
            let matching = |pattern: &str| glob(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
            let negated = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(matching);
            !negated && patterns.iter().any(|pattern| matching(pattern))
        }
    }
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                // The last star takes one character more.
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBV4rmedHnOsYOwMQ4dMtLEX1JrD0czvITZXR5bwTGGl";
    const P256: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNT7/Q2g8u2h/fipF6oGUWloEHi7fd+xrXLH3kKEuSWQv/wDWXgeAJF0JWOGXQsaXtUlFO6ubIwb5+fR7ulqWQQ=";

    fn verdict(lines: &str, host: &str, port: u16, key: &str) -> Verdict {
        HostKeys::parse(lines, host, port).unwrap().judge(&key.parse().unwrap())
    }

    #[test]
    fn a_key_is_known_only_for_its_host_and_port() {
        assert_eq!(verdict(&format!("github.com {A}\n"), "github.com", 22, A), Verdict::Known);
        assert_eq!(verdict(&format!("github.com {A}\n"), "github.com", 2222, A), Verdict::Unknown);
        assert_eq!(verdict(&format!("[github.com]:2222 {A}\n"), "github.com", 2222, A), Verdict::Known);
        assert_eq!(verdict(&format!("github.com {A}\n"), "evil.com", 22, A), Verdict::Unknown);
        assert_eq!(verdict("", "github.com", 22, A), Verdict::Unknown);
    }

    #[test]
    fn another_key_of_the_same_kind_is_a_mismatch_and_of_another_kind_unknown() {
        assert_eq!(verdict(&format!("h {A}\n"), "h", 22, B), Verdict::Mismatch);
        assert_eq!(verdict(&format!("h {P256}\n"), "h", 22, B), Verdict::Unknown);
        assert_eq!(verdict(&format!("h {A}\nh {B}\n"), "h", 22, B), Verdict::Known);
    }

    #[test]
    fn revoked_keys_and_authorities_do_not_make_a_host_known() {
        assert_eq!(verdict(&format!("h {A}\n@revoked * {A}\n"), "h", 22, A), Verdict::Mismatch);
        assert_eq!(verdict(&format!("@cert-authority h {A}\n"), "h", 22, A), Verdict::Unknown);
    }

    #[test]
    fn patterns_negations_and_hashed_names_are_understood() {
        assert_eq!(verdict(&format!("*.example.com,h {A}\n"), "git.example.com", 22, A), Verdict::Known);
        assert_eq!(
            verdict(&format!("*.example.com,!git.example.com {A}\n"), "git.example.com", 22, A),
            Verdict::Unknown
        );
        assert_eq!(verdict(&format!("g?t {A}\n"), "git", 22, A), Verdict::Known);
        // HMAC-SHA1 of `git.test` with the salt `saltsaltsaltsaltsalt`, as `ssh-keygen -H` makes it.
        let hashed = format!("|1|c2FsdHNhbHRzYWx0c2FsdHNhbHQ=|4KbZIXo5t5gVASJ+j1CH8pgHZQo= {A}\n");
        assert_eq!(verdict(&hashed, "other.test", 22, A), Verdict::Unknown);
        assert_eq!(verdict(&hashed, "git.test", 22, A), Verdict::Known);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_refused() {
        assert!(HostKeys::parse("github.com\n", "github.com", 22).is_err());
        assert!(HostKeys::parse("# a comment\n\n", "github.com", 22).is_ok());
    }
}
