//! The table of what each target can do: of the adapters of a report, and in the documentation of what is checked in of their reports (`adapters/*/tests/declared.json`), which
//! the suite holds to be true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = "# What each target can do

What a function finds on each target, as its adapter declares it. The [suite](conformance.md) holds each line to be true, on what it runs against: what is
declared works, and what is not is refused, or is as the rule's negative says. `nephos conformance --format markdown` prints the same table of the run that it made; this one is of
`adapters/*/tests/declared.json`, the part of each adapter's report that is checked in, which the suite compares with the adapter.
";

/// What a line says, and how its value reads.
#[derive(Debug, Clone, Copy)]
enum Reads {
    /// Yes or no.
    Whether,
    Bytes,
    Time,
    Count,
    List,
}

/// All lines, by where their values are in the file. Those without words are told by another line.
const LINES: [(&str, &str, Reads); 50] = [
    ("host/kinds", "Kinds of trigger", Reads::List),
    (
        "host/counts_tries",
        "A function is told which try it is, of every kind of event",
        Reads::Whether,
    ),
    (
        "host/tells_tries",
        "Kinds besides `queue` whose payloads tell the try",
        Reads::List,
    ),
    (
        "host/query_values",
        "Several values of one name in a query arrive apart",
        Reads::Whether,
    ),
    ("host/auth/stages", "Steps of sign-up and sign-in", Reads::List),
    (
        "host/auth/user_before_sign_up",
        "There is a user before the sign-up",
        Reads::Whether,
    ),
    (
        "host/auth/client_data",
        "What the client sent along with a sign-up is told",
        Reads::Whether,
    ),
    (
        "host/dead_letter_facts",
        "What failed too often is dead-lettered with the reason beside it",
        Reads::Whether,
    ),
    (
        "host/stream_letters",
        "The dead letter of a stream's record holds the record",
        Reads::Whether,
    ),
    (
        "host/isolation",
        "Each invocation can have a process of its own",
        Reads::Whether,
    ),
    (
        "host/shared_process",
        "One process handles several events at once",
        Reads::Whether,
    ),
    (
        "host/streams_answers",
        "An HTTP answer reaches the client while it is written",
        Reads::Whether,
    ),
    (
        "host/changes_each",
        "A table's trigger is told of each change",
        Reads::Whether,
    ),
    (
        "host/changes_removed",
        "… also that an item was removed",
        Reads::Whether,
    ),
    (
        "host/changes_old",
        "… with the item before the change",
        Reads::Whether,
    ),
    (
        "host/changes_kinds_told",
        "… and new items are told from changed ones",
        Reads::Whether,
    ),
    (
        "bucket/put_if_absent",
        "Bucket: write only if there is none",
        Reads::Whether,
    ),
    (
        "bucket/put_if_match",
        "Bucket: write only over the version that was read",
        Reads::Whether,
    ),
    (
        "bucket/attributes",
        "Bucket: media type and metadata",
        Reads::Whether,
    ),
    (
        "bucket/ordered_list",
        "Bucket: listed in order of the keys",
        Reads::Whether,
    ),
    (
        "bucket/nested_keys",
        "Bucket: a key may go on below another (`a`, `a/b`)",
        Reads::Whether,
    ),
    ("bucket/max_key_bytes", "Bucket: longest key", Reads::Bytes),
    (
        "bucket/max_signed_url",
        "Bucket: a signed URL lasts at most",
        Reads::Time,
    ),
    ("queue/max_message_bytes", "Queue: largest message", Reads::Bytes),
    (
        "queue/max_receive",
        "Queue: messages received at once",
        Reads::Count,
    ),
    ("queue/max_delay", "Queue: longest delay", Reads::Time),
    (
        "queue/max_visibility_timeout",
        "Queue: longest lease",
        Reads::Time,
    ),
    ("queue/attributes", "Queue: attributes", Reads::Whether),
    (
        "ordered_queues",
        "Queue: order within a group (`ordered = true`)",
        Reads::Whether,
    ),
    (
        "ordered_receive",
        "Queue: a function can receive from an ordered one, besides by its trigger",
        Reads::Whether,
    ),
    ("queue/ordered_groups", "", Reads::Whether),
    ("queue/exact_depth", "Queue: depth is exact", Reads::Whether),
    (
        "queue/counts_leased",
        "Queue: leased messages are counted apart",
        Reads::Whether,
    ),
    (
        "queue/counts_delayed",
        "Queue: delayed messages are counted apart",
        Reads::Whether,
    ),
    (
        "topic/max_message_bytes",
        "Topic: largest notification",
        Reads::Bytes,
    ),
    ("topic/attributes", "Topic: attributes", Reads::Whether),
    ("stream/max_record_bytes", "Stream: largest record", Reads::Bytes),
    ("stream/attributes", "Stream: attributes", Reads::Whether),
    (
        "stream/read",
        "Stream: a function can read it, besides by its trigger",
        Reads::Whether,
    ),
    (
        "stream/sequences",
        "Stream: the sender is told a record's place",
        Reads::Whether,
    ),
    ("table/max_item_bytes", "Table: largest item", Reads::Bytes),
    ("table/max_batch", "Table: items in a batch", Reads::Count),
    (
        "table/batch_across_partitions",
        "Table: a batch may write to several partitions",
        Reads::Whether,
    ),
    ("table/max_key_bytes", "Table: longest key", Reads::Bytes),
    ("table/scan", "Table: scan of all items", Reads::Whether),
    ("table/ttl", "Table: items expire", Reads::Whether),
    (
        "secret/versions",
        "Secret: older versions can be read",
        Reads::Whether,
    ),
    ("binary_secrets", "Secret: bytes that are no text", Reads::Whether),
    (
        "deploy/drift_of_code",
        "Deployment: a plan finds code that was brought by hand",
        Reads::Whether,
    ),
    (
        "deploy/drift_of_settings",
        "Deployment: a plan finds a setting that was changed by hand",
        Reads::Whether,
    ),
];

/// The documentation's page, of what the adapters declare: objects with the fields `adapter`, `mode` and `capabilities` of an
/// [`AdapterReport`](super::AdapterReport).
///
/// # Errors
/// A document that is none of the suite's, or declares something that has no line here.
pub fn page(documents: &[Value]) -> Result<String, String> {
    let table = table(documents)?;
    let mut known = BTreeMap::new();
    for document in documents {
        flatten(
            "",
            document.get("capabilities").unwrap_or(&Value::Null),
            &mut known,
        );
    }
    // A run may be over adapters that all lack something; the page is over all that there are.
    if let Some((gone, ..)) = LINES.iter().find(|(place, ..)| !known.contains_key(*place)) {
        return Err(format!(
            "the table has a line for `{gone}`, which nobody declares"
        ));
    }
    Ok(format!("{HEAD}\n{table}"))
}

/// The table alone, in Markdown.
///
/// # Errors
/// As [`page`].
pub fn table(documents: &[Value]) -> Result<String, String> {
    let Grid { columns, lines } = grid(documents)?;
    let mut table = format!(
        "| | {} |\n|---|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    for (words, values) in lines {
        let _ = writeln!(table, "| {words} | {} |", values.join(" | "));
    }
    Ok(table)
}

/// What the table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Each adapter with its mode.
    pub columns: Vec<String>,
    /// What each line is about, and what each adapter declares of it.
    pub lines: Vec<(&'static str, Vec<String>)>,
}

/// What the table holds, the adapters in the order of their names.
///
/// # Errors
/// As [`page`].
pub fn grid(documents: &[Value]) -> Result<Grid, String> {
    let mut columns = BTreeMap::new();
    let mut known = BTreeSet::new();
    for document in documents {
        let text = |name: &str| {
            let text = document.get(name).and_then(Value::as_str);
            text.ok_or_else(|| format!("a file that declares capabilities has no `{name}`"))
        };
        let mut values = BTreeMap::new();
        let declared = document.get("capabilities").unwrap_or(&Value::Null);
        flatten("", declared, &mut values);
        known.extend(values.keys().cloned());
        columns.insert(text("adapter")?.to_owned(), (text("mode")?.to_owned(), values));
    }
    let told: BTreeSet<String> = LINES.iter().map(|(place, ..)| (*place).to_owned()).collect();
    if let Some(missing) = known.difference(&told).next() {
        return Err(format!("`{missing}` is declared and has no line in the table"));
    }
    let line = |(place, words, reads): &(&str, &'static str, Reads)| {
        let values = columns
            .values()
            .map(|(_, values)| read(values.get(*place), *reads));
        (*words, values.collect())
    };
    Ok(Grid {
        lines: LINES
            .iter()
            .filter(|(_, words, _)| !words.is_empty())
            .map(line)
            .collect(),
        columns: (columns.iter())
            .map(|(adapter, (mode, _))| format!("{adapter} ({mode})"))
            .collect(),
    })
}

/// What the adapters of a report declare, of those that could be asked.
pub(super) fn of(report: &super::Report) -> Option<Result<Grid, String>> {
    let asked = report
        .adapters
        .iter()
        .filter(|adapter| !adapter.capabilities.is_null());
    let documents: Vec<Value> = asked
        .map(|adapter| {
            serde_json::json!({
                "adapter": adapter.adapter, "mode": adapter.mode.name(), "capabilities": adapter.capabilities,
            })
        })
        .collect();
    (!documents.is_empty()).then(|| grid(&documents))
}

/// The values by their places. A time is one value, and so is a list.
fn flatten(place: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.contains_key("secs") => {
            for (name, value) in members {
                let place = if place.is_empty() {
                    name.clone()
                } else {
                    format!("{place}/{name}")
                };
                flatten(&place, value, into);
            }
        }
        value => {
            into.insert(place.to_owned(), value.clone());
        }
    }
}

fn read(value: Option<&Value>, reads: Reads) -> String {
    let number = || value.and_then(Value::as_u64);
    let read = match reads {
        // What an adapter does not have declares nothing.
        Reads::Whether => Some(match value.and_then(Value::as_bool) {
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
            None => "–".to_owned(),
        }),
        Reads::Bytes => number().map(bytes),
        Reads::Count => number().map(|count| count.to_string()),
        Reads::Time => value
            .and_then(|time| time.get("secs"))
            .and_then(Value::as_u64)
            .map(time),
        Reads::List => value.and_then(Value::as_array).map(|list| {
            let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            if names.is_empty() {
                return "none".to_owned();
            }
            names.join(", ")
        }),
    };
    read.unwrap_or_else(|| "no limit".to_owned())
}

fn bytes(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0 => "none".to_owned(),
        seconds if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        seconds if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert_eq!(read(value("true").as_ref(), Reads::Whether), "yes");
        assert_eq!(read(None, Reads::Whether), "–");
        assert_eq!(read(value("262144").as_ref(), Reads::Bytes), "256 KiB");
        assert_eq!(read(value("1000").as_ref(), Reads::Bytes), "1000 B");
        assert_eq!(read(value("null").as_ref(), Reads::Bytes), "no limit");
        assert_eq!(
            read(value(r#"{"secs": 43200, "nanos": 0}"#).as_ref(), Reads::Time),
            "12 h"
        );
        assert_eq!(read(value(r#"["a", "b"]"#).as_ref(), Reads::List), "a, b");
    }

    #[test]
    fn what_is_declared_and_has_no_line_is_an_error() {
        let document =
            serde_json::json!({"adapter": "a", "mode": "live", "capabilities": {"host": {"flies": true}}});
        assert!(page(&[document]).unwrap_err().contains("`host/flies`"));
        assert!(page(&[]).unwrap_err().contains("which nobody declares"));
    }
}
