//! What is there already and is to be taken into the stack: only what an earlier stack of the app left, which its tags tell.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Change, ChangeAction, ResourceChange};
use bytes::Bytes;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use super::AwsDeployer;
use super::buckets::Buckets;
use super::clients::Clients;
use super::failure::{failed, said};
use crate::deploy::template::TAG_APP;

const OPERATION: &str = "deploy.preview";
const UNREADABLE: &str = "the tags of what is there already cannot be read";

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TagSet {
    tag: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    key: String,
    value: String,
}

impl AwsDeployer {
    /// Holds that what a change set takes in is of this app.
    pub(super) async fn take_only_ours(&self, clients: &Clients, changes: &[Change]) -> Result<()> {
        let taken = changes
            .iter()
            .filter_map(Change::resource_change)
            .filter(|change| change.action() == Some(&ChangeAction::Import));
        for change in taken {
            let tags = tags(clients, change).await?;
            if tags.get(TAG_APP) != Some(&self.deployment.app.name) {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    OPERATION,
                    "there is one of this name already that is not of this app, so it is left alone; remove it, choose another `stack` for the target, \
                     or tag it nephos:app with the app's name to have it taken in with its data",
                )
                .with("resource", change.logical_resource_id().unwrap_or_default())
                .with("type", change.resource_type().unwrap_or_default())
                .with("id", change.physical_resource_id().unwrap_or_default())
                .with("of", tags.get(TAG_APP).map_or("nobody", String::as_str)));
            }
        }
        Ok(())
    }
}

/// The tags of a thing. Of a type that has no data nothing is taken in.
async fn tags(clients: &Clients, change: &ResourceChange) -> Result<BTreeMap<String, String>> {
    let id = change.physical_resource_id().unwrap_or_default();
    match change.resource_type() {
        Some("AWS::S3::Bucket") => of_bucket(clients, id).await,
        Some("AWS::DynamoDB::Table") => of_table(clients, id).await,
        _ => Ok(BTreeMap::new()),
    }
}

async fn of_bucket(clients: &Clients, bucket: &str) -> Result<BTreeMap<String, String>> {
    let buckets = Buckets::of(clients).await?;
    let (status, body) = buckets
        .ask(http::Method::GET, &format!("{bucket}?tagging"), Bytes::new())
        .await?;
    let unreadable = || Error::new(ErrorKind::PermissionDenied, OPERATION, UNREADABLE).with("bucket", bucket);
    match status.as_u16() {
        200..=299 => {
            let tagging: Tagging =
                quick_xml::de::from_reader(body.as_ref()).map_err(|error| unreadable().caused_by(error))?;
            let tags = tagging.tag_set.tag.into_iter();
            Ok(tags.map(|tag| (tag.key, tag.value)).collect())
        }
        // It has none.
        404 => Ok(BTreeMap::new()),
        status => Err(unreadable()
            .with("status", status)
            .caused_by(said(&String::from_utf8_lossy(&body)))),
    }
}

async fn of_table(clients: &Clients, table: &str) -> Result<BTreeMap<String, String>> {
    let client = aws_sdk_dynamodb::Client::new(&clients.sdk);
    let found = client.describe_table().table_name(table).send().await;
    let found = found.map_err(|error| failed(OPERATION, UNREADABLE, error).with("table", table))?;
    let arn = found.table.and_then(|table| table.table_arn).unwrap_or_default();
    // More than fifty tags there are not: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html>
    let mut tags = BTreeMap::new();
    let mut next = None;
    loop {
        let page = client
            .list_tags_of_resource()
            .resource_arn(&arn)
            .set_next_token(next)
            .send()
            .await;
        let page = page.map_err(|error| failed(OPERATION, UNREADABLE, error).with("table", table))?;
        let new = page.tags.unwrap_or_default().into_iter();
        tags.extend(new.map(|tag| (tag.key, tag.value)));
        next = page.next_token;
        if next.is_none() {
            return Ok(tags);
        }
    }
}
