//! A voice service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use nephos_alexa::signature::{CHAIN_URL, SIGNATURE, Signed, check_url, verify};
use nephos_core::event::{BufferedRequest, Response};
use nephos_core::{Error, ErrorKind, Outcome, Result};

use super::super::fetch;
use super::super::requests::json;
use super::super::site::Site;
use crate::events::voice;

/// How many chains are kept: the service has one, and another now and then.
const MAX_CHAINS: usize = 8;
/// The longest chain that is read, in bytes.
const MAX_CHAIN_BYTES: usize = 64 << 10;

/// Knows the chains that were fetched.
#[derive(Debug, Default)]
pub(super) struct Verifier {
    chains: Mutex<HashMap<String, Bytes>>,
}

impl Verifier {
    /// Holds that the service signed the body.
    async fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<()> {
        let header = |name: &'static str| {
            (headers.get(name).and_then(|value| value.to_str().ok())).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unauthenticated,
                    "voice.verify",
                    "the request is not signed",
                )
                .with("header", name)
            })
        };
        let signature = header(SIGNATURE)?;
        let url = check_url(header(CHAIN_URL)?)?;
        let kept = self
            .chains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(url.as_str())
            .cloned();
        let chain = match &kept {
            Some(chain) => chain.clone(),
            None => fetch::get(&url, MAX_CHAIN_BYTES).await?,
        };
        let signed = Signed {
            body,
            signature,
            chain: &chain,
        };
        verify(signed, fetch::roots()?, chrono::Utc::now())?;
        if kept.is_none() {
            // Only a chain that a signature was verified by.
            let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
            if chains.len() >= MAX_CHAINS {
                chains.clear();
            }
            chains.insert(url.into(), chain);
        }
        Ok(())
    }
}

impl Site {
    pub(super) async fn voice(&self, skill: &str, request: BufferedRequest) -> Result<Response> {
        if !self.service.callers.skills.iter().any(|known| known == skill) {
            return Err(super::unknown("skill", skill));
        }
        self.callers
            .voice
            .verify(&request.parts.headers, &request.body)
            .await?;
        let event = voice::decode(skill, &self.service.wiring, &request.body)?;
        let context = self.context(&request.parts.headers, 1);
        let answer = match self.function.dispatch(event, context).await {
            Outcome::Voice(response) => voice::encode(Some(&response)),
            Outcome::Data(payload) => payload.bytes,
            Outcome::Ack => voice::encode(None),
            Outcome::Failed(error) => return Err(error),
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "outcome.encode",
                    "the function answered a voice request with what is no speech",
                ));
            }
        };
        Ok(json(answer))
    }
}
