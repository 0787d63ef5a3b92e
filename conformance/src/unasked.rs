//! What an adapter does not have: nothing is declared of it, and nothing of it can be opened.

use std::time::Duration;

use nephos_core::resource::bucket::BucketCapabilities;
use nephos_core::resource::queue::QueueCapabilities;
use nephos_core::resource::secret::SecretCapabilities;
use nephos_core::resource::stream::StreamCapabilities;
use nephos_core::resource::table::TableCapabilities;
use nephos_core::resource::topic::TopicCapabilities;
use nephos_core::{Error, ErrorKind};

use crate::harness::{Capabilities, HostCapabilities};

/// The refusal of what a harness does not have.
pub(crate) fn refusal(operation: &'static str, what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        operation,
        format!(
            "this adapter's harness has no {what}; write the method, or leave its groups out with `Suite::groups`"
        ),
    )
}

/// Nothing of anything.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities {
        bucket: BucketCapabilities {
            put_if_absent: false,
            put_if_match: false,
            attributes: false,
            max_signed_url: Duration::ZERO,
            max_key_bytes: 0,
            nested_keys: false,
            ordered_list: false,
        },
        queue: QueueCapabilities {
            max_delay: Duration::ZERO,
            max_visibility_timeout: Duration::ZERO,
            max_message_bytes: 0,
            max_receive: 0,
            ordered_groups: false,
            attributes: false,
            exact_depth: false,
            counts_leased: false,
            counts_delayed: false,
        },
        topic: TopicCapabilities {
            max_message_bytes: 0,
            attributes: false,
        },
        stream: StreamCapabilities {
            max_record_bytes: 0,
            attributes: false,
            read: false,
            sequences: false,
        },
        table: TableCapabilities {
            max_item_bytes: 0,
            max_batch: 0,
            ttl: false,
            scan: false,
            batch_across_partitions: false,
            max_key_bytes: Some(0),
        },
        secret: SecretCapabilities { versions: false },
        binary_secrets: false,
        ordered_queues: false,
        ordered_receive: false,
        host: HostCapabilities::none(),
        deploy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Harness, Mode};

    /// An adapter of nothing.
    #[derive(Debug)]
    struct Empty;

    impl Harness for Empty {
        fn adapter(&self) -> &'static str {
            "empty"
        }

        fn mode(&self) -> Mode {
            Mode::Embedded
        }
    }

    #[tokio::test]
    async fn only_the_kinds_of_the_groups_that_run_are_asked_of() {
        let asked = Capabilities::of_groups(&Empty, &["events", "host"])
            .await
            .unwrap();
        assert_eq!(asked, capabilities());
        for (group, method) in [
            ("bucket", "harness.bucket"),
            ("queue", "harness.queue"),
            ("topic", "harness.topic"),
            ("stream", "harness.stream"),
            ("table", "harness.table"),
            ("secret", "harness.secret"),
            ("semantics", "harness.bucket"),
            ("access", "harness.bucket"),
        ] {
            let error = Capabilities::of_groups(&Empty, &[group]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{group}");
            assert!(error.to_string().starts_with(method), "{group}: {error}");
            assert!(error.message().contains("Suite::groups"), "{group}: {error}");
        }
    }
}
