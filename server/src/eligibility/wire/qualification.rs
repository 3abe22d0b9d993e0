//! The qualification reference: what an answer was given on, signed, for an order to quote.
//!
//! It holds release, network revision, place, offers and days: no operator and no instant, so that everybody gets the same
//! reference for the same question. Does not know what an order makes of it.

use eservices_reference::ids::{Imb, Pto};
use jiff::civil::Date;

use crate::platform::token::Keys;

/// What tokens of this kind are signed for.
const SCOPE: &[&str] = &["qualification", "1"];

/// What an answer was given on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualification {
    /// Name of the reference release.
    pub release: String,
    /// Revision of what changed in the network since.
    pub network_revision: i64,
    /// The building.
    pub imb: Imb,
    /// The socket, where it was the key.
    pub pto: Option<Pto>,
    /// Codes of the offers that were asked about.
    pub offers: Vec<String>,
    /// Day that the answer is for.
    pub as_of: Date,
    /// Last day on which an order may quote it.
    pub expires_on: Date,
}

impl Qualification {
    /// The reference.
    #[must_use]
    pub fn sign(&self, keys: &Keys) -> String {
        let content = [
            self.release.as_str(),
            &self.network_revision.to_string(),
            self.imb.as_str(),
            self.pto.as_ref().map_or("", Pto::as_str),
            &self.as_of.to_string(),
            &self.expires_on.to_string(),
            &self.offers.join(","),
        ];
        keys.sign(SCOPE, &content.join(" "))
    }

    /// Reads a reference, if we made it.
    #[must_use]
    pub fn read(keys: &Keys, reference: &str) -> Option<Self> {
        let content = keys.verified(SCOPE, reference)?;
        let mut parts = content.split(' ');
        let mut next = || parts.next();
        Some(Self {
            release: next()?.to_owned(),
            network_revision: next()?.parse().ok()?,
            imb: next()?.parse().ok()?,
            pto: match next()? {
                "" => None,
                pto => Some(pto.parse().ok()?),
            },
            as_of: next()?.parse().ok()?,
            expires_on: next()?.parse().ok()?,
            offers: next()?.split(',').map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use eservices_reference::offers::{LONGEST_CODE, MOST};

    use super::*;
    use crate::platform::config::Tokens;

    fn qualification(pto: Option<&str>) -> Qualification {
        Qualification {
            release: "20261101-0a1b2c3d4e5f".into(),
            network_revision: 42,
            imb: Imb::parse("IMB/77058/X/0218").unwrap(),
            pto: pto.map(|pto| Pto::parse(pto).unwrap()),
            offers: vec!["JUST_FIBRE".into(), "CE2O".into()],
            as_of: "2026-11-24".parse().unwrap(),
            expires_on: "2026-12-24".parse().unwrap(),
        }
    }

    #[test]
    fn a_reference_says_what_was_signed_and_a_forged_one_says_nothing() {
        let keys = Keys::new(&Tokens { current: "k".repeat(32), previous: String::new() });
        for said in [qualification(None), qualification(Some("FI-1A00-0002"))] {
            let reference = said.sign(&keys);
            assert_eq!(Qualification::read(&keys, &reference), Some(said));
            assert!(reference.len() <= 2_000);
            let forged = keys.sign(&["page"], "20261101-0a1b2c3d4e5f 42 IMB/77058/X/0218");
            assert_eq!(Qualification::read(&keys, &forged), None);
            assert_eq!(Qualification::read(&keys, &reference[1..]), None);
        }
    }

    /// The longest that the contract lets an answer be given on, in the 2,000 characters that it promises.
    #[test]
    fn the_longest_reference_is_taken_back() {
        let keys = Keys::new(&Tokens { current: "k".repeat(32), previous: String::new() });
        let code = |n: usize| format!("{n:02}{}", "X".repeat(LONGEST_CODE - 2));
        let longest = Qualification {
            network_revision: i64::MAX,
            offers: (0..MOST).map(code).collect(),
            as_of: Date::MAX,
            expires_on: Date::MAX,
            ..qualification(Some("FI-1A00-0002"))
        };
        let reference = longest.sign(&keys);
        assert!((1_800..=2_000).contains(&reference.len()), "{}", reference.len());
        assert_eq!(Qualification::read(&keys, &reference), Some(longest));
    }
}
