//! Logs: the query interface of Log Analytics over lines that tests put here.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/overview>

mod query;
mod syntax;
mod token;
mod value;

use chrono::{DateTime, Utc};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::id;
use super::request::Asked;
use super::state::Shared;
use super::token as tokens;
use crate::server::{self, Answer};

/// A line of a site's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name of the site, `AppRoleName`.
    pub role: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What was written.
    pub text: String,
    /// 0 verbose, 1 information, 2 warning, 3 error, 4 critical.
    pub severity: i64,
    /// The type of an exception; such a line is in `AppExceptions`, all others are in `AppTraces`.
    pub exception: Option<String>,
}

/// Why a query is not answered.
#[derive(Debug)]
pub(super) enum Unanswered {
    Syntax { message: String, at: usize },
    Semantic(String),
}

type Understood<T> = Result<T, Unanswered>;

/// `POST /logs/v1{resource id}/query`
pub(super) fn ask(shared: &Shared, asked: &Asked) -> Answer {
    if let Some(answer) = tokens::check(shared, &asked.headers, tokens::LOGS) {
        return answer;
    }
    let path = asked.path.strip_prefix("/logs/v1").unwrap_or_default();
    let Some(resource) = path
        .strip_suffix("/query")
        .filter(|_| asked.method == Method::POST)
    else {
        return error(
            StatusCode::NOT_FOUND,
            "PathNotFoundError",
            "The requested path does not exist",
            None,
        );
    };
    let state = shared.lock();
    if state.knobs.no_logs {
        return error(
            StatusCode::FORBIDDEN,
            "InsufficientAccessError",
            "The provided credentials have insufficient access to perform the requested operation",
            None,
        );
    }
    let known = state.resources.get(&id::key(resource)).is_some_and(|one| {
        matches!(
            one.kind.name,
            "Microsoft.Insights/components" | "Microsoft.OperationalInsights/workspaces"
        )
    });
    if !known {
        return error(
            StatusCode::NOT_FOUND,
            "ResourceNotFound",
            &format!("The resource {resource} could not be found"),
            None,
        );
    }
    let body: Value = match serde_json::from_slice(&asked.body) {
        Ok(body) => body,
        Err(cause) => return bad(&format!("The body is no JSON: {cause}"), None),
    };
    let Some(text) = body["query"].as_str().filter(|text| !text.trim().is_empty()) else {
        return bad("The body has no query", None);
    };
    match query::run(text, &state.lines, Utc::now()) {
        Ok(table) => server::json(StatusCode::OK, &json!({"tables": [table]})),
        Err(Unanswered::Syntax { message, at }) => {
            let inner = json!({
                "code": "SyntaxError", "message": "A recognition error occurred in the query.",
                "innererror": {"code": "SYN0002", "message": format!("Query could not be parsed at position {at}: {message}"), "line": 1, "pos": at},
            });
            bad("The request had some invalid properties", Some(inner))
        }
        Err(Unanswered::Semantic(message)) => {
            let inner = json!({
                "code": "SemanticError", "message": "A semantic error occurred.",
                "innererror": {"code": "SEM0100", "message": message},
            });
            bad("The request had some invalid properties", Some(inner))
        }
    }
}

fn bad(message: &str, inner: Option<Value>) -> Answer {
    error(StatusCode::BAD_REQUEST, "BadArgumentError", message, inner)
}

fn error(status: StatusCode, code: &str, message: &str, inner: Option<Value>) -> Answer {
    let mut body =
        json!({"message": message, "code": code, "correlationId": uuid::Uuid::new_v4().to_string()});
    if let Some(inner) = inner {
        body["innererror"] = inner;
    }
    server::json(status, &json!({"error": body}))
}
