//! The matrix: every scenario, ended at every one of its writes, compared phase by phase with an undisturbed run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::api;
use crate::control_plane::ControlPlane;
use crate::git_server::GitServer;
use crate::operator::{Launch, Operator, free_address};
use crate::point::Point;
use crate::proxy::{Moment, Proxy, Record};
use crate::scenario::{Phase, Scenario, Stage};
use crate::snapshot::{Masks, Snapshot};

/// How long no write may come until a phase counts as settled.
const QUIET: Duration = Duration::from_millis(500);
/// How long a phase may take until it counts as stuck.
const STUCK: Duration = Duration::from_secs(40);
/// The namespace of the operator's lease.
const LEASES: &str = "crash-matrix-leases";

/// Everything that runs take place in.
pub struct Matrix {
    plane: ControlPlane,
    git: GitServer,
    proxy: Proxy,
    launch: Launch,
    operator: Option<Operator>,
    /// Since when the operator that runs now is known to lead.
    leads: Option<Instant>,
    masks: Masks,
    runs: u32,
    folder: tempfile::TempDir,
}

/// One run, as it went.
pub struct Run {
    /// The state after each phase, by the phase's name.
    pub states: Vec<(&'static str, Snapshot)>,
    /// All writes.
    pub records: Vec<Record>,
    /// Whether the trap was reached.
    pub sprung: bool,
    /// The phase that did not settle in time, if one did not.
    pub stuck: Option<&'static str>,
}

/// How a phase ended.
enum Settled {
    Done(Snapshot),
    Overtaken,
    Stuck(Snapshot),
}

/// What is wrong with a run, compared with an undisturbed one.
#[derive(Debug, Default)]
pub struct Verdict {
    /// One line for each finding.
    pub wrong: Vec<String>,
    /// Creates and deletes beyond those of the undisturbed run.
    pub extra: u32,
}

impl Matrix {
    /// Starts control plane, git host and proxy.
    ///
    /// # Errors
    /// A part that does not start.
    pub async fn start(binary: PathBuf, masks: Masks, bug: Option<&str>) -> anyhow::Result<Self> {
        let plane = ControlPlane::start().await?;
        api::create(&plane.client, "/api/v1/namespaces", &json!({"metadata": {"name": LEASES}})).await?;
        let folder = tempfile::tempdir()?;
        let git_folder = folder.path().join("git");
        std::fs::create_dir(&git_folder)?;
        let git = GitServer::start(&git_folder).await?;
        let proxy = Proxy::start(plane.client.clone()).await?;
        let launch = Launch {
            binary,
            proxy: proxy.address,
            // The same name each time, as a pod's, so that a new process need not wait for the lease of the old one.
            identity: "operator".into(),
            namespace: LEASES.into(),
            lease: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            folder: folder.path().to_owned(),
            listen: free_address()?,
            environment: bug.iter().map(|bug| ("KEELWAY_BUG".into(), (*bug).into())).collect(),
        };
        Ok(Self { plane, git, proxy, launch, operator: None, leads: None, masks, runs: 0, folder })
    }

    /// Runs a scenario once, with the operator ended at `trap` if one is given.
    ///
    /// # Errors
    /// Only what breaks the harness itself.
    pub async fn run(&mut self, scenario: &Scenario, trap: Option<(Point, Moment)>) -> anyhow::Result<Run> {
        self.runs += 1;
        let namespace = format!("cm-{}", self.runs);
        api::create(&self.plane.client, "/api/v1/namespaces", &json!({"metadata": {"name": namespace}}))
            .await?;
        self.wait_account(&namespace).await?;
        self.proxy.begin(&namespace, trap);
        self.revive()?;
        let mut run = Run { states: Vec::new(), records: Vec::new(), sprung: false, stuck: None };
        for (index, phase) in scenario.phases.iter().enumerate() {
            let stage = Stage { client: &self.plane.client, namespace: &namespace, git: &self.git };
            (phase.act)(stage).await.with_context(|| phase.name)?;
            let overtaken = scenario.overtaken && index + 1 < scenario.phases.len();
            match self.settle(phase, &namespace, overtaken).await? {
                Settled::Done(state) => run.states.push((phase.name, state)),
                Settled::Overtaken => {}
                Settled::Stuck(state) => {
                    run.states.push((phase.name, state));
                    run.stuck = Some(phase.name);
                    break;
                }
            }
        }
        (run.records, run.sprung) = (self.proxy.records(), self.proxy.sprung());
        api::delete(&self.plane.client, &format!("/api/v1/namespaces/{namespace}")).await?;
        self.git.remove(&namespace)?;
        Ok(run)
    }

    /// Judges a run by an undisturbed one.
    pub fn judge(&self, run: &Run, reference: &Run) -> Verdict {
        let mut verdict = Verdict::default();
        if let Some(phase) = run.stuck {
            verdict.wrong.push(format!("{phase}: did not settle within {} s", STUCK.as_secs()));
        }
        for (phase, state) in &run.states {
            let Some((_, expected)) = reference.states.iter().find(|(name, _)| name == phase) else {
                continue;
            };
            let lines = state.masked(&self.masks).differences(&expected.masked(&self.masks));
            verdict.wrong.extend(lines.into_iter().map(|line| format!("{phase}: {line}")));
        }
        let unpinned = run.records.iter().filter(|record| !record.pinned);
        verdict
            .wrong
            .extend(unpinned.map(|record| format!("{}: without uid and resourceVersion", record.point)));
        let (counts, expected) = (made_and_deleted(run), made_and_deleted(reference));
        for (write, count) in counts {
            let surplus = count.saturating_sub(expected.get(&write).copied().unwrap_or_default());
            if surplus > 0 {
                verdict.wrong.push(format!("{write}: {surplus} more than in an undisturbed run"));
            }
            verdict.extra += surplus;
        }
        verdict
    }

    /// The end of the operator's log.
    pub fn log_end(&self) -> String {
        self.launch.log_end(25)
    }

    /// Keeps the folder with logs for a person to read, and says where it is.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Starts the operator where it does not run.
    fn revive(&mut self) -> anyhow::Result<()> {
        let runs = match &mut self.operator {
            Some(operator) => operator.ended()?.is_none(),
            None => false,
        };
        if !runs {
            // A port that was free a moment ago may be taken meanwhile; the next start takes another one.
            self.launch.listen = free_address()?;
            self.leads = None;
            let operator = self.launch.start()?;
            self.proxy.aim(operator.id());
            self.operator = Some(operator);
        }
        Ok(())
    }

    /// Waits until what must follow is there and no write comes any more. Whatever ends the operator meanwhile, it is
    /// started again, as Kubernetes does; with `overtaken` only after the next act.
    async fn settle(&mut self, phase: &Phase, namespace: &str, overtaken: bool) -> anyhow::Result<Settled> {
        let (began, sprung_before) = (Instant::now(), self.proxy.sprung());
        loop {
            if overtaken && self.proxy.sprung() && !sprung_before {
                return Ok(Settled::Overtaken);
            }
            self.revive()?;
            tokio::time::sleep(Duration::from_millis(60)).await;
            self.look_whether_it_leads().await;
            let last = self.proxy.last();
            let quiet = [last, self.leads, Some(began)].into_iter().flatten().all(|at| at.elapsed() > QUIET);
            let stuck = began.elapsed() > STUCK;
            if (quiet && self.leads.is_some()) || stuck {
                let state = Snapshot::take(&self.plane.client, namespace).await?;
                // A write in the midst of the lists would tear the picture.
                if (phase.done)(&state) && self.proxy.last() == last {
                    return Ok(Settled::Done(state));
                }
                if stuck {
                    return Ok(Settled::Stuck(state));
                }
            }
        }
    }

    /// A quiet that lasts because the operator has only just been started says nothing.
    async fn look_whether_it_leads(&mut self) {
        if self.leads.is_none() {
            let metrics = self.launch.get("/metrics").await;
            let leads = metrics.is_ok_and(|(_, text)| text.lines().any(|line| line == "keelway_leader 1"));
            self.leads = leads.then(Instant::now);
        }
    }

    /// Every namespace gets its default account and the root certificate a moment after it is made.
    async fn wait_account(&self, namespace: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
        while api::get(&self.plane.client, &path).await?.is_none() {
            if began.elapsed() > STUCK {
                bail!("the namespace {namespace} got no default service account");
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    }
}

/// How often each object was created or deleted.
fn made_and_deleted(run: &Run) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for record in run.records.iter().filter(|record| record.creates_or_deletes()) {
        let word = if record.point.write.verb == "delete" { "delete" } else { "create" };
        *counts.entry(format!("{word} {}", record.point.write.object)).or_default() += 1;
    }
    counts
}
