//! Tokens for one service, kept until they are about to end: not every source of credentials keeps its own.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use azure_core::credentials::{AccessToken, TokenCredential};
use tokio::sync::Mutex;

/// How long before its end a token is replaced: a request that is under way must not lose it.
const BEFORE_EXPIRY: Duration = Duration::from_secs(120);

/// Tokens of one credential for one service.
pub(crate) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    scope: String,
    kept: Mutex<Option<AccessToken>>,
}

impl Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// `scope` names the service (`https://storage.azure.com/.default`).
    pub(crate) fn new(credential: Arc<dyn TokenCredential>, scope: impl Into<String>) -> Self {
        Self {
            credential,
            scope: scope.into(),
            kept: Mutex::default(),
        }
    }

    /// A token that lives on for a while. Its text belongs in no log.
    pub(crate) async fn current(&self) -> azure_core::Result<AccessToken> {
        // Held over the wait, so that many requests at once ask once.
        let mut kept = self.kept.lock().await;
        if let Some(token) = &*kept
            && SystemTime::from(token.expires_on) > SystemTime::now() + BEFORE_EXPIRY
        {
            return Ok(token.clone());
        }
        let fresh = self.credential.get_token(&[&self.scope], None).await?;
        Ok(kept.insert(fresh).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use azure_core::credentials::TokenRequestOptions;

    use super::*;

    /// Counts how often it was asked; its tokens live this long.
    #[derive(Debug)]
    struct Counting(AtomicUsize, Duration);

    #[async_trait::async_trait]
    impl TokenCredential for Counting {
        async fn get_token(
            &self,
            scopes: &[&str],
            _options: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            let expiry = SystemTime::now() + self.1;
            Ok(AccessToken::new(
                format!("{}-{n}", scopes.join(" ")),
                expiry.into(),
            ))
        }
    }

    #[tokio::test]
    async fn a_token_is_asked_for_once_until_it_is_about_to_end() {
        for (left, asked) in [(3600, 1), (60, 3)] {
            let credential = Arc::new(Counting(AtomicUsize::new(0), Duration::from_secs(left)));
            let tokens = Tokens::new(Arc::clone(&credential) as _, "scope");
            for _ in 0..3 {
                let token = tokens.current().await.unwrap();
                assert!(token.token.secret().starts_with("scope-"));
            }
            assert_eq!(credential.0.load(Ordering::Relaxed), asked, "{left} s");
            assert!(!format!("{tokens:?}").contains("scope-"), "{tokens:?}");
        }
    }
}
