//! Tokens of service accounts, for whoever may act as them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use crate::client::{Google, PROJECT};

fn method(account: &str, verb: &str) -> String {
    format!("POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:{verb}")
}

/// The claims of a token whose signature the key set verifies.
fn verified(google: &Google, token: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("a token has three parts: {token}");
    };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let json = |text: &str| serde_json::from_slice::<Value>(&bytes(text)).unwrap();
    let keys = google.control.key_set().unwrap();
    let key = &keys["keys"][0];
    assert_eq!(json(header)["kid"], key["kid"]);
    let part = |name: &str| bytes(key[name].as_str().unwrap());
    RsaPublicKeyComponents {
        n: part("n"),
        e: part("e"),
    }
    .verify(
        &RSA_PKCS1_2048_8192_SHA256,
        format!("{header}.{claims}").as_bytes(),
        &bytes(signature),
    )
    .unwrap();
    json(claims)
}

#[tokio::test]
async fn an_identity_token_says_who_for_whom_and_how_long() {
    let google = Google::start().await;
    let email = google.account("events").await;
    let body = json!({"audience": "https://orders.run.app", "includeEmail": true});
    let answer = google.ask(&method(&email, "generateIdToken"), body).await.ok();
    let claims = verified(&google, answer["token"].as_str().unwrap());
    assert_eq!(
        (&claims["aud"], &claims["email"], &claims["email_verified"]),
        (&json!("https://orders.run.app"), &json!(email), &json!(true))
    );
    assert_eq!(claims["iss"], "https://accounts.google.com");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
    let body = json!({"audience": "a"});
    let answer = google.ask(&method(&email, "generateIdToken"), body).await.ok();
    assert!(verified(&google, answer["token"].as_str().unwrap())["email"].is_null());
    let own = google.control.id_token(&email, "b").unwrap();
    assert_eq!(verified(&google, &own)["aud"], "b");
}

#[tokio::test]
async fn an_access_token_counts_until_it_expires() {
    let google = Google::start().await;
    let email = google.account("events").await;
    let binding = json!({"role": "roles/pubsub.viewer", "members": [format!("serviceAccount:{email}")]});
    let set = format!("POST cloudresourcemanager.googleapis.com/v3/{PROJECT}:setIamPolicy");
    let policy = json!({"policy": {"bindings": [binding]}});
    google.ask(&set, policy).await.ok();
    let scope = ["https://www.googleapis.com/auth/cloud-platform"];
    let create = method(&email, "generateAccessToken");
    let answer = google.ask(&create, json!({"scope": scope})).await.ok();
    let list = format!("GET pubsub.googleapis.com/v1/{PROJECT}/topics");
    let token = format!("Bearer {}", answer["accessToken"].as_str().unwrap());
    google.send(&list, Some(&token), Value::Null).await.unwrap().ok();
    assert!(chrono::DateTime::parse_from_rfc3339(answer["expireTime"].as_str().unwrap()).is_ok());
    let body = json!({"scope": scope, "lifetime": "0.000000001s"});
    let answer = google.ask(&create, body).await.ok();
    let token = format!("Bearer {}", answer["accessToken"].as_str().unwrap());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let answer = google.send(&list, Some(&token), Value::Null).await.unwrap();
        if answer.status == 401 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the token goes on to count");
        tokio::task::yield_now().await;
    }
    for body in [
        json!({}),
        json!({"scope": []}),
        json!({"scope": scope, "lifetime": "3601s"}),
        json!({"scope": scope, "lifetime": "0s"}),
        json!({"scope": scope, "lifetime": 60}),
    ] {
        google
            .ask(&create, body)
            .await
            .refused(400, "INVALID_ARGUMENT", "");
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_or_may_not_be_used_gives_nothing() {
    let google = Google::start().await;
    let email = google.account("events").await;
    let body = || json!({"audience": "a"});
    let gone = "gone@nephos-tests.iam.gserviceaccount.com";
    google
        .ask(&method(gone, "generateIdToken"), body())
        .await
        .refused(404, "NOT_FOUND", gone);
    let named = method(&email, "generateIdToken").replace("projects/-", PROJECT);
    google
        .ask(&named, body())
        .await
        .refused(400, "INVALID_ARGUMENT", "wildcard");
    google
        .ask(&method(&email, "generateIdToken"), json!({}))
        .await
        .refused(400, "INVALID_ARGUMENT", "audience");
    google.control.deny("iam.serviceAccounts.getOpenIdToken", "");
    google
        .ask(&method(&email, "generateIdToken"), body())
        .await
        .refused(403, "PERMISSION_DENIED", "getOpenIdToken");
    google.control.let_succeed();
    let disable = format!("POST iam.googleapis.com/v1/{PROJECT}/serviceAccounts/{email}:disable");
    google.ask(&disable, json!({})).await.ok();
    google
        .ask(&method(&email, "generateIdToken"), body())
        .await
        .refused(400, "FAILED_PRECONDITION", "disabled");
    assert!(google.control.id_token(&email, "a").is_err());
}

#[tokio::test]
async fn bytes_are_signed_by_the_same_key() {
    let google = Google::start().await;
    let email = google.account("events").await;
    let body = json!({"payload": "aGVsbG8="});
    let answer = google.ask(&method(&email, "signBlob"), body).await.ok();
    let keys = google.control.key_set().unwrap();
    assert_eq!(answer["keyId"], keys["keys"][0]["kid"]);
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let part = |name: &str| {
        URL_SAFE_NO_PAD
            .decode(keys["keys"][0][name].as_str().unwrap())
            .unwrap()
    };
    RsaPublicKeyComponents {
        n: part("n"),
        e: part("e"),
    }
    .verify(
        &RSA_PKCS1_2048_8192_SHA256,
        b"hello",
        &decode(answer["signedBlob"].as_str().unwrap()),
    )
    .unwrap();
}
