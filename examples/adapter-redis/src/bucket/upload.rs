//! An upload in parts: each lies in Redis by itself, for a day at most, until all of them become the object.

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::store::{Condition, Content, RedisStore, failed};

/// How long a part lives, in seconds: whoever was killed in an upload cannot clear it away.
const LIFE: u64 = 24 * 3600;

/// An upload that goes on.
#[derive(Debug)]
pub(super) struct Upload {
    store: RedisStore,
    path: Path,
    head: String,
    id: String,
    parts: usize,
}

impl Upload {
    pub(super) fn new(store: RedisStore, path: Path, head: String) -> Self {
        Self {
            store,
            path,
            head,
            id: uuid::Uuid::new_v4().simple().to_string(),
            parts: 0,
        }
    }

    fn part(&self, number: usize) -> String {
        format!("{}:upload:{}:{number}", self.store.key, self.id)
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts += 1;
        let (key, connection) = (self.part(self.parts), self.store.connection.clone());
        Box::pin(async move {
            let mut command = redis::cmd("SET");
            command.arg(key).arg(&Bytes::from(data)[..]).arg("EX").arg(LIFE);
            let _stored: String = (connection.ask("bucket.put", &command).await).map_err(failed)?;
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let content = Content::Parts(self.id.clone(), self.parts);
        self.store
            .write(&self.path, Condition::Always, &self.head, content)
            .await
    }

    async fn abort(&mut self) -> Result<()> {
        if self.parts == 0 {
            return Ok(());
        }
        let mut command = redis::cmd("DEL");
        for number in 1..=self.parts {
            command.arg(self.part(number));
        }
        let _gone: i64 = (self.store.connection.ask("bucket.put", &command).await).map_err(failed)?;
        Ok(())
    }
}
