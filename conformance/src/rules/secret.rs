//! Rules of secrets.

use std::sync::Arc;

use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "secret.get.value",
        "a secret is what was set, to the byte",
        "Dapr certification",
        BodyTruncated,
        value
    ),
    rule!(
        "secret.get.binary",
        "a key is bytes, not text",
        "Nephos",
        BodyUtf8Lossy,
        binary,
        needs | capabilities | capabilities.binary_secrets,
        binary_refused
    ),
    rule!(
        "secret.unset.is-not-found",
        "an unset secret must not read as an empty one",
        "Nephos",
        MissingReadsEmpty,
        unset
    ),
    rule!(
        "secret.unset.says-which",
        "an operator must know what to set",
        "Nephos",
        ErrorFactsLost,
        unset_named
    ),
    rule!(
        "secret.rotation.is-seen",
        "a rotated secret takes effect without a new deployment",
        "Nephos",
        SecretCached,
        rotation
    ),
    rule!(
        "secret.value.is-never-shown",
        "a value in a log is a leak",
        "Nephos",
        SecretInDebug,
        hidden
    ),
    rule!(
        "secret.version.older-can-be-read",
        "what was encrypted with the old key is still read",
        "Dapr secret stores",
        VersionIgnored,
        versions,
        needs | capabilities | capabilities.secret.versions,
        versions_refused
    ),
];

const VALUE: &str = "hunter2-ünïque";

async fn value(harness: Subject) -> Verdict {
    let secret = harness.secret(Some(VALUE.as_bytes())).await?;
    ensure!(
        secret.get().await?.expose_text()? == VALUE,
        "the value is not the one that was set"
    );
    Ok(())
}

async fn binary(harness: Subject) -> Verdict {
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let secret = harness.secret(Some(&bytes)).await?;
    ensure!(
        secret.get().await?.expose().as_ref() == bytes.as_slice(),
        "256 bytes of all values changed"
    );
    Ok(())
}

async fn binary_refused(harness: Subject) -> Verdict {
    ensure_fails!(
        harness.secret(Some(&[0xff])).await,
        Unsupported,
        "a secret that is not text where only text is kept"
    );
    Ok(())
}

async fn unset(harness: Subject) -> Verdict {
    let secret = harness.secret(None).await?;
    ensure_fails!(secret.get().await, NotFound, "a secret that is not set");
    Ok(())
}

async fn unset_named(harness: Subject) -> Verdict {
    let secret = harness.secret(None).await?;
    let error = ensure_fails!(secret.get().await, NotFound, "a secret that is not set");
    ensure!(
        error.to_string().contains(secret.name()),
        "the error names the secret `{}`: {error}",
        secret.name()
    );
    Ok(())
}

async fn rotation(harness: Subject) -> Verdict {
    let secret = harness.secret(Some(b"old")).await?;
    ensure!(secret.get().await?.expose_text()? == "old", "the first value");
    harness.rotate(&secret, b"new").await?;
    ensure!(
        secret.get().await?.expose_text()? == "new",
        "the value after it was rotated is still the old one"
    );
    Ok(())
}

async fn hidden(harness: Subject) -> Verdict {
    let secret = harness.secret(Some(VALUE.as_bytes())).await?;
    let value = secret.get().await?;
    let error = secret
        .get_version("no-such-version")
        .await
        .err()
        .ok_or_else(|| Violation::new("there is no such version"))?;
    for shown in [
        format!("{secret:?} {value:?}"),
        format!("{error:?} {error} {}", error.chain()),
    ] {
        ensure!(!shown.contains("hunter2"), "the value is shown");
    }
    Ok(())
}

async fn versions(harness: Subject) -> Verdict {
    let secret = harness.secret(Some(b"old")).await?;
    let old = secret
        .get()
        .await?
        .version()
        .map(str::to_owned)
        .ok_or_else(|| Violation::new("the value has no version"))?;
    harness.rotate(&secret, b"new").await?;
    ensure!(
        secret.get_version(&old).await?.expose_text()? == "old",
        "the old version is another value"
    );
    ensure_fails!(
        secret.get_version("no-such-version").await,
        NotFound,
        "a version that there is not"
    );
    Ok(())
}

async fn versions_refused(harness: Subject) -> Verdict {
    let secret = harness.secret(Some(b"x")).await?;
    ensure_fails!(
        secret.get_version("1").await,
        Unsupported,
        "a version where none are kept"
    );
    ensure_eq!(
        secret.get().await?.version(),
        None,
        "the version of a value where none are kept"
    );
    Ok(())
}
