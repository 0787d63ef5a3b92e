//! What deployment told the process of its triggers, besides names.

#[cfg(feature = "on-table")]
use std::collections::BTreeMap;

use nephos_core::Result;
use nephos_core::env::Environment;
#[cfg(feature = "on-http")]
use nephos_core::route::{RouteSpec, Routes};
use serde::{Deserialize, Serialize};

use crate::binding::Sources;

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
    #[cfg(feature = "on-table")]
    pub keys: BTreeMap<String, TableKeys>,
    /// The function's own routes, where it has a URL of its own.
    #[cfg(feature = "on-http")]
    pub routes: Option<Routes<()>>,
    /// The bucket and the prefix of stored mails.
    #[cfg(feature = "on-email")]
    pub mail: Option<(String, String)>,
}

impl Wiring {
    /// What the environment tells. A table that the function uses need not stand in [`TABLE_KEYS`](crate::binding::TABLE_KEYS): its binding has the key
    /// attributes too.
    ///
    /// # Errors
    /// [`Decode`](nephos_core::ErrorKind::Decode) or [`InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if a variable is not what deployment
    /// writes.
    pub fn of(environment: &Environment) -> Result<Self> {
        Ok(Self {
            sources: Sources::of(environment)?,
            #[cfg(feature = "on-table")]
            keys: keys(environment)?,
            #[cfg(feature = "on-http")]
            routes: routes(environment)?,
            #[cfg(feature = "on-email")]
            mail: environment
                .get(crate::binding::MAIL)
                .and_then(|place| place.split_once('/'))
                .map(|(bucket, prefix)| (bucket.to_owned(), prefix.to_owned())),
        })
    }
}

#[cfg(feature = "on-table")]
fn keys(environment: &Environment) -> Result<BTreeMap<String, TableKeys>> {
    use crate::binding::TABLE_KEYS;

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
    Ok(keys)
}

#[cfg(feature = "on-http")]
fn routes(environment: &Environment) -> Result<Option<Routes<()>>> {
    use crate::binding::ROUTES;

    let Some(text) = environment.get(ROUTES) else {
        return Ok(None);
    };
    let function = environment.get(nephos_core::env::FUNCTION).unwrap_or_default();
    Routes::of(function, read::<Vec<RouteSpec>>(ROUTES, text)?).map(Some)
}

#[cfg(any(feature = "on-http", feature = "on-table"))]
fn read<'a, T: Deserialize<'a>>(variable: &'static str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        nephos_core::Error::new(
            nephos_core::ErrorKind::Decode,
            "host.start",
            "what deployment wrote of the function's triggers cannot be read; deploy it again",
        )
        .with("variable", variable)
        .caused_by(error)
    })
}

#[cfg(test)]
#[cfg(feature = "on-all")]
mod tests {
    use super::*;
    use crate::binding::{MAIL, ROUTES, TABLE_KEYS};

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
