//! Firestore's documents, in native mode: <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents>. They are made, got, listed, changed, deleted and
//! queried, alone and in commits. Everything else is `UNIMPLEMENTED`: transactions, reads at a moment, transforms, listening, aggregations, and queries that need an index that somebody
//! would have to make are refused as Google refuses them.

mod field;
mod filter;
mod name;
mod query;
mod store;
mod value;

use std::sync::{Arc, Mutex, PoisonError};

use nephos_core::Result;
use serde_json::{Map, Value, json};

use self::field::Path;
use self::store::{Store, moment};
use super::{Received, answered, invalid, named, only, receive, unimplemented};
use crate::discovery::Documents;
use crate::google_cloud::error::{Code, Outcome, Refusal};
use crate::google_cloud::list;
use crate::google_cloud::request::Asked;
use crate::server::Server;

const HOST: &str = "firestore.googleapis.com";

/// The largest request: <https://cloud.google.com/firestore/quotas#limits>.
const LARGEST: usize = 10 * 1024 * 1024;

/// The parameters that only a list has.
const LISTED: [&str; 3] = ["pageSize", "pageToken", "orderBy"];

/// How long the ids are that it makes.
const NEW_ID: usize = 20;

/// Starts it.
pub(super) async fn serve(documents: Arc<Documents>) -> Result<Server> {
    let database = Arc::new(Firestore {
        documents,
        store: Mutex::default(),
    });
    Server::start("a stand-in of Firestore", move |request| {
        let database = Arc::clone(&database);
        async move {
            match receive(request).await {
                Ok(received) => answered(database.answer(&received)),
                Err(answer) => answer,
            }
        }
    })
    .await
}

struct Firestore {
    documents: Arc<Documents>,
    store: Mutex<Store>,
}

impl Firestore {
    fn answer(&self, received: &Received) -> Outcome<Value> {
        if received.body.len() > LARGEST {
            return Err(invalid(format!(
                "Request payload size exceeds the limit: {LARGEST} bytes."
            )));
        }
        let asked = received.read(&self.documents, HOST)?;
        for parameter in ["transaction", "readTime", "showMissing", "recursive"] {
            if asked.parameter(parameter).is_some_and(|value| value != "false") {
                return Err(unimplemented(parameter));
            }
        }
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let method = asked
            .call
            .id()
            .trim_start_matches("firestore.projects.databases.documents.");
        match method {
            "get" => get(&store, &asked, &named(&asked, "name")),
            // A document deeper down has a path that both methods have.
            "list" if name::parent(&named(&asked, "parent")).is_err() => {
                if let Some((name, _)) = asked
                    .query
                    .iter()
                    .find(|(name, _)| LISTED.contains(&name.as_str()))
                {
                    return Err(Refusal::field(name, "one document has no pages"));
                }
                let name = format!("{}/{}", named(&asked, "parent"), named(&asked, "collectionId"));
                get(&store, &asked, &name)
            }
            "list" | "listDocuments" => list_page(&store, &asked),
            "createDocument" => create(&mut store, &asked),
            "patch" => patch(&mut store, &asked),
            "delete" => {
                let name = named(&asked, "name");
                let write = with_condition(json!({"delete": name}), &asked)?;
                store.commit(name::database(&name), &[write])?;
                Ok(json!({}))
            }
            "commit" => {
                only(&asked.body, &["writes", "requestOptions"])?;
                let writes = asked.body["writes"].as_array().map_or(&[][..], Vec::as_slice);
                let (results, at) = store.commit(&named(&asked, "database"), writes)?;
                Ok(json!({"writeResults": results, "commitTime": moment(at)}))
            }
            "batchGet" => batch_get(&mut store, &asked),
            "runQuery" => {
                only(&asked.body, &["structuredQuery", "requestOptions"])?;
                let path = received.parts.uri.path().trim_start_matches("/v1/");
                let parent = path.trim_end_matches(":runQuery");
                let parent = percent_encoding::percent_decode_str(parent).decode_utf8();
                let parent = parent.map_err(|error| invalid(error.to_string()))?;
                query::run(&mut store, &parent, &asked.body["structuredQuery"])
            }
            other => Err(unimplemented(&format!(
                "firestore.projects.databases.documents.{other}"
            ))),
        }
    }
}

/// The fields that the answer is to have.
fn mask(asked: &Asked<'_>, parameter: &str) -> Outcome<Option<Vec<Path>>> {
    let paths: Vec<Path> = (asked.query.iter())
        .filter(|(name, _)| name == parameter)
        .map(|(_, path)| Path::read(path))
        .collect::<Outcome<_>>()?;
    Ok((!paths.is_empty()).then_some(paths))
}

/// The precondition of a request's query, in a write.
fn with_condition(mut write: Value, asked: &Asked<'_>) -> Outcome<Value> {
    let mut condition = Map::new();
    match asked.parameter("currentDocument.exists") {
        None => {}
        Some(exists) => {
            let exists: bool = exists
                .parse()
                .map_err(|_| Refusal::field("current_document.exists", "it is true or false"))?;
            condition.insert("exists".to_owned(), exists.into());
        }
    }
    if let Some(at) = asked.parameter("currentDocument.updateTime") {
        condition.insert("updateTime".to_owned(), at.into());
    }
    if !condition.is_empty() {
        write["currentDocument"] = condition.into();
    }
    Ok(write)
}

fn get(store: &Store, asked: &Asked<'_>, name: &str) -> Outcome<Value> {
    name::document(name, name::database(name))?;
    let mask = mask(asked, "mask.fieldPaths")?;
    let found = store.get(name).ok_or_else(|| missing(name))?;
    Ok(found.told(name, mask.as_deref()))
}

fn missing(name: &str) -> Refusal {
    Refusal::new(Code::NotFound, format!("Document \"{name}\" not found."))
}

fn list_page(store: &Store, asked: &Asked<'_>) -> Outcome<Value> {
    let (parent, collection) = (named(asked, "parent"), named(asked, "collectionId"));
    name::parent(&parent)?;
    name::collection(&collection)?;
    let mask = mask(asked, "mask.fieldPaths")?;
    let mut orders = Vec::new();
    for order in asked.parameter("orderBy").unwrap_or_default().split(',') {
        let mut words = order.split_whitespace();
        let Some(path) = words.next() else { continue };
        let direction = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => "ASCENDING",
            Some("desc") => "DESCENDING",
            Some(_) => return Err(Refusal::field("order_by", "it is a field, and asc or desc")),
        };
        orders.push(json!({"field": {"fieldPath": path}, "direction": direction}));
    }
    let asked_for = json!({"from": [{"collectionId": collection}], "orderBy": orders});
    let found = query::find(store, &parent, &asked_for)?;
    let documents = (found.into_iter())
        .map(|(name, document)| document.told(&name, mask.as_deref()))
        .collect();
    list::cut(asked, "documents", documents)
}

fn create(store: &mut Store, asked: &Asked<'_>) -> Outcome<Value> {
    let (parent, collection) = (named(asked, "parent"), named(asked, "collectionId"));
    name::parent(&parent)?;
    let id = asked.parameter("documentId").map_or_else(new_id, str::to_owned);
    let name = format!("{parent}/{collection}/{id}");
    only(&asked.body, &["name", "fields"])?;
    let write = json!({
        "update": {"name": name, "fields": asked.body.get("fields").cloned().unwrap_or_else(|| json!({}))},
        "currentDocument": {"exists": false},
    });
    written(store, asked, &name, write)
}

fn new_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(NEW_ID);
    id
}

fn patch(store: &mut Store, asked: &Asked<'_>) -> Outcome<Value> {
    let name = named(asked, "name");
    let fields = asked.body.get("fields").cloned().unwrap_or_else(|| json!({}));
    let mut write = json!({"update": {"name": name, "fields": fields}});
    let paths: Vec<&str> = (asked.query.iter())
        .filter(|(name, _)| name == "updateMask.fieldPaths")
        .map(|(_, path)| path.as_str())
        .collect();
    if !paths.is_empty() {
        write["updateMask"] = json!({"fieldPaths": paths});
    }
    written(store, asked, &name, with_condition(write, asked)?)
}

/// Commits one write; the document as it is then.
fn written(store: &mut Store, asked: &Asked<'_>, name: &str, write: Value) -> Outcome<Value> {
    let mask = mask(asked, "mask.fieldPaths")?;
    store.commit(name::database(name), &[write])?;
    let found = store.get(name).ok_or_else(|| missing(name))?;
    Ok(found.told(name, mask.as_deref()))
}

/// Each document once, in no promised order; what is not there is told as missing.
fn batch_get(store: &mut Store, asked: &Asked<'_>) -> Outcome<Value> {
    only(&asked.body, &["documents", "mask", "requestOptions"])?;
    let database = named(asked, "database");
    let paths = asked.body["mask"]["fieldPaths"].as_array();
    let mask = paths
        .map(|paths| {
            let paths = paths
                .iter()
                .map(|path| Path::read(path.as_str().unwrap_or_default()));
            paths.collect::<Outcome<Vec<_>>>()
        })
        .transpose()?;
    let sent = asked.body["documents"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = sent.filter_map(Value::as_str).collect();
    for name in &names {
        name::document(name, &database)?;
    }
    names.sort_unstable();
    names.dedup();
    let at = moment(store.now());
    let answers = names.into_iter().map(|name| match store.get(name) {
        Some(found) => json!({"found": found.told(name, mask.as_deref()), "readTime": at}),
        None => json!({"missing": name, "readTime": at}),
    });
    Ok(answers.collect())
}
