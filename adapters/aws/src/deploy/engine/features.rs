//! The features that an app's binary needs on AWS: what its functions are, and what their host does for them.

use nephos_core::app::{App, Trigger};

/// The features of the crate `nephos`, in order.
pub(super) fn of(app: &App) -> Vec<String> {
    let mut features = app.features();
    features.insert("aws".to_owned());
    let mut triggers = app.functions.values().flat_map(|function| &function.on);
    // The host itself fetches the message that SES stored.
    if triggers.any(|trigger| matches!(trigger, Trigger::Email { .. })) {
        features.insert("bucket".to_owned());
    }
    features.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use nephos_core::app::App;
    use serde_json::json;

    #[test]
    fn a_function_of_mails_has_the_bucket_that_they_are_in() {
        let duration = json!({"secs": 1, "nanos": 0});
        let app: App = serde_json::from_value(json!({
            "name": "app",
            "resources": {},
            "functions": {"f": {
                "memory": 1, "timeout": duration, "on": [{"kind": "email", "address": "*"}], "uses": {}, "env": {}, "dead_letter": "letters",
                "retry": {"attempts": 3, "backoff": duration, "max_backoff": duration},
                "concurrency": 1, "max_instances": 1, "isolation": "process",
            }},
            "targets": {},
        }))
        .unwrap();
        assert_eq!(super::of(&app), ["aws", "bucket", "on-email", "queue"]);
    }
}
