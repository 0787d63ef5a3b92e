//! What the command reads: text, `@file`, or `-` for standard input.

use std::path::Path;

use bytes::Bytes;
use nephos_core::event::Payload;
use tokio::io::AsyncReadExt as _;

use crate::fail::Fail;

/// Reads a file, or standard input for `-`.
pub(crate) async fn read(path: &Path) -> miette::Result<Bytes> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        tokio::io::stdin().read_to_end(&mut bytes).await.map(|_| bytes)
    } else {
        tokio::fs::read(path).await
    };
    Ok(bytes
        .map_err(|error| Fail::from_io(&format!("{} cannot be read", path.display()), &error))?
        .into())
}

/// A body from an argument: `@file`, `-`, or the text itself.
pub(crate) async fn payload(argument: &str) -> miette::Result<Payload> {
    let bytes = match argument.strip_prefix('@') {
        Some(path) => read(Path::new(path)).await?.to_vec(),
        None if argument == "-" => read(Path::new("-")).await?.to_vec(),
        None => argument.as_bytes().to_vec(),
    };
    Ok(payload_of(bytes))
}

/// Bytes with the content type that they look like: JSON objects and lists, other text, bytes.
pub(crate) fn payload_of(bytes: Vec<u8>) -> Payload {
    let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(begins, Some(b'{' | b'[')) && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok()
    {
        return Payload {
            content_type: Some("application/json".to_owned()),
            bytes: bytes.into(),
        };
    }
    String::from_utf8(bytes).map_or_else(|error| Payload::bytes(error.into_bytes()), Payload::text)
}

/// The file's name, as an object's key.
pub(crate) fn file_name(path: &Path) -> miette::Result<String> {
    if path == Path::new("-") {
        return Err(
            Fail::usage("standard input has no name that could be a key; pass one with --key").into(),
        );
    }
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(name.map(str::to_owned).ok_or_else(|| {
        Fail::usage(format!(
            "{} has no name that could be a key; pass one with --key",
            path.display()
        ))
    })?)
}

/// Parses `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    if name.is_empty() {
        return Err(format!("`{text}` has no name before the `=`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}
