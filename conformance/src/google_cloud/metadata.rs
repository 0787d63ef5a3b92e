//! The metadata server that a container asks who it is, and for tokens: <https://cloud.google.com/run/docs/container-contract#metadata-server>,
//! <https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>. Each revision has one of its own, because its account is its own.

use std::sync::Arc;

use chrono::{Duration, Utc};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::{Value, json};

use super::state::Shared;
use super::{credentials, tokens};
use crate::server::{self, Answer, Server};

/// How long a token of OAuth counts, in seconds.
const LIFETIME: i64 = 3599;

const ROOT: &str = "/computeMetadata/v1";
const SCOPES: &str = "https://www.googleapis.com/auth/cloud-platform\n";

/// The server of one account. It ends when dropped.
#[derive(Debug)]
pub(super) struct Metadata(Server);

/// Whom it tells of.
#[derive(Debug)]
struct About {
    shared: Arc<Shared>,
    email: String,
    region: String,
    instance: String,
}

impl Metadata {
    /// Starts it for an account, by its e-mail address.
    pub(super) async fn start(shared: Arc<Shared>, email: &str, region: &str) -> Result<Self> {
        let about = Arc::new(About {
            shared,
            email: email.to_owned(),
            region: region.to_owned(),
            instance: uuid::Uuid::new_v4().simple().to_string(),
        });
        let server = Server::start("the metadata server", move |request| {
            let about = Arc::clone(&about);
            async move { about.answer(&request) }
        })
        .await?;
        Ok(Self(server))
    }

    /// Host and port, as `GCE_METADATA_HOST` has them.
    pub(super) fn host(&self) -> String {
        self.0.url().trim_start_matches("http://").to_owned()
    }
}

impl About {
    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let mut answer =
            if path != "/" && server::header(request.headers(), "metadata-flavor") != Some("Google") {
                server::answer(StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header.")
            } else {
                self.told(path, request.uri().query().unwrap_or_default())
            };
        let headers = answer.headers_mut();
        headers.insert("metadata-flavor", HeaderValue::from_static("Google"));
        headers.insert(
            "server",
            HeaderValue::from_static("Metadata Server for Serverless"),
        );
        answer
    }

    fn told(&self, path: &str, query: &str) -> Answer {
        let options = &self.shared.options;
        let text = |text: String| {
            let mut answer = server::answer(StatusCode::OK, text);
            let kind = HeaderValue::from_static("application/text");
            answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
            answer
        };
        let missing = || server::answer(StatusCode::NOT_FOUND, "");
        match path.strip_prefix(ROOT).unwrap_or(path).trim_end_matches('/') {
            "" => text("computeMetadata/\n".to_owned()),
            "/project/project-id" => text(options.project.clone()),
            "/project/numeric-project-id" => text(options.number.clone()),
            "/instance/region" => text(format!("projects/{}/regions/{}", options.number, self.region)),
            "/instance/zone" => text(format!("projects/{}/zones/{}-1", options.number, self.region)),
            "/instance/id" => text(self.instance.clone()),
            "/universe/universe-domain" => text("googleapis.com".to_owned()),
            "/instance/service-accounts" => text(format!("default/\n{}/\n", self.email)),
            path => {
                let rest = path.strip_prefix("/instance/service-accounts/");
                match rest.and_then(|rest| rest.split_once('/')) {
                    Some((account, what)) if account == "default" || account == self.email => {
                        self.of_account(what, query)
                    }
                    _ => missing(),
                }
            }
        }
    }

    fn of_account(&self, what: &str, query: &str) -> Answer {
        let Some(account) = self.account() else {
            return server::answer(
                StatusCode::NOT_FOUND,
                "the service account is not there, or disabled",
            );
        };
        match what {
            "email" => server::answer(StatusCode::OK, self.email.clone()),
            "scopes" => server::answer(StatusCode::OK, SCOPES),
            "aliases" => server::answer(StatusCode::OK, "default\n"),
            "token" => server::json(StatusCode::OK, &self.access_token()),
            "identity" => {
                let audience = url::form_urlencoded::parse(query.as_bytes())
                    .find(|(name, value)| name == "audience" && !value.is_empty())
                    .map(|(_, value)| value.into_owned());
                let Some(audience) = audience else {
                    return server::answer(StatusCode::BAD_REQUEST, "non-empty audience parameter required");
                };
                match tokens::identity(&account, &audience, true) {
                    Ok(token) => server::answer(StatusCode::OK, token),
                    Err(error) => server::answer(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
                }
            }
            _ => server::answer(StatusCode::NOT_FOUND, ""),
        }
    }

    /// A new token, by which the account may do what policies say.
    fn access_token(&self) -> Value {
        let until = Utc::now() + Duration::seconds(LIFETIME);
        let token = credentials::give_as(&mut self.shared.lock(), Some(until), &self.email);
        json!({"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer"})
    }

    /// The account; none if it cannot ask for anything. The project's default account is there without having been made.
    fn account(&self) -> Option<Value> {
        let options = &self.shared.options;
        if self.email == format!("{}-compute@developer.gserviceaccount.com", options.number) {
            return Some(json!({"email": self.email, "uniqueId": format!("100{}", options.number)}));
        }
        credentials::account(&self.shared.lock(), &self.shared, &self.email).ok()
    }
}
