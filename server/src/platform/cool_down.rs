//! Who had several connections ended for abuse is not served for a while: HTTP/2's own limits hold for one connection, and
//! an abuser who reconnects would draw as many resets again.
//!
//! Counts by certificate and by address; an address only stands out when several certificates abuse from it. Knows nothing
//! of what a connection carries.

use std::{
    collections::HashMap,
    error::Error as _,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::config::Limits;

/// The connections that were ended for abuse lately.
#[derive(Debug)]
pub struct CoolDown {
    most_by_certificate: u32,
    most_by_address: u32,
    length: SignedDuration,
    ended: Mutex<HashMap<Who, Ended>>,
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The holder of a certificate, by its registry key.
    Certificate(String),
    /// An address, or the /64 network of an IPv6 one: a host has them all.
    Address(IpAddr),
}

impl Who {
    /// The address that is counted.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    times: u32,
    last: Timestamp,
}

impl CoolDown {
    /// Nobody is counted yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            most_by_certificate: limits.abuses_per_certificate,
            most_by_address: limits.abuses_per_address,
            length: SignedDuration::from_secs(i64::from(limits.cool_down_seconds)),
            ended: Mutex::default(),
        }
    }

    /// Whether the bound is reached and the time since the last abuse too short.
    #[must_use]
    pub fn holds(&self, who: &Who, now: Timestamp) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = ended.get(who).filter(|e| self.recent(e, now));
        recent.is_some_and(|e| e.times >= self.most(who))
    }

    /// Counts one; what is old is forgotten on the way, so that the table holds the time of one cool-down.
    pub fn count(&self, who: Who, now: Timestamp) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, e| self.recent(e, now));
        let entry = ended.entry(who).or_insert(Ended { times: 0, last: now });
        *entry = Ended { times: entry.times.saturating_add(1), last: now };
    }

    fn recent(&self, ended: &Ended, now: Timestamp) -> bool {
        now.duration_since(ended.last) < self.length
    }

    const fn most(&self, who: &Who) -> u32 {
        match who {
            Who::Certificate(_) => self.most_by_certificate,
            Who::Address(_) => self.most_by_address,
        }
    }
}

/// Whether our side ended the connection because of what the peer did: more resets, broken or empty frames than anybody
/// needs. A peer that speaks another protocol, or breaks off, is no abuser.
#[must_use]
pub fn abusive(error: &hyper::Error) -> bool {
    let found = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    found.is_some_and(|e| e.is_library() && e.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::config::Config;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn three_and_five() -> CoolDown {
        let limits = Limits {
            abuses_per_certificate: 3,
            abuses_per_address: 5,
            cool_down_seconds: 60,
            ..Config::default().limits
        };
        CoolDown::new(&limits)
    }

    #[test]
    fn the_third_abuse_of_a_certificate_holds_it_off_for_a_minute_after_the_last() {
        let cool_down = three_and_five();
        let who = || Who::Certificate("key".into());
        for second in [0, 59] {
            cool_down.count(who(), at(second));
            assert!(!cool_down.holds(&who(), at(second)));
        }
        cool_down.count(who(), at(118));
        for (second, held) in [(118, true), (177, true), (178, false)] {
            assert_eq!(cool_down.holds(&who(), at(second)), held, "{second}");
        }
        assert!(!cool_down.holds(&Who::Certificate("other".into()), at(118)));
        cool_down.count(who(), at(178));
        assert!(!cool_down.holds(&who(), at(178)), "the count begins anew");
    }

    #[test]
    fn an_address_has_its_own_bound_and_what_is_old_is_forgotten() {
        let cool_down = three_and_five();
        let who = || Who::address("192.0.2.7".parse().unwrap());
        for n in 0..5 {
            assert!(!cool_down.holds(&who(), at(n)), "{n}");
            cool_down.count(who(), at(n));
        }
        assert!(cool_down.holds(&who(), at(5)));
        cool_down.count(Who::address("192.0.2.8".parse().unwrap()), at(500));
        assert_eq!(cool_down.ended.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_ipv4_is_itself() {
        let who = |text: &str| Who::address(text.parse().unwrap());
        assert_eq!(who("2001:db8:0:1::1"), who("2001:db8:0:1:ffff::2"));
        assert_ne!(who("2001:db8:0:1::1"), who("2001:db8:0:2::1"));
        assert_eq!(who("::ffff:192.0.2.7"), who("192.0.2.7"));
        assert_ne!(who("::ffff:192.0.2.7"), who("::ffff:192.0.2.8"));
    }
}
