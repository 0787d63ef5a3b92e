//! Who asks: a token of OAuth 2.0, a signed URL, or the address of an upload that was begun.

use super::error::{Outcome, Refusal};
use super::request::Asked;
use super::signed;
use super::state::Shared;

/// Refuses a request that nobody vouches for.
pub(super) fn check(shared: &Shared, asked: &Asked) -> Outcome<()> {
    let header = asked.header("authorization")?;
    if asked.query.has("X-Goog-Algorithm") || asked.query.has("X-Goog-Signature") {
        if header.is_some() {
            return Err(Refusal::invalid(
                "A request has a signed URL or an Authorization header, not both.",
            ));
        }
        return signed::check(shared, asked);
    }
    let anonymous = || {
        if shared.options.anonymous {
            return Ok(());
        }
        Err(Refusal::unauthenticated(
            "required",
            "Anonymous caller does not have storage access to the Google Cloud Storage resource. Permission denied on resource (or it may not exist).",
        ))
    };
    match header {
        None => anonymous(),
        Some(value) => match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && token.trim().is_empty() => {
                anonymous()
            }
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && shared.counts(token) => Ok(()),
            // What is left of `Bearer ` without a token, once the blank at the end is gone.
            None if value.eq_ignore_ascii_case("bearer") => anonymous(),
            _ => Err(Refusal::unauthenticated("authError", "Invalid Credentials")),
        },
    }
}
