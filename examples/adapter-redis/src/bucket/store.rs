//! A bucket as an object store. Each write is a script, so a reader sees one writer's bytes.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use redis::Script;

use super::{attributes, upload};
use crate::connection::Connection;

/// How many objects one script lists.
const PAGE: usize = 500;

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/bucket_put.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/bucket_read.lua")));
static COPY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/bucket_copy.lua")));
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/bucket_list.lua")));

/// The objects of one bucket.
#[derive(Debug, Clone)]
pub(super) struct RedisStore {
    pub(super) connection: Connection,
    /// The bucket's key in Redis.
    pub(super) key: String,
}

/// What a write does with an object that is there.
pub(super) enum Condition {
    Always,
    Absent,
    Etag(String),
}

/// What is written.
pub(super) enum Content {
    Bytes(Bytes),
    /// The parts of an upload: its id, and how many there are.
    Parts(String, usize),
}

/// An object as the script lists it: key, etag, moment of the last write, size.
type Listed = (String, String, i64, u64);

/// What Redis failed at, with the error of ours in it.
pub(super) fn failed(error: nephos_core::Error) -> Error {
    Error::Generic {
        store: "Redis",
        source: Box::new(error),
    }
}

fn refused(message: &'static str) -> Error {
    Error::NotSupported {
        source: message.into(),
    }
}

fn missing(path: &Path) -> Error {
    Error::NotFound {
        path: path.to_string(),
        source: "there is no such object in Redis".into(),
    }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists {
        path: path.to_string(),
        source: "the object is there already".into(),
    }
}

fn meta((key, etag, modified, size): Listed) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(key)?,
        last_modified: DateTime::from_timestamp_millis(modified).unwrap_or_default(),
        size,
        e_tag: Some(etag),
        version: None,
    })
}

impl RedisStore {
    /// Writes an object, whole or not at all.
    pub(super) async fn write(
        &self,
        path: &Path,
        condition: Condition,
        head: &str,
        content: Content,
    ) -> Result<PutResult> {
        let mut script = PUT.key(&self.key);
        script.arg(path.as_ref()).arg(match condition {
            Condition::Always => "always".to_owned(),
            Condition::Absent => "absent".to_owned(),
            Condition::Etag(etag) => format!("={etag}"),
        });
        script.arg(head);
        match content {
            Content::Bytes(bytes) => script.arg("bytes").arg(&bytes[..]),
            Content::Parts(id, count) => script.arg("parts").arg(id).arg(count),
        };
        let mut done: Vec<String> = (self.connection.run("bucket.put", &script).await).map_err(failed)?;
        match done.first().map(String::as_str) {
            Some("done") => Ok(PutResult {
                e_tag: done.pop(),
                version: None,
                extensions: Default::default(),
            }),
            Some("exists") => Err(exists(path)),
            Some("changed") => Err(Error::Precondition {
                path: path.to_string(),
                source: "the object is another by now, or gone".into(),
            }),
            _ => Err(Error::Generic {
                store: "Redis",
                source: "parts of the upload are not there any more; upload it again".into(),
            }),
        }
    }

    /// What is known of an object, and its attributes.
    async fn known(&self, path: &Path) -> Result<(ObjectMeta, String)> {
        let mut command = redis::cmd("HMGET");
        command
            .arg(format!("{}:object:{path}", self.key))
            .arg(&["etag", "modified", "size", "head"]);
        let (etag, modified, size, head): (Option<String>, Option<i64>, Option<u64>, Option<String>) =
            (self.connection.ask("bucket.get", &command).await).map_err(failed)?;
        let (Some(etag), Some(modified), Some(size)) = (etag, modified, size) else {
            return Err(missing(path));
        };
        let listed = (path.to_string(), etag, modified, size);
        Ok((meta(listed)?, head.unwrap_or_default()))
    }

    /// Bytes of the object that has this etag; nothing if it is another by now.
    async fn bytes(&self, path: &Path, etag: &str, range: &Range<u64>) -> Result<Option<Bytes>> {
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        let mut script = READ.key(&self.key);
        script
            .arg(path.as_ref())
            .arg(etag)
            .arg(range.start)
            .arg(range.end - 1);
        let bytes: Option<Vec<u8>> = (self.connection.run("bucket.get", &script).await).map_err(failed)?;
        Ok(bytes.map(Bytes::from))
    }

    /// Objects from this end on, by pages.
    fn pages(&self, low: Vec<u8>, high: Vec<u8>) -> BoxStream<'static, Result<ObjectMeta>> {
        let pages = stream::try_unfold((self.clone(), Some(low)), move |(store, low)| {
            let high = high.clone();
            async move {
                let Some(low) = low else {
                    return Ok(None);
                };
                let mut script = LIST.key(&store.key);
                script.arg(low).arg(high).arg(PAGE);
                let page: Vec<Listed> =
                    (store.connection.run("bucket.list", &script).await).map_err(failed)?;
                let next = (page.last().filter(|_| page.len() == PAGE))
                    .map(|(key, ..)| [b"(", key.as_bytes()].concat());
                let page: Vec<Result<ObjectMeta>> = page.into_iter().map(meta).collect();
                Ok::<_, Error>(Some((stream::iter(page), (store, next))))
            }
        });
        pages.try_flatten().boxed()
    }

    fn list_behind(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        // A prefix is whole segments: what lies below it begins with it and a slash.
        let below = prefix
            .map(|prefix| format!("{prefix}/"))
            .filter(|below| below != "/")
            .unwrap_or_default();
        let low = match offset {
            Some(offset) if offset.as_ref().as_bytes() >= below.as_bytes() => {
                [b"(", offset.as_ref().as_bytes()].concat()
            }
            _ => [b"[", below.as_bytes()].concat(),
        };
        // No key has this byte.
        let high = [b"(", below.as_bytes(), &[0xff]].concat();
        self.pages(low, high)
    }
}

impl fmt::Display for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.key)
    }
}

#[async_trait]
impl ObjectStore for RedisStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let condition = match options.mode {
            PutMode::Overwrite => Condition::Always,
            PutMode::Create => Condition::Absent,
            PutMode::Update(version) => Condition::Etag(
                version
                    .e_tag
                    .ok_or_else(|| refused("Redis knows an object's state by its etag alone"))?,
            ),
        };
        let head = attributes::text(&options.attributes)?;
        self.write(location, condition, &head, Content::Bytes(payload.into()))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let head = attributes::text(&options.attributes)?;
        Ok(Box::new(upload::Upload::new(
            self.clone(),
            location.clone(),
            head,
        )))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.version.is_some() {
            return Err(refused("Redis keeps no versions of an object"));
        }
        loop {
            let (meta, head) = self.known(location).await?;
            options.check_preconditions(&meta)?;
            let range = match &options.range {
                None => 0..meta.size,
                Some(range) => range.as_range(meta.size).map_err(|error| Error::Generic {
                    store: "Redis",
                    source: error.into(),
                })?,
            };
            let read = if options.head { 0..0 } else { range.clone() };
            let etag = meta.e_tag.clone().unwrap_or_default();
            // One that was written between the two questions is asked for again.
            let Some(bytes) = self.bytes(location, &etag, &read).await? else {
                continue;
            };
            return Ok(GetResult {
                payload: GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed()),
                meta,
                range,
                attributes: attributes::read(&head)?,
                extensions: Default::default(),
            });
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .and_then(move |path| {
                let store = store.clone();
                async move {
                    let (key, bucket) = (path.as_ref(), &store.key);
                    let mut commands = redis::pipe();
                    commands.atomic();
                    for part in ["object", "data"] {
                        commands.cmd("DEL").arg(format!("{bucket}:{part}:{key}"));
                    }
                    commands.cmd("ZREM").arg(format!("{bucket}:keys")).arg(key);
                    let _gone: Vec<i64> =
                        (store.connection.ask_all("bucket.delete", &commands).await).map_err(failed)?;
                    Ok(path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_behind(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_behind(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let below = prefix.map_or(0, |prefix| prefix.parts().count());
        let mut listed = self.list(prefix);
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        while let Some(meta) = listed.try_next().await? {
            let parts: Vec<_> = meta.location.parts().take(below + 2).collect();
            if parts.len() == below + 1 {
                result.objects.push(meta);
                continue;
            }
            let folder: Path = parts.into_iter().take(below + 1).collect();
            // They come in order, so one that was seen is the last.
            if result.common_prefixes.last() != Some(&folder) {
                result.common_prefixes.push(folder);
            }
        }
        Ok(result)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mut script = COPY.key(&self.key);
        script
            .arg(from.as_ref())
            .arg(to.as_ref())
            .arg(match options.mode {
                CopyMode::Overwrite => "always",
                CopyMode::Create => "absent",
            });
        let done: String = (self.connection.run("bucket.copy", &script).await).map_err(failed)?;
        match done.as_str() {
            "done" => Ok(()),
            "exists" => Err(exists(to)),
            _ => Err(missing(from)),
        }
    }
}
