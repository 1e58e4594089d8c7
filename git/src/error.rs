//! What can go wrong, each with its class and its cure. No variant ever holds a credential: text that a server sent
//! is redacted, stripped of control characters and cut before it gets here.

use std::time::Duration;

/// Who can mend an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Trying again later may help.
    Transient,
    /// Somebody has to change the repository, its Secret or a setting first.
    NeedsUser,
}

/// A cap of [`crate::Limits`], named in [`GitError::TooLarge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// `Limits::advertisement_bytes`
    AdvertisementBytes,
    /// `Limits::refs`
    Refs,
    /// `Limits::pack_bytes`
    PackBytes,
    /// `Limits::objects`
    Objects,
    /// `Limits::object_bytes`
    ObjectBytes,
    /// `Limits::unpacked_bytes`
    UnpackedBytes,
    /// `Limits::blob_bytes`
    BlobBytes,
    /// `Limits::read_bytes`
    ReadBytes,
    /// `Limits::files`
    Files,
    /// `Limits::tree_entries`
    TreeEntries,
    /// `Limits::tree_depth`
    TreeDepth,
}

impl Cap {
    /// What is counted, as part of a sentence.
    pub fn subject(self) -> &'static str {
        match self {
            Self::AdvertisementBytes => "bytes in the server's list of refs",
            Self::Refs => "refs",
            Self::PackBytes => "bytes received for one commit",
            Self::Objects => "objects in one commit",
            Self::ObjectBytes => "bytes in one git object",
            Self::UnpackedBytes => "bytes in one commit once unpacked",
            Self::BlobBytes => "bytes in one file",
            Self::ReadBytes => "bytes in all files read",
            Self::Files => "files",
            Self::TreeEntries => "entries in the folders read",
            Self::TreeDepth => "nested folders",
        }
    }
}

/// Why a git operation did not succeed. The text is meant for a status condition: it says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the fields are what the messages print
pub enum GitError {
    #[error("the repository URL is not usable: {reason}")]
    InvalidUrl { reason: String },
    #[error("the ref `{reference}` is not usable: {reason}")]
    InvalidRef { reference: String, reason: String },
    #[error("the path `{path}` is not usable: {reason}")]
    InvalidPath { path: String, reason: String },
    #[error("the credentials are not usable: {reason}")]
    InvalidCredentials { reason: String },
    #[error(
        "the CA bundle is not usable: {reason}; put PEM certificates into `ca.crt` of the repository's Secret"
    )]
    InvalidTrust { reason: String },
    #[error(
        "{host} resolves to {address}, which the operator may not dial ({reason}); if this is your git host, allow its network or its host name in the operator's settings"
    )]
    AddressRefused { host: String, address: String, reason: String },
    #[error("the host name {host} could not be resolved ({detail}); check the URL and the cluster's DNS")]
    Resolve { host: String, detail: String },
    #[error(
        "could not connect to {host}:{port} ({detail}); check that the git host is up and that the cluster may reach it"
    )]
    Connect { host: String, port: u16, detail: String },
    #[error("the git host gave no answer within {} s while {phase}; it is tried again, raise the time-out if the host is slow", .after.as_secs_f32())]
    Timeout { phase: &'static str, after: Duration },
    #[error("the TLS certificate of {host} is not trusted ({detail}); {cure}")]
    Tls { host: String, detail: String, cure: &'static str },
    #[error("{url} answered {status}: {cure}")]
    Unauthorized { url: String, status: u16, cure: &'static str },
    #[error(
        "{url} answered 404: check the URL; a private repository also answers 404 when the Secret's token is missing or may not read it"
    )]
    NotFound { url: String },
    #[error("{url} redirects to {location}, {reason}; set the URL to the place the repository lives at")]
    Redirected { url: String, location: String, reason: &'static str },
    #[error("{url} answered HTTP {status}; {cure}")]
    Http { url: String, status: u16, class: ErrorClass, cure: &'static str },
    #[error("{url} is no git repository over smart HTTP (it answered with `{content_type}`); check the URL")]
    NotGit { url: String, content_type: String },
    #[error(
        "the SSH key {fingerprint} ({algorithm}) of {host} is not in `known_hosts`; compare it with the one that the git host publishes, then add the output of `ssh-keyscan {keyscan}` to `known_hosts` of the repository's Secret"
    )]
    HostKeyUnknown { host: String, keyscan: String, fingerprint: String, algorithm: String },
    #[error(
        "the SSH key {fingerprint} ({algorithm}) of {host} differs from `known_hosts`: somebody may be in between; if the git host really changed its key, replace the line in `known_hosts` of the repository's Secret"
    )]
    HostKeyMismatch { host: String, fingerprint: String, algorithm: String },
    #[error(
        "{host} refused the SSH key for user `{user}`; add its public key to the repository as a read-only deploy key"
    )]
    SshRefused { host: String, user: String },
    #[error("the SSH connection to {host} failed: {detail}")]
    Ssh { host: String, detail: String },
    #[error("the repository refused access: {detail}; check the URL and that the credentials may read it")]
    AccessRefused { detail: String },
    #[error(
        "{reference} does not exist in the repository; it was deleted or never pushed: push it or change `ref`"
    )]
    RefMissing { reference: String },
    #[error(
        "the git host does not hand out commit {sha}: it is not there, or no branch or tag holds it any more; use a branch or tag, or push a tag at that commit"
    )]
    CommitUnreachable { sha: String },
    #[error("{reference} points at a {kind}, not at a commit; use a branch, or a tag of a commit")]
    NotACommit { reference: String, kind: String },
    #[error(
        "the repository names its objects by SHA-256, which is not supported; use a repository of git's usual object format, SHA-1"
    )]
    ObjectFormat,
    #[error("the path `{path}` does not exist in commit {commit}; create it or change `paths`")]
    PathMissing { path: String, commit: String },
    #[error("the entry `{path}` is refused: {reason}; remove it from the repository")]
    HostileTree { path: String, reason: &'static str },
    #[error("too many {}{}: the limit is {limit}; make the repository smaller or raise the limit in the operator's settings", .cap.subject(), .path.as_ref().map(|p| format!(" (`{p}`)")).unwrap_or_default())]
    TooLarge { cap: Cap, limit: u64, path: Option<String> },
    #[error("the local mirror is damaged ({detail}); it is thrown away and fetched anew")]
    Corrupt { detail: String },
    #[error(
        "the mirror cache could not be used ({detail}); check the free space and rights of the operator's cache volume"
    )]
    Storage { detail: String },
    #[error("the git host's answer was not understood ({detail}); it is tried again")]
    Protocol { detail: String },
}

impl GitError {
    /// Whether waiting may help or a person must act.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Ssh { .. }
            | Self::Corrupt { .. }
            | Self::Storage { .. }
            | Self::Protocol { .. } => ErrorClass::Transient,
            Self::Http { class, .. } => *class,
            _ => ErrorClass::NeedsUser,
        }
    }

    /// A CamelCase word for a condition's reason; one per variant, stable.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidUrl { .. } => "InvalidUrl",
            Self::InvalidRef { .. } => "InvalidRef",
            Self::InvalidPath { .. } => "InvalidPath",
            Self::InvalidCredentials { .. } => "InvalidCredentials",
            Self::InvalidTrust { .. } => "InvalidTrust",
            Self::AddressRefused { .. } => "AddressRefused",
            Self::Resolve { .. } => "ResolveFailed",
            Self::Connect { .. } => "ConnectFailed",
            Self::Timeout { .. } => "Timeout",
            Self::Tls { .. } => "TlsNotTrusted",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::NotFound { .. } => "RepositoryNotFound",
            Self::Redirected { .. } => "Redirected",
            Self::Http { .. } => "HttpError",
            Self::NotGit { .. } => "NotAGitRepository",
            Self::HostKeyUnknown { .. } => "HostKeyUnknown",
            Self::HostKeyMismatch { .. } => "HostKeyMismatch",
            Self::SshRefused { .. } => "SshKeyRefused",
            Self::Ssh { .. } => "SshFailed",
            Self::AccessRefused { .. } => "AccessRefused",
            Self::RefMissing { .. } => "RefMissing",
            Self::CommitUnreachable { .. } => "CommitUnreachable",
            Self::NotACommit { .. } => "NotACommit",
            Self::ObjectFormat => "ObjectFormatUnsupported",
            Self::PathMissing { .. } => "PathMissing",
            Self::HostileTree { .. } => "HostileTree",
            Self::TooLarge { .. } => "TooLarge",
            Self::Corrupt { .. } => "MirrorCorrupt",
            Self::Storage { .. } => "CacheUnusable",
            Self::Protocol { .. } => "ProtocolError",
        }
    }

    pub(crate) fn too_large(cap: Cap, limit: u64) -> Self {
        Self::TooLarge { cap, limit, path: None }
    }

    /// A failure of the local disk.
    pub(crate) fn storage(error: &std::io::Error) -> Self {
        Self::Storage { detail: error.to_string() }
    }
}

/// Text of a server made fit for a message: one line, no control characters, at most 200 characters.
pub(crate) fn tame(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 200 { line } else { line.chars().take(199).chain(['…']).collect() }
}
