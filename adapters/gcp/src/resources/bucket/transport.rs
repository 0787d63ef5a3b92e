//! How `object_store`'s requests are sent: by the configuration's one client of HTTPS, with what `object_store` itself does not say.

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::{HeaderName, HeaderValue, Method};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};

use crate::config::Https;

/// A condition of reading that goes along with a request as an extension: `object_store` knows etags only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

/// <https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogifgenerationmatch>
const GENERATION_MATCH: HeaderName = HeaderName::from_static("x-goog-if-generation-match");

/// Gives `object_store` its client.
#[derive(Debug)]
pub(super) struct Connector(Https);

impl Connector {
    pub(super) fn new(https: &Https) -> Self {
        Self(https.clone())
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Transport(self.0.clone())))
    }
}

#[derive(Debug)]
struct Transport(Https);

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(Generation(generation)) = request.extensions().get().copied() {
            request
                .headers_mut()
                .insert(GENERATION_MATCH, HeaderValue::from(generation));
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let headers = request.headers_mut();
        if is_read {
            // Without it, Cloud Storage unpacks what is stored as gzip, and tells neither size nor ranges of it:
            // <https://cloud.google.com/storage/docs/transcoding>
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        // The header is there even if there is no token.
        if headers
            .get(AUTHORIZATION)
            .is_some_and(|value| value.as_bytes().trim_ascii_end() == b"Bearer")
        {
            headers.remove(AUTHORIZATION);
        }
        let client = self
            .0
            .client()
            .map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        client.call(request).await.map_err(in_doubt)
    }
}

/// `object_store` takes a connection that ended without an answer for a request that was not sent, and sends any such request again. It may have been done: of a conditional
/// write the second try would be refused, and its own success be told as somebody else's write.
fn in_doubt(error: HttpError) -> HttpError {
    match error.kind() {
        HttpErrorKind::Request => HttpError::new(HttpErrorKind::Interrupted, error),
        _ => error,
    }
}
