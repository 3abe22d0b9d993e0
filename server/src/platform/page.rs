//! Page tokens: where a list goes on, signed, and valid for the same question only.
//!
//! A token is hex text: 32 bytes of HMAC-SHA256 over scope and cursor, then the cursor. Knows no list.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{audit::hex, config::Tokens, error::Violations};

const MAC_BYTES: usize = 32;

/// Signs and reads page tokens.
#[derive(Clone)]
pub struct PageKeys(Tokens);

impl PageKeys {
    /// With the configured key ring.
    #[must_use]
    pub const fn new(tokens: Tokens) -> Self {
        Self(tokens)
    }

    /// The token of a cursor; `scope` is all that the question says, and who asks.
    #[must_use]
    pub fn sign(&self, scope: &[&str], cursor: &str) -> String {
        let mac = mac(&self.0.current, scope, cursor.as_bytes()).map(|m| m.finalize().into_bytes().to_vec());
        hex(&mac.unwrap_or_default()) + &hex(cursor.as_bytes())
    }

    /// The cursor of a token, if we signed it for this scope; notes a violation otherwise. Empty: no cursor.
    pub fn read(&self, scope: &[&str], token: &str, violations: &mut Violations) -> Option<String> {
        if token.is_empty() {
            return None;
        }
        let cursor = self.verified(scope, token);
        if cursor.is_none() {
            violations.push("page_token", "expected next_page_token of the same list with the same filters");
        }
        cursor
    }

    fn verified(&self, scope: &[&str], token: &str) -> Option<String> {
        let bytes = unhex(token)?;
        let (signature, cursor) = bytes.split_at_checked(MAC_BYTES)?;
        let signed_by = |key: &str| {
            !key.is_empty() && mac(key, scope, cursor).is_some_and(|m| m.verify_slice(signature).is_ok())
        };
        if !signed_by(&self.0.current) && !signed_by(&self.0.previous) {
            return None;
        }
        String::from_utf8(cursor.to_vec()).ok()
    }
}

/// The number of rows asked for: 1 to 100, 50 if 0.
pub fn size(asked: u32, violations: &mut Violations) -> i64 {
    match asked {
        0 => 50,
        1..=100 => i64::from(asked),
        _ => {
            violations.push("page_size", "expected 0 to 100");
            0
        }
    }
}

fn mac(key: &str, scope: &[&str], cursor: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    for part in scope {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.update(cursor);
    Some(mac)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: &str, previous: &str) -> PageKeys {
        PageKeys::new(Tokens { current: current.into(), previous: previous.into() })
    }

    #[test]
    fn a_token_reads_back_for_its_scope_only() {
        let keys = keys("0123456789abcdef0123456789abcdef", "");
        let token = keys.sign(&["o-1", "list"], "42:ref");
        let mut violations = Violations::default();
        assert_eq!(keys.read(&["o-1", "list"], &token, &mut violations).as_deref(), Some("42:ref"));
        assert!(violations.check().is_ok());
        for (scope, token) in [
            (["o-2", "list"], token.clone()),
            (["o-1l", "ist"], token.clone()),
            (["o-1", "list"], token.replace('4', "5")),
            (["o-1", "list"], "zz".into()),
            (["o-1", "list"], "é".into()),
        ] {
            let mut violations = Violations::default();
            assert_eq!(keys.read(&scope, &token, &mut violations), None);
            assert!(violations.check().is_err());
        }
    }

    #[test]
    fn a_rotated_key_still_reads() {
        let token = keys("old-old-old-old-old-old-old-old-", "").sign(&["s"], "c");
        let rotated = keys("new-new-new-new-new-new-new-new-", "old-old-old-old-old-old-old-old-");
        assert_eq!(rotated.read(&["s"], &token, &mut Violations::default()).as_deref(), Some("c"));
    }
}
