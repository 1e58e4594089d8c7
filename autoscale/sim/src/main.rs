//! `autoscale-sim`: run a law over a trace, compare all laws, replay your own traffic.
#![allow(clippy::print_stdout, reason = "a command prints")]

use autoscale::Constants;
use autoscale_sim::{
    bench::{Figure, figures},
    compare::{Row, compare, losses},
    csv,
    law::{run, run_and_tell},
    peers::{NAMES, by_name},
    score::score,
    svg,
    table::table,
    trace::Trace,
    traces::family,
};
use clap::{Args, Parser, Subcommand};
use std::{error::Error, fs, path::PathBuf, time::Instant};

/// Holds the scaling law against its peers on simulated traffic.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one law over one trace; write its picture.
    Run {
        /// A name from `compare`'s table.
        trace: String,
        /// One of the laws.
        #[arg(long, default_value = "keelway")]
        law: String,
        /// Print every change of replicas with its reason.
        #[arg(long)]
        explain: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Run all laws over all traces; print the table, write pictures and figures.
    Compare {
        /// Write the figures as JSON to this file, and print them.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Keep the oracle's results in this file.
        #[arg(long)]
        oracle: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Run all laws over your own traffic: a CSV with lines of `seconds,count`.
    Replay {
        /// The CSV.
        file: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Options {
    /// Family of traces: 0 is the catalogue, any other number draws new shapes.
    #[arg(long, default_value_t = 0)]
    family: u64,
    /// Only these traces.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these laws.
    #[arg(long, value_delimiter = ',')]
    laws: Vec<String>,
    /// Seconds of a cold start.
    #[arg(long)]
    cold_start: Option<f64>,
    /// Most pods.
    #[arg(long)]
    max: Option<u32>,
    /// Change a constant of the law, as `name=number`.
    #[arg(long = "set")]
    set: Vec<String>,
    /// Write pictures into this folder.
    #[arg(long)]
    pictures: Option<PathBuf>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Options {
    fn constants(&self) -> Result<Constants, Box<dyn Error>> {
        let mut all = serde_json::to_value(Constants::default())?;
        for pair in &self.set {
            let (name, value) = pair.split_once('=').ok_or("write --set name=number")?;
            all[name] = serde_json::from_str(value)?;
        }
        Ok(serde_json::from_value(all)?)
    }

    fn apply(&self, mut trace: Trace) -> Trace {
        trace.cold_start = self.cold_start.unwrap_or(trace.cold_start);
        trace.bounds.1 = self.max.unwrap_or(trace.bounds.1);
        trace
    }

    fn traces(&self) -> Vec<Trace> {
        let wanted = |t: &Trace| self.only.is_empty() || self.only.contains(&t.name);
        family(self.family).into_iter().filter(wanted).map(|t| self.apply(t)).collect()
    }

    fn laws(&self) -> Vec<&'static str> {
        NAMES.into_iter().filter(|n| self.laws.is_empty() || self.laws.iter().any(|l| l == n)).collect()
    }

    fn draw(&self, name: &str, svg: &str) -> Result<(), Box<dyn Error>> {
        if let Some(folder) = &self.pictures {
            fs::create_dir_all(folder)?;
            fs::write(folder.join(format!("{name}.svg")), svg)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().command {
        Command::Run { trace, law, explain, options } => run_one(&trace, &law, explain, &options),
        Command::Compare { json, oracle, options } => compare_all(json, oracle, &options),
        Command::Replay { file, options } => replay(&file, &options),
    }
}

fn run_one(name: &str, law: &str, explain: bool, options: &Options) -> Result<(), Box<dyn Error>> {
    let constants = options.constants()?;
    let trace = family(options.family).into_iter().find(|t| t.name == name).map(|t| options.apply(t));
    let trace = trace.ok_or_else(|| format!("no trace is called `{name}`; `compare` lists them"))?;
    let begun = Instant::now();
    let mut driver =
        by_name(law, &trace, &constants).ok_or_else(|| format!("no law is called `{law}`: {NAMES:?}"))?;
    let outcome = run_and_tell(&trace, driver.as_mut(), |second, replicas, words| {
        if explain {
            println!("{second:>7} s: {}", words.unwrap_or_else(|| format!("{replicas} pods")));
        }
    });
    println!("{}", serde_json::to_string_pretty(&score(&outcome))?);
    println!("{} h simulated in {:.1?}", f64::from(trace.seconds()) / 3600.0, begun.elapsed());
    options.draw(&format!("{name}-{law}"), &svg::picture(&trace, law, &outcome))
}

fn compare_all(
    json: Option<PathBuf>,
    cache: Option<PathBuf>,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let (traces, laws) = (options.traces(), options.laws());
    let known: Vec<Row> = match &cache {
        Some(file) if file.exists() => serde_json::from_slice(&fs::read(file)?)?,
        _ => Vec::new(),
    };
    let rows = compare(&traces, &laws, &options.constants()?, options.threads, &known);
    if let Some(file) = &cache {
        let fresh = rows
            .iter()
            .filter(|r| r.law == "oracle" && !known.iter().any(|k| k.fingerprint == r.fingerprint));
        let oracles: Vec<&Row> = known.iter().chain(fresh).collect();
        fs::write(file, serde_json::to_string(&oracles)?)?;
    }
    println!("{}", table(&rows, NAMES[0]));
    for l in losses(&rows, NAMES[0]) {
        println!(
            "loss: {} to {}: {:+.3} points at {:.2} × our pod-hours",
            l.trace, l.peer, l.violations, l.cost
        );
    }
    if let Some(file) = json {
        let mut all = figures(&rows, NAMES[0]);
        all.push(Figure::new("autoscale.decision_us_1000", autoscale_sim::speed::decision_us(1000)?, "us"));
        all.iter().for_each(|f| println!("{f}"));
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_string_pretty(&all)?)?;
    }
    if options.pictures.is_some() {
        for trace in &traces {
            draw_all(trace, &laws, options)?;
        }
    }
    Ok(())
}

fn draw_all(trace: &Trace, laws: &[&str], options: &Options) -> Result<(), Box<dyn Error>> {
    let constants = options.constants()?;
    let runs: Vec<_> = laws
        .iter()
        .filter_map(|name| by_name(name, trace, &constants).map(|mut law| (*name, run(trace, law.as_mut()))))
        .collect();
    options.draw(&trace.name, &svg::replicas(trace, &runs))
}

fn replay(file: &PathBuf, options: &Options) -> Result<(), Box<dyn Error>> {
    let rate = csv::rates(&fs::read_to_string(file)?)?;
    let trace = options.apply(Trace::new("replay", "your own traffic", 1, rate));
    let (traces, laws) = ([trace], options.laws());
    let rows = compare(&traces, &laws, &options.constants()?, options.threads, &[]);
    println!("{}", table(&rows, NAMES[0]));
    draw_all(&traces[0], &laws, options)
}
