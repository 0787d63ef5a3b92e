//! Signed URLs: shared access signatures for one blob, by the account's key, or by a key that a token buys for a week at most.
//! <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>, <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>
//!
//! `object_store` signs the key as it stands in the URL. What is to be signed is the key itself, which is another text if it has a space.

use std::time::Duration;

use azure_core::http::{Method, Request, Url};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use nephos_core::resource::bucket::SignedMethod;
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use tokio::sync::Mutex;

use super::SIGN;
use super::credentials::SCOPE;
use crate::config::Config;
use crate::config::signing::Key;
use crate::error::{between, failed};
use crate::resources::rest::{Proof, Rest, TokenForm};

/// The version of storage whose rules the signature follows, and of the request for a key.
const VERSION: &str = "2021-12-02";

/// How long a key is asked for: the longest that there is.
const KEY_LIFE: TimeDelta = TimeDelta::days(7);

/// How much earlier a key begins: clocks differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug)]
pub(super) struct Signer {
    /// The container's URL.
    address: Url,
    account: String,
    container: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Key(Key),
    Token(Box<Buyer>),
}

/// Asks for keys, and keeps one.
#[derive(Debug)]
struct Buyer {
    rest: Rest,
    kept: Mutex<Option<Delegated>>,
}

/// A key that stands for whoever's token bought it.
#[derive(Debug, Clone)]
struct Delegated {
    key: Key,
    object: String,
    tenant: String,
    start: String,
    expiry: String,
    until: DateTime<Utc>,
    service: String,
    version: String,
}

impl Signer {
    pub(super) fn new(config: &Config, address: &Url, account: String, container: &str) -> Self {
        let source = match config.storage_key() {
            Some(key) => Source::Key(key.clone()),
            None => {
                let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
                Source::Token(Box::new(Buyer {
                    rest: Rest::new(config, address, proof),
                    kept: Mutex::default(),
                }))
            }
        };
        Self {
            address: address.clone(),
            account,
            container: container.to_owned(),
            source,
        }
    }

    pub(super) async fn sign(&self, method: SignedMethod, path: &Path, lifetime: Duration) -> Result<Url> {
        let until = Utc::now() + TimeDelta::from_std(lifetime).unwrap_or(KEY_LIFE);
        match &self.source {
            Source::Key(key) => self.url(method, path, until, key, None),
            Source::Token(buyer) => {
                let delegated = self.delegated(buyer, until).await?;
                self.url(method, path, until, &delegated.key, Some(&delegated))
            }
        }
    }

    fn url(
        &self,
        method: SignedMethod,
        path: &Path,
        until: DateTime<Utc>,
        key: &Key,
        delegated: Option<&Delegated>,
    ) -> Result<Url> {
        let permission = match method {
            SignedMethod::Get => "r",
            SignedMethod::Put => "cw",
            SignedMethod::Delete => "d",
        };
        let expiry = until.to_rfc3339_opts(SecondsFormat::Secs, true);
        let resource = format!("/blob/{}/{}/{path}", self.account, self.container);
        // An emulator may be asked over plain HTTP.
        let protocol = if self.address.scheme() == "https" {
            "https"
        } else {
            ""
        };
        let mut text = vec![permission, "", &expiry, &resource];
        match delegated {
            None => text.push(""),
            Some(by) => text.extend([
                &*by.object,
                &*by.tenant,
                &*by.start,
                &*by.expiry,
                &*by.service,
                &*by.version,
                "",
                "",
                "",
            ]),
        }
        // An address, then version and kind, then snapshot, encryption scope and five headers of the answer.
        text.extend(["", protocol, VERSION, "b", "", "", "", "", "", "", ""]);
        let signature = key.sign(&text.join("\n")).map_err(|error| failed(SIGN, error))?;
        let mut url = self.address.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.extend(path.parts().map(|part| part.as_ref().to_owned()));
        }
        let mut query = url.query_pairs_mut();
        for (name, value) in [
            ("sv", VERSION),
            ("sr", "b"),
            ("sp", permission),
            ("se", &expiry),
            ("spr", protocol),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(by) = delegated {
            for (name, value) in [
                ("skoid", &by.object),
                ("sktid", &by.tenant),
                ("skt", &by.start),
                ("ske", &by.expiry),
                ("sks", &by.service),
                ("skv", &by.version),
            ] {
                query.append_pair(name, value);
            }
        }
        query.append_pair("sig", &signature);
        drop(query);
        Ok(url)
    }

    /// A key that lives until then. One is kept: storage does not like to be asked often.
    async fn delegated(&self, buyer: &Buyer, until: DateTime<Utc>) -> Result<Delegated> {
        // Held over the wait, so that many URLs at once ask for one key.
        let mut kept = buyer.kept.lock().await;
        if let Some(key) = &*kept
            && key.until >= until
        {
            return Ok(key.clone());
        }
        let now = Utc::now();
        let (start, expiry) = (now - SKEW, now + KEY_LIFE - SKEW);
        let mut url = self.address.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop().push("");
        }
        url.query_pairs_mut()
            .append_pair("restype", "service")
            .append_pair("comp", "userdelegationkey");
        let mut request = Request::new(url, Method::Post);
        request.insert_header("x-ms-version", VERSION);
        request.insert_header("content-type", "application/xml");
        request.set_body(bytes::Bytes::from(format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{}</Start><Expiry>{}</Expiry></KeyInfo>",
            start.to_rfc3339_opts(SecondsFormat::Secs, true),
            expiry.max(until).to_rfc3339_opts(SecondsFormat::Secs, true),
        )));
        let answer = buyer.rest.send(SIGN, request).await?;
        let text = std::str::from_utf8(answer.body()).map_err(|_| unreadable())?;
        let fresh = Delegated::read(text).ok_or_else(unreadable)?;
        Ok(kept.insert(fresh).clone())
    }
}

impl Delegated {
    fn read(xml: &str) -> Option<Self> {
        let field = |name: &str| between(xml, &format!("<{name}>"), &format!("</{name}>")).map(str::to_owned);
        let expiry = field("SignedExpiry")?;
        Some(Self {
            key: Key::read("SignedKey", &field("Value")?).ok()?,
            object: field("SignedOid")?,
            tenant: field("SignedTid")?,
            start: field("SignedStart")?,
            until: DateTime::parse_from_rfc3339(&expiry).ok()?.to_utc(),
            expiry,
            service: field("SignedService")?,
            version: field("SignedVersion")?,
        })
    }
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        SIGN,
        "storage gave no key to sign with; check what lies between here and the endpoint",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "<?xml version=\"1.0\"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid><SignedStart>2026-01-01T00:00:00Z</SignedStart><SignedExpiry>2026-01-08T00:00:00Z</SignedExpiry><SignedService>b</SignedService><SignedVersion>2021-12-02</SignedVersion><Value>c2VjcmV0</Value></UserDelegationKey>";

    #[tokio::test]
    async fn a_bought_key_signs_with_whose_it_is_until_it_ends() {
        let config = Config::load(&std::iter::empty::<(&str, &str)>().collect()).unwrap();
        let address = Url::parse("https://acct.blob.core.windows.net/photos").unwrap();
        let signer = Signer::new(&config, &address, "acct".to_owned(), "photos");
        let delegated = Delegated::read(KEY).unwrap();
        let until = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        let url = signer
            .url(
                SignedMethod::Get,
                &Path::parse("a b/ü").unwrap(),
                until,
                &delegated.key,
                Some(&delegated),
            )
            .unwrap();
        // The text of the second of the pages above.
        let text = "r\n\n2026-01-01T00:00:00Z\n/blob/acct/photos/a b/ü\noid\ntid\n2026-01-01T00:00:00Z\n2026-01-08T00:00:00Z\nb\n2021-12-02\n\n\n\n\nhttps\n2021-12-02\nb\n\n\n\n\n\n\n";
        assert_eq!(text.split('\n').count(), 24);
        let signature = delegated.key.sign(text).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs.last().unwrap(), &("sig".to_owned(), signature));
        assert!(
            pairs.contains(&("skoid".to_owned(), "oid".to_owned())),
            "{pairs:?}"
        );
        assert_eq!(url.path(), "/photos/a%20b/%C3%BC");

        // A key that is kept is used as long as it lives.
        if let Source::Token(buyer) = &signer.source {
            let until = Utc::now() + TimeDelta::days(1);
            *buyer.kept.lock().await = Some(Delegated {
                until,
                ..delegated.clone()
            });
        }
        let signed = signer
            .sign(SignedMethod::Put, &Path::from("a"), Duration::from_secs(60))
            .await
            .unwrap();
        assert!(signed.as_str().contains("sp=cw"), "{signed}");
        assert!(Delegated::read("<Error/>").is_none());
    }
}
