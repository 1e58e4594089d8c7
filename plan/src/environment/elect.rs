//! Which pod of an elected process carries the label. It goes before it comes, and holds the pod's uid, so that a label
//! copied from elsewhere elects nobody.

use crds::names::{ELECTED, RELEASE};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;

use super::world::{World, is_leaving, is_ready, label};
use crate::object::ObjectKey;
use crate::step::Step;

/// The labels to take away and then to give.
pub fn steps(world: &World, process: &str, release: &str) -> Vec<Step> {
    let pods: Vec<_> = world.pods_of(process).collect();
    moves(&pods, release).into_iter().map(|(pod, elected)| patch(pod, elected.as_deref())).collect()
}

/// Pods and the label's new value: first those that lose it, then the one that gets it.
fn moves<'a>(pods: &[&'a Pod], release: &str) -> Vec<(&'a Pod, Option<String>)> {
    let holder = holder(pods);
    let next = if holder.is_some() { None } else { candidate(pods, release) };
    let stays = |pod: &Pod| [holder, next].iter().flatten().any(|other| other.uid() == pod.uid());
    let lose =
        pods.iter().filter(|pod| label(**pod, ELECTED).is_some() && !stays(pod)).map(|pod| (*pod, None));
    lose.chain(next.map(|pod| (pod, pod.uid()))).collect()
}

/// The one pod that carries the label by right: ready, staying, its own uid; of several the oldest.
pub fn holder<'a>(pods: &[&'a Pod]) -> Option<&'a Pod> {
    let rightful = pods.iter().filter(|pod| is_able(pod) && label(**pod, ELECTED) == pod.uid().as_deref());
    rightful.min_by_key(|pod| (pod.creation_timestamp(), pod.name_any())).copied()
}

/// Pods of the newest release first: those of older ones go soon. Of equals the oldest.
fn candidate<'a>(pods: &[&'a Pod], release: &str) -> Option<&'a Pod> {
    let able = pods.iter().filter(|pod| is_able(pod));
    able.min_by_key(|pod| (label(**pod, RELEASE) != Some(release), pod.creation_timestamp(), pod.name_any()))
        .copied()
}

fn is_able(pod: &Pod) -> bool {
    is_ready(pod) && !is_leaving(pod) && pod.metadata.uid.is_some()
}

/// Taking away depends on nothing but the pod; giving depends on the pod as it was seen.
fn patch(pod: &Pod, elected: Option<&str>) -> Step {
    Step::Label {
        object: ObjectKey::of(pod),
        uid: pod.uid().unwrap_or_default(),
        resource_version: elected.and(pod.resource_version()),
        patch: json!({"metadata": {"labels": {ELECTED: elected}}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ready: bool, elected: Option<&str>, leaving: bool) -> Pod {
        let mut labels = json!({"keelway.dev/process": "web", "keelway.dev/release": "v1"});
        if let Some(uid) = elected {
            labels[ELECTED] = uid.into();
        }
        let mut value = json!({
            "metadata": {"name": name, "namespace": "n", "uid": name, "labels": labels},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
        });
        if leaving {
            value["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        serde_json::from_value(value).unwrap()
    }

    fn elected(pods: &[Pod]) -> Vec<(String, bool)> {
        let pods: Vec<_> = pods.iter().collect();
        moves(&pods, "v1").into_iter().map(|(pod, uid)| (pod.name_any(), uid == pod.uid())).collect()
    }

    #[test]
    fn the_label_goes_before_it_comes() {
        let pods = [pod("a", true, Some("a"), true), pod("b", true, None, false)];
        assert_eq!(elected(&pods), [("a".to_owned(), false), ("b".to_owned(), true)]);
    }

    #[test]
    fn a_ready_holder_keeps_it_and_a_second_one_loses_it() {
        let pods = [pod("a", true, Some("a"), false), pod("b", true, Some("b"), false)];
        assert_eq!(elected(&pods), [("b".to_owned(), false)]);
    }

    #[test]
    fn a_label_with_another_pods_uid_elects_nobody() {
        let pods = [pod("a", true, Some("b"), false)];
        assert_eq!(elected(&pods), [("a".to_owned(), true)]);
        let pods = [pod("a", false, Some("b"), false)];
        assert_eq!(elected(&pods), [("a".to_owned(), false)]);
    }

    #[test]
    fn nobody_is_elected_while_nobody_is_ready() {
        assert_eq!(elected(&[pod("a", false, None, false)]), []);
        assert_eq!(elected(&[pod("a", false, Some("a"), false)]), [("a".to_owned(), false)]);
    }
}
