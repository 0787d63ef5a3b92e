//! Calls a function by hand: over HTTP, if it answers requests, or else by the Functions host's own interface for that.
//!
//! <https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http>

use azure_core::http::headers::HeaderName;
use azure_core::http::{Method, Request};
use nephos_core::deploy::{Invoked, InvokedResult};
use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::json;

use super::AzureDeployer;
use super::arm::patient;
use crate::package::Package;
use crate::resources::rest::{Proof, Rest};

const OPERATION: &str = "deploy.invoke";
const WEB: &str = "2024-04-01";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    master_key: String,
}

impl AzureDeployer {
    pub(super) async fn call(&self, function: &str, payload: Payload) -> Result<Invoked> {
        let input = std::str::from_utf8(&payload.bytes).map_err(|_| {
            Error::new(
                ErrorKind::InvalidArgument,
                OPERATION,
                "the Functions host takes text only of whoever calls a function by hand, and this is none",
            )
            .with("function", function)
        })?;
        let place = self.place(OPERATION).await?;
        let names = [function.to_owned()];
        let contents = self.chosen(&place, &names, OPERATION).await?;
        // The site that is not of requests, if there is one: its events nobody can send from outside.
        let content = contents.last().ok_or_else(|| nothing(function))?;
        let package = content
            .files
            .get(crate::package::FILE)
            .map(|text| Package::read(text.as_bytes()));
        let package = package.transpose()?.unwrap_or_default();
        let releases = self.store(&place, content)?.releases(OPERATION).await?;
        let version = releases.active().map(|active| active.version.to_string());
        if package.forwarding {
            return Err(Error::new(
                ErrorKind::Unsupported,
                OPERATION,
                "the function answers requests, and is called by one; send it to the address that `nephos status` tells",
            )
            .with("function", function));
        }
        let mut triggers = package.triggers.keys();
        let trigger = match (triggers.next(), triggers.next()) {
            (Some(trigger), None) => trigger,
            (Some(_), Some(_)) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "the function has several triggers, and Azure calls one of them; send an event to its source instead",
                )
                .with("function", function));
            }
            (None, _) => return Err(nothing(function)),
        };
        let keys = format!(
            "{}/providers/Microsoft.Web/sites/{}/host/default/listkeys?api-version={WEB}",
            place.group, content.site
        );
        let keys: Keys = place
            .arm
            .call(OPERATION, Method::Post, &keys, None)
            .await?
            .read(OPERATION)?;
        let url = place.config.address(&format!(
            "https://{}.azurewebsites.net/admin/functions/{trigger}",
            content.site
        ))?;
        let rest = Rest::with_options(
            &place.config,
            patient(place.config.client_options()),
            &url,
            Proof::InRequest,
        );
        let mut request = Request::new(url, Method::Post);
        request.insert_header("content-type", "application/json");
        request.insert_header(HeaderName::from_static("x-functions-key"), keys.master_key);
        request.set_body(json!({ "input": input }).to_string());
        let answer = rest.ask(OPERATION, request).await?;
        let status = u16::from(answer.status());
        let body = bytes::Bytes::copy_from_slice(answer.body().as_ref());
        let result = match status {
            200..300 => InvokedResult::Ok,
            _ => InvokedResult::Failed(format!("status {status}")),
        };
        Ok(Invoked {
            result,
            payload: body,
            log: vec![format!(
                "the Functions host has begun to call it as `{trigger}` would; how that ends is in its log: nephos logs {function}"
            )],
            version,
        })
    }
}

fn nothing(function: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        OPERATION,
        "nothing calls the function on Azure, so the Functions host does not know it; give it a trigger",
    )
    .with("function", function)
}
