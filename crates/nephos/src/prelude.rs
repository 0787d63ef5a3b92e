//! What a function's source needs at the top: `use nephos::prelude::*;`.

pub use crate::http;
pub use nephos_core::event::{
    Attachment, AuthDecision, AuthEvent, AuthStage, Batch, Change, ChangeKind, Email, Mailbox, Message,
    Notification, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Payload, Raw, Record, Tick,
    VoiceRequest, VoiceRequestKind, VoiceResponse,
};
pub use nephos_core::resource::bucket::{Bucket, PutOptionsExt};
pub use nephos_core::resource::queue::{Outgoing, Queue};
pub use nephos_core::resource::secret::Secret;
pub use nephos_core::resource::stream::{Append, Stream};
pub use nephos_core::resource::table::{Key, Page, Query, Stored, Table, Version, Write};
pub use nephos_core::resource::topic::{Publication, Topic};
pub use nephos_core::{BatchOutcome, Context, Error, ErrorContext, ErrorKind, Event, Result};
