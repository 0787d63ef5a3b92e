//! What an image must know of a binary: which processor it is for, and that it needs nothing of a system around it.
//! The format: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>.

use nephos_core::{Error, ErrorKind, Result};

/// A processor that images are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86 with 64 bits.
    Amd64,
    /// ARM with 64 bits.
    Arm64,
}

impl Architecture {
    /// The name that images have for it: <https://go.dev/doc/install/source#environment>.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// `e_machine` of the processors.
const X86_64: u16 = 62;
const AARCH64: u16 = 183;
/// `p_type` of the header that names a dynamic linker.
const INTERPRETER: u32 = 3;

/// The processor of a static program.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if it is none of Linux with 64 bits, for another processor, or needs a dynamic linker, which an image without a system does not have.
pub(crate) fn architecture(binary: &[u8]) -> Result<Architecture> {
    let architecture = match machine(binary) {
        Some(X86_64) => Architecture::Amd64,
        Some(AARCH64) => Architecture::Arm64,
        _ => {
            return Err(refused(
                "the binary is no program of Linux for x86-64 or arm64; build it for the target",
            ));
        }
    };
    match needs_linker(binary) {
        Some(false) => Ok(architecture),
        Some(true) => Err(refused(
            "the binary is linked to a C library, which its image does not have; build it static",
        )),
        None => Err(refused("the binary is cut off; build it again")),
    }
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "deploy.image", message)
}

/// The processor of a little-endian file of 64 bits.
fn machine(binary: &[u8]) -> Option<u16> {
    let is_elf = binary.starts_with(b"\x7fELF\x02\x01");
    if is_elf { number(binary, 18) } else { None }
}

/// Whether one of the program's headers names a dynamic linker; `None` if they are not there.
fn needs_linker(binary: &[u8]) -> Option<bool> {
    let bytes = binary.get(32..40)?.try_into().ok()?;
    let first = usize::try_from(u64::from_le_bytes(bytes)).ok()?;
    let size = usize::from(number(binary, 54)?);
    let count = usize::from(number(binary, 56)?);
    for index in 0..count {
        let at = first.checked_add(index.checked_mul(size)?)?;
        let kind = binary.get(at..at.checked_add(4)?)?.try_into().ok()?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Some(true);
        }
    }
    Some(false)
}

fn number(binary: &[u8], at: usize) -> Option<u16> {
    let bytes = binary.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file with this processor and these headers of a program, and nothing else that counts.
    pub(crate) fn program(machine: u16, headers: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&u16::try_from(headers.len()).unwrap().to_le_bytes());
        for kind in headers {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 52]);
        }
        bytes
    }

    #[test]
    fn a_static_program_tells_its_processor() {
        assert_eq!(architecture(&program(62, &[1, 2])).unwrap(), Architecture::Amd64);
        assert_eq!(architecture(&program(183, &[1])).unwrap(), Architecture::Arm64);
    }

    #[test]
    fn what_could_not_run_alone_is_refused() {
        for (binary, wanted) in [
            (b"#!/bin/sh".to_vec(), "no program of Linux"),
            (program(3, &[1]), "no program of Linux"),
            (program(62, &[1, 3, 1]), "static"),
            (program(62, &[1, 1])[..100].to_vec(), "cut off"),
            (Vec::new(), "no program of Linux"),
        ] {
            let error = architecture(&binary).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
