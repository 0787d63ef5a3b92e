//! Blobs: whether they are there, what they hold, and how they come, at once or in chunks.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs>

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};

use super::auth::Action;
use super::problem::{Attempt, Problem};
use super::{Asked, DOWNLOADS, Name, UPLOADS, Upload, digest, is_digest, with};
use crate::google_cloud::state::{Shared, State};
use crate::server::Answer;

const BYTES: &str = "application/octet-stream";

fn unknown(digest: &str) -> Problem {
    Problem::new(404, "BLOB_UNKNOWN", format!("blob {digest} is not there"))
}

fn valid(digest: &str) -> Attempt<()> {
    if is_digest(digest) {
        Ok(())
    } else {
        let what = format!("`{digest}` is not sha256: with 64 digits");
        Err(Problem::new(400, "DIGEST_INVALID", what))
    }
}

/// Project and repository of an image's name, for addresses.
fn place(name: &Name) -> (&str, &str) {
    let mut parts = name.whole.split('/');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A blob by its digest.
pub(super) fn blob(
    shared: &Shared,
    state: &mut State,
    asked: &Asked<'_>,
    name: &Name,
    digest: &str,
) -> Attempt<Answer> {
    if *asked.method != Method::GET && *asked.method != Method::HEAD {
        return Err(Problem::method());
    }
    asked.may(shared, state, name, Action::Pull)?;
    valid(digest)?;
    let contents = state.registry.contents(&name.repository);
    let size = contents.blobs.get(digest).ok_or_else(|| unknown(digest))?.len();
    if *asked.method == Method::HEAD {
        let headers = [
            ("content-type", BYTES),
            ("content-length", &size.to_string()),
            ("docker-content-digest", digest),
        ];
        return Ok(with(StatusCode::OK, &headers, Bytes::new()));
    }
    // Where it is read is told, and needs no token.
    let id = uuid::Uuid::new_v4().simple().to_string();
    let of = (name.repository.clone(), digest.to_owned());
    state.registry.downloads.insert(id.clone(), of);
    let (project, repository) = place(name);
    let location = format!("/{DOWNLOADS}/namespaces/{project}/repositories/{repository}/downloads/{id}");
    Ok(with(StatusCode::FOUND, &[("location", &location)], Bytes::new()))
}

/// What a blob holds, at the address that was told for it.
pub(super) fn download(state: &State, asked: &Asked<'_>, id: &str) -> Attempt<Answer> {
    if *asked.method != Method::GET {
        return Err(Problem::method());
    }
    let content = state
        .registry
        .downloads
        .get(id)
        .and_then(|(repository, digest)| state.registry.repositories.get(repository)?.blobs.get(digest));
    let content = content.ok_or_else(|| unknown(id))?;
    Ok(with(StatusCode::OK, &[("content-type", BYTES)], content.clone()))
}

/// Begins an upload, does it at once if all is there, or takes a blob that another image has.
pub(super) fn begin(shared: &Shared, state: &mut State, asked: &Asked<'_>, name: &Name) -> Attempt<Answer> {
    if *asked.method != Method::POST {
        return Err(Problem::method());
    }
    asked.may(shared, state, name, Action::Push)?;
    if let Some(digest) = asked.parameter("mount") {
        valid(digest)?;
        if let Some(from) = asked.parameter("from") {
            let from = Name::read(asked.region, from)?;
            asked.may(shared, state, &from, Action::Pull)?;
            let content = state
                .registry
                .contents(&from.repository)
                .blobs
                .get(digest)
                .cloned();
            if let Some(content) = content {
                return Ok(keep(state, name, digest, content));
            }
        }
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let upload = Upload {
        of: name.clone(),
        content: BytesMut::from(asked.body.as_ref()),
    };
    if let Some(digest) = asked.parameter("digest") {
        return finish(state, upload, digest);
    }
    if !asked.body.is_empty() {
        let what = "an upload that is begun has no content without its digest";
        return Err(Problem::new(400, "BLOB_UPLOAD_INVALID", what));
    }
    state.registry.uploads.insert(id.clone(), upload);
    Ok(going_on(StatusCode::ACCEPTED, name, &id, 0))
}

/// What is done with an upload that was begun.
pub(super) fn upload(shared: &Shared, state: &mut State, asked: &Asked<'_>, id: &str) -> Attempt<Answer> {
    let missing = || Problem::new(404, "BLOB_UPLOAD_UNKNOWN", "this upload is not there");
    let found = state.registry.uploads.get(id).ok_or_else(missing)?;
    let (name, length) = (found.of.clone(), found.content.len());
    asked.may(shared, state, &name, Action::Push)?;
    match asked.method.as_str() {
        "GET" => Ok(going_on(StatusCode::NO_CONTENT, &name, id, length)),
        "DELETE" => {
            state.registry.uploads.remove(id);
            Ok(with(StatusCode::NO_CONTENT, &[], Bytes::new()))
        }
        "PATCH" => {
            continues(asked, &name, id, length)?;
            let upload = state.registry.uploads.get_mut(id).ok_or_else(missing)?;
            upload.content.extend_from_slice(&asked.body);
            let length = upload.content.len();
            Ok(going_on(StatusCode::ACCEPTED, &name, id, length))
        }
        "PUT" => {
            let digest = asked.parameter("digest").unwrap_or_default();
            valid(digest)?;
            continues(asked, &name, id, length)?;
            let mut upload = state.registry.uploads.remove(id).ok_or_else(missing)?;
            upload.content.extend_from_slice(&asked.body);
            finish(state, upload, digest)
        }
        _ => Err(Problem::method()),
    }
}

/// Whether a chunk begins where the last one ended, and is as long as it says.
fn continues(asked: &Asked<'_>, name: &Name, id: &str, length: usize) -> Attempt<()> {
    let Some(range) = asked.header("content-range") else {
        return Ok(());
    };
    let ends = range
        .split_once('-')
        .and_then(|(first, last)| Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?)));
    match ends {
        Some((first, last)) if first == length && last + 1 == first + asked.body.len() => Ok(()),
        _ => {
            let what = format!("`{range}` does not go on where {length} bytes are there");
            let answer = Problem::new(416, "BLOB_UPLOAD_INVALID", what);
            Err(answer
                .header("location", address(name, id))
                .header("range", told(length)))
        }
    }
}

fn finish(state: &mut State, upload: Upload, wanted: &str) -> Attempt<Answer> {
    valid(wanted)?;
    let content = upload.content.freeze();
    let found = digest(&content);
    if found != wanted {
        let what = format!("the content has the digest {found}, not {wanted}");
        return Err(Problem::new(400, "DIGEST_INVALID", what));
    }
    Ok(keep(state, &upload.of, wanted, content))
}

fn keep(state: &mut State, name: &Name, digest: &str, content: Bytes) -> Answer {
    let contents = state.registry.contents(&name.repository);
    contents.blobs.insert(digest.to_owned(), content);
    let location = format!("/v2/{}/blobs/{digest}", name.whole);
    let headers = [("location", location.as_str()), ("docker-content-digest", digest)];
    with(StatusCode::CREATED, &headers, Bytes::new())
}

fn address(name: &Name, id: &str) -> String {
    let (project, repository) = place(name);
    format!("/{UPLOADS}/namespaces/{project}/repositories/{repository}/uploads/{id}")
}

/// A range of what is there; the specification has no form for nothing.
fn told(length: usize) -> String {
    format!("0-{}", length.saturating_sub(1))
}

fn going_on(status: StatusCode, name: &Name, id: &str, length: usize) -> Answer {
    let (location, range) = (address(name, id), told(length));
    let headers = [
        ("location", location.as_str()),
        ("range", range.as_str()),
        ("docker-upload-uuid", id),
    ];
    with(status, &headers, Bytes::new())
}
