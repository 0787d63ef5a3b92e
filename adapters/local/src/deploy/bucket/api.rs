//! The buckets' part of the resource API: objects by plain HTTP, with ranges, conditions, uploads in parts, and signed URLs.

mod answer;
mod ask;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use chrono::Utc;
use futures::StreamExt as _;
use nephos_core::resource::bucket::SignedMethod;
use nephos_core::resource::{Access, ResourceKind};
use nephos_core::{Error, ErrorKind, Result};

use self::ask::{Ask, Verb, range, times};
use super::files::check_key;
use super::list::{After, Entry, after_token, token};
use super::sign::method_of;
use super::{FolderBucket, Incoming, UrlSigner};
use crate::resources::bucket::{
    ListReply, PAGE, SignedReply, UploadReply, WireObject, WrittenReply, read_attributes,
};

/// Says who may do what. Implemented by whoever hands out the tokens.
pub trait Authorize: Debug + Send + Sync + 'static {
    /// Whether the holder of `token` may do this with a resource.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for a token that nobody was given, [`ErrorKind::PermissionDenied`] for what its holder may not do.
    fn authorize(&self, token: &str, kind: ResourceKind, name: &str, access: Access) -> Result<()>;
}

#[derive(Debug)]
struct Api {
    buckets: BTreeMap<String, FolderBucket>,
    authorize: Arc<dyn Authorize>,
    signer: Option<UrlSigner>,
}

/// The routes `/v1/bucket/{name}` and `/v1/bucket/{name}/{key}` over these buckets. Without a signer there are no signed URLs.
pub fn router(
    buckets: impl IntoIterator<Item = FolderBucket>,
    authorize: Arc<dyn Authorize>,
    signer: Option<UrlSigner>,
) -> Router {
    let api = Arc::new(Api {
        buckets: buckets
            .into_iter()
            .map(|bucket| (bucket.name().to_owned(), bucket))
            .collect(),
        authorize,
        signer,
    });
    Router::new()
        .route("/v1/bucket/{bucket}", any(handle))
        .route("/v1/bucket/{bucket}/", any(handle))
        .route("/v1/bucket/{bucket}/{*key}", any(handle))
        .with_state(api)
}

async fn handle(State(api): State<Arc<Api>>, request: Request) -> Response {
    match api.answer(request).await {
        Ok(response) => response,
        Err(error) => answer::refusal(&error),
    }
}

impl Api {
    async fn answer(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let ask = Ask::read(&parts)?;
        self.admit(&ask)?;
        let bucket = self.buckets.get(&ask.bucket).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "bucket.open",
                "no such bucket; declare it in nephos.toml",
            )
            .with("bucket", &ask.bucket)
        })?;
        match &ask.verb {
            Verb::List => list(bucket, &ask).await,
            Verb::Get | Verb::Head => get(bucket, &ask).await,
            Verb::Put => put(bucket, &ask, body).await,
            Verb::Copy(from) => copy(bucket, &ask, from).await,
            Verb::Delete => {
                bucket.delete_object(&ask.key).await?;
                Ok(answer::done())
            }
            Verb::Begin => {
                let id = bucket.begin_upload(&ask.key, read_attributes(&ask.headers))?;
                answer::json(&UploadReply { id })
            }
            Verb::Part(upload, number) => {
                // Before the bytes are taken in.
                bucket.parts(&ask.key, upload)?;
                let incoming = take_in(bucket, &ask.key, body).await?;
                let part = bucket.add_part(&ask.key, upload, *number, incoming)?;
                answer::written(&WrittenReply { etag: part.etag })
            }
            Verb::Complete(upload) => {
                let written = bucket
                    .complete_upload(&ask.key, upload, None, ask.mode()?)
                    .await?;
                answer::written(&WrittenReply { etag: written.etag })
            }
            Verb::Abort(upload) => {
                bucket.abort_upload(&ask.key, upload)?;
                Ok(answer::done())
            }
            Verb::Sign(method) => self.sign(&ask, *method),
        }
    }

    /// Lets in whoever has a token that is good for it, or a signed URL for just this.
    fn admit(&self, ask: &Ask) -> Result<()> {
        if let Some(signature) = ask.query.get("signature") {
            return self.admit_signed(ask, signature);
        }
        let token = ask.token().ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "bucket.open",
                "the request has no token; send `Authorization: Bearer …` or use a signed URL",
            )
        })?;
        ask.access().iter().try_for_each(|access| {
            self.authorize
                .authorize(token, ResourceKind::Bucket, &ask.bucket, *access)
        })
    }

    fn admit_signed(&self, ask: &Ask, signature: &str) -> Result<()> {
        let refuse = |message: &'static str| {
            Error::new(ErrorKind::PermissionDenied, "bucket.signed_url", message)
                .with("bucket", &ask.bucket)
                .with("key", &ask.key)
        };
        let signer = self
            .signer
            .as_ref()
            .ok_or_else(|| refuse("this host has no signed URLs"))?;
        let method = match ask.verb {
            Verb::Get | Verb::Head => SignedMethod::Get,
            Verb::Put => SignedMethod::Put,
            Verb::Delete => SignedMethod::Delete,
            _ => {
                return Err(refuse(
                    "a signed URL is for one plain request; this needs a token",
                ));
            }
        };
        let named = ask.query.get("method").and_then(|name| method_of(name));
        if named != Some(method) {
            return Err(refuse("the signed URL is for another method"));
        }
        let expires = ask
            .query
            .get("expires")
            .and_then(|expires| expires.parse().ok())
            .ok_or_else(|| refuse("the signed URL does not say when it expires"))?;
        signer.check(&ask.bucket, method, &ask.key, Utc::now(), expires, signature)
    }

    fn sign(&self, ask: &Ask, method: SignedMethod) -> Result<Response> {
        const OPERATION: &str = "bucket.signed_url";
        check_key(&ask.key, OPERATION)?;
        let signer = self.signer.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, OPERATION, "this host has no signed URLs")
                .with("bucket", &ask.bucket)
        })?;
        let longest = crate::resources::bucket::CAPABILITIES.max_signed_url;
        let life = ask
            .query
            .get("expires-in")
            .and_then(|seconds| seconds.parse().ok())
            .map(std::time::Duration::from_secs)
            .filter(|life| *life <= longest)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    OPERATION,
                    "`expires-in` must be whole seconds, at most seven days",
                )
                .with("max_s", longest.as_secs())
            })?;
        answer::json(&SignedReply {
            url: signer.sign(&ask.bucket, method, &ask.key, Utc::now(), life),
        })
    }
}

async fn list(bucket: &FolderBucket, ask: &Ask) -> Result<Response> {
    let query = |name: &str| ask.query.get(name).map(String::as_str);
    let after = match (query("token"), query("after")) {
        (Some(token), _) => after_token(token)?,
        (None, Some(key)) => After::Key(key.to_owned()),
        (None, None) => After::Start,
    };
    let limit = match query("limit") {
        None => PAGE,
        Some(limit) => limit.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "bucket.list",
                "`limit` must be a number of at least 1",
            )
            .with("limit", limit)
        })?,
    };
    let page = bucket
        .page(
            query("prefix").unwrap_or_default(),
            after,
            query("delimiter"),
            limit.min(PAGE),
        )
        .await?;
    let mut reply = ListReply {
        next: page.entries.last().filter(|_| page.more).map(token),
        ..ListReply::default()
    };
    for entry in page.entries {
        match entry {
            Entry::Object(meta) => reply.objects.push(WireObject {
                key: meta.location.to_string(),
                size: meta.size,
                etag: meta.e_tag,
                modified: meta.last_modified,
            }),
            Entry::Prefix(prefix) => reply.prefixes.push(prefix),
        }
    }
    answer::json(&reply)
}

async fn get(bucket: &FolderBucket, ask: &Ask) -> Result<Response> {
    let mut options = times(&ask.headers);
    options.head = ask.verb == Verb::Head;
    options.range = range(&ask.headers);
    let ranged = options.range.is_some();
    match bucket.content(&ask.key, options).await {
        Ok(content) => answer::content(content, ranged),
        Err(object_store::Error::NotModified { .. }) => Ok(answer::not_modified()),
        Err(error) => Err(error.into()),
    }
}

async fn put(bucket: &FolderBucket, ask: &Ask, body: Body) -> Result<Response> {
    let mode = ask.mode()?;
    let attributes = read_attributes(&ask.headers);
    let incoming = take_in(bucket, &ask.key, body).await?;
    let written = bucket.commit(&ask.key, incoming, mode, attributes).await?;
    answer::written(&WrittenReply { etag: written.etag })
}

async fn copy(bucket: &FolderBucket, ask: &Ask, from: &str) -> Result<Response> {
    let written = bucket.copy_object(from, &ask.key, ask.mode()?, None).await?;
    answer::written(&WrittenReply { etag: written.etag })
}

/// Takes a request's body into a hidden file. If it breaks off, nothing is left.
async fn take_in(bucket: &FolderBucket, key: &str, body: Body) -> Result<Incoming> {
    check_key(key, "bucket.put")?;
    let mut incoming = bucket.incoming().await?;
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            Error::new(
                ErrorKind::Cancelled,
                "bucket.put",
                "the content broke off; nothing was stored",
            )
            .with("key", key)
            .caused_by(error)
        })?;
        incoming.write(chunk).await?;
    }
    incoming.flush().await?;
    Ok(incoming)
}
