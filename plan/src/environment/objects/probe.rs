//! How Kubernetes asks a container whether it is well.

use crds::workload;
use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The name of the port of `web`.
pub const PORT_NAME: &str = "http";

/// When a pod may get traffic: as asked, or for what has a port when the port accepts connections.
pub fn readiness(asked: Option<&workload::Probe>, has_port: bool) -> Option<Probe> {
    match asked {
        Some(asked) => probe(asked, has_port),
        None if has_port => probe(&workload::Probe::default(), has_port),
        None => None,
    }
}

/// When a container is restarted: as asked, else only when the process ends.
pub fn liveness(asked: Option<&workload::Probe>, has_port: bool) -> Option<Probe> {
    asked.and_then(|asked| probe(asked, has_port))
}

/// A probe needs a port or a command; one without either asks nothing.
fn probe(asked: &workload::Probe, has_port: bool) -> Option<Probe> {
    let port = || IntOrString::String(PORT_NAME.into());
    let mut probe = Probe {
        period_seconds: Some(asked.period_seconds.unwrap_or(5)),
        timeout_seconds: Some(asked.timeout_seconds.unwrap_or(3)),
        initial_delay_seconds: asked.initial_delay_seconds,
        failure_threshold: Some(asked.failure_threshold.unwrap_or(3)),
        ..Probe::default()
    };
    if !asked.command.is_empty() {
        probe.exec = Some(ExecAction { command: Some(asked.command.clone()) });
    } else if !has_port {
        return None;
    } else if let Some(path) = &asked.path {
        probe.http_get =
            Some(HTTPGetAction { path: Some(path.clone()), port: port(), ..HTTPGetAction::default() });
    } else {
        probe.tcp_socket = Some(TCPSocketAction { port: port(), host: None });
    }
    Some(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_is_ready_when_its_port_accepts_connections_and_others_when_they_run() {
        assert!(readiness(None, true).unwrap().tcp_socket.is_some());
        assert!(readiness(None, false).is_none());
        assert!(liveness(None, true).is_none());
    }

    #[test]
    fn a_probe_by_path_of_a_process_without_a_port_asks_nothing() {
        let asked = workload::Probe { path: Some("/healthz".into()), ..workload::Probe::default() };
        assert!(readiness(Some(&asked), false).is_none());
        assert!(liveness(Some(&asked), true).unwrap().http_get.is_some());
    }
}
