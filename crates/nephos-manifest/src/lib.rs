//! The manifest of Nephos, `nephos.toml`: loading, validation with diagnostics, and its JSON Schema.
//!
//! ```
//! # use std::collections::BTreeMap;
//! let text = r#"
//! app = "hello"
//!
//! [function.greet]
//! on = [{ http = "GET /hello/{name}" }]
//! "#;
//! let loaded = nephos_manifest::load_str("nephos.toml", text, None, &BTreeMap::new(), &["local"]).unwrap();
//! assert_eq!(loaded.app.functions["greet"].concurrency, 80);
//! ```
//!
//! Three layers make the app, through the `config` crate: the file, the chosen target's overlay in it, and `NEPHOS__…`
//! environment variables. `config` keeps no places, so those are looked up in the parsed text, once something is wrong.

mod diagnostic;
mod environment;
mod fit;
mod layer;
mod load;
pub mod schedule;
pub mod schema;
mod spans;
mod suggest;
mod units;
mod validate;
mod work;

pub use self::diagnostic::{Position, Problem, ProblemKind, Report};
pub use self::load::{FILE_NAME, Loaded, load, load_str};
pub use self::schema::schema;
pub use self::suggest::help as suggestion;
