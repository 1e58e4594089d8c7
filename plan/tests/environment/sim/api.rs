//! The API server: create, server-side apply with ownership of fields, status, delete.

use plan::{Answer, Applied, Delete, ObjectKey, Outcome, Refusal, Step};
use serde_json::{Value, json};

use super::Sim;

impl Sim {
    /// Carries steps out as the writer does: in order, up to the first failure.
    pub fn run(&mut self, steps: Vec<Step>) -> Applied {
        let mut applied = Applied::default();
        for step in steps {
            let key = step.key();
            self.writes += 1;
            let outcome = self.step(step);
            let failed = outcome.is_err();
            applied.answers.push(Answer { key, outcome });
            if failed {
                break;
            }
        }
        applied
    }

    fn step(&mut self, step: Step) -> Result<Outcome, Refusal> {
        let key = step.key();
        match step {
            Step::Create(manifest) => {
                if self.objects.contains_key(&key) {
                    return Err(Refusal::transient("it exists already"));
                }
                self.insert(key.clone(), manifest.into_value());
            }
            Step::Make(manifest) => {
                let owner = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"].clone();
                if self.objects.get(&key).is_some_and(|live| owner(live) != owner(manifest.value())) {
                    return Err(Refusal::needs_user(crds::Reason::OwnedByAnother, format!("{key} is taken")));
                }
                self.apply(&key, manifest.into_value());
            }
            Step::Apply(manifest) => self.apply(&key, manifest.into_value()),
            Step::Scale { replicas, .. } => {
                let owner = self.replicas_owner.get(&key).map_or("keelway", String::as_str);
                let object = self.objects.get_mut(&key).ok_or_else(|| Refusal::transient("gone"))?;
                if object["spec"]["replicas"] != json!(replicas) {
                    return Ok(Outcome::Conflict(owner.to_owned()));
                }
                self.replicas_owner.insert(key.clone(), "keelway-scale".into());
            }
            Step::Label { uid, resource_version, patch, .. } => {
                let object = self.objects.get(&key).ok_or_else(|| Refusal::transient("gone"))?;
                let seen = resource_version
                    .is_none_or(|version| object["metadata"]["resourceVersion"] == json!(version));
                if object["metadata"]["uid"] != json!(uid) || !seen {
                    return Err(Refusal::transient("conflict"));
                }
                let mut object = object.clone();
                merge_patch(&mut object, &patch);
                self.put(&key, object);
            }
            Step::Status { uid, status, .. } => {
                if self.objects.get(&key).is_none_or(|object| object["metadata"]["uid"] != json!(uid)) {
                    return Err(Refusal::transient("gone"));
                }
                self.set_status(&key, &status);
            }
            Step::Delete(Delete { uid, resource_version, .. }) => {
                let Some(object) = self.objects.get(&key) else { return Ok(Outcome::Gone) };
                let metadata = &object["metadata"];
                if metadata["uid"] != json!(uid) || metadata["resourceVersion"] != json!(resource_version) {
                    return Err(Refusal::transient("conflict"));
                }
                self.objects.remove(&key);
                self.applied.remove(&key);
                return Ok(Outcome::Gone);
            }
        }
        Ok(self.objects.get(&key).map_or(Outcome::Gone, |object| Outcome::Object(object.clone())))
    }

    /// A new object, with what the API server adds.
    pub fn insert(&mut self, key: ObjectKey, mut object: Value) {
        let number = self.tick();
        object["metadata"]["uid"] = format!("uid-{number}").into();
        object["metadata"]["resourceVersion"] = number.to_string().into();
        object["metadata"]["generation"] = 1.into();
        object["metadata"]["creationTimestamp"] = self.time();
        self.objects.insert(key, object);
    }

    /// Server-side apply by `keelway`, forced.
    fn apply(&mut self, key: &ObjectKey, wanted: Value) {
        let before = self.applied.insert(key.clone(), wanted.clone());
        let Some(live) = self.objects.get(key).cloned() else {
            let mut object = wanted;
            if key.kind == "Deployment" && object["spec"]["replicas"].is_null() {
                object["spec"]["replicas"] = 1.into();
            }
            self.replicas_owner.insert(key.clone(), "keelway".into());
            self.insert(key.clone(), object);
            return;
        };
        let mut object = live;
        let replicas = object["spec"].get("replicas").cloned();
        if let Some(before) = before {
            drop_fields(&mut object, &before, &wanted);
        }
        merge_fields(&mut object, &wanted);
        if wanted["spec"].get("replicas").is_some() {
            self.replicas_owner.insert(key.clone(), "keelway".into());
        } else if let (Some(replicas), Some(owner)) = (replicas, self.replicas_owner.get(key)) {
            // The last owner that lets go of the field resets it.
            object["spec"]["replicas"] = if owner == "keelway" { 1.into() } else { replicas };
        }
        self.put(key, object);
    }

    /// A person scales by hand, which takes the field.
    pub fn scale_by_hand(&mut self, key: &ObjectKey, replicas: i32) {
        let Some(mut object) = self.objects.get(key).cloned() else { return };
        object["spec"]["replicas"] = replicas.into();
        self.replicas_owner.insert(key.clone(), "kubectl".into());
        self.put(key, object);
    }

    /// Writes an object; the generation follows the spec.
    pub fn put(&mut self, key: &ObjectKey, mut object: Value) {
        let live = &self.objects[key];
        if *live == object {
            return;
        }
        if live["spec"] != object["spec"] {
            object["metadata"]["generation"] =
                (live["metadata"]["generation"].as_i64().unwrap_or(1) + 1).into();
        }
        object["metadata"]["resourceVersion"] = self.tick().to_string().into();
        self.objects.insert(key.clone(), object);
    }

    /// Writes a status.
    pub fn set_status(&mut self, key: &ObjectKey, status: &Value) {
        let Some(mut object) = self.objects.get(key).cloned() else { return };
        if key.api_version.starts_with("keelway.dev") {
            self.writes += 1;
        }
        object["status"] = status.clone();
        self.put(key, object);
    }
}

/// Takes away what was applied before and is no longer.
fn drop_fields(live: &mut Value, before: &Value, wanted: &Value) {
    let (Value::Object(live), Value::Object(before)) = (live, before) else { return };
    for (name, value) in before {
        match (wanted.get(name), live.get_mut(name)) {
            (None, Some(_)) => {
                live.remove(name);
            }
            (Some(wanted), Some(live)) => drop_fields(live, value, wanted),
            (_, None) => {}
        }
    }
}

fn merge_fields(live: &mut Value, wanted: &Value) {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            for (name, value) in wanted {
                merge_fields(live.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (live, wanted) => *live = wanted.clone(),
    }
}

/// RFC 7396.
fn merge_patch(live: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *live = patch.clone();
        return;
    };
    if !live.is_object() {
        *live = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            live.as_object_mut().unwrap().remove(name);
        } else {
            merge_patch(&mut live[name], value);
        }
    }
}
