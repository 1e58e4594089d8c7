//! What a copy is asked to do.

use std::path::PathBuf;

use masking::{MasterKey, Policy};

use crate::conn::Endpoint;
use crate::snapshot::Courtesy;

/// What a copy is asked to do.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// Where rows come from.
    pub source: Endpoint,
    /// The database to make.
    pub target: Endpoint,
    /// A role that may see the whole schema, if the source's may not.
    pub schema_from: Option<Endpoint>,
    /// A `pg_dump -s` made elsewhere, instead of one made now.
    pub schema_file: Option<PathBuf>,
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of the policy's text.
    pub policy_hash: String,
    /// The master key.
    pub key: Option<MasterKey>,
    /// Tables and statements at once.
    pub jobs: usize,
    /// Bytes per second that are read from the source at most.
    pub max_rate: Option<u64>,
    /// How considerate the copy is of its source.
    pub courtesy: Courtesy,
    /// The folder of `pg_dump`.
    pub pg_bin: Option<PathBuf>,
    /// The target's role may be a superuser.
    pub allow_superuser: bool,
}
