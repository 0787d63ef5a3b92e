//! The bucket driver over the embedded host's resource API: an `object_store` whose every request is plain HTTP.

use std::any::Any;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use nephos_core::event::Body;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl};
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::client::{Client, failure, read};
use crate::wire::{bucket_path, object_path, query_value};

mod headers;
mod replies;
mod upload;

#[cfg(feature = "deploy")]
pub(crate) use self::headers::{attribute_name, attribute_of, insert, quote, unquote};
use self::headers::{get_headers, mode_headers, read_meta};
pub(crate) use self::headers::{read_attributes, write_attributes};
pub(crate) use self::replies::{ListReply, SignedReply, UploadReply, WireObject, WrittenReply};
use self::upload::LocalUpload;

/// What buckets on one machine can do: the same through the API and in the host itself.
pub const CAPABILITIES: BucketCapabilities = BucketCapabilities {
    put_if_absent: true,
    put_if_match: true,
    attributes: true,
    max_signed_url: Duration::from_secs(7 * 24 * 3600),
    max_key_bytes: 1024,
    nested_keys: false,
    ordered_list: true,
};

/// When an object was written, to the nanosecond; `last-modified` tells only the second.
pub(crate) const MODIFIED: HeaderName = HeaderName::from_static("nephos-modified");
/// The most entries of one page of a listing.
pub(crate) const PAGE: usize = 1000;
/// How many objects of a stream are deleted side by side.
const DELETES: usize = 8;

/// A core error as the store's, which keeps it whole as its source.
pub(crate) fn to_store_error(error: Error, key: &str) -> object_store::Error {
    let path = key.to_owned();
    let kind = error.kind();
    let source = Box::new(error);
    match kind {
        ErrorKind::NotFound => object_store::Error::NotFound { path, source },
        ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path, source },
        ErrorKind::Conflict => object_store::Error::Precondition { path, source },
        ErrorKind::PermissionDenied => object_store::Error::PermissionDenied { path, source },
        ErrorKind::Unauthenticated => object_store::Error::Unauthenticated { path, source },
        ErrorKind::Unsupported => object_store::Error::NotSupported { source },
        _ => object_store::Error::Generic {
            store: "nephos",
            source,
        },
    }
}

/// A bucket of the embedded host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalBucket {
    client: Client,
    name: Arc<str>,
}

impl LocalBucket {
    /// The bucket of this name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    fn object(&self, key: &str, query: &str) -> String {
        object_path(&self.name, key) + query
    }

    async fn page(
        &self,
        operation: &'static str,
        prefix: &str,
        delimiter: bool,
        from: &From,
    ) -> Result<ListReply> {
        let mut path = format!(
            "{}?list&prefix={}&limit={PAGE}",
            bucket_path(&self.name),
            query_value(prefix)
        );
        if delimiter {
            path.push_str("&delimiter=%2F");
        }
        match from {
            From::Start => {}
            From::Key(key) => path.push_str(&format!("&after={}", query_value(key))),
            From::Token(token) => path.push_str(&format!("&token={}", query_value(token))),
        }
        let request = request(operation, Method::GET, &path, HeaderMap::new())?;
        json(
            operation,
            self.client
                .send(operation, request.map(|()| Empty::<Bytes>::new()).map(Body::new))
                .await?,
        )
        .await
    }

    fn objects(
        &self,
        prefix: Option<&Path>,
        from: From,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        const OPERATION: &str = "bucket.list";
        let this = self.clone();
        let prefix = folder_prefix(prefix);
        stream::try_unfold(Some(from), move |from| {
            let (this, prefix) = (this.clone(), prefix.clone());
            async move {
                let Some(from) = from else { return Ok(None) };
                let page = this
                    .page(OPERATION, &prefix, false, &from)
                    .await
                    .map_err(|error| to_store_error(error, &prefix))?;
                let objects: Vec<_> = page.objects.into_iter().map(meta_of).collect();
                Ok::<_, object_store::Error>(Some((stream::iter(objects), page.next.map(From::Token))))
            }
        })
        .try_flatten()
        .boxed()
    }

    async fn delete_one(&self, key: &str) -> Result<()> {
        const OPERATION: &str = "bucket.delete";
        let request = request(OPERATION, Method::DELETE, &self.object(key, ""), HeaderMap::new())?;
        self.client.send(OPERATION, request.map(empty)).await.map(drop)
    }
}

/// Where a listing begins.
enum From {
    Start,
    Key(String),
    Token(String),
}

fn empty((): ()) -> Body {
    Body::empty()
}

fn request(operation: &'static str, method: Method, path: &str, headers: HeaderMap) -> Result<Request<()>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(())
        .map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the key cannot be in a URL",
            )
            .caused_by(error)
        })?;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn json<T: serde::de::DeserializeOwned>(
    operation: &'static str,
    response: Response<Incoming>,
) -> Result<T> {
    let bytes = read(operation, response).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            operation,
            "the embedded host's answer cannot be read",
        )
        .caused_by(error)
    })
}

/// The chunks of a payload as a body of known length.
fn body_of(payload: PutPayload) -> (u64, Body) {
    let length = payload.content_length() as u64;
    let frames = stream::iter(
        payload
            .into_iter()
            .map(|chunk| Ok::<_, std::convert::Infallible>(Frame::data(chunk))),
    );
    (length, Body::new(StreamBody::new(frames)))
}

fn meta_of(object: WireObject) -> object_store::Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(&object.key)?,
        last_modified: object.modified,
        size: object.size,
        e_tag: object.etag,
        version: None,
    })
}

impl Display for LocalBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} of the embedded host", self.name)
    }
}

#[async_trait]
impl ObjectStore for LocalBucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        const OPERATION: &str = "bucket.put";
        let put = async {
            let mut headers = HeaderMap::new();
            mode_headers(&options.mode, OPERATION, &mut headers)?;
            write_attributes(&options.attributes, &mut headers, OPERATION)?;
            let (length, body) = body_of(payload);
            headers.insert(CONTENT_LENGTH, length.into());
            let request = request(
                OPERATION,
                Method::PUT,
                &self.object(location.as_ref(), ""),
                headers,
            )?;
            let written: WrittenReply = json(
                OPERATION,
                self.client.send(OPERATION, request.map(|()| body)).await?,
            )
            .await?;
            Ok(put_result(written))
        };
        put.await
            .map_err(|error: Error| to_store_error(error, location.as_ref()))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        const OPERATION: &str = "bucket.put_multipart";
        let begin = async {
            let mut headers = HeaderMap::new();
            write_attributes(&options.attributes, &mut headers, OPERATION)?;
            let request = request(
                OPERATION,
                Method::POST,
                &self.object(location.as_ref(), "?upload"),
                headers,
            )?;
            let begun: UploadReply =
                json(OPERATION, self.client.send(OPERATION, request.map(empty)).await?).await?;
            Ok(begun)
        };
        let begun = begin
            .await
            .map_err(|error: Error| to_store_error(error, location.as_ref()))?;
        Ok(Box::new(LocalUpload {
            bucket: self.clone(),
            key: location.to_string(),
            id: begun.id,
            next: 1,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        const OPERATION: &str = "bucket.get";
        let failed = |error: Error| to_store_error(error, location.as_ref());
        let headers = get_headers(&options).map_err(failed)?;
        let method = if options.head { Method::HEAD } else { Method::GET };
        let request =
            request(OPERATION, method, &self.object(location.as_ref(), ""), headers).map_err(failed)?;
        let response = self
            .client
            .exchange(OPERATION, request.map(empty))
            .await
            .map_err(failed)?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::NOT_MODIFIED => {
                return Err(object_store::Error::NotModified {
                    path: location.to_string(),
                    source: "the object was not modified".into(),
                });
            }
            _ => return Err(failed(failure(OPERATION, response).await)),
        }
        let Some((meta, range)) = read_meta(location, response.headers()) else {
            return Err(failed(Error::new(
                ErrorKind::Internal,
                OPERATION,
                "the embedded host's answer lacks what is known of the object",
            )));
        };
        let attributes = read_attributes(response.headers());
        let key = location.to_string();
        let stream = response
            .into_body()
            .into_data_stream()
            .map_err(move |error| {
                let error = Error::new(
                    ErrorKind::Unavailable,
                    OPERATION,
                    "the connection to the embedded host broke off",
                )
                .caused_by(error);
                to_store_error(error, &key)
            })
            .boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream),
            meta,
            range,
            attributes,
            extensions: object_store::Extensions::default(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let this = self.clone();
        locations
            .map(move |location| {
                let this = this.clone();
                async move {
                    let location = location?;
                    this.delete_one(location.as_ref())
                        .await
                        .map_err(|error| to_store_error(error, location.as_ref()))?;
                    Ok(location)
                }
            })
            .buffered(DELETES)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects(prefix, From::Start)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects(prefix, From::Key(offset.to_string()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let prefix = folder_prefix(prefix);
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: object_store::Extensions::default(),
        };
        let mut from = From::Start;
        loop {
            let page = self
                .page("bucket.list", &prefix, true, &from)
                .await
                .map_err(|error| to_store_error(error, &prefix))?;
            for object in page.objects {
                result.objects.push(meta_of(object)?);
            }
            for prefix in page.prefixes {
                result.common_prefixes.push(Path::parse(prefix)?);
            }
            match page.next {
                Some(token) => from = From::Token(token),
                None => return Ok(result),
            }
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        const OPERATION: &str = "bucket.copy";
        let copy = async {
            let mut headers = HeaderMap::new();
            if options.mode == CopyMode::Create {
                mode_headers(&PutMode::Create, OPERATION, &mut headers)?;
            }
            let query = format!("?copy-from={}", query_value(from.as_ref()));
            let request = request(OPERATION, Method::PUT, &self.object(to.as_ref(), &query), headers)?;
            self.client.send(OPERATION, request.map(empty)).await.map(drop)
        };
        copy.await.map_err(|error: Error| {
            let key = if error.kind() == ErrorKind::NotFound {
                from
            } else {
                to
            };
            to_store_error(error, key.as_ref())
        })
    }
}

fn put_result(written: WrittenReply) -> PutResult {
    PutResult {
        e_tag: Some(written.etag),
        version: None,
        extensions: object_store::Extensions::default(),
    }
}

/// `object_store`'s prefixes are whole segments.
pub(crate) fn folder_prefix(prefix: Option<&Path>) -> String {
    match prefix {
        Some(prefix) if !prefix.as_ref().is_empty() => format!("{prefix}/"),
        _ => String::new(),
    }
}

#[async_trait]
impl BucketDriver for LocalBucket {
    fn capabilities(&self) -> BucketCapabilities {
        CAPABILITIES
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.clone())
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        const OPERATION: &str = "bucket.signed_url";
        let query = format!(
            "?sign={}&expires-in={}",
            method_name(method),
            expires_in.as_secs()
        );
        let request = request(
            OPERATION,
            Method::POST,
            &self.object(key, &query),
            HeaderMap::new(),
        )?;
        let signed: SignedReply =
            json(OPERATION, self.client.send(OPERATION, request.map(empty)).await?).await?;
        // The host's own URLs are enough by themselves.
        Ok(SignedUrl::new(signed.url))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The method's name in a URL.
pub(crate) const fn method_name(method: SignedMethod) -> &'static str {
    match method {
        SignedMethod::Get => "GET",
        SignedMethod::Put => "PUT",
        SignedMethod::Delete => "DELETE",
    }
}
