//! Rules about single source files: how they open, how long they are, and what they never hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Offence, lexer};

/// The longest source file, in lines. Aim at half of it.
pub const MAX_LINES: usize = 500;

/// One source file, named relative to the workspace's root.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path below the workspace's root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// A file that exists only in a test.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }
}

/// Every `.rs` file below `root`'s `folders`, in a stable order. Folders named `target` are left out.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn rust_files(root: &Path, folders: &[&str]) -> io::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for folder in folders {
        let mut pending = vec![root.join(folder)];
        while let Some(next) = pending.pop() {
            for entry in fs::read_dir(&next).map_err(|e| named(e, &next))? {
                let path = entry?.path();
                if path.is_dir() {
                    if path.file_name().is_none_or(|name| name != "target") {
                        pending.push(path);
                    }
                } else if path.extension().is_some_and(|e| e == "rs") {
                    files.push(read(root, path)?);
                }
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read(root: &Path, path: PathBuf) -> io::Result<SourceFile> {
    let text = fs::read_to_string(&path).map_err(|e| named(e, &path))?;
    let relative = path
        .strip_prefix(root)
        .unwrap_or(&path)
        .to_string_lossy()
        .replace('\\', "/");
    Ok(SourceFile { path: relative, text })
}

fn named(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Files that do not open with `//!`.
#[must_use]
pub fn without_purpose(files: &[SourceFile]) -> Vec<Offence> {
    files
        .iter()
        // What the compiler must refuse is pinned to the line, and its name says what it is.
        .filter(|file| !file.path.contains("/tests/ui/fail/"))
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| {
            Offence::new(
                format!("{}:1", file.path),
                "the file does not open with `//!`",
                "say on the first line what the file is for",
            )
        })
        .collect()
}

/// Files of more than [`MAX_LINES`] lines.
#[must_use]
pub fn too_long(files: &[SourceFile]) -> Vec<Offence> {
    files
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| {
            Offence::new(
                format!("{}:{lines}", file.path),
                format!("the file has {lines} lines, {MAX_LINES} are allowed"),
                "split it by subject, or move its tests to `<module>/tests.rs`",
            )
        })
        .collect()
}

/// Ignored tests and placeholders, in code.
#[must_use]
pub fn unfinished(files: &[SourceFile]) -> Vec<Offence> {
    const BANNED: [(&str, &str); 5] = [
        (
            "#[ignore",
            "run the test always, or gate it on what it needs and say so in the report",
        ),
        ("todo!(", "write the code"),
        (
            "unimplemented!(",
            "write the code, or return `ErrorKind::Unsupported`",
        ),
        ("dbg!(", "use `tracing`"),
        ("#![allow(dead_code)]", "delete what nobody uses"),
    ];
    let mut offences = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(lexer::split(&file.text).code.lines()) {
            for (banned, fix) in BANNED.iter().filter(|(banned, _)| line.contains(banned)) {
                offences.push(Offence::new(
                    format!("{}:{number}", file.path),
                    format!("`{banned}` in code"),
                    *fix,
                ));
            }
        }
    }
    offences
}

/// Notes to oneself in comments: what is left to do belongs in an issue.
#[must_use]
pub fn notes_to_self(files: &[SourceFile]) -> Vec<Offence> {
    const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];
    let mut offences = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(lexer::split(&file.text).comments.lines()) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                offences.push(Offence::new(
                    format!("{}:{number}", file.path),
                    format!("`{mark}` in a comment"),
                    "do it, or open an issue and delete the note",
                ));
            }
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offences: &[Offence]) -> Vec<&str> {
        offences.iter().map(|o| o.at.as_str()).collect()
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        let files = [
            SourceFile::new("a.rs", "//! A.\n"),
            SourceFile::new("b.rs", "\n//! B.\n"),
            SourceFile::new("c.rs", ""),
        ];
        assert_eq!(at(&without_purpose(&files)), ["b.rs:1", "c.rs:1"]);
    }

    #[test]
    fn a_file_of_one_line_too_many_is_found() {
        let files = [
            SourceFile::new("fits.rs", "x\n".repeat(MAX_LINES)),
            SourceFile::new("long.rs", "x\n".repeat(MAX_LINES + 1)),
        ];
        assert_eq!(at(&too_long(&files)), [format!("long.rs:{}", MAX_LINES + 1)]);
    }

    #[test]
    fn placeholders_in_code_are_found_and_in_prose_are_not() {
        let seeded = "// todo!() and #[ignore] are banned\nfn f() {\n    todo!()\n}\nconst S: &str = \"dbg!(\";\n#[ignore = \"slow\"]\n";
        let offences = unfinished(&[SourceFile::new("a.rs", seeded)]);
        assert_eq!(at(&offences), ["a.rs:3", "a.rs:6"]);
        assert!(offences[0].to_string().contains("todo!("), "{}", offences[0]);
        let others = "#![allow(dead_code)]\nfn f() { dbg!(1); }\nfn g() { unimplemented!() }\n";
        assert_eq!(
            at(&unfinished(&[SourceFile::new("b.rs", others)])),
            ["b.rs:1", "b.rs:2", "b.rs:3"]
        );
    }

    #[test]
    fn notes_to_self_in_comments_are_found() {
        let seeded = "// a TODOLIST is a word\nlet todo = \"TODO\";\n/// FIXME: later\nx(); // TODO\n";
        assert_eq!(
            at(&notes_to_self(&[SourceFile::new("a.rs", seeded)])),
            ["a.rs:3", "a.rs:4"]
        );
    }

    #[test]
    fn files_are_found_below_folders_and_not_in_build_output() {
        let root = tempfile::tempdir().unwrap();
        for path in ["a/src/lib.rs", "a/target/x.rs", "b/deep/er/y.rs", "b/note.md"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "//! x\n").unwrap();
        }
        let found = rust_files(root.path(), &["a", "b"]).unwrap();
        assert_eq!(
            found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
            ["a/src/lib.rs", "b/deep/er/y.rs"]
        );
        let missing = rust_files(root.path(), &["nowhere"]).unwrap_err().to_string();
        assert!(missing.contains("nowhere"), "{missing}");
    }
}
