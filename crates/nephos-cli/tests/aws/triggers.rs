//! The example `every-trigger` on AWS: each kind of trigger fired, and what its function wrote down read back.

mod end;
mod messages;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::sdk::{attribute, wait};
use crate::support::{Aws, Project, done, manifest};

const STACK: &str = "every-trigger-aws";

/// A message that failed comes again when its visibility time-out ends; deployment makes that six times the function's time-out, as AWS asks.
const QUICK: &str = r#"
[target.aws.function.worker]
timeout = "2 s"
[target.aws.overrides.Resources.QueueTasks.Properties]
VisibilityTimeout = 2
"#;

/// The app on the emulator. It knows no receipt rules of SES: something that it knows takes their places, so that all the rest is deployed as it is.
struct Deployed {
    aws: Aws,
    project: Project,
    stack: BTreeMap<String, String>,
}

impl Deployed {
    fn start() -> Self {
        let aws = Aws::start();
        let mut text = manifest("every-trigger", QUICK);
        let project = Project::of("every-trigger", &text);
        let template: Value = serde_json::from_str(&done(&aws.run(&project, &["render"]))).unwrap();
        let mut rules = 0;
        for (id, resource) in template["Resources"].as_object().unwrap() {
            if resource["Type"].as_str().unwrap().starts_with("AWS::SES::") {
                text += &format!(
                    "[target.aws.overrides.Resources.{id}]\nType = \"AWS::CloudFormation::WaitConditionHandle\"\n"
                );
                rules += 1;
            }
        }
        assert_eq!(rules, 2, "a rule set and a rule");
        project.write(&text);
        aws.deployed(&project);
        let stack = aws.outputs(STACK);
        Self { aws, project, stack }
    }

    fn call(&self, service: &str, call: &str, params: Value) -> Value {
        self.aws.sdk().call(service, call, params)
    }

    /// What a function has written down by now.
    fn peek(&self, what: &str) -> Option<Value> {
        self.aws.sdk().item(&self.stack["TableSeen"], "what", what)
    }

    /// What a function writes down, sooner or later.
    fn seen(&self, what: &str) -> Value {
        let look = || self.peek(what);
        wait(&format!("{what}\n{}", self.aws.emulator.log()), look)
    }

    /// Calls a function as its service would; its answer, or its error.
    fn invoke(&self, function: &str, document: &Value) -> Result<Value, Value> {
        let params = json!({"FunctionName": self.stack[function], "Qualifier": "live", "Payload": document.to_string()});
        let answer = self.call("lambda", "invoke", params);
        let payload = serde_json::from_str(answer["Payload"].as_str().unwrap()).unwrap();
        match answer.get("FunctionError") {
            Some(_) => Err(payload),
            None => Ok(payload),
        }
    }
}

/// A document of AWS's own, from the payloads of the adapter's tests.
fn payload(path: &str) -> Value {
    let payloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../adapters/aws/tests/payloads");
    let text = std::fs::read_to_string(payloads.join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_kind_of_trigger_calls_its_function_and_its_effect_is_there() {
    let app = Deployed::start();
    clock_is_due(&app);
    http(&app);
    bucket(&app);
    messages::queue(&app);
    messages::ordered_queue(&app);
    messages::topic(&app);
    messages::stream(&app);
    table(&app);
    email(&app);
    auth(&app);
    voice(&app);
    raw(&app);
    end::logs_are_followed(&app);
    let tick = app.seen("clock/tick");
    assert_eq!(tick["seen"]["schedule"], "every 1 minute", "{tick:#}");
    end::nothing_but_data_is_left(&app);
}

/// A second schedule at a time that has come, of the very target that deployment made: its own comes in a minute.
fn clock_is_due(app: &Deployed) {
    let schedules = app.call("scheduler", "list_schedules", json!({}));
    let name = &schedules["Schedules"][0]["Name"];
    let made = app.call("scheduler", "get_schedule", json!({"Name": name}));
    assert_eq!(made["ScheduleExpression"], "rate(1 minute)", "{made:#}");
    let due = json!({
        "Name": "due", "ScheduleExpression": "at(2026-01-01T00:00:00)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": made["Target"],
        "ActionAfterCompletion": "DELETE",
    });
    app.call("scheduler", "create_schedule", due);
}

fn http(app: &Deployed) {
    let host = app.aws.host(&app.project, "web");
    let answer = app.aws.request("POST /notes/b%20c", &host, "{\"a\":1}");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(app.seen("web/b c")["seen"], json!({"a": 1}));
    let answer = app.aws.request("GET /notes/web/b%20c", &host, "");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"seen\":{\"a\":1}"),
        "{answer}"
    );
    let answer = app.aws.request("POST /notes/x", &host, "no json");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

fn bucket(app: &Deployed) {
    let bucket = &app.stack["BucketUploads"];
    for key in ["out/a.txt", "in/a b+c.txt"] {
        app.call(
            "s3",
            "put_object",
            json!({"Bucket": bucket, "Key": key, "Body": "four"}),
        );
    }
    let created = app.seen("stored/created/in/a b+c.txt");
    assert_eq!(
        created["seen"],
        json!({"bucket": "uploads", "key": "in/a b+c.txt", "size": 4})
    );
    app.call(
        "s3",
        "delete_object",
        json!({"Bucket": bucket, "Key": "in/a b+c.txt"}),
    );
    app.seen("stored/deleted/in/a b+c.txt");
    assert_eq!(
        app.peek("stored/created/out/a.txt"),
        None,
        "the prefix does not fit"
    );
}

fn table(app: &Deployed) {
    let put = |size: &str| {
        let item = json!({"id": {"S": "t"}, "size": {"N": size}});
        app.call(
            "dynamodb",
            "put_item",
            json!({"TableName": app.stack["TableThings"], "Item": item}),
        );
    };
    put("1");
    put("2");
    let key = json!({"TableName": app.stack["TableThings"], "Key": {"id": {"S": "t"}}});
    app.call("dynamodb", "delete_item", key);
    let item = |size: u32| json!({"id": "t", "size": size});
    for (kind, old, new) in [
        ("inserted", Value::Null, item(1)),
        ("modified", item(1), item(2)),
        ("removed", item(2), Value::Null),
    ] {
        let seen = app.seen(&format!("changed/{kind}/t"));
        assert_eq!(seen["seen"], json!({"table": "things", "old": old, "new": new}));
    }
}

/// SES's document, with the message where SES stores it.
fn email(app: &Deployed) {
    let mut document = payload("email/lambda-own-rule.json");
    let id = document["Records"][0]["ses"]["mail"]["messageId"].clone();
    let buckets = app.call("s3", "list_buckets", json!({}));
    let buckets = crate::sdk::names(&buckets["Buckets"], "Name");
    let bucket = buckets
        .iter()
        .find(|name| name.starts_with("mail-of-every-trigger"));
    let bucket = bucket.unwrap_or_else(|| panic!("no bucket for mails among {buckets:?}"));
    let message = "From: Ann <ann@example.com>\r\nTo: johndoe@example.com\r\nSubject: A question\r\n\r\nWhere is it?\r\n";
    let key = format!("mail/{}", id.as_str().unwrap());
    app.call(
        "s3",
        "put_object",
        json!({"Bucket": bucket, "Key": key, "Body": message}),
    );
    app.invoke("FunctionMail", &document).unwrap();
    let seen = app.seen("mail/A question");
    assert_eq!(
        seen["seen"],
        json!({"to": ["johndoe@example.com"], "from": "ann@example.com", "text": "Where is it?\r\n"})
    );
    // One that is not there any more is given up, and kept as a letter.
    document["Records"][0]["ses"]["mail"]["messageId"] = "gone".into();
    app.invoke("FunctionMail", &document).unwrap();
    let letter = wait("the mail's letter", || {
        app.aws.sdk().letters(&app.stack["QueueMailDeadLetter"]).pop()
    });
    assert!(attribute(&letter, "nephos-reason").contains("not in its bucket any more"));
}

fn auth(app: &Deployed) {
    let mut document = payload("auth/example-cognito-event-userpools-presignup.json");
    let mut confirmed = document.clone();
    confirmed["response"]["autoConfirmUser"] = true.into();
    assert_eq!(app.invoke("FunctionSignUp", &document).unwrap(), confirmed);
    let seen = app.seen("sign-up/<userName>");
    assert_eq!(seen["seen"]["stage"], "before_sign_up", "{seen:#}");
    document["userName"] = "robot".into();
    let refused = app.invoke("FunctionSignUp", &document).unwrap_err();
    assert!(
        refused["errorMessage"]
            .as_str()
            .unwrap()
            .contains("robots may not sign up"),
        "{refused:#}"
    );
}

fn voice(app: &Deployed) {
    let answer = app
        .invoke("FunctionSkill", &payload("voice/intent.json"))
        .unwrap();
    assert_eq!(
        answer["response"]["outputSpeech"],
        json!({"type": "PlainText", "text": "A good day for virgo."}),
        "{answer:#}"
    );
    assert_eq!(answer["response"]["shouldEndSession"], true, "{answer:#}");
    app.seen("skill/GetZodiacHoroscopeIntent");
    let question = app
        .invoke("FunctionSkill", &payload("voice/launch.json"))
        .unwrap();
    assert_eq!(question["response"]["shouldEndSession"], false, "{question:#}");
}

fn raw(app: &Deployed) {
    let document = payload("raw/example-eventbridge-event-obj.json");
    let answer = app.invoke("FunctionRaw", &document).unwrap();
    assert_eq!(answer, json!({"seen": document["id"]}));
    let seen = app.seen(&format!("raw/{}", document["id"].as_str().unwrap()));
    assert_eq!(seen["seen"], document);
}
