//! Lists by pages: how long a page is, and the token where the next begins, valid for the same question only.
//!
//! Knows no list.

use prost::Message;

use super::{error::Violations, token::Keys};

/// How many bytes of rows one answer has at most: answers end at 4 MiB.
const MOST_BYTES: usize = 3 << 20;

/// How many of these rows one page has: `limit` at most, and what fits into an answer, but one at least.
pub fn fit<M: Message>(rows: &[M], limit: i64) -> usize {
    let mut bytes = 0;
    let fits = |row: &&M| {
        // The key and the length of a row in its answer.
        bytes += row.encoded_len() + 8;
        bytes <= MOST_BYTES
    };
    let limit = usize::try_from(limit).unwrap_or(0);
    rows.iter().take(limit).take_while(fits).count().max(rows.len().min(1))
}

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

/// The values of a filter as a query takes them for `LIKE`: `,A,B,`; empty if there are none.
#[must_use]
pub fn listed(values: &[&str]) -> String {
    if values.is_empty() { String::new() } else { format!(",{},", values.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn a_page_ends_at_its_limit_or_where_the_bytes_end_but_has_a_row() {
        let mebibyte = vec![0_u8; 1 << 20];
        let rows = vec![mebibyte; 5];
        assert_eq!(fit(&rows, 100), 2, "three and their keys are above 3 MiB");
        assert_eq!(fit(&rows, 1), 1);
        assert_eq!(fit(&[vec![0_u8; 5 << 20], Vec::new()], 100), 1);
        assert_eq!(fit(&[vec![1_u8], vec![2], vec![3]], 2), 2);
        assert_eq!(fit::<Vec<u8>>(&[], 2), 0);
    }
}
