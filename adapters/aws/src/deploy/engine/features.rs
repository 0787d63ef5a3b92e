//! The features that an app's binary needs on AWS: what its functions use, and what their host does for them.

use std::collections::BTreeSet;

use nephos_core::app::{App, Resource, Trigger};

use crate::deploy::template::has_dead_letters;

/// The features of the crate `nephos`, in order.
pub(super) fn of(app: &App) -> Vec<String> {
    let mut features = BTreeSet::from(["aws".to_owned()]);
    for (name, function) in &app.functions {
        for binding in app.bindings(name) {
            features.insert(match binding.url {
                // A bucket elsewhere is opened by URL.
                Some(_) => "s3".to_owned(),
                None => format!("aws-{}", binding.kind),
            });
            if let Some(Resource::Bucket(bucket)) = app.resources.get(&binding.name)
                && bucket.credentials.is_some()
            {
                features.insert("aws-secret".to_owned());
            }
        }
        // The host itself sends what the function rejects.
        if has_dead_letters(function) {
            features.insert("aws-queue".to_owned());
        }
        // The host itself fetches the message that SES stored, and reads it.
        if (function.on.iter()).any(|trigger| matches!(trigger, Trigger::Email { .. })) {
            features.extend(["aws-bucket".to_owned(), "email".to_owned()]);
        }
    }
    features.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An app with one function, `f`.
    fn app(resources: serde_json::Value, on: serde_json::Value, uses: serde_json::Value) -> App {
        let duration = json!({"secs": 1, "nanos": 0});
        serde_json::from_value(json!({
            "name": "app",
            "resources": resources,
            "functions": {"f": {
                "memory": 1, "timeout": duration, "on": on, "uses": uses, "env": {}, "dead_letter": "letters",
                "retry": {"attempts": 3, "backoff": duration, "max_backoff": duration},
                "concurrency": 1, "max_instances": 1, "isolation": "process",
            }},
            "targets": {},
        }))
        .unwrap()
    }

    #[test]
    fn what_the_host_does_for_a_function_needs_its_feature_as_what_the_function_does() {
        let http = json!([{"kind": "http", "method": null, "path": "/"}]);
        assert_eq!(of(&app(json!({}), http.clone(), json!({}))), ["aws"]);
        let table = json!({"faces": {"kind": "table", "key": "id"}});
        assert_eq!(
            of(&app(table, http.clone(), json!({"faces": ["read"]}))),
            ["aws", "aws-table"]
        );
        let archive = json!({
            "archive": {"kind": "bucket", "url": "s3://evidence", "credentials": "keys"},
            "keys": {"kind": "secret"},
        });
        assert_eq!(
            of(&app(archive, http, json!({"archive": ["write"]}))),
            ["aws", "aws-secret", "s3"]
        );
        let topic = json!([{"kind": "topic", "topic": "news", "filter": {}}]);
        assert_eq!(
            of(&app(json!({"news": {"kind": "topic"}}), topic, json!({}))),
            ["aws", "aws-queue"]
        );
        let email = json!([{"kind": "email", "address": "*"}]);
        assert_eq!(
            of(&app(json!({}), email, json!({}))),
            ["aws", "aws-bucket", "aws-queue", "email"]
        );
    }
}
