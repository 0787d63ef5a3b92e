//! What deployment told the process of its triggers, besides names.

use std::collections::BTreeMap;

use nephos_core::env::Environment;
use nephos_core::route::{RouteSpec, Routes};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::binding::{MAIL, ROUTES, Sources, TABLE_KEYS};

/// A table's key attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableKeys {
    /// The partition key.
    pub key: String,
    /// The sort key, if the table has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
}

/// What the codecs need to know besides the document.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The manifest's names of what is watched.
    pub sources: Sources,
    /// Key attributes by the table's name in the manifest.
    pub keys: BTreeMap<String, TableKeys>,
    /// The function's own routes, where it has a URL of its own.
    pub routes: Option<Routes<()>>,
    /// The bucket and the prefix of stored mails.
    pub mail: Option<(String, String)>,
}

impl Wiring {
    /// What the environment tells. A table that the function uses need not stand in [`TABLE_KEYS`]: its binding has the key attributes too.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] or [`ErrorKind::InvalidArgument`] if a variable is not what deployment writes.
    pub fn of(environment: &Environment) -> Result<Self> {
        let mut keys: BTreeMap<String, TableKeys> = environment
            .bindings()?
            .into_iter()
            .filter_map(|binding| {
                let key = binding.properties.get("key")?.clone();
                let sort = binding.properties.get("sort").cloned();
                Some((binding.name, TableKeys { key, sort }))
            })
            .collect();
        if let Some(text) = environment.get(TABLE_KEYS) {
            keys.extend(read::<BTreeMap<String, TableKeys>>(TABLE_KEYS, text)?);
        }
        let routes = match environment.get(ROUTES) {
            Some(text) => Some(Routes::of(
                environment.get(nephos_core::env::FUNCTION).unwrap_or_default(),
                read::<Vec<RouteSpec>>(ROUTES, text)?,
            )?),
            None => None,
        };
        Ok(Self {
            sources: Sources::of(environment)?,
            keys,
            routes,
            mail: environment
                .get(MAIL)
                .and_then(|place| place.split_once('/'))
                .map(|(bucket, prefix)| (bucket.to_owned(), prefix.to_owned())),
        })
    }
}

fn read<'a, T: Deserialize<'a>>(variable: &'static str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            "host.start",
            "what deployment wrote of the function's triggers cannot be read; deploy it again",
        )
        .with("variable", variable)
        .caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_deployment_writes_is_read() {
        let bindings = r#"[{"name":"orders","kind":"table","access":["read"],"properties":{"key":"id","sort":"at"}},
            {"name":"jobs","kind":"queue","access":["send"]}]"#;
        let environment: Environment = [
            (nephos_core::env::BINDINGS, bindings),
            (TABLE_KEYS, r#"{"faces":{"key":"face_id"}}"#),
            (ROUTES, r#"[{"method":null,"path":"/hello/{name}"}]"#),
            (MAIL, "shop-mail/in/"),
        ]
        .into_iter()
        .collect();
        let wiring = Wiring::of(&environment).unwrap();
        let keys = |key: &str, sort: Option<&str>| TableKeys {
            key: key.to_owned(),
            sort: sort.map(str::to_owned),
        };
        assert_eq!(
            wiring.keys,
            [
                ("faces".to_owned(), keys("face_id", None)),
                ("orders".to_owned(), keys("id", Some("at")))
            ]
            .into()
        );
        assert!(
            wiring
                .routes
                .unwrap()
                .find("/hello/ann", &http::Method::PUT)
                .is_ok()
        );
        assert_eq!(wiring.mail, Some(("shop-mail".to_owned(), "in/".to_owned())));
    }

    #[test]
    fn what_deployment_did_not_write_names_its_variable() {
        for (variable, text) in [(ROUTES, "{}"), (TABLE_KEYS, "[]"), (ROUTES, r#"[{"path":"/{"}]"#)] {
            let environment: Environment = [(variable, text)].into_iter().collect();
            let error = Wiring::of(&environment).unwrap_err();
            let is_named = error.to_string().contains(variable) || error.to_string().contains("path=/{");
            assert!(is_named, "{error}");
        }
    }
}
