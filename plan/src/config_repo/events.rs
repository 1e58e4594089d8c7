//! The events of a ConfigRepo: one per change of what its status says.

use crds::config_repo::ConfigRepoStatus;
use crds::{ConditionStatus, ConditionType, Reason};

use crate::config_repo::status::{Outcome, count, short};
use crate::step::{Event, EventKind};

/// What is told of the step from one status to the next.
pub(super) fn events(known: &ConfigRepoStatus, status: &ConfigRepoStatus, outcome: &Outcome) -> Vec<Event> {
    let ready = |status: &ConfigRepoStatus| {
        let found = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready);
        found.map(|c| (c.status, c.reason, c.message.clone()))
    };
    let mut events = Vec::new();
    if let (Outcome::Applied(done), Some(commit)) = (outcome, &status.last_applied)
        && known.last_applied.as_ref().map(|last| &last.sha) != Some(&commit.sha)
    {
        let by = commit.author.as_deref().map(|author| format!(" by {author}")).unwrap_or_default();
        let subject = commit.subject.as_deref().map(|subject| format!(": {subject}")).unwrap_or_default();
        let message = format!("{}{by}{subject} ({})", short(&commit.sha), count(done.objects, "object"));
        events.push(Event { kind: EventKind::Normal, reason: "Applied".into(), message });
    }
    match (ready(known), ready(status)) {
        (before, Some((ConditionStatus::False, reason, message)))
            if reason != Reason::Progressing
                && before.as_ref().is_none_or(|(_, r, m)| *r != reason || *m != message) =>
        {
            events.push(Event { kind: EventKind::Warning, reason: reason.as_str().into(), message });
        }
        (Some((ConditionStatus::False, _, _)), Some((ConditionStatus::True, reason, message)))
            if events.is_empty() =>
        {
            events.push(Event { kind: EventKind::Normal, reason: reason.as_str().into(), message });
        }
        _ => {}
    }
    events
}
