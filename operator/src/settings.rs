//! Settings: parsed once, from flags and the environment, then passed on as plain data.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// The Keelway operator: keeps a cluster equal to what git says.
#[derive(Clone, Debug, Parser)]
#[command(name = "keelway-operator", version)]
pub struct Settings {
    /// Where health, metrics and webhooks are served.
    #[arg(long, env = "KEELWAY_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The address at which the other replicas reach this one, as `10.0.0.7`: a standby passes push notifications on to
    /// the leader. Without it those that meet a standby are answered 503.
    #[arg(long, env = "KEELWAY_ADDRESS")]
    pub address: Option<IpAddr>,
    /// The namespace of the operator: its Lease and its settings live there.
    #[arg(long, env = "KEELWAY_NAMESPACE", default_value = "keelway-system")]
    pub namespace: String,
    /// The name of this process among its replicas; one process that starts again keeps it. Without it: host name and a random number.
    #[arg(long, env = "KEELWAY_IDENTITY")]
    pub identity: Option<String>,
    /// How logs are written.
    #[arg(long, env = "KEELWAY_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is logged, as `info` or `operator=debug,info`.
    #[arg(long, env = "KEELWAY_LOG", default_value = "info")]
    pub log: String,
    /// An OTLP endpoint (HTTP) that gets traces, as `http://collector:4318`. Without it none are made.
    #[arg(long, env = "KEELWAY_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// How many objects of one kind are reconciled at once.
    #[arg(long, env = "KEELWAY_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// How long a lease lasts without being renewed.
    #[arg(long, env = "KEELWAY_LEASE_DURATION", default_value = "30s", value_parser = duration)]
    pub lease_duration: Duration,
    /// How long one request to the API server may take; less than half of the lease.
    #[arg(long, env = "KEELWAY_REQUEST_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub request_timeout: Duration,
    /// How long running work may go on after a request to stop.
    #[arg(long, env = "KEELWAY_STOP_TIMEOUT", default_value = "20s", value_parser = duration)]
    pub stop_timeout: Duration,
    /// The folder of git mirrors.
    #[arg(long, env = "KEELWAY_DATA", default_value = "/var/lib/keelway")]
    pub data: PathBuf,
    /// Address ranges that repositories and registries may have although they are private, as `10.0.0.0/8`; repeatable.
    #[arg(long = "allow-range", env = "KEELWAY_ALLOW_RANGES", value_delimiter = ',')]
    pub allow_ranges: Vec<String>,
    /// Lets git repositories have `http://` URLs; what they send can then be read and changed on the way.
    #[arg(long, env = "KEELWAY_PLAIN_HTTP_GIT")]
    pub plain_http_git: bool,
    /// Registries, as `host:port`, that are spoken to without TLS; repeatable.
    #[arg(long = "plain-http-registry", env = "KEELWAY_PLAIN_HTTP_REGISTRIES", value_delimiter = ',')]
    pub plain_http_registries: Vec<String>,
    /// The service account that ConfigRepos without `serviceAccountName` use, in their own namespace. Without it the field is mandatory.
    #[arg(long, env = "KEELWAY_DEFAULT_SERVICE_ACCOUNT")]
    pub default_service_account: Option<String>,
    /// The address below which every Environment has a host of its own, as `https://apps.example.com`. Without it no URLs are shown.
    #[arg(long, env = "KEELWAY_PUBLIC_URL")]
    pub public_url: Option<crds::domain::PublicUrl>,
    /// A YAML file with the sizes of pods by name.
    #[arg(long, env = "KEELWAY_SIZES")]
    pub sizes: Option<PathBuf>,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people at a terminal.
    Pretty,
}

/// Settings that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A write might outlive the lease under which it was sent.
    #[error(
        "--request-timeout ({request:?}) must be less than half of --lease-duration ({lease:?}); raise the latter"
    )]
    Lease {
        /// The longest request.
        request: Duration,
        /// The length of a lease.
        lease: Duration,
    },
}

impl Settings {
    /// Checks what one flag alone cannot say.
    ///
    /// # Errors
    /// [`Contradiction`], which names both flags.
    pub fn check(&self) -> Result<(), Contradiction> {
        if self.request_timeout * 2 >= self.lease_duration {
            return Err(Contradiction::Lease { request: self.request_timeout, lease: self.lease_duration });
        }
        Ok(())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = crds::text::Duration::new(text).map_err(|invalid| invalid.to_string())?.get();
    if duration.is_zero() { Err("must be longer than 0s".into()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_together() {
        let settings = Settings::parse_from(["keelway-operator"]);
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn a_request_may_not_outlive_half_of_the_lease() {
        let settings = Settings::parse_from(["x", "--request-timeout", "5s", "--lease-duration", "10s"]);
        assert!(settings.check().is_err());
        assert!(Settings::try_parse_from(["x", "--request-timeout", "0s"]).is_err());
    }
}
