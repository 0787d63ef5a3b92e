//! Azure Resource Manager over `azure_core`'s pipeline: requests with who asks and with retries, answers of known form, and operations that take a while.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>,
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>

use std::time::Duration;

use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{
    ClientOptions, ExponentialRetryOptions, Method, RawResponse, Request, RetryOptions, StatusCode, Url,
};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::refused;
use crate::config::Config;
use crate::resources::rest::{Proof, Rest, TokenForm};

/// Where the manager is, and what its tokens are for.
pub(super) const MANAGEMENT: &str = "https://management.azure.com";
pub(super) const SCOPE: &str = "https://management.azure.com/.default";
/// The versions of the manager's own interfaces: of groups, and of stacks, deployments and what-if.
pub(super) const GROUPS: &str = "2022-09-01";
pub(super) const DEPLOYMENTS: &str = "2024-03-01";
/// How long a request is tried again while the service is throttled or away. What the service asks for (`Retry-After`) goes first.
const RETRIES: u32 = 10;
const PATIENCE: i64 = 300;
/// How long to wait between two looks at an operation where the answer says nothing.
pub(super) const LOOK: Duration = Duration::from_secs(3);

/// Retries of requests that deploy: they are few, and nobody else retries them.
pub(super) fn patient(options: ClientOptions) -> ClientOptions {
    let retry = ExponentialRetryOptions {
        max_retries: RETRIES,
        max_total_elapsed: azure_core::time::Duration::seconds(PATIENCE),
        ..ExponentialRetryOptions::default()
    };
    ClientOptions {
        retry: RetryOptions::exponential(retry),
        ..options
    }
}

/// A client of the manager.
#[derive(Debug, Clone)]
pub(super) struct Arm {
    rest: Rest,
    base: Url,
}

/// An answer that is a success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: Headers,
    body: Value,
}

impl Answer {
    /// The body, as what it must be.
    pub(super) fn read<T: DeserializeOwned>(self, operation: &'static str) -> Result<T> {
        serde_json::from_value(self.body).map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                operation,
                "Azure's answer has not the form that its interface has; check what lies between here and Azure, and try again",
            )
            .caused_by(error)
        })
    }
}

/// Where an operation tells how far it is.
#[derive(Debug, Clone)]
pub(super) struct Going {
    path: String,
    /// Whether its answer tells a state; else its status does.
    stated: bool,
    pause: Duration,
}

/// How an operation ended, or that it goes on.
#[derive(Debug)]
pub(super) enum Look {
    Going(Duration),
    /// With the answer's body.
    Ended(Value),
}

#[derive(Debug, Deserialize)]
struct Operation {
    status: String,
}

impl Arm {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let base = config.address(MANAGEMENT)?;
        let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
        Ok(Self {
            rest: Rest::with_options(config, patient(config.client_options()), &base, proof),
            base,
        })
    }

    /// What is at `path` (with its query), or `None`.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &str,
    ) -> Result<Option<T>> {
        let answer = self.send(operation, Method::Get, path, None).await?;
        if answer.status() == StatusCode::NotFound {
            return Ok(None);
        }
        success(operation, answer)?.read(operation).map(Some)
    }

    /// Asks for something; an answer that is no success is an error.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        success(operation, self.send(operation, method, path, body).await?)
    }

    /// All pages of a list.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &str,
    ) -> Result<Vec<T>> {
        #[derive(Deserialize)]
        struct Page<T> {
            value: Vec<T>,
            #[serde(rename = "nextLink")]
            next: Option<String>,
        }
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page: Page<T> = self
                .call(operation, Method::Get, &path, None)
                .await?
                .read(operation)?;
            all.extend(page.value);
            next = page
                .next
                .filter(|next| !next.is_empty())
                .map(|next| within(&next));
        }
        Ok(all)
    }

    /// Where to look how far what was begun is; `None` if it is done.
    pub(super) fn going(answer: &Answer) -> Option<Going> {
        let header = |name: &'static str| answer.headers.get_optional_str(&HeaderName::from_static(name));
        let pause = pause(&answer.headers);
        if let Some(url) = header("azure-asyncoperation") {
            return Some(Going {
                path: within(url),
                stated: true,
                pause,
            });
        }
        let accepted = answer.status == StatusCode::Accepted;
        header("location").filter(|_| accepted).map(|url| Going {
            path: within(url),
            stated: false,
            pause,
        })
    }

    /// Looks once how far an operation is.
    pub(super) async fn look(&self, operation: &'static str, going: &Going) -> Result<Look> {
        let answer = self.call(operation, Method::Get, &going.path, None).await?;
        let pause = pause(&answer.headers);
        if !going.stated {
            return Ok(match answer.status {
                StatusCode::Accepted => Look::Going(pause),
                _ => Look::Ended(answer.body),
            });
        }
        let body = answer.body.clone();
        let state: Operation = answer.read(operation)?;
        let ended = ["succeeded", "failed", "canceled"];
        Ok(if ended.contains(&state.status.to_ascii_lowercase().as_str()) {
            Look::Ended(body)
        } else {
            Look::Going(pause)
        })
    }

    /// Waits until an operation has ended, and gives its last answer.
    pub(super) async fn wait(&self, operation: &'static str, answer: &Answer) -> Result<Value> {
        let Some(going) = Self::going(answer) else {
            return Ok(answer.body.clone());
        };
        tokio::time::sleep(going.pause).await;
        loop {
            match self.look(operation, &going).await? {
                Look::Going(pause) => tokio::time::sleep(pause).await,
                Look::Ended(body) => return Ok(body),
            }
        }
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<RawResponse> {
        let url = self.base.join(path).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                operation,
                "a path of Azure Resource Manager is no path",
            )
            .with("path", path)
            .caused_by(error)
        })?;
        let mut request = Request::new(url, method);
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_string());
        }
        self.rest.ask(operation, request).await
    }
}

impl Going {
    pub(super) const fn pause(&self) -> Duration {
        self.pause
    }
}

fn success(operation: &'static str, answer: RawResponse) -> Result<Answer> {
    let (status, headers, body) = answer.deconstruct();
    if !status.is_success() {
        return Err(refused(operation, status.into(), &headers, &body));
    }
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// The path of a URL that the manager gave. Only the manager is asked for it: a token is for nobody else.
fn within(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| url.to_owned(),
        |url| match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        },
    )
}

fn pause(headers: &Headers) -> Duration {
    headers
        .get_optional_str(&HeaderName::from_static("retry-after"))
        .and_then(|text| text.parse().ok())
        .map_or(LOOK, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_manager_points_to_is_asked_of_the_manager_only() {
        assert_eq!(
            within("https://evil.example.net/subscriptions/s/x?api-version=1&t=2"),
            "/subscriptions/s/x?api-version=1&t=2"
        );
        assert_eq!(within("/a/b"), "/a/b");
    }

    #[test]
    fn the_pause_is_what_the_answer_says() {
        let mut headers = Headers::new();
        assert_eq!(pause(&headers), LOOK);
        headers.insert("retry-after", "0");
        assert_eq!(pause(&headers), Duration::ZERO);
    }
}
