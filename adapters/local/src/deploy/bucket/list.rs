//! Listing: a walk through the folder in the order of the keys' bytes, a piece at a time.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use futures::stream::{self, BoxStream, StreamExt as _};
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectMeta;
use rustix::fs::{Dir, FileType};

use super::FolderBucket;
use super::blocking::blocking;
use super::content::meta;
use super::files::{FileInfo, Found, find_at, io_error, open_folder};
use crate::resources::bucket::to_store_error;

const OPERATION: &str = "bucket.list";
/// How many objects are looked up in one go.
const PIECE: usize = 1000;

/// One entry of a [`Page`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An object.
    Object(ObjectMeta),
    /// All keys that begin with this text, which ends with the delimiter.
    Prefix(String),
}

impl Entry {
    /// The key, or the prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Object(meta) => meta.location.as_ref(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// Some entries of a listing, by ascending bytes of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum After {
    /// At the first key.
    #[default]
    Start,
    /// Behind this key.
    Key(String),
    /// Behind every key that begins with this.
    Prefix(String),
}

impl After {
    fn allows(&self, key: &str) -> bool {
        match self {
            Self::Start => true,
            Self::Key(after) => key > after.as_str(),
            Self::Prefix(after) => key > after.as_str() && !key.starts_with(after.as_str()),
        }
    }

    /// Whether any key that begins with `folder` can be behind.
    fn allows_below(&self, folder: &str) -> bool {
        match self {
            Self::Start => true,
            Self::Key(after) => folder > after.as_str() || after.starts_with(folder),
            Self::Prefix(after) => {
                !folder.starts_with(after.as_str()) && (folder > after.as_str() || after.starts_with(folder))
            }
        }
    }
}

/// A walk under way: the open folders, each with its names still to come, last first.
pub(super) struct Walk {
    bucket: FolderBucket,
    prefix: String,
    after: After,
    stack: Option<Vec<Level>>,
}

struct Level {
    at: OwnedFd,
    path: String,
    names: Vec<Name>,
}

/// A name in a folder; `sort` has a slash at its end for a folder, because that is what its keys go on with.
struct Name {
    sort: String,
    folder: bool,
}

impl Walk {
    pub(super) fn new(bucket: &FolderBucket, prefix: &str, after: After) -> Self {
        Self {
            bucket: bucket.clone(),
            prefix: prefix.to_owned(),
            after,
            stack: None,
        }
    }

    /// Goes on behind `after`.
    fn skip(&mut self, after: After) {
        self.after = after;
    }

    /// The next object; blocks.
    pub(super) fn next(&mut self) -> Result<Option<(String, FileInfo)>> {
        let failed = |errno: rustix::io::Errno| io_error(errno.into(), OPERATION);
        let mut stack = match self.stack.take() {
            Some(stack) => stack,
            None => match self.bucket.inner.folder.folder("").map_err(failed)? {
                Some(at) => vec![self.level(at, String::new())?],
                None => Vec::new(),
            },
        };
        let mut found = None;
        while let Some(level) = stack.last_mut() {
            let Some(name) = level.names.pop() else {
                stack.pop();
                continue;
            };
            let key = format!("{}{}", level.path, name.sort);
            if name.folder {
                if !self.wants_below(&key) {
                    continue;
                }
                match open_folder(&level.at, name.sort.trim_end_matches('/')) {
                    Ok(at) => {
                        let level = self.level(at, key)?;
                        stack.push(level);
                    }
                    // Removed, or replaced by a file, since its name was read.
                    Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {}
                    Err(errno) => return Err(failed(errno).with("folder", key)),
                }
            } else if key.starts_with(&self.prefix)
                && self.after.allows(&key)
                && let Found::Object(info) = find_at(&level.at, &name.sort).map_err(failed)?
            {
                found = Some((key, info));
                break;
            }
        }
        self.stack = Some(stack);
        Ok(found)
    }

    fn wants_below(&self, folder: &str) -> bool {
        (folder.starts_with(&self.prefix) || self.prefix.starts_with(folder))
            && self.after.allows_below(folder)
    }

    fn level(&self, at: OwnedFd, path: String) -> Result<Level> {
        let failed =
            |errno: rustix::io::Errno| io_error(errno.into(), OPERATION).with("folder", path.as_str());
        let mut names = Vec::new();
        for entry in Dir::read_from(&at).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(name) = key_segment(entry.file_name()) else {
                continue;
            };
            let kind = match entry.file_type() {
                FileType::Unknown => match find_at(&at, name).map_err(failed)? {
                    Found::Object(_) => FileType::RegularFile,
                    Found::Folder => FileType::Directory,
                    Found::Nothing | Found::Other => continue,
                },
                known => known,
            };
            match kind {
                FileType::RegularFile => names.push(Name {
                    sort: name.to_owned(),
                    folder: false,
                }),
                FileType::Directory => names.push(Name {
                    sort: format!("{name}/"),
                    folder: true,
                }),
                _ => {}
            }
        }
        names.sort_unstable_by(|a, b| b.sort.cmp(&a.sort));
        Ok(Level { at, path, names })
    }
}

/// The name as a segment of a key, if it can be one.
fn key_segment(name: &CStr) -> Option<&str> {
    let name = name.to_str().ok()?;
    (!matches!(name, "." | "..") && !name.chars().any(|c| c.is_ascii_control())).then_some(name)
}

impl FolderBucket {
    /// The objects whose keys begin with `prefix` (any text) and come after `after`, at most `limit`; with a delimiter, those whose keys hold it
    /// behind the prefix are one [`Entry::Prefix`] together.
    ///
    /// # Errors
    /// What keeps the folder from being read.
    pub async fn page(
        &self,
        prefix: &str,
        after: After,
        delimiter: Option<&str>,
        limit: usize,
    ) -> Result<Page> {
        let mut walk = Walk::new(self, prefix, after);
        let (prefix, delimiter) = (
            prefix.len(),
            delimiter.filter(|text| !text.is_empty()).map(str::to_owned),
        );
        blocking(move || {
            let mut page = Page::default();
            while let Some((key, info)) = walk.next()? {
                if page.entries.len() == limit {
                    page.more = true;
                    break;
                }
                let common = delimiter
                    .as_deref()
                    .and_then(|delimiter| Some(prefix + key[prefix..].find(delimiter)? + delimiter.len()));
                match common {
                    Some(end) => {
                        walk.skip(After::Prefix(key[..end].to_owned()));
                        page.entries.push(Entry::Prefix(key[..end].to_owned()));
                    }
                    None => page.entries.push(Entry::Object(meta(&key, &info))),
                }
            }
            Ok(page)
        })
        .await
    }

    /// All objects whose keys begin with `prefix` (any text) and come after `after`, in order.
    pub(super) fn objects(
        &self,
        prefix: &str,
        after: After,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let walk = Walk::new(self, prefix, after);
        stream::try_unfold(Some(walk), |walk| async move {
            let Some(mut walk) = walk else {
                return Ok(None);
            };
            let piece = blocking(move || {
                let mut piece = Vec::new();
                while piece.len() < PIECE {
                    match walk.next()? {
                        Some((key, info)) => piece.push(Ok(meta(&key, &info))),
                        None => return Ok((piece, None)),
                    }
                }
                Ok((piece, Some(walk)))
            });
            let (piece, walk) = piece.await.map_err(|error| to_store_error(error, ""))?;
            Ok::<_, object_store::Error>(Some((stream::iter(piece), walk)))
        })
        .flat_map(|piece| match piece {
            Ok(piece) => piece.left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        })
        .boxed()
    }
}

/// The token with which a listing goes on behind this entry: opaque to clients.
#[must_use]
pub(super) fn token(entry: &Entry) -> String {
    use base64::Engine as _;
    let text = match entry {
        Entry::Object(meta) => format!("k{}", meta.location),
        Entry::Prefix(prefix) => format!("p{prefix}"),
    };
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

/// Where the listing of a token goes on.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the token is none of [`token`]'s.
pub(super) fn after_token(token: &str) -> Result<After> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().map(|text| text.split_at_checked(1)) {
        Some(Some(("k", key))) => Ok(After::Key(key.to_owned())),
        Some(Some(("p", prefix))) => Ok(After::Prefix(prefix.to_owned())),
        _ => Err(Error::new(
            ErrorKind::InvalidArgument,
            OPERATION,
            "the continuation token is none of this bucket's",
        )),
    }
}
