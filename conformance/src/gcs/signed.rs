//! Signed URLs, version 4, by the RSA key of a service account.
//!
//! <https://cloud.google.com/storage/docs/authentication/signatures>, <https://cloud.google.com/storage/docs/authentication/canonical-requests>

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

use super::error::{Outcome, Refusal};
use super::object::hex;
use super::request::Asked;
use super::state::Shared;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";
/// The host that signatures are for; clients sign it even if they are told to ask elsewhere.
pub(super) const HOST: &str = "storage.googleapis.com";
/// Seven days, the longest that a signature counts.
const LONGEST: i64 = 604_800;
/// How far a signature's moment may be ahead.
const SKEW: Duration = Duration::minutes(15);
/// The sum of the body, and what stands instead of it if it is not signed.
const PAYLOAD: &str = "x-goog-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parameters of a signature.
pub(super) const PARAMETERS: [&str; 6] = [
    "X-Goog-Algorithm",
    "X-Goog-Credential",
    "X-Goog-Date",
    "X-Goog-Expires",
    "X-Goog-SignedHeaders",
    "X-Goog-Signature",
];

/// Refuses a signature that does not count for this request.
pub(super) fn check(shared: &Shared, asked: &Asked) -> Outcome<()> {
    check_at(shared, asked, Utc::now())
}

fn check_at(shared: &Shared, asked: &Asked, now: DateTime<Utc>) -> Outcome<()> {
    let part = |name: &str| {
        asked
            .query
            .get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::required(name))
    };
    let [algorithm, credential, date, expires, headers, signature] = PARAMETERS;
    if part(algorithm)? != ALGORITHM {
        return Err(Refusal::not_built(format!(
            "the algorithm '{}' of signed URLs",
            part(algorithm)?
        )));
    }
    let (date_text, expires) = (part(date)?, part(expires)?);
    let moment = NaiveDateTime::parse_from_str(date_text, "%Y%m%dT%H%M%SZ")
        .map_err(|_| Refusal::parameter(date, "it is no moment"))?
        .and_utc();
    let expires = expires
        .parse::<i64>()
        .ok()
        .filter(|seconds| (1..=LONGEST).contains(seconds))
        .ok_or_else(|| Refusal::parameter("X-Goog-Expires", "it is 1 to 604800 seconds"))?;
    let credential = part(credential)?;
    let (email, scope) = credential
        .split_once('/')
        .ok_or_else(|| Refusal::parameter("X-Goog-Credential", "it has no scope"))?;
    let is_scope = match scope.split('/').collect::<Vec<_>>().as_slice() {
        [day, location, "storage", "goog4_request"] => {
            date_text.starts_with(*day) && day.len() == 8 && !location.is_empty()
        }
        _ => false,
    };
    if !is_scope {
        return Err(Refusal::parameter(
            "X-Goog-Credential",
            format!("'{scope}' is no scope of this day"),
        ));
    }
    lasts(moment, expires, now)?;
    let public_key = shared
        .public_key(email)
        .ok_or_else(|| mismatch(format!("There is no service account '{email}'.")))?;
    let names: Vec<&str> = part(headers)?.split(';').collect();
    if !names.contains(&"host") {
        return Err(Refusal::parameter(headers, "'host' is not signed"));
    }
    for name in asked.headers.keys().map(http::HeaderName::as_str) {
        if name.starts_with("x-goog-") && !names.contains(&name) {
            return Err(mismatch(format!("The header '{name}' is sent, but not signed.")));
        }
    }
    let payload = asked.header(PAYLOAD)?.unwrap_or(UNSIGNED);
    if payload != UNSIGNED && payload != hex(&Sha256::digest(&asked.body)) {
        return Err(mismatch(format!("The body has another sum than '{payload}'.")));
    }
    let bytes = unhex(part(signature)?).ok_or_else(|| Refusal::parameter(signature, "it is no hex"))?;
    let own = asked.header("host")?.unwrap_or_default();
    // A client that was sent here by a base URL signed what it would have asked.
    let hosts = if own == shared.authority {
        vec![own, HOST]
    } else {
        vec![own]
    };
    let mut told = String::new();
    for host in hosts {
        let canonical = canonical(asked, &names, host)?;
        let digest = hex(&Sha256::digest(canonical.as_bytes()));
        let signed = format!("{ALGORITHM}\n{date_text}\n{scope}\n{digest}");
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public_key);
        if key.verify(signed.as_bytes(), &bytes).is_ok() {
            return Ok(());
        }
        told = format!("StringToSign: {signed} CanonicalRequest: {canonical}");
    }
    Err(mismatch(told))
}

fn lasts(moment: DateTime<Utc>, expires: i64, now: DateTime<Utc>) -> Outcome<()> {
    if moment > now + SKEW {
        return Err(Refusal::new(
            403,
            "forbidden",
            "AccessDenied",
            "The signature is not valid yet.",
        ));
    }
    let end = moment + Duration::seconds(expires);
    if now > end {
        return Err(Refusal::new(
            400,
            "expired",
            "ExpiredToken",
            format!("Request signature expired at: {}", end.to_rfc3339()),
        ));
    }
    Ok(())
}

fn mismatch(message: String) -> Refusal {
    Refusal::new(403, "forbidden", "SignatureDoesNotMatch", message)
}

/// The request as it is signed.
fn canonical(asked: &Asked, names: &[&str], host: &str) -> Outcome<String> {
    let strict = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let mut query: Vec<(String, String)> = asked
        .query
        .0
        .iter()
        .filter(|(name, _)| name != "X-Goog-Signature")
        .map(|(name, value)| (strict(name), strict(value)))
        .collect();
    query.sort();
    let query: Vec<String> = query
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut headers = String::new();
    for name in names {
        let value = if *name == "host" {
            host.to_owned()
        } else {
            let all: Vec<String> = asked
                .headers
                .get_all(*name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            if all.is_empty() {
                return Err(mismatch(format!("The header '{name}' is signed, but not sent.")));
            }
            let joined: Vec<String> = all
                .iter()
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            joined.join(",")
        };
        headers.push_str(&format!("{name}:{value}\n"));
    }
    let payload = asked.header(PAYLOAD)?.unwrap_or(UNSIGNED);
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{payload}",
        asked.method,
        asked.path,
        query.join("&"),
        names.join(";"),
    ))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
