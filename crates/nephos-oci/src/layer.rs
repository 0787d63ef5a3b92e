//! Layers: archives whose bytes follow from what is in them (<https://github.com/opencontainers/image-spec/blob/main/layer.md>).

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use nephos_core::deploy::archive::sha256;
use nephos_core::{Error, ErrorKind, Result};
use tar::{Builder, EntryType, Header};

/// A file or folder, owned by root: the program cannot change what it is started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    path: &'static str,
    mode: u32,
    kind: EntryType,
    bytes: Vec<u8>,
}

impl Entry {
    pub(crate) fn folder(path: &'static str, mode: u32) -> Self {
        Self {
            path,
            mode,
            kind: EntryType::Directory,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn file(path: &'static str, mode: u32, bytes: Vec<u8>) -> Self {
        Self {
            path,
            mode,
            kind: EntryType::Regular,
            bytes,
        }
    }
}

/// A layer, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// What registries know it by: the digest of its bytes.
    pub(crate) digest: String,
    /// What images know it by: the digest of the archive within.
    pub(crate) content_digest: String,
    pub(crate) bytes: Vec<u8>,
}

impl Layer {
    /// Packs the entries, in their order.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if they cannot be packed.
    pub(crate) fn of(entries: &[Entry]) -> Result<Self> {
        pack(entries).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "deploy.image",
                "the image's files cannot be packed",
            )
            .caused_by(error)
        })
    }
}

fn pack(entries: &[Entry]) -> std::io::Result<Layer> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        // No time, no owner's name: the same entries give the same bytes.
        let mut header = Header::new_ustar();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(entry.bytes.len() as u64);
        archive.append_data(&mut header, entry.path, entry.bytes.as_slice())?;
    }
    let archive = archive.into_inner()?;
    let mut packed = GzBuilder::new()
        .mtime(0)
        .write(Vec::with_capacity(archive.len() / 2), Compression::default());
    packed.write_all(&archive)?;
    let bytes = packed.finish()?;
    Ok(Layer {
        digest: format!("sha256:{}", sha256(&bytes)),
        content_digest: format!("sha256:{}", sha256(&archive)),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_layer_unpacks_to_its_entries_and_is_the_same_each_time() {
        let entries = [
            Entry::folder("tmp/", 0o1777),
            Entry::file("a/program", 0o755, b"\x7fELF".to_vec()),
        ];
        let layer = Layer::of(&entries).unwrap();
        assert_eq!(layer, Layer::of(&entries).unwrap());
        assert_eq!(layer.digest, format!("sha256:{}", sha256(&layer.bytes)));

        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(layer.bytes.as_slice())
            .read_to_end(&mut unpacked)
            .unwrap();
        assert_eq!(layer.content_digest, format!("sha256:{}", sha256(&unpacked)));
        let mut archive = tar::Archive::new(unpacked.as_slice());
        let found: Vec<Entry> = (archive.entries().unwrap())
            .zip(&entries)
            .map(|(found, entry)| {
                let mut found = found.unwrap();
                assert_eq!(found.path_bytes(), entry.path.as_bytes());
                let header = found.header().clone();
                assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
                let mut bytes = Vec::new();
                found.read_to_end(&mut bytes).unwrap();
                Entry {
                    path: entry.path,
                    mode: header.mode().unwrap(),
                    kind: header.entry_type(),
                    bytes,
                }
            })
            .collect();
        assert_eq!(found, entries);
    }
}
