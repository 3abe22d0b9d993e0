//! Who had several connections ended for abuse is not served for a while: HTTP/2's own limits hold for one connection, and
//! an abuser who reconnects would draw as many resets again.
//!
//! Counts by certificate. An address is held off only where several certificates abuse from it: one alone must not shut out
//! those who share its address. Knows nothing of what a connection carries.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::config::Limits;

/// The connections that were ended for abuse lately.
#[derive(Debug)]
pub struct CoolDown {
    abuses_per_certificate: u32,
    abusers_per_address: u32,
    length: SignedDuration,
    ended: Mutex<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    /// By registry key: how often, and when for the last time.
    certificates: HashMap<String, (u32, Timestamp)>,
    /// By address: the certificates that were held off there, and since when.
    addresses: HashMap<IpAddr, HashMap<String, Timestamp>>,
}

impl CoolDown {
    /// Nobody is counted yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            abuses_per_certificate: limits.abuses_per_certificate,
            abusers_per_address: limits.abusers_per_address,
            length: SignedDuration::from_secs(i64::from(limits.cool_down_seconds)),
            ended: Mutex::default(),
        }
    }

    /// Whether a certificate is held off.
    #[must_use]
    pub fn holds_certificate(&self, registry_key: &str, now: Timestamp) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let found = ended.certificates.get(registry_key);
        found.is_some_and(|(times, last)| *times >= self.abuses_per_certificate && self.recent(*last, now))
    }

    /// Whether an address is held off.
    #[must_use]
    pub fn holds_address(&self, address: IpAddr, now: Timestamp) -> bool {
        if self.abusers_per_address == 0 {
            return false;
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(abusers) = ended.addresses.get(&network(address)) else { return false };
        let recent = abusers.values().filter(|since| self.recent(**since, now)).count();
        u32::try_from(recent).is_ok_and(|recent| recent >= self.abusers_per_address)
    }

    /// Counts one; says whether the certificate is held off now. What is old is forgotten on the way, so that the tables
    /// hold what happened in the time of one cool-down.
    pub fn count(&self, registry_key: &str, address: IpAddr, now: Timestamp) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.certificates.retain(|_, (_, last)| self.recent(*last, now));
        ended.addresses.retain(|_, abusers| {
            abusers.retain(|_, since| self.recent(*since, now));
            !abusers.is_empty()
        });
        let (times, last) = ended.certificates.entry(registry_key.to_owned()).or_insert((0, now));
        (*times, *last) = (times.saturating_add(1), now);
        let held = *times >= self.abuses_per_certificate;
        if held {
            ended.addresses.entry(network(address)).or_default().insert(registry_key.to_owned(), now);
        }
        held
    }

    fn recent(&self, then: Timestamp, now: Timestamp) -> bool {
        now.duration_since(then) < self.length
    }
}

/// The address that is counted: of an IPv6 one its /64 network, a host has them all.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::config::Config;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn cool_down(abusers_per_address: u32) -> CoolDown {
        let limits = Limits {
            abuses_per_certificate: 3,
            abusers_per_address,
            cool_down_seconds: 60,
            ..Config::default().limits
        };
        CoolDown::new(&limits)
    }

    #[test]
    fn the_third_abuse_of_a_certificate_holds_it_off_for_a_minute_after_the_last() {
        let cool_down = cool_down(2);
        let here = ip("192.0.2.7");
        assert!(!cool_down.count("key", here, at(0)));
        assert!(!cool_down.count("key", here, at(59)));
        assert!(cool_down.count("key", here, at(118)));
        for (second, held) in [(118, true), (177, true), (178, false)] {
            assert_eq!(cool_down.holds_certificate("key", at(second)), held, "{second}");
        }
        assert!(!cool_down.holds_certificate("other", at(118)));
        assert!(!cool_down.count("key", here, at(178)), "the count begins anew");
    }

    #[test]
    fn one_certificate_never_holds_off_its_address_and_several_do() {
        let cool_down = cool_down(2);
        let here = ip("192.0.2.7");
        for n in 0..50 {
            cool_down.count("one", here, at(n));
        }
        for n in 0..2 {
            cool_down.count("harmless", here, at(n));
        }
        assert!(!cool_down.holds_address(here, at(50)));
        for n in 40..43 {
            cool_down.count("two", here, at(n));
        }
        assert!(cool_down.holds_address(here, at(50)));
        assert!(!cool_down.holds_address(ip("192.0.2.8"), at(50)));
        assert!(!cool_down.holds_address(here, at(102)), "a minute after the first of them began to be old");
        cool_down.count("three", ip("192.0.2.9"), at(500));
        let ended = cool_down.ended.lock().unwrap();
        assert_eq!((ended.certificates.len(), ended.addresses.len()), (1, 0), "what is old is forgotten");
    }

    #[test]
    fn zero_abusers_hold_off_no_address() {
        let cool_down = cool_down(0);
        for n in 0..9 {
            cool_down.count("one", ip("192.0.2.7"), at(n));
        }
        assert!(!cool_down.holds_address(ip("192.0.2.7"), at(9)));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_ipv4_is_itself() {
        assert_eq!(network(ip("2001:db8:0:1::1")), network(ip("2001:db8:0:1:ffff::2")));
        assert_ne!(network(ip("2001:db8:0:1::1")), network(ip("2001:db8:0:2::1")));
        assert_eq!(network(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
    }
}
