//! The message of an e-mail that SES stored in S3: the receipt has its headers only.

use std::sync::Arc;

use nephos_core::Result;
use nephos_core::event::{Data, Email};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::{Access, Binding, Drivers, ResourceKind};
use nephos_core::{ErrorKind, Event};

use crate::events::email::{Location, location};
use nephos_core::wiring::PHYSICAL;

/// Completes an e-mail event whose message is stored; leaves every other event as it is.
///
/// # Errors
/// What fetching or reading it fails with: half an e-mail would look like a whole one.
pub(crate) async fn complete(event: &mut Event, drivers: &Arc<dyn Drivers>) -> Result<()> {
    let Some(Location { bucket, key }) = location(event) else {
        return Ok(());
    };
    let Data::Email(email) = &mut event.data else {
        return Ok(());
    };
    let binding = Binding {
        name: bucket.clone(),
        kind: ResourceKind::Bucket,
        access: [Access::Read].into(),
        url: None,
        properties: [(PHYSICAL.to_owned(), bucket.clone())].into(),
    };
    let source = Bucket::new(&bucket, drivers.bucket(&binding)?)
        .get(&key)
        .await
        // A deleted message does not come back; the event need not either.
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                nephos_core::Error::reject("the message is not in its bucket any more").caused_by(error)
            }
            _ => error,
        })?;
    let envelope = std::mem::take(&mut email.envelope);
    **email = Email::parse(envelope, source)?;
    Ok(())
}
