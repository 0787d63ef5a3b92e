//! What a trigger does not want is left out, also where the provider could not do so before.

use nephos_core::app::{ObjectEventKind, Trigger};
use nephos_core::event::{ChangeKind, Data};
use serde_json::Value;

use crate::{arrived, changed, index, read, source};

fn count(trigger: Trigger, folder: &str, file: &str) -> usize {
    let index = index(folder);
    let entry = index.payload.iter().find(|entry| entry.file == file).unwrap();
    let mut source = source(entry);
    source.trigger = trigger;
    let events = arrived(&source, entry, &read(folder, file)).unwrap().events;
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
    for (file, prefix, suffix) in [
        ("finalized.json", "folder/", ".cs"),
        ("notification-finalize.json", "in/", ".jpg"),
    ] {
        let created = |trigger: Trigger| count(trigger, "bucket", file);
        assert_eq!(created(bucket(ObjectEventKind::Created, prefix, suffix)), 1);
        assert_eq!(created(bucket(ObjectEventKind::Any, "", "")), 1);
        assert_eq!(created(bucket(ObjectEventKind::Deleted, "", "")), 0);
        assert_eq!(created(bucket(ObjectEventKind::Any, "out/", "")), 0);
        assert_eq!(created(bucket(ObjectEventKind::Any, "", ".png")), 0);
    }
}

#[test]
fn an_object_that_was_only_replaced_was_not_deleted() {
    let told = |kind: &'static str, replaced: bool| -> Vec<Value> {
        let read = changed("bucket", "notification-delete.json", |document| {
            let attributes = &mut document["message"]["attributes"];
            attributes["eventType"] = kind.into();
            if replaced {
                attributes["overwrittenByGeneration"] = "7".into();
            }
        });
        read.unwrap()["events"].as_array().unwrap().clone()
    };
    for kind in ["OBJECT_DELETE", "OBJECT_ARCHIVE"] {
        assert!(told(kind, true).is_empty(), "{kind}");
        assert_eq!(
            told(kind, false)[0]["type"],
            "dev.nephos.bucket.object.deleted",
            "{kind}"
        );
    }
    assert_eq!(told("OBJECT_METADATA_UPDATE", false)[0]["type"], "raw");
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
    for file in ["push.json", "foreign.txt"] {
        assert_eq!(count(topic(&[("lang", "de")]), "topic", file), 1, "{file}");
        assert_eq!(count(topic(&[("lang", "en")]), "topic", file), 0, "{file}");
        assert_eq!(
            count(topic(&[("lang", "de"), ("x", "y")]), "topic", file),
            0,
            "{file}"
        );
    }
}

#[test]
fn a_table_is_watched_for_kinds_of_change() {
    let table = |events: &[ChangeKind]| Trigger::Table {
        table: "things".to_owned(),
        events: events.iter().copied().collect(),
        batch: 1,
    };
    for (file, kind) in [
        ("created.pb", ChangeKind::Inserted),
        ("updated.json", ChangeKind::Modified),
        ("deleted.json", ChangeKind::Removed),
    ] {
        assert_eq!(count(table(&[kind]), "table", file), 1, "{file}");
        let all = [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed];
        let others: Vec<ChangeKind> = all.into_iter().filter(|other| *other != kind).collect();
        assert_eq!(count(table(&others), "table", file), 0, "{file}");
    }
}

#[test]
fn a_table_that_deployment_did_not_describe_is_refused_with_what_to_do() {
    let index = index("table");
    let entry = &index.payload[0];
    let mut source = source(entry);
    if let Trigger::Table { table, .. } = &mut source.trigger {
        *table = "strangers".to_owned();
    }
    let error = arrived(&source, entry, &read("table", &entry.file)).unwrap_err();
    assert!(error.to_string().contains("deploy the function again"), "{error}");
}
