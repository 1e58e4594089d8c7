//! Endpoints that flicker, or vanish by the half at once, are most often a fault of whoever says so: the last good ones are
//! kept for a while. A pod that was seen on its way out is not: its end is no fault. A kept pod that refuses a
//! connection is left alone at once (see [`crate::endpoint::Endpoint::failed`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::flips::{FLIP_TIME, FLIPS, Flips};
use super::known::Pods;

/// Where more than half of the ready ones vanish at once, they are kept for so long.
const KEEP: Duration = Duration::from_secs(60);
/// After so long without a flip all is forgotten.
const FORGIVEN: Duration = Duration::from_mins(10);

/// A Service, by namespace and name.
pub type Service = (String, String);

/// What is remembered of every Service.
#[derive(Default)]
pub struct Damping {
    services: HashMap<Service, Memory>,
}

#[derive(Default)]
struct Memory {
    ready: BTreeSet<SocketAddr>,
    /// Until when those that vanished with many others are kept.
    vanished: BTreeMap<SocketAddr, Instant>,
    flips: BTreeMap<SocketAddr, Flips>,
}

/// The endpoints of a Service to use now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calm {
    /// All of them, in order.
    pub endpoints: Vec<SocketAddr>,
    /// Those among them that are only kept.
    pub held: Vec<SocketAddr>,
}

/// Something that people should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The Service.
    pub service: Service,
    /// What happened, in words.
    pub words: String,
}

/// What comes of one look at all Services.
#[derive(Default)]
pub struct Look {
    /// The endpoints, by Service.
    pub services: HashMap<Service, Calm>,
    /// When to look again though nothing changes.
    pub again: Option<Instant>,
    /// What is new since the last look.
    pub news: Vec<News>,
}

impl Damping {
    /// Looks at the pods of all Services.
    pub fn look(&mut self, mut now_there: BTreeMap<Service, Pods>, now: Instant) -> Look {
        let owners = owners(&now_there);
        for service in self.services.keys() {
            now_there.entry(service.clone()).or_default();
        }
        let mut look = Look::default();
        for (service, pods) in now_there {
            let memory = self.services.entry(service.clone()).or_default();
            let words = memory.take(&pods, now);
            look.news.extend(words.into_iter().map(|words| News { service: service.clone(), words }));
            // An address that another Service has now leads to somebody else's pod.
            let is_ours = |address: &SocketAddr| owners.get(&address.ip()).is_none_or(|o| *o == service);
            memory.vanished.retain(|address, _| is_ours(address));
            memory.flips.retain(|address, _| is_ours(address));
            let calm = memory.calm(&pods, now);
            look.again = [look.again, memory.again(now)].into_iter().flatten().min();
            if !calm.endpoints.is_empty() {
                look.services.insert(service, calm);
            }
        }
        self.services.retain(|_, m| !(m.ready.is_empty() && m.vanished.is_empty() && m.flips.is_empty()));
        look
    }
}

/// Whose pod has an address.
fn owners(services: &BTreeMap<Service, Pods>) -> HashMap<IpAddr, Service> {
    let all = services.iter().flat_map(|(service, pods)| {
        pods.ready
            .iter()
            .chain(&pods.ending)
            .chain(&pods.unready)
            .map(move |address| (address.ip(), service.clone()))
    });
    all.collect()
}

impl Memory {
    /// Takes in what is there now; what happened, in words.
    fn take(&mut self, pods: &Pods, now: Instant) -> Vec<String> {
        let ready: BTreeSet<SocketAddr> = pods.ready.iter().copied().collect();
        let ending: BTreeSet<SocketAddr> = pods.ending.iter().copied().collect();
        let lost: Vec<SocketAddr> =
            self.ready.iter().copied().filter(|a| !ready.contains(a) && !ending.contains(a)).collect();
        let mut news = Vec::new();
        self.vanished
            .retain(|address, until| *until > now && !ready.contains(address) && !ending.contains(address));
        self.flips.retain(|address, flips| {
            !ending.contains(address) && now.saturating_duration_since(flips.last) < FORGIVEN
        });
        if !lost.is_empty() && ready.len() * 2 < self.ready.len() {
            self.vanished.extend(lost.iter().map(|address| (*address, now + KEEP)));
            news.push(format!(
                "{} of {} ready pods vanished at once without having been on their way out; they are kept for {} s",
                lost.len(),
                self.ready.len(),
                KEEP.as_secs()
            ));
        }
        let back: Vec<SocketAddr> =
            ready.iter().copied().filter(|a| !self.ready.contains(a) && self.flips.contains_key(a)).collect();
        for address in lost.into_iter().chain(back) {
            let flips = self.flips.entry(address).or_insert_with(|| Flips::new(now));
            if let Some(held) = flips.flipped(now) {
                news.push(format!(
                    "{address} was ready and not ready more than {FLIPS} times in {} s; it is held as ready for {} s",
                    FLIP_TIME.as_secs(),
                    held.as_secs()
                ));
            }
        }
        self.ready = ready;
        news
    }

    fn calm(&self, pods: &Pods, now: Instant) -> Calm {
        let flickers =
            self.flips.iter().filter(|(_, flips)| flips.held_until.is_some_and(|until| until > now));
        let held: BTreeSet<SocketAddr> =
            self.vanished.keys().chain(flickers.map(|(address, _)| address)).copied().collect();
        let held: BTreeSet<SocketAddr> = held.difference(&self.ready).copied().collect();
        let mut endpoints: BTreeSet<SocketAddr> = self.ready.union(&held).copied().collect();
        if endpoints.is_empty() {
            endpoints.extend(&pods.leaving);
        }
        Calm { endpoints: endpoints.into_iter().collect(), held: held.into_iter().collect() }
    }

    /// When something that is kept is not any more.
    fn again(&self, now: Instant) -> Option<Instant> {
        let flickers = self.flips.values().filter_map(|flips| flips.held_until);
        self.vanished.values().copied().chain(flickers).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 80))
    }

    fn service(name: &str) -> Service {
        ("shop".to_owned(), name.to_owned())
    }

    fn pods(ready: &[u8], ending: &[u8]) -> Pods {
        let all = |list: &[u8]| list.iter().map(|n| address(*n)).collect::<Vec<_>>();
        Pods {
            service: "web".into(),
            ready: all(ready),
            ending: all(ending),
            leaving: all(ending),
            unready: Vec::new(),
        }
    }

    struct Watched(Damping, Instant);

    impl Watched {
        fn see(&mut self, after: u64, ready: &[u8], ending: &[u8]) -> (Vec<u8>, usize, Look) {
            self.1 += Duration::from_secs(after);
            let look = self.0.look(BTreeMap::from([(service("web"), pods(ready, ending))]), self.1);
            let calm = look.services.get(&service("web")).cloned().unwrap_or_default();
            let last = |a: &SocketAddr| match a.ip() {
                IpAddr::V4(ip) => ip.octets()[3],
                IpAddr::V6(_) => 0,
            };
            (calm.endpoints.iter().map(last).collect(), calm.held.len(), look)
        }
    }

    fn watched() -> Watched {
        Watched(Damping::default(), Instant::now())
    }

    #[test]
    fn most_that_vanish_at_once_are_kept_for_a_minute() {
        let mut w = watched();
        assert_eq!(w.see(0, &[1, 2, 3, 4], &[]).0, [1, 2, 3, 4]);
        let (used, held, look) = w.see(1, &[1], &[]);
        assert_eq!((used, held, look.news.len()), (vec![1, 2, 3, 4], 3, 1));
        assert_eq!(look.again, Some(w.1 + KEEP));
        let (_, held, look) = w.see(30, &[1, 2], &[]);
        assert_eq!((held, look.news.len()), (2, 0), "one is back");
        assert_eq!(w.see(31, &[1, 2], &[]).0, [1, 2]);
        let (used, _, _) = w.see(0, &[], &[]);
        assert_eq!(used, [1, 2], "all of them");
    }

    #[test]
    fn pods_on_their_way_out_and_replaced_ones_are_let_go() {
        let mut w = watched();
        w.see(0, &[1, 2, 3, 4], &[]);
        assert_eq!(w.see(1, &[1], &[2, 3, 4]).0, [1], "scaled down");
        assert_eq!(w.see(1, &[5, 6, 7], &[]).0, [5, 6, 7], "a new release");
        assert_eq!(w.see(1, &[5, 6], &[]).0, [5, 6], "one of three is no fault");
        assert_eq!(w.see(1, &[], &[5, 6]).0, [5, 6], "the last ones serve until they end");
    }

    #[test]
    fn one_that_flickers_is_held_longer_each_time() {
        let mut w = watched();
        w.see(0, &[1, 2, 3], &[]);
        for _ in 0..2 {
            w.see(2, &[1, 2], &[]);
            w.see(2, &[1, 2, 3], &[]);
        }
        let (used, held, look) = w.see(2, &[1, 2], &[]);
        assert_eq!((used, held), (vec![1, 2, 3], 1));
        assert_eq!(look.again, Some(w.1 + Duration::from_secs(28)));
        assert_eq!(w.see(30, &[1, 2], &[]).0, [1, 2], "not for ever");
        for _ in 0..3 {
            w.see(2, &[1, 2, 3], &[]);
            w.see(2, &[1, 2], &[]);
        }
        assert_eq!(w.see(40, &[1, 2], &[]).0, [1, 2, 3], "twice as long");
        assert_eq!(w.see(30, &[1, 2], &[]).0, [1, 2]);
        assert_eq!(w.see(0, &[1, 2], &[3]).0, [1, 2]);
    }

    #[test]
    fn a_kept_address_that_somebody_else_has_is_let_go() {
        let mut damping = Damping::default();
        let start = Instant::now();
        damping.look(BTreeMap::from([(service("web"), pods(&[1, 2, 3], &[]))]), start);
        let look = damping.look(
            BTreeMap::from([(service("web"), pods(&[1], &[])), (service("other"), pods(&[2], &[]))]),
            start,
        );
        assert_eq!(look.services[&service("web")].endpoints, [address(1), address(3)]);
        assert_eq!(look.services[&service("other")].endpoints, [address(2)]);
        let starts = Pods { unready: vec![address(3)], ..Pods::default() };
        let both = BTreeMap::from([(service("web"), pods(&[1], &[])), (service("other"), starts)]);
        assert_eq!(
            damping.look(both, start).services[&service("web")].endpoints,
            [address(1)],
            "not ready yet"
        );
    }

    #[test]
    fn a_service_that_is_gone_is_forgotten() {
        let mut damping = Damping::default();
        let start = Instant::now();
        damping.look(BTreeMap::from([(service("web"), pods(&[1, 2], &[]))]), start);
        damping.look(BTreeMap::new(), start);
        damping.look(BTreeMap::new(), start + FORGIVEN);
        assert!(damping.services.is_empty());
    }
}
