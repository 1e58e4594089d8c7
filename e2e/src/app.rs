//! What tests wait for on an App.

use crds::{App, ConditionType, Reason};

/// Says `Some` once an App is ready for its spec as it is now and runs the version that begins so, as in `v2 `.
pub fn runs(version: &'static str) -> impl Fn(&App) -> Option<()> {
    move |app| {
        let status = app.status.as_ref()?;
        let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready)?;
        let current = Some(ready.observed_generation) == app.metadata.generation;
        (current && ready.reason == Reason::Running && status.summary.as_deref()?.starts_with(version))
            .then_some(())
    }
}
