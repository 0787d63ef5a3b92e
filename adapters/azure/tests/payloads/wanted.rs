//! What a trigger does not want is left out, where the provider cannot do so before.

use nephos_core::app::{ObjectEventKind, Trigger};
use nephos_core::event::{ChangeKind, Data};

use crate::{invoked, read};

fn count(trigger: &Trigger, folder: &str, file: &str) -> usize {
    let events = invoked(trigger, &read(folder, file)).unwrap().events;
    match events.first().map(|event| &event.data) {
        Some(Data::Table(changes)) => changes.len(),
        _ => events.len(),
    }
}

#[test]
fn a_bucket_is_watched_for_kinds_prefixes_and_suffixes() {
    let bucket = |event, prefix: &str, suffix: &str| Trigger::Bucket {
        bucket: "snapshots".to_owned(),
        event,
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    };
    let created = |trigger: &Trigger| count(trigger, "bucket", "created-inbox.json");
    assert_eq!(created(&bucket(ObjectEventKind::Created, "in/", ".jpg")), 1);
    assert_eq!(created(&bucket(ObjectEventKind::Any, "", "")), 1);
    assert_eq!(created(&bucket(ObjectEventKind::Deleted, "", "")), 0);
    assert_eq!(created(&bucket(ObjectEventKind::Any, "out/", "")), 0);
    assert_eq!(created(&bucket(ObjectEventKind::Any, "", ".png")), 0);
}

#[test]
fn a_topic_is_filtered_by_attributes() {
    let topic = |filter: &[(&str, &str)]| Trigger::Topic {
        topic: "news".to_owned(),
        filter: filter
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    for file in ["ours-inbox.json", "foreign-inbox.json"] {
        assert_eq!(count(&topic(&[("lang", "de")]), "topic", file), 1, "{file}");
        assert_eq!(count(&topic(&[("lang", "en")]), "topic", file), 0, "{file}");
        assert_eq!(
            count(&topic(&[("lang", "de"), ("x", "y")]), "topic", file),
            0,
            "{file}"
        );
    }
}

#[test]
fn a_table_is_watched_for_kinds_of_change() {
    let table = |events: &[ChangeKind]| Trigger::Table {
        table: "orders".to_owned(),
        events: events.iter().copied().collect(),
        batch: 100,
    };
    let of = |events: &[ChangeKind]| count(&table(events), "table", "changes-string.json");
    assert_eq!(of(&[ChangeKind::Inserted]), 1);
    assert_eq!(of(&[ChangeKind::Modified, ChangeKind::Removed]), 2);
    assert_eq!(of(&[]), 0);
}
