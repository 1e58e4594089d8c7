//! What is remembered of an applied object: not the object, only what decisions need of it.

use crds::names::{COMMIT, DRIFT};
use serde_json::Value;

use crate::config_repo::document::Planned;
use crate::config_repo::fields;
use crate::config_repo::health::{Health, health};
use crate::matching::APPLIED;

/// What is remembered of an applied object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
    /// The digest of what was last applied.
    pub stamp: Option<String>,
    /// The digest of the fields that our manager owns.
    pub own: Option<String>,
    /// Whether these cover all that git decides; `None` where git was not compared.
    pub covers: Option<bool>,
    /// Whether our manager owns `spec.replicas`.
    pub owns_replicas: bool,
    /// The commit that last changed it.
    pub commit: Option<String>,
    /// Whether it works.
    pub health: Health,
    /// Whether it is being deleted.
    pub leaving: bool,
}

impl Seen {
    /// Of an object as the cluster holds it; `planned` is what git says of it now.
    pub fn of(live: &Value, planned: Option<&Planned>) -> Self {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let annotations = live.pointer("/metadata/annotations");
        let annotation =
            |name| annotations.and_then(|a| a.get(name)).and_then(Value::as_str).map(str::to_owned);
        let own = fields::own(live);
        Self {
            uid: text("/metadata/uid").unwrap_or_default(),
            resource_version: text("/metadata/resourceVersion").unwrap_or_default(),
            stamp: annotation(APPLIED),
            covers: planned
                .map(|planned| own.as_ref().is_some_and(|own| fields::cover(own, planned.manifest.value()))),
            own: own.as_ref().map(fields::digest),
            owns_replicas: fields::owns_replicas(live),
            commit: annotation(COMMIT),
            health: health(live),
            leaving: live.pointer("/metadata/deletionTimestamp").is_some(),
        }
    }

    /// Whether the cluster still holds what git says. `baseline` is the digest of our fields right after the last apply,
    /// where that is known: an admission webhook may take a field at once and always, which is no drift.
    pub fn holds(&self, planned: &Planned, baseline: Option<&str>) -> bool {
        if self.leaving || self.stamp.as_deref() != Some(planned.digest.as_str()) {
            return false;
        }
        if planned.annotation(DRIFT) == Some("ignore") {
            return true;
        }
        match (baseline, &self.own) {
            (Some(baseline), Some(own)) if baseline == own => true,
            (Some(_), _) | (None, None) => false,
            (None, Some(_)) => self.covers.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_repo::document::{Owner, Place, Scope, Source, normalise};
    use serde_json::json;

    fn planned(annotations: &Value) -> Planned {
        let source = Source {
            place: Place { path: "a.yaml".into(), line: 1 },
            json: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": annotations}, "data": {"a": "1"}}),
            encrypted: false,
        };
        let owner = Owner { uid: "u-1".into(), name: "n/r".into(), target_namespace: "n".into() };
        normalise(&source, Some(Scope::Namespaced), &owner).unwrap()
    }

    fn live(planned: &Planned) -> Value {
        let mut live = planned.manifest.value().clone();
        live["metadata"]["uid"] = "x".into();
        live["metadata"]["managedFields"] = json!([{"manager": "keelway-config", "operation": "Apply", "fieldsV1": {
            "f:data": {"f:a": {}},
            "f:metadata": {"f:annotations": {"f:keelway.dev/applied": {}, "f:keelway.dev/config-repo": {}, "f:keelway.dev/drift": {}},
                           "f:labels": {"f:keelway.dev/config-repo-uid": {}}}}}]);
        live
    }

    #[test]
    fn an_object_holds_until_somebody_takes_a_field() {
        let planned = planned(&json!({}));
        let before = Seen::of(&live(&planned), Some(&planned));
        assert!(before.holds(&planned, None));
        assert!(before.holds(&planned, before.own.as_deref()));
        let mut changed = live(&planned);
        changed["metadata"]["managedFields"][0]["fieldsV1"]["f:data"] = json!({".": {}});
        let after = Seen::of(&changed, Some(&planned));
        assert!(!after.holds(&planned, None));
        assert!(!after.holds(&planned, before.own.as_deref()));
    }

    #[test]
    fn a_field_that_a_webhook_takes_at_once_is_no_drift() {
        let planned = planned(&json!({}));
        let mut changed = live(&planned);
        changed["metadata"]["managedFields"][0]["fieldsV1"]["f:data"] = json!({".": {}});
        let answer = Seen::of(&changed, Some(&planned));
        assert!(answer.holds(&planned, answer.own.as_deref()));
    }

    #[test]
    fn drift_ignore_leaves_changes_alone_but_not_a_new_commit() {
        let ignoring = planned(&json!({"keelway.dev/drift": "ignore"}));
        let mut changed = live(&ignoring);
        changed["metadata"]["managedFields"] = json!([]);
        let seen = Seen::of(&changed, Some(&ignoring));
        assert!(seen.holds(&ignoring, None));
        let newer = planned(&json!({"keelway.dev/drift": "ignore", "x": "y"}));
        assert!(!seen.holds(&newer, None));
    }
}
