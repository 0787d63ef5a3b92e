//! The rule for prose: a link from one page of this repository to another leads somewhere, and every page of the
//! book is in its table of contents.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Offence;
use super::source::SourceFile;

/// Every Markdown page of the repository, build output and hidden folders left out.
///
/// # Errors
/// A folder or page that cannot be read.
pub fn pages(root: &Path) -> io::Result<Vec<SourceFile>> {
    let mut pages = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                let relative = path
                    .strip_prefix(root)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                pages.push(SourceFile::new(relative, fs::read_to_string(&path)?));
            }
        }
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(pages)
}

/// Links to files that are not there, and pages of the book that its `SUMMARY.md` leaves out.
#[must_use]
pub fn broken(root: &Path, pages: &[SourceFile]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for page in pages {
        let folder = Path::new(&page.path).parent().unwrap_or(Path::new(""));
        for (number, link) in links(&page.text) {
            let file = link.split(['#', '?']).next().unwrap_or_default();
            if !file.is_empty() && !root.join(folder).join(file).exists() {
                offences.push(Offence::new(
                    format!("{}:{number}", page.path),
                    format!("the link to `{link}` leads nowhere"),
                    "correct it, or write the page",
                ));
            }
        }
    }
    if let Some(summary) = pages.iter().find(|p| p.path == "docs/src/SUMMARY.md") {
        let listed: Vec<PathBuf> = links(&summary.text)
            .into_iter()
            .map(|(_, l)| Path::new("docs/src").join(l))
            .collect();
        let of_the_book = pages
            .iter()
            .filter(|p| p.path.starts_with("docs/src/") && p.path != summary.path);
        for page in of_the_book.filter(|p| !listed.contains(&PathBuf::from(&p.path))) {
            offences.push(Offence::new(
                &page.path,
                "the page is not in the book",
                "list it in docs/src/SUMMARY.md",
            ));
        }
    }
    offences
}

/// The links of a page to other files, each with its line. Code blocks and code spans are left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece is inside a code span; joined again, a link whose text is code stays whole.
        let prose: String = line
            .split('`')
            .enumerate()
            .map(|(at, s)| if at % 2 == 0 { s } else { "code" })
            .collect();
        for part in prose.split("](").skip(1) {
            let link = part.split([')', ' ']).next().unwrap_or_default();
            let outside = link.contains("://") || link.starts_with("mailto:") || link.starts_with('#');
            if !link.is_empty() && !outside {
                links.push((number, link.trim_start_matches("./").to_owned()));
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found_with_its_line() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("docs/src")).unwrap();
        fs::write(root.path().join("docs/src/a.md"), "").unwrap();
        let text = "[a](docs/src/a.md#x) [web](https://example.org/x.md) [top](#top)\n`[no](code.md)`\n\n[`b`](docs/src/b.md)\n```\n[no](fenced.md)\n```\n";
        let found = broken(root.path(), &[SourceFile::new("README.md", text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .to_string()
                .starts_with("README.md:4: the link to `docs/src/b.md`"),
            "{}",
            found[0]
        );
    }

    #[test]
    fn a_page_that_the_book_does_not_list_is_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("docs/src")).unwrap();
        for page in ["SUMMARY.md", "listed.md", "lost.md"] {
            fs::write(
                root.path().join("docs/src").join(page),
                "- [Listed](./listed.md)\n",
            )
            .unwrap();
        }
        let found = broken(root.path(), &pages(root.path()).unwrap());
        assert_eq!(
            found.iter().map(|o| o.at.as_str()).collect::<Vec<_>>(),
            ["docs/src/lost.md"]
        );
    }
}
