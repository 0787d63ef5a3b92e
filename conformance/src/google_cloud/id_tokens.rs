//! Tokens of OpenID Connect by which Google's services and accounts say who calls, and the keys by which they are verified:
//! <https://cloud.google.com/docs/authentication/token-types#id>, <https://developers.google.com/identity/openid-connect/openid-connect#discovery>.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use nephos_core::{Error, ErrorKind, Result};
use pki_types::PrivatePkcs8KeyDer;
use pki_types::pem::PemObject as _;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// Who issues them.
const ISSUER: &str = "https://accounts.google.com";

/// The id of the one key.
const KEY: &str = "stand-in-1";

/// How long one counts, in seconds.
const LIFETIME: i64 = 3600;

/// What Cloud Run puts in the place of a signature that it has verified:
/// <https://cloud.google.com/run/docs/troubleshooting#signature-removed>.
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// The key that signs.
pub(super) struct Signer(RsaKeyPair);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// Who calls, by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) email: String,
    pub(super) audience: String,
}

impl Signer {
    /// With a key that there is in tests alone.
    pub(super) fn new() -> Result<Self> {
        let unusable = |message: &'static str| Error::new(ErrorKind::Internal, "cloud-run.start", message);
        let pem = crate::gcs::PRIVATE_KEY.as_bytes();
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|error| unusable("the key of tokens cannot be read").caused_by(error))?;
        RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
            .map(Self)
            .map_err(|error| unusable("the key of tokens cannot be used").caused_by(error.to_string()))
    }

    /// A token of this account for this audience.
    pub(super) fn token(&self, email: &str, subject: &str, audience: &str) -> Result<String> {
        let now = Utc::now().timestamp();
        let head = json!({"alg": "RS256", "kid": KEY, "typ": "JWT"});
        let claims = json!({
            "iss": ISSUER, "aud": audience, "azp": subject, "sub": subject, "email": email, "email_verified": true,
            "iat": now, "exp": now + LIFETIME,
        });
        let signed = format!("{}.{}", part(&head), part(&claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = SystemRandom::new();
        self.0
            .sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "token.sign", "a token cannot be signed")
                    .caused_by(error.to_string())
            })?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The keys, as <https://www.googleapis.com/oauth2/v3/certs> has them.
    pub(super) fn keys(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.0.public().into();
        json!({"keys": [{
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY,
            "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
        }]})
    }

    /// Who calls, if the token is one of this key's that has not expired.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public: PublicKeyComponents<Vec<u8>> = self.0.public().into();
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let is_live = claims["exp"].as_i64()? > Utc::now().timestamp();
        (is_live && claims["iss"] == ISSUER && claims["email_verified"] == true).then_some(Claims {
            email: claims["email"].as_str()?.to_owned(),
            audience: claims["aud"].as_str()?.to_owned(),
        })
    }
}

/// The token as a container gets it.
pub(super) fn without_signature(token: &str) -> String {
    match token.rsplit_once('.') {
        Some((signed, _)) => format!("{signed}.{REMOVED}"),
        None => token.to_owned(),
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_who_calls_whom_until_its_signature_is_taken_or_another_is_put_in() {
        let signer = Signer::new().unwrap();
        let token = signer
            .token("a@p.iam.gserviceaccount.com", "1", "https://f.run.app")
            .unwrap();
        let claims = signer.verify(&token).unwrap();
        assert_eq!(claims.email, "a@p.iam.gserviceaccount.com");
        assert_eq!(claims.audience, "https://f.run.app");
        let bare = without_signature(&token);
        assert!(bare.ends_with(".SIGNATURE_REMOVED_BY_GOOGLE"));
        assert_eq!(signer.verify(&bare), None);
        let other = signer
            .token("b@p.iam.gserviceaccount.com", "2", "https://f.run.app")
            .unwrap();
        let (signed, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signer.verify(&format!("{signed}.{signature}")), None);
        assert_eq!(signer.verify(""), None);
    }

    #[test]
    fn the_keys_are_those_that_signed() {
        let signer = Signer::new().unwrap();
        let keys = signer.keys();
        let key = &keys["keys"][0];
        let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        let public = PublicKeyComponents {
            n: number("n"),
            e: number("e"),
        };
        let token = signer.token("a@p", "1", "x").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .unwrap();
    }
}
