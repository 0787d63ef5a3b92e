//! Manifests and tags: <https://github.com/opencontainers/image-spec/blob/main/manifest.md>,
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>.

use bytes::Bytes;
use chrono::Utc;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::auth::Action;
use super::problem::{Attempt, Problem};
use super::{Asked, Contents, Manifest, Name, digest, is_digest, with};
use crate::google_cloud::kinds::REPOSITORY;
use crate::google_cloud::state::{Shared, State};
use crate::server::{self, Answer};

/// The most that a manifest has.
const LARGEST: usize = 4 * 1024 * 1024;
/// Of one image.
const IMAGES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Of images for several platforms.
pub(super) const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

fn unknown(reference: &str) -> Problem {
    Problem::new(
        404,
        "MANIFEST_UNKNOWN",
        format!("Failed to fetch \"{reference}\""),
    )
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::new(400, "MANIFEST_INVALID", what)
}

/// A manifest by its digest or its tag.
pub(super) fn manifest(
    shared: &Shared,
    state: &mut State,
    asked: &Asked<'_>,
    name: &Name,
    reference: &str,
) -> Attempt<Answer> {
    let action = match asked.method.as_str() {
        "GET" | "HEAD" => Action::Pull,
        "PUT" => Action::Push,
        "DELETE" => Action::Delete,
        _ => return Err(Problem::method()),
    };
    asked.may(shared, state, name, action)?;
    if !is_digest(reference) && !is_tag(reference) {
        let what = format!("`{reference}` is neither a digest nor a tag");
        return Err(Problem::new(400, "TAG_INVALID", what));
    }
    match action {
        Action::Push => put(state, asked, name, reference),
        Action::Delete => delete(state, name, reference),
        Action::Pull => {
            let contents = state.registry.contents(&name.repository);
            let (digest, manifest) =
                find(contents, &name.image, reference).ok_or_else(|| unknown(reference))?;
            let length = manifest.content.len().to_string();
            let headers = [
                ("content-type", manifest.media_type.as_str()),
                ("content-length", &length),
                ("docker-content-digest", digest),
            ];
            let body = if *asked.method == Method::HEAD {
                Bytes::new()
            } else {
                manifest.content.clone()
            };
            Ok(with(StatusCode::OK, &headers, body))
        }
    }
}

/// A manifest with its digest.
pub(super) fn find<'a>(
    contents: &'a Contents,
    image: &str,
    reference: &str,
) -> Option<(&'a str, &'a Manifest)> {
    let package = contents.packages.get(image)?;
    let digest = package.tags.get(reference).map_or(reference, String::as_str);
    let (digest, manifest) = package.manifests.get_key_value(digest)?;
    Some((digest, manifest))
}

fn is_tag(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=128).contains(&text.len()) && text.chars().all(known) && !text.starts_with(['.', '-'])
}

fn put(state: &mut State, asked: &Asked<'_>, name: &Name, reference: &str) -> Attempt<Answer> {
    if asked.body.len() > LARGEST {
        let what = format!("a manifest has at most {LARGEST} bytes");
        return Err(Problem::new(413, "SIZE_INVALID", what));
    }
    let media_type = asked.header("content-type").unwrap_or_default();
    let body: Value =
        serde_json::from_slice(&asked.body).map_err(|error| invalid(format!("it is no JSON: {error}")))?;
    let found = digest(&asked.body);
    if is_digest(reference) && reference != found {
        let what = format!("the manifest has the digest {found}, not {reference}");
        return Err(Problem::new(400, "DIGEST_INVALID", what));
    }
    let immutable = state
        .get(&REPOSITORY, &name.repository)
        .is_ok_and(|repository| repository.body["dockerConfig"]["immutableTags"] == true);
    let contents = state.registry.contents(&name.repository);
    check(contents, &name.image, media_type, &body)?;
    let package = contents.packages.entry(name.image.clone()).or_default();
    if !is_digest(reference) {
        let former = package.tags.get(reference);
        if immutable && former.is_some_and(|former| *former != found) {
            let what = format!("the tag {reference} is there, and tags of this repository do not change");
            return Err(Problem::new(400, "DENIED", what));
        }
        package.tags.insert(reference.to_owned(), found.clone());
    }
    let manifest = Manifest {
        media_type: media_type.to_owned(),
        content: asked.body.clone(),
        uploaded: Utc::now(),
    };
    package.manifests.entry(found.clone()).or_insert(manifest);
    let location = format!("/v2/{}/manifests/{found}", name.whole);
    let headers = [
        ("location", location.as_str()),
        ("docker-content-digest", found.as_str()),
    ];
    Ok(with(StatusCode::CREATED, &headers, Bytes::new()))
}

/// Whether a manifest says what it is, and all that it refers to is there.
fn check(contents: &Contents, image: &str, media_type: &str, body: &Value) -> Attempt<()> {
    let (is_image, is_index) = (IMAGES.contains(&media_type), INDEXES.contains(&media_type));
    if !is_image && !is_index {
        return Err(invalid(format!("`{media_type}` is no media type of a manifest")));
    }
    match body["mediaType"].as_str() {
        Some(own) if own != media_type => {
            return Err(invalid(format!(
                "it is sent as {media_type}, and says that it is {own}"
            )));
        }
        None if media_type.contains("docker") => return Err(invalid("mediaType is not there")),
        _ => {}
    }
    if body["schemaVersion"] != 2 {
        return Err(invalid("schemaVersion is not 2"));
    }
    let list = |field: &str| {
        let found = body[field].as_array().cloned();
        found.ok_or_else(|| invalid(format!("{field} is not a list")))
    };
    if is_index {
        let known = contents.packages.get(image);
        for entry in list("manifests")? {
            let (digest, size) = descriptor(&entry)?;
            let manifest = known.and_then(|package| package.manifests.get(digest));
            there(digest, size, manifest.map(|manifest| manifest.content.len()))?;
        }
        return Ok(());
    }
    let mut all = list("layers")?;
    all.push(body["config"].clone());
    for entry in &all {
        let (digest, size) = descriptor(entry)?;
        there(digest, size, contents.blobs.get(digest).map(Bytes::len))?;
    }
    Ok(())
}

/// Digest and size of what is referred to: <https://github.com/opencontainers/image-spec/blob/main/descriptor.md>.
fn descriptor(entry: &Value) -> Attempt<(&str, u64)> {
    let digest = entry["digest"].as_str().unwrap_or_default();
    match entry["size"].as_u64() {
        Some(size) if is_digest(digest) && entry["mediaType"].is_string() => Ok((digest, size)),
        _ => Err(invalid(format!("{entry} lacks a media type, a digest or a size"))),
    }
}

fn there(digest: &str, size: u64, found: Option<usize>) -> Attempt<()> {
    match found {
        None => Err(Problem::new(
            400,
            "MANIFEST_BLOB_UNKNOWN",
            format!("the manifest refers to {digest}, which is not there"),
        )),
        Some(found) if found as u64 != size => {
            Err(invalid(format!("{digest} has {found} bytes, not {size}")))
        }
        Some(_) => Ok(()),
    }
}

fn delete(state: &mut State, name: &Name, reference: &str) -> Attempt<Answer> {
    let contents = state.registry.contents(&name.repository);
    let package = contents
        .packages
        .get_mut(&name.image)
        .ok_or_else(|| unknown(reference))?;
    let was_there = if is_digest(reference) {
        package.tags.retain(|_, digest| digest != reference);
        package.manifests.remove(reference).is_some()
    } else {
        package.tags.remove(reference).is_some()
    };
    if was_there {
        Ok(with(StatusCode::ACCEPTED, &[], Bytes::new()))
    } else {
        Err(unknown(reference))
    }
}

/// The tags of an image, and what Artifact Registry tells with them of its versions.
pub(super) fn tags(shared: &Shared, state: &State, asked: &Asked<'_>, name: &Name) -> Attempt<Answer> {
    if *asked.method != Method::GET {
        return Err(Problem::method());
    }
    asked.may(shared, state, name, Action::Pull)?;
    let contents = state.registry.repositories.get(&name.repository);
    let package = contents
        .and_then(|contents| contents.packages.get(&name.image))
        .ok_or_else(|| Problem::new(404, "NAME_UNKNOWN", format!("Image \"{}\" not found", name.image)))?;
    let most = match asked.parameter("n").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(most)) => most,
        Some(Err(_)) => return Err(Problem::new(400, "PAGINATION_NUMBER_INVALID", "n is a number")),
    };
    let after = asked.parameter("last");
    let mut left = package
        .tags
        .keys()
        .filter(|tag| after.is_none_or(|after| tag.as_str() > after));
    let page: Vec<&String> = left.by_ref().take(most).collect();
    let mut versions = Map::new();
    for (digest, manifest) in &package.manifests {
        let own = package.tags.iter().filter(|(_, of)| *of == digest);
        let own: Vec<&String> = own.map(|(tag, _)| tag).collect();
        let uploaded = manifest.uploaded.timestamp_millis().to_string();
        let version = json!({"mediaType": manifest.media_type, "tag": own, "timeUploadedMs": uploaded});
        versions.insert(digest.clone(), version);
    }
    let body = json!({"name": name.whole, "tags": page, "child": [], "manifest": versions});
    let mut answer = server::json(StatusCode::OK, &body);
    if let (Some(last), Some(_)) = (page.last(), left.next()) {
        let next = format!(
            "</v2/{}/tags/list?n={most}&last={last}>; rel=\"next\"",
            name.whole
        );
        if let Ok(next) = next.parse() {
            answer.headers_mut().insert("link", next);
        }
    }
    Ok(answer)
}
