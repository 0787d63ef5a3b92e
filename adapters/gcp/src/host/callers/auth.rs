//! Identity Platform, which calls for a step of sign-up or sign-in.

use nephos_core::event::{BufferedRequest, Response};
use nephos_core::{Error, ErrorKind, Outcome, Result};

use super::super::requests::json;
use super::super::site::Site;
use crate::events::auth;
use crate::events::token::{AUTH_KEYS, key_id};

impl Site {
    pub(super) async fn auth(&self, stage: &str, request: BufferedRequest) -> Result<Response> {
        let known = self.service.callers.auth.as_ref();
        let (caller, stage) = known
            .and_then(|caller| {
                let mut stages = caller.stages.iter();
                Some((caller, stages.find(|known| known.name() == stage)?))
            })
            .ok_or_else(|| super::unknown("stage", stage))?;
        let token = auth::token(&request.body)?;
        let keys = self.callers.keys.with(AUTH_KEYS, &key_id(&token)?).await?;
        let claims = auth::verify(&token, &*keys, &caller.project, &caller.audiences)?;
        let event = auth::decode(stage, claims, &request.body)?;
        let context = self.context(&request.parts.headers, 1);
        match self.function.dispatch(event, context).await {
            Outcome::Auth(decision) => {
                let (status, body) = auth::encode(stage, &decision)?;
                let mut response = json(body);
                *response.status_mut() = status;
                Ok(response)
            }
            Outcome::Data(payload) => Ok(json(payload.bytes)),
            Outcome::Failed(error) => Err(hidden(error)),
            _ => Err(Error::new(
                ErrorKind::Internal,
                "outcome.encode",
                "the function answered a step with what is no decision",
            )),
        }
    }
}

/// A handler's own failure is none of the caller's doing, whatever its kind is.
fn hidden(error: Error) -> Error {
    match error.kind() {
        ErrorKind::DeadlineExceeded => error,
        _ => Error::new(ErrorKind::Internal, "function.invoke", "the step failed").caused_by(error),
    }
}
