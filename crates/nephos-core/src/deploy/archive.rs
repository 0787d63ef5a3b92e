//! Packages as zips whose bytes follow from what is in them: the same files give the same bytes, whenever and wherever they are packed.

use std::io::{Cursor, Write as _};

use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::name::hex;
use crate::{Error, ErrorKind, Result};

/// A file of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    /// Its path within the package.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
    /// Whether it is a program.
    pub executable: bool,
}

/// Packs the files, in the order in which they come. Everyone may read them and start the programs: a provider runs code as another user than
/// its owner.
///
/// # Errors
/// [`ErrorKind::Internal`] if they cannot be packed: two of one name.
pub fn zip(files: &[File<'_>]) -> Result<Vec<u8>> {
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    let zip = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes / 2)));
    pack(zip, files).map_err(unpackable)
}

/// A zip of [`zip()`] with these files behind its own; the bytes are those of all files packed at once. What several packages have in common is compressed only once so.
///
/// # Errors
/// [`ErrorKind::Internal`] if they cannot be packed: two of one name.
pub fn extended(zip: Vec<u8>, files: &[File<'_>]) -> Result<Vec<u8>> {
    ZipWriter::new_append(Cursor::new(zip))
        .and_then(|zip| pack(zip, files))
        .map_err(unpackable)
}

fn unpackable(error: zip::result::ZipError) -> Error {
    Error::new(
        ErrorKind::Internal,
        "deploy.package",
        "the function's files cannot be packed",
    )
    .caused_by(error)
}

/// The SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn pack(mut zip: ZipWriter<Cursor<Vec<u8>>>, files: &[File<'_>]) -> zip::result::ZipResult<Vec<u8>> {
    for file in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(if file.executable { 0o755 } else { 0o644 });
        zip.start_file(file.name, options)?;
        zip.write_all(file.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_same_files_give_the_same_bytes_with_a_fixed_time_and_their_modes() {
        let files = [
            File {
                name: "handler",
                bytes: b"\x7fELF and so on",
                executable: true,
            },
            File {
                name: "jobs/settings.json",
                bytes: b"{}",
                executable: false,
            },
        ];
        let bytes = zip(&files).unwrap();
        assert_eq!(bytes, zip(&files).unwrap());
        assert_eq!(bytes, extended(zip(&files[..1]).unwrap(), &files[1..]).unwrap());
        assert_eq!(sha256(&bytes).len(), 64);
        let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(archive.len(), 2);
        for (index, file) in files.iter().enumerate() {
            let mut packed = archive.by_index(index).unwrap();
            assert_eq!(packed.name().unwrap(), file.name);
            let mode = if file.executable { 0o755 } else { 0o644 };
            assert_eq!(packed.unix_mode().map(|mode| mode & 0o777), Some(mode));
            assert_eq!(packed.last_modified().unwrap().year(), 1980);
            let mut unpacked = Vec::new();
            packed.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, file.bytes);
        }
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let file = File {
            name: "handler",
            bytes: b"x",
            executable: true,
        };
        assert_eq!(zip(&[file, file]).unwrap_err().kind(), ErrorKind::Internal);
        let one = zip(&[file]).unwrap();
        assert_eq!(extended(one, &[file]).unwrap_err().kind(), ErrorKind::Internal);
    }
}
