//! The connection to Redis, and what its errors mean.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::resource::Binding;
use nephos_core::{Error, ErrorKind, Result, wiring};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation, ServerErrorKind};
use tokio::sync::OnceCell;

/// How long Redis may take to answer. It does one thing at a time, so a command waits for those before it.
const ANSWER: Duration = Duration::from_secs(10);

/// How long it may take to be reached.
const REACH: Duration = Duration::from_secs(5);

/// A Redis. Clones share one connection, which is made on first use and again after it broke.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    manager: Arc<OnceCell<ConnectionManager>>,
}

impl fmt::Debug for Connection {
    /// Without the password that a URL may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.client.get_connection_info().addr().to_string())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The Redis at this URL (`redis://127.0.0.1:6379`). Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no such URL.
    pub fn open(url: &str) -> Result<Self> {
        let client = Client::open(url).map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                "redis.open",
                "it is no URL of a Redis; write it as redis://<host>:<port>",
            )
            .caused_by(error)
        })?;
        Ok(Self {
            client,
            manager: Arc::default(),
        })
    }

    async fn manager(&self, operation: &'static str) -> Result<ConnectionManager> {
        let made = self.manager.get_or_try_init(|| async {
            // The portable types try again, so here it is done once.
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_connection_timeout(Some(REACH))
                .set_response_timeout(Some(ANSWER));
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        });
        Ok(made.await.map_err(|error| told(error, operation))?.clone())
    }

    /// Asks one command.
    ///
    /// # Errors
    /// What Redis answers, by its meaning.
    pub async fn ask<T: FromRedisValue>(&self, operation: &'static str, command: &Cmd) -> Result<T> {
        let mut manager = self.manager(operation).await?;
        command
            .query_async(&mut manager)
            .await
            .map_err(|error| told(error, operation))
    }

    /// Asks several commands, whose answers come in the same order.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_all<T: FromRedisValue>(
        &self,
        operation: &'static str,
        commands: &Pipeline,
    ) -> Result<T> {
        let mut manager = self.manager(operation).await?;
        commands
            .query_async(&mut manager)
            .await
            .map_err(|error| told(error, operation))
    }

    /// Runs a script: by its digest, and with its text if Redis does not know it yet.
    ///
    /// # Errors
    /// As [`ask`](Self::ask). A script says `NOTFOUND` and `STALE` by itself.
    pub async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        let mut manager = self.manager(operation).await?;
        script
            .invoke_async(&mut manager)
            .await
            .map_err(|error| told(error, operation))
    }
}

/// The key of a binding's resource.
///
/// # Errors
/// As [`wiring::physical`].
pub(crate) fn key(binding: &Binding) -> Result<String> {
    Ok(key_of(binding.kind.name(), wiring::physical(binding)?))
}

/// The key of a resource of this kind and name. What is in braces decides in which slot of a cluster it lies.
pub(crate) fn key_of(kind: &str, name: &str) -> String {
    format!("nephos:{{{name}}}:{kind}")
}

/// What an error of Redis means: <https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors>.
fn told(error: RedisError, operation: &'static str) -> Error {
    let (kind, message) = match error.kind() {
        redis::ErrorKind::Io if error.is_timeout() => {
            (ErrorKind::DeadlineExceeded, "Redis did not answer in time")
        }
        redis::ErrorKind::Io => (ErrorKind::Unavailable, "Redis cannot be reached"),
        redis::ErrorKind::AuthenticationFailed => (
            ErrorKind::Unauthenticated,
            "Redis takes no such user and password",
        ),
        redis::ErrorKind::Server(ServerErrorKind::NoPerm) => (
            ErrorKind::PermissionDenied,
            "Redis refused; the user's ACL does not allow it",
        ),
        redis::ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly,
        ) => (ErrorKind::Unavailable, "Redis cannot do it now"),
        _ => match error.code() {
            Some("NOTFOUND") => (
                ErrorKind::NotFound,
                "there is no such queue in Redis; have its operator make it",
            ),
            Some("STALE") => (
                ErrorKind::Conflict,
                "the lease ran out, and another receiver has the message, or had it",
            ),
            Some("OOM") => (ErrorKind::ResourceExhausted, "the memory of Redis is used up"),
            Some("NOAUTH" | "WRONGPASS") => (
                ErrorKind::Unauthenticated,
                "Redis takes no such user and password",
            ),
            Some("BUSY") => (ErrorKind::Unavailable, "Redis runs another script"),
            Some("WRONGTYPE") => (
                ErrorKind::InvalidArgument,
                "the key is something else in Redis; give the resource another name",
            ),
            _ => (ErrorKind::Internal, "Redis answered what it must not"),
        },
    };
    Error::new(kind, operation, message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_answers_has_its_meaning() {
        let server = |line: &str| {
            redis::parse_redis_value(format!("-{line}\r\n").as_bytes())
                .and_then(|value| value.extract_error().map(drop))
                .unwrap_err()
        };
        for (line, kind) in [
            ("NOTFOUND no such queue", ErrorKind::NotFound),
            ("STALE", ErrorKind::Conflict),
            ("OOM command not allowed", ErrorKind::ResourceExhausted),
            ("NOPERM this user", ErrorKind::PermissionDenied),
            ("NOAUTH Authentication required.", ErrorKind::Unauthenticated),
            ("LOADING Redis is loading", ErrorKind::Unavailable),
            ("ERR unknown command", ErrorKind::Internal),
        ] {
            assert_eq!(told(server(line), "test").kind(), kind, "{line}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let connection = Connection::open("redis://user:hunter2@127.0.0.1:6379").unwrap();
        let shown = format!("{connection:?}");
        assert!(
            shown.contains("127.0.0.1:6379") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_is_told_and_may_be_asked_again() {
        let connection = Connection::open("redis://127.0.0.1:1").unwrap();
        let error = connection
            .ask::<String>("test", &redis::cmd("PING"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable());
    }
}
