//! Logs: JSON for machines or pretty for people; and traces, when an endpoint is given.

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::settings::{LogFormat, Settings};

/// Libraries whose logs may repeat the body of a request or an answer, and so a Secret: they stay silent.
const SILENT: [&str; 4] = ["kube_client=off", "hyper=off", "hyper_util=off", "rustls=off"];

/// Starts logging for the whole process.
///
/// # Errors
/// A filter that cannot be understood, or logging that was started before.
pub fn init(settings: &Settings) -> anyhow::Result<()> {
    let mut filter = EnvFilter::try_new(&settings.log)
        .context("--log is no filter; write it as info or operator=debug,info")?;
    for directive in SILENT {
        filter = filter.add_directive(directive.parse()?);
    }
    let logs = match settings.log_format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Pretty => tracing_subscriber::fmt::layer().compact().boxed(),
    };
    tracing_subscriber::registry().with(filter).with(logs).try_init().context("logging was started twice")
}
