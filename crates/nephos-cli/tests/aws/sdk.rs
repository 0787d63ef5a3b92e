//! AWS's own SDK for Python as the one that fires triggers and reads effects back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long what a call leads to may take to show.
const PATIENCE: Duration = Duration::from_secs(40);

/// The folder of tools that `cargo xtask setup` fills.
pub(crate) fn tools() -> PathBuf {
    let tools = std::env::var_os("NEPHOS_TOOLS").expect(
        "NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it",
    );
    std::path::absolute(tools).unwrap()
}

/// A program of the tools' folder.
pub(crate) fn program(name: &str) -> PathBuf {
    let program = tools().join("python/bin").join(name);
    assert!(
        program.exists(),
        "{} is not there; run `cargo xtask setup`",
        program.display()
    );
    program
}

/// The SDK, in a process of its own that ends with this value.
pub(crate) struct Sdk {
    child: Child,
    lines: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Sdk {
    /// For the services that `environment` names.
    pub(crate) fn start(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/sdk.py");
        let mut child = Command::new(program("python"))
            .arg(script)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        Self {
            child,
            lines: Mutex::new(lines),
        }
    }

    /// What a call answers, or the code and message of its error.
    pub(crate) fn ask(&self, service: &str, call: &str, params: Value) -> Result<Value, String> {
        let mut lines = self.lines.lock().unwrap();
        let asked = json!({"service": service, "call": call, "params": params});
        writeln!(lines.0, "{asked}").unwrap();
        let mut line = String::new();
        lines.1.read_line(&mut line).unwrap();
        let mut said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{service} {call}: the SDK ended ({error}): {asked}"));
        match said.get("error") {
            Some(code) => Err(format!("{}: {}", code, said["message"])),
            None => Ok(said["answer"].take()),
        }
    }

    /// What a call answers that must go well.
    pub(crate) fn call(&self, service: &str, call: &str, params: Value) -> Value {
        self.ask(service, call, params)
            .unwrap_or_else(|error| panic!("{service} {call}: {error}"))
    }

    /// An item of a table by its key of one attribute, with every attribute as plain JSON.
    pub(crate) fn item(&self, table: &str, key: &str, value: &str) -> Option<Value> {
        let params = json!({"TableName": table, "Key": {key: {"S": value}}, "ConsistentRead": true});
        let answer = self.call("dynamodb", "get_item", params);
        answer.get("Item").map(untyped)
    }

    /// All items of a small table.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        let answer = self.call("dynamodb", "scan", json!({"TableName": table}));
        answer["Items"].as_array().unwrap().iter().map(untyped).collect()
    }

    /// The keys in a bucket.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let answer = self.call("s3", "list_objects_v2", json!({"Bucket": bucket}));
        names(&answer["Contents"], "Key")
    }

    /// Messages that wait in a queue, with their attributes; they stay in it.
    pub(crate) fn letters(&self, queue: &str) -> Vec<Value> {
        let params = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "MessageAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let answer = self.call("sqs", "receive_message", params);
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a list's entries have under this name.
pub(crate) fn names(list: &Value, name: &str) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    entries
        .filter_map(|entry| entry[name].as_str().map(str::to_owned))
        .collect()
}

/// The attribute of a message, as text: one of SQS's own, or among those that Nephos keeps together, where names of its own have a `~` before them.
pub(crate) fn attribute(message: &Value, name: &str) -> String {
    let attributes = &message["MessageAttributes"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let together = text(&attributes["nephos-attributes"]["StringValue"]).unwrap_or_else(|| "{}".to_owned());
    let together: Value = serde_json::from_str(&together).unwrap();
    text(&attributes[name]["StringValue"])
        .or_else(|| text(&together[name]))
        .or_else(|| text(&together[format!("~{name}")]))
        .unwrap_or_else(|| panic!("no {name} in {message:#}"))
}

/// DynamoDB's typed values as plain JSON.
fn untyped(item: &Value) -> Value {
    let attributes = item.as_object().unwrap().iter();
    attributes
        .map(|(name, typed)| (name.clone(), untyped_value(typed)))
        .collect()
}

fn untyped_value(typed: &Value) -> Value {
    let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "M" => untyped(value),
        "L" => value.as_array().unwrap().iter().map(untyped_value).collect(),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

/// Looks until there is something to see; fails with `what` if there never is.
pub(crate) fn wait<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for(PATIENCE, what, look)
}

/// The same, with another patience.
pub(crate) fn wait_for<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: not seen in {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
