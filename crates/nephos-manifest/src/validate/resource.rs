//! Buckets, queues, topics, streams, tables and secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_core::app::{BucketSpec, QueueSpec, Resource, SecretSpec, StreamSpec, TableSpec, TopicSpec};
use nephos_core::resource::ResourceKind;
use nephos_core::resource::table::TableSchema;

use super::name;
use super::reader::{Checker, Field, Section};
use crate::diagnostic::{Problem, ProblemKind};
use crate::spans::{Part, Path};
use crate::suggest;

const BUCKET: [&str; 4] = ["url", "endpoint", "region", "credentials"];
const QUEUE: [&str; 3] = ["visibility_timeout", "retention", "ordered"];
const STREAM: [&str; 2] = ["retention", "shards"];
const TABLE: [&str; 3] = ["key", "sort", "ttl"];
const SECRET: [&str; 1] = ["env"];

/// The schemes of stores that a bucket elsewhere can be in.
const SCHEMES: [&str; 1] = ["s3"];
/// The endpoint that stands for the local target's own store.
const EMBEDDED: &str = "embedded";

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// All resources by name.
pub(super) fn read(checker: &mut Checker<'_>, root: &Section<'_>) -> BTreeMap<String, Resource> {
    let mut resources: BTreeMap<String, Resource> = BTreeMap::new();
    for kind in ResourceKind::ALL.map(ResourceKind::name) {
        let Some(field) = root.field(kind) else { continue };
        let wanted = format!("a table for each {kind}, such as [{kind}.name]");
        let Some(section) = checker.table(field, &wanted) else {
            continue;
        };
        for name in section.keys() {
            let Some(field) = section.field(name) else {
                continue;
            };
            name::check(checker, &field.path, format_args!("the {kind}'s name"), name);
            let Some(resource) = entry(checker, kind, field) else {
                continue;
            };
            if let Some(other) = resources.get(name) {
                let other = other.kind();
                twice(checker, &field.path, name, kind, other);
                continue;
            }
            resources.insert(name.to_owned(), resource);
        }
    }
    credentials(checker, root, &mut resources);
    resources
}

/// One resource; with its defaults where a value is wrong, so that what refers to it finds it.
pub(super) fn entry(checker: &mut Checker<'_>, kind: &str, field: Field<'_>) -> Option<Resource> {
    Some(match kind {
        "bucket" => Resource::Bucket(bucket(checker, field)?),
        "queue" => Resource::Queue(queue(checker, field)?),
        "topic" => {
            checker.section(field, &[])?;
            Resource::Topic(TopicSpec {})
        }
        "stream" => Resource::Stream(stream(checker, field)?),
        "table" => Resource::Table(table(checker, field)?),
        "secret" => Resource::Secret(secret(checker, field)?),
        _ => return None,
    })
}

fn twice(checker: &mut Checker<'_>, path: &Path<'_>, name: &str, kind: &str, other: ResourceKind) {
    let message = format!("`{name}` is the name of a {other} and of a {kind}");
    let kinds = Path::Key(&Path::Root, other.name());
    let first = checker.locate(&Path::Key(&kinds, name), Part::Key);
    let here = checker.locate(path, Part::Key);
    let problem = Problem::new(ProblemKind::DuplicateName, message)
        .help(format!("rename one, to `{name}-{kind}` for example"))
        .at(here, format!("a {kind} here"))
        .at(first, format!("a {other} here"));
    checker.add(problem);
}

fn bucket(checker: &mut Checker<'_>, field: Field<'_>) -> Option<BucketSpec> {
    let section = checker.section(field, &BUCKET)?;
    let url = section.field("url");
    let mut spec = BucketSpec {
        url: url.and_then(|field| store_url(checker, field)),
        endpoint: section
            .field("endpoint")
            .and_then(|field| endpoint(checker, field)),
        region: section
            .field("region")
            .and_then(|field| checker.filled(field))
            .map(str::to_owned),
        credentials: None,
    };
    if let Some(field) = section.field("credentials") {
        spec.credentials = secret_name(checker, field).map(str::to_owned);
    }
    if url.is_none() {
        for key in BUCKET.iter().skip(1) {
            if let Some(field) = section.field(key) {
                let problem = Problem::new(
                    ProblemKind::MissingKey,
                    format!("{} has `{key}` but no `url`", section.path),
                )
                .help("`endpoint`, `region` and `credentials` are for a bucket elsewhere: add url = \"s3://name\", or remove them".to_owned());
                checker.key(&field.path, "belongs to a bucket with a url", problem);
            }
        }
    }
    Some(spec)
}

fn store_url(checker: &mut Checker<'_>, field: Field<'_>) -> Option<String> {
    let text = checker.text(field)?;
    let help = "write it as in url = \"s3://bucket-name\"; where the store is goes to `endpoint`".to_owned();
    let Some((scheme, rest)) = text.split_once("://") else {
        checker.invalid(
            &field.path,
            format_args!("`{text}` is not the URL of a bucket"),
            help,
        );
        return None;
    };
    if !SCHEMES.contains(&scheme) {
        let message = format_args!("`{scheme}` is not a scheme of buckets");
        checker.invalid(
            &field.path,
            message,
            format!("it can be: {}", suggest::list(&SCHEMES)),
        );
        return None;
    }
    let bucket = rest.split('/').next().unwrap_or_default();
    if bucket.is_empty() || rest.contains(|letter: char| letter.is_whitespace() || "?#@:".contains(letter)) {
        checker.invalid(&field.path, format_args!("`{text}` names no bucket"), help);
        return None;
    }
    Some(text.to_owned())
}

fn endpoint(checker: &mut Checker<'_>, field: Field<'_>) -> Option<String> {
    let text = checker.text(field)?;
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .filter(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace));
    if text != EMBEDDED && host.is_none() {
        let help = "write it as in endpoint = \"https://storage.example.net\"".to_owned();
        checker.invalid(&field.path, format_args!("`{text}` is not an endpoint"), help);
        return None;
    }
    Some(text.to_owned())
}

/// The name in `{ secret = "name" }`.
fn secret_name<'v>(checker: &mut Checker<'_>, field: Field<'v>) -> Option<&'v str> {
    if matches!(field.value.kind, config::ValueKind::String(_)) {
        let help = "keep credentials out of the manifest: credentials = { secret = \"name\" }".to_owned();
        checker.wrong_type(field, "a table", Some(help));
        return None;
    }
    let section = checker.section(field, &["secret"])?;
    let config::ValueKind::Table(table) = &field.value.kind else {
        return None;
    };
    let Some(value) = table.get("secret") else {
        checker.missing(
            &section.path,
            "secret",
            "write it as in credentials = { secret = \"archive-keys\" }",
        );
        return None;
    };
    checker.filled(Field {
        value,
        path: Path::Key(&section.path, "secret"),
    })?;
    match &value.kind {
        config::ValueKind::String(text) => Some(text),
        _ => None,
    }
}

/// Holds the secrets of buckets against those declared. One that is not declared, and like none that is, is taken to be one.
fn credentials(checker: &mut Checker<'_>, root: &Section<'_>, resources: &mut BTreeMap<String, Resource>) {
    let wanted: Vec<(String, String)> = resources
        .iter()
        .filter_map(|(name, resource)| match resource {
            Resource::Bucket(bucket) => Some((name.clone(), bucket.credentials.clone()?)),
            _ => None,
        })
        .collect();
    let declared: Vec<String> = resources
        .iter()
        .filter(|(_, resource)| resource.kind() == ResourceKind::Secret)
        .map(|(name, _)| name.clone())
        .collect();
    let buckets = Path::Key(&root.path, "bucket");
    for (bucket, secret) in wanted {
        let bucket_path = Path::Key(&buckets, &bucket);
        let table = Path::Key(&bucket_path, "credentials");
        let path = Path::Key(&table, "secret");
        match resources.get(&secret) {
            Some(Resource::Secret(_)) => {}
            Some(other) => {
                let message = format!(
                    "the credentials of bucket `{bucket}` are `{secret}`, which is a {}",
                    other.kind()
                );
                let problem = Problem::new(ProblemKind::WrongKind, message).help("name a secret".to_owned());
                checker.value(&path, "not a secret", problem);
            }
            None => {
                let near = suggest::nearest(&secret, declared.iter().map(String::as_str));
                if let Some(near) = near {
                    let problem = Problem::new(
                        ProblemKind::UnknownResource,
                        format!("the manifest declares no secret `{secret}`"),
                    )
                    .help(format!("did you mean `{near}`?"));
                    checker.value(&path, "not declared", problem);
                } else if name::check(checker, &path, "the secret's name", &secret) {
                    let problem = Problem::new(
                        ProblemKind::ImpliedSecret,
                        format!("secret `{secret}` is used and not declared"),
                    )
                    .help(format!("declare it: [secret.{secret}]"))
                    .warning();
                    checker.value(&path, "taken to be a secret", problem);
                    resources.insert(secret, Resource::Secret(SecretSpec::default()));
                }
            }
        }
    }
}

fn queue(checker: &mut Checker<'_>, field: Field<'_>) -> Option<QueueSpec> {
    let section = checker.section(field, &QUEUE)?;
    let default = QueueSpec::default();
    Some(QueueSpec {
        visibility_timeout: section
            .field("visibility_timeout")
            .and_then(|field| checker.duration(field, &(SECOND..=12 * HOUR)))
            .unwrap_or(default.visibility_timeout),
        retention: section
            .field("retention")
            .and_then(|field| checker.duration(field, &(MINUTE..=YEAR)))
            .unwrap_or(default.retention),
        ordered: section
            .field("ordered")
            .and_then(|field| checker.boolean(field))
            .unwrap_or_default(),
        implicit: false,
    })
}

fn stream(checker: &mut Checker<'_>, field: Field<'_>) -> Option<StreamSpec> {
    let section = checker.section(field, &STREAM)?;
    let default = StreamSpec::default();
    Some(StreamSpec {
        retention: section
            .field("retention")
            .and_then(|field| checker.duration(field, &(MINUTE..=YEAR)))
            .unwrap_or(default.retention),
        shards: section
            .field("shards")
            .and_then(|field| checker.number(field, &(1..=1000)))
            .unwrap_or(default.shards),
    })
}

fn table(checker: &mut Checker<'_>, field: Field<'_>) -> Option<TableSpec> {
    let section = checker.section(field, &TABLE)?;
    let mut attribute = |key| {
        let field = section.field(key)?;
        checker.filled(field).map(str::to_owned)
    };
    let (key, sort, ttl) = (attribute("key"), attribute("sort"), attribute("ttl"));
    if section.field("key").is_none() {
        checker.missing(
            &section.path,
            "key",
            "name the attribute that is the partition key: key = \"id\"",
        );
    }
    let roles = [("key", &key), ("sort", &sort), ("ttl", &ttl)];
    for (index, (role, attribute)) in roles.iter().enumerate() {
        let earlier = roles.iter().take(index).find(|(_, other)| other == attribute);
        if let (Some(attribute), Some((other, _))) = (attribute, earlier)
            && let Some(field) = section.field(role)
        {
            let message = format!(
                "`{role}` and `{other}` of {} are both `{attribute}`",
                section.path
            );
            checker.invalid(&field.path, message, "name an attribute for each".to_owned());
        }
    }
    Some(TableSpec {
        schema: TableSchema {
            key: key.unwrap_or_default(),
            sort,
            ttl,
        },
    })
}

fn secret(checker: &mut Checker<'_>, field: Field<'_>) -> Option<SecretSpec> {
    let section = checker.section(field, &SECRET)?;
    let env = section.field("env").and_then(|field| {
        let name = checker.text(field)?;
        if name::is_variable(name) {
            return Some(name.to_owned());
        }
        let help = "such names are letters, digits and underscores: ARCHIVE_KEYS".to_owned();
        checker.invalid(
            &field.path,
            format_args!("`{name}` is not the name of an environment variable"),
            help,
        );
        None
    });
    Some(SecretSpec { env })
}
