//! One Deploy: a package is posted to the site's SCM host, which tells how far it is.
//!
//! As `az functionapp deployment source config-zip` does: <https://learn.microsoft.com/cli/azure/functionapp/deployment/source>.

use std::time::{Duration, Instant};

use azure_core::http::{Method, Request, StatusCode};
use bytes::Bytes;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::deploy::engine::arm::{SCOPE, patient};
use crate::deploy::engine::{AzureDeployer, Place};
use crate::resources::rest::{Proof, Rest, TokenForm, refused};

/// How long a site that was just made may take to have its SCM host, and a package to be there.
const LIMIT: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(2);
const FAILED: i64 = 3;
const SUCCESS: i64 = 4;
const ENDED_OTHERWISE: [i64; 3] = [-1, 5, 6];

#[derive(Debug, Deserialize)]
struct Run {
    status: i64,
    #[serde(default)]
    status_text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    message: Option<String>,
}

impl AzureDeployer {
    /// Brings a site a package, and waits until it has it.
    pub(in super::super) async fn publish(
        &self,
        place: &Place,
        site: &str,
        package: Bytes,
        operation: &'static str,
    ) -> Result<()> {
        let host = format!("https://{site}.scm.azurewebsites.net");
        let url = |path: &str| place.config.address(&format!("{host}{path}"));
        let address = url("/")?;
        let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
        let rest = Rest::with_options(
            &place.config,
            patient(place.config.client_options()),
            &address,
            proof,
        );
        let until = Instant::now() + LIMIT;
        let id: String = loop {
            let mut request = Request::new(
                url("/api/publish?RemoteBuild=false&Deployer=nephos")?,
                Method::Post,
            );
            request.insert_header("content-type", "application/zip");
            request.set_body(package.clone());
            let answer = rest.ask(operation, request).await;
            match answer {
                Ok(answer) if answer.status().is_success() => {
                    break serde_json::from_slice(answer.body()).unwrap_or_else(|_| "latest".to_owned());
                }
                // Another package may be on its way, also that of a command that was killed.
                Ok(answer)
                    if (comes_later(answer.status()) || answer.status() == StatusCode::Conflict)
                        && Instant::now() < until => {}
                Ok(answer) if answer.status() == StatusCode::Conflict => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        operation,
                        "somebody else brings the function another package, and has not ended; wait until that is done, and run the same command again",
                    )
                    .with("site", site));
                }
                Ok(answer) => return Err(refused(operation, &answer).with("site", site)),
                // The host's name is not known everywhere at once.
                Err(error) if error.is_retryable() && Instant::now() < until => {}
                Err(error) => return Err(error.with("site", site)),
            }
            tokio::time::sleep(LOOK).await;
        };
        loop {
            let request = Request::new(url(&format!("/api/deployments/{id}"))?, Method::Get);
            let answer = rest.ask(operation, request).await?;
            let run: Option<Run> = if answer.status().is_success() {
                serde_json::from_slice(answer.body()).ok()
            } else if comes_later(answer.status()) {
                None
            } else {
                return Err(refused(operation, &answer).with("site", site));
            };
            match run {
                Some(run) if run.status == SUCCESS => return Ok(()),
                Some(run) if run.status == FAILED || ENDED_OTHERWISE.contains(&run.status) => {
                    let said = run.status_text.filter(|text| !text.is_empty());
                    let last = Request::new(url(&format!("/api/deployments/{id}/log"))?, Method::Get);
                    let log = rest.ask(operation, last).await.ok();
                    let lines: Vec<Line> = log
                        .and_then(|log| serde_json::from_slice(log.body()).ok())
                        .unwrap_or_default();
                    let last = lines.into_iter().rev().find_map(|line| line.message);
                    return Err(Error::new(
                        ErrorKind::InvalidArgument,
                        operation,
                        "Azure did not take the function's package, so it runs the one that it had; mend what it says below, and run the same command again",
                    )
                    .with("site", site)
                    .caused_by(said.or(last).unwrap_or_else(|| "it does not say why".to_owned())));
                }
                _ if Instant::now() >= until => {
                    return Err(Error::new(
                        ErrorKind::DeadlineExceeded,
                        operation,
                        "Azure has not said for ten minutes whether it took the function's package; run the same command again",
                    )
                    .with("site", site));
                }
                _ => tokio::time::sleep(LOOK.min(Duration::from_millis(500))).await,
            }
        }
    }
}

/// Whether the site's host is only not there yet, or busy with its own restart.
fn comes_later(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NotFound
            | StatusCode::BadGateway
            | StatusCode::ServiceUnavailable
            | StatusCode::GatewayTimeout
    )
}
