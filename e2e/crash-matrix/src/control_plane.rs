//! etcd, the API server and the controller manager, without nodes: Deployments are scaled to zero, garbage is
//! collected. The binaries are those that `make cluster` built.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kube::{Client, Config};
use tokio::process::{Child, Command};

use crate::port::free_port;

/// The password of this throw-away API server, which listens on the loopback device alone.
const TOKEN: &str = "crash-matrix";

/// The controllers that the scenarios need.
const CONTROLLERS: &str = "deployment,replicaset,statefulset,job,cronjob,garbagecollector,namespace,serviceaccount,clusterrole-aggregation";

/// A running control plane; it ends with this value.
pub struct ControlPlane {
    /// A client with every right.
    pub client: Client,
    _processes: Vec<Child>,
    _folder: tempfile::TempDir,
}

struct Tools {
    kube: PathBuf,
    etcd: PathBuf,
}

impl ControlPlane {
    /// Starts everything and waits until it answers.
    ///
    /// # Errors
    /// Missing binaries (run `make cluster` once), or a component that does not come up; its log is named.
    pub async fn start() -> anyhow::Result<Self> {
        let tools = Tools::find()?;
        let folder = tempfile::tempdir()?;
        let path = folder.path();
        write_credentials(path)?;
        let (etcd, peer, port) = (free_port()?, free_port()?, free_port()?);
        let mut processes = vec![
            spawn(path, "etcd", &tools.etcd, &etcd_flags(path, etcd, peer))?,
            spawn(path, "kube-apiserver", &tools.kube, &apiserver_flags(path, etcd, port))?,
        ];
        let client = connect(path, port).await?;
        wait_ready(&client, path).await?;
        processes.push(spawn(path, "kube-controller-manager", &tools.kube, &manager_flags(path, port)?)?);
        let plane = Self { client, _processes: processes, _folder: folder };
        plane.install_kinds().await?;
        Ok(plane)
    }

    async fn install_kinds(&self) -> anyhow::Result<()> {
        for definition in crds::all() {
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            crate::api::create(&self.client, path, &serde_json::to_value(&definition)?).await?;
        }
        let began = Instant::now();
        for plural in ["apps", "configrepos", "environments", "releases", "runs"] {
            let path = format!("/apis/{}/{}/{plural}", crds::GROUP, crds::VERSION);
            while crate::api::get(&self.client, &path).await.ok().flatten().is_none() {
                if began.elapsed() > Duration::from_secs(30) {
                    bail!("the API server does not serve {plural}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }
}

impl Tools {
    /// The newest build below the cache of the local cluster.
    fn find() -> anyhow::Result<Self> {
        let cache = std::env::var_os("KEELWAY_CACHE")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/keelway")));
        let cache = cache.context("neither KEELWAY_CACHE nor HOME is set")?;
        let newest = |prefix: &str, file: &str| -> anyhow::Result<PathBuf> {
            let mut found: Vec<_> = std::fs::read_dir(&cache)
                .with_context(|| format!("{} is missing; run `make cluster` once", cache.display()))?
                .filter_map(Result::ok)
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
                .map(|entry| entry.path().join(file))
                .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
                .collect();
            found.sort();
            found.pop().map(|(_, path)| path).with_context(|| {
                format!("{prefix}*/{file} is not in {}; run `make cluster` once", cache.display())
            })
        };
        Ok(Self { kube: newest("kube-", "kube")?, etcd: newest("daemons-", "usr/bin/etcd")? })
    }
}

fn write_credentials(folder: &Path) -> anyhow::Result<()> {
    let key = rcgen::KeyPair::generate()?;
    std::fs::write(folder.join("accounts.key"), key.serialize_pem())?;
    std::fs::write(folder.join("accounts.pub"), key.public_key_pem())?;
    std::fs::write(folder.join("tokens.csv"), format!("{TOKEN},crash-matrix,1,\"system:masters\"\n"))?;
    Ok(())
}

fn spawn(folder: &Path, name: &str, binary: &Path, flags: &[String]) -> anyhow::Result<Child> {
    let log = std::fs::File::create(folder.join(format!("{name}.log")))?;
    let mut command = Command::new(binary);
    if name != "etcd" {
        command.arg(name);
    }
    command
        .args(flags)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} does not start", binary.display()))
}

fn etcd_flags(folder: &Path, port: u16, peer: u16) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Nothing here outlives the program.
        "--unsafe-no-fsync".into(),
    ]
}

fn apiserver_flags(folder: &Path, etcd: u16, port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        "--endpoint-reconciler-type=none".into(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("serving")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", file("accounts.pub")),
        format!("--service-account-signing-key-file={}", file("accounts.key")),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        "--authorization-mode=RBAC".into(),
        "--profiling=false".into(),
    ]
}

fn manager_flags(folder: &Path, port: u16) -> anyhow::Result<Vec<String>> {
    let path = folder.join("manager.kubeconfig");
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "local",
        "clusters": [{"name": "local", "cluster": {"server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true}}],
        "users": [{"name": "local", "user": {"token": TOKEN}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
    });
    std::fs::write(&path, config.to_string())?;
    Ok(vec![
        format!("--kubeconfig={}", path.display()),
        format!("--controllers={CONTROLLERS}"),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
    ])
}

/// The API server makes its own certificate, so its client trusts it when it reads it.
async fn connect(folder: &Path, port: u16) -> anyhow::Result<Client> {
    let certificate = folder.join("serving/apiserver.crt");
    let began = Instant::now();
    while !certificate.exists() {
        if began.elapsed() > Duration::from_secs(60) {
            bail!("the API server wrote no certificate:\n{}", end_of(folder, "kube-apiserver"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut config = Config::new(format!("https://127.0.0.1:{port}").parse()?);
    config.accept_invalid_certs = true;
    config.default_retry = false;
    config.auth_info.token = Some(TOKEN.to_owned().into());
    Ok(Client::try_from(config)?)
}

async fn wait_ready(client: &Client, folder: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        if client.request_text(request).await.is_ok() {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(120) {
            bail!("the API server is not ready:\n{}", end_of(folder, "kube-apiserver"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The end of a component's log, for an error message.
fn end_of(folder: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
