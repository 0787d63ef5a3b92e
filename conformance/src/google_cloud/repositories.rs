//! Repositories of Artifact Registry; what is in them is the [registry](super::registry)'s: <https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories>.

use serde_json::{Map, Value};

use super::error::{Outcome, Refusal};

/// What a repository becomes when it is made or changed.
pub(super) fn prepare(name: &str, body: &mut Map<String, Value>, former: Option<&Value>) -> Outcome<()> {
    // Google's clients send the number of an enumeration.
    if body.get("format") == Some(&Value::from(1)) {
        body.insert("format".to_owned(), "DOCKER".into());
    }
    if body.get("format").is_some_and(Value::is_number) {
        let what = "of formats by number this stand-in knows DOCKER alone";
        return Err(Refusal::field("repository.format", what));
    }
    let format = body.get("format").and_then(Value::as_str).unwrap_or_default();
    if format.is_empty() || format == "FORMAT_UNSPECIFIED" {
        return Err(Refusal::field("repository.format", "it is required"));
    }
    if former.is_some_and(|former| former["format"] != format) {
        return Err(Refusal::field("repository.format", "it cannot change any more"));
    }
    let parts: Vec<&str> = name.split('/').collect();
    if let [_, project, _, region, _, id] = parts[..] {
        let kind = format.to_ascii_lowercase();
        let uri = format!("{region}-{kind}.pkg.dev/{project}/{id}");
        body.insert("registryUri".to_owned(), uri.into());
    }
    body.entry("mode").or_insert_with(|| "STANDARD_REPOSITORY".into());
    Ok(())
}
