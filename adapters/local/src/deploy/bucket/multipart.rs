//! Uploads in parts: each part is a staged file of its own, so that parts may come in any order and again; all are joined at the end.

use std::collections::{BTreeMap, HashMap};
use std::io::Seek as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt as _;
use nephos_core::{Error, ErrorKind, Result};
use object_store::{Attributes, MultipartUpload, PutMode, PutPayload, PutResult, UploadPart};

use super::FolderBucket;
use super::blocking::blocking;
use super::files::{check_key, io_error};
use super::stage::Staged;
use super::store::Written;
use crate::resources::bucket::to_store_error;

const OPERATION: &str = "bucket.put_multipart";
/// As with S3: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const MAX_PARTS: u32 = 10_000;

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number, from 1.
    pub number: u32,
    /// Its etag; another one each time that the part is uploaded.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
}

#[derive(Debug)]
struct Part {
    info: PartInfo,
    staged: Staged,
}

#[derive(Debug)]
struct Upload {
    key: String,
    attributes: Attributes,
    parts: BTreeMap<u32, Part>,
}

/// The uploads under way; they end with the host.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<String, Upload>>);

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        // Nothing panics between two states of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FolderBucket {
    /// Begins an upload in parts; returns its id. It ends with [`complete_upload`](Self::complete_upload), [`abort_upload`](Self::abort_upload), or the host.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an impossible key.
    pub fn begin_upload(&self, key: &str, attributes: Attributes) -> Result<String> {
        check_key(key, OPERATION)?;
        let id = uuid::Uuid::now_v7().simple().to_string();
        let upload = Upload {
            key: key.to_owned(),
            attributes,
            parts: BTreeMap::new(),
        };
        self.inner.uploads.lock().insert(id.clone(), upload);
        Ok(id)
    }

    /// Makes what was written the part `number` of an upload, over a part of that number.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such upload of `key`, [`ErrorKind::InvalidArgument`] for a number outside 1 to 10,000.
    pub fn add_part(&self, key: &str, upload: &str, number: u32, part: super::Incoming) -> Result<PartInfo> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                OPERATION,
                "a part's number is from 1 to 10,000",
            )
            .with("key", key)
            .with("part", number));
        }
        let (staged, size) = part.finish()?;
        let info = PartInfo {
            number,
            etag: uuid::Uuid::new_v4().simple().to_string(),
            size,
        };
        let mut uploads = self.inner.uploads.lock();
        let under_way = find(&mut uploads, key, upload)?;
        let replaced = under_way.parts.insert(
            number,
            Part {
                info: info.clone(),
                staged,
            },
        );
        drop(uploads);
        drop(replaced);
        Ok(info)
    }

    /// The parts of an upload that are there, by number.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such upload of `key`.
    pub fn parts(&self, key: &str, upload: &str) -> Result<Vec<PartInfo>> {
        let mut uploads = self.inner.uploads.lock();
        let upload = find(&mut uploads, key, upload)?;
        Ok(upload.parts.values().map(|part| part.info.clone()).collect())
    }

    /// The uploads under way, as key and id.
    #[must_use]
    pub fn uploads(&self) -> Vec<(String, String)> {
        let uploads = self.inner.uploads.lock();
        let mut list: Vec<_> = uploads
            .iter()
            .map(|(id, upload)| (upload.key.clone(), id.clone()))
            .collect();
        list.sort();
        list
    }

    /// Joins the parts, in order of their numbers, into the object. `only`, if given, lists the parts to take, each with its etag if that is known;
    /// others are thrown away.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such upload of `key`, [`ErrorKind::InvalidArgument`] if `only` names a part that is not there, has another
    /// etag, or is out of order; as for a put otherwise. The upload stays after an error.
    pub async fn complete_upload(
        &self,
        key: &str,
        upload: &str,
        only: Option<Vec<(u32, Option<String>)>>,
        mode: PutMode,
    ) -> Result<Written> {
        let taken = {
            let mut uploads = self.inner.uploads.lock();
            let under_way = find(&mut uploads, key, upload)?;
            if let Some(only) = &only {
                check_parts(under_way, only)?;
            }
            uploads.remove(upload)
        };
        let Some(mut taken) = taken else {
            return Err(no_upload(key, upload));
        };
        let this = self.clone();
        let (outcome, taken) = blocking(move || {
            let outcome = this.join(&mut taken, only.as_deref(), &mode);
            Ok((outcome, taken))
        })
        .await?;
        match outcome {
            Ok(placed) => Ok(self.written(placed).await),
            Err(error) => {
                self.inner.uploads.lock().insert(upload.to_owned(), taken);
                Err(error)
            }
        }
    }

    fn join(
        &self,
        upload: &mut Upload,
        only: Option<&[(u32, Option<String>)]>,
        mode: &PutMode,
    ) -> Result<super::stage::Placed> {
        let mut whole = self.inner.stage.create()?;
        for (number, part) in &mut upload.parts {
            if only.is_some_and(|only| !only.iter().any(|(asked, _)| asked == number)) {
                continue;
            }
            // The system copies from file to file without passing through this process where it can.
            part.staged
                .file()
                .rewind()
                .and_then(|()| std::io::copy(part.staged.file(), whole.file()))
                .map_err(|error| io_error(error, OPERATION).with("key", &upload.key))?;
        }
        self.place(whole, &upload.key, mode, &upload.attributes, OPERATION)
    }

    /// Throws an upload away.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such upload of `key`.
    pub fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        let mut uploads = self.inner.uploads.lock();
        find(&mut uploads, key, upload)?;
        let taken = uploads.remove(upload);
        drop(uploads);
        drop(taken);
        Ok(())
    }
}

fn check_parts(upload: &Upload, only: &[(u32, Option<String>)]) -> Result<()> {
    let refuse = |message: &'static str, number: u32| {
        Error::new(ErrorKind::InvalidArgument, OPERATION, message)
            .with("key", &upload.key)
            .with("part", number)
    };
    let mut last = 0;
    for (number, etag) in only {
        if *number <= last {
            return Err(refuse("the parts are not in ascending order", *number));
        }
        last = *number;
        match upload.parts.get(number) {
            None => return Err(refuse("the upload has no such part", *number)),
            Some(part) if etag.as_ref().is_some_and(|etag| *etag != part.info.etag) => {
                return Err(refuse("the part has another etag", *number));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn find<'u>(uploads: &'u mut HashMap<String, Upload>, key: &str, id: &str) -> Result<&'u mut Upload> {
    uploads
        .get_mut(id)
        .filter(|upload| upload.key == key)
        .ok_or_else(|| no_upload(key, id))
}

fn no_upload(key: &str, id: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        OPERATION,
        "there is no such upload of this key; it was completed or aborted, or the host was restarted: begin again",
    )
    .with("key", key)
    .with("upload", id)
}

/// An upload through `object_store`.
#[derive(Debug)]
pub(super) struct FolderUpload {
    bucket: FolderBucket,
    key: String,
    id: String,
    next: u32,
}

impl FolderUpload {
    pub(super) fn begin(bucket: &FolderBucket, key: &str, attributes: Attributes) -> Result<Self> {
        Ok(Self {
            id: bucket.begin_upload(key, attributes)?,
            bucket: bucket.clone(),
            key: key.to_owned(),
            next: 1,
        })
    }
}

#[async_trait]
impl MultipartUpload for FolderUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), self.id.clone());
        async move {
            let work = async {
                let mut part = bucket.incoming().await?;
                for chunk in data {
                    part.write(chunk).await?;
                }
                part.flush().await?;
                bucket.add_part(&key, &id, number, part)
            };
            work.await.map(drop).map_err(|error| to_store_error(error, &key))
        }
        .boxed()
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        self.bucket
            .complete_upload(&self.key, &self.id, None, PutMode::Overwrite)
            .await
            .map(Written::into_result)
            .map_err(|error| to_store_error(error, &self.key))
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.bucket
            .abort_upload(&self.key, &self.id)
            .map_err(|error| to_store_error(error, &self.key))
    }
}

impl Drop for FolderUpload {
    fn drop(&mut self) {
        // An upload that was completed or aborted is no longer there.
        let _ = self.bucket.abort_upload(&self.key, &self.id);
    }
}
