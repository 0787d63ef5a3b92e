//! A mail service.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, Uri};
use nephos_core::event::{BufferedRequest, Data, Response};
use nephos_core::outcome::problem;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::{Access, Binding, Drivers, ResourceKind};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Outcome, Result};
use subtle::ConstantTimeEq as _;

use super::super::site::Site;
use crate::events::email;
use crate::wiring::Service;

/// Knows the service's secret.
#[derive(Debug, Default)]
pub(super) struct Verifier {
    secret: Option<Secret>,
}

impl Verifier {
    pub(super) fn new(service: &Service, drivers: &Arc<dyn Drivers>) -> Result<Self> {
        let Some(mail) = &service.callers.mail else {
            return Ok(Self { secret: None });
        };
        let binding = Binding {
            name: "mail".to_owned(),
            kind: ResourceKind::Secret,
            access: [Access::Read].into(),
            url: None,
            properties: [(PHYSICAL.to_owned(), mail.secret.clone())].into(),
        };
        let secret = Secret::new(&binding.name, drivers.secret(&binding)?);
        Ok(Self { secret: Some(secret) })
    }

    /// Holds that the request brings the secret.
    async fn verify(&self, uri: &Uri, headers: &HeaderMap) -> Result<()> {
        let refused = |why: &'static str| Error::new(ErrorKind::Unauthenticated, "mail.verify", why);
        let Some(secret) = &self.secret else {
            return Err(refused(
                "the function has no secret for the mail service; set `mail_secret` in the target's settings",
            ));
        };
        let brought = email::proof(uri, headers)
            .ok_or_else(|| refused("the request brings no secret; let the mail service post to an address with `user:SECRET@` before the host"))?;
        let value = secret.get().await?;
        if bool::from(brought.as_bytes().ct_eq(value.expose())) {
            Ok(())
        } else {
            Err(refused(
                "the request brings another secret than the mail service's",
            ))
        }
    }
}

impl Site {
    pub(super) async fn mail(&self, request: BufferedRequest) -> Result<Response> {
        self.callers
            .mail
            .verify(&request.parts.uri, &request.parts.headers)
            .await?;
        let event = email::decode(&request)?;
        let is_wanted = match &event.data {
            Data::Email(mail) => mail.envelope.to.iter().any(|recipient| self.takes(recipient)),
            _ => false,
        };
        if !is_wanted {
            // A service that is told so sends the message back to where it came from.
            return Ok(problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                Some("the function takes no mail for these recipients"),
            ));
        }
        let context = self.context(&request.parts.headers, 1);
        let outcome = self.function.dispatch(event, context).await;
        // Whoever posts tries again for hours; what is rejected must not come again.
        let again = || email::decode(&request).ok();
        match self.events.settle(outcome, again, 1).await {
            Outcome::Failed(error) => {
                tracing::error!(error = %error.chain(), "a mail was not handled; the mail service tries again");
                Ok(super::super::requests::failed(&error))
            }
            _ => Ok(problem(StatusCode::OK, None)),
        }
    }

    fn takes(&self, recipient: &str) -> bool {
        let mut addresses = self.service.callers.addresses.iter();
        addresses.any(|address| email::fits(address, recipient))
    }
}
