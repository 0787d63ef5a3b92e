//! Jobs of Cloud Scheduler, when they are due: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs>.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::Request;
use http_body_util::Full;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::World;
use super::pool::seconds;
use crate::google_cloud::kinds::JOB;
use crate::google_cloud::state::now;

fn failed(kind: ErrorKind, message: &'static str, job: &str) -> Error {
    Error::new(kind, "cloud-run.fire", message).with("job", job)
}

impl World {
    /// Runs a job with all its tries.
    pub(super) async fn fire(self: &Arc<Self>, name: &str, at: DateTime<Utc>) -> Result<Vec<u16>> {
        let job = {
            let state = self.shared.lock();
            let found = state.get(&JOB, name).map(|job| job.body.clone());
            found.map_err(|_| failed(ErrorKind::NotFound, "there is no such job", name))?
        };
        if job["state"] == "PAUSED" {
            return Err(failed(ErrorKind::Conflict, "the job is paused", name));
        }
        let target = &job["httpTarget"];
        let uri = target["uri"].as_str().ok_or_else(|| {
            failed(
                ErrorKind::Unsupported,
                "of jobs, those with a URL are run alone",
                name,
            )
        })?;
        let oidc = target["oidcToken"]["serviceAccountEmail"]
            .as_str()
            .map(|email| (email, target["oidcToken"]["audience"].as_str().unwrap_or(uri)));
        let mut backoff = Backoff::of(&job["retryConfig"]);
        let began = Instant::now();
        let mut statuses = Vec::new();
        loop {
            let status = self.attempt(name, &job, uri, oidc, at).await?;
            statuses.push(status);
            let is_done = (200..300).contains(&status);
            let retried = u32::try_from(statuses.len() - 1).unwrap_or(u32::MAX);
            if is_done || !backoff.goes_on(retried, began.elapsed()) {
                let mut state = self.shared.lock();
                if let Some(kept) = state.resources.get_mut(name) {
                    kept.body["lastAttemptTime"] = now().into();
                    kept.body["status"] = if is_done { json!({}) } else { json!({"code": 2}) };
                }
                return Ok(statuses);
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        name: &str,
        job: &Value,
        uri: &str,
        oidc: Option<(&str, &str)>,
        at: DateTime<Utc>,
    ) -> Result<u16> {
        let target = &job["httpTarget"];
        let id = name.rsplit('/').next().unwrap_or_default();
        let body = STANDARD.decode(target["body"].as_str().unwrap_or_default());
        let mut request = Request::builder()
            .method(target["httpMethod"].as_str().unwrap_or("POST"))
            .header("user-agent", "Google-Cloud-Scheduler")
            .header("x-cloudscheduler", "true")
            .header("x-cloudscheduler-jobname", id)
            .header(
                "x-cloudscheduler-scheduletime",
                at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            );
        for (name, value) in target["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| {
                failed(ErrorKind::InvalidArgument, "the job makes no request", name).caused_by(error)
            })?;
        let deadline = seconds(&job["attemptDeadline"]).unwrap_or(Duration::from_secs(180));
        let answered = tokio::time::timeout(deadline, self.post(uri, request, oidc)).await;
        Ok(answered.unwrap_or(0))
    }
}

/// How long a job waits between its tries: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#RetryConfig>.
struct Backoff {
    count: u32,
    whole: Duration,
    next: Duration,
    most: Duration,
    doublings: u32,
    doubled: u32,
    step: Duration,
}

impl Backoff {
    fn of(config: &Value) -> Self {
        let time =
            |field: &str, default: u64| seconds(&config[field]).unwrap_or(Duration::from_secs(default));
        let number = |field: &str, default: u64| {
            u32::try_from(config[field].as_u64().unwrap_or(default)).unwrap_or(u32::MAX)
        };
        let least = time("minBackoffDuration", 5);
        Self {
            count: number("retryCount", 0),
            whole: time("maxRetryDuration", 0),
            next: least,
            most: time("maxBackoffDuration", 3600),
            doublings: number("maxDoublings", 5),
            doubled: 0,
            step: least,
        }
    }

    /// Whether there is another try after so many retries in so long.
    fn goes_on(&self, retried: u32, elapsed: Duration) -> bool {
        let in_time = self.whole.is_zero() || elapsed < self.whole;
        // Without a number of its own, a job is tried again as long as it may take.
        let may = retried < self.count || (self.count == 0 && !self.whole.is_zero());
        may && in_time
    }

    fn next(&mut self) -> Duration {
        let now = self.next.min(self.most);
        if self.doubled < self.doublings {
            self.doubled += 1;
            self.next *= 2;
            self.step = self.next;
        } else {
            self.next += self.step;
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_as_often_as_they_may_and_then_grow_by_the_last() {
        let config = json!({"retryCount": 5, "minBackoffDuration": "1s", "maxBackoffDuration": "15s", "maxDoublings": 2});
        let mut backoff = Backoff::of(&config);
        let waits: Vec<u64> = (0..6).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 12, 15]);
        assert!(backoff.goes_on(4, Duration::ZERO) && !backoff.goes_on(5, Duration::ZERO));
        let never = Backoff::of(&json!({"maxRetryDuration": "0s"}));
        assert!(!never.goes_on(0, Duration::ZERO));
    }
}
