//! What deployment tells a function's process of its resources and triggers, besides what every target tells: both sides read it here.

use std::collections::BTreeMap;

use nephos_core::env::Environment;
use nephos_core::resource::Binding;
use nephos_core::{Error, ErrorKind, Result};

/// The property of a [`Binding`] with the resource's own name on AWS: a bucket's, table's or stream's name, a queue's URL, a topic's ARN, a secret's
/// name or ARN.
pub const PHYSICAL: &str = "physical";

/// The variable with what the function's triggers watch: a JSON object from a bucket's name, or the ARN of a queue, topic, stream, table, rule or
/// schedule, to the resource's name in the manifest (of a schedule: to its text). A table's is the ARN of the table, not of its stream.
pub const SOURCES: &str = "NEPHOS_AWS_SOURCES";

/// The variable with the paths of the function's own HTTP triggers, where one URL is the function's alone: a JSON list of
/// `{"method": null | "GET", "path": "/hello/{name}"}`. Unset where a gateway has matched the route already.
pub const ROUTES: &str = "NEPHOS_AWS_ROUTES";

/// The variable with the key attributes of the tables that the function watches: a JSON object from the table's name in the manifest to
/// `{"key": "face_id", "sort": "at"}`. DynamoDB names the key's attributes in a change, but not which of two comes first.
pub const TABLE_KEYS: &str = "NEPHOS_AWS_TABLE_KEYS";

/// The variable with where the mails of an `email` trigger are stored before the function is called: `<bucket>/<prefix>`, to which SES adds the
/// [message's id](https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-s3.html). The receipt of a Lambda action does not say.
pub const MAIL: &str = "NEPHOS_AWS_MAIL";

/// The variable with the URL of the function's dead-letter queue.
pub const DEAD_LETTER: &str = "NEPHOS_AWS_DEAD_LETTER";

/// The variable that is 1 where the function's URL
/// [streams responses](https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html).
pub const STREAMING: &str = "NEPHOS_AWS_STREAMING";

/// The resource's own name on AWS.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the binding lacks it: the function was not deployed by this adapter.
pub fn physical(binding: &Binding) -> Result<&str> {
    binding
        .properties
        .get(PHYSICAL)
        .map(String::as_str)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "resource.open",
                "the binding does not say what the resource is called on AWS; deploy the function again",
            )
            .with("resource", &binding.name)
            .with("property", PHYSICAL)
        })
}

/// What the function's triggers watch, by their names on AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Reads the variable [`SOURCES`]; empty if it is not set.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not what deployment writes.
    pub fn of(environment: &Environment) -> Result<Self> {
        let Some(text) = environment.get(SOURCES) else {
            return Ok(Self::default());
        };
        serde_json::from_str(text).map(Self).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "host.start",
                "the function's sources cannot be read; deploy it again",
            )
            .with("variable", SOURCES)
            .caused_by(error)
        })
    }

    /// The manifest's name of what is called `physical` on AWS; of what deployment did not name, the last part of its own name.
    #[must_use]
    pub fn name<'a>(&'a self, physical: &'a str) -> &'a str {
        match self.0.get(physical) {
            Some(name) => name,
            None => physical.rsplit([':', '/']).next().unwrap_or(physical),
        }
    }
}

impl FromIterator<(String, String)> for Sources {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(sources: I) -> Self {
        Self(sources.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_the_manifests_names_where_deployment_gave_them() {
        let queue = "arn:aws:sqs:eu-west-1:123456789012:shop-jobs-1X2Y";
        let environment: Environment = [(SOURCES, format!(r#"{{"{queue}":"jobs"}}"#))]
            .into_iter()
            .collect();
        let sources = Sources::of(&environment).unwrap();
        assert_eq!(sources.name(queue), "jobs");
        assert_eq!(sources.name("arn:aws:sqs:eu-west-1:123456789012:other"), "other");
        assert_eq!(sources.name("a-bucket"), "a-bucket");
        let broken: Environment = [(SOURCES, "[1]")].into_iter().collect();
        let error = Sources::of(&broken).unwrap_err();
        assert!(error.to_string().contains(SOURCES), "{error}");
    }
}
