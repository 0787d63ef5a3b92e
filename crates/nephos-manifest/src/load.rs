//! From a file to an [`App`]: the file, then the target's overlay, then the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nephos_core::app::App;
use toml::de::DeTable;

use crate::diagnostic::{Origin, Problem, ProblemKind, Report};
use crate::environment::Variables;
use crate::layer::{self, Table};
use crate::spans::Layers;
use crate::suggest;
use crate::validate::reader::Checker;
use crate::validate::{self, ROOT_KEYS};

/// The manifest's file name.
pub const FILE_NAME: &str = "nephos.toml";

/// A manifest without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub app: App,
    /// The file.
    pub path: PathBuf,
    /// What works, and is likely not what was meant.
    pub warnings: Report,
    pub(crate) text: Arc<str>,
    pub(crate) target: Option<String>,
    pub(crate) variables: Variables,
}

/// Loads the manifest at `path`, or `nephos.toml` in the folder `path`.
///
/// `target` chooses the overlay (`[target.NAME.function.…]`). Variables of `environment` that begin with `NEPHOS__` come
/// last. `known_targets` are the targets that the caller can deploy to.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn load(
    path: &Path,
    target: Option<&str>,
    environment: &BTreeMap<String, String>,
    known_targets: &[&str],
) -> Result<Loaded, Report> {
    let file = if path.is_dir() {
        path.join(FILE_NAME)
    } else {
        path.to_owned()
    };
    let text = read(&file)?;
    load_text(&file, &text.into(), target, environment, known_targets)
}

/// As [`load`], from a text; `name` is what diagnostics call it.
///
/// # Errors
/// As [`load`].
pub fn load_str(
    name: &str,
    text: &str,
    target: Option<&str>,
    environment: &BTreeMap<String, String>,
    known_targets: &[&str],
) -> Result<Loaded, Report> {
    load_text(Path::new(name), &text.into(), target, environment, known_targets)
}

fn read(file: &Path) -> Result<String, Report> {
    let fail = |problem: Problem, text: &str| Report::new(file, &text.into(), vec![problem]);
    let bytes = std::fs::read(file).map_err(|error| {
        let (message, help) = if error.kind() == std::io::ErrorKind::NotFound {
            (
                format!("there is no manifest at {}", absolute(file).display()),
                "make a project with `nephos new`, or name the folder of one".to_owned(),
            )
        } else {
            (
                format!("{} cannot be read: {error}", absolute(file).display()),
                "check the file and its permissions".to_owned(),
            )
        };
        fail(Problem::new(ProblemKind::Unreadable, message).help(help), "")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let start = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let byte = bytes.get(start).copied().unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        // The replacement character takes three bytes.
        let end = (start + 3).min(text.len());
        let problem = Problem::new(
            ProblemKind::Unreadable,
            format!("the manifest is not UTF-8: byte {byte:#04x}"),
        )
        .help("save the file as UTF-8".to_owned())
        .at(Origin::Span(start..end), "this byte");
        fail(problem, &text)
    })
}

/// Where it was looked for, so that nobody has to guess relative to what.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

fn load_text(
    path: &Path,
    text: &Arc<str>,
    target: Option<&str>,
    environment: &BTreeMap<String, String>,
    known_targets: &[&str],
) -> Result<Loaded, Report> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let document = document.get_ref();
    if !errors.is_empty() {
        // What the parser guessed after an error would only bring errors that are none.
        let problems = errors.iter().map(|error| syntax(text, error)).collect();
        return Err(Report::new(path, text, problems));
    }
    let mut problems: Vec<Problem> = Vec::new();
    problems.extend(target.and_then(|target| validate::chosen(target, known_targets)));
    let base = base(document, &mut problems);
    let variables = Variables::read(environment, &base, &mut problems);
    let none = Variables::default();
    let checked = check(
        Layers {
            text,
            document,
            target,
            variables: &variables,
        },
        &none,
        base,
        known_targets,
        &mut problems,
    );
    let app = match checked {
        Ok(app) => app,
        Err(error) => {
            problems.push(Problem::new(
                ProblemKind::Unreadable,
                format!("the layers cannot be merged: {error}"),
            ));
            return Err(Report::new(path, text, problems));
        }
    };
    let (errors, warnings) = Report::new(path, text, problems).split();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Loaded {
        app,
        path: path.to_owned(),
        warnings,
        text: Arc::clone(text),
        target: target.map(str::to_owned),
        variables,
    })
}

fn check(
    layers: Layers<'_>,
    none: &Variables,
    mut base: Table,
    known_targets: &[&str],
    problems: &mut Vec<Problem>,
) -> Result<App, config::ConfigError> {
    let overlay = layers
        .target
        .map(|target| validate::overlay(&base, target))
        .unwrap_or_default();
    let file = layer::overlay(&mut base, vec![overlay, layers.variables.layer.clone()])?;
    let mut checker = Checker::new(layers);
    let app = validate::app(&mut checker, &base, known_targets);
    // The overlays of other targets go over the file as it is.
    layer::restore(&mut base, file);
    problems.extend(checker.into_problems());
    let layers = Layers {
        variables: none,
        ..layers
    };
    validate::overlays(layers, &base, &app.resources, problems)?;
    Ok(app)
}

/// The file's values. Keys at the top that `config` would take for a path are reported here and left out.
fn base(document: &DeTable<'_>, problems: &mut Vec<Problem>) -> Table {
    let mut base = layer::table(document);
    for key in document.keys() {
        let name: &str = key.get_ref();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if name.is_empty() || !name.chars().all(plain) {
            let problem = Problem::new(ProblemKind::UnknownKey, format!("unknown key `{name}`"))
                .help(suggest::help(name, "keys", ROOT_KEYS));
            problems.push(problem.at(Origin::Span(key.span()), "nothing reads this"));
            base.remove(name);
        }
    }
    base
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    // A span at the very end has nothing to underline.
    let span = span.start.min(text.len())..span.end.min(text.len());
    let mut lines = error.message().lines();
    let message = lines.next().unwrap_or("not TOML").to_owned();
    let rest = lines.collect::<Vec<_>>().join("; ");
    Problem::new(ProblemKind::Syntax, message)
        .help((!rest.is_empty()).then_some(rest))
        .at(Origin::Span(span), "here")
}
