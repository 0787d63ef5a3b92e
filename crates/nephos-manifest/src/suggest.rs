//! "Did you mean": the known name that is nearest to a misspelt one. Called only once there is an error, so its cost never counts.

/// The candidate that is most like `name`, if one is like enough to be what was meant.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let normal = normalise(name);
    // A third of the letters may differ, at least one and at most three: beyond that a suggestion confuses more than it helps.
    let allowed = (normal.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| {
            crate::work::step(1);
            let other = normalise(candidate);
            // A word that was cut short is near, however much is missing.
            let cut = normal.chars().count() >= 3 && other.starts_with(&normal);
            let distance = if cut {
                1
            } else {
                strsim::damerau_levenshtein(&normal, &other)
            };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or what there is to choose from, after the words in `what`; `None` if there is nothing.
#[must_use]
pub fn help<'c>(
    name: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'c str> + Clone,
) -> Option<String> {
    if let Some(candidate) = nearest(name, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let mut all: Vec<&str> = candidates.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    match all.len() {
        0 => None,
        // A longer list is no help.
        1..=20 => Some(format!("{what}: {}", list(&all))),
        _ => None,
    }
}

/// The names in backticks, with commas.
pub(crate) fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn normalise(name: &str) -> String {
    name.chars()
        .map(|letter| if letter == '_' { '-' } else { letter })
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{help, nearest};

    #[test]
    fn a_swapped_letter_finds_its_name_and_a_strange_word_finds_none() {
        let known = ["snapshots", "archive", "faces"];
        assert_eq!(nearest("snapshtos", known), Some("snapshots"));
        assert_eq!(nearest("Archive", known), Some("archive"));
        assert_eq!(nearest("snap", known), Some("snapshots"));
        assert_eq!(nearest("orders", known), None);
    }

    #[test]
    fn without_a_near_name_the_help_lists_what_there_is() {
        assert_eq!(
            help("zzz", "declared", ["b", "a"]).as_deref(),
            Some("declared: `a`, `b`")
        );
        assert_eq!(help("zzz", "declared", []), None);
    }
}
