//! The client of HTTPS that all services are asked by.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, new_http_client};

/// HTTPS by rustls on ring. It is made at the first request: it reads all certificates that the machine trusts, which takes longer than the rest of a function's start,
/// and many functions ask nobody unless something fails.
pub(super) fn https() -> Arc<dyn HttpClient> {
    super::choose_cryptography();
    Arc::new(Https(OnceLock::new()))
}

struct Https(OnceLock<Arc<dyn HttpClient>>);

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Https")
    }
}

#[async_trait]
impl HttpClient for Https {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.0
            .get_or_init(|| new_http_client(None))
            .execute_request(request)
            .await
    }
}
