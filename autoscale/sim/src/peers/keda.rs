//! KEDA's http add-on is a scaler for an HPA: see [`super::hpa::Metric::Keda`].
//!
//! From `pkg/http/scaler` of kedacore/http-add-on: the interceptors count pending requests (concurrency) and a rate over
//! one minute in granules of a second; both become external metrics with an average-value target.
#[cfg(test)]
mod tests {
    use crate::{
        fleet::Fleet,
        law::{Law, View},
        peers::hpa::{Hpa, Metric},
        trace::Trace,
    };
    use autoscale::Bucket;

    /// The README's example: target concurrency 100; 350 requests pending on one pod ask for ⌈350/100⌉ = 4 pods.
    #[test]
    fn pending_requests_over_target_is_what_is_asked_for() {
        let trace = Trace::new("t", "", 1, vec![1.0]);
        let fleet = Fleet::new(&trace, 1);
        let mut law = Hpa::new(Metric::Keda { concurrency: 100.0, rate: 1e9 }, 1);
        let bucket = Some(Bucket { in_flight: 350, ..Bucket::default() });
        let view = View {
            second: 15,
            bucket,
            routers: [bucket, None],
            fleet: &fleet,
            desired: 1,
            foreign: None,
            release: 0,
            bounds: (1, 200),
        };
        assert_eq!(law.tick(&view), Some(4));
    }
}
