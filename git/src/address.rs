//! Which addresses may be dialled. A URL is set by a tenant, so it must not reach what only the operator can reach: the
//! node, the cloud's metadata service, other services of the cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the operator's settings allow beyond public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Private networks that may be dialled.
    pub allow_networks: Vec<IpNet>,
    /// Host names whose private addresses may be dialled: exact, or `*.suffix` for all names below it.
    pub allow_hosts: Vec<String>,
    /// Whether `http://` URLs are taken. Their content and credentials can be read on the way.
    pub allow_http: bool,
}

/// Never dialled, whatever is allowed: the metadata services of clouds that are not link-local.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(168, 63, 129, 16),   // Azure
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
];

/// Special-purpose networks (IANA registries) that are not public, with what they are.
const SPECIAL_V4: [(Ipv4Addr, u8, &str); 10] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private network"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a carrier's private network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private network"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "reserved"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a test network"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

impl AddressPolicy {
    /// Checks one resolved address of `host`.
    ///
    /// # Errors
    /// Says what the address is when it may not be dialled.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), &'static str> {
        let address = embedded_v4(address).map_or(address, IpAddr::V4);
        if let Some(reason) = never(address) {
            return Err(reason);
        }
        let Some(reason) = not_public(address) else { return Ok(()) };
        let allowed = self.allow_networks.iter().any(|network| network.contains(&address))
            || self.allow_hosts.iter().any(|pattern| host_matches(pattern, host));
        if allowed { Ok(()) } else { Err(reason) }
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.trim_end_matches('.'));
    match pattern.strip_prefix('*') {
        Some(suffix) => suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 and 6to4. Otherwise
/// `::ffff:127.0.0.1` would be a way around the list.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let s = v6.segments();
    let low = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x2002, a, b, ..] => {
            Some(low(a, b))
        }
        [0, 0, 0, 0, 0, 0, a, b] if a != 0 || b > 1 => Some(low(a, b)),
        _ => None,
    }
}

fn never(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() || v4.is_broadcast() => Some("no host's address"),
        IpAddr::V4(v4) if v4.is_multicast() => Some("multicast"),
        IpAddr::V4(v4) if v4.is_link_local() => Some("link-local, where clouds keep their metadata"),
        IpAddr::V4(v4) if METADATA_V4.contains(&v4) => Some("a cloud's metadata service"),
        IpAddr::V6(v6) if v6.is_unspecified() => Some("no host's address"),
        IpAddr::V6(v6) if v6.is_multicast() => Some("multicast"),
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80 => Some("link-local"),
        IpAddr::V6(v6) if v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) => {
            Some("a cloud's metadata service")
        }
        _ => None,
    }
}

fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => SPECIAL_V4
            .iter()
            .find(|(net, bits, _)| Ipv4Net::new_assert(*net, *bits).contains(&v4))
            .map(|(_, _, reason)| *reason),
        IpAddr::V6(v6) => {
            // Only 2000::/3 is global unicast, less Teredo (which embeds an IPv4 address) and the like in 2001::/23,
            // and NAT64 for local use.
            let global = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3).contains(&v6);
            let reserved = Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23).contains(&v6);
            if v6.is_loopback() {
                Some("loopback")
            } else if !global {
                Some("a private network")
            } else if reserved {
                Some("reserved")
            } else {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(policy: &AddressPolicy, host: &str, address: &str) -> bool {
        policy.check(host, address.parse().unwrap()).is_ok()
    }

    #[test]
    fn by_default_only_public_addresses_are_dialled() {
        let policy = AddressPolicy::default();
        for address in ["140.82.121.4", "1.1.1.1", "2606:4700::1111", "64:ff9b::8c52:7904"] {
            assert!(ok(&policy, "h", address), "{address}");
        }
        let refused = [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "64:ff9b:1::1",
            "100::1",
        ];
        for address in refused {
            assert!(!ok(&policy, "h", address), "{address}");
        }
    }

    #[test]
    fn allowing_a_network_or_a_host_opens_private_addresses_but_never_metadata() {
        let policy = AddressPolicy {
            allow_networks: vec!["10.0.0.0/8".parse().unwrap()],
            allow_hosts: vec!["gitea.svc".into(), "*.corp.example".into()],
            allow_http: false,
        };
        assert!(ok(&policy, "h", "10.1.2.3") && ok(&policy, "h", "::ffff:10.1.2.3"));
        assert!(!ok(&policy, "h", "192.168.1.1"));
        assert!(ok(&policy, "gitea.svc", "192.168.1.1") && ok(&policy, "gitea.svc", "127.0.0.1"));
        assert!(ok(&policy, "git.corp.example", "192.168.1.1"));
        for host in ["corp.example", "xcorp.example", "evil.gitea.svc", "gitea.svc.evil"] {
            assert!(!ok(&policy, host, "192.168.1.1"), "{host}");
        }
        let all = AddressPolicy {
            allow_networks: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            ..policy
        };
        for address in
            ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "0.0.0.0", "224.0.0.1", "fe80::1"]
        {
            assert!(!ok(&all, "gitea.svc", address), "{address}");
        }
    }
}
