//! Mistakes on purpose, each found where it is and for its own reason, and nothing else with it.

use nephos_conformance::discovery::{Level, is_accepted};
use serde_json::{Value, json};

use crate::documents::found;
use crate::good_bodies::{RUN, job, policy, service, subscription, trigger};

const SUBSCRIPTION: &str = "PUT pubsub.googleapis.com/v1/projects/p/subscriptions/s";
const SECRETS: &str = "secretmanager.googleapis.com/v1/projects/p/secrets";
const TRIGGERS: &str = "POST eventarc.googleapis.com/v1/projects/p/locations/l/triggers?triggerId=t";
const JOBS: &str = "cloudscheduler.googleapis.com/v1/projects/p/locations/l/jobs";

/// One finding, of this level, at this place, whose words have these.
#[track_caller]
fn only(request: &str, body: &Value, former: Option<&Value>, level: Level, place: &str, words: &str) {
    let findings = found(request, Some(body).filter(|body| !body.is_null()), former);
    let [finding] = findings.as_slice() else {
        panic!("{request}: one finding was meant, not {findings:#?}");
    };
    assert_eq!(
        (finding.level, finding.place.as_str()),
        (level, place),
        "{finding}"
    );
    assert!(finding.what.contains(words), "{finding}");
    assert_eq!(is_accepted(&findings), level == Level::Warning);
}

/// A good body with one place made wrong.
#[track_caller]
fn changed(request: &str, mut body: Value, pointer: &str, value: Value, place: &str, words: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match parent.as_array_mut() {
        Some(items) => items[name.parse::<usize>().unwrap()] = value,
        None => parent[name] = value,
    }
    only(request, &body, None, Level::Error, place, words);
}

#[test]
fn a_wrong_service_of_cloud_run_is_found_out() {
    let wrong = |pointer: &str, value: Value, place: &str, words: &str| {
        changed(
            &format!("POST {RUN}?serviceId=a"),
            service(),
            pointer,
            value,
            place,
            words,
        );
    };
    wrong(
        "/service_account",
        json!("a@b"),
        "service_account",
        "no such field",
    );
    wrong(
        "/template/service_account",
        json!("a"),
        "template.service_account",
        "`serviceAccount` is one",
    );
    wrong(
        "/template/containers/0/image",
        Value::Null,
        "template.containers[0].image",
        "is required",
    );
    wrong("/template", Value::Null, "template", "is required");
    wrong(
        "/template/timeout",
        json!("30 s"),
        "template.timeout",
        "no google-duration",
    );
    wrong(
        "/template/timeout",
        json!(30),
        "template.timeout",
        "a number, not text",
    );
    wrong(
        "/ingress",
        json!("INTERNAL"),
        "ingress",
        "none of INGRESS_TRAFFIC_UNSPECIFIED",
    );
    wrong("/uri", json!("https://a"), "uri", "only the service sets it");
    wrong(
        "/template/containers/0/env",
        json!({"A": "b"}),
        "template.containers[0].env",
        "an object, not a list",
    );
    wrong(
        "/template/containers/0/env/0",
        json!({"value": "b"}),
        "template.containers[0].env[0].name",
        "is required",
    );
    wrong(
        "/template/containers/0/resources/limits/cpu",
        json!(1),
        "template.containers[0].resources.limits.cpu",
        "a number, not text",
    );
    wrong(
        "/template/scaling",
        json!("20"),
        "template.scaling",
        "text, not an object",
    );
    wrong(
        "/template/scaling/maxInstanceCount",
        json!("20"),
        "template.scaling.maxInstanceCount",
        "text, not a whole number",
    );
    wrong(
        "/template/maxInstanceRequestConcurrency",
        json!(8.5),
        "template.maxInstanceRequestConcurrency",
        "no int32",
    );
    wrong(
        "/template/containers/0/resources/cpuIdle",
        json!("true"),
        "template.containers[0].resources.cpuIdle",
        "not true or false",
    );
    wrong("/labels/app", json!(7), "labels.app", "a number, not text");
}

#[test]
fn other_wrong_bodies_are_found_out() {
    changed(
        SUBSCRIPTION,
        subscription(),
        "/topic",
        Value::Null,
        "topic",
        "is required",
    );
    changed(
        SUBSCRIPTION,
        subscription(),
        "/state",
        json!("ACTIVE"),
        "state",
        "only the service sets it",
    );
    let backoff = "retryPolicy.minimumBackoff";
    changed(
        SUBSCRIPTION,
        subscription(),
        "/retryPolicy/minimumBackoff",
        json!("10"),
        backoff,
        "no google-duration",
    );
    let unwrapped = "pushConfig.noWrapper.write";
    changed(
        SUBSCRIPTION,
        subscription(),
        "/pushConfig/noWrapper/write",
        json!(true),
        unwrapped,
        "no such field",
    );
    let storage = || trigger(&[("type", "google.cloud.storage.object.v1.finalized")]);
    changed(
        TRIGGERS,
        storage(),
        "/destination",
        Value::Null,
        "destination",
        "is required",
    );
    changed(
        TRIGGERS,
        storage(),
        "/eventFilters/0/value",
        Value::Null,
        "eventFilters[0].value",
        "is required",
    );
    changed(
        TRIGGERS,
        storage(),
        "/conditions",
        json!({}),
        "conditions",
        "only the service sets it",
    );
    let create = format!("POST {JOBS}");
    changed(
        &create,
        job(),
        "/schedule",
        Value::Null,
        "schedule",
        "is required",
    );
    changed(
        &create,
        job(),
        "/httpTarget/body",
        json!("{}"),
        "httpTarget.body",
        "no byte",
    );
    changed(
        &create,
        job(),
        "/httpTarget/httpMethod",
        json!("post"),
        "httpTarget.httpMethod",
        "none of",
    );
    let policy_of = format!("POST {RUN}/a:setIamPolicy");
    only(
        &policy_of,
        &json!({}),
        None,
        Level::Error,
        "policy",
        "is required",
    );
    let members = "policy.bindings[0].members[0]";
    changed(
        &policy_of,
        policy(),
        "/policy/bindings/0/members/0",
        json!(1),
        members,
        "a number, not text",
    );
    let version = format!("POST {SECRETS}/a:addVersion");
    only(&version, &json!({}), None, Level::Error, "payload", "is required");
    let crc = json!({"payload": {"data": "aGk=", "dataCrc32c": 5}});
    only(
        &version,
        &crc,
        None,
        Level::Error,
        "payload.dataCrc32c",
        "goes as text",
    );
    let expires = json!({"replication": {"automatic": {}}, "expireTime": "tomorrow"});
    only(
        &format!("POST {SECRETS}?secretId=a"),
        &expires,
        None,
        Level::Error,
        "expireTime",
        "no google-datetime",
    );
    let account = json!({"serviceAccount": {"displayName": "a"}});
    let accounts = "POST iam.googleapis.com/v1/projects/p/serviceAccounts";
    only(accounts, &account, None, Level::Error, "accountId", "is required");
}

#[test]
fn a_wrong_update_is_found_out() {
    let at = format!("{SECRETS}/a");
    let moved =
        json!({"replication": {"userManaged": {"replicas": [{"location": "l"}]}}, "labels": {"a": "b"}});
    let former = json!({"name": "projects/1/secrets/a", "replication": {"automatic": {}}, "createTime": "2026-01-01T00:00:00Z"});
    let update = format!("PATCH {at}?updateMask=labels,replication");
    only(
        &update,
        &moved,
        Some(&former),
        Level::Error,
        "replication",
        "cannot change",
    );
    let labels = format!("PATCH {at}?updateMask=labels");
    assert!(
        found(&labels, Some(&moved), Some(&former)).is_empty(),
        "the mask leaves it alone"
    );
    assert!(
        found(&update, Some(&former), Some(&former)).is_empty(),
        "what was read may be written back"
    );
    let mut later = former.clone();
    later["createTime"] = "2026-01-02T00:00:00Z".into();
    only(
        &labels,
        &later,
        Some(&former),
        Level::Warning,
        "createTime",
        "only the service sets it",
    );

    let none = format!("PATCH {at}");
    only(
        &none,
        &json!({"labels": {}}),
        None,
        Level::Error,
        "query.updateMask",
        "is required",
    );
    let mask = |mask: &str, words: &str| {
        let update = format!("PATCH {RUN}/a?updateMask={mask}");
        only(
            &update,
            &json!({"traffic": []}),
            None,
            Level::Error,
            "query.updateMask",
            words,
        );
    };
    mask("trafic", "no field `trafic`");
    mask("traffic,template.image", "no field `image`");
    mask("traffic,uri", "only the service sets");
    let all = format!("PATCH {RUN}/a?updateMask=template");
    only(
        &all,
        &json!({"traffic": []}),
        None,
        Level::Error,
        "template",
        "is required",
    );
    let unmasked = format!("PATCH {RUN}/a");
    only(
        &unmasked,
        &json!({"traffic": []}),
        None,
        Level::Warning,
        "template",
        "replaces everything",
    );

    let topic = "PATCH pubsub.googleapis.com/v1/projects/p/topics/a";
    let body = json!({"topic": {"labels": {}}, "updateMask": "label"});
    only(topic, &body, None, Level::Error, "updateMask", "no field `label`");
    let body = json!({"topic": {"lables": {}}, "updateMask": "labels"});
    only(topic, &body, None, Level::Error, "topic.lables", "no such field");
    let body = json!({"topic": {"labels": {}}});
    only(topic, &body, None, Level::Error, "updateMask", "is required");
}

#[test]
fn what_is_on_its_way_out_is_a_warning() {
    let numbered = format!("POST {RUN}?serviceId=a&$alt=json;enum-encoding%3Dint");
    let mut body = service();
    body["ingress"] = 1.into();
    only(
        &numbered,
        &body,
        None,
        Level::Warning,
        "ingress",
        "which no document tells",
    );
    let pull = "POST pubsub.googleapis.com/v1/projects/p/subscriptions/s:pull";
    let body = json!({"maxMessages": 1, "returnImmediately": true});
    only(
        pull,
        &body,
        None,
        Level::Warning,
        "returnImmediately",
        "deprecated",
    );
    let settings = "PATCH artifactregistry.googleapis.com/v1/projects/p/projectSettings?updateMask=legacyRedirectionState";
    let body = json!({"legacyRedirectionState": "REDIRECTION_FROM_GCR_IO_FINALIZED"});
    only(
        settings,
        &body,
        None,
        Level::Warning,
        "legacyRedirectionState",
        "deprecated",
    );
}

#[test]
fn a_wrong_query_or_path_is_found_out() {
    let list = |query: &str, place: &str, words: &str| {
        only(
            &format!("GET {RUN}?{query}"),
            &Value::Null,
            None,
            Level::Error,
            place,
            words,
        );
    };
    list("page_size=5", "query.page_size", "no such parameter");
    list("pageSize=five", "query.pageSize", "not a whole number");
    list("showDeleted=yes", "query.showDeleted", "not true or false");
    list("pageSize=5&pageSize=6", "query.pageSize", "more than once");
    list("$alt=proto", "query.$alt", "no such parameter");
    list("alt=xml", "query.alt", "none of json");
    only(
        &format!("POST {SECRETS}"),
        &json!({}),
        None,
        Level::Error,
        "query.secretId",
        "is required",
    );
    let body = json!({"a": "b"});
    only(
        &format!("DELETE {RUN}/a"),
        &body,
        None,
        Level::Error,
        "body",
        "takes no body",
    );
    only(
        &format!("PUT {RUN}/a"),
        &service(),
        None,
        Level::Error,
        "path",
        "no method has PUT",
    );
    let place = "GET run.googleapis.com/v2/projects/p/services/a";
    only(
        place,
        &Value::Null,
        None,
        Level::Error,
        "path",
        "no method has the path",
    );
    only(
        "GET example.com/a",
        &Value::Null,
        None,
        Level::Error,
        "path",
        "no document",
    );
}
