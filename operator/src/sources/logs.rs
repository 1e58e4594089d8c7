//! Ends of logs as facts: fetched only where a decision wants to quote them, with the values of referenced Secrets
//! taken out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crds::workload::Config;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, ResourceExt as _};
use plan::environment::logs::{LogKey, tail};
use tracing::debug;

use crate::context::Context;
use crate::sources::references::secret_values;

/// How many lines are asked for, and bytes at most.
const LINES: i64 = 80;
const BYTES: i64 = 256 * 1024;
/// How many ends of logs are kept.
const KEPT: usize = 256;
/// A value of one character is no secret, and taking it out would leave nothing to read.
const SHORTEST: usize = 2;
/// What stands for a value that was taken out.
const REDACTED: &str = "[redacted]";

/// Which container of which pod: a restart makes another one.
type Run = (String, bool, i32);

/// Fetches ends of logs, each once.
#[derive(Default)]
pub struct Logs {
    known: Mutex<HashMap<Run, String>>,
}

impl Logs {
    /// The end of a log; none where it is gone, or where a Secret that might be in it could not be read.
    pub async fn end(
        &self,
        context: &Context,
        pod: &Pod,
        key: &LogKey,
        configs: &[&Config],
    ) -> Option<String> {
        let restarts = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
        let restarts = restarts.and_then(|all| all.first()).map_or(0, |status| status.restart_count);
        let run = (pod.uid()?, key.previous, restarts);
        if let Some(known) = self.lock().get(&run) {
            return Some(known.clone());
        }
        let namespace = pod.namespace().unwrap_or_default();
        let mut secrets = Vec::new();
        for config in configs {
            secrets.extend(secret_values(context, &namespace, config).await.ok()?);
        }
        let api = Api::<Pod>::namespaced(context.client.clone(), &namespace);
        let params = LogParams {
            container: Some("app".into()),
            previous: key.previous,
            tail_lines: Some(LINES),
            limit_bytes: Some(BYTES),
            ..LogParams::default()
        };
        let log = tokio::time::timeout(context.settings.request_timeout, api.logs(&key.pod, &params)).await;
        let Ok(Ok(log)) = log else {
            debug!(pod = key.pod, "its log could not be read");
            return None;
        };
        let end = tail(&printable(&redacted(&log, &secrets))).to_owned();
        let mut known = self.lock();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(run, end.clone());
        Some(end)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Run, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log without the values, their lines, and their base64 forms; longer ones first, as one may hold another.
fn redacted(log: &str, secrets: &[Vec<u8>]) -> String {
    let mut needles = Vec::new();
    for secret in secrets {
        if secret.len() >= SHORTEST {
            needles.push(STANDARD.encode(secret));
        }
        let Ok(text) = std::str::from_utf8(secret) else { continue };
        needles.extend([text.to_owned(), text.trim().to_owned()]);
        needles.extend(text.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() >= 8));
    }
    needles.retain(|needle| needle.len() >= SHORTEST);
    needles.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    needles.dedup();
    needles.iter().fold(log.to_owned(), |log, needle| log.replace(needle.as_str(), REDACTED))
}

/// Control characters other than line ends and tabs would reach a person's terminal.
fn printable(log: &str) -> String {
    log.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_taken_out_in_every_form_that_is_likely() {
        let secrets =
            [b"hunter2\n".to_vec(), b"first line of key\nsecond line of key".to_vec(), b"x".to_vec()];
        let log = format!("password=hunter2 x b64={} | second line of key", STANDARD.encode("hunter2\n"));
        assert_eq!(redacted(&log, &secrets), "password=[redacted] x b64=[redacted] | [redacted]");
    }

    #[test]
    fn a_value_that_holds_another_goes_whole() {
        let secrets = [b"abc".to_vec(), b"abcdef".to_vec()];
        assert_eq!(redacted("abcdef abc", &secrets), "[redacted] [redacted]");
    }

    #[test]
    fn no_escape_sequence_reaches_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\tc"), "a[31mred\nb\tc");
    }
}
