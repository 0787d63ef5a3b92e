//! Google's public keys, by which tokens are verified: fetched when the first token comes, and kept for as long as Google says.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::jwk::JwkSet;
use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::fetch;
use crate::events::token::Keys as _;

/// The longest set of keys that is read, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// How long a set counts: Google changes keys over days, and says hours.
const KEPT: Duration = Duration::from_secs(3_600);
/// How long it is not asked again for a key that it did not have: anyone may send a token of a key that there is not.
const PAUSE: Duration = Duration::from_secs(30);

/// Where keys come from.
#[async_trait]
pub(super) trait Source: Debug + Send + Sync {
    /// The set at this address.
    async fn fetch(&self, url: &str) -> Result<JwkSet>;
}

/// Google's own servers.
#[derive(Debug)]
struct Google;

#[async_trait]
impl Source for Google {
    async fn fetch(&self, url: &str) -> Result<JwkSet> {
        let unusable = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Unavailable,
                "token.keys",
                "the keys by which tokens are verified cannot be read",
            )
            .with("url", url)
            .with("reason", error)
        };
        let address = Url::parse(url).map_err(|error| unusable(&error))?;
        let bytes = fetch::get(&address, MAX_BYTES).await?;
        serde_json::from_slice(&bytes).map_err(|error| unusable(&error))
    }
}

/// The keys that were fetched.
#[derive(Debug)]
pub(super) struct KeyRing {
    source: Arc<dyn Source>,
    held: Mutex<HashMap<&'static str, Held>>,
}

#[derive(Debug)]
struct Held {
    keys: Arc<JwkSet>,
    since: Instant,
}

impl Default for KeyRing {
    fn default() -> Self {
        Self::of(Arc::new(Google))
    }
}

impl KeyRing {
    pub(super) fn of(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            held: Mutex::default(),
        }
    }

    /// The set of keys at `url`, fetched anew where it has no key of this id, or is old.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if there is none, and none can be fetched.
    pub(super) async fn with(&self, url: &'static str, id: &str) -> Result<Arc<JwkSet>> {
        // Others wait for the same set.
        let mut held = self.held.lock().await;
        if let Some(known) = held.get(url) {
            let age = known.since.elapsed();
            if age < PAUSE || (age < KEPT && known.keys.key(id).is_some()) {
                return Ok(Arc::clone(&known.keys));
            }
        }
        let keys = match self.source.fetch(url).await {
            Ok(keys) => Arc::new(keys),
            // An old key is better than none: it is Google's all the same.
            Err(error) => match held.get(url) {
                Some(known) => {
                    tracing::warn!(error = %error.chain(), "keys could not be fetched anew");
                    return Ok(Arc::clone(&known.keys));
                }
                None => return Err(error),
            },
        };
        let since = Instant::now();
        held.insert(
            url,
            Held {
                keys: Arc::clone(&keys),
                since,
            },
        );
        Ok(keys)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::events::token::CALLERS_KEYS;
    use crate::events::token::tests::keys;

    /// A source of the tests' own key, that counts.
    #[derive(Debug, Default)]
    pub(crate) struct Known(pub(crate) AtomicUsize);

    #[async_trait]
    impl Source for Known {
        async fn fetch(&self, _url: &str) -> Result<JwkSet> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(keys())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_once_and_again_for_one_that_is_new_or_when_they_are_old() {
        let known = Arc::new(Known::default());
        let ring = KeyRing::of(Arc::clone(&known) as Arc<dyn Source>);
        let fetched = || known.0.load(Ordering::Relaxed);
        for id in ["k-1", "k-1", "k-9"] {
            ring.with(CALLERS_KEYS, id).await.unwrap();
        }
        assert_eq!(fetched(), 1);
        tokio::time::advance(PAUSE).await;
        ring.with(CALLERS_KEYS, "k-1").await.unwrap();
        assert_eq!(fetched(), 1);
        ring.with(CALLERS_KEYS, "k-9").await.unwrap();
        assert_eq!(fetched(), 2, "it may be new");
        tokio::time::advance(KEPT).await;
        ring.with(CALLERS_KEYS, "k-1").await.unwrap();
        assert_eq!(fetched(), 3);
    }
}
