//! The controllers of Kubernetes and the kubelet, each as far as Keelway's rules depend on it.

use plan::ObjectKey;
use serde_json::{Value, json};

use super::{Behaviour, Sim, key};

impl Sim {
    /// Every controller acts once.
    pub fn kubernetes(&mut self) {
        for actor in 0..5 {
            self.act(actor);
        }
    }

    /// One controller acts once.
    pub fn act(&mut self, actor: usize) {
        match actor % 5 {
            0 => self.collect_garbage(),
            1 => self.keys("Deployment").iter().for_each(|key| self.deployment(key)),
            2 => self.keys("StatefulSet").iter().for_each(|key| self.stateful_set(key)),
            3 => self.keys("Job").iter().for_each(|key| self.job(key)),
            _ => self.keys("Pod").iter().for_each(|key| self.kubelet(key)),
        }
    }

    fn keys(&self, kind: &str) -> Vec<ObjectKey> {
        self.objects.keys().filter(|key| key.kind == kind).cloned().collect()
    }

    /// What has lost its owner goes; pods go by way of the kubelet.
    fn collect_garbage(&mut self) {
        let uids: Vec<Value> =
            self.objects.values().map(|object| object["metadata"]["uid"].clone()).collect();
        let orphan = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().all(|owner| !uids.contains(&owner["uid"])))
        };
        let orphans: Vec<_> =
            self.objects.iter().filter(|(_, o)| orphan(o)).map(|(key, _)| key.clone()).collect();
        for key in orphans {
            if key.kind == "Pod" { self.terminate(&key) } else { drop(self.objects.remove(&key)) }
        }
    }

    fn terminate(&mut self, key: &ObjectKey) {
        let mut pod = self.objects[key].clone();
        if pod["metadata"]["deletionTimestamp"].is_null() {
            pod["metadata"]["deletionTimestamp"] = self.time();
            self.put(key, pod);
        }
    }

    fn pods_of(&self, uid: &Value) -> Vec<(ObjectKey, Value)> {
        let owned = |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"] == *uid;
        let pods = self.objects.iter().filter(|(key, _)| key.kind == "Pod");
        pods.filter(|(_, pod)| owned(pod)).map(|(key, pod)| (key.clone(), pod.clone())).collect()
    }

    fn make_pod(&mut self, name: &str, template: &Value, owner: (&str, &Value), hash: &str) {
        let mut metadata = template["metadata"].clone();
        metadata["name"] = name.into();
        metadata["namespace"] = "team".into();
        metadata["labels"]["revision"] = hash.into();
        metadata["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": owner.0, "name": "x", "uid": owner.1, "controller": true}]);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"],
            "status": {"phase": "Pending"}});
        self.insert(key("v1", "Pod", name), pod);
    }

    /// maxUnavailable 0: new pods first, an old one goes for each new one that is ready.
    fn deployment(&mut self, at: &ObjectKey) {
        let deployment = self.objects[at].clone();
        let uid = &deployment["metadata"]["uid"];
        let desired = usize::try_from(deployment["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap();
        let hash = hash(&deployment["spec"]["template"]);
        let pods: Vec<_> = self.pods_of(uid).into_iter().filter(|(_, pod)| is_staying(pod)).collect();
        let (new, old): (Vec<_>, Vec<_>) =
            pods.into_iter().partition(|(_, pod)| pod["metadata"]["labels"]["revision"] == json!(hash));
        let ready = new.iter().filter(|(_, pod)| is_ready(pod)).count();
        for _ in new.len()..desired {
            let name = format!("{}-{}", at.name, self.tick());
            self.make_pod(&name, &deployment["spec"]["template"], ("ReplicaSet", uid), &hash);
        }
        new.iter().skip(desired).for_each(|(key, _)| self.terminate(key));
        let needed = desired.saturating_sub(ready);
        old.iter().skip(needed).for_each(|(key, _)| self.terminate(key));

        let all: Vec<_> = self.pods_of(uid).into_iter().filter(|(_, pod)| is_staying(pod)).collect();
        let is_new = |pod: &Value| pod["metadata"]["labels"]["revision"] == json!(hash);
        let status = json!({
            "observedGeneration": self.objects[at]["metadata"]["generation"],
            "replicas": all.len(),
            "updatedReplicas": all.iter().filter(|(_, pod)| is_new(pod)).count(),
            "readyReplicas": all.iter().filter(|(_, pod)| is_ready(pod)).count(),
            "availableReplicas": all.iter().filter(|(_, pod)| is_ready(pod)).count(),
        });
        self.set_status(at, &status);
    }

    /// `Parallel`: a pod of another revision goes, ready or not; the next comes when its name is free.
    fn stateful_set(&mut self, at: &ObjectKey) {
        let set = self.objects[at].clone();
        let uid = &set["metadata"]["uid"];
        let desired = usize::try_from(set["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap();
        let hash = hash(&set["spec"]["template"]);
        let pods = self.pods_of(uid);
        let wrong = |pod: &Value| pod["metadata"]["labels"]["revision"] != json!(hash);
        for (index, (key, pod)) in pods.iter().enumerate() {
            if index >= desired || wrong(pod) {
                self.terminate(key);
            }
        }
        let name = format!("{}-0", at.name);
        if desired > 0 && pods.is_empty() && !self.objects.contains_key(&key("v1", "Pod", &name)) {
            self.make_pod(&name, &set["spec"]["template"], ("StatefulSet", uid), &hash);
        }
        let pods = self.pods_of(uid);
        let ready = pods.iter().filter(|(_, pod)| is_ready(pod) && is_staying(pod)).count();
        let updated = pods.iter().filter(|(_, pod)| !wrong(pod)).count();
        let current = if ready == desired && updated == desired { hash.clone() } else { "before".to_owned() };
        let status = json!({
            "observedGeneration": self.objects[at]["metadata"]["generation"],
            "replicas": pods.len(), "readyReplicas": ready, "availableReplicas": ready,
            "updatedReplicas": updated, "currentRevision": current, "updateRevision": hash,
        });
        self.set_status(at, &status);
    }

    fn job(&mut self, at: &ObjectKey) {
        let job = self.objects[at].clone();
        if job["status"]["conditions"].is_array() {
            return;
        }
        let uid = &job["metadata"]["uid"];
        let pods = self.pods_of(uid);
        let Some((_, pod)) = pods.first() else {
            let name = format!("{}-{}", at.name, self.tick());
            self.make_pod(&name, &job["spec"]["template"], ("Job", uid), "job");
            return;
        };
        let ended = match pod["status"]["phase"].as_str() {
            Some("Succeeded") => "Complete",
            Some("Failed") => "Failed",
            _ => return,
        };
        let time = self.time();
        let condition = json!({"type": ended, "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": time});
        self.set_status(at, &json!({"conditions": [condition]}));
    }

    fn kubelet(&mut self, at: &ObjectKey) {
        let pod = self.objects[at].clone();
        let container = &pod["spec"]["containers"][0];
        let behaviour = (self.behaviour)(container["image"].as_str().unwrap_or_default());
        if behaviour == Behaviour::Lost {
            return;
        }
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            self.objects.remove(at);
            return;
        }
        let once = pod["spec"]["restartPolicy"] == "Never";
        let with = |ready: &str, phase: &str, state: Value, last: Value| {
            json!({"phase": phase, "conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{"name": "app", "image": container["image"], "imageID": "", "ready": ready == "True",
                    "restartCount": 2, "state": state, "lastState": last}]})
        };
        let ended = |code: i32| json!({"terminated": {"exitCode": code, "reason": "Error"}});
        let status = match (once, behaviour) {
            (true, Behaviour::BadCommand) => with("False", "Failed", ended(1), json!({})),
            (true, _) => with("False", "Succeeded", ended(0), json!({})),
            (false, Behaviour::Good | Behaviour::BadCommand) => {
                with("True", "Running", json!({"running": {}}), json!({}))
            }
            (false, Behaviour::Hang) => with("False", "Running", json!({"running": {}}), json!({})),
            (false, Behaviour::Crash | Behaviour::Lost) => {
                with("False", "Running", json!({"waiting": {"reason": "CrashLoopBackOff"}}), ended(3))
            }
        };
        self.set_status(at, &status);
    }
}

fn is_staying(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"][0]["status"] == "True"
}

/// A revision's name.
fn hash(template: &Value) -> String {
    plan::matching::short_digest(template)
}
