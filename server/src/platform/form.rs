//! Form checks that several slices share: request ids, days. Knows no message.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::error::Violations;

/// A caller's id of a request, in its canonical form.
pub fn request_id(text: &str, violations: &mut Violations) -> Option<String> {
    let parsed = uuid::Uuid::parse_str(text).ok().filter(|_| text.len() == 36);
    if parsed.is_none() {
        violations.push("request_id", "expected a UUID, for instance 0f8fad5b-d9cb-469f-a165-70867728950e");
    }
    parsed.map(|id| id.hyphenated().to_string())
}

/// A day; empty text is no day.
pub fn day(field: &str, text: &str, violations: &mut Violations) -> Option<Date> {
    if text.is_empty() {
        return None;
    }
    let parsed = (text.len() == 10).then(|| text.parse().ok()).flatten();
    if parsed.is_none() {
        violations.push(field, "expected a day YYYY-MM-DD, for instance 2026-12-04");
    }
    parsed
}

/// A day of a span; empty text is no day.
pub fn day_within(
    field: &str,
    text: &str,
    span: RangeInclusive<Date>,
    violations: &mut Violations,
) -> Option<Date> {
    let day = day(field, text, violations)?;
    if !span.contains(&day) {
        violations.push(field, format!("expected a day from {} to {}", span.start(), span.end()));
        return None;
    }
    Some(day)
}
