//! `retry`: how often, and after which delay, the host itself invokes again what failed.

use std::time::Duration;

use nephos_core::Result;
use serde_json::Value;

use super::host::span;
use crate::azure_functions::refused;

/// How a failed invocation is tried again by the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often; none for always.
    pub max_retry_count: Option<u32>,
    /// After which delay.
    pub strategy: Strategy,
}

/// The delay between tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// Always the same.
    FixedDelay(Duration),
    /// Twice as long each time.
    ExponentialBackoff {
        /// The first.
        minimum: Duration,
        /// The longest.
        maximum: Duration,
    },
}

impl Retry {
    /// The delay before try `retry` (the first is 1), or none if there is none.
    #[must_use]
    pub fn delay(&self, retry: u32) -> Option<Duration> {
        if self.max_retry_count.is_some_and(|most| retry > most) {
            return None;
        }
        Some(match &self.strategy {
            Strategy::FixedDelay(delay) => *delay,
            Strategy::ExponentialBackoff { minimum, maximum } => {
                let factor = 2_u32.saturating_pow(retry.saturating_sub(1).min(30));
                minimum.saturating_mul(factor).min(*maximum)
            }
        })
    }

    /// Reads `retry` of `host.json` or of a `function.json`.
    pub(super) fn read(value: &Value, place: &str) -> Result<Self> {
        let needed = |name: &str| -> Result<Duration> {
            span(value.get(name), &format!("{place}: retry.{name}"))?
                .ok_or_else(|| refused(format!("{place}: `retry` needs `{name}`")))
        };
        let max_retry_count = match value.get("maxRetryCount").and_then(Value::as_i64) {
            Some(-1) => None,
            Some(count) => Some(u32::try_from(count).map_err(|_| {
                refused(format!(
                    "{place}: `retry.maxRetryCount` is -1, for always, or not negative"
                ))
            })?),
            None => return Err(refused(format!("{place}: `retry` needs `maxRetryCount`"))),
        };
        let strategy = match value.get("strategy").and_then(Value::as_str) {
            Some(name) if name.eq_ignore_ascii_case("fixedDelay") => {
                Strategy::FixedDelay(needed("delayInterval")?)
            }
            Some(name) if name.eq_ignore_ascii_case("exponentialBackoff") => Strategy::ExponentialBackoff {
                minimum: needed("minimumInterval")?,
                maximum: needed("maximumInterval")?,
            },
            _ => {
                return Err(refused(format!(
                    "{place}: `retry.strategy` is `fixedDelay` or `exponentialBackoff`"
                )));
            }
        };
        Ok(Self {
            max_retry_count,
            strategy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_between_tries_double_up_to_the_longest_and_end() {
        let backoff = Retry {
            max_retry_count: Some(3),
            strategy: Strategy::ExponentialBackoff {
                minimum: Duration::from_secs(1),
                maximum: Duration::from_secs(3),
            },
        };
        let seconds: Vec<_> = (1..=4).map(|n| backoff.delay(n).map(|d| d.as_secs())).collect();
        assert_eq!(seconds, [Some(1), Some(2), Some(3), None]);
    }
}
