//! The install's table of sizes: a name stands for requests and limits. A Release holds the amounts, not the name, so
//! that a change of the table makes a new Release instead of silently rolling what runs.

use std::collections::BTreeMap;

use crds::Reason;
use crds::text::{Label, Quantity};
use crds::workload::{Amounts, Config, Resources};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// Sizes by name, and the one that is meant where none is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sizes {
    /// The size of what names none.
    pub default: Label,
    /// Requests and limits by name.
    pub sizes: BTreeMap<Label, Resources>,
}

impl Default for Sizes {
    /// Memory is requested as it is limited, so that a node is never promised twice; CPU is not limited, because a
    /// limit slows a process down although the node has time to spare.
    fn default() -> Self {
        let table = [
            ("nano", "25m", "64Mi"),
            ("small", "100m", "256Mi"),
            ("medium", "250m", "1Gi"),
            ("large", "1", "4Gi"),
        ];
        let sizes = table.iter().filter_map(|(name, cpu, memory)| {
            let memory = Quantity::new(*memory).ok();
            let requests =
                Amounts { cpu: Quantity::new(*cpu).ok(), memory: memory.clone(), ephemeral_storage: None };
            let limits = Amounts { memory, ..Amounts::default() };
            let resources = Resources { requests: Some(requests), limits: Some(limits) };
            Label::new(*name).ok().map(|name| (name, resources))
        });
        Self { default: Label::new("small").unwrap_or_default(), sizes: sizes.collect() }
    }
}

impl Sizes {
    /// Requests and limits of what names `size`; `whose` is what a message calls it.
    ///
    /// # Errors
    /// A refusal that names the known sizes when there is none of that name.
    pub fn look_up(&self, size: Option<&Label>, whose: &str) -> Result<Resources, Refusal> {
        let name = size.unwrap_or(&self.default);
        self.sizes.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = self.sizes.keys().map(Label::as_str).collect();
            Refusal::needs_user(
                Reason::InvalidSpec,
                format!(
                    "{whose} has the size `{name}`, which this install does not know; use one of {}, or give resources",
                    known.join(", ")
                ),
            )
        })
    }

    /// The configuration with every size replaced by its amounts.
    ///
    /// # Errors
    /// A refusal for the first size that is unknown.
    pub fn resolve(&self, config: &Config) -> Result<Config, Refusal> {
        let mut config = config.clone();
        for process in &mut config.processes {
            let whose = format!("process `{}`", process.name);
            self.settle(&mut process.size, &mut process.resources, &whose)?;
        }
        for job in &mut config.jobs {
            let whose = format!("job `{}`", job.name);
            self.settle(&mut job.size, &mut job.resources, &whose)?;
        }
        if let Some(release) = &mut config.release {
            self.settle(&mut release.size, &mut release.resources, "the release command")?;
        }
        Ok(config)
    }

    fn settle(
        &self,
        size: &mut Option<Label>,
        resources: &mut Option<Resources>,
        whose: &str,
    ) -> Result<(), Refusal> {
        if resources.is_none() {
            *resources = Some(self.look_up(size.as_ref(), whose)?);
        }
        *size = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::workload::default_processes;

    #[test]
    fn an_unknown_size_is_refused_with_the_names_that_are_known() {
        let mut config = Config { processes: default_processes(), ..Config::default() };
        config.processes[0].size = Label::new("huge").ok();
        let refusal = Sizes::default().resolve(&config).unwrap_err();
        assert_eq!(
            refusal.message,
            "process `web` has the size `huge`, which this install does not know; use one of large, medium, nano, small, or give resources"
        );
    }

    #[test]
    fn what_names_no_size_has_the_default_one() {
        let config = Config { processes: default_processes(), ..Config::default() };
        let resolved = Sizes::default().resolve(&config).unwrap();
        let limits = resolved.processes[0].resources.clone().unwrap().limits.unwrap();
        assert_eq!(limits.memory.unwrap().as_str(), "256Mi");
        assert_eq!(Sizes::default().resolve(&resolved).unwrap(), resolved);
    }
}
