//! The comparison as a table of text.
use crate::compare::Row;
use std::fmt::Write;

/// One block per trace, one line per law. Marks: `*` a law that beats ours by the rule of `pareto_losses`.
pub fn table(rows: &[Row], ours: &str) -> String {
    let mut out = String::new();
    let mut trace = "";
    for row in rows {
        if row.trace != trace {
            trace = &row.trace;
            let _ = writeln!(
                out,
                "\n{trace:<15}{:>10}{:>9}{:>9}{:>12}{:>11}{:>7}",
                "late %", "cost", "pod-h", "reversals/h", "recovery s", "most"
            );
        }
        let mine = rows.iter().find(|r| r.law == ours && r.trace == row.trace);
        let is_peer = row.law != ours && row.law != "oracle";
        let better = is_peer && mine.is_some_and(|m| crate::compare::is_better(&row.score, &m.score));
        let s = &row.score;
        let _ = writeln!(
            out,
            "  {:<13}{:>10.3}{:>9.2}{:>9.1}{:>12.1}{:>11}{:>7}{}",
            row.law,
            s.violations_pct,
            row.cost,
            s.pod_hours,
            s.reversals_per_hour,
            s.recovery_s,
            s.most,
            if better { " *" } else { "" }
        );
    }
    out
}
