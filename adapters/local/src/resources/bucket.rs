//! The bucket driver over the embedded host's resource API.

use std::time::Duration;

use nephos_core::resource::bucket::BucketCapabilities;
use nephos_core::{Error, ErrorKind};
use object_store::Attribute;

use crate::wire::OBJECT_META_PREFIX;

/// What buckets on one machine can do: the same through the API and in the host itself.
pub const CAPABILITIES: BucketCapabilities = BucketCapabilities {
    put_if_absent: true,
    put_if_match: true,
    attributes: true,
    max_signed_url: Duration::from_secs(7 * 24 * 3600),
    max_key_bytes: 1024,
    ordered_list: true,
};

/// A core error as the store's, which keeps it whole as its source.
pub(crate) fn to_store_error(error: Error, key: &str) -> object_store::Error {
    let path = key.to_owned();
    let kind = error.kind();
    let source = Box::new(error);
    match kind {
        ErrorKind::NotFound => object_store::Error::NotFound { path, source },
        ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path, source },
        ErrorKind::Conflict => object_store::Error::Precondition { path, source },
        ErrorKind::PermissionDenied => object_store::Error::PermissionDenied { path, source },
        ErrorKind::Unauthenticated => object_store::Error::Unauthenticated { path, source },
        ErrorKind::Unsupported => object_store::Error::NotSupported { source },
        _ => object_store::Error::Generic {
            store: "nephos",
            source,
        },
    }
}

/// The name under which an attribute is kept and sent: the HTTP header of the same meaning. `None` for one that has no meaning here.
pub(crate) fn attribute_name(attribute: &Attribute) -> Option<String> {
    Some(match attribute {
        Attribute::ContentType => "content-type".to_owned(),
        Attribute::ContentDisposition => "content-disposition".to_owned(),
        Attribute::ContentEncoding => "content-encoding".to_owned(),
        Attribute::ContentLanguage => "content-language".to_owned(),
        Attribute::CacheControl => "cache-control".to_owned(),
        Attribute::Metadata(name) => format!("{OBJECT_META_PREFIX}{name}"),
        _ => return None,
    })
}

/// The attribute of such a name.
pub(crate) fn attribute_of(name: &str) -> Option<Attribute> {
    Some(match name {
        "content-type" => Attribute::ContentType,
        "content-disposition" => Attribute::ContentDisposition,
        "content-encoding" => Attribute::ContentEncoding,
        "content-language" => Attribute::ContentLanguage,
        "cache-control" => Attribute::CacheControl,
        other => Attribute::Metadata(other.strip_prefix(OBJECT_META_PREFIX)?.to_owned().into()),
    })
}
