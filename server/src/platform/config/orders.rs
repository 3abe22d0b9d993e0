//! What is configured of orders: pools of fixed addresses, days; and of the work that they open.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// Orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Networks that fixed IPv4 addresses are given from, comma separated, for instance `192.0.2.0/24,198.51.100.0/24`.
    /// Without one, orders are refused.
    pub ipv4_pools: String,
    /// How long an address stays unused after its access ended, days.
    pub quarantine_days: u16,
    /// How long a new appointment can be attached after a visit failed, days.
    pub retake_days: u16,
}

/// Work of the field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    /// How long a worker has its work unless it says that it goes on, seconds of machine time.
    pub lease_seconds: u32,
}

impl Default for Orders {
    fn default() -> Self {
        Self { ipv4_pools: String::new(), quarantine_days: 90, retake_days: 30 }
    }
}

/// A network that addresses are given from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool(Ipv4Net);

impl Pool {
    /// How many addresses it has: without its own and the broadcast one, where it has them.
    #[must_use]
    pub fn size(self) -> u32 {
        let all = u32::from(self.0.broadcast()) - u32::from(self.0.network());
        if self.0.prefix_len() >= 31 { all + 1 } else { all - 1 }
    }

    /// The address with that place in the pool, from 0.
    #[must_use]
    pub fn address(self, place: u32) -> Option<Ipv4Addr> {
        let first = u32::from(self.0.network()) + u32::from(self.0.prefix_len() < 31);
        (place < self.size()).then(|| Ipv4Addr::from(first + place))
    }

    /// Whether it has the address.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.0.contains(&address)
    }
}

impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Orders {
    /// The pools; one that is no network is left out, see [`Orders::faults`].
    pub fn pools(&self) -> impl Iterator<Item = Pool> {
        self.parts().filter_map(|part| part.parse::<Ipv4Net>().ok()).map(|net| Pool(net.trunc()))
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.ipv4_pools.split(',').map(str::trim).filter(|part| !part.is_empty())
    }

    /// Keys that can not be used, and what was expected.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let usable =
            |part: &str| part.parse::<Ipv4Net>().is_ok_and(|net| (8..=32).contains(&net.prefix_len()));
        if !self.parts().all(usable) {
            faults.push(("orders.ipv4_pools", "expected networks from /8 to /32, for instance 192.0.2.0/24"));
        }
        let pools: Vec<Pool> = self.pools().collect();
        let apart = |at: usize, pool: &Pool| {
            pools[..at]
                .iter()
                .all(|other| !other.contains(pool.0.network()) && !pool.contains(other.0.network()))
        };
        if !pools.iter().enumerate().all(|(at, pool)| apart(at, pool)) {
            faults.push(("orders.ipv4_pools", "expected networks that do not overlap"));
        }
        if self.quarantine_days == 0 {
            faults.push(("orders.quarantine_days", "expected a number above 0"));
        }
        if self.retake_days == 0 {
            faults.push(("orders.retake_days", "expected a number above 0"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(text: &str) -> Orders {
        Orders { ipv4_pools: text.into(), ..Orders::default() }
    }

    #[test]
    fn a_pool_gives_its_hosts() {
        let [net, single] = pools("192.0.2.0/29, 198.51.100.7/32").pools().collect::<Vec<_>>()[..] else {
            panic!()
        };
        let all: Vec<_> = (0..10).map_while(|place| net.address(place)).map(|a| a.to_string()).collect();
        assert_eq!(all, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"]);
        assert_eq!((single.size(), single.address(0).unwrap().to_string().as_str()), (1, "198.51.100.7"));
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        assert!(pools("").faults().is_empty() && pools("192.0.2.0/24,198.51.100.0/24").faults().is_empty());
        for wrong in ["192.0.2.0", "0.0.0.0/0", "192.0.2.0/33", "192.0.2.0/24,192.0.2.128/25", "::/64"] {
            assert_eq!(pools(wrong).faults()[0].0, "orders.ipv4_pools", "{wrong}");
        }
    }
}
