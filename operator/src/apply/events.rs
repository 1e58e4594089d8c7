//! Events of `events.k8s.io/v1`: what people should hear of, said once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use kube::runtime::events::{Event as Published, EventType, Recorder as Publisher, Reporter};
use plan::{Event, EventKind, ObjectKey};
use tracing::warn;

/// How long the same words about the same object are not repeated.
const QUIET: Duration = Duration::from_mins(10);
/// How long a reconcile waits for an event to be taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most sentences that are remembered.
const REMEMBERED: usize = 10_000;
/// The longest note that the API server takes, in bytes.
const NOTE_MAX: usize = 1_000;

type Said = (String, String, String);

/// Publishes events and remembers what was said lately.
#[derive(Clone)]
pub struct Recorder {
    publisher: Publisher,
    said: Arc<Mutex<HashMap<Said, Instant>>>,
}

impl Recorder {
    /// Publishes through this client. `instance` is the name of this process, as of its pod.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter =
            Reporter { controller: "keelway.dev/operator".into(), instance: Some(instance.into()) };
        Self { publisher: Publisher::new(client, reporter), said: Arc::default() }
    }

    /// Publishes an event, unless the same was said of the same object lately.
    pub async fn publish(&self, object: &ObjectKey, uid: &str, event: &Event) {
        if !self.is_news(uid, event, Instant::now()) {
            return;
        }
        let published = Published {
            type_: match event.kind {
                EventKind::Normal => EventType::Normal,
                EventKind::Warning => EventType::Warning,
            },
            reason: event.reason.clone(),
            note: Some(shortened(&event.message)),
            action: event.reason.clone(),
            secondary: None,
        };
        let reference = object.reference(Some(uid.into()));
        let sent = tokio::time::timeout(PATIENCE, self.publisher.publish(&published, &reference)).await;
        if !matches!(sent, Ok(Ok(()))) {
            warn!(%object, reason = event.reason, "an event could not be published");
        }
    }

    fn is_news(&self, uid: &str, event: &Event, now: Instant) -> bool {
        let sentence = (uid.to_owned(), event.reason.clone(), event.message.clone());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= REMEMBERED {
            said.retain(|_, at| now.duration_since(*at) < QUIET);
        }
        if said.len() >= REMEMBERED {
            said.clear();
        }
        match said.get(&sentence) {
            Some(at) if now.duration_since(*at) < QUIET => false,
            _ => {
                said.insert(sentence, now);
                true
            }
        }
    }
}

fn shortened(text: &str) -> String {
    let end = (0..=NOTE_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(shortened(&"ä".repeat(600)).len(), 1_000);
        assert_eq!(shortened("short"), "short");
    }
}
