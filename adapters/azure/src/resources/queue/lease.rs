//! Receipts: the message's id, what proves that it is leased, and until when it is.
//!
//! Storage says of a message that is gone, and of one that another receiver has by now, that there is no such message with this proof
//! (<https://learn.microsoft.com/rest/api/storageservices/delete-message2>). As long as a lease goes on, nobody else can have the message: so until then it is gone, and later
//! it is a conflict.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nephos_core::resource::queue::Receipt;
use nephos_core::{Error, ErrorKind, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease<'a> {
    pub(super) id: &'a str,
    pub(super) proof: &'a str,
    until: DateTime<Utc>,
}

/// The receipt of a message that is leased from now for `lease`.
pub(super) fn grant(id: &str, proof: &str, lease: Duration) -> Receipt {
    let until = Utc::now() + TimeDelta::from_std(lease).unwrap_or(TimeDelta::days(7));
    Receipt(format!("{}.{id}.{proof}", until.timestamp_millis()))
}

impl<'a> Lease<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is none of this queue's.
    pub(super) fn read(operation: &'static str, receipt: &'a Receipt) -> Result<Self> {
        let mut parts = receipt.0.splitn(3, '.');
        let until = parts
            .next()
            .and_then(|millis| millis.parse().ok())
            .and_then(DateTime::from_timestamp_millis);
        match (until, parts.next(), parts.next()) {
            // The id becomes a part of a URL.
            (Some(until), Some(id), Some(proof))
                if !proof.is_empty()
                    && !id.is_empty()
                    && id
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') =>
            {
                Ok(Self { id, proof, until })
            }
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the receipt is none of this queue's",
            )),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.until <= Utc::now()
    }
}

/// The lease ended before this.
pub(super) fn lost(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "the lease ended, and another receiver may have the message; receive with a longer visibility timeout, or extend it in time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_tells_what_it_was_granted_for() {
        let receipt = grant("a-1", "AgAA.Mw==", Duration::from_secs(60));
        let lease = Lease::read("queue.ack", &receipt).unwrap();
        assert_eq!(
            (lease.id, lease.proof, lease.is_over()),
            ("a-1", "AgAA.Mw==", false)
        );
        let over = grant("a", "b", Duration::ZERO);
        assert!(Lease::read("queue.ack", &over).unwrap().is_over());
    }

    #[test]
    fn another_queues_receipt_is_refused() {
        for receipt in [
            "",
            "1",
            "1.a",
            "1.a.",
            "x.a.b",
            "1.a/b.c",
            "1..c",
            "99999999999999999999.a.b",
        ] {
            let error = Lease::read("queue.ack", &Receipt(receipt.to_owned())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{receipt:?}");
        }
    }
}
