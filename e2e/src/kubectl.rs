//! The commands that a user types.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs `kubectl` with these arguments and returns what it printed.
///
/// # Errors
/// When it ends with another code than 0; the message holds what it wrote to stderr.
pub async fn kubectl(arguments: &[&str]) -> anyhow::Result<String> {
    run("kubectl", arguments, None).await
}

/// Applies YAML as a user does.
///
/// # Errors
/// When the API server refuses it.
pub async fn apply(namespace: &str, yaml: &str) -> anyhow::Result<String> {
    run("kubectl", &["apply", "-n", namespace, "-f", "-"], Some(yaml)).await
}

/// Runs a program, perhaps with text on its standard input, and returns what it printed.
///
/// # Errors
/// When it cannot be started or ends with another code than 0.
pub async fn run(program: &str, arguments: &[&str], input: Option<&str>) -> anyhow::Result<String> {
    run_with(program, arguments, input, &[]).await
}

/// Runs a program as [`run`] does, with variables of its environment set.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    program: &str,
    arguments: &[&str],
    input: Option<&str>,
    variables: &[(&str, &str)],
) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    // What kubectl remembers of another cluster at the same address would hide our kinds.
    command.env(
        "KUBECACHEDIR",
        std::env::temp_dir().join(format!("keelway-e2e-kubectl-{}", std::process::id())),
    );
    command
        .envs(variables.iter().copied())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("start {program}"))?;
    let mut stdin = child.stdin.take();
    if let (Some(stdin), Some(text)) = (stdin.as_mut(), input) {
        stdin.write_all(text.as_bytes()).await?;
    }
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let first: Vec<_> = arguments.iter().take(3).collect();
    anyhow::bail!("{program} {first:?}: {}: {}{said}", output.status, String::from_utf8_lossy(&output.stderr))
}
