//! Whose is an object? A ConfigRepo takes what is its own and what is nobody's, and never fights over the rest.

use crds::names::{OWNER, OWNER_UID};
use serde_json::Value;

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The ConfigRepo's that asks.
    Ours,
    /// Nobody's: made by hand, or left behind by a ConfigRepo that is gone.
    Free,
    /// Another's: who, in words.
    Other(String),
}

/// The uid of the ConfigRepo that applies an object.
pub fn owner_uid(live: &Value) -> Option<&str> {
    live.get("metadata")?.get("labels")?.get(OWNER_UID)?.as_str()
}

/// Whose an object is, seen by the ConfigRepo of uid `us`. `exists` tells whether a ConfigRepo of that uid exists.
pub fn claim(live: &Value, us: &str, exists: impl Fn(&str) -> bool) -> Claim {
    match owner_uid(live) {
        Some(uid) if uid == us => return Claim::Ours,
        Some(uid) if exists(uid) => {
            let name =
                live.pointer("/metadata/annotations").and_then(|a| a.get(OWNER)).and_then(Value::as_str);
            return Claim::Other(format!("ConfigRepo {}", name.unwrap_or(uid)));
        }
        _ => {}
    }
    let controllers = live.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let controller = controllers
        .into_iter()
        .flatten()
        .find(|reference| reference.get("controller").and_then(Value::as_bool) == Some(true));
    match controller {
        Some(reference) => {
            let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
            Claim::Other(format!("{} {}", text("kind"), text("name")))
        }
        None => Claim::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_belongs_to_the_config_repo_of_its_label_while_that_exists() {
        let live = json!({"metadata": {"labels": {"keelway.dev/config-repo-uid": "u-1"},
            "annotations": {"keelway.dev/config-repo": "team/platform"}}});
        assert_eq!(claim(&live, "u-1", |_| true), Claim::Ours);
        assert_eq!(claim(&live, "u-2", |_| true), Claim::Other("ConfigRepo team/platform".into()));
        assert_eq!(claim(&live, "u-2", |_| false), Claim::Free);
    }

    #[test]
    fn an_object_that_a_controller_made_is_that_controllers() {
        let live = json!({"metadata": {"ownerReferences": [{"kind": "Environment", "name": "shop-production", "controller": true}]}});
        assert_eq!(claim(&live, "u-1", |_| true), Claim::Other("Environment shop-production".into()));
        let owned = json!({"metadata": {"ownerReferences": [{"kind": "A", "name": "b"}]}});
        assert_eq!(claim(&owned, "u-1", |_| true), Claim::Free);
        assert_eq!(claim(&json!({"metadata": {}}), "u-1", |_| true), Claim::Free);
    }
}
