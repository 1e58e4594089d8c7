//! How a registry wants to be asked, and the credentials of pull Secrets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::Url;

/// A user and a password; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Credentials {
    /// The credentials for a registry in a `.dockerconfigjson`.
    pub fn find(file: &[u8], registry: &str) -> Option<Self> {
        let file: File = serde_json::from_slice(file).ok()?;
        let (_, entry) = file.auths.into_iter().find(|(key, _)| host_of(key) == registry)?;
        match (entry.username, entry.password, entry.auth) {
            (Some(user), Some(password), _) => Some(Self { user, password }),
            (_, _, Some(auth)) => {
                let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
                let (user, password) = text.split_once(':')?;
                Some(Self { user: user.into(), password: password.into() })
            }
            _ => None,
        }
    }

    /// The header's value.
    pub fn basic(&self) -> String {
        format!("Basic {}", super::base64(&format!("{}:{}", self.user, self.password)))
    }
}

/// Keys are hosts, or URLs as `https://index.docker.io/v1/`.
fn host_of(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = key.split('/').next().unwrap_or(key);
    if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host }
}

/// What a 401 asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User and password.
    Basic,
    /// A token of this service.
    Bearer(Bearer),
}

/// Where a token is had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    realm: String,
    service: Option<String>,
}

impl Challenge {
    /// Parses `WWW-Authenticate`.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let fields = fields(rest);
        let realm = fields.get("realm")?.clone();
        Some(Self::Bearer(Bearer { realm, service: fields.get("service").cloned() }))
    }
}

/// `a="b",c="d,e"`: commas may stand in quotes.
fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((name, tail)) = rest.split_once('=') {
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        fields.insert(name.trim().to_ascii_lowercase(), value.to_owned());
        rest = tail.trim_start_matches([',', ' ']);
    }
    fields
}

impl Bearer {
    /// Host and path of the request for a token that may pull from `repository`. Tokens are asked for over TLS, unless the
    /// token service is itself a registry that is spoken to without.
    pub fn target(&self, repository: &str) -> Option<(String, String)> {
        let mut url = Url::parse(&self.realm).ok()?;
        if let Some(service) = &self.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &format!("repository:{repository}:pull"));
        let host = url.host_str()?;
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Some((host, format!("{}?{}", url.path(), url.query().unwrap_or_default())))
    }
}

/// The token in the answer of a token service.
pub fn token(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }
    let parsed: Token = serde_json::from_slice(body).ok()?;
    let token = parsed.token.or(parsed.access_token)?;
    (!token.chars().any(char::is_whitespace)).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_realm_and_service() {
        let header = r#"Bearer realm="https://auth.example.com/token?a=b",service="r.example.com",scope="repository:a:pull,push""#;
        let Some(Challenge::Bearer(bearer)) = Challenge::parse(header) else { panic!() };
        let (host, path) = bearer.target("acme/shop").unwrap();
        assert_eq!(host, "auth.example.com");
        assert_eq!(path, "/token?a=b&service=r.example.com&scope=repository%3Aacme%2Fshop%3Apull");
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
    }

    #[test]
    fn credentials_are_found_by_the_registrys_host() {
        let auth = STANDARD.encode("bob:se:cret");
        let file = format!(
            r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{auth}"}}, "r.example.com:5000": {{"username": "u", "password": "p"}}}}}}"#
        );
        let find =
            |registry| Credentials::find(file.as_bytes(), registry).map(|found| (found.user, found.password));
        assert_eq!(find("docker.io"), Some(("bob".into(), "se:cret".into())));
        assert_eq!(find("r.example.com:5000"), Some(("u".into(), "p".into())));
        assert_eq!(find("r.example.com"), None);
    }
}
