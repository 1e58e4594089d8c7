//! Why a pod does not become ready, in words that name the cure.

use crds::Reason;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::ResourceExt as _;

use super::logs::{LogKey, log_of};
use super::objects::pod::CONTAINER;
use super::world::{World, is_ready, phase};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As one word.
    pub reason: Reason,
    /// In words, without the log.
    pub words: String,
    /// The log that tells more.
    pub log: Option<LogKey>,
}

impl Problem {
    fn new(reason: Reason, words: impl Into<String>) -> Self {
        Self { reason, words: words.into(), log: None }
    }

    /// The words, and the end of the log where it is known.
    pub fn told(&self, world: &World) -> String {
        match self.log.as_ref().and_then(|key| log_of(world, key)) {
            Some(log) if !log.trim().is_empty() => {
                format!("{}; the end of its log:\n{}", self.words, log.trim_end())
            }
            _ => self.words.clone(),
        }
    }
}

/// What keeps this pod from being ready, if anything is known to.
pub fn diagnose(pod: &Pod) -> Option<Problem> {
    if is_ready(pod) {
        return None;
    }
    unschedulable(pod).or_else(|| container(pod).and_then(|status| of_container(pod, status)))
}

fn unschedulable(pod: &Pod) -> Option<Problem> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let found = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    let why = found.message.as_deref().unwrap_or("no reason given");
    Some(Problem::new(
        Reason::Unschedulable,
        format!("no node can take the pod: {why}; choose a smaller size or add a node"),
    ))
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_deref()?;
    statuses.iter().find(|status| status.name == CONTAINER)
}

fn of_container(pod: &Pod, status: &ContainerStatus) -> Option<Problem> {
    let state = status.state.as_ref();
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
        let message = waiting.message.as_deref().unwrap_or_default();
        match waiting.reason.as_deref().unwrap_or_default() {
            "ImagePullBackOff"
            | "ErrImagePull"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "RegistryUnavailable" => {
                return Some(image_pull(status, message));
            }
            "CreateContainerConfigError" => return Some(config_error(message)),
            "CreateContainerError" | "RunContainerError" => return Some(start_error(message)),
            _ => {}
        }
    }
    if let Some(terminated) = ended(state).or_else(|| ended(status.last_state.as_ref())) {
        let running = state.is_some_and(|state| state.running.is_some());
        let previous = ended(state).is_none();
        let log = LogKey { pod: pod.name_any(), previous };
        return Some(ended_process(terminated.reason, terminated.code, status.restart_count, running, log));
    }
    let running = state.and_then(|state| state.running.as_ref())?;
    let _ = running;
    (phase(pod) == "Running").then(|| {
        let words =
            "the process runs but its readiness probe fails; let it listen on $PORT, or adjust readiness";
        Problem {
            reason: Reason::ProbeFailed,
            words: words.into(),
            log: Some(LogKey { pod: pod.name_any(), previous: false }),
        }
    })
}

/// How a container ended.
struct Ended<'a> {
    reason: &'a str,
    code: i32,
}

fn ended(state: Option<&ContainerState>) -> Option<Ended<'_>> {
    let terminated = state?.terminated.as_ref()?;
    Some(Ended { reason: terminated.reason.as_deref().unwrap_or_default(), code: terminated.exit_code })
}

fn ended_process(reason: &str, code: i32, restarts: i32, running: bool, log: LogKey) -> Problem {
    if reason == "OOMKilled" {
        let words = "the process was ended because it used more memory than its limit; choose a larger size, or use less";
        return Problem { reason: Reason::OutOfMemory, words: words.into(), log: Some(log) };
    }
    let how = match (reason, code) {
        ("StartError" | "ContainerCannotRun", _) => {
            "the command could not be started: is it in the image, and executable?".to_owned()
        }
        (_, 126) => "the command cannot be executed (exit code 126)".to_owned(),
        (_, 127) => "the command was not found (exit code 127)".to_owned(),
        (_, 137) => {
            "the process was killed (exit code 137): by its liveness probe, or from outside".to_owned()
        }
        (_, code) => format!("the process ended with exit code {code}"),
    };
    let often = if restarts > 1 { format!(", {restarts} restarts so far") } else { String::new() };
    let now = if running { ", and was started again" } else { "" };
    Problem { reason: Reason::CrashLoop, words: format!("{how}{often}{now}"), log: Some(log) }
}

fn image_pull(status: &ContainerStatus, message: &str) -> Problem {
    let words = format!(
        "the node cannot pull the image {}: {}; check the name, and imagePullSecrets if the registry wants credentials",
        status.image,
        short(message)
    );
    Problem::new(Reason::ImagePull, words)
}

fn config_error(message: &str) -> Problem {
    if message.contains("runAsNonRoot") || message.contains("non-root") {
        let words = format!(
            "the image wants to run as root, or names its user by name instead of number ({}); write USER with a number \
             such as 10001 into its Dockerfile, or set allow: [root] on the process",
            short(message)
        );
        return Problem::new(Reason::SecurityOptOut, words);
    }
    if message.contains("secret") || message.contains("configmap") || message.contains("find key") {
        let words =
            format!("a Secret or ConfigMap is missing: {}; create it, or drop its variable", short(message));
        return Problem::new(Reason::SecretMissing, words);
    }
    Problem::new(Reason::InvalidSpec, format!("the container cannot be made: {}", short(message)))
}

fn start_error(message: &str) -> Problem {
    let words =
        format!("the command could not be started: {}; is it in the image, and executable?", short(message));
    Problem::new(Reason::CrashLoop, words)
}

/// The first 600 characters on one line: a runtime's message may hold the whole request.
fn short(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "web-1"},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "app", "image": "r/a:1", "imageID": "", "ready": false, "restartCount": 3, "state": status["state"],
                 "lastState": status["last"]}]},
        }))
        .unwrap()
    }

    fn reason(status: &Value) -> Option<Reason> {
        diagnose(&pod(status)).map(|problem| problem.reason)
    }

    #[test]
    fn each_way_to_fail_has_a_word_of_its_own() {
        let waiting = |why: &str, message: &str| json!({"state": {"waiting": {"reason": why, "message": message}}, "last": {}});
        assert_eq!(reason(&waiting("ImagePullBackOff", "back-off")), Some(Reason::ImagePull));
        assert_eq!(reason(&waiting("ContainerCreating", "")), None);
        assert_eq!(
            reason(&waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image will run as root"
            )),
            Some(Reason::SecurityOptOut)
        );
        assert_eq!(
            reason(&waiting("CreateContainerConfigError", "secret \"a\" not found")),
            Some(Reason::SecretMissing)
        );
        let crash = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}},
                           "last": {"terminated": {"exitCode": 3, "reason": "Error"}}});
        assert_eq!(reason(&crash), Some(Reason::CrashLoop));
        let memory = json!({"state": {"running": {}}, "last": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
        assert_eq!(reason(&memory), Some(Reason::OutOfMemory));
        assert_eq!(reason(&json!({"state": {"running": {}}, "last": {}})), Some(Reason::ProbeFailed));
    }

    #[test]
    fn a_crash_names_the_exit_code_and_the_log_of_the_run_that_ended() {
        let crash = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}},
                           "last": {"terminated": {"exitCode": 3, "reason": "Error"}}});
        let problem = diagnose(&pod(&crash)).unwrap();
        assert_eq!(problem.words, "the process ended with exit code 3, 3 restarts so far");
        assert_eq!(problem.log, Some(LogKey { pod: "web-1".into(), previous: true }));
    }
}
