//! A body, walked along its schema.

use serde_json::{Map, Value};

use super::document::Call;
use super::mask::Mask;
use super::prose::{Behaviour, behaviour};
use super::{Finding, Level, format, query};

/// Holds a body against the method's schema.
pub(super) fn check(
    call: &Call<'_>,
    query: &str,
    body: Option<&Value>,
    former: Option<&Value>,
) -> Vec<Finding> {
    let Some(name) = call.request_schema() else {
        return match body {
            Some(Value::Object(fields)) if fields.is_empty() => Vec::new(),
            Some(_) => vec![call.finding(Level::Error, "body", "the method takes no body")],
            None => Vec::new(),
        };
    };
    let mut walk = Walk {
        call,
        findings: Vec::new(),
        mask: query::mask(call, query),
        resource: None,
    };
    let Some(schema) = walk.find(name, "body") else {
        return walk.findings;
    };
    let empty = Value::Object(Map::new());
    let body = body.unwrap_or(&empty);
    let former = former.filter(|_| call.is_update());
    if call.is_update()
        && let Some((field, resource)) = wrapped(schema)
    {
        // The request has the resource in one of its fields, and the mask beside it.
        walk.resource = Some(field.to_owned());
        walk.mask = body["updateMask"].as_str().map(Mask::read);
        if let Some(mask) = walk.mask.clone() {
            walk.findings.extend(mask.check(call, resource, "updateMask"));
        }
    }
    let at = Position {
        place: String::new(),
        // Outside of the resource there is no path of a mask.
        path: walk.resource.is_none().then(String::new),
        former: former.filter(|_| walk.resource.is_none()),
        is_root: true,
    };
    walk.value(schema, body, &at, former);
    walk.findings
}

/// The fields of a resource that only its service sets.
pub(super) fn set_by_service<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a str> {
    let request = call.request_schema().and_then(|name| call.schema(name));
    let resource = request.and_then(|schema| match wrapped(schema) {
        Some((_, field)) => call.schema(field["$ref"].as_str()?),
        None => Some(schema),
    });
    resource
        .and_then(|schema| schema["properties"].as_object())
        .into_iter()
        .flatten()
        .filter(|(_, field)| behaviour(field).output_only)
        .map(|(name, _)| name.as_str())
}

/// The field of a request that has the resource, where the request has a mask too.
fn wrapped(schema: &Value) -> Option<(&str, &Value)> {
    let fields = schema["properties"].as_object()?;
    fields.get("updateMask")?;
    let mut resources = fields.iter().filter(|(_, field)| field.get("$ref").is_some());
    let (name, resource) = resources.next()?;
    resources.next().is_none().then_some((name.as_str(), resource))
}

struct Walk<'c, 'd> {
    call: &'c Call<'d>,
    findings: Vec<Finding>,
    mask: Option<Mask>,
    /// The field of the body that has the resource, if it is not the body itself.
    resource: Option<String>,
}

/// Where the walk is.
struct Position<'v> {
    /// For people: `template.containers[0]`.
    place: String,
    /// In words of a mask, below the resource; none inside of lists and maps, which are replaced as a whole.
    path: Option<String>,
    /// The same place in what the service has.
    former: Option<&'v Value>,
    /// Whether this is the resource or the request: what its path names need not be said again.
    is_root: bool,
}

impl<'d> Walk<'_, 'd> {
    fn error(&mut self, place: &str, what: impl Into<String>) {
        let place = if place.is_empty() { "body" } else { place };
        self.findings.push(self.call.finding(Level::Error, place, what));
    }

    /// Whether the body is a merge patch, which only Cloud Storage takes.
    fn is_merged(&self) -> bool {
        let id = self.call.id();
        id.starts_with("storage.") && id.ends_with(".patch")
    }

    fn find(&mut self, name: &str, place: &str) -> Option<&'d Value> {
        let found = self.call.schema(name);
        if found.is_none() {
            self.error(place, format!("the document has no schema `{name}`"));
        }
        found
    }

    /// `whole` is what the service has as a whole, for the field that has the resource.
    fn value(&mut self, schema: &Value, value: &Value, at: &Position<'_>, whole: Option<&Value>) {
        if let Some(name) = schema["$ref"].as_str() {
            if let Some(schema) = self.find(name, &at.place) {
                self.value(schema, value, at, whole);
            }
            return;
        }
        match schema["type"].as_str().unwrap_or_default() {
            "any" => {}
            "object" => match value {
                Value::Object(fields) => self.object(schema, fields, at, whole),
                _ => self.error(&at.place, format!("is {}, not an object", format::name(value))),
            },
            "array" => match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let below = Position {
                            place: format!("{}[{index}]", at.place),
                            path: None,
                            former: None,
                            is_root: false,
                        };
                        self.value(&schema["items"], item, &below, None);
                    }
                }
                _ => self.error(&at.place, format!("is {}, not a list", format::name(value))),
            },
            _ => {
                if let Some((level, what)) = format::check(schema, value) {
                    self.findings.push(self.call.finding(level, &at.place, what));
                }
            }
        }
    }

    fn object(
        &mut self,
        schema: &Value,
        fields: &Map<String, Value>,
        at: &Position<'_>,
        whole: Option<&Value>,
    ) {
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        for (name, value) in fields {
            let place = join(&at.place, name);
            let Some(field) = known.get(name) else {
                match schema.get("additionalProperties") {
                    // Of a merge patch, an entry that is null is taken away: https://cloud.google.com/storage/docs/json_api#patch.
                    Some(_) if value.is_null() && self.is_merged() => {}
                    Some(each) => {
                        let below = Position {
                            place,
                            path: None,
                            former: None,
                            is_root: false,
                        };
                        self.value(each, value, &below, None);
                    }
                    None => self.error(&place, unknown(name, known)),
                }
                continue;
            };
            // In the JSON of protocol buffers a field that is null is not there.
            if value.is_null() {
                continue;
            }
            let is_resource = at.is_root && self.resource.as_deref() == Some(name);
            let below = Position {
                place,
                path: if is_resource {
                    Some(String::new())
                } else {
                    at.path.as_ref().map(|path| join(path, name))
                },
                former: if is_resource {
                    whole
                } else {
                    at.former.and_then(|former| former.get(name))
                },
                is_root: is_resource,
            };
            let mut says = behaviour(field);
            // A client sends the name along that stands in the path.
            says.output_only &= !(at.is_root && self.call.path.contains_key(name));
            self.behaves(says, value, &below, at.former.is_some());
            if field["deprecated"] == true {
                self.findings
                    .push(self.call.finding(Level::Warning, &below.place, "is deprecated"));
            }
            self.value(field, value, &below, None);
        }
        for (name, field) in known {
            if fields.get(name).is_none_or(Value::is_null) {
                self.lacks(name, behaviour(field), at);
            }
        }
    }

    /// What the service alone sets, and what cannot change.
    fn behaves(&mut self, field: Behaviour, value: &Value, at: &Position<'_>, is_known: bool) {
        // Who reads, changes and writes sends along what the service has set; that is no mistake. Where it is another value the service ignores it. Nobody has it at first.
        // An etag is sent for the service to compare.
        let is_etag = at.place.rsplit('.').next() == Some("etag");
        if field.output_only && !is_etag && at.former != Some(value) {
            let (level, what) = if self.call.is_update() {
                (Level::Warning, "only the service sets it, and ignores this")
            } else {
                (Level::Error, "only the service sets it")
            };
            self.findings.push(self.call.finding(level, &at.place, what));
        }
        let differs = is_known && at.former != Some(value);
        if field.immutable && differs && self.call.is_update() && self.is_meant(at.path.as_deref()) {
            self.error(&at.place, "cannot change any more");
        }
    }

    /// Whether an update is about the field: without a mask it is about all that is there.
    fn is_meant(&self, path: Option<&str>) -> bool {
        match (&self.mask, path) {
            (Some(mask), Some(path)) => mask.covers(path),
            _ => true,
        }
    }

    /// A field that is not there.
    fn lacks(&mut self, name: &str, field: Behaviour, at: &Position<'_>) {
        let needed = field.required || (field.required_at_first && !self.call.is_update());
        // What the path says need not be said again.
        if !needed || (at.is_root && self.call.path.contains_key(name)) {
            return;
        }
        let place = join(&at.place, name);
        let path = at.path.as_ref().map(|path| join(path, name));
        match (self.call.is_update(), &self.mask, path) {
            (true, Some(mask), Some(path)) if !mask.covers(&path) => {}
            // Some services replace the resource then, and others only what is there.
            (true, None, Some(path)) if !path.contains('.') => self.findings.push(self.call.finding(
                Level::Warning,
                place,
                "is required where the update has no mask and replaces everything",
            )),
            _ => self.error(&place, "is required"),
        }
    }
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    }
}

/// The sentence for a field that is not known, with the one that was meant if only its spelling differs.
fn unknown(name: &str, known: &Map<String, Value>) -> String {
    let bare = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    match known.keys().find(|other| bare(other) == bare(name)) {
        Some(other) => format!("there is no such field; `{other}` is one"),
        None => "there is no such field".to_owned(),
    }
}
