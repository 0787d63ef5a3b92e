//! What deployment told the process of its triggers, as the codecs ask for it.

use std::collections::BTreeMap;

use nephos_core::Result;
use nephos_core::env::Environment;
#[cfg(feature = "on-http")]
use nephos_core::route::Routes;
use nephos_core::wiring;

pub use nephos_core::wiring::TableKeys;

/// What the codecs need to know besides the document.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The manifest's names of what is watched, by a bucket's name, or the ARN of a queue, topic, stream, table, rule or schedule. A table's is the ARN of
    /// the table, not of its stream.
    pub sources: BTreeMap<String, String>,
    /// Key attributes by the table's name in the manifest: DynamoDB names the key's attributes in a change, but not which of two comes first.
    #[cfg(feature = "on-table")]
    pub keys: BTreeMap<String, TableKeys>,
    /// The function's own routes, where it has a URL of its own; `None` where an API has matched the route.
    #[cfg(feature = "on-http")]
    pub routes: Option<Routes<()>>,
    /// The bucket and the prefix of stored mails.
    #[cfg(feature = "on-email")]
    pub mail: Option<(String, String)>,
}

impl Wiring {
    /// What the function was told, and the environment besides.
    ///
    /// # Errors
    /// [`InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) for routes that cannot be used.
    pub fn new(told: &wiring::Wiring, environment: &Environment) -> Result<Self> {
        Ok(Self {
            sources: told.sources.clone(),
            #[cfg(feature = "on-table")]
            keys: told.keys(),
            #[cfg(feature = "on-http")]
            routes: if told.routes.is_empty() {
                None
            } else {
                let function = environment.get(nephos_core::env::FUNCTION).unwrap_or_default();
                Some(Routes::of(function, told.routes.iter().cloned())?)
            },
            #[cfg(feature = "on-email")]
            mail: environment
                .get(crate::variables::MAIL)
                .and_then(|place| place.split_once('/'))
                .map(|(bucket, prefix)| (bucket.to_owned(), prefix.to_owned())),
        })
    }

    /// The manifest's name of what is called `physical` on AWS; of what deployment did not name, the last part of its own name.
    #[must_use]
    pub fn source<'a>(&'a self, physical: &'a str) -> &'a str {
        wiring::source(&self.sources, physical)
    }
}

#[cfg(test)]
#[cfg(feature = "on-all")]
mod tests {
    use super::*;
    use crate::variables::MAIL;

    fn read(text: &str) -> Result<Wiring> {
        let environment: Environment = [(nephos_core::env::WIRING, text), (MAIL, "shop-mail/in/")]
            .into_iter()
            .collect();
        Wiring::new(&environment.wiring()?, &environment)
    }

    #[test]
    fn everything_that_deployment_writes_is_read() {
        let wiring = read(
            r#"{"bindings":[{"name":"orders","kind":"table","access":["read"],"properties":{"key":"id","sort":"at"}}],
            "sources":{"arn:aws:sqs:eu-west-1:123456789012:shop-jobs-1X2Y":"jobs"},
            "table_keys":{"faces":{"key":"face_id"}},"routes":[{"method":null,"path":"/hello/{name}"}]}"#,
        )
        .unwrap();
        assert_eq!(
            wiring.source("arn:aws:sqs:eu-west-1:123456789012:shop-jobs-1X2Y"),
            "jobs"
        );
        assert_eq!(wiring.source("arn:aws:sqs:eu-west-1:123456789012:other"), "other");
        let keys: Vec<(&str, &str)> = wiring
            .keys
            .iter()
            .map(|(table, keys)| (table.as_str(), keys.key.as_str()))
            .collect();
        assert_eq!(keys, [("faces", "face_id"), ("orders", "id")]);
        assert!(
            wiring
                .routes
                .unwrap()
                .find("/hello/ann", &http::Method::PUT)
                .is_ok()
        );
        assert_eq!(wiring.mail, Some(("shop-mail".to_owned(), "in/".to_owned())));
        assert!(
            read("{}").unwrap().routes.is_none(),
            "an API has matched the route"
        );
    }

    #[test]
    fn what_deployment_did_not_write_is_named() {
        let error = read("[1]").unwrap_err().to_string();
        assert!(error.contains(nephos_core::env::WIRING), "{error}");
        let error = read(r#"{"routes":[{"path":"/{"}]}"#).unwrap_err().to_string();
        assert!(error.contains("path=/{"), "{error}");
    }
}
