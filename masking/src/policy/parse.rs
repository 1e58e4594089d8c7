//! YAML to [`Policy`]: strict, so that a slip of the pen stops the copy instead of leaking a column.

use serde::Deserialize;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, Options};
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

use super::Policy;

/// Why a policy cannot be read.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("{}{message}", .line.map(|l| format!("line {l}: ")).unwrap_or_default())]
pub struct PolicyError {
    /// The line, from 1, where known.
    pub line: Option<u64>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl PolicyError {
    pub(super) fn write(message: &str) -> Self {
        Self { line: None, message: format!("the policy cannot be written as YAML: {message}") }
    }
}

/// A whole MaskingPolicy manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: serde::de::IgnoredAny,
    #[serde(default, rename = "status")]
    _status: serde::de::IgnoredAny,
    spec: Policy,
}

/// Reads a policy: the fields of `MaskingPolicy.spec`, or a whole MaskingPolicy manifest.
///
/// # Errors
/// YAML that is wrong or ambiguous (duplicate keys, anchors that grow, a second document), a field or mask that does
/// not exist (with the nearest name that does), a value of the wrong type.
pub fn parse(yaml: &str) -> Result<Policy, PolicyError> {
    /// Tells a manifest by its two fields, whatever else is wrong with it.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        kind: Option<serde::de::IgnoredAny>,
        spec: Option<serde::de::IgnoredAny>,
    }
    let manifest = serde_saphyr::from_str_with_options::<Probe>(yaml, options())
        .is_ok_and(|probe| probe.kind.is_some() || probe.spec.is_some());
    if !manifest {
        return serde_saphyr::from_str_with_options(yaml, options()).map_err(|e| explain(&e));
    }
    let manifest: Manifest = serde_saphyr::from_str_with_options(yaml, options()).map_err(|e| explain(&e))?;
    if manifest.kind != "MaskingPolicy" || !manifest.api_version.starts_with("keelway.dev/") {
        return Err(PolicyError {
            line: None,
            message: format!(
                "this is a {} of {}; a policy is a MaskingPolicy of keelway.dev/v1alpha1, or its spec alone",
                manifest.kind, manifest.api_version
            ),
        });
    }
    Ok(manifest.spec)
}

fn options() -> Options {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.merge_keys = MergeKeyPolicy::Error;
    options.alias_limits.max_total_replayed_events = 100_000;
    options.strict_booleans = true;
    options.with_snippet = false;
    options
}

fn explain(error: &serde_saphyr::Error) -> PolicyError {
    let line = error.location().map(|at| at.line());
    let message = match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => unknown("field", field, expected),
        serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => {
            unknown("value", variant, expected)
        }
        other => UserMessageFormatter.format_message(other).into_owned(),
    };
    PolicyError { line, message }
}

/// "unknown field `emial`; did you mean `email`?"
fn unknown(what: &str, got: &str, expected: &[&str]) -> String {
    match nearest(got, expected.iter().copied()) {
        Some(near) => format!("unknown {what} `{got}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{got}`; known here: {}", expected.join(", ")),
    }
}

/// The name that `got` was probably meant to be.
pub(crate) fn nearest<'a>(got: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(&got.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
