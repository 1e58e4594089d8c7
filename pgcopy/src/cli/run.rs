//! Arguments → the library.

use std::path::Path;

use masking::{MasterKey, Policy};
use pgcopy::conn::secret;
use pgcopy::copy::{CopyOptions, copy, dry_run};
use pgcopy::progress::Progress;
use pgcopy::snapshot::Courtesy;
use pgcopy::{Endpoint, Error, Result};

use super::args::{self, Cli, Command};
use super::display;

/// Runs one command.
pub(super) async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Copy(args) => run_copy(*args).await,
        Command::Policy(args) => Err(Error::Usage(format!("{}", matches!(args, args::Policy::Init { .. })))),
        Command::Verify(_) | Command::Clone(_) | Command::Drop(_) => Err(Error::Usage(String::new())),
    }
}

/// The policy in a file and the hash of its text.
fn policy(path: &Path) -> Result<(Policy, String)> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Error::Usage(format!("policy {name}: {error}")))?;
    let policy = masking::parse(&text).map_err(|error| Error::Usage(format!("policy {name}: {error}")))?;
    Ok((policy, pgcopy::report::sha256(text.as_bytes())))
}

fn key(name: Option<&str>) -> Result<Option<MasterKey>> {
    let Some(name) = name else { return Ok(None) };
    let text = secret(name, "key")?.ok_or_else(|| {
        Error::Usage(format!("`{name}` is neither an environment variable nor a file; put the master key into one"))
    })?;
    MasterKey::parse(text.as_bytes()).map(Some).map_err(|error| Error::Usage(format!("key `{name}`: {error}")))
}

async fn run_copy(args: args::Copy) -> Result<()> {
    let (mut policy, policy_hash) = policy(&args.policy)?;
    if let Some(subset) = &args.subset {
        let rules = masking::parse(&format!("subset: {subset}"));
        policy.subset = rules.map_err(|error| Error::Usage(format!("--subset: {error}")))?.subset;
    }
    let options = CopyOptions {
        source: Endpoint::resolve(&args.from)?,
        target: Endpoint::resolve(&args.to)?,
        schema_from: args.schema_from.as_deref().map(Endpoint::resolve).transpose()?,
        schema_file: args.schema_file,
        policy,
        policy_hash,
        key: key(args.key.as_deref())?,
        jobs: args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from)).max(1),
        max_rate: args.max_rate,
        courtesy: Courtesy {
            blocked: args.max_blocking,
            lock_timeout: args.lock_timeout,
            snapshot_age: args.max_snapshot_age,
        },
        pg_bin: args.pg_bin,
        allow_superuser: args.allow_superuser,
    };
    if args.dry_run {
        display::print(&dry_run(&options).await?);
        return Ok(());
    }
    let (progress, events) = Progress::new();
    let shown = tokio::spawn(display::show(events, args.quiet));
    let outcome = copy(&options, &progress, interrupted()).await;
    drop(progress);
    // The display ends when the last sender is gone; its own failure is no failure of the copy.
    let _ = shown.await;
    let report = outcome?.signed(options.key.as_ref())?;
    match &args.report {
        Some(path) => std::fs::write(path, report + "\n")
            .map_err(|error| Error::Local(format!("the copy is complete, but {} could not be written: {error}", path.display()))),
        None => Ok(()),
    }
}

/// Ctrl-C, or a polite end from outside.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
