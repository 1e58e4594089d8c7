//! A point at which the operator can be ended: verb, object, and the how-manieth such write it is.

use std::collections::HashMap;
use std::fmt;

use http::{Method, Uri};
use serde_json::Value;

/// What a write does, to which object. The scenario's namespace reads `NS`, so that runs can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Write {
    /// `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// Plural, namespace, name and subresource.
    pub object: String,
}

/// The how-manieth write of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// The write.
    pub write: Write,
    /// From 1.
    pub occurrence: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} #{}", self.write.verb, self.write.object, self.occurrence)
    }
}

/// Kinds whose writes are no part of the state: the lease, events, and questions in the form of a creation.
const UNCOUNTED: [&str; 7] = [
    "leases",
    "events",
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
    "localsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "tokenreviews",
];

impl Write {
    /// The write that a request makes in this namespace or outside of all; none for reads, dry-runs, leases, events
    /// and questions.
    pub fn of(method: &Method, uri: &Uri, body: &[u8], namespace: &str) -> Option<Self> {
        let verb = match *method {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => return None,
        };
        if uri.query().is_some_and(|query| query.contains("dryRun=All")) {
            return None;
        }
        let mut parts = uri.path().trim_start_matches('/').split('/').collect::<Vec<_>>();
        // /api/v1/… or /apis/group/version/…
        let prefix = if parts.first() == Some(&"api") { 2 } else { 3 };
        if parts.len() <= prefix {
            return None;
        }
        let mut rest = parts.split_off(prefix);
        let mut place = String::new();
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            // What is left of an earlier run is none of this one's business.
            if rest[1] != namespace {
                return None;
            }
            place.push_str("NS");
            rest.drain(..2);
        }
        if UNCOUNTED.contains(rest.first()?) {
            return None;
        }
        let name = match rest.get(1) {
            Some(name) => (*name).to_owned(),
            None => name_in(body)?,
        };
        let subresource = rest.get(2).map(|sub| format!("/{sub}")).unwrap_or_default();
        let name = name.replace(namespace, "NS");
        Some(Self { verb, object: format!("{}/{place}/{name}{subresource}", rest[0]) })
    }
}

fn name_in(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.pointer("/metadata/name")?.as_str()?.to_owned())
}

/// Counts writes.
#[derive(Debug, Default)]
pub struct Counter(HashMap<Write, u32>);

impl Counter {
    /// The point that this write is.
    pub fn next(&mut self, write: Write) -> Point {
        let count = self.0.entry(write.clone()).or_default();
        *count += 1;
        Point { write, occurrence: *count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(method: &Method, uri: &str, body: &[u8]) -> Option<String> {
        Write::of(method, &uri.parse().unwrap(), body, "cm-1")
            .map(|write| format!("{} {}", write.verb, write.object))
    }

    #[test]
    fn a_write_is_named_by_verb_and_object() {
        let status = "/apis/keelway.dev/v1alpha1/namespaces/cm-1/apps/shop/status?fieldManager=keelway";
        assert_eq!(write(&Method::PATCH, status, b"").as_deref(), Some("patch apps/NS/shop/status"));
        let create = br#"{"metadata": {"name": "a"}}"#;
        assert_eq!(
            write(&Method::POST, "/api/v1/namespaces/cm-1/configmaps", create).as_deref(),
            Some("create configmaps/NS/a")
        );
        assert_eq!(
            write(&Method::DELETE, "/api/v1/namespaces/cm-1", b"").as_deref(),
            Some("delete namespaces//NS")
        );
    }

    #[test]
    fn reads_dry_runs_leases_and_events_do_not_count() {
        for (method, uri) in [
            (Method::GET, "/api/v1/namespaces/cm-1/configmaps/a"),
            (Method::PATCH, "/api/v1/namespaces/cm-2/configmaps/a"),
            (Method::PATCH, "/api/v1/namespaces/cm-1/configmaps/a?dryRun=All&force=true"),
            (Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/cm-1/leases/l"),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/cm-1/events"),
            (Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ] {
            assert_eq!(write(&method, uri, br#"{"metadata":{"name":"x"}}"#), None, "{uri}");
        }
    }

    #[test]
    fn occurrences_are_counted_by_verb_and_object() {
        let mut counter = Counter::default();
        let write = Write { verb: "patch", object: "apps/NS/shop".into() };
        assert_eq!(counter.next(write.clone()).occurrence, 1);
        assert_eq!(counter.next(Write { verb: "delete", ..write.clone() }).occurrence, 1);
        assert_eq!(counter.next(write).to_string(), "patch apps/NS/shop #2");
    }
}
