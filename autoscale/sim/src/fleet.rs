//! Pods: asked for, started, ready, gone; and what they cost.
use crate::{
    rng::Rng,
    trace::{STEPS, Trace},
};

/// A pod that does not serve yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starting {
    /// Step at which it was asked for.
    pub asked: u32,
    /// Step at which it will serve.
    pub ready: u32,
}

/// The pods of a process.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Pods that serve.
    pub ready: u32,
    /// Pods on their way.
    pub starting: Vec<Starting>,
    /// Pods paid for, summed over steps, from the request for a pod to its end.
    pub pod_steps: u64,
    /// Durations of the latest starts in seconds.
    pub starts: Vec<f32>,
    cold_start: f64,
    rng: Rng,
}

impl Fleet {
    /// A fleet with so many pods ready.
    pub fn new(trace: &Trace, ready: u32) -> Self {
        let rng = Rng::new(trace.seed, 3);
        Self {
            ready,
            starting: Vec::new(),
            pod_steps: 0,
            starts: Vec::new(),
            cold_start: trace.cold_start,
            rng,
        }
    }

    /// Pods asked for and not ended.
    pub fn total(&self) -> u32 {
        self.ready + self.starting.len() as u32
    }

    /// Makes the fleet this large; pods that are not ready go first, the youngest of them first, as in Kubernetes.
    pub fn resize(&mut self, step: u32, pods: u32) {
        while self.total() > pods && self.starting.pop().is_some() {}
        self.ready = self.ready.min(pods);
        for _ in self.total()..pods {
            self.start(step);
        }
    }

    /// Replaces so many ready pods by starting ones.
    pub fn replace(&mut self, step: u32, pods: u32) {
        let pods = pods.min(self.ready);
        self.ready -= pods;
        (0..pods).for_each(|_| self.start(step));
    }

    fn start(&mut self, step: u32) {
        let seconds = self.cold_start * self.rng.between(0.8, 1.2);
        self.starting.push(Starting { asked: step, ready: step + (seconds * f64::from(STEPS)) as u32 });
    }

    /// One step passes.
    pub fn tick(&mut self, step: u32) {
        if !self.starting.is_empty() {
            let (starts, ready) = (&mut self.starts, &mut self.ready);
            self.starting.retain(|pod| {
                let done = pod.ready <= step;
                if done {
                    *ready += 1;
                    starts.push((pod.ready - pod.asked) as f32 / STEPS as f32);
                }
                !done
            });
            let old = self.starts.len().saturating_sub(32);
            self.starts.drain(..old);
        }
        self.pod_steps += u64::from(self.total());
    }
}
