//! Progress on a terminal, JSON lines elsewhere, nothing if quiet. The only module that writes to the standard streams.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::io::IsTerminal as _;
use std::time::Instant;

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use pgcopy::progress::Event;
use tokio::sync::mpsc::UnboundedReceiver;

/// An error or a warning for people.
pub(super) fn complain(text: &str) {
    eprintln!("{text}");
}

/// A result on standard output.
pub(super) fn print(text: &str) {
    print!("{text}");
}

/// Shows events until the copy ends.
pub(super) async fn show(mut events: UnboundedReceiver<Event>, quiet: bool) {
    if quiet {
        while events.recv().await.is_some() {}
    } else if std::io::stderr().is_terminal() {
        terminal(events).await;
    } else {
        while let Some(event) = events.recv().await {
            if let Ok(line) = serde_json::to_string(&event) {
                eprintln!("{line}");
            }
        }
    }
}

/// One line that moves: tables, rows, bytes, MB/s, ETA, what runs now.
async fn terminal(mut events: UnboundedReceiver<Event>) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}% {msg}") {
        bar.set_style(style);
    }
    let started = Instant::now();
    let mut state = State::default();
    while let Some(event) = events.recv().await {
        match &event {
            Event::Phase { phase } => state.doing = vec![format!("{phase:?}").to_lowercase()],
            Event::Planned { tables, bytes, .. } => {
                state.tables = *tables;
                bar.set_length(*bytes);
            }
            Event::TableStarted { table, .. } => state.doing.push(table.clone()),
            Event::TableDone { table, .. } => {
                state.doing.retain(|doing| doing != table);
                state.done += 1;
            }
            Event::Moved { rows, bytes } => {
                (state.rows, state.bytes) = (*rows, *bytes);
                bar.set_position((*bytes).min(bar.length().unwrap_or(0)));
            }
            Event::Statement { what } => state.doing = vec![what.clone()],
            Event::Warning { message } => bar.println(message),
            Event::Done { database, rows, ms } => {
                bar.finish_and_clear();
                let took = HumanDuration(std::time::Duration::from_millis(*ms));
                eprintln!("{database}: {} rows copied in {took}", HumanCount(*rows));
            }
        }
        bar.set_message(state.line(started, bar.length().unwrap_or(0)));
    }
    bar.finish_and_clear();
}

#[derive(Default)]
struct State {
    tables: usize,
    done: usize,
    rows: u64,
    bytes: u64,
    doing: Vec<String>,
}

impl State {
    #[allow(clippy::cast_precision_loss)]
    fn line(&self, started: Instant, all: u64) -> String {
        let seconds = started.elapsed().as_secs_f64().max(0.001);
        let rate = self.bytes as f64 / seconds;
        let left = all.saturating_sub(self.bytes) as f64 / rate.max(1.0);
        let eta = if rate > 0.0 && left < 1e7 { format!("{left:.0} s") } else { "–".to_owned() };
        let doing: Vec<&str> = self.doing.iter().rev().take(3).map(String::as_str).collect();
        format!(
            "{}/{} tables, {} rows, {}, {:.1} MB/s, ETA {eta}: {}",
            self.done,
            self.tables,
            HumanCount(self.rows),
            HumanBytes(self.bytes),
            rate / 1e6,
            doing.join(", ")
        )
    }
}
