//! What one stack can hold: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.

use nephos_core::{Error, ErrorKind, Result};

use super::Template;

/// The most resources of one template.
pub const MAX_RESOURCES: usize = 500;
/// The most outputs of one template.
pub const MAX_OUTPUTS: usize = 200;
/// The largest template that is read from S3, in bytes: what AWS calls 1 MB.
pub const MAX_BODY_BYTES: usize = 1_000_000;

/// Refuses a template that CloudFormation would.
pub(super) fn check(template: &Template) -> Result<()> {
    let resources = template.resource_count();
    if resources > MAX_RESOURCES {
        return Err(exceeded(
            "the app is more resources than one stack can hold; split it into several apps, or let functions share triggers",
        )
        .with("resources", resources)
        .with("max_resources", MAX_RESOURCES)
        .with("functions", count(template, "AWS::Lambda::Function")));
    }
    let bytes = template.to_compact_json().len();
    if bytes > MAX_BODY_BYTES {
        return Err(
            exceeded("the template is larger than CloudFormation takes; split the app into several")
                .with("bytes", bytes)
                .with("max_bytes", MAX_BODY_BYTES)
                .with("resources", resources),
        );
    }
    let outputs = template
        .body
        .get("Outputs")
        .and_then(serde_json::Value::as_object)
        .map_or(0, serde_json::Map::len);
    if outputs > MAX_OUTPUTS {
        return Err(exceeded(
            "the stack has more outputs than CloudFormation takes; choose http = \"http_api\", which has one URL for all functions, or split the app",
        )
        .with("outputs", outputs)
        .with("max_outputs", MAX_OUTPUTS));
    }
    Ok(())
}

fn exceeded(message: &'static str) -> Error {
    Error::new(ErrorKind::ResourceExhausted, "deploy.render", message)
}

fn count(template: &Template, ty: &str) -> usize {
    let Some(resources) = template
        .body
        .get("Resources")
        .and_then(serde_json::Value::as_object)
    else {
        return 0;
    };
    resources
        .values()
        .filter(|resource| resource.get("Type").and_then(serde_json::Value::as_str) == Some(ty))
        .count()
}
