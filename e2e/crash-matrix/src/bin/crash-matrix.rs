//! `crash-matrix`: ends the operator before each of its writes is sent, and after it was done but before its answer
//! arrives, and compares what comes of it with an undisturbed run.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use crash_matrix::matrix::{Matrix, Run, Verdict};
use crash_matrix::point::Point;
use crash_matrix::proxy::Moment;
use crash_matrix::scenario::{SCENARIOS, Scenario};
use crash_matrix::snapshot::Masks;

/// Ends the operator at every one of its writes, and compares the outcome with an undisturbed run.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// The operator's program.
    #[arg(long, default_value = "target/debug/keelway-operator")]
    operator: PathBuf,
    /// The fields that differ between two undisturbed runs.
    #[arg(long, default_value = "e2e/crash-matrix/masks.txt")]
    masks: PathBuf,
    /// Only every tenth point, beginning with this one (any number; its last digit counts).
    #[arg(long)]
    tenth: Option<usize>,
    /// Only this scenario.
    #[arg(long)]
    scenario: Option<String>,
    /// A bug to plant; needs an operator built with the feature `seeded-bugs`.
    #[arg(long)]
    bug: Option<String>,
    /// Succeed if something is wrong, for the test that shows that this program finds bugs.
    #[arg(long)]
    expect_red: bool,
    /// Only list the points.
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    runs: usize,
    extra: u32,
    unreached: usize,
    red: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let text = std::fs::read_to_string(&arguments.masks)
        .with_context(|| format!("{} is missing", arguments.masks.display()))?;
    let mut matrix =
        Matrix::start(arguments.operator.clone(), Masks::parse(&text)?, arguments.bug.as_deref()).await?;
    let mut tally = Tally::default();
    let wanted = |scenario: &&Scenario| arguments.scenario.as_ref().is_none_or(|name| name == scenario.name);
    for scenario in SCENARIOS.iter().filter(wanted) {
        run_scenario(&mut matrix, scenario, &arguments, &mut tally).await?;
        if tally.red && arguments.expect_red {
            break;
        }
    }
    let Tally { ok, runs, extra, unreached, red } = tally;
    println!("crash-matrix: {ok}/{runs} converged, extra writes: {extra}");
    if unreached > 0 {
        println!(
            "crash-matrix: {unreached} of these points did not come up in their run (the order of writes varies)"
        );
    }
    if red && !arguments.expect_red {
        println!("the operator's log and mirrors are kept in {}", matrix.keep().display());
    }
    Ok(if red == arguments.expect_red { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_scenario(
    matrix: &mut Matrix,
    scenario: &Scenario,
    arguments: &Arguments,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let reference = matrix.run(scenario, None).await?;
    let second = matrix.run(scenario, None).await?;
    let verdict = matrix.judge(&second, &reference);
    if reference.stuck.is_some() || !verdict.wrong.is_empty() {
        println!(
            "{}: two undisturbed runs differ; mend the operator, or mask in {} what may differ:",
            scenario.name,
            arguments.masks.display()
        );
        report(matrix, &verdict);
        tally.red = true;
        return Ok(());
    }
    let points = points_of(&reference, arguments.tenth);
    println!("{}: {} writes, {} points in this run", scenario.name, reference.records.len(), points.len());
    if arguments.list {
        points.iter().for_each(|point| println!("  {point}"));
        return Ok(());
    }
    for point in points {
        for moment in [Moment::Before, Moment::After] {
            one(matrix, scenario, &reference, &point, moment, tally).await?;
            if tally.red && arguments.expect_red {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn one(
    matrix: &mut Matrix,
    scenario: &Scenario,
    reference: &Run,
    point: &Point,
    moment: Moment,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let run = matrix.run(scenario, Some((point.clone(), moment))).await?;
    let verdict = matrix.judge(&run, reference);
    tally.runs += 1;
    tally.extra += verdict.extra;
    tally.unreached += usize::from(!run.sprung);
    let fine = verdict.wrong.is_empty();
    tally.ok += usize::from(fine);
    tally.red |= !fine;
    let word = if fine { "ok" } else { "WRONG" };
    println!("{}: {moment:?} {point}: {word} ({:.1} s)", scenario.name, began.elapsed().as_secs_f64());
    if !fine {
        report(matrix, &verdict);
    }
    Ok(())
}

fn report(matrix: &Matrix, verdict: &Verdict) {
    for line in verdict.wrong.iter().take(20) {
        println!("    {line}");
    }
    println!("    the end of the operator's log:");
    for line in matrix.log_end().lines() {
        println!("      {line}");
    }
}

/// The points of an undisturbed run, in order; with `tenth` only every tenth of them.
fn points_of(run: &Run, tenth: Option<usize>) -> Vec<Point> {
    let all = run.records.iter().map(|record| record.point.clone());
    match tenth {
        None => all.collect(),
        Some(first) => all.skip(first % 10).step_by(10).collect(),
    }
}
