//! Which of a route's pods gets a request.

use std::sync::Arc;
use std::time::Instant;

use crate::endpoint::Endpoint;

/// Chooses a pod: the better of two drawn ones (power of two choices). Pods that failed are left out as long as half of
/// all are left: if more fail, it is not the pods. Those that are only kept are left out whenever they failed. `tried` is left out wherever another one is there.
pub fn choose(
    pods: &[Arc<Endpoint>],
    tried: Option<u64>,
    now: Instant,
    mut draw: impl FnMut() -> u64,
) -> Option<&Arc<Endpoint>> {
    match pods {
        [] => None,
        [one] => Some(one),
        _ => {
            let said_ready = || pods.iter().filter(|pod| !pod.is_held());
            let away = said_ready().filter(|pod| pod.is_away(now)).count();
            let skip_away = away * 2 <= said_ready().count();
            let is_out = |pod: &Arc<Endpoint>| (skip_away || pod.is_held()) && pod.is_away(now);
            let fits = |pod: &Arc<Endpoint>| tried != Some(pod.id) && !is_out(pod);
            let mut pick = |other: Option<&Arc<Endpoint>>| {
                let start = usize::try_from(draw() % pods.len() as u64).unwrap_or(0);
                let mut from_there = (0..pods.len()).map(|i| &pods[(start + i) % pods.len()]);
                from_there.find(|pod| fits(pod) && other.is_none_or(|other| other.id != pod.id))
            };
            let first = pick(None);
            match (first, first.and_then(|first| pick(Some(first)))) {
                (Some(a), Some(b)) => Some(if b.cost(now) < a.cost(now) { b } else { a }),
                (Some(only), None) => Some(only),
                // The only one that is not left alone was tried already.
                (None, _) => pods.iter().find(|pod| tried != Some(pod.id)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn pods(n: u16) -> Vec<Arc<Endpoint>> {
        (0..n).map(|port| Arc::new(Endpoint::new(SocketAddr::from(([10, 0, 0, 1], port + 1))))).collect()
    }

    #[test]
    fn a_pod_that_fails_is_left_alone_for_longer_each_time_and_comes_back() {
        let (pods, start) = (pods(3), Instant::now());
        (0..5).for_each(|_| pods[0].failed(start));
        assert!(pods[0].is_away(start + Duration::from_secs(1)));
        assert!(!pods[0].is_away(start + Duration::from_secs(3)));
        pods[0].failed(start + Duration::from_secs(3));
        assert!(pods[0].is_away(start + Duration::from_secs(6)));
        let mut n = 0;
        let mut chosen = |now| {
            let draw = || {
                n += 1;
                n
            };
            choose(&pods, None, now, draw).map(|pod| pod.id)
        };
        assert!((0..30).all(|_| chosen(start) != Some(pods[0].id)));
        pods[0].answered(Duration::from_millis(1));
        assert!(!pods[0].is_away(start));
    }

    #[test]
    fn when_more_than_half_of_the_pods_fail_none_is_left_out() {
        let (pods, now) = (pods(3), Instant::now());
        (0..5).for_each(|_| pods[0].failed(now));
        (0..5).for_each(|_| pods[1].failed(now));
        let mut n = 0;
        let ids: Vec<_> = (0..12)
            .filter_map(|_| {
                choose(&pods, None, now, || {
                    n += 1;
                    n / 2
                })
            })
            .map(|pod| pod.id)
            .collect();
        assert!(ids.contains(&pods[0].id));
    }

    #[test]
    fn requests_that_fail_together_count_once_the_pod_is_left_alone() {
        let (pods, now) = (pods(2), Instant::now());
        (0..50).for_each(|_| pods[0].failed(now));
        assert!(pods[0].is_away(now) && !pods[0].is_away(now + Duration::from_secs(2)));
        assert_eq!(
            choose(&pods, None, now, || 0).map(|pod| pod.id),
            Some(pods[1].id),
            "half of them is left"
        );
        assert_eq!(choose(&pods, Some(pods[1].id), now, || 0).map(|pod| pod.id), Some(pods[0].id));
    }

    #[test]
    fn of_pods_that_are_only_kept_one_failure_is_enough() {
        let (pods, now) = (pods(4), Instant::now());
        pods[1..].iter().for_each(|pod| pod.hold(true));
        pods[1..].iter().for_each(|pod| pod.failed(now));
        let mut n = 0;
        let mut draw = || {
            n += 1;
            n
        };
        assert!((0..20).all(|_| choose(&pods, None, now, &mut draw).map(|pod| pod.id) == Some(pods[0].id)));
    }

    #[test]
    fn a_pod_that_fails_fast_does_not_look_like_the_fastest() {
        let (pods, now) = (pods(2), Instant::now());
        pods.iter().for_each(|pod| pod.answered(Duration::from_millis(2)));
        pods[0].failed(now);
        assert!(pods[0].cost(now) > pods[1].cost(now) * 10.0);
    }

    #[test]
    fn the_less_busy_and_faster_pod_gets_the_request() {
        let (pods, now) = (pods(2), Instant::now());
        let _place = pods[0].enter(None, None);
        let mut n = 0;
        let draw = || {
            n += 1;
            n
        };
        assert_eq!(choose(&pods, None, now, draw).map(|pod| pod.id), Some(pods[1].id));
        assert!(pods[0].enter(Some(1), None).is_none() && pods[0].in_flight() == 1);
    }
}
