//! Azurite behind something that all requests to its blobs pass: whoever watches a container looks at it after each write, before the writer is answered and the next
//! write begins. So nothing that comes and goes is missed, and changes are told in their order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_core::Result;

use super::Azurite;
use crate::azure_functions::storage::Account;
use crate::server::Server;

/// Who looks at a container after each write.
#[async_trait]
pub(in crate::azure_functions) trait Watcher:
    std::fmt::Debug + Send + Sync
{
    /// Looks again.
    async fn look(&self);
}

/// Containers, by account and name.
type Containers = BTreeMap<(String, String), Watching>;

#[derive(Debug, Clone)]
struct Watching {
    watcher: Weak<dyn Watcher>,
    /// One write at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A running Azurite whose containers can be watched. Ends when dropped.
#[derive(Debug)]
pub struct Watched {
    azurite: Azurite,
    accounts: Vec<Account>,
    containers: Arc<Mutex<Containers>>,
    _server: Server,
}

impl Watched {
    /// Whether it still answers.
    ///
    /// # Errors
    /// As [`Azurite::alive`].
    pub async fn alive(&self) -> Result<()> {
        self.azurite.alive().await
    }

    /// Starts it, empty, with so many accounts that know nothing of each other; one at least.
    ///
    /// # Errors
    /// As [`Azurite::start`].
    pub async fn start(accounts: usize) -> Result<Self> {
        let azurite = Azurite::with_accounts(accounts).await?;
        let containers: Arc<Mutex<Containers>> = Arc::default();
        let blobs = &azurite.account().blobs;
        let base = blobs.rsplit_once('/').map_or(blobs.as_str(), |(base, _)| base);
        let front = Arc::new(Front {
            base: base.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            containers: Arc::clone(&containers),
        });
        let server = Server::start("the front of a storage account", move |request| {
            let front = Arc::clone(&front);
            async move { front.pass_on(request).await }
        })
        .await?;
        let accounts = azurite
            .accounts()
            .iter()
            .map(|account| Account {
                blobs: format!("{}/{}", server.url(), account.name),
                ..account.clone()
            })
            .collect();
        Ok(Self {
            azurite,
            accounts,
            containers,
            _server: server,
        })
    }

    /// The account that it has; of several, the first.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.accounts[0]
    }

    /// All of its accounts.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The end of what Azurite said.
    #[must_use]
    pub fn log(&self) -> String {
        self.azurite.log()
    }

    /// From now on, `watcher` looks after each write to this container, in the place of whoever did. It ends when the watcher is dropped.
    pub(in crate::azure_functions) fn watch(
        &self,
        account: &str,
        container: &str,
        watcher: Weak<dyn Watcher>,
    ) {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.to_owned(), container.to_owned());
        let turn = containers
            .get(&key)
            .map(|watching| Arc::clone(&watching.turn))
            .unwrap_or_default();
        containers.insert(key, Watching { watcher, turn });
    }
}

#[derive(Debug)]
struct Front {
    /// Azurite itself (`http://127.0.0.1:4000`).
    base: String,
    client: Client<HttpConnector, Incoming>,
    containers: Arc<Mutex<Containers>>,
}

impl Front {
    async fn pass_on(&self, mut request: Request<Incoming>) -> Response<Either<Incoming, Full<Bytes>>> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("{}{path}", self.base).parse() else {
            return refusal(StatusCode::BAD_REQUEST);
        };
        let watching = self.watching(&request);
        // In the order of their names, so that no two writes wait for each other.
        let mut turns = Vec::with_capacity(watching.len());
        for container in &watching {
            turns.push(container.turn.lock().await);
        }
        // The header `Host` stays that of the client.
        *request.uri_mut() = uri;
        let Ok(answer) = self.client.request(request).await else {
            return refusal(StatusCode::BAD_GATEWAY);
        };
        if answer.status().is_success() {
            let watchers = watching
                .iter()
                .filter_map(|container| container.watcher.upgrade());
            join_all(watchers.map(|watcher| async move { watcher.look().await })).await;
        }
        answer.map(Either::Left)
    }

    /// The watched containers that a request writes to. Deleting several blobs at once may name none: then all of the account.
    fn watching(&self, request: &Request<Incoming>) -> Vec<Watching> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Vec::new();
        }
        let mut segments = request.uri().path().split('/').skip(1);
        let account = segments.next().unwrap_or_default();
        let container = segments.next().unwrap_or_default();
        let containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        containers
            .iter()
            .filter(|((of, name), _)| of == account && (container.is_empty() || name == container))
            .map(|(_, watching)| watching.clone())
            .collect()
    }
}

fn refusal(status: StatusCode) -> Response<Either<Incoming, Full<Bytes>>> {
    let mut answer = Response::new(Either::Right(Full::default()));
    *answer.status_mut() = status;
    answer
}
