//! Tokens: text that a caller carries and that we can trust when it comes back, because we signed it for its purpose.
//!
//! A token is base64url without padding: 32 bytes of HMAC-SHA256 over scope and content, then the content. The key is the
//! first of a small ring; the one before it still verifies. Knows no content.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::config::Tokens;

const MAC_BYTES: usize = 32;

/// Signs and verifies tokens. The keys are made ready once, not for each token.
#[derive(Clone)]
pub struct Keys {
    current: Option<Hmac<Sha256>>,
    previous: Option<Hmac<Sha256>>,
}

impl Keys {
    /// With the configured key ring.
    #[must_use]
    pub fn new(tokens: &Tokens) -> Self {
        let ready = |key: &str| {
            Some(key).filter(|key| !key.is_empty()).and_then(|key| Hmac::new_from_slice(key.as_bytes()).ok())
        };
        Self { current: ready(&tokens.current), previous: ready(&tokens.previous) }
    }

    /// The token of a content; `scope` is what it is for, and who may use it.
    #[must_use]
    pub fn sign(&self, scope: &[&str], content: &str) -> String {
        let mac = self.current.clone().map(|key| fed(key, scope, content.as_bytes()).finalize().into_bytes());
        let mac = mac.as_ref().map_or(&[][..], |mac| mac.as_slice());
        BASE64.encode([mac, content.as_bytes()].concat())
    }

    /// The content of a token, if we signed it for this scope.
    #[must_use]
    pub fn verified(&self, scope: &[&str], token: &str) -> Option<String> {
        let bytes = BASE64.decode(token).ok()?;
        let (signature, content) = bytes.split_at_checked(MAC_BYTES)?;
        let signed_by = |key: &Hmac<Sha256>| fed(key.clone(), scope, content).verify_slice(signature).is_ok();
        let signed = self.current.iter().chain(&self.previous).any(signed_by);
        signed.then(|| String::from_utf8(content.to_vec()).ok()).flatten()
    }
}

fn fed(mut mac: Hmac<Sha256>, scope: &[&str], content: &[u8]) -> Hmac<Sha256> {
    for part in scope {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.update(content);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::audit::hex;

    fn keys(current: &str, previous: &str) -> Keys {
        Keys::new(&Tokens { current: current.into(), previous: previous.into() })
    }

    #[test]
    fn a_token_reads_back_for_its_scope_only() {
        let keys = keys("0123456789abcdef0123456789abcdef", "");
        let token = keys.sign(&["o-1", "list"], "42:ref");
        assert_eq!(keys.verified(&["o-1", "list"], &token).as_deref(), Some("42:ref"));
        for (scope, token) in [
            (["o-2", "list"], token.clone()),
            (["o-1l", "ist"], token.clone()),
            (["o-1", "list"], format!("A{}", &token[1..])),
            (["o-1", "list"], format!("{token}=")),
            (["o-1", "list"], token[..token.len() - 1].to_owned()),
            (["o-1", "list"], hex(&BASE64.decode(&token).unwrap())),
            (["o-1", "list"], "zz".into()),
            (["o-1", "list"], "é".into()),
        ] {
            assert_eq!(keys.verified(&scope, &token), None);
        }
    }

    #[test]
    fn a_rotated_key_still_reads() {
        let token = keys("old-old-old-old-old-old-old-old-", "").sign(&["s"], "c");
        let rotated = keys("new-new-new-new-new-new-new-new-", "old-old-old-old-old-old-old-old-");
        assert_eq!(rotated.verified(&["s"], &token).as_deref(), Some("c"));
    }
}
