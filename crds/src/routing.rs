//! How requests reach an App through the router: times, limits, access, pages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Cidr, PasswordHash, UserName};
use crate::text::Duration;

/// What the router does with an App's requests. Everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Routing {
    /// What the process `web` speaks.
    #[serde(default, skip_serializing_if = "Protocol::is_default")]
    pub protocol: Protocol,
    /// How long things may take.
    #[serde(default, skip_serializing_if = "Timeouts::is_default")]
    pub timeouts: Timeouts,
    /// Requests that a pod has at a time; others wait. No limit if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_pod: Option<i32>,
    /// Requests that may wait for a pod, per router; 100 if left out. Beyond that H11 is the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub queue: Option<i32>,
    /// A request in clear is sent to the same address by https.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub https_only: bool,
    /// For so long browsers are told to use https alone (HSTS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<Duration>,
    /// Whether search engines are asked to stay away; by default they are, except in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noindex: Option<bool>,
    /// The maintenance page is shown instead of the App.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// The most requests in a time, per router. Beyond that H22 is the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Who may enter, by name and password (HTTP basic authentication). Everybody if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["user"]))]
    pub basic_auth: Vec<User>,
    /// Pages of one's own for browsers.
    #[serde(default, skip_serializing_if = "Pages::is_default")]
    pub pages: Pages,
}

/// What a process speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without encryption, as gRPC needs it.
    H2c,
}

/// How long things may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// A connection to a pod; 5s if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// From the end of the request to the first byte of the answer; 30s if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Duration>,
    /// Between two pieces of an answer, of a request, or of a WebSocket; 55s if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// A WebSocket whose pod is on its way out, or not ready for so long; 5m if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Duration>,
}

/// The maintenance page is shown, except to these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// Networks whose clients get the App all the same, as in `203.0.113.0/24`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub allow: Vec<Cidr>,
}

/// So many requests in so long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Requests, which may also come all at once.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests: i32,
    /// The time.
    pub per: Duration,
}

/// Somebody who may enter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The name.
    pub user: UserName,
    /// The password's bcrypt hash, as `htpasswd -nB team` prints it after the colon.
    pub hash: PasswordHash,
}

/// Pages of one's own for browsers; programs get JSON or text all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pages {
    /// HTML instead of the page that names what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16_384))]
    pub error: Option<String>,
    /// HTML during maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16_384))]
    pub maintenance: Option<String>,
}

impl Routing {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Protocol {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Timeouts {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Pages {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes() {
        let routing: Routing = serde_json::from_str(
            r#"{"protocol": "h2c", "timeouts": {"firstByte": "90s"}, "requestsPerPod": 20, "httpsOnly": true,
            "maintenance": {"allow": ["203.0.113.0/24", "2001:db8::/32"]}, "rateLimit": {"requests": 600, "per": "1m"},
            "basicAuth": [{"user": "team", "hash": "$2y$10$abcdefghijklmnopqrstuuJ5lJ1JTXBqfNNlHlVUQO2fn0Wt7PZ7K"}],
            "pages": {"maintenance": "<h1>Back at nine</h1>"}}"#,
        )
        .unwrap();
        assert_eq!((routing.protocol, routing.requests_per_pod), (Protocol::H2c, Some(20)));
        assert!(!routing.is_default() && Routing::default().is_default());
        assert_eq!(serde_json::to_string(&Routing::default()).unwrap(), "{}");
    }

    #[test]
    fn networks_and_hashes_have_a_form() {
        for bad in ["203.0.113.0", "203.0.113.0/33", "::/129", "a/8", "1.2.3.4/-1", "1.2.3.4/ 8"] {
            assert!(Cidr::new(bad).is_err(), "{bad}");
        }
        for bad in ["secret", "$2y$20$abcdefghijklmnopqrstuuJ5lJ1JTXBqfNNlHlVUQO2fn0Wt7PZ7K", "$1$abc$def"] {
            assert!(PasswordHash::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "a:b", "a b\n"] {
            assert!(UserName::new(bad).is_err(), "{bad}");
        }
    }
}
