//! An app as a CloudFormation template: pure, no I/O, the same app gives the same text.
//!
//! What cannot be said on AWS is refused here, before anything is sent; what is said otherwise than the manifest does is told in
//! [`Template::notes`].

mod body;
mod caller;
mod dead_letter;
mod environment;
mod function;
mod http;
mod layout;
mod limits;
mod mail;
mod name;
mod notification;
mod policy;
mod resource;
mod schedule;
#[cfg(test)]
mod tests;
mod trigger;
mod value;

use std::collections::BTreeMap;

use nephos_core::Result;
use nephos_core::app::App;
use nephos_core::resource::ResourceKind;
use serde_json::Value;

use self::body::Body;
use self::layout::Layout;
use super::settings::Settings;

pub use nephos_core::deploy::mark::{
    APP as TAG_APP, KIND as META_KIND, NAME as META_NAME, TARGET as TAG_TARGET,
};

pub use self::function::ALIAS;
pub use self::limits::{MAX_BODY_BYTES, MAX_OUTPUTS, MAX_RESOURCES};

/// The logical id of a queue, for overrides.
#[cfg(feature = "harness")]
pub(crate) fn queue_id(queue: &str) -> String {
    name::id("Queue", queue)
}

/// The logical id of what calls a function with a queue's messages, for overrides.
#[cfg(feature = "harness")]
pub(crate) fn queue_mapping_id(function: &str, queue: &str) -> String {
    name::trigger_id("Mapping", function, &["queue", queue])
}

/// Where the artifact lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// What an output of the stack tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The URL of one function.
    FunctionUrl {
        /// The function.
        function: String,
    },
    /// The URL of the API of all functions with HTTP triggers.
    ApiUrl,
    /// The name of a function on Lambda.
    Function {
        /// The function.
        function: String,
    },
    /// The ARN that a function is called by from what deployment cannot attach itself: a voice skill, a user pool.
    Endpoint {
        /// The function.
        function: String,
    },
    /// A resource's own name on AWS, as [`PHYSICAL`](nephos_core::wiring::PHYSICAL) has it.
    Resource {
        /// The resource.
        name: String,
        /// Its kind.
        kind: ResourceKind,
    },
}

/// A rendered template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The template itself, overrides applied.
    pub body: Value,
    /// What the stack's outputs tell, by their keys.
    pub outputs: BTreeMap<String, Output>,
    /// What will be otherwise than the manifest says, and what is left to do by hand: one sentence each.
    pub notes: Vec<String>,
}

impl Template {
    /// The same with the buckets' names filled in. A change set with `ImportExistingResources` takes buckets and tables that outlived an earlier
    /// stack into the new one, but only by names that are written out:
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>.
    #[must_use]
    pub fn in_account(mut self, account: &str, region: &str) -> Self {
        let resources = self.body.get_mut("Resources").and_then(Value::as_object_mut);
        for resource in resources.into_iter().flat_map(|resources| resources.values_mut()) {
            let Some(name) = resource.pointer_mut("/Properties/BucketName") else {
                continue;
            };
            if let Some(text) = name.get("Fn::Sub").and_then(Value::as_str) {
                let filled = text
                    .replace("${AWS::AccountId}", account)
                    .replace("${AWS::Region}", region);
                *name = value::sub(filled);
            }
        }
        self
    }

    /// The text, pretty, its keys in the order of their letters.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut body = self.body.clone();
        body.sort_all_objects();
        // Keys are text and numbers finite: this cannot fail.
        let mut text = serde_json::to_string_pretty(&body).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The text without spaces: what is sent.
    #[must_use]
    pub fn to_compact_json(&self) -> String {
        let mut body = self.body.clone();
        body.sort_all_objects();
        body.to_string()
    }

    /// How many resources it has.
    #[must_use]
    pub fn resource_count(&self) -> usize {
        self.body
            .get("Resources")
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len)
    }
}

/// Renders the app.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) or
/// [`ErrorKind::Unsupported`](nephos_core::ErrorKind::Unsupported) for what AWS refuses or cannot do,
/// [`ErrorKind::ResourceExhausted`](nephos_core::ErrorKind::ResourceExhausted) for an app that one stack cannot hold.
pub fn render(app: &App, target: &str, settings: &Settings, code: &Code) -> Result<Template> {
    let template = assemble(app, target, settings, code)?;
    limits::check(&template)?;
    Ok(template)
}

/// Renders without looking at the limits of the whole: for an app that is to be split, or measured.
///
/// # Errors
/// As [`render`], but for [`ErrorKind::ResourceExhausted`](nephos_core::ErrorKind::ResourceExhausted).
pub fn assemble(app: &App, target: &str, settings: &Settings, code: &Code) -> Result<Template> {
    let layout = Layout::new(app, target, settings, code)?;
    let mut body = Body::new(app, target, settings);
    resource::add_all(&layout, &mut body)?;
    http::add_api(&layout, &mut body)?;
    mail::add_store(&layout, &mut body)?;
    for (name, spec) in &app.functions {
        function::add(&layout, &mut body, name, spec)?;
        trigger::add_all(&layout, &mut body, name, spec)?;
    }
    resource::add_outputs(&layout, &mut body);
    Ok(body.finish(&settings.overrides))
}
