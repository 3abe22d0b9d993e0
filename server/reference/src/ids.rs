//! Identifiers of the French fibre market, each parsed once by its one validator.
//!
//! An identifier has one spelling: no trimming, no change of case. Does not know whether the thing exists; that is
//! the store's business.

use std::{fmt, str::FromStr};

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected {expected}")]
pub struct Invalid {
    /// Name of the identifier, for instance `IMB`.
    pub kind: &'static str,
    /// The form in words a person can use, with an example.
    pub expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                /// Checks the text where it lies.
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($name::EXPECTED)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl $name {
            /// Name of the identifier as users know it.
            pub const KIND: &'static str = $kind;
            /// The form in words, with an example.
            pub const EXPECTED: &'static str = $expected;

            /// Parses the one valid spelling.
            ///
            /// # Errors
            /// [`Invalid`] with the expected form when `text` is anything else.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                if Self::is_valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Invalid { kind: Self::KIND, expected: Self::EXPECTED })
                }
            }

            /// Whether `text` has the form, without allocation.
            #[must_use]
            pub fn is_valid(text: &str) -> bool {
                let check: fn(&[u8]) -> bool = $check;
                check(text.as_bytes())
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into_string()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// A building (*identifiant immeuble*), for instance `IMB/77058/X/0218`.
    Imb, "IMB", "IMB/<INSEE>/<letter>/<4 digits or capitals>, for instance IMB/77058/X/0218",
    |b| matches(b, b"IMB/") && b.len() == 16 && insee(&b[4..9]) && b[9] == b'/' && b[10].is_ascii_uppercase()
        && b[11] == b'/' && all(&b[12..], alnum)
);
id!(
    /// An optical socket (*prise terminale optique*) and so a line, for instance `FI-0A1B-2C3D`.
    Pto, "PTO", "<2>-<4>-<4> digits or capitals, for instance FI-0A1B-2C3D",
    |b| b.len() == 12 && all(&b[..2], alnum) && b[2] == b'-' && all(&b[3..7], alnum) && b[7] == b'-' && all(&b[8..], alnum)
);
id!(
    /// A concentration point (*point de mutualisation*), for instance `FI-77058-000B`.
    Pm, "PM", "FI-<INSEE>-<4 digits or capitals>, for instance FI-77058-000B",
    |b| matches(b, b"FI-") && b.len() == 13 && insee(&b[3..8]) && b[8] == b'-' && all(&b[9..], alnum)
);
id!(
    /// A company, by its nine digits with a Luhn check, for instance `397480930`.
    Siren, "SIREN", "9 digits whose Luhn sum is right, for instance 397480930",
    |b| b.len() == 9 && all(b, digit) && luhn(b)
);
id!(
    /// A commune or municipal arrondissement, for instance `77058`, `2A004`, `69383`.
    Insee, "INSEE", "5 digits, or 2A or 2B and 3 digits, for instance 77058",
    insee
);
id!(
    /// A street within a commune (*code Rivoli*), for instance `0361`.
    Rivoli, "Rivoli", "a digit or capital and 3 digits, for instance 0361",
    |b| b.len() == 4 && alnum(b[0]) && all(&b[1..], digit)
);
id!(
    /// An access, for instance `F00000021`.
    Aid, "AID", "F and 8 digits, for instance F00000021",
    |b| b.len() == 9 && b[0] == b'F' && all(&b[1..], digit)
);
id!(
    /// A service (*prestation*), for instance `VIA000000002298`.
    Via, "VIA", "VIA and 12 digits, for instance VIA000000002298",
    |b| b.len() == 15 && matches(b, b"VIA") && all(&b[3..], digit)
);
id!(
    /// An appointment taken by e-RDV, for instance `ITC-DOA-20190617-000000000042-ERDV`.
    AppointmentRef, "appointment reference",
    "ITC, ITP or ITL, then -DOA-<8 digits>-<12 digits>-ERDV, for instance ITC-DOA-20190617-000000000042-ERDV",
    |b| b.len() == 34 && matches(b, b"IT") && matches!(b[2], b'C' | b'P' | b'L') && matches(&b[3..], b"-DOA-")
        && all(&b[8..16], digit) && b[16] == b'-' && all(&b[17..29], digit) && &b[29..] == b"-ERDV"
);
id!(
    /// A copper line (*numéro de désignation*), for instance `0102030405`.
    Nd, "ND", "10 digits that start with 01 to 05, for instance 0199000001",
    |b| b.len() == 10 && b[0] == b'0' && matches!(b[1], b'1'..=b'5') && all(b, digit)
);
id!(
    /// A carrier's parcel (*numéro de colis*, UPU S10), for instance `XW161155304JB`.
    Parcel, "parcel number",
    "2 capitals, 9 digits of which the last is S10's check digit, 2 capitals, for instance XW161155304JB",
    |b| b.len() == 13 && all(&b[..2], capital) && all(&b[2..11], digit) && all(&b[11..], capital) && s10(&b[2..11])
);
id!(
    /// An optical network terminal, by its maker's code and number, for instance `HWTC0172629D`.
    OntSerial, "ONT serial", "4 capitals and 8 digits or capitals A to F, for instance HWTC0172629D",
    |b| b.len() == 12 && all(&b[..4], capital) && all(&b[4..], |c| digit(c) || matches!(c, b'A'..=b'F'))
);

impl Imb {
    /// The commune that the identifier names.
    #[must_use]
    pub fn insee(&self) -> Insee {
        Insee(self.0[4..9].into())
    }
}

impl Parcel {
    /// The parcel with the last eight digits of a serial number, of a service (two capitals) in France.
    #[must_use]
    pub fn of_france(service: [char; 2], serial: u64) -> Self {
        let digits = format!("{:08}", serial % 100_000_000);
        Self(format!("{}{}{digits}{}FR", service[0], service[1], s10_check(digits.as_bytes())).into())
    }
}

impl Pm {
    /// The commune that the identifier names.
    #[must_use]
    pub fn insee(&self) -> Insee {
        Insee(self.0[3..8].into())
    }
}

impl Insee {
    /// The department: two characters (`77`, `2A`), three overseas (`971`).
    #[must_use]
    pub fn department(&self) -> &str {
        if self.0.starts_with("97") || self.0.starts_with("98") { &self.0[..3] } else { &self.0[..2] }
    }
}

fn digit(b: u8) -> bool {
    b.is_ascii_digit()
}

fn capital(b: u8) -> bool {
    b.is_ascii_uppercase()
}

fn alnum(b: u8) -> bool {
    b.is_ascii_digit() || b.is_ascii_uppercase()
}

fn all(bytes: &[u8], test: fn(u8) -> bool) -> bool {
    bytes.iter().all(|b| test(*b))
}

fn matches(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.starts_with(prefix)
}

fn insee(b: &[u8]) -> bool {
    b.len() == 5 && b[0].is_ascii_digit() && all(&b[2..], digit) && {
        b[1].is_ascii_digit() || (b[0] == b'2' && matches!(b[1], b'A' | b'B'))
    }
}

/// Luhn's sum over digits: from the right, every second digit doubled (minus 9 above 9), the total a multiple of 10.
fn luhn(digits: &[u8]) -> bool {
    let total: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, b)| {
            let value = u32::from(b - b'0') * if place % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    total.is_multiple_of(10)
}

/// Whether the last of nine digits is S10's check digit.
fn s10(digits: &[u8]) -> bool {
    digits.last().is_some_and(|b| u32::from(b - b'0') == s10_check(digits))
}

/// S10's check: the first eight digits times 8 6 4 2 3 5 9 7, the sum's rest by 11 taken from 11; 10 counts as 0, 11 as 5.
fn s10_check(digits: &[u8]) -> u32 {
    let weighted =
        digits.iter().zip([8_u32, 6, 4, 2, 3, 5, 9, 7]).map(|(b, weight)| u32::from(b - b'0') * weight);
    match 11 - weighted.sum::<u32>() % 11 {
        10 => 0,
        11 => 5,
        check => check,
    }
}
