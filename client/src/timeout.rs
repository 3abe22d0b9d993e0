//! The deadline of one call: the caller's `grpc-timeout` or the client's own. Knows no attempt and no connection.

use std::{future::Future, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tonic::Status;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Less than this is no time for an attempt.
const LEAST: Duration = Duration::from_millis(2);

/// The instant at which a call is over, whatever its attempts have come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// How long the whole call may take; none means for ever.
    limit: Option<(Instant, Duration)>,
}

impl Deadline {
    /// From the caller's header, else from `default`, counted from now. A header that does not parse counts as absent.
    pub(crate) fn from_now(headers: &HeaderMap, default: Option<Duration>) -> Self {
        let limit = headers.get(GRPC_TIMEOUT).and_then(parse).or(default);
        Self { limit: limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit))) }
    }

    /// The instant, for a timer.
    pub(crate) fn instant(&self) -> Option<Instant> {
        self.limit.map(|(at, _)| at)
    }

    /// False if waiting that long leaves no time to call: timers tick in milliseconds and end late rather than early.
    pub(crate) fn allows(&self, wait: Duration) -> bool {
        self.limit.is_none_or(|(at, _)| Instant::now() + wait + LEAST < at)
    }

    /// Tells the server what is left.
    pub(crate) fn announce(&self, headers: &mut HeaderMap) {
        if let Some((at, _)) = self.limit {
            headers.insert(GRPC_TIMEOUT, format(at.saturating_duration_since(Instant::now())));
        }
    }

    /// The work's answer, or DEADLINE_EXCEEDED.
    pub(crate) async fn bound<F: Future>(&self, work: F) -> Result<F::Output, Status> {
        match self.limit {
            None => Ok(work.await),
            Some((at, _)) => tokio::time::timeout_at(at, work).await.map_err(|_| self.exceeded()),
        }
    }

    /// What the caller reads when time is up.
    pub(crate) fn exceeded(&self) -> Status {
        let limit = self.limit.map(|(_, limit)| limit).unwrap_or_default();
        Status::deadline_exceeded(format!(
            "no answer within {limit:?}; a write may have happened: send it again with the same request_id"
        ))
    }
}

/// A `grpc-timeout`: at most eight digits and a unit.
fn parse(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at(text.len().checked_sub(1)?);
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    match unit {
        "n" => Some(Duration::from_nanos(count)),
        "u" => Some(Duration::from_micros(count)),
        "m" => Some(Duration::from_millis(count)),
        "S" => Some(Duration::from_secs(count)),
        "M" => Some(Duration::from_secs(60 * count)),
        "H" => Some(Duration::from_secs(3_600 * count)),
        _ => None,
    }
}

/// Rounded down to the finest unit that fits, so that the server never works longer than the caller waits.
fn format(left: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let (count, unit) = match left {
        left if left.as_micros() <= MOST => (left.as_micros(), 'u'),
        left if left.as_millis() <= MOST => (left.as_millis(), 'm'),
        left => (u128::from(left.as_secs()).min(MOST), 'S'),
    };
    HeaderValue::try_from(format!("{count}{unit}")).unwrap_or_else(|_| HeaderValue::from_static("0u"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_reads_in_every_unit_and_nothing_else() {
        let read = |text: &'static str| parse(&HeaderValue::from_static(text));
        assert_eq!(read("250n"), Some(Duration::from_nanos(250)));
        assert_eq!(read("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(read("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(read("30S"), Some(Duration::from_secs(30)));
        assert_eq!(read("2M"), Some(Duration::from_secs(120)));
        assert_eq!(read("1H"), Some(Duration::from_secs(3600)));
        for wrong in ["", "S", "10", "123456789S", "-1S", "+1S", "1.5S", "10s", "1 S"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_timeout_is_written_rounded_down_in_at_most_eight_digits() {
        let write = |left| format(left);
        assert_eq!(write(Duration::from_nanos(1_999)), "1u");
        assert_eq!(write(Duration::from_secs(10)), "10000000u");
        assert_eq!(write(Duration::from_micros(99_999_999)), "99999999u");
        assert_eq!(write(Duration::from_millis(100_000)), "100000m");
        assert_eq!(write(Duration::from_secs(100_000)), "100000S");
        assert_eq!(write(Duration::MAX), "99999999S");
    }
}
