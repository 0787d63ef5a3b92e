//! The artifact: the function's binary as the zip that Lambda unpacks. Content-addressed: what did not change is not uploaded again.

use nephos_core::deploy::archive::{self, File, sha256};
use nephos_core::{Error, ErrorKind, Result};

/// What Lambda starts on its `provided` runtimes: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>.
const BOOTSTRAP: &str = "bootstrap";
/// The most that a function's code may hold once it is unpacked: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_UNZIPPED_BYTES: usize = 250 * 1024 * 1024;

/// A zip that Lambda can run.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The zip.
    pub bytes: Vec<u8>,
    /// The zip's SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// Where it goes in the bucket of artifacts: `nephos/<sha256>.zip`, and with [`Artifact::of_app`] `nephos/<app>/<sha256>.zip`.
    pub key: String,
}

impl std::fmt::Debug for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Artifact")
            .field("bytes", &self.bytes.len())
            .field("key", &self.key)
            .finish()
    }
}

impl Artifact {
    /// The same under the app's own prefix, so that one bucket can serve several apps.
    #[must_use]
    pub fn of_app(mut self, app: &str) -> Self {
        self.key = format!("nephos/{app}/{}.zip", self.sha256);
        self
    }
}

/// Packs the binary. The same binary gives the same bytes, whenever and wherever it is packed.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if there is nothing in it, or more than [`MAX_UNZIPPED_BYTES`].
pub fn zip(binary: &[u8]) -> Result<Artifact> {
    if binary.is_empty() {
        return Err(refuse("the function's binary is empty; build it again"));
    }
    if binary.len() > MAX_UNZIPPED_BYTES {
        return Err(refuse(
            "the function's binary is larger than Lambda takes; build it with `strip = true` and without what it does not use",
        )
        .with("bytes", binary.len())
        .with("max_bytes", MAX_UNZIPPED_BYTES));
    }
    let bytes = archive::zip(&[File {
        name: BOOTSTRAP,
        bytes: binary,
        executable: true,
    }])?;
    let sha256 = sha256(&bytes);
    let key = format!("nephos/{sha256}.zip");
    Ok(Artifact { bytes, sha256, key })
}

fn refuse(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "deploy.package", message)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_bytes_and_key() {
        let first = zip(b"\x7fELF and so on").unwrap();
        let second = zip(b"\x7fELF and so on").unwrap();
        assert_eq!(first, second);
        assert_eq!(first.key, format!("nephos/{}.zip", first.sha256));
        assert_eq!(first.sha256, sha256(&first.bytes));
        let other = zip(b"\x7fELF and so forth").unwrap();
        assert_ne!(first.sha256, other.sha256);
        let of_app = first.clone().of_app("shop");
        assert_eq!(of_app.key, format!("nephos/shop/{}.zip", first.sha256));
    }

    #[test]
    fn the_zip_holds_one_executable_file_named_bootstrap_with_a_fixed_time() {
        let binary: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let artifact = zip(&binary).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(&artifact.bytes)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_index(0).unwrap();
        assert_eq!(file.name().unwrap(), "bootstrap");
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let time = file.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day()), (1980, 1, 1));
        let mut unpacked = Vec::new();
        file.read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, binary);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let error = zip(b"").unwrap_err();
        assert!(error.to_string().contains("empty"), "{error}");
        let error = zip(&vec![0; MAX_UNZIPPED_BYTES + 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("max_bytes"), "{error}");
    }
}
