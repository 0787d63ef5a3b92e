//! What the engine reads out of templates, new ones and deployed ones. Pure.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::StackResourceSummary;
use nephos_core::plan::Part;
use nephos_core::resource::ResourceKind;
use serde_json::Value;

use super::code::FUNCTION;
use crate::deploy::template::{Code, META_KIND, META_NAME};

/// The type of a function's version.
const VERSION: &str = "AWS::Lambda::Version";

/// The largest template that a request holds; a larger one goes through the bucket.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub(super) const MAX_INLINE: usize = 51_200;

fn resources(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template
        .get("Resources")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// What of the manifest each resource is for, by logical id.
pub(super) fn parts(template: &Value) -> BTreeMap<String, Part> {
    resources(template)
        .filter_map(|(id, resource)| {
            let metadata = resource.get("Metadata")?;
            let name = metadata.get(META_NAME)?.as_str()?.to_owned();
            let kind = metadata
                .get(META_KIND)
                .and_then(Value::as_str)
                .unwrap_or_default();
            let app = metadata
                .get(crate::deploy::template::TAG_APP)
                .and_then(Value::as_str);
            let part = match ResourceKind::ALL.into_iter().find(|known| known.name() == kind) {
                Some(kind) => Part::Resource { kind, name },
                None if app == Some(&name) => Part::App,
                None => Part::Function { name },
            };
            Some((id.clone(), part))
        })
        .collect()
}

/// The logical ids of the functions, by their names in the manifest.
pub(super) fn functions(template: &Value) -> BTreeMap<String, String> {
    resources(template)
        .filter(|(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(FUNCTION))
        .filter_map(|(id, resource)| {
            let name = resource.pointer("/Metadata")?.get(META_NAME)?.as_str()?;
            Some((name.to_owned(), id.clone()))
        })
        .collect()
}

/// Whether what stays when a stack goes is nothing of its own.
pub(super) fn goes_with_another(kind: &str) -> bool {
    kind == VERSION
}

/// The versions of functions that a stack has: the functions' names at Lambda with the versions' numbers.
pub(super) fn versions(resources: &[StackResourceSummary]) -> BTreeSet<(String, u64)> {
    resources
        .iter()
        .filter(|resource| resource.resource_type() == Some(VERSION))
        .filter_map(|resource| {
            // `arn:aws:lambda:eu-west-1:123456789012:function:shop-aws-sell:3`
            let mut parts = resource.physical_resource_id()?.rsplit(':');
            let version = parts.next()?.parse().ok()?;
            Some((parts.next()?.to_owned(), version))
        })
        .collect()
}

/// Where the deployed functions have their code from; `None` if they do not have one and the same.
pub(super) fn code(template: &Value) -> Option<Code> {
    let mut places = resources(template)
        .filter(|(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(FUNCTION))
        .map(|(_, resource)| {
            let code = resource.pointer("/Properties/Code")?;
            Some(Code {
                bucket: code.get("S3Bucket")?.as_str()?.to_owned(),
                key: code.get("S3Key")?.as_str()?.to_owned(),
            })
        });
    let first = places.next()??;
    places
        .all(|place| place.as_ref() == Some(&first))
        .then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn function(name: &str, key: &str) -> Value {
        json!({
            "Type": FUNCTION,
            "Metadata": { "nephos:name": name, "nephos:kind": "function", "nephos:app": "shop" },
            "Properties": { "Code": { "S3Bucket": "b", "S3Key": key } },
        })
    }

    #[test]
    fn what_a_template_says_of_its_resources_is_read() {
        let template = json!({ "Resources": {
            "FunctionSell": function("sell", "one"),
            "RoleSell": { "Type": "AWS::IAM::Role", "Metadata": { "nephos:name": "sell", "nephos:kind": "role", "nephos:app": "shop" } },
            "Jobs": {
                "Type": "AWS::SQS::Queue", "DeletionPolicy": "Delete",
                "Metadata": { "nephos:name": "jobs", "nephos:kind": "queue", "nephos:app": "shop" },
            },
            "Api": { "Type": "AWS::ApiGatewayV2::Api", "Metadata": { "nephos:name": "shop", "nephos:kind": "api", "nephos:app": "shop" } },
            "Photos": {
                "Type": "AWS::S3::Bucket", "DeletionPolicy": "RetainExceptOnCreate",
                "Metadata": { "nephos:name": "photos", "nephos:kind": "bucket", "nephos:app": "shop" },
            },
            "Patched": { "Type": "AWS::SNS::Topic" },
        } });
        let parts = parts(&template);
        let text = |id: &str| parts.get(id).map(ToString::to_string);
        assert_eq!(text("FunctionSell").as_deref(), Some("function sell"));
        assert_eq!(text("RoleSell").as_deref(), Some("function sell"));
        assert_eq!(text("Jobs").as_deref(), Some("queue jobs"));
        assert_eq!(text("Api").as_deref(), Some("the app"));
        assert_eq!(text("Patched"), None);
        assert_eq!(
            functions(&template),
            BTreeMap::from([("sell".to_owned(), "FunctionSell".to_owned())])
        );
    }

    #[test]
    fn the_deployed_code_is_known_only_where_all_functions_have_the_same() {
        let same = json!({ "Resources": { "A": function("a", "one"), "B": function("b", "one") } });
        assert_eq!(code(&same).unwrap().key, "one");
        let mixed = json!({ "Resources": { "A": function("a", "one"), "B": function("b", "two") } });
        assert_eq!(code(&mixed), None);
        assert_eq!(code(&json!({ "Resources": {} })), None);
        assert_eq!(code(&Value::Null), None);
    }
}
