//! What a pod may do: the `restricted` Pod Security profile and a read-only root file system, less what is allowed by
//! name. Every opt-out shows in the Environment's status.

use crds::workload::Allow;
use k8s_openapi::api::core::v1::{Capabilities, PodSecurityContext, SeccompProfile, SecurityContext};

/// The security context of a pod.
pub fn pod(allow: &[Allow]) -> PodSecurityContext {
    let profile = if allow.contains(&Allow::Unconfined) { "Unconfined" } else { "RuntimeDefault" };
    PodSecurityContext {
        run_as_non_root: Some(!allow.contains(&Allow::Root)),
        seccomp_profile: Some(SeccompProfile { type_: profile.into(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// The security context of its container.
pub fn container(allow: &[Allow]) -> SecurityContext {
    let drop_all = Capabilities { add: None, drop: Some(vec!["ALL".into()]) };
    SecurityContext {
        allow_privilege_escalation: Some(allow.contains(&Allow::PrivilegeEscalation)),
        read_only_root_filesystem: Some(!allow.contains(&Allow::WritableRootFilesystem)),
        capabilities: (!allow.contains(&Allow::Capabilities)).then_some(drop_all),
        ..SecurityContext::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_opt_out_switches_off_one_default_and_no_other() {
        let defaults = (pod(&[]), container(&[]));
        assert_eq!(defaults.0.run_as_non_root, Some(true));
        assert_eq!(defaults.1.read_only_root_filesystem, Some(true));
        assert_eq!(defaults.1.allow_privilege_escalation, Some(false));
        assert_eq!(defaults.1.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".into()]));
        for allow in [
            Allow::Root,
            Allow::WritableRootFilesystem,
            Allow::PrivilegeEscalation,
            Allow::Capabilities,
            Allow::Unconfined,
        ] {
            let (pod, container) = (pod(&[allow]), container(&[allow]));
            let changed = [
                pod.run_as_non_root != defaults.0.run_as_non_root,
                pod.seccomp_profile != defaults.0.seccomp_profile,
                container.allow_privilege_escalation != defaults.1.allow_privilege_escalation,
                container.read_only_root_filesystem != defaults.1.read_only_root_filesystem,
                container.capabilities != defaults.1.capabilities,
            ];
            assert_eq!(changed.iter().filter(|c| **c).count(), 1, "{allow:?}");
        }
    }
}
