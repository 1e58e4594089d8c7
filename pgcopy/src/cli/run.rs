//! Arguments → the library.

use std::path::Path;

use masking::{MasterKey, Policy};
use pgcopy::clone::{CloneOptions, Method, clone};
use pgcopy::conn::{secret, shown};
use pgcopy::copy::{CopyOptions, copy, dry_run, finding, row_security};
use pgcopy::progress::Progress;
use pgcopy::snapshot::Courtesy;
use pgcopy::verify::{VerifyOptions, verify};
use pgcopy::{Endpoint, Error, Result, advice, catalog, grants, mark, target};

use super::args::{self, Cli, Command};
use super::display;

/// Runs one command.
pub(super) async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Copy(args) => Box::pin(run_copy(*args)).await,
        Command::Policy(args) => run_policy(args).await,
        Command::Verify(args) => run_verify(args).await,
        Command::Clone(args) => run_clone(args).await,
        Command::Drop(args) => {
            let admin = target::admin(&Endpoint::resolve(&args.server)?).await?;
            mark::drop_marked(&admin, &args.name, args.end_sessions).await
        }
    }
}

/// The policy in a file and the hash of its text.
fn policy(path: &Path) -> Result<(Policy, String)> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Error::Usage(format!("policy {name}: {error}")))?;
    let policy = masking::parse(&text).map_err(|error| Error::Usage(format!("policy {name}: {error}")))?;
    Ok((policy, pgcopy::report::sha256(text.as_bytes())))
}

/// The policy with the subset of the arguments in place of its own. What is copied is decided by both, so the hash is of
/// both.
fn with_subset((mut policy, hash): (Policy, String), subset: Option<&str>) -> Result<(Policy, String)> {
    let Some(subset) = subset else { return Ok((policy, hash)) };
    let rules = masking::parse(&format!("subset: {subset}"));
    policy.subset = rules.map_err(|error| Error::Usage(format!("--subset: {error}")))?.subset;
    Ok((policy, pgcopy::report::sha256(format!("{hash} subset: {subset}").as_bytes())))
}

fn key(name: Option<&str>) -> Result<Option<MasterKey>> {
    let Some(name) = name else { return Ok(None) };
    let text = secret(name, "key")?.ok_or_else(|| {
        Error::Usage(format!(
            "{} is neither an environment variable nor a file; put the master key into one",
            shown(name)
        ))
    })?;
    MasterKey::parse(text.as_bytes())
        .map(Some)
        .map_err(|error| Error::Usage(format!("key {}: {error}", shown(name))))
}

async fn run_copy(args: args::Copy) -> Result<()> {
    let (policy, policy_hash) = with_subset(policy(&args.policy)?, args.subset.as_deref())?;
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
        Some(path) => std::fs::write(path, report + "\n").map_err(|error| {
            Error::Local(format!(
                "the copy is complete, but {} could not be written: {error}",
                path.display()
            ))
        }),
        None => Ok(()),
    }
}

/// Ctrl-C, or a polite end from outside. The copy then clears up, which takes as long as its servers do; who does not want
/// to wait for that asks again.
async fn interrupted() {
    signalled().await;
    tokio::spawn(async {
        signalled().await;
        display::complain(
            "ended before all was cleared up: what was loaded is marked as unfinished (the next copy replaces it, `drop` removes it)",
        );
        std::process::exit(130);
    });
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

async fn run_policy(args: args::Policy) -> Result<()> {
    match args {
        args::Policy::Init { from, out, locale, no_samples } => {
            let locale = match locale {
                args::Language::EnUs => masking::Locale::EnUs,
                args::Language::JaJp => masking::Locale::JaJp,
            };
            let text = advice::init(&Endpoint::resolve(&from)?, locale, !no_samples).await?;
            match out {
                Some(path) => std::fs::write(&path, text).map_err(|error| {
                    Error::Local(format!("{} could not be written: {error}", path.display()))
                }),
                None => {
                    display::print(&text);
                    Ok(())
                }
            }
        }
        args::Policy::Suggest { from, policy: path, no_samples } => {
            let (policy, _) = policy(&path)?;
            display::print(&advice::suggest(&Endpoint::resolve(&from)?, &policy, !no_samples).await?);
            Ok(())
        }
        args::Policy::Check { from, policy, format } => check(&from, &policy, format).await,
        args::Policy::Grants { from, policy: path, role, bypass_rls } => {
            let (policy, _) = policy(&path)?;
            let session = Endpoint::resolve(&from)?.connect().await?;
            let catalog = catalog::load(&session).await?;
            let decisions = masking::decide(&policy, &catalog.masking_schema())
                .map_err(|problems| Error::Refused(problems.iter().map(finding).collect()))?;
            display::print(&grants::grants(&catalog, &decisions, &policy.subset, &role, bypass_rls));
            Ok(())
        }
    }
}

/// Exit code 3 if the policy does not fit, with every problem on standard output.
async fn check(from: &str, path: &Path, format: args::Format) -> Result<()> {
    let (policy, _) = policy(path)?;
    let session = Endpoint::resolve(from)?.connect().await?;
    let catalog = catalog::load(&session).await?;
    let outcome = masking::decide(&policy, &catalog.masking_schema());
    let problems = match &outcome {
        Ok(decisions) => &decisions.warnings,
        Err(problems) => problems,
    };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    display::print(&match format {
        args::Format::Plain => masking::render::plain(problems),
        args::Format::Sarif => masking::render::sarif(problems, &path.display().to_string(), &text) + "\n",
    });
    match &outcome {
        Ok(decisions) => {
            let hidden = row_security(&catalog, decisions);
            if hidden.is_empty() { Ok(()) } else { Err(Error::Refused(hidden)) }
        }
        Err(problems) => {
            Err(Error::Refused(problems.iter().map(finding).filter(|f| !f.warning).take(1).collect()))
        }
    }
}

async fn run_verify(args: args::Verify) -> Result<()> {
    let (policy, policy_hash) = with_subset(policy(&args.policy)?, args.subset.as_deref())?;
    let report = match (&args.report, key(args.key.as_deref())?) {
        (Some(path), Some(key)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Error::Usage(format!("report {}: {error}", path.display())))?;
            Some((text, key))
        }
        _ => None,
    };
    let options = VerifyOptions {
        source: Endpoint::resolve(&args.from)?,
        target: Endpoint::resolve(&args.to)?,
        policy,
        policy_hash,
        report,
    };
    for line in verify(&options).await? {
        display::print(&format!("{line}\n"));
    }
    Ok(())
}

async fn run_clone(args: args::Clone) -> Result<()> {
    let setting = |text: &String| {
        text.split_once('=')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| Error::Usage(format!("--set `{text}`: write name=value")))
    };
    let options = CloneOptions {
        server: Endpoint::resolve(&args.server)?,
        template: args.template,
        name: args.name,
        owner: args.owner,
        settings: args.settings.iter().map(setting).collect::<Result<_>>()?,
        end_sessions: args.end_sessions,
        wait: args.wait,
        method: args.method.map(|method| match method {
            args::Method::WalLog => Method::WalLog,
            args::Method::FileCopy => Method::FileCopy,
        }),
    };
    clone(&options).await.map(drop)
}
