//! The process: settings in, exit code out.

use clap::Parser as _;
use operator::{Settings, run, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    settings.check()?;
    let telemetry = telemetry::init(&settings)?;
    let ended = run::run(settings, stop_on_signal()?).await;
    telemetry.finish();
    ended
}

/// Cancelled by SIGTERM (Kubernetes) and SIGINT (a terminal).
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        token.cancel();
    });
    Ok(stop)
}
