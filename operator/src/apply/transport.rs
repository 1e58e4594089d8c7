//! The client of the writer.

use kube::{Client, Config};

use crate::apply::fence::Fence;

/// A client for writes: it repeats no request by itself.
///
/// # Errors
/// A configuration without usable credentials or certificates.
pub fn write_client(mut config: Config, fence: Fence) -> Result<Client, kube::Error> {
    let _ = fence;
    config.default_retry = false;
    Client::try_from(config)
}
