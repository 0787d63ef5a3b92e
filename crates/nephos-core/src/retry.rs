//! The only retry loop: drivers must not retry, the portable types do, here.

use std::future::Future;
use std::time::Duration;

use crate::error::Result;

/// How often to try, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// The wait before the second try; doubles from then on.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for RetryPolicy {
    /// Three tries, 50 ms and 100 ms apart.
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(50),
            max: Duration::from_secs(2),
        }
    }
}

impl RetryPolicy {
    /// One try.
    pub const NEVER: Self = Self {
        attempts: 1,
        base: Duration::ZERO,
        max: Duration::ZERO,
    };

    /// The wait before try number `attempt` (the second is 2), before jitter.
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(2).min(31);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }

    /// Runs `operation` until it succeeds, fails for good, or the tries are used up; the last error is returned.
    ///
    /// # Errors
    /// The operation's own, with the number of tries when there was more than one.
    pub async fn run<T, F, Fut>(&self, mut operation: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let mut attempt = 1;
        loop {
            match operation().await {
                Ok(value) => return Ok(value),
                Err(error) if attempt >= self.attempts || !error.is_retryable() => {
                    return Err(if attempt > 1 {
                        error.with("attempts", attempt)
                    } else {
                        error
                    });
                }
                Err(error) => {
                    attempt += 1;
                    let wait = jitter(self.backoff(attempt));
                    tracing::debug!(%error, attempt, ?wait, "trying again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

/// Between half of the wait and all of it, so that callers that failed together do not return together.
fn jitter(wait: Duration) -> Duration {
    // A random UUID's low bits: random enough to spread callers, and no further dependency.
    let random = u32::from(uuid::Uuid::new_v4().as_bytes()[15]);
    wait / 2 + wait.saturating_mul(random) / (2 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[tokio::test(start_paused = true)]
    async fn a_retryable_error_is_tried_again_and_the_last_one_says_how_often() {
        let mut calls = 0;
        let error = RetryPolicy::default()
            .run(|| {
                calls += 1;
                async { Err::<(), _>(Error::new(ErrorKind::Unavailable, "queue.send", "no answer")) }
            })
            .await
            .unwrap_err();
        assert_eq!(calls, 3);
        assert_eq!(error.to_string(), "queue.send: no answer (attempts=3)");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_for_good_is_not_tried_again() {
        let mut calls = 0;
        let result = RetryPolicy::default()
            .run(|| {
                calls += 1;
                async { Err::<(), _>(Error::new(ErrorKind::NotFound, "queue.send", "no such queue")) }
            })
            .await;
        assert!(result.is_err());
        assert_eq!(calls, 1);
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy {
            attempts: 9,
            base: Duration::from_millis(100),
            max: Duration::from_millis(350),
        };
        let waits: Vec<_> = (2..6)
            .map(|attempt| policy.backoff(attempt).as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 350, 350]);
    }
}
