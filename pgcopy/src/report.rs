//! What was done, signed: per column the mask, per table the rows, the policy's hash, the key's version.

use hmac::{Hmac, KeyInit as _, Mac as _};
use masking::{ColumnReport, MasterKey, SubsetRule};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::catalog::LeftOut;
use crate::error::{Error, Finding, Result};

/// The label under which the signing key is derived from the master key.
const LABEL: &str = "report signature v1";

/// A copy's report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this program.
    pub version: String,
    /// The source's database.
    pub source: String,
    /// Identifies the source's cluster.
    pub source_system: String,
    /// The target's database.
    pub target: String,
    /// When the snapshot was taken.
    pub time: jiff::Timestamp,
    /// SHA-256 of the policy.
    pub policy: String,
    /// The chosen roots of a subset, with what is compared; without the values, which may be personal.
    pub subset: Vec<String>,
    /// A name of the master key that gives nothing away.
    pub key: Option<String>,
    /// Version of the keys.
    pub key_version: u32,
    /// Per column what was done.
    pub columns: Vec<ColumnReport>,
    /// Per table what moved.
    pub tables: Vec<TableReport>,
    /// What the copy does not bring.
    pub left_out: Vec<LeftOut>,
    /// Warnings of the policy's checks and of the copy.
    pub warnings: Vec<Finding>,
    /// What the leak scan looked for and what it could not see.
    pub leak_scan: crate::leak::Summary,
    /// Foreign keys that the target validated.
    pub foreign_keys: usize,
    /// Milliseconds per phase.
    pub durations: Vec<(String, u64)>,
}

/// One table's line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableReport {
    /// Schema.
    pub schema: String,
    /// Name.
    pub table: String,
    /// Rows in the copy.
    pub rows: u64,
    /// Bytes read from the source.
    pub bytes: u64,
    /// `copied`, `truncated` or `subset`.
    pub how: String,
}

/// A subset's rules for people.
pub(crate) fn subset(rules: &[SubsetRule]) -> Vec<String> {
    let compared = |condition: &masking::Condition| {
        let json = serde_json::to_value(condition).unwrap_or_default();
        let keys = json.as_object().into_iter().flat_map(|map| map.keys()).filter(|key| *key != "column");
        format!("{} {}", condition.column, keys.map(String::as_str).collect::<Vec<_>>().join(" "))
    };
    rules
        .iter()
        .map(|rule| {
            let conditions: Vec<String> = rule.conditions.iter().map(compared).collect();
            let conditions = if conditions.is_empty() {
                String::new()
            } else {
                format!(" where {}", conditions.join(", "))
            };
            let percent = rule.percent.map(|percent| format!(", {percent} %")).unwrap_or_default();
            format!("{}{conditions}{percent}", rule.name)
        })
        .collect()
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl Report {
    /// The report as JSON with its signature; without a master key the signature is null.
    ///
    /// # Errors
    /// [`Error::Local`] if it cannot be written as JSON, which no report causes.
    pub fn signed(&self, key: Option<&MasterKey>) -> Result<String> {
        let report = serde_json::to_value(self).map_err(|error| Error::Local(error.to_string()))?;
        let signature =
            key.map(|key| sign(&report, key)).transpose()?.map(|mac| hex(&mac.finalize().into_bytes()));
        let whole = serde_json::json!({ "report": report, "signature": signature });
        serde_json::to_string_pretty(&whole).map_err(|error| Error::Local(error.to_string()))
    }
}

/// The MAC over the canonical text: serde_json's maps are sorted by key, without white space.
fn sign(report: &serde_json::Value, key: &MasterKey) -> Result<Hmac<Sha256>> {
    let text = serde_json::to_vec(report).map_err(|error| Error::Local(error.to_string()))?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&key.derive(LABEL)).map_err(|e| Error::Local(e.to_string()))?;
    mac.update(&text);
    Ok(mac)
}

/// Checks a report's signature and returns its content.
///
/// # Errors
/// [`Error::Verify`] if the text is no report, is unsigned, or was changed, or if the key is another one.
pub fn verified(text: &str, key: &MasterKey) -> Result<serde_json::Value> {
    let bad = |why: &str| Error::Verify(format!("the report {why}"));
    let mut whole: serde_json::Value = serde_json::from_str(text).map_err(|_| bad("is no JSON"))?;
    let signature = whole.get("signature").and_then(|s| s.as_str()).map(str::to_owned);
    let signature = signature.ok_or_else(|| bad("is not signed: the copy had no --key"))?;
    let report = whole.get_mut("report").map(serde_json::Value::take).ok_or_else(|| bad("has no content"))?;
    let expected: Option<Vec<u8>> = (0..signature.len())
        .step_by(2)
        .map(|at| signature.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let expected = expected.ok_or_else(|| bad("has a broken signature"))?;
    // Compared in constant time.
    let same = sign(&report, key)?.verify_slice(&expected);
    same.map_err(|_| bad("was changed, or was signed with another key"))?;
    Ok(report)
}
