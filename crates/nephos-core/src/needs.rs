//! What follows from an app for its binary and its deployment: which parts a function's build needs, and whether dead letters can come of it.

use std::collections::BTreeSet;

use crate::app::{App, FunctionSpec, Resource};

impl FunctionSpec {
    /// Whether anything of the function can end in its dead-letter queue: not of requests alone, whose callers are told.
    #[must_use]
    pub fn has_dead_letters(&self) -> bool {
        self.on.iter().any(|trigger| !trigger.kind().caller_waits())
    }
}

impl App {
    /// The features of the crate `nephos` that the functions' binary needs, whatever the target: the kinds of trigger that they have (`on-queue`), the kinds
    /// of resource that they use (`table`), and buckets outside the target by the scheme of their URL. A target adds its host's own.
    ///
    /// Where a host sends dead letters itself, that is with the driver of queues.
    #[must_use]
    pub fn features(&self) -> BTreeSet<String> {
        let mut features = BTreeSet::new();
        for (name, function) in &self.functions {
            features.extend(function.on.iter().map(|trigger| format!("on-{}", trigger.kind())));
            for binding in self.bindings(name) {
                let scheme = binding.url.as_deref().and_then(|url| url.split_once("://"));
                features.insert(match scheme {
                    Some((scheme, _)) => scheme.to_owned(),
                    None => binding.kind.to_string(),
                });
                if let Some(Resource::Bucket(bucket)) = self.resources.get(&binding.name)
                    && bucket.credentials.is_some()
                {
                    features.insert("secret".to_owned());
                }
            }
            if function.has_dead_letters() {
                features.insert("queue".to_owned());
            }
        }
        features
    }
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

    fn features(resources: serde_json::Value, on: serde_json::Value, uses: serde_json::Value) -> Vec<String> {
        app(resources, on, uses).features().into_iter().collect()
    }

    #[test]
    fn a_build_has_what_the_functions_are_called_by_and_use() {
        let http = json!([{"kind": "http", "method": null, "path": "/"}]);
        assert_eq!(features(json!({}), http.clone(), json!({})), ["on-http"]);
        let table = json!({"faces": {"kind": "table", "key": "id"}});
        assert_eq!(
            features(table, http.clone(), json!({"faces": ["read"]})),
            ["on-http", "table"]
        );
        let archive = json!({
            "archive": {"kind": "bucket", "url": "store://evidence", "credentials": "keys"},
            "keys": {"kind": "secret"},
        });
        assert_eq!(
            features(archive, http, json!({"archive": ["write"]})),
            ["on-http", "secret", "store"]
        );
    }

    #[test]
    fn dead_letters_come_of_what_nobody_waits_for() {
        let topic = json!([{"kind": "topic", "topic": "news", "filter": {}}]);
        assert_eq!(
            features(json!({"news": {"kind": "topic"}}), topic, json!({})),
            ["on-topic", "queue"]
        );
        let voice = json!([{"kind": "voice", "skill": "s"}]);
        let auth = json!([{"kind": "auth", "stage": "before_sign_up"}]);
        for on in [voice, auth] {
            assert!(!app(json!({}), on, json!({})).functions["f"].has_dead_letters());
        }
    }
}
