//! The documents, their methods, and the method that a request belongs to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::path::{Pattern, Template};
use super::{Finding, Level, body, query};
use crate::process;

const OPERATION: &str = "discovery.read";

/// The documents that [`Documents::read`] takes, by interface and version.
pub const NAMES: &[&str] = &[
    "artifactregistry.v1",
    "cloudresourcemanager.v3",
    "cloudscheduler.v1",
    "eventarc.v1",
    "firestore.v1",
    "iam.v1",
    "iamcredentials.v1",
    "logging.v2",
    "pubsub.v1",
    "run.v2",
    "secretmanager.v1",
    "serviceusage.v1",
    "storage.v1",
];

/// Discovery documents of several interfaces.
#[derive(Debug)]
pub struct Documents(Vec<Document>);

/// One interface at one version.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: String,
    host: String,
    title: String,
    pub(super) schemas: Value,
    /// The query parameters that each method has.
    pub(super) parameters: Value,
    methods: Vec<Method>,
}

#[derive(Debug)]
pub(super) struct Method {
    pub(super) id: String,
    verb: String,
    template: Template,
    patterns: BTreeMap<String, Pattern>,
    pub(super) parameters: Value,
    pub(super) request: Option<String>,
    takes_media: bool,
}

/// A method with what a request's path says to it.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    pub(super) document: &'a Document,
    pub(super) method: &'a Method,
    pub(super) path: BTreeMap<String, String>,
}

impl Documents {
    /// Reads the documents from where `cargo xtask setup` put them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the folder of tools is not named, and as [`read`](Self::read).
    pub fn installed() -> Result<Self> {
        Self::read(&process::tools()?.join("discovery"))
    }

    /// Reads the documents of [`NAMES`] in a folder (`discovery` in the folder of tools).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a file that is not there, by its name; [`ErrorKind::Decode`] for one that is not a discovery document.
    pub fn read(folder: &Path) -> Result<Self> {
        NAMES
            .iter()
            .map(|name| {
                let path = folder.join(format!("{name}.json"));
                let named = |error: Error| error.with("path", path.display());
                let text = fs::read(&path).map_err(|error| {
                    let what = "a discovery document cannot be read; run `cargo xtask setup`";
                    named(Error::new(ErrorKind::NotFound, OPERATION, what)).caused_by(error)
                })?;
                let root = serde_json::from_slice(&text).map_err(|error| {
                    named(undocumented("a discovery document is not JSON")).caused_by(error)
                })?;
                Document::new(name, root).map_err(named)
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The method that a request belongs to, by its host, its HTTP method and its path without the query, as it goes over the wire.
    ///
    /// # Errors
    /// A finding for a host without a document, and for a path that no method of it has.
    pub fn find(&self, host: &str, method: &str, path: &str) -> std::result::Result<Call<'_>, Finding> {
        let finding = |file: &str, what| Finding {
            file: file.to_owned(),
            level: Level::Error,
            place: "path".to_owned(),
            what,
        };
        let Some(document) = self.0.iter().find(|document| document.host == host) else {
            return Err(finding("", format!("no document is for the host {host}")));
        };
        let mut fitting: Vec<(usize, Call<'_>)> = document
            .methods
            .iter()
            .filter_map(|method| {
                let path = method.matches(path)?;
                let call = Call {
                    document,
                    method,
                    path,
                };
                Some((method.template.literal(), call))
            })
            .collect();
        // A name may end like the verb of another method (`v1/{+name}` and `v1/{+name}:access`): the one that says more of the path is meant.
        fitting.sort_by_key(|(literal, _)| std::cmp::Reverse(*literal));
        let mut others = Vec::new();
        for (_, call) in fitting {
            if call.method.verb == method {
                return Ok(call);
            }
            others.push(call.method.verb.clone());
        }
        Err(finding(
            &document.name,
            if others.is_empty() {
                format!("no method has the path {path}")
            } else {
                format!("no method has {method} {path}, only {}", others.join(", "))
            },
        ))
    }
}

impl<'a> Call<'a> {
    /// The method's id (`run.projects.locations.services.create`).
    #[must_use]
    pub fn id(&self) -> &'a str {
        &self.method.id
    }

    /// What the interface is called (`Cloud Run Admin API`).
    #[must_use]
    pub fn title(&self) -> &'a str {
        &self.document.title
    }

    /// The path's parameters, decoded (`parent`: `projects/p/locations/l`).
    #[must_use]
    pub fn path_parameters(&self) -> &BTreeMap<String, String> {
        &self.path
    }

    /// The name of the schema that the body has, if the method takes one.
    #[must_use]
    pub fn request_schema(&self) -> Option<&'a str> {
        self.method.request.as_deref()
    }

    /// The fields that only the service sets, of the resource that the body is or has.
    pub fn set_by_service(&self) -> impl Iterator<Item = &'a str> {
        body::set_by_service(self)
    }

    /// Holds a query (without `?`) and a body against the method. `former` is the resource as the service has it, if it is known: it tells whether what cannot change does.
    #[must_use]
    pub fn check(&self, query: &str, body: Option<&Value>, former: Option<&Value>) -> Vec<Finding> {
        let mut findings = query::check(self, query);
        // A body of media has the resource in one of its parts, or nowhere.
        if !(self.method.takes_media && query.contains("uploadType=")) {
            findings.extend(body::check(self, query, body, former));
        }
        findings
    }

    /// Whether it changes a resource that exists.
    pub(super) fn is_update(&self) -> bool {
        matches!(self.method.id.rsplit('.').next(), Some("patch" | "update"))
    }

    pub(super) fn schema(&self, name: &str) -> Option<&'a Value> {
        self.document.schemas.get(name)
    }

    pub(super) fn finding(&self, level: Level, place: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding {
            file: format!("{} {}", self.document.name, self.method.id),
            level,
            place: place.into(),
            what: what.into(),
        }
    }
}

impl Document {
    fn new(name: &str, root: Value) -> Result<Self> {
        let text = |key: &'static str| {
            root[key]
                .as_str()
                .ok_or_else(|| undocumented("a discovery document lacks a field").with("field", key))
        };
        let address = text("rootUrl")?;
        let host = address
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned();
        let service = text("servicePath")?.to_owned();
        let mut methods = Vec::new();
        collect(&root, &service, &mut methods)?;
        if methods.is_empty() {
            return Err(undocumented("a discovery document has no method"));
        }
        let taken = |key: &str| root.get(key).cloned().unwrap_or(Value::Null);
        Ok(Self {
            name: name.to_owned(),
            host,
            title: text("title")?.to_owned(),
            schemas: taken("schemas"),
            parameters: taken("parameters"),
            methods,
        })
    }
}

/// The methods of a resource and of the resources below it.
fn collect(resource: &Value, service: &str, methods: &mut Vec<Method>) -> Result<()> {
    let each = |key: &str| {
        resource[key]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::values)
    };
    for method in each("methods") {
        methods.push(Method::new(method, service)?);
    }
    each("resources").try_for_each(|below| collect(below, service, methods))
}

impl Method {
    fn new(method: &Value, service: &str) -> Result<Self> {
        let text = |key: &'static str| {
            method[key]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| undocumented("a method lacks a field").with("field", key))
        };
        let mut patterns = BTreeMap::new();
        for (name, parameter) in method["parameters"].as_object().into_iter().flatten() {
            if let Some(pattern) = parameter["pattern"].as_str() {
                let read = Pattern::read(pattern).ok_or_else(|| {
                    undocumented("a parameter has a pattern of a form that is not known")
                        .with("pattern", pattern)
                })?;
                patterns.insert(name.clone(), read);
            }
        }
        Ok(Self {
            id: text("id")?,
            verb: text("httpMethod")?,
            template: Template::read(&format!("/{service}{}", text("path")?)),
            patterns,
            parameters: method.get("parameters").cloned().unwrap_or(Value::Null),
            request: method["request"]["$ref"].as_str().map(str::to_owned),
            takes_media: method["supportsMediaUpload"] == true,
        })
    }

    /// The path's parameters, if the path is this method's.
    fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let found = self.template.matches(path)?;
        let fits = |(name, value): (&String, &String)| {
            self.patterns
                .get(name)
                .is_none_or(|pattern| pattern.matches(value))
        };
        found.iter().all(fits).then_some(found)
    }
}

fn undocumented(message: &'static str) -> Error {
    Error::new(ErrorKind::Decode, OPERATION, message)
}
