//! A bucket's policy: who may do what with it and with its objects. <https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>

use serde_json::{Value, json};

use super::object::bucket_etag;

/// A policy, and how often it was set.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// None where nobody has set it.
    pub(super) bindings: Option<Value>,
    pub(super) version: i64,
    pub(super) count: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            bindings: None,
            version: 1,
            count: 1,
        }
    }
}

impl Policy {
    pub(super) fn etag(&self) -> String {
        bucket_etag(self.count)
    }

    /// Whether a role is given under a condition.
    pub(super) fn has_conditions(&self) -> bool {
        let bindings = self.bindings.as_ref().and_then(Value::as_array);
        bindings
            .into_iter()
            .flatten()
            .any(|binding| binding.get("condition").is_some())
    }

    /// As it is answered; a new bucket is its project's.
    pub(super) fn view(&self, bucket: &str, project: &str) -> Value {
        let default = || {
            let of = |role: &str, members: &[&str]| {
                let members: Vec<String> = members.iter().map(|one| format!("{one}:{project}")).collect();
                json!({"role": format!("roles/storage.{role}"), "members": members})
            };
            json!([
                of("legacyBucketOwner", &["projectEditor", "projectOwner"]),
                of("legacyBucketReader", &["projectViewer"]),
                of("legacyObjectOwner", &["projectEditor", "projectOwner"]),
                of("legacyObjectReader", &["projectViewer"]),
            ])
        };
        let mut view = json!({
            "kind": "storage#policy",
            "resourceId": format!("projects/_/buckets/{bucket}"),
            "version": self.version,
            "etag": self.etag(),
        });
        let bindings = self.bindings.clone().unwrap_or_else(default);
        if bindings.as_array().is_some_and(|all| !all.is_empty()) {
            view["bindings"] = bindings;
        }
        view
    }
}
