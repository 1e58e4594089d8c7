//! Small pictures of runs as SVG: demand and capacity, latency, replicas.
use crate::{law::Outcome, trace::Trace, world::Sample};
use std::fmt::Write;

/// Points per line; a point is the maximum of its stretch of time.
const POINTS: usize = 360;
/// Width of a picture and of its plot, and the plot's left edge.
const SIZE: (f64, f64, f64) = (760.0, 620.0, 56.0);
/// Height of a panel and the space below it.
const PANEL: (f64, f64) = (110.0, 34.0);
/// Colours of the laws, ours first; readable on white and told apart without red and green.
const COLOURS: [&str; 9] =
    ["#0b5fa5", "#d55e00", "#7a7a7a", "#cc79a7", "#009e73", "#8c564b", "#e69f00", "#56b4e9", "#000000"];

/// A line of a panel.
struct Line<'a> {
    name: &'a str,
    colour: &'a str,
    values: Vec<f64>,
    filled: bool,
}

fn thin(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    let stretch = samples.len().div_ceil(POINTS).max(1);
    samples.chunks(stretch).map(|c| c.iter().map(&of).fold(0.0, f64::max)).collect()
}

/// One run of one law: demand and capacity, latency, replicas.
pub fn picture(trace: &Trace, law: &str, outcome: &Outcome) -> String {
    let per_pod = f64::from(trace.slots) / trace.service.mean();
    let s = &outcome.samples;
    let line = |name, colour, values, filled| Line { name, colour, values, filled };
    let panels = [
        (
            "requests/s",
            vec![
                line("demand", "#c9c9c9", thin(s, |s| f64::from(s.arrived)), true),
                line("capacity", COLOURS[0], thin(s, |s| f64::from(s.ready) * per_pod), false),
            ],
        ),
        ("p95 in s", vec![line("latency", COLOURS[1], thin(s, |s| f64::from(s.p95) / 1000.0), false)]),
        ("pods", vec![line("asked for", COLOURS[0], thin(s, |s| f64::from(s.desired)), false)]),
    ];
    draw(&format!("{}: {} ({law})", trace.name, trace.about), trace.seconds(), &panels)
}

/// The replicas of several laws over one trace.
pub fn replicas(trace: &Trace, runs: &[(&str, Outcome)]) -> String {
    let demand = runs.first().map(|r| thin(&r.1.samples, |s| f64::from(s.arrived))).unwrap_or_default();
    let lines = |of: fn(&Sample) -> f64| {
        runs.iter()
            .zip(COLOURS)
            .map(|((name, outcome), colour)| Line {
                name,
                colour,
                values: thin(&outcome.samples, of),
                filled: false,
            })
            .collect::<Vec<_>>()
    };
    let panels = [
        ("requests/s", vec![Line { name: "demand", colour: "#c9c9c9", values: demand, filled: true }]),
        ("p95 in s", lines(|s| f64::from(s.p95) / 1000.0)),
        ("pods", lines(|s| f64::from(s.desired))),
    ];
    draw(&format!("{}: {}", trace.name, trace.about), trace.seconds(), &panels)
}

fn draw(title: &str, seconds: u32, panels: &[(&str, Vec<Line<'_>>)]) -> String {
    let (width, plot, left) = SIZE;
    let height = 44.0 + panels.len() as f64 * (PANEL.0 + PANEL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n<text x=\"{left}\" y=\"20\" font-size=\"13\">{title}</text>\n"
    );
    for (i, (unit, lines)) in panels.iter().enumerate() {
        let top = 36.0 + i as f64 * (PANEL.0 + PANEL.1);
        panel(&mut svg, top, unit, lines);
    }
    let bottom = height - 22.0;
    for i in 0..=4 {
        let x = left + plot * f64::from(i) / 4.0;
        let hours = f64::from(seconds) * f64::from(i) / 4.0 / 3600.0;
        let _ =
            writeln!(svg, "<text x=\"{x:.0}\" y=\"{bottom:.0}\" text-anchor=\"middle\">{hours:.1} h</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, unit: &str, lines: &[Line<'_>]) {
    let (_, plot, left) = SIZE;
    let bottom = top + PANEL.0;
    let most = lines.iter().flat_map(|l| l.values.iter().copied()).fold(1e-9, f64::max);
    let _ = writeln!(
        svg,
        "<path d=\"M{left} {top}V{bottom}H{:.0}\" stroke=\"#888\" fill=\"none\"/><text x=\"{:.0}\" y=\"{:.0}\" \
         text-anchor=\"end\">{}</text><text x=\"{:.0}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#666\">{unit}</text>",
        left + plot,
        left - 4.0,
        top + 9.0,
        round(most),
        left - 4.0,
        left - 4.0,
        top + 24.0
    );
    for (i, line) in lines.iter().enumerate() {
        let n = line.values.len().max(2) as f64 - 1.0;
        let mut path = String::new();
        for (j, v) in line.values.iter().enumerate() {
            let (x, y) = (left + plot * j as f64 / n, bottom - PANEL.0 * v / most);
            let _ = write!(path, "{}{x:.1} {y:.1}", if j == 0 { 'M' } else { 'L' });
        }
        let style = if line.filled {
            let _ = write!(path, "V{bottom}H{left}Z");
            format!("fill=\"{}\" stroke=\"none\"", line.colour)
        } else {
            format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\"", line.colour)
        };
        let _ = writeln!(svg, "<path d=\"{path}\" {style}/>");
        let y = top + 10.0 + 13.0 * i as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{y:.0}\" fill=\"{}\">{}</text>",
            left + plot + 6.0,
            if line.filled { "#777" } else { line.colour },
            line.name
        );
    }
}

fn round(v: f64) -> String {
    if v >= 10.0 { format!("{v:.0}") } else { format!("{v:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_stays_small_and_well_formed() {
        let trace = Trace::new("t", "a test", 1, vec![10.0; 7200]);
        let samples = vec![Sample { arrived: 10, desired: 2, ready: 2, ..Sample::default() }; 7200];
        let svg = picture(&trace, "keelway", &Outcome { samples, pod_hours: 1.0 });
        assert!(svg.len() < 40_000, "{}", svg.len());
        assert_eq!(svg.matches("<svg").count(), 1);
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(!svg.contains("NaN"));
    }
}
