//! Listing objects, page by page.

use std::collections::BTreeMap;

use futures::stream::StreamExt as _;

use super::{Bucket, ObjectMeta, key_to_path, meta_of};
use crate::error::{ErrorKind, Result};
use crate::resource::Access;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The objects, by ascending key bytes.
    pub objects: Vec<ObjectMeta>,
    /// The key to go on after; `None` when this is the last page.
    pub next: Option<String>,
}

impl Bucket {
    /// Lists objects whose key begins with `prefix` (any text, not only whole path segments), behind key `after`, at most `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `read`, [`ErrorKind::InvalidArgument`] for a limit of 0, or the store's.
    pub async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Listing> {
        const OPERATION: &str = "bucket.list";
        self.grant.require(Access::Read, OPERATION)?;
        if limit == 0 {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                "the limit must be at least 1",
                prefix,
            ));
        }
        // The store's prefix is whole path segments; the rest of ours is matched here. A prefix that is no path matches nothing in the store's
        // terms, so it too is matched here.
        let folder = prefix.rfind('/').and_then(|slash| key_to_path(&prefix[..slash]));
        let store = self.driver.store();
        let mut stream = match after.and_then(key_to_path) {
            Some(offset) => store.list_with_offset(folder.as_ref(), &offset),
            None => store.list(folder.as_ref()),
        };
        let ordered = self.driver.capabilities().ordered_list;
        // Some stores list in no order, and some return the offset itself: keep the smallest `limit + 1` keys behind it.
        let mut smallest: BTreeMap<String, ObjectMeta> = BTreeMap::new();
        while let Some(meta) = stream.next().await {
            let meta = meta_of(&meta.map_err(|error| self.failed(error, OPERATION, prefix))?);
            if !meta.key.starts_with(prefix) || after.is_some_and(|after| meta.key.as_str() <= after) {
                continue;
            }
            smallest.insert(meta.key.clone(), meta);
            if smallest.len() > limit {
                if ordered {
                    break;
                }
                if smallest.len() > limit + 1 {
                    smallest.pop_last();
                }
            }
        }
        let more = smallest.len() > limit;
        if more {
            smallest.pop_last();
        }
        let objects: Vec<_> = smallest.into_values().collect();
        let next = if more {
            objects.last().map(|meta| meta.key.clone())
        } else {
            None
        };
        Ok(Listing { objects, next })
    }
}
