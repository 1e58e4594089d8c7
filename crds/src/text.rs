//! Strings with a rule. Each newtype carries its pattern and maximum into the schema, and checks them when a value
//! is made by hand, so that a name is parsed once and trusted afterwards.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A value that breaks the rule of its type. The message names the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a {what}: {rule}")]
pub struct Invalid {
    /// What was wanted, e.g. "process name".
    pub what: &'static str,
    /// The rule in words.
    pub rule: &'static str,
    /// The value that was given, cut to 80 characters.
    pub value: String,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, max $max:literal, pattern $pattern:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks the rule and wraps the value.
            ///
            /// # Errors
            /// [`Invalid`] when the value is too long or breaks the rule.
            pub fn new(value: impl Into<String>) -> Result<Self, Invalid> {
                let value = value.into();
                let check: fn(&str) -> bool = $check;
                if value.len() <= $max && check(&value) {
                    Ok(Self(value))
                } else {
                    Err(Invalid { what: $what, rule: $rule, value: value.chars().take(80).collect() })
                }
            }

            /// The value as it stands.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "maxLength": $max, "pattern": $pattern })
            }
        }
    };
}

pub(crate) use text;

fn is_label(value: &str, extra: fn(u8) -> bool) -> bool {
    let bytes = value.as_bytes();
    let alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.first().is_some_and(alnum)
        && bytes.last().is_some_and(alnum)
        && bytes.iter().all(|b| alnum(b) || *b == b'-' || extra(*b))
}

text! {
    /// A DNS label: lower case letters, digits and `-`, at most 63 characters.
    Label, "name", max 63, pattern "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    "use lower case letters, digits and '-', at most 63 characters, beginning and ending with a letter or digit",
    |v| is_label(v, |_| false)
}
text! {
    /// The name of a process or job: a DNS label short enough for the names that are derived from it.
    ProcessName, "process name", max 30, pattern "^[a-z]([-a-z0-9]*[a-z0-9])?$",
    "use lower case letters, digits and '-', at most 30 characters, beginning with a letter",
    |v| is_label(v, |_| false) && v.as_bytes()[0].is_ascii_lowercase()
}
text! {
    /// A host: a DNS name of lower case labels; a first label `*` stands for any one label.
    HostName, "host name", max 253, pattern r"^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
    "write lower case labels of letters, digits and '-' with dots between, as in shop.example.com or *.shop.example.com",
    |v| v.strip_prefix("*.").unwrap_or(v).split('.').all(|label| label.len() <= 63 && is_label(label, |_| false))
}
text! {
    /// The name of a Kubernetes object: a DNS subdomain of at most 253 characters.
    ObjectName, "object name", max 253, pattern "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    "use lower case letters, digits, '-' and '.', at most 253 characters, beginning and ending with a letter or digit",
    |v| is_label(v, |b| b == b'.')
}
text! {
    /// A key in a Secret or ConfigMap.
    KeyName, "key", max 253, pattern "^[-._a-zA-Z0-9]+$",
    "use letters, digits, '-', '_' and '.', at most 253 characters",
    |v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}
text! {
    /// The name of an environment variable.
    EnvName, "variable name", max 253, pattern "^[A-Za-z_][A-Za-z0-9_]*$",
    "use letters, digits and '_', beginning with a letter or '_'",
    |v| v.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
text! {
    /// A container image: `registry/repository:tag` or `registry/repository@sha256:…`.
    Image, "image", max 512, pattern "^[a-zA-Z0-9][^\\s]*$",
    "write it as registry/repository:tag or registry/repository@sha256:…, without spaces or a scheme",
    |v| v.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && !v.contains(char::is_whitespace) && !v.contains("://")
}
text! {
    /// The digest of an image: `sha256:` and 64 hex digits.
    Digest, "digest", max 71, pattern "^sha256:[0-9a-f]{64}$", "write it as sha256: and 64 hex digits",
    |v| v.strip_prefix("sha256:").is_some_and(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()))
}
text! {
    /// A git commit: 40 hex digits.
    CommitSha, "commit", max 40, pattern "^[0-9a-f]{40}$", "write all 40 hex digits in lower case",
    |v| v.len() == 40 && v.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}
text! {
    /// A duration: numbers with units `d`, `h`, `m`, `s` or `ms`, as in `30m`, `7d` or `1h30m`.
    Duration, "duration", max 32, pattern "^([0-9]{1,9}(d|h|ms|m|s))+$",
    "write numbers with the units d, h, m, s or ms, as in 30m, 7d or 1h30m",
    |v| parse_duration(v).is_some()
}
text! {
    /// An amount of a resource as Kubernetes writes it, as in `500m` or `512Mi`.
    Quantity, "quantity", max 32, pattern "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
    "write it as Kubernetes does, as in 500m or 512Mi",
    |v| v.bytes().next().is_some_and(|b| b.is_ascii_digit())
}
text! {
    /// A cron schedule of five fields, or a name such as `@daily`.
    Schedule, "schedule", max 128,
    pattern "^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^\\s]+(\\s+[^\\s]+){4})$",
    "write five cron fields, as in '0 2 * * *', or a name such as @daily",
    |v| v.starts_with('@') || v.split_whitespace().count() == 5
}
text! {
    /// An IANA time zone, as in `Asia/Tokyo`.
    TimeZone, "time zone", max 64, pattern "^[A-Za-z][A-Za-z0-9_+/-]*$",
    "write an IANA name, as in Asia/Tokyo or Etc/UTC",
    |v| v.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

fn parse_duration(text: &str) -> Option<StdDuration> {
    let mut rest = text;
    let mut total = StdDuration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(unit);
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        total = total.checked_add(StdDuration::from_millis(number.checked_mul(millis)?))?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

impl Duration {
    /// The length of time. A value that the schema would have refused counts as zero.
    pub fn get(&self) -> StdDuration {
        parse_duration(&self.0).unwrap_or_default()
    }

    /// A duration of whole seconds.
    pub fn from_secs(seconds: u64) -> Self {
        Self(format!("{seconds}s"))
    }
}

impl Image {
    /// The image without tag and digest, as in `registry.example.com/acme/shop`.
    pub fn repository(&self) -> &str {
        let name = self.0.split_once('@').map_or(self.0.as_str(), |(name, _)| name);
        match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => repository,
            _ => name,
        }
    }

    /// The digest, when the image is given by one.
    pub fn digest(&self) -> Option<Digest> {
        self.0.split_once('@').and_then(|(_, digest)| Digest::new(digest).ok())
    }

    /// The tag, when one is given and no digest overrides it.
    pub fn tag(&self) -> Option<&str> {
        if self.0.contains('@') {
            return None;
        }
        self.0.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_knows_days_and_milliseconds() {
        let parse = |text: &str| Duration::new(text).map(|d| d.get());
        assert_eq!(parse("7d"), Ok(StdDuration::from_hours(7 * 24)));
        assert_eq!(parse("1h30m"), Ok(StdDuration::from_mins(90)));
        assert_eq!(parse("250ms"), Ok(StdDuration::from_millis(250)));
        for bad in ["", "5", "m", "-1s", "1w", "1.5h", "99999999999999999999d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_image_splits_into_repository_tag_and_digest() {
        let image = Image::new("registry.example.com:5000/acme/shop:1.4").unwrap();
        assert_eq!((image.repository(), image.tag()), ("registry.example.com:5000/acme/shop", Some("1.4")));
        let bare = Image::new("registry.example.com:5000/acme/shop").unwrap();
        assert_eq!((bare.repository(), bare.tag()), ("registry.example.com:5000/acme/shop", None));
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = Image::new(format!("r/shop:1@{digest}")).unwrap();
        assert_eq!(pinned.repository(), "r/shop");
        assert_eq!(pinned.digest().unwrap().as_str(), digest);
        assert!(Image::new("https://r/shop").is_err());
    }

    #[test]
    fn a_process_name_begins_with_a_letter() {
        assert!(ProcessName::new("web").is_ok());
        for bad in ["", "1web", "Web", "web-", "a".repeat(31).as_str()] {
            assert!(ProcessName::new(bad).is_err(), "{bad}");
        }
    }
}
