//! Is an object what its spec says, and does it work? The rules are those of kstatus: the built-in kinds one by one,
//! everything else by `observedGeneration` and the conditions Ready, Reconciling, Stalled.

use serde_json::Value;

/// Whether an object works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Healthy,
    /// It is on its way: what is missing.
    Progressing(String),
    /// It failed: why.
    Failed(String),
}

/// The health of an object as the cluster holds it.
pub fn health(live: &Value) -> Health {
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return progressing("is being deleted");
    }
    let generation = number(live, "/metadata/generation");
    if number(live, "/status/observedGeneration").zip(generation).is_some_and(|(seen, now)| seen < now) {
        return progressing("its controller has not seen the newest spec yet");
    }
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    match (group, text("/kind")) {
        ("apps", "Deployment") => deployment(live),
        ("apps", "StatefulSet") => stateful_set(live),
        ("apps", "DaemonSet") => daemon_set(live),
        ("apps", "ReplicaSet") => replicas(live, "/status/readyReplicas"),
        ("batch", "Job") => job(live),
        ("", "PersistentVolumeClaim") => phase(live, "Bound"),
        ("", "Namespace") => phase(live, "Active"),
        ("", "Pod") => pod(live),
        ("", "Service") => service(live),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(live),
        _ => by_conditions(live),
    }
}

fn progressing(what: impl Into<String>) -> Health {
    Health::Progressing(what.into())
}

fn number(live: &Value, pointer: &str) -> Option<i64> {
    live.pointer(pointer).and_then(Value::as_i64)
}

/// Status and message of a condition.
fn condition<'a>(live: &'a Value, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = live.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    Some((text("status"), text("reason"), text("message")))
}

fn replicas(live: &Value, ready: &str) -> Health {
    let wanted = number(live, "/spec/replicas").unwrap_or(1);
    let ready = number(live, ready).unwrap_or(0);
    if ready < wanted { progressing(format!("{ready} of {wanted} pods are ready")) } else { Health::Healthy }
}

fn deployment(live: &Value) -> Health {
    if number(live, "/status/observedGeneration").is_none() {
        return progressing("its controller has not seen it yet");
    }
    if let Some((_, "ProgressDeadlineExceeded", message)) = condition(live, "Progressing") {
        return Health::Failed(message.to_owned());
    }
    let wanted = number(live, "/spec/replicas").unwrap_or(1);
    let updated = number(live, "/status/updatedReplicas").unwrap_or(0);
    let all = number(live, "/status/replicas").unwrap_or(0);
    if updated < wanted {
        return progressing(format!("{updated} of {wanted} pods are of the newest spec"));
    }
    if all > updated {
        return progressing(format!("{} old pods have still to go", all - updated));
    }
    replicas(live, "/status/availableReplicas")
}

fn stateful_set(live: &Value) -> Health {
    if number(live, "/status/observedGeneration").is_none() {
        return progressing("its controller has not seen it yet");
    }
    let on_delete = live.pointer("/spec/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete");
    let partition = number(live, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let wanted = number(live, "/spec/replicas").unwrap_or(1);
    let updated = number(live, "/status/updatedReplicas").unwrap_or(0);
    if !on_delete && updated < wanted - partition {
        return progressing(format!("{updated} of {} pods are of the newest spec", wanted - partition));
    }
    replicas(live, "/status/readyReplicas")
}

fn daemon_set(live: &Value) -> Health {
    let Some(wanted) = number(live, "/status/desiredNumberScheduled") else {
        return progressing("its controller has not seen it yet");
    };
    let updated = number(live, "/status/updatedNumberScheduled").unwrap_or(0);
    let available = number(live, "/status/numberAvailable").unwrap_or(0);
    if updated < wanted || available < wanted {
        return progressing(format!("{} of {wanted} pods are new and available", updated.min(available)));
    }
    Health::Healthy
}

/// A Job that runs is healthy: it may run for hours. One that failed is not.
fn job(live: &Value) -> Health {
    match condition(live, "Failed") {
        Some(("True", reason, message)) => Health::Failed(format!("{reason}: {message}")),
        _ => Health::Healthy,
    }
}

fn phase(live: &Value, wanted: &str) -> Health {
    match live.pointer("/status/phase").and_then(Value::as_str) {
        Some(phase) if phase == wanted => Health::Healthy,
        // A claim of a class that waits for its first pod stays Pending until there is one.
        Some(phase) => progressing(format!("its phase is {phase}")),
        None => progressing("it has no phase yet"),
    }
}

fn pod(live: &Value) -> Health {
    match live.pointer("/status/phase").and_then(Value::as_str) {
        Some("Succeeded") => Health::Healthy,
        Some("Failed") => Health::Failed("the pod failed".into()),
        _ => match condition(live, "Ready") {
            Some(("True", _, _)) => Health::Healthy,
            _ => progressing("the pod is not ready"),
        },
    }
}

fn service(live: &Value) -> Health {
    let balanced = live.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer");
    let address = live.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    if balanced && address.is_none_or(Vec::is_empty) {
        return progressing("it has no address of a load balancer yet");
    }
    Health::Healthy
}

fn definition(live: &Value) -> Health {
    if let Some(("False", reason, message)) = condition(live, "NamesAccepted") {
        return Health::Failed(format!("{reason}: {message}"));
    }
    match condition(live, "Established") {
        Some(("True", _, _)) => Health::Healthy,
        _ => progressing("the definition is not established yet"),
    }
}

fn by_conditions(live: &Value) -> Health {
    let words = |reason: &str, message: &str| {
        let text = if message.is_empty() { reason } else { message };
        text.chars().take(300).collect::<String>()
    };
    if let Some(("True", reason, message)) = condition(live, "Stalled") {
        return Health::Failed(words(reason, message));
    }
    match (condition(live, "Reconciling"), condition(live, "Ready")) {
        (Some(("True", reason, message)), _) => progressing(words(reason, message)),
        (_, None | Some(("True", _, _))) => {
            // One of our own kinds always gets a status; without one its controller has not come by.
            let ours =
                live.get("apiVersion").and_then(Value::as_str).is_some_and(|v| v.starts_with("keelway.dev/"));
            if ours && live.get("status").is_none() {
                progressing("it has no status yet")
            } else {
                Health::Healthy
            }
        }
        (_, Some((_, reason, message))) => progressing(words(reason, message)),
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
