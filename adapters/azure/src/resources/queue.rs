//! Queues: of a storage account, or, where order is to be kept, of Service Bus with sessions.

mod lease;
mod service_bus;
mod storage;

use std::sync::Arc;

use nephos_core::Result;
use nephos_core::resource::Binding;
use nephos_core::resource::queue::QueueDriver;
use nephos_core::wiring;

pub use self::service_bus::ServiceBusQueue;
pub use self::storage::{RETENTION, StorageQueue};
use crate::config::Config;

/// Opens the queue whose URL the binding holds: `sb:` is Service Bus.
///
/// # Errors
/// As [`wiring::physical`], and [`InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if it is not the URL of a queue.
pub fn open(config: &Config, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
    if wiring::physical(binding)?.starts_with("sb://") {
        Ok(Arc::new(ServiceBusQueue::open(config, binding)?))
    } else {
        Ok(Arc::new(StorageQueue::open(config, binding)?))
    }
}
