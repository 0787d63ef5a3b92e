//! What buckets tell to which function, and whether S3 would take it.

use std::collections::BTreeMap;

use nephos_core::app::{App, ObjectEventKind, Resource, Trigger};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

/// The most configurations of one bucket: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>.
const MAX_CONFIGURATIONS: usize = 100;
/// Created, replaced, copied or completed: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>.
const CREATED: &str = "s3:ObjectCreated:*";
/// Deleted, or hidden by a delete marker.
const DELETED: &str = "s3:ObjectRemoved:*";

/// One trigger on a bucket.
#[derive(Debug)]
pub(super) struct Notification<'a> {
    pub(super) function: &'a str,
    pub(super) event: ObjectEventKind,
    pub(super) prefix: &'a str,
    pub(super) suffix: &'a str,
}

impl Notification<'_> {
    fn events(&self) -> &'static [&'static str] {
        match self.event {
            ObjectEventKind::Created => &[CREATED],
            ObjectEventKind::Deleted => &[DELETED],
            ObjectEventKind::Any => &[CREATED, DELETED],
        }
    }

    /// Whether S3 finds that one object's event would match both: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>.
    fn overlaps(&self, other: &Self) -> bool {
        let prefix = self.prefix.starts_with(other.prefix) || other.prefix.starts_with(self.prefix);
        let suffix = self.suffix.ends_with(other.suffix) || other.suffix.ends_with(self.suffix);
        let event = self.events().iter().any(|event| other.events().contains(event));
        event && prefix && suffix
    }

    /// The entries of the bucket's configuration, with the function as `function`.
    pub(super) fn configurations(&self, function: &Value) -> Vec<Value> {
        let mut rules = Vec::new();
        for (name, value) in [("prefix", self.prefix), ("suffix", self.suffix)] {
            if !value.is_empty() {
                rules.push(json!({"Name": name, "Value": value}));
            }
        }
        self.events()
            .iter()
            .map(|event| {
                let mut entry = json!({"Event": event, "Function": function});
                if !rules.is_empty()
                    && let Value::Object(entry) = &mut entry
                {
                    entry.insert("Filter".to_owned(), json!({"S3Key": {"Rules": rules}}));
                }
                entry
            })
            .collect()
    }
}

/// The notifications of every bucket of the target's own.
///
/// # Errors
/// For those that S3 refuses.
pub(super) fn by_bucket(app: &App) -> Result<BTreeMap<&str, Vec<Notification<'_>>>> {
    let mut buckets: BTreeMap<&str, Vec<Notification<'_>>> = BTreeMap::new();
    for (function, spec) in &app.functions {
        for trigger in &spec.on {
            let Trigger::Bucket {
                bucket,
                event,
                prefix,
                suffix,
            } = trigger
            else {
                continue;
            };
            if matches!(app.resources.get(bucket), Some(Resource::Bucket(spec)) if spec.url.is_none()) {
                buckets.entry(bucket).or_default().push(Notification {
                    function,
                    event: *event,
                    prefix,
                    suffix,
                });
            }
        }
    }
    for (bucket, notifications) in &buckets {
        check(bucket, notifications)?;
    }
    Ok(buckets)
}

fn check(bucket: &str, notifications: &[Notification<'_>]) -> Result<()> {
    let configurations: usize = notifications.iter().map(|one| one.events().len()).sum();
    if configurations > MAX_CONFIGURATIONS {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            "deploy.render",
            "S3 takes no more notifications of one bucket; let one function take them and choose by the key",
        )
        .with("bucket", bucket)
        .with("notifications", configurations)
        .with("max_notifications", MAX_CONFIGURATIONS));
    }
    for (index, one) in notifications.iter().enumerate() {
        for other in notifications.iter().skip(index + 1) {
            if one.overlaps(other) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "deploy.render",
                    "S3 refuses two notifications for the same objects; make the filters exclusive, or let one function publish to a topic that both are on",
                )
                .with("bucket", bucket)
                .with("function", one.function)
                .with("filter", shown(one))
                .with("other_function", other.function)
                .with("other_filter", shown(other)));
            }
        }
    }
    Ok(())
}

fn shown(one: &Notification<'_>) -> String {
    format!("{}*{}", one.prefix, one.suffix)
}
