//! Who calls, by a token of OpenID Connect: <https://cloud.google.com/run/docs/authenticating/service-to-service>.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::tokens::{ISSUER, public_key};

/// What Cloud Run puts in the place of a signature that it has verified:
/// <https://cloud.google.com/run/docs/troubleshooting#signature-removed>.
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// Who calls whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) email: String,
    pub(super) audience: String,
}

/// Who calls, if the token is signed with the key of tests and has not expired.
pub(super) fn verify(token: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key().ok()?)
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let is_live = claims["exp"].as_i64()? > Utc::now().timestamp();
    (is_live && claims["iss"] == ISSUER && claims["email_verified"] == true).then_some(Claims {
        email: claims["email"].as_str()?.to_owned(),
        audience: claims["aud"].as_str()?.to_owned(),
    })
}

/// The token as a container gets it.
pub(super) fn without_signature(token: &str) -> String {
    match token.rsplit_once('.') {
        Some((signed, _)) => format!("{signed}.{REMOVED}"),
        None => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tokens::identity;
    use super::*;

    #[test]
    fn a_token_tells_who_calls_whom_until_its_signature_is_taken_or_another_is_put_in() {
        let token = |email: &str| {
            let account = json!({"email": email, "uniqueId": "1"});
            identity(&account, "https://f.run.app", true).unwrap()
        };
        let one = token("a@p.iam.gserviceaccount.com");
        let claims = verify(&one).unwrap();
        assert_eq!(claims.email, "a@p.iam.gserviceaccount.com");
        assert_eq!(claims.audience, "https://f.run.app");
        let bare = without_signature(&one);
        assert!(bare.ends_with(".SIGNATURE_REMOVED_BY_GOOGLE"));
        assert_eq!(verify(&bare), None);
        let other = token("b@p.iam.gserviceaccount.com");
        let (signed, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = one.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{signed}.{signature}")), None);
        assert_eq!(verify(""), None);
    }
}
