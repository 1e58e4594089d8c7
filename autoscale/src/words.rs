//! Decisions as sentences, for events, `kubectl describe` and the golden tests.
use crate::output::{Condition, Decision, HoldReason, Limit, Reason, ScaleUpSign, Trigger, Unknown};
use std::fmt::{Display, Formatter, Result};

impl Display for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} pods: {}", self.replicas, self.reason)?;
        self.conditions.iter().try_for_each(|c| write!(f, "; {c}"))
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let t = &self.terms;
        match self.trigger {
            Trigger::Idle => write!(f, "nobody asks"),
            Trigger::Arrivals => write!(
                f,
                "{:.0} requests/s × {:.0} ms need {} pods of {:.0} slots",
                t.arrivals_per_second,
                t.service_seconds.unwrap_or(0.0) * 1000.0,
                t.steady,
                t.slots
            ),
            Trigger::RequestsPerMinute => {
                write!(f, "{:.0} requests/s need {} pods by their rpm", t.arrivals_per_second, t.steady)
            }
            Trigger::Slope => write!(
                f,
                "arrivals rise towards {:.0} requests/s by the time a pod is ready ({:.0} s), which needs {} pods",
                t.forecast_per_second, t.cold_start_seconds, t.urgent
            ),
            Trigger::Backlog => {
                write!(
                    f,
                    "{:.0} requests wait or will when a pod is ready; {} pods clear them",
                    t.backlog, t.urgent
                )
            }
            Trigger::Panic => write!(f, "arrivals jumped within seconds; they need {} pods", t.urgent),
            Trigger::Trial => write!(f, "slow for so long that {} pods are tried", t.urgent),
            Trigger::Latency => write!(f, "p95 is above its target while requests wait; {} pods", t.steady),
        }?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", {limit}"))
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Maximum => write!(f, "bound by the maximum"),
            Self::Sleep => write!(f, "asleep"),
            Self::ForeignCeiling => write!(f, "bound by a ceiling set by hand"),
            Self::ForeignFloor => write!(f, "raised to a floor set by hand"),
            Self::Schedule => write!(f, "raised by the schedule"),
            Self::Minimum => write!(f, "raised to the minimum"),
            Self::Hold(reason) => write!(f, "not scaled in because {reason}"),
            Self::Damping => write!(f, "scaled in slowly"),
            Self::Tolerance => write!(f, "too small a change"),
        }
    }
}

impl Display for HoldReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Timeouts => "requests time out",
            Self::Completions => "fewer requests are completed than arrive",
            Self::Backlog => "requests wait",
            Self::Panic => "a jump of arrivals is not over",
            Self::SignalsUnknown => "signals are unknown",
        })
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::DownstreamSlow { slowdown, busy, expected_busy, completions } => write!(
                f,
                "DownstreamSlow: requests take {slowdown:.1} times as long as when healthy, {busy:.0} slots are busy where \
                 arrivals explain {expected_busy:.0}, {completions:.0} requests/s complete; more pods would not help"
            ),
            Self::SignalsUnknown { why } => write!(f, "SignalsUnknown: {why}"),
            Self::Overridden { by, reason, replicas, floor, left_seconds, yielded } => {
                let kind = if *floor { "at least" } else { "at most" };
                write!(f, "Overridden: {by} wants {kind} {replicas} for {left_seconds:.0} s more")?;
                reason.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))?;
                if *yielded {
                    write!(f, ", set aside because requests suffered for two minutes")
                } else {
                    Ok(())
                }
            }
            Self::AtMaximum { wanted } => write!(f, "AtMaximum: {wanted} pods are wanted"),
            Self::ScaleUpAdvised { why } => write!(f, "ScaleUpAdvised: {why}"),
            Self::FewerSlots { declared, seen } => write!(
                f,
                "FewerSlots: pods are full with {seen:.1} requests at once, not with the {declared:.0} of `concurrency`; \
                 lower it, or give the pods as many workers"
            ),
            Self::LatencyBlocked { saturation, left_seconds } => write!(
                f,
                "LatencyBlocked: more than {saturation} pods did not lower the latency; tried again in {left_seconds:.0} s"
            ),
        }
    }
}

impl Display for Unknown {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Missing => "a router reports nothing; replicas are not lowered until it does",
            Self::Stale => "a router's report is older than 30 s; replicas are not lowered until it is fresh",
            Self::NotANumber => "a router reports numbers that are none; replicas are not lowered meanwhile",
            Self::Contradictory => {
                "a router's numbers contradict each other; replicas are not lowered meanwhile"
            }
            Self::Gap => {
                "a router left out some seconds of the last minute; replicas are not lowered meanwhile"
            }
        })
    }
}

impl Display for ScaleUpSign {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::CpuThrottled => "CPU is throttled; a bigger size helps more than another pod",
            Self::Memory => "memory is above 85% of its limit; a bigger size helps more than another pod",
            Self::SlowAlone => {
                "single requests are slower than the target although pods have room; try a bigger size"
            }
        })
    }
}
