//! At which hosts an Environment answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EnvironmentSpec;
use crate::text::{HostName, Invalid};

/// The process that requests from outside reach.
const WEB: &str = "web";
/// The stage that answers at `<app>.<domain>`, without its own name.
const PRODUCTION: &str = "production";

/// A host at which an App answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The host, as in `shop.example.com`; `*.shop.example.com` stands for one label.
    pub name: HostName,
}

/// The address below which every Environment has a host of its own: `https://apps.example.com`, with a port if it is
/// not the scheme's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl {
    scheme: String,
    domain: HostName,
    port: Option<u16>,
}

impl PublicUrl {
    /// The domain.
    pub fn domain(&self) -> &str {
        self.domain.as_str()
    }

    /// The URL of a host that the router answers at.
    pub fn of(&self, host: &str) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", self.scheme)
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid {
            what: "public URL",
            rule: "write http or https, a domain and no path, as in https://apps.example.com or http://apps.localhost:8080",
            value: text.chars().take(80).collect(),
        };
        let (scheme, rest) = text.trim_end_matches('/').split_once("://").ok_or_else(invalid)?;
        let (domain, port) = match rest.split_once(':') {
            Some((domain, port)) => (domain, Some(port.parse().map_err(|_| invalid())?)),
            None => (rest, None),
        };
        let domain = HostName::new(domain).map_err(|_| invalid())?;
        if !["http", "https"].contains(&scheme) || domain.as_str().starts_with("*.") || port == Some(0) {
            return Err(invalid());
        }
        Ok(Self { scheme: scheme.to_owned(), domain, port })
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.of(url.domain())
    }
}

impl EnvironmentSpec {
    /// The hosts at which the router answers for it: those that its App names, then its own below the router's domain
    /// (`<app>.<domain>` in production, `<stage>.<app>.<domain>` elsewhere). None without a process `web`.
    pub fn hosts(&self, domain: Option<&str>) -> Vec<String> {
        if !self.config.processes.iter().any(|process| process.name.as_str() == WEB) {
            return Vec::new();
        }
        let own = domain.map(|domain| match self.stage.as_str() {
            PRODUCTION => format!("{}.{domain}", self.app),
            stage => format!("{stage}.{}.{domain}", self.app),
        });
        self.domains.iter().map(|domain| domain.name.as_str().to_owned()).chain(own).collect()
    }

    /// Whether [`Self::hosts`] has this host; makes none of them, because it is asked of every Environment about every other.
    pub fn answers_at(&self, host: &str, domain: Option<&str>) -> bool {
        let is_own = || {
            let rest = host.strip_suffix(domain?)?.strip_suffix('.')?;
            Some(match self.stage.as_str() {
                PRODUCTION => rest == self.app,
                stage => rest.split_once('.') == Some((stage, self.app.as_str())),
            })
        };
        self.config.processes.iter().any(|process| process.name.as_str() == WEB)
            && (self.domains.iter().any(|domain| domain.name.as_str() == host) || is_own().unwrap_or(false))
    }

    /// The URL at which people reach it: its first named host, or its own.
    pub fn url(&self, public: Option<&PublicUrl>) -> Option<String> {
        let hosts = self.hosts(public.map(PublicUrl::domain));
        let host = hosts.iter().find(|host| !host.starts_with("*."))?;
        Some(public?.of(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EnvironmentSpec, text::Label};

    fn environment(stage: &str, processes: &str, domains: &[&str]) -> EnvironmentSpec {
        let config = serde_json::from_str(&format!(r#"{{"processes": {processes}}}"#)).unwrap();
        let image = serde_json::from_str(r#"{"requested": "a:1", "resolved": "a:1"}"#).unwrap();
        let domains = domains.iter().map(|name| Domain { name: HostName::new(*name).unwrap() }).collect();
        let stage = Label::new(stage).unwrap();
        let app = "shop".to_owned();
        EnvironmentSpec {
            app,
            stage,
            image,
            config,
            domains,
            commit: None,
            retry_at: None,
            suspend: false,
            routing: crate::routing::Routing::default(),
        }
    }

    #[test]
    fn hosts_are_those_named_and_one_of_its_own() {
        let web = r#"[{"name": "web"}]"#;
        let named = environment("production", web, &["*.shop.example.com", "shop.example.com"]);
        assert_eq!(named.hosts(Some("a.b")), ["*.shop.example.com", "shop.example.com", "shop.a.b"]);
        let public: PublicUrl = "http://apps.localhost:8080".parse().unwrap();
        assert_eq!(named.url(Some(&public)).unwrap(), "http://shop.example.com:8080");
        let staging = environment("staging", web, &[]);
        assert_eq!(staging.url(Some(&public)).unwrap(), "http://staging.shop.apps.localhost:8080");
        assert_eq!(staging.url(None), None);
        let worker = environment("production", r#"[{"name": "worker"}]"#, &["shop.example.com"]);
        for environment in [&named, &staging, &worker] {
            for host in
                ["shop.a.b", "staging.shop.a.b", "shop.example.com", "xshop.a.b", "shop", "a.b", ".a.b"]
            {
                for domain in [Some("a.b"), None] {
                    let hosts = environment.hosts(domain);
                    assert_eq!(
                        environment.answers_at(host, domain),
                        hosts.iter().any(|own| own == host),
                        "{host}"
                    );
                }
            }
        }
        assert!(environment("production", r#"[{"name": "worker"}]"#, &[]).hosts(Some("a.b")).is_empty());
    }

    #[test]
    fn a_public_url_is_a_scheme_a_domain_and_perhaps_a_port() {
        for good in ["https://apps.example.com", "http://apps.localhost:8080"] {
            assert_eq!(String::from(good.parse::<PublicUrl>().unwrap()), good);
        }
        for bad in
            ["apps.example.com", "ftp://a.b", "https://a.b/c", "https://a.b:x", "https://*.a.b", "http://a:0"]
        {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}
