//! Services that are asked by their REST interface over the pipeline of `azure_core`.
//!
//! Azure has no crate for Event Grid that is maintained, none for Service Bus, and one for Event Hubs that speaks AMQP on another version of `azure_core`. Its crate for
//! Cosmos DB weighs more than all the rest of a function (180,000 lines, a second HTTP stack), to spread over regions and partitions what a table asks of one.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{ClientOptions, Context, Pipeline, PipelineSendOptions, RawResponse, Request, Url};
use nephos_core::{Error, ErrorKind, Result};

use crate::config::signing::pass_on;
use crate::config::{Config, Tokens};
use crate::error::{answered, failed};

/// How a request proves who asks.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A token for this scope, in this form.
    Token(String, TokenForm),
    /// By what is in the request already, such as a key in a header.
    #[cfg(feature = "deploy")]
    InRequest,
    /// A policy that signs.
    #[cfg_attr(
        not(any(feature = "bucket", feature = "queue", feature = "table")),
        allow(dead_code, reason = "of services that have shared keys")
    )]
    Signed(Arc<dyn Policy>),
}

/// What the header of a token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenForm {
    /// `Bearer …`, as everywhere.
    #[cfg_attr(
        not(any(feature = "queue", feature = "topic", feature = "stream")),
        allow(dead_code, reason = "of all services but Cosmos DB")
    )]
    Bearer,
    /// As Cosmos DB wants it.
    #[cfg(feature = "table")]
    Cosmos,
}

/// A client of one service.
#[derive(Debug, Clone)]
pub struct Rest {
    pipeline: Pipeline,
}

impl Rest {
    /// A client of the service at `address`. Over plain HTTP no token is sent: only emulators are asked that way.
    pub(crate) fn new(config: &Config, address: &Url, proof: Proof) -> Self {
        Self::with_options(config, config.client_options(), address, proof)
    }

    /// The same with options of its own.
    pub(crate) fn with_options(config: &Config, options: ClientOptions, address: &Url, proof: Proof) -> Self {
        let proof: Option<Arc<dyn Policy>> = match proof {
            Proof::Signed(policy) => Some(policy),
            #[cfg(feature = "deploy")]
            Proof::InRequest => None,
            Proof::Token(..) if address.scheme() != "https" => None,
            Proof::Token(scope, form) => Some(Arc::new(Bearer {
                tokens: Tokens::new(config.credential(), scope),
                form,
            })),
        };
        Self {
            pipeline: Pipeline::new(
                option_env!("CARGO_PKG_NAME"),
                option_env!("CARGO_PKG_VERSION"),
                options,
                Vec::new(),
                proof.into_iter().collect(),
                None,
            ),
        }
    }

    /// Sends a request; the answer may be of any status.
    ///
    /// # Errors
    /// As [`failed`] tells of requests that got no answer.
    pub async fn ask(&self, operation: &'static str, mut request: Request) -> Result<RawResponse> {
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        self.pipeline
            .send(&Context::new(), &mut request, Some(options))
            .await
            .map_err(|error| failed(operation, error))
    }

    /// Sends a request whose answer must be a success.
    ///
    /// # Errors
    /// As [`failed`].
    pub async fn send(&self, operation: &'static str, request: Request) -> Result<RawResponse> {
        let answer = self.ask(operation, request).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(refused(operation, &answer))
        }
    }
}

/// The error of an answer that is no success.
pub(crate) fn refused(operation: &'static str, answer: &RawResponse) -> Error {
    answered(operation, answer.status().into(), answer.headers(), answer.body())
}

/// Adds the token of who asks.
#[derive(Debug)]
struct Bearer {
    tokens: Tokens,
    form: TokenForm,
}

#[allow(
    elided_lifetimes_in_paths,
    reason = "the trait is written so, and another lifetime would be another method"
)]
#[async_trait]
impl Policy for Bearer {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let token = self.tokens.current().await?;
        let token = token.token.secret();
        let header = match self.form {
            TokenForm::Bearer => format!("Bearer {token}"),
            #[cfg(feature = "table")]
            TokenForm::Cosmos => crate::config::signing::url_encode(&format!("type=aad&ver=1.0&sig={token}")),
        };
        request.insert_header("authorization", header);
        pass_on(context, request, next).await
    }
}

/// The last part of the resource's URL, which is what the service calls it.
pub(crate) fn last_part(url: &Url) -> Result<&str> {
    url.path_segments()
        .and_then(|mut parts| parts.next_back())
        .filter(|part| !part.is_empty())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "resource.open",
                "the resource's URL does not name it; deploy the function again",
            )
            .with("url", url)
        })
}

/// The account: the first part of its own host's name, wherever it is asked for; but where it is asked for at a bare address of the network, as an emulator is, the first
/// part of the path, which is how an emulator tells its accounts apart.
#[cfg(any(feature = "bucket", feature = "queue"))]
pub(crate) fn account(physical: &str, address: &Url) -> Result<String> {
    if let Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) = address.host()
        && let Some(account) = address.path_segments().and_then(|mut parts| parts.next())
    {
        return Ok(account.to_owned());
    }
    physical
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('.'))
        .map(|(account, _)| account.to_owned())
        .filter(|account| !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "the resource's URL does not begin with the name of a storage account; deploy the function again",
            )
            .with("url", physical)
        })
}
