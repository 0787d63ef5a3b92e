//! Entra, which calls for a step of sign-up or sign-in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use nephos_core::app::Trigger;
use nephos_core::event::{AuthStage, BufferedRequest, Response};
use nephos_core::{Error, ErrorKind, Outcome, Result};
use serde::Deserialize;

use super::super::requests::json;
use super::super::site::Site;
use crate::events::auth;
use crate::package::{AuthCaller, ENTRA, Package};

/// In which the site's authentication tells whose token it checked; what a client sends by this name, it takes away:
/// <https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities#access-user-claims-in-app-code>.
const PRINCIPAL: &str = "x-ms-client-principal";

/// Knows whom the token must be of, and for.
#[derive(Debug)]
pub(super) struct Verifier {
    caller: Option<AuthCaller>,
}

#[derive(Deserialize)]
struct Principal {
    #[serde(default)]
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    #[serde(rename = "typ")]
    name: String,
    #[serde(rename = "val")]
    value: String,
}

impl Verifier {
    pub(super) fn new(package: &Package) -> Self {
        Self {
            caller: package.callers.auth.clone(),
        }
    }

    /// Holds that Entra sent the request, with a token for this app registration.
    fn verify(&self, headers: &HeaderMap) -> Result<()> {
        let refused = |why: &'static str| Error::new(ErrorKind::Unauthenticated, "auth.verify", why);
        let Some(caller) = &self.caller else {
            return Err(refused(
                "the function knows no app registration; set `auth_tenant` and `auth_app` in the target's settings",
            ));
        };
        let told = (headers.get_all(PRINCIPAL).iter().next_back())
            .and_then(|value| STANDARD.decode(value.as_bytes()).ok())
            .and_then(|bytes| serde_json::from_slice::<Principal>(&bytes).ok())
            .ok_or_else(|| refused("the request brings no token of Entra"))?;
        let has = |names: &[&str], wanted: &str| {
            (told.claims.iter())
                .any(|claim| names.contains(&claim.name.as_str()) && claim.value.eq_ignore_ascii_case(wanted))
        };
        // The names of version 1 and 2 of the token.
        let holds = has(&["azp", "appid"], ENTRA)
            && has(&["aud"], &caller.app)
            && has(
                &["tid", "http://schemas.microsoft.com/identity/claims/tenantid"],
                &caller.tenant,
            );
        if holds {
            Ok(())
        } else {
            Err(refused(
                "the token is not Entra's own, or for another app registration or tenant",
            ))
        }
    }
}

impl Site {
    pub(super) async fn auth(&self, stage: &str, request: BufferedRequest) -> Result<Response> {
        let stages = self
            .package
            .triggers
            .values()
            .filter_map(|trigger| match trigger {
                Trigger::Auth { stage } => Some(stage),
                _ => None,
            });
        let stage: AuthStage = (stages.clone().find(|known| known.name() == stage))
            .cloned()
            .ok_or_else(|| super::unknown("stage", stage))?;
        self.callers.auth.verify(&request.parts.headers)?;
        let event = auth::decode(&stage, &request.body)?;
        let context = self.context(&request.parts.headers, 1);
        let answer: Bytes = match self.function.dispatch(event, context).await {
            Outcome::Auth(decision) => auth::encode(&request.body, &decision)?,
            Outcome::Data(payload) => payload.bytes,
            Outcome::Failed(error) => return Err(error),
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "outcome.encode",
                    "the function answered a step with what is no decision",
                ));
            }
        };
        Ok(json(answer))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn verified(claims: &[(&str, &str)]) -> Result<()> {
        let verifier = Verifier {
            caller: Some(AuthCaller {
                tenant: "t-1".to_owned(),
                app: "a-1".to_owned(),
            }),
        };
        let claims: Vec<_> = (claims.iter())
            .map(|(name, value)| serde_json::json!({"typ": name, "val": value}))
            .collect();
        let principal = STANDARD.encode(serde_json::json!({ "claims": claims }).to_string());
        let mut headers = HeaderMap::new();
        headers.insert(PRINCIPAL, HeaderValue::try_from(principal).unwrap());
        verifier.verify(&headers)
    }

    #[test]
    fn only_entras_own_token_for_this_app_is_taken() {
        assert!(verified(&[("azp", ENTRA), ("aud", "a-1"), ("tid", "T-1")]).is_ok());
        for wrong in [
            [("azp", "another"), ("aud", "a-1"), ("tid", "t-1")],
            [("azp", ENTRA), ("aud", "another"), ("tid", "t-1")],
            [("azp", ENTRA), ("aud", "a-1"), ("tid", "another")],
        ] {
            let error = verified(&wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{wrong:?}");
        }
        let nobody = Verifier { caller: None };
        assert!(nobody.verify(&HeaderMap::new()).is_err());
    }
}
