//! One function called by hand, and what it answers.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::Result;
use nephos_core::deploy::{Invoked, InvokedResult};
use nephos_core::event::Payload;

use super::AwsDeployer;
use super::failure::failed;
use crate::deploy::template::ALIAS;

impl AwsDeployer {
    pub(super) async fn call(&self, function: &str, payload: Payload) -> Result<Invoked> {
        const OPERATION: &str = "deploy.invoke";
        let clients = self.clients().await?;
        let functions = self.chosen(clients, &[function.to_owned()], OPERATION).await?;
        let id = functions.get(function).cloned().unwrap_or_default();
        let answer = clients
            .functions
            .invoke()
            .function_name(id)
            .qualifier(ALIAS)
            .log_type(LogType::Tail)
            .payload(Blob::new(as_json(payload)))
            .send()
            .await
            .map_err(|error| {
                failed(OPERATION, "the function cannot be called", error).with("function", function)
            })?;
        Ok(Invoked {
            result: answer
                .function_error
                .map_or(InvokedResult::Ok, InvokedResult::Failed),
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default().into(),
            log: answer.log_result.as_deref().map(tail).unwrap_or_default(),
            version: answer.executed_version,
        })
    }
}

/// Lambda takes JSON only: anything else becomes a JSON string.
fn as_json(payload: Payload) -> Vec<u8> {
    if payload.bytes.is_empty() {
        return b"null".to_vec();
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload.bytes).is_ok() {
        return payload.bytes.to_vec();
    }
    serde_json::Value::String(String::from_utf8_lossy(&payload.bytes).into_owned())
        .to_string()
        .into_bytes()
}

/// The lines of a log's tail.
fn tail(encoded: &str) -> Vec<String> {
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_called_with_as_a_string() {
        assert_eq!(as_json(Payload::text(r#"{"a":1}"#.to_owned())), br#"{"a":1}"#);
        assert_eq!(as_json(Payload::text("saw it".to_owned())), br#""saw it""#);
        assert_eq!(as_json(Payload::text(String::new())), b"null");
    }

    #[test]
    fn the_logs_tail_is_read_line_by_line() {
        // base64 of "START\nhello\nEND\n"
        assert_eq!(tail("U1RBUlQKaGVsbG8KRU5ECg=="), ["START", "hello", "END"]);
        assert!(tail("???").is_empty());
    }
}
