//! The attributes of an object, as JSON beside its bytes.

use std::collections::BTreeMap;

use object_store::{Attribute, Attributes, Error, Result};

/// Before the name of metadata, so that it is told from the attributes that every object may have.
const METADATA: &str = "metadata:";

/// The attributes as they are stored.
///
/// # Errors
/// [`Error::NotSupported`] for one that means nothing to Redis, as a class of storage.
pub(super) fn text(attributes: &Attributes) -> Result<String> {
    let mut named = BTreeMap::new();
    for (attribute, value) in attributes {
        let name = match attribute {
            Attribute::ContentType => "content-type".to_owned(),
            Attribute::ContentDisposition => "content-disposition".to_owned(),
            Attribute::ContentEncoding => "content-encoding".to_owned(),
            Attribute::ContentLanguage => "content-language".to_owned(),
            Attribute::CacheControl => "cache-control".to_owned(),
            Attribute::Metadata(name) => format!("{METADATA}{name}"),
            other => {
                return Err(Error::NotSupported {
                    source: format!("Redis has no attribute {other:?}").into(),
                });
            }
        };
        named.insert(name, value.as_ref().to_owned());
    }
    // Keys are text: this cannot fail.
    Ok(serde_json::to_string(&named).unwrap_or_default())
}

/// The stored attributes again.
///
/// # Errors
/// [`Error::Generic`] if somebody else wrote them.
pub(super) fn read(text: &str) -> Result<Attributes> {
    let named: BTreeMap<String, String> = serde_json::from_str(text).map_err(|error| Error::Generic {
        store: "Redis",
        source: error.into(),
    })?;
    let mut attributes = Attributes::new();
    for (name, value) in named {
        let attribute = match name.as_str() {
            "content-type" => Attribute::ContentType,
            "content-disposition" => Attribute::ContentDisposition,
            "content-encoding" => Attribute::ContentEncoding,
            "content-language" => Attribute::ContentLanguage,
            "cache-control" => Attribute::CacheControl,
            other => {
                let name = other.strip_prefix(METADATA).unwrap_or(other);
                Attribute::Metadata(name.to_owned().into())
            }
        };
        attributes.insert(attribute, value.into());
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again_and_metadata_is_not_taken_for_an_attribute() {
        let attributes: Attributes = [
            (Attribute::ContentType, "image/png"),
            (Attribute::CacheControl, "no-store"),
            (Attribute::Metadata("content-type".into()), "of the frame"),
        ]
        .into_iter()
        .collect();
        assert_eq!(read(&text(&attributes).unwrap()).unwrap(), attributes);
    }
}
