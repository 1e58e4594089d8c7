//! What the operator wrote, by the API server's audit log, and what it holds in memory.

use std::fs;

use anyhow::Context as _;
use serde_json::Value;

/// How long the audit log is now, in bytes; a mark to count from.
pub(crate) fn mark() -> anyhow::Result<u64> {
    let path = e2e::setting("AUDIT_LOG")?;
    Ok(fs::metadata(&path).with_context(|| format!("read {path}"))?.len())
}

/// Writes that the operator sent since the mark, itself or as somebody: no dry-runs, no Leases, no Events.
pub(crate) fn writes_since(mark: u64) -> anyhow::Result<f64> {
    let path = e2e::setting("AUDIT_LOG")?;
    let bytes = fs::read(&path)?;
    let from = usize::try_from(mark)?.min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[from..]);
    let count =
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(is_write).count();
    Ok(f64::from(u32::try_from(count)?))
}

fn is_write(entry: &Value) -> bool {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    text("/user/username") == "system:serviceaccount:keelway-system:keelway"
        && text("/stage") == "ResponseComplete"
        && ["create", "update", "patch", "delete"].contains(&text("/verb"))
        && !["leases", "events"].contains(&text("/objectRef/resource"))
        && !text("/requestURI").contains("dryRun")
}

/// The most memory that the operator's process ever held, in MiB, by the kernel's account (`VmHWM`).
pub(crate) fn operator_peak_mib() -> anyhow::Result<f64> {
    let mut most = 0.0_f64;
    for process in fs::read_dir("/proc")?.flatten() {
        let command = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        // The kernel keeps 15 characters of a name.
        if command.trim_end() != "keelway-operato" {
            continue;
        }
        let status = fs::read_to_string(process.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) =
            line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok())
        {
            most = most.max(kib / 1024.0);
        }
    }
    anyhow::ensure!(most > 0.0, "no process keelway-operator runs on this machine");
    Ok(most)
}
