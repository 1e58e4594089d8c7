//! From the spec and its Secrets to a request of git and to keys of decryption.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crds::Reason;
use crds::config_repo::GitRef as Wanted;
use git::{Credentials, Fetched, GitError, GitRef, Limits, Request, Secret, Trust};
use jiff::Timestamp;
use manifests::sops::Identities;
use plan::config_repo::status::reconcile_at;
use plan::matching::short_digest;
use plan::{ObjectKey, Refusal};
use serde_json::{Value, json};

use super::load::Memory;
use super::pass::Pass;
use crate::apply::Identity;
use crate::sources::git::refusal;

/// No fetch takes longer, whatever the spec says.
const LONGEST: Duration = Duration::from_mins(10);

/// What is known of the repository now.
pub(super) struct Look {
    pub fetched: Option<Fetched>,
    pub error: Option<Refusal>,
    /// When the host is asked again.
    pub next: Option<Timestamp>,
    /// A look that a person asked for is still under way: its end will tell.
    pub asked: bool,
}

impl Pass<'_> {
    /// The newest commit that is known. Starts a fetch where one is due; its end wakes this key.
    pub(super) async fn look(&self, memory: &mut Memory) -> Result<Look, Refusal> {
        let now = (self.context.now)();
        let asked = reconcile_at(self.repo).filter(|value| {
            self.repo.status.as_ref().and_then(|s| s.last_handled_reconcile_at.as_ref()) != Some(value)
        });
        let generation = self.repo.metadata.generation;
        let changed = memory.generation != generation;
        let news = changed || asked.is_some() && asked != memory.asked;
        let spec = short_digest(&json!([
            self.repo.spec.url,
            self.repo.spec.git_ref,
            self.repo.spec.secret_ref,
            self.uid
        ]));
        let fetcher = &self.repos.fetcher;
        let mut look = fetcher.look(self.key, &spec);
        let due = look.due(|ended| self.next_look(ended));
        if news || due.is_none_or(|due| due <= now) && !look.running {
            fetcher.fetch(self.key, self.request().await?, spec.clone());
            memory.asked.clone_from(&asked);
            memory.generation = generation;
            look = fetcher.look(self.key, &spec);
        }
        let next = if look.running { None } else { look.due(|ended| self.next_look(ended)) };
        // Whoever asked or changed the spec is told of what the host says now, not of what it said before.
        let told = self.status().observed_generation == generation;
        let asked = look.running && (asked.is_some() || !told);
        Ok(Look { fetched: look.good, error: look.error, next, asked })
    }

    pub(super) async fn request(&self) -> Result<Request, Refusal> {
        let spec = &self.repo.spec;
        let url = spec.url.parse().map_err(|error: GitError| refusal(&error))?;
        let reference = match spec.git_ref.as_ref() {
            Some(Wanted { branch: Some(branch), .. }) => GitRef::branch(branch),
            Some(Wanted { tag: Some(tag), .. }) => GitRef::tag(tag),
            Some(Wanted { commit: Some(commit), .. }) => GitRef::commit(commit.as_str()),
            _ => GitRef::branch("main"),
        };
        let reference = reference.map_err(|error| refusal(&error))?;
        let (credentials, trust) = match &spec.secret_ref {
            Some(secret) => {
                let name = secret.name.as_str();
                let data = self.secret(name, "spec.secretRef").await?;
                (credentials(&data, name)?, trust(&data).map_err(|error| refusal(&error))?)
            }
            None => (Credentials::None, Trust::public()),
        };
        let limits = Limits { overall_timeout: spec.timeout.get().min(LONGEST), ..Limits::default() };
        Ok(Request { url, reference, credentials, trust, limits })
    }

    /// The age keys of the ConfigRepo, with a digest of the Secret's version.
    pub(super) async fn identities(&self) -> Result<Option<(Identities, String)>, Refusal> {
        let Some(decryption) = &self.repo.spec.decryption else { return Ok(None) };
        let name = decryption.secret_ref.name.as_str();
        let data = self.secret(name, "spec.decryption.secretRef").await?;
        let files = data.texts.iter().filter(|(key, _)| key.ends_with(".agekey"));
        let identities = Identities::parse(files.map(|(key, text)| (key.as_str(), text.as_str())));
        let identities = identities.map_err(|error| {
            Refusal::needs_user(
                Reason::DecryptionFailed,
                format!("the Secret {name} cannot be used: {error}"),
            )
        })?;
        Ok(Some((identities, data.version)))
    }

    async fn secret(&self, name: &str, field: &str) -> Result<Data, Refusal> {
        let key = ObjectKey {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some(self.key.namespace.clone()),
            name: name.to_owned(),
        };
        let found = self.context.writer.get(&Identity::OPERATOR, &key).await?;
        found.as_ref().map(Data::of).ok_or_else(|| {
            let message = format!("the Secret {name} of {field} does not exist in this namespace; create it");
            Refusal::needs_user(Reason::SecretMissing, message)
        })
    }
}

/// The texts of a Secret.
pub(crate) struct Data {
    pub texts: Vec<(String, String)>,
    version: String,
}

impl Data {
    /// Reads a Secret; values that are no UTF-8 are left out.
    pub fn of(secret: &Value) -> Self {
        let data = secret.get("data").and_then(Value::as_object);
        let text = |value: &Value| String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok();
        let texts =
            data.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect();
        let version = secret.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        Self { texts, version: version.to_owned() }
    }

    /// One text.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.texts
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, text)| text.as_str())
            .filter(|text| !text.is_empty())
    }
}

fn credentials(data: &Data, name: &str) -> Result<Credentials, Refusal> {
    if let Some(key) = data.get("identity") {
        let Some(known_hosts) = data.get("known_hosts") else {
            return Err(missing(
                name,
                "known_hosts (the output of ssh-keyscan, compared with what the git host publishes)",
            ));
        };
        return Ok(Credentials::SshKey {
            private_key: Secret::new(key),
            passphrase: data.get("passphrase").map(Secret::new),
            known_hosts: known_hosts.to_owned(),
        });
    }
    if let Some(token) = data.get("token") {
        return Ok(Credentials::Token(Secret::new(token)));
    }
    match (data.get("username"), data.get("password")) {
        (Some(username), Some(password)) => Ok(Credentials::Basic {
            username: username.trim_end().to_owned(),
            password: Secret::new(password),
        }),
        (Some(_), None) => Err(missing(name, "password")),
        (None, Some(_)) => Err(missing(name, "username")),
        // A Secret with a certificate authority alone is one of a public repository.
        (None, None) if data.get("ca.crt").is_some() => Ok(Credentials::None),
        (None, None) => Err(missing(name, "token, or username and password, or identity and known_hosts")),
    }
}

fn missing(name: &str, what: &str) -> Refusal {
    Refusal::needs_user(
        Reason::SecretMissing,
        format!("the Secret {name} of spec.secretRef has no {what}; add it"),
    )
}

fn trust(data: &Data) -> Result<Trust, GitError> {
    data.get("ca.crt").map_or_else(|| Ok(Trust::public()), Trust::with_ca)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(entries: &[(&str, &str)]) -> Data {
        let texts = entries.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Data { texts, version: String::new() }
    }

    #[test]
    fn a_secret_says_how_to_log_in() {
        assert!(matches!(credentials(&data(&[("token", "t")]), "s"), Ok(Credentials::Token(_))));
        assert!(matches!(
            credentials(&data(&[("username", "u"), ("password", "p")]), "s"),
            Ok(Credentials::Basic { .. })
        ));
        assert!(matches!(
            credentials(&data(&[("identity", "k"), ("known_hosts", "h")]), "s"),
            Ok(Credentials::SshKey { .. })
        ));
        assert!(matches!(credentials(&data(&[("ca.crt", "c")]), "s"), Ok(Credentials::None)));
    }

    #[test]
    fn half_a_secret_names_the_other_half() {
        for (entries, what) in [
            (&[("username", "u")][..], "password"),
            (&[("password", "p")], "username"),
            (&[("identity", "k")], "known_hosts"),
            (&[("other", "x")], "token"),
            (&[("token", "")], "token"),
        ] {
            let error = credentials(&data(entries), "platform-git").unwrap_err();
            assert!(error.message.contains(what) && error.message.contains("platform-git"), "{error}");
        }
    }
}
