//! Paths: the templates of methods, and the patterns of what stands in them.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A path such as `/v2/{+parent}/services`.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(String),
    /// `{name}` has no slash, `{+name}` may have some.
    Parameter {
        name: String,
        slashes: bool,
    },
}

impl Template {
    pub(super) fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            parts.push(Part::Parameter {
                name: name.trim_start_matches('+').to_owned(),
                slashes: name.starts_with('+'),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Self(parts)
    }

    /// How much of it is given.
    pub(super) fn literal(&self) -> usize {
        let length = |part: &Part| match part {
            Part::Literal(text) => text.len(),
            Part::Parameter { .. } => 0,
        };
        self.0.iter().map(length).sum()
    }

    /// What stands in its parameters, decoded.
    pub(super) fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        fit(&self.0, path, &mut found).then_some(found)
    }
}

fn fit(parts: &[Part], path: &str, found: &mut BTreeMap<String, String>) -> bool {
    let Some((part, after)) = parts.split_first() else {
        return path.is_empty();
    };
    match part {
        Part::Literal(text) => path
            .strip_prefix(text.as_str())
            .is_some_and(|rest| fit(after, rest, found)),
        Part::Parameter { name, slashes } => {
            let longest = if *slashes {
                path.len()
            } else {
                path.find('/').unwrap_or(path.len())
            };
            // The longest first: what follows is looked for from the end, as a verb stands there.
            (1..=longest)
                .rev()
                .filter_map(|length| path.split_at_checked(length))
                .any(|(value, rest)| {
                    let fits = fit(after, rest, found);
                    if fits {
                        let value = percent_decode_str(value).decode_utf8_lossy();
                        found.insert(name.clone(), value.into_owned());
                    }
                    fits
                })
        }
    }
}

/// A pattern as the documents have them: `^projects/[^/]+/topics/[^/]+$`, with `.*` at its end for any rest.
#[derive(Debug)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
    open: bool,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Any,
}

impl Pattern {
    /// `None` if it is of another form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix('^')?.strip_suffix('$')?;
        // `[^/]+` has the only slash that separates nothing.
        let text = text.replace("[^/]+", "\0");
        let (text, open) = match text.strip_suffix("/.*") {
            Some(start) => (start.to_owned(), true),
            None => (text, false),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let segments = text
            .split('/')
            .map(|segment| match segment {
                "\0" => Some(Segment::Any),
                _ if !segment.is_empty() && segment.chars().all(plain) => {
                    Some(Segment::Literal(segment.to_owned()))
                }
                _ => None,
            })
            .collect::<Option<_>>()?;
        Some(Self { segments, open })
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        let parts: Vec<&str> = value.split('/').collect();
        let enough = if self.open {
            parts.len() > self.segments.len()
        } else {
            parts.len() == self.segments.len()
        };
        enough
            && self
                .segments
                .iter()
                .zip(&parts)
                .all(|(segment, part)| match segment {
                    Segment::Literal(text) => text == part,
                    Segment::Any => !part.is_empty(),
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_names_with_slashes_only_where_it_says_so() {
        let template = Template::read("/v2/{+name}:wait");
        let found = template.matches("/v2/projects/p/operations/o:wait").unwrap();
        assert_eq!(found["name"], "projects/p/operations/o");
        assert!(template.matches("/v2/projects/p/operations/o").is_none());
        let template = Template::read("/storage/v1/b/{bucket}/o/{object}");
        assert_eq!(
            template.matches("/storage/v1/b/a/o/b%2Fc").unwrap()["object"],
            "b/c"
        );
        assert!(template.matches("/storage/v1/b/a/o/b/c").is_none());
    }

    #[test]
    fn a_pattern_counts_the_parts_of_a_name() {
        let pattern = Pattern::read("^projects/[^/]+/topics/[^/]+$").unwrap();
        assert!(pattern.matches("projects/p/topics/t"));
        for wrong in [
            "projects/p/topics/",
            "projects/p/topics/t/more",
            "projects/p/subscriptions/t",
            "projects/p",
        ] {
            assert!(!pattern.matches(wrong), "{wrong}");
        }
        let open = Pattern::read("^projects/[^/]+/databases/[^/]+/documents/.*$").unwrap();
        assert!(open.matches("projects/p/databases/d/documents/a/b"));
        assert!(!open.matches("projects/p/databases/d/documents"));
        assert!(
            Pattern::read("^projects/(a|b)$").is_none(),
            "another form is told"
        );
    }
}
