//! Which logs a decision wants to see the end of. They are fetched only where they explain a failure.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::names::RELEASE_COMMAND;
use super::reasons::diagnose;
use super::world::{World, is_leaving, label};

/// The most that is kept of a log, in bytes.
pub const LOG_BYTES: usize = 4096;

/// The log of a pod's container, of the one that runs or of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogKey {
    /// The pod.
    pub pod: String,
    /// Whether the log of the container before the last restart is meant.
    pub previous: bool,
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pod)?;
        if self.previous { f.write_str("/previous") } else { Ok(()) }
    }
}

/// The logs that the next decision about this World may quote, at most one for each process and command.
pub fn wanted_logs(world: &World) -> Vec<LogKey> {
    let mut wanted = BTreeMap::new();
    for pod in &world.pods {
        let part = pod.labels().get("app.kubernetes.io/component").cloned().unwrap_or_default();
        let command = label(pod, RELEASE_COMMAND).map(str::to_owned);
        let key = if command.is_some() { ended(pod) } else { troubled(pod) };
        if let Some(key) = key {
            let age = (pod.creation_timestamp(), pod.name_any());
            wanted.entry((part, command)).or_insert_with(BTreeMap::new).insert(age, key);
        }
    }
    wanted.into_values().filter_map(|mut pods| pods.pop_last()).map(|(_, key)| key).collect()
}

fn troubled(pod: &Pod) -> Option<LogKey> {
    if is_leaving(pod) { None } else { diagnose(pod)?.log }
}

fn ended(pod: &Pod) -> Option<LogKey> {
    let phase = super::world::phase(pod);
    matches!(phase, "Failed" | "Succeeded").then(|| LogKey { pod: pod.name_any(), previous: false })
}

/// The end of a log, if it was fetched.
pub fn log_of<'a>(world: &'a World, key: &LogKey) -> Option<&'a str> {
    world.logs.get(&key.to_string()).map(String::as_str)
}

/// The last [`LOG_BYTES`] of a log, from the beginning of a line where it has several.
pub fn tail(log: &str) -> &str {
    if log.len() <= LOG_BYTES {
        return log;
    }
    let from = (log.len() - LOG_BYTES..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    let end = log.get(from..).unwrap_or_default();
    match end.split_once('\n') {
        Some((_, rest)) if !rest.trim().is_empty() => rest,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_bounded_and_begins_with_a_line() {
        let log = format!("{}\nlast line\n", "ü".repeat(LOG_BYTES));
        assert_eq!(tail(&log), "last line\n");
        let one_line = "ü".repeat(LOG_BYTES);
        assert!(tail(&one_line).len() <= LOG_BYTES && !tail(&one_line).is_empty());
        assert_eq!(tail("short"), "short");
    }
}
