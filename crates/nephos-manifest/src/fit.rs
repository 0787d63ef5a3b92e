//! Whether the functions of a binary are those of the manifest, and their handlers fit their triggers.

use std::collections::BTreeMap;

use nephos_core::FunctionInfo;
use nephos_core::app::{FunctionSpec, Trigger};
use nephos_core::event::TriggerKind;
use nephos_core::handler::Shape;
use toml::de::DeTable;

use crate::diagnostic::{Problem, ProblemKind, Report};
use crate::load::Loaded;
use crate::spans::{Layers, Part, Path};
use crate::suggest;

impl Loaded {
    /// Holds the manifest against what the binary says of its functions: each is in both, and each handler takes the events of
    /// its triggers.
    ///
    /// # Errors
    /// All that does not fit, at once.
    pub fn functions_fit(&self, functions: &[FunctionInfo]) -> Result<(), Report> {
        let infos: BTreeMap<&str, &FunctionInfo> =
            functions.iter().map(|info| (info.name.as_str(), info)).collect();
        let (document, _) = DeTable::parse_recoverable(&self.text);
        let layers = Layers {
            text: &self.text,
            document: document.get_ref(),
            target: self.target.as_deref(),
            variables: &self.variables,
        };
        let mut problems = Vec::new();
        for (name, function) in &self.app.functions {
            match infos.get(name.as_str()) {
                Some(info) => handler(&layers, name, function, info, &mut problems),
                None => {
                    let unclaimed = infos
                        .keys()
                        .copied()
                        .filter(|name| !self.app.functions.contains_key(*name));
                    problems.push(no_handler(&layers, name, unclaimed.collect(), &infos));
                }
            }
        }
        for (name, info) in infos {
            // One that is only spelt otherwise was reported from the manifest's side.
            let respelt = self.app.functions.contains_key(&name.replace('_', "-"));
            if !respelt && !self.app.functions.contains_key(name) {
                problems.push(undeclared(self, &layers, name, info));
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Report::new(&self.path, &self.text, problems))
    }
}

/// ` (src/main.rs:12)`, if the handler's place is known.
fn place(info: &FunctionInfo) -> String {
    info.location
        .as_ref()
        .map(|location| format!(" ({location})"))
        .unwrap_or_default()
}

fn no_handler(
    layers: &Layers<'_>,
    name: &str,
    unclaimed: Vec<&str>,
    infos: &BTreeMap<&str, &FunctionInfo>,
) -> Problem {
    let help = match suggest::nearest(name, unclaimed).and_then(|near| infos.get(near)) {
        // The manifest's names have no underscores; the attribute writes hyphens for them, a name that is given stays as it is.
        Some(near) if near.name.replace('_', "-") == name => format!(
            "name the handler `{}`{} with hyphens: `{name}`",
            near.name,
            place(near)
        ),
        Some(near) => format!("did you mean `{}`{}?", near.name, place(near)),
        None => format!(
            "write a handler `{}` and name it in `nephos::main!`, or remove it here",
            name.replace('-', "_")
        ),
    };
    let functions = Path::Key(&Path::Root, "function");
    let origin = layers.locate(&Path::Key(&functions, name), Part::Key);
    Problem::new(
        ProblemKind::MissingHandler,
        format!("the binary has no function `{name}`"),
    )
    .help(help)
    .at(origin, "no handler")
}

fn undeclared(loaded: &Loaded, layers: &Layers<'_>, name: &str, info: &FunctionInfo) -> Problem {
    let near = suggest::nearest(name, loaded.app.functions.keys().map(String::as_str));
    let message = format!("the manifest declares no function `{name}`{}", place(info));
    let problem = Problem::new(ProblemKind::UnknownFunction, message);
    match near {
        Some(near) => {
            let functions = Path::Key(&Path::Root, "function");
            problem.help(format!("did you mean `{near}`?")).at(
                layers.locate(&Path::Key(&functions, near), Part::Key),
                "the nearest name",
            )
        }
        None => problem.help(format!("declare it: [function.{name}]")).at(
            layers.locate(&Path::Key(&Path::Root, "app"), Part::Key),
            "in this app",
        ),
    }
}

fn handler(
    layers: &Layers<'_>,
    name: &str,
    function: &FunctionSpec,
    info: &FunctionInfo,
    problems: &mut Vec<Problem>,
) {
    let functions = Path::Key(&Path::Root, "function");
    let function_path = Path::Key(&functions, name);
    let on = Path::Key(&function_path, "on");
    for (index, trigger) in function.on.iter().enumerate() {
        let kind = trigger.kind();
        let wrong_kind = info.trigger.is_some_and(|takes| takes != kind);
        // Only events of several records can come in batches.
        let wrong_shape = info.shape == Shape::Batch && !kind.has_records();
        let takes = short(&info.event_type);
        let wrong_event = !wrong_kind && !takes_event(trigger, &takes);
        if !wrong_kind && !wrong_shape && !wrong_event {
            continue;
        }
        let message = format!(
            "the handler `{name}`{} takes `{takes}`, which does not fit {} trigger",
            place(info),
            article(kind)
        );
        let help = match info.trigger.filter(|_| wrong_kind) {
            Some(takes) => format!(
                "take `{}` there, or give it {} trigger here",
                event_type(trigger),
                article(takes)
            ),
            None => format!("take `{}` there", event_type(trigger)),
        };
        let origin = layers.locate(&Path::Index(&on, index), Part::Value);
        problems.push(
            Problem::new(ProblemKind::HandlerMismatch, message)
                .help(help)
                .at(origin, format!("{} trigger", article(kind))),
        );
    }
}

/// Whether the handler's event can be what the trigger brings: uploads and deletions are both a bucket's.
fn takes_event(trigger: &Trigger, takes: &str) -> bool {
    let Trigger::Bucket { .. } = trigger else {
        return true;
    };
    let brings = event_type(trigger);
    !["ObjectCreated", "ObjectDeleted"].contains(&takes) || takes == brings
}

fn article(kind: TriggerKind) -> String {
    let article = match kind {
        TriggerKind::Http | TriggerKind::Email | TriggerKind::Auth => "an",
        _ => "a",
    };
    format!("{article} {kind}")
}

/// What a handler of this trigger takes.
fn event_type(trigger: &Trigger) -> &'static str {
    use nephos_core::app::ObjectEventKind;
    match trigger {
        Trigger::Http { .. } => "http::Request",
        Trigger::Bucket { event, .. } => match event {
            ObjectEventKind::Created => "ObjectCreated",
            ObjectEventKind::Deleted => "ObjectDeleted",
            ObjectEventKind::Any => "ObjectEvent",
        },
        Trigger::Queue { .. } => "Message<T>",
        Trigger::Topic { .. } => "Notification<T>",
        Trigger::Stream { .. } => "Record<T>",
        Trigger::Table { .. } => "Change<T>",
        Trigger::Schedule { .. } => "Tick",
        Trigger::Email { .. } => "Email",
        Trigger::Auth { .. } => "AuthEvent",
        Trigger::Voice { .. } => "VoiceRequest",
    }
}

/// A type's name without the modules that it is in: `Message<alloc::string::String>` is `Message<String>`.
fn short(type_name: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for letter in type_name.chars() {
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
        } else if letter == ':' {
            word.clear();
        } else {
            short.push_str(&word);
            word.clear();
            short.push(letter);
        }
    }
    short + &word
}
