//! What makes two releases run the same, as one digest.

use crds::origin::ResolvedImage;
use crds::workload::{Config, Rollout};
use serde_json::json;

use crate::matching::short_digest;

/// The digest of image, configuration (sizes resolved) and the state of what it refers to.
///
/// How many pods run, and how they are rolled out, is no part of it: scaling restarts nothing and makes no Release.
pub fn digest(image: &ResolvedImage, config: &Config, references: &str) -> String {
    let mut config = config.clone();
    config.rollout = Rollout::default();
    for process in &mut config.processes {
        process.replicas = None;
    }
    short_digest(&json!({"image": image.resolved, "config": config, "references": references}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::text::Image;
    use crds::workload::default_processes;

    #[test]
    fn the_number_of_pods_is_no_content_and_the_command_is() {
        let image = ResolvedImage {
            requested: Image::new("r/a:1").unwrap(),
            resolved: Image::new("r/a@sha256:1").unwrap(),
        };
        let config = Config { processes: default_processes(), ..Config::default() };
        let before = digest(&image, &config, "");
        let mut scaled = config.clone();
        scaled.processes[0].replicas = Some(5);
        assert_eq!(digest(&image, &scaled, ""), before);
        let mut changed = config.clone();
        changed.processes[0].command = vec!["./serve".into()];
        assert_ne!(digest(&image, &changed, ""), before);
        assert_ne!(digest(&image, &config, "f00"), before);
        let retagged = ResolvedImage { requested: Image::new("r/a:2").unwrap(), ..image };
        assert_eq!(digest(&retagged, &config, ""), before);
    }
}
