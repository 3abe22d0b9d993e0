//! Lists by pages: how long a page is, and the token where the next begins, valid for the same question only.
//!
//! Knows no list.

use super::{error::Violations, token::Keys};

/// The cursor of a page token, if we signed it for this list; notes a violation otherwise. Empty: no cursor.
pub fn cursor(keys: &Keys, scope: &[&str], token: &str, violations: &mut Violations) -> Option<String> {
    if token.is_empty() {
        return None;
    }
    let cursor = keys.verified(scope, token);
    if cursor.is_none() {
        violations.push("page_token", "expected next_page_token of the same list with the same filters");
    }
    cursor
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
