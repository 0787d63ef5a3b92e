//! Builds the functions' binary for a target: which of the compiler's targets, which features, and whether what came out can run there.

use std::path::{Path, PathBuf};

use nephos_core::deploy::Requirements;
use tokio::process::Command;

use crate::build;
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Project;

/// How to build for a target.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CrossArgs {
    /// Builds with this cargo profile. `function` is there without being declared: small, and quick to start.
    #[arg(long, default_value = FUNCTION_PROFILE, value_name = "NAME")]
    pub(crate) profile: String,

    /// Builds nothing: takes this binary, which was built for the target.
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub(crate) binary: Option<PathBuf>,
}

const FUNCTION_PROFILE: &str = "function";
/// The profile, where the workspace does not declare it. Panics unwind: the host turns one into an error of its invocation.
const FUNCTION_PROFILE_SETTINGS: [&str; 4] = [
    "profile.function.inherits=\"release\"",
    "profile.function.lto=\"fat\"",
    "profile.function.codegen-units=1",
    "profile.function.strip=\"symbols\"",
];

/// A binary that can run on the target.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// Builds the project's functions for a target, or reads the binary that was named, and holds that it can run there and fits the manifest.
pub(crate) async fn build(
    project: &Project,
    requirements: &Requirements,
    args: &CrossArgs,
    output: Output,
) -> miette::Result<Built> {
    let host = host_triple().await;
    let path = match &args.binary {
        Some(binary) => build::ready(binary)?,
        None => {
            let triple = choose(requirements, &installed(&requirements.triples).await?)?;
            let mut more = vec!["--target".to_owned(), triple.clone()];
            more.push("--features".to_owned());
            more.push(features(&requirements.features));
            if args.profile == FUNCTION_PROFILE && !declares_profile(&project.dir).await {
                for setting in FUNCTION_PROFILE_SETTINGS {
                    more.extend(["--config".to_owned(), setting.to_owned()]);
                }
            }
            if requirements.is_static {
                more.extend(["--config".to_owned(), static_setting(&triple)]);
            } else if let (true, Some((major, minor)), false) =
                (triple.ends_with("-gnu"), requirements.glibc, output.json)
            {
                let output = output.on_stderr();
                output.print(&format!(
                    "{} no standard library for {} is installed: the binary is linked to this machine's GNU C library, of which the target has {major}.{minor}",
                    output.paint(Paint::Yellow, "note"),
                    requirements.triples.first().map_or("a static binary", String::as_str),
                ));
            }
            build::cargo(&project.dir, &args.profile, &more, output).await?
        }
    };
    let bytes = std::fs::read(&path)
        .map_err(|error| Fail::from_io(&format!("{} cannot be read", path.display()), &error))?;
    can_run(&bytes, requirements).map_err(|fail| fail.help(BINARY_HELP))?;
    if requirements
        .triples
        .iter()
        .any(|triple| same_machine(triple, host.as_deref()))
    {
        project.manifest.functions_fit(&build::describe(&path).await?)?;
    }
    Ok(Built { path, bytes })
}

const BINARY_HELP: &str = "build it on a system like the target's, or static (`rustup target add …-musl`), and pass it with --binary";

/// The features as cargo wants them: of the project's dependency `nephos`.
fn features(features: &[String]) -> String {
    let features: Vec<String> = features
        .iter()
        .map(|feature| format!("nephos/{feature}"))
        .collect();
    features.join(",")
}

/// The best of the compiler's targets whose standard library is there.
fn choose(requirements: &Requirements, installed: &[String]) -> Result<String, Fail> {
    let wanted = &requirements.triples;
    match wanted.iter().find(|triple| installed.contains(triple)) {
        Some(triple) => Ok(triple.clone()),
        None => {
            let best = wanted.first().map_or("", String::as_str);
            Err(
                Fail::build(format!("the compiler has no standard library for {}", wanted.join(" or for "))).help(format!(
                    "`rustup target add {best}` installs one; or build the functions elsewhere, and pass the binary with --binary"
                )),
            )
        }
    }
}

/// The setting of cargo that links the GNU C library into the binary; that of musl is linked so by itself:
/// <https://doc.rust-lang.org/reference/linkage.html#static-and-dynamic-c-runtimes>.
fn static_setting(triple: &str) -> String {
    format!("target.{triple}.rustflags=[\"-Ctarget-feature=+crt-static\"]")
}

/// Those of the triples whose standard library the compiler has.
async fn installed(triples: &[String]) -> Result<Vec<String>, Fail> {
    let output = rustc(&["--print", "sysroot"]).await.ok_or_else(|| {
        Fail::build("the Rust compiler does not say where its libraries are")
            .help("install a Rust toolchain, see https://rustup.rs")
    })?;
    let libraries = Path::new(output.trim()).join("lib/rustlib");
    let there = triples
        .iter()
        .filter(|triple| libraries.join(triple).join("lib").is_dir());
    Ok(there.cloned().collect())
}

async fn rustc(args: &[&str]) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(args).output().await.ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// This machine, in the compiler's words.
async fn host_triple() -> Option<String> {
    let version = rustc(&["-vV"]).await?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

/// Whether what is built for a triple runs on this machine: the same processor and system, whichever C library.
fn same_machine(triple: &str, host: Option<&str>) -> bool {
    let machine = |triple: &str| triple.rsplit_once('-').map(|(machine, _)| machine.to_owned());
    host.is_some_and(|host| machine(host) == machine(triple))
}

/// Whether the workspace declares the profile itself.
async fn declares_profile(dir: &Path) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let located = Command::new(cargo)
        .args([
            "locate-project",
            "--workspace",
            "--message-format",
            "plain",
            "--manifest-path",
        ])
        .arg(dir.join("Cargo.toml"))
        .output()
        .await;
    let Ok(located) = located else { return false };
    let root = String::from_utf8_lossy(&located.stdout).trim().to_owned();
    let text = std::fs::read_to_string(root).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    table
        .get("profile")
        .and_then(|profiles| profiles.get(FUNCTION_PROFILE))
        .is_some()
}

/// Holds that a binary is for the target's system and processor, and asks for no newer C library than it has, or for none.
fn can_run(binary: &[u8], requirements: &Requirements) -> Result<(), Fail> {
    // <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>: the magic number, and `e_machine` in the file's own byte order.
    let machine = match (binary.get(..4), binary.get(18..20)) {
        (Some(b"\x7fELF"), Some(&[low, high])) => u16::from_le_bytes([low, high]),
        _ => {
            return Err(Fail::build(
                "the binary is none of Linux (it does not begin as an ELF file)",
            ));
        }
    };
    let name = match machine {
        0x3e => "x86_64",
        0xb7 => "aarch64",
        _ => "another processor",
    };
    let wanted = requirements
        .triples
        .first()
        .and_then(|triple| triple.split('-').next());
    if let Some(wanted) = wanted.filter(|wanted| *wanted != name) {
        return Err(Fail::build(format!(
            "the binary is for {name}, the target runs {wanted}"
        )));
    }
    match (newest_glibc(binary), requirements.glibc) {
        (Some(_), _) if requirements.is_static => Err(Fail::build(
            "the binary is linked to the GNU C library, the target runs it in a container that has none",
        )),
        (Some(asked), Some(there)) if asked > there => Err(Fail::build(format!(
            "the binary asks for the GNU C library {}.{}, the target has {}.{}",
            asked.0, asked.1, there.0, there.1
        ))),
        _ => Ok(()),
    }
}

/// The newest version of the GNU C library that a binary asks for; `None` if it is not linked to it. The versions stand as text in its string table.
fn newest_glibc(binary: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let mut newest = None;
    for at in memchr::memmem::find_iter(binary, MARK) {
        let rest = binary.get(at + MARK.len()..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(0);
        let text = rest.get(..end.min(16)).unwrap_or_default();
        let version = std::str::from_utf8(text).ok().and_then(|text| {
            let mut numbers = text.split('.').map(str::parse::<u32>);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        newest = newest.max(version);
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements() -> Requirements {
        Requirements {
            triples: ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"]
                .map(str::to_owned)
                .to_vec(),
            glibc: Some((2, 34)),
            is_static: false,
            features: vec!["aws".to_owned(), "on-queue".to_owned()],
        }
    }

    fn elf(machine: u16, text: &str) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn the_static_library_is_chosen_before_the_other_and_a_missing_one_is_told() {
        let gnu = "x86_64-unknown-linux-gnu".to_owned();
        let musl = "x86_64-unknown-linux-musl".to_owned();
        assert_eq!(
            choose(&requirements(), &[gnu.clone(), musl.clone()]).unwrap(),
            musl
        );
        assert_eq!(choose(&requirements(), std::slice::from_ref(&gnu)).unwrap(), gnu);
        let fail = choose(&requirements(), &[]).unwrap_err();
        let help = miette::Diagnostic::help(&fail).unwrap().to_string();
        assert!(
            help.contains("rustup target add x86_64-unknown-linux-musl"),
            "{help}"
        );
        assert_eq!(features(&requirements().features), "nephos/aws,nephos/on-queue");
    }

    #[test]
    fn a_binary_that_cannot_run_there_is_refused_before_it_is_sent() {
        let told = |binary: &[u8]| can_run(binary, &requirements()).map_err(|fail| fail.to_string());
        assert_eq!(told(&elf(0x3e, "GLIBC_2.2.5\0GLIBC_2.34\0")), Ok(()));
        assert_eq!(told(&elf(0x3e, "static")), Ok(()));
        assert!(told(b"#!/bin/sh").unwrap_err().contains("ELF"));
        assert!(told(&elf(0xb7, "")).unwrap_err().contains("aarch64"));
        let newer = told(&elf(0x3e, "GLIBC_2.2.5\0GLIBC_2.38\0GLIBC_PRIVATE\0")).unwrap_err();
        assert!(newer.contains("2.38") && newer.contains("2.34"), "{newer}");

        let alone = Requirements {
            is_static: true,
            ..requirements()
        };
        assert!(can_run(&elf(0x3e, "GLIBC_TUNABLES\0GLIBC_PRIVATE\0"), &alone).is_ok());
        let linked = can_run(&elf(0x3e, "GLIBC_2.2.5\0"), &alone).unwrap_err();
        assert!(linked.to_string().contains("has none"), "{linked}");
    }

    #[test]
    fn what_is_built_for_this_processor_runs_here_whichever_c_library_it_has() {
        let host = Some("x86_64-unknown-linux-gnu");
        assert!(same_machine("x86_64-unknown-linux-musl", host));
        assert!(!same_machine("aarch64-unknown-linux-musl", host));
        assert!(!same_machine(
            "x86_64-unknown-linux-musl",
            Some("x86_64-apple-darwin")
        ));
    }
}
