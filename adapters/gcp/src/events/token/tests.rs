//! Tests of tokens, with a key of our own, as Google's are out of reach.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::*;

/// A key for tests, of the suite's stand-ins.
static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let pem = include_str!("../../../../../conformance/src/gcs/service_account.pem");
    let inner = pem.lines().skip_while(|line| !line.starts_with('-'));
    let text: String = inner.filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
});

/// What a server of keys would answer.
pub(crate) fn keys() -> JwkSet {
    let public: PublicKeyComponents<Vec<u8>> = KEY.public_key().into();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = json!({"keys": [{
        "kid": "k-1", "kty": "RSA", "alg": "RS256", "use": "sig",
        "n": text(&public.n),
        "e": text(&public.e),
    }]});
    serde_json::from_value(set).unwrap()
}

pub(crate) fn sign(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; KEY.public().modulus_len()];
    KEY.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn header() -> Value {
    json!({"alg": "RS256", "kid": "k-1", "typ": "JWT"})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://accounts.google.com", "aud": "https://f.example", "sub": "1",
        "email": "push@p.iam.gserviceaccount.com", "email_verified": true,
        "exp": chrono::Utc::now().timestamp() + 600, "iat": chrono::Utc::now().timestamp(),
    })
}

fn verified(token: &str) -> Result<()> {
    verify_caller(
        token,
        &keys(),
        "https://f.example",
        "push@p.iam.gserviceaccount.com",
    )
}

#[test]
fn a_token_of_the_service_account_for_this_function_is_taken() {
    verified(&sign(&header(), &claims())).unwrap();
    let mut short = claims();
    short["iss"] = "accounts.google.com".into();
    verified(&sign(&header(), &short)).unwrap();
}

#[test]
fn any_other_token_is_refused() {
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!("https://g.example")),
        ("aud", Value::Null),
        ("exp", json!(chrono::Utc::now().timestamp() - 600)),
        ("exp", Value::Null),
        ("email", json!("other@p.iam.gserviceaccount.com")),
        ("email", Value::Null),
        ("email_verified", json!(false)),
    ] {
        let mut changed = claims();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(claim);
        } else {
            changed[claim] = value.clone();
        }
        let error = verified(&sign(&header(), &changed)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{claim} {value}");
    }
    let whole = sign(&header(), &claims());
    let (signed, _) = whole.rsplit_once('.').unwrap();
    let mut another = claims();
    another["sub"] = "2".into();
    let other = sign(&header(), &another);
    let (_, signature) = other.rsplit_once('.').unwrap();
    for damaged in [
        format!("{signed}.{signature}"),
        format!("{signed}.SIGNATURE_REMOVED_BY_GOOGLE"),
        format!("{signed}."),
        signed.to_owned(),
        String::new(),
        sign(&json!({"alg": "none", "kid": "k-1"}), &claims()),
        sign(&json!({"alg": "HS256", "kid": "k-1"}), &claims()),
        sign(&json!({"alg": "RS256", "kid": "k-2"}), &claims()),
        sign(&json!({"alg": "RS256"}), &claims()),
    ] {
        let error = verified(&damaged).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{damaged}");
    }
}
