//! A world in which pods share their CPU: every request begins at once, so the queue is inside the process and no router
//! sees it.

use super::Process;
use autoscale::Bucket;
use std::collections::VecDeque;

/// Steps per second.
const STEPS: u32 = 50;
/// Seconds after which the router gives a request up; its work ends with it.
const TIMEOUT: f64 = 30.0;

/// Pods of one core each. All requests need the same work, so the oldest ends first.
pub struct SharedCpu {
    /// Seconds of a core that one request needs.
    pub work: f64,
    /// Cold start in seconds.
    pub cold_start: i64,
    /// Requests in the process: the progress at which each ends, and when it came.
    requests: VecDeque<(f64, f64)>,
    /// Seconds of a core that each request in the process has had since the start.
    progress: f64,
    now: f64,
    owed: f64,
    asked: Option<(u32, i64)>,
}

impl SharedCpu {
    /// An idle world.
    pub fn new(work: f64) -> Self {
        let requests = VecDeque::new();
        Self { work, cold_start: 25, requests, progress: 0.0, now: 0.0, owed: 0.0, asked: None }
    }

    /// One second with so many arrivals on so many pods.
    #[allow(clippy::cast_precision_loss)] // few requests
    fn second(&mut self, rate: f64, pods: u32) -> Bucket {
        let mut b = Bucket::default();
        let step = 1.0 / f64::from(STEPS);
        for _ in 0..STEPS {
            self.owed += rate * step;
            while self.owed >= 1.0 {
                self.owed -= 1.0;
                b.first_tries += 1;
                self.requests.push_back((self.progress + self.work, self.now));
            }
            self.now += step;
            self.progress += step * (f64::from(pods) / self.requests.len().max(1) as f64).min(1.0);
            while let Some(&(end, came)) = self.requests.front() {
                let took = self.now - came;
                if end <= self.progress {
                    b.completed += 1;
                    b.service_seconds += took;
                    b.service.record(took * 1000.0);
                    b.latency.record(took * 1000.0);
                } else if took >= TIMEOUT {
                    b.timeouts += 1;
                    b.latency.record(took * 1000.0);
                } else {
                    break;
                }
                self.requests.pop_front();
            }
        }
        b.in_flight = self.requests.len().try_into().unwrap();
        b
    }

    /// Lets the law live in this world for so many seconds; pods come after their cold start and go at once. Returns
    /// what every second reported.
    pub fn live(&mut self, p: &mut Process, seconds: i64, rate: impl Fn(i64) -> f64) -> Vec<Bucket> {
        let mut all = Vec::new();
        for at in 0..seconds {
            let bucket = self.second(rate(at), p.input.pods.ready);
            let (replicas, ready) = (p.second(Some(bucket)).replicas, p.input.pods.ready);
            match self.asked {
                Some((pods, since)) if replicas > ready && p.second - since > self.cold_start => {
                    p.input.pods.ready = pods.min(replicas);
                    self.asked = None;
                }
                Some(_) if replicas > ready => {}
                _ if replicas > ready => self.asked = Some((replicas, p.second)),
                _ => (p.input.pods.ready, self.asked) = (replicas, None),
            }
            all.push(bucket);
        }
        all
    }
}
