//! Until when a receipt is worth something.
//!
//! SQS tells nobody that their lease ran out: deleting by a standard queue's outdated handle succeeds, and the message stays
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>). So the receipt holds the time itself, counted from SQS's answer,
//! and what is later is a conflict.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nephos_core::resource::queue::Receipt;
use nephos_core::{Error, ErrorKind, Result};

/// The leases that this process changed; all others are told by their receipts.
#[derive(Debug, Default)]
pub(super) struct Leases {
    changed: Mutex<HashMap<String, Changed>>,
}

#[derive(Debug, Clone, Copy)]
struct Changed {
    /// What the receipt says.
    granted: DateTime<Utc>,
    /// What holds.
    until: DateTime<Utc>,
}

impl Leases {
    /// The receipt of a message that was just received, for `lease`.
    pub(super) fn grant(&self, handle: &str, lease: Duration) -> Receipt {
        Receipt(format!("{}.{handle}", until(lease).timestamp_millis()))
    }

    /// SQS's own handle of a receipt whose lease goes on.
    pub(super) fn handle<'a>(&self, operation: &'static str, receipt: &'a Receipt) -> Result<&'a str> {
        let (granted, handle) = parse(receipt).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the receipt is none of this queue's",
            )
        })?;
        let until = self.lock().get(handle).map_or(granted, |changed| changed.until);
        if until > Utc::now() {
            return Ok(handle);
        }
        Err(Error::new(
            ErrorKind::Conflict,
            operation,
            "the lease ended, and another receiver may have the message; receive with a longer visibility timeout, or extend it in time",
        ))
    }

    /// The lease goes on for `lease` from now: none, if it was given back.
    pub(super) fn change(&self, receipt: &Receipt, lease: Duration) {
        let Some((granted, handle)) = parse(receipt) else {
            return;
        };
        let now = Utc::now();
        let until = until(lease);
        let mut changed = self.lock();
        // What is over by its receipt too need not be remembered.
        changed.retain(|_, changed| changed.granted.max(changed.until) > now);
        changed.insert(handle.to_owned(), Changed { granted, until });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Changed>> {
        // A poisoned lock only means that another thread panicked between two map operations: the map is whole.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(receipt: &Receipt) -> Option<(DateTime<Utc>, &str)> {
    let (millis, handle) = receipt.0.split_once('.')?;
    Some((DateTime::from_timestamp_millis(millis.parse().ok()?)?, handle))
}

fn until(lease: Duration) -> DateTime<Utc> {
    Utc::now() + TimeDelta::from_std(lease).unwrap_or(TimeDelta::days(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_receipt_is_good_until_its_lease_ends_and_then_a_conflict() {
        let leases = Leases::default();
        let receipt = leases.grant("a.b=c", LONG);
        assert_eq!(leases.handle("queue.ack", &receipt).unwrap(), "a.b=c");
        let over = leases.grant("a.b=c", Duration::ZERO);
        let error = leases.handle("queue.ack", &over).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_changed_lease_counts_from_its_change() {
        let leases = Leases::default();
        let over = leases.grant("h", Duration::ZERO);
        leases.change(&over, LONG);
        assert!(leases.handle("queue.ack", &over).is_ok());

        let given_back = leases.grant("h", LONG);
        leases.change(&given_back, Duration::ZERO);
        leases.change(&leases.grant("other", LONG), LONG);
        let error = leases.handle("queue.ack", &given_back).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }

    #[test]
    fn what_is_over_is_not_remembered() {
        let leases = Leases::default();
        for n in 0..100 {
            leases.change(&leases.grant(&n.to_string(), Duration::ZERO), Duration::ZERO);
        }
        assert_eq!(leases.lock().len(), 1);
    }

    #[test]
    fn another_queues_receipt_is_refused() {
        let leases = Leases::default();
        for receipt in ["", "handle", "x.handle", "."] {
            let error = leases
                .handle("queue.ack", &Receipt(receipt.to_owned()))
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{receipt:?}");
        }
    }
}
