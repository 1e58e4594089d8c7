//! Problems for people and for code scanners.

use crate::problem::{Problem, Severity};
use serde_json::json;

/// One problem after the other, worst first, with the lines to paste.
pub fn plain(problems: &[Problem]) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|p| p.severity);
    sorted.iter().fold(String::new(), |text, problem| text + &problem.to_string() + "\n")
}

/// SARIF 2.1.0, for code-scanning pages. `file` is the policy's path in the repository, `text` its text: a problem points
/// at the line of its column's rule, or of its table's, or at the first line.
pub fn sarif(problems: &[Problem], file: &str, text: &str) -> String {
    let results: Vec<_> = problems
        .iter()
        .map(|p| {
            let level = if p.severity == Severity::Error { "error" } else { "warning" };
            json!({
                "ruleId": p.code.name(),
                "level": level,
                "message": {"text": p.to_string()},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": file},
                    "region": {"startLine": line_of(p, text)},
                }}],
            })
        })
        .collect();
    let mut rules: Vec<_> = problems.iter().map(|p| p.code.name()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<_> = rules.into_iter().map(|id| json!({"id": id})).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "keelway-pgcopy", "rules": rules}}, "results": results}],
    })
    .to_string()
}

/// The line, from 1, of the rule that a problem is about.
fn line_of(problem: &Problem, text: &str) -> usize {
    let names = |line: &str, name: &str| {
        line.split_once("name:").is_some_and(|(_, rest)| {
            let rest = rest.trim_start().trim_start_matches(['"', '\'']);
            rest.strip_prefix(name)
                .is_some_and(|end| end.is_empty() || end.starts_with([',', '}', '"', '\'', ' ']))
        })
    };
    let Some(table) = &problem.table else { return 1 };
    let mut lines = text.lines().enumerate();
    let full = table.to_string();
    let Some((at, _)) =
        lines.find(|(_, l)| names(l, &full) || (table.schema == "public" && names(l, &table.table)))
    else {
        return 1;
    };
    let Some(column) = &problem.column else { return at + 1 };
    lines.find(|(_, l)| names(l, column)).map_or(at, |(i, _)| i) + 1
}
