//! A trace: what happens to one process, and how it behaves.

/// Steps per simulated second; one step is 20 ms.
pub const STEPS: u32 = 50;
/// Steps until a router gives a request up (30 s, as Heroku's router does).
pub const TIMEOUT: u32 = 30 * STEPS;
/// Steps within which an answer meets the objective (1 s after the first try).
pub const OBJECTIVE: u32 = STEPS;

/// How long requests take in a slot when nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Service {
    /// Lognormal with this mean (seconds) and coefficient of variation.
    LogNormal(f64, f64),
    /// Pareto with this mean (seconds) and tail index, cut at 20 s.
    Pareto(f64, f64),
}

impl Service {
    /// The mean in seconds.
    pub fn mean(self) -> f64 {
        match self {
            Self::LogNormal(mean, _) | Self::Pareto(mean, _) => mean,
        }
    }

    /// The `u`-quantile in seconds.
    pub fn quantile(self, u: f64, normal: f64) -> f64 {
        match self {
            Self::LogNormal(mean, cv) => {
                let variance = (1.0 + cv * cv).ln();
                (mean.ln() - variance / 2.0 + variance.sqrt() * normal).exp()
            }
            Self::Pareto(mean, tail) => {
                let least = mean * (tail - 1.0) / tail;
                (least * (1.0 - u).powf(-1.0 / tail)).min(20.0)
            }
        }
    }
}

/// Something that happens; times in seconds from the trace's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// Each request takes so many times as long, and no more than `slots` progress at full speed.
    Slow { from: u32, to: u32, factor: f64, slots: f64 },
    /// The downstream serves at most so many requests at once; more share it, and disturb each other a little.
    Saturates { slots: f64 },
    /// Every request fails at once (20 ms) with this probability.
    Errors { from: u32, to: u32, share: f64 },
    /// Nobody gets signals.
    Outage { from: u32, to: u32 },
    /// One of the two routers says nothing and starts from zero afterwards.
    RouterRestart { from: u32, to: u32 },
    /// A person sets the replicas.
    Manual { at: u32, replicas: u32 },
    /// A new release, whose requests take `factor` as long, replaces the pods a quarter at a time.
    RollOut { at: u32, factor: f64 },
}

/// How clients retry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retries {
    /// Probability that a failed try is tried again.
    pub share: f64,
    /// Most retries of one request.
    pub most: u8,
    /// Seconds before the next try.
    pub after: f64,
}

/// A workload and its surroundings.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Name in tables and on pictures.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// Expected first tries per second, second by second.
    pub rate: Vec<f32>,
    /// Service times.
    pub service: Service,
    /// Share of requests that are streams, and their mean length in seconds.
    pub streams: (f64, f64),
    /// Slots per pod.
    pub slots: u32,
    /// Mean seconds from the request for a pod until it serves; each start lies within ±20%.
    pub cold_start: f64,
    /// Retries.
    pub retries: Retries,
    /// What happens.
    pub events: Vec<Event>,
    /// Bounds that every law gets.
    pub bounds: (u32, u32),
    /// Seed of arrivals, service times and starts.
    pub seed: u64,
}

impl Trace {
    /// An ordinary web process with this rate per second.
    pub fn new(name: &str, about: &str, seed: u64, rate: Vec<f32>) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            rate,
            service: Service::LogNormal(0.2, 0.5),
            streams: (0.0, 0.0),
            slots: 4,
            cold_start: 25.0,
            retries: Retries { share: 0.5, most: 2, after: 1.0 },
            events: Vec::new(),
            bounds: (2, 200),
            seed,
        }
    }

    /// Length in seconds.
    pub fn seconds(&self) -> u32 {
        self.rate.len() as u32
    }

    /// Pods that run when the trace begins: 70% busy, the same for every law.
    pub fn initial(&self) -> u32 {
        let first = self.rate.first().copied().map_or(0.0, f64::from);
        let (share, length) = self.streams;
        let busy = first * (self.service.mean() * (1.0 - share) + share * length);
        ((busy / (0.7 * f64::from(self.slots))).ceil() as u32).clamp(self.bounds.0, self.bounds.1)
    }

    /// A number that differs, as good as certainly, for traces that differ in anything (FNV-1a of everything in them).
    pub fn fingerprint(&self) -> u64 {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let rate = self.rate.iter().flat_map(|r| r.to_bits().to_le_bytes());
        let rest = format!("{:?}", Self { rate: Vec::new(), ..self.clone() });
        rate.chain(rest.into_bytes()).fold(0xcbf2_9ce4_8422_2325, fnv)
    }

    /// The same trace with a healthy downstream, which is what the oracle is measured against.
    pub fn healthy(&self) -> Self {
        let events = self.events.iter().copied();
        let events = events.filter(|e| !matches!(e, Event::Slow { .. } | Event::Saturates { .. }));
        Self { events: events.collect(), ..self.clone() }
    }
}
