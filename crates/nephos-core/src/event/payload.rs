//! The body of a message, notification or record: bytes with a content type, decoded into what the handler asks for.

use bytes::Bytes;
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

use crate::error::{Error, ErrorKind, Result};

/// Bytes and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The media type, if the sender told it.
    pub content_type: Option<String>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Payload {
    /// JSON.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `value` has no JSON form (a map with keys that are not strings).
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                "payload.encode",
                "the value cannot be written as JSON",
            )
            .with("type", std::any::type_name::<T>())
            .caused_by(error)
        })?;
        Ok(Self {
            content_type: Some("application/json".to_owned()),
            bytes: bytes.into(),
        })
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            bytes: Bytes::from(text.into()),
        }
    }

    /// Bytes of no stated type.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: Some("application/octet-stream".to_owned()),
            bytes: bytes.into(),
        }
    }

    /// Whether the content type says JSON (`application/json` or `…+json`).
    #[must_use]
    pub fn is_json(&self) -> bool {
        is_json(self.content_type.as_deref())
    }

    /// Decodes into `T`: a `String` takes text as it is, [`Bytes`] take anything, every other type is read as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] with the path of the field that does not fit.
    ///
    /// ```
    /// use nephos_core::event::Payload;
    ///
    /// assert_eq!(Payload::text("hello").decode::<String>()?, "hello");
    /// assert_eq!(Payload::text("[1, 2]").decode::<Vec<u8>>()?, [1, 2]);
    /// # Ok::<(), nephos_core::Error>(())
    /// ```
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&self.bytes, self.content_type.as_deref())
    }
}

/// Decodes bytes of this media type, as [`Payload::decode`] does.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &Bytes, content_type: Option<&str>) -> Result<T> {
    let source = PayloadDeserializer { bytes, content_type };
    if let Ok(value) = T::deserialize(source) {
        return Ok(value);
    }
    // Where it does not fit is looked for only now: to keep track of the field costs as much as decoding.
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(source, &mut track);
    T::deserialize(deserializer).map_err(|error| {
        let path = track.path().to_string();
        let decode = Error::new(
            ErrorKind::Decode,
            "payload.decode",
            "the body does not fit the handler's type",
        )
        .with("type", std::any::type_name::<T>());
        let decode = if path == "." {
            decode
        } else {
            decode.with("field", path)
        };
        decode.caused_by(error)
    })
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

fn is_json(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|content_type| {
        let essence = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    })
}

/// Chooses by what the type asks for: text, bytes, or else JSON.
#[derive(Clone, Copy)]
struct PayloadDeserializer<'a> {
    bytes: &'a Bytes,
    content_type: Option<&'a str>,
}

impl PayloadDeserializer<'_> {
    fn text(&self) -> std::result::Result<String, serde_json::Error> {
        // A JSON string is its content; any other JSON, asked for as text, is its own text.
        if is_json(self.content_type)
            && let Ok(text) = crate::json::from_slice::<String>(self.bytes)
        {
            return Ok(text);
        }
        std::str::from_utf8(self.bytes)
            .map(str::to_owned)
            .map_err(|error| serde::de::Error::custom(format!("the body is not UTF-8 text: {error}")))
    }
}

macro_rules! json {
    ($($method:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> std::result::Result<V::Value, Self::Error> {
            let mut json = serde_json::Deserializer::from_str(crate::json::text(self.bytes)?);
            let value = json.$method($($arg,)* visitor)?;
            json.end()?;
            Ok(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for PayloadDeserializer<'de> {
    type Error = serde_json::Error;

    json! {
        deserialize_any(); deserialize_bool(); deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64();
        deserialize_i128(); deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_option(); deserialize_unit();
        deserialize_unit_struct(name: &'static str); deserialize_newtype_struct(name: &'static str);
        deserialize_seq(); deserialize_tuple(len: usize); deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map(); deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]); deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_byte_buf(self.bytes.to_vec())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_byte_buf(self.bytes.to_vec())
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for PayloadDeserializer<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Order {
        id: String,
        lines: Vec<u32>,
    }

    #[test]
    fn text_bytes_and_json_each_decode_into_what_is_asked_for() -> Result<()> {
        let json = Payload::json(&serde_json::json!({"id": "a", "lines": [1, 2]}))?;
        assert_eq!(
            json.decode::<Order>()?,
            Order {
                id: "a".into(),
                lines: vec![1, 2]
            }
        );
        assert_eq!(json.decode::<Bytes>()?, json.bytes);
        assert_eq!(json.decode::<String>()?, r#"{"id":"a","lines":[1,2]}"#);
        assert_eq!(Payload::json("quoted")?.decode::<String>()?, "quoted");
        assert_eq!(Payload::text("\"kept\"").decode::<String>()?, "\"kept\"");
        assert_eq!(Payload::bytes(vec![0xff, 0]).decode::<Bytes>()?, vec![0xff, 0]);
        assert_eq!(Payload::text("7").decode::<Option<u8>>()?, Some(7));
        Ok(())
    }

    #[test]
    fn an_error_names_the_field() {
        let error = Payload::text(r#"{"id":"a","lines":[1,"two"]}"#)
            .decode::<Order>()
            .unwrap_err();
        assert!(error.to_string().contains("field=lines[1]"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Decode);
    }

    #[test]
    fn trailing_bytes_and_bad_text_are_errors() {
        assert!(Payload::text("1 2").decode::<u8>().is_err());
        let error = Payload::bytes(vec![0xff]).decode::<String>().unwrap_err();
        assert!(error.chain().contains("not UTF-8"), "{}", error.chain());
    }
}
