//! Counts the steps whose number could grow faster than the manifest, so that a test can tell without a clock. Nothing outside of tests.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts so many steps.
#[inline]
pub(crate) fn step(count: usize) {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + count));
    #[cfg(not(test))]
    let _ = count;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    use super::STEPS;
    use crate::load_str;

    /// An app of `count` functions, each with a bucket and a queue of its own.
    fn manifest(count: usize) -> String {
        let mut text = "app = \"large\"\n".to_owned();
        for index in 0..count {
            write!(
                text,
                r#"
[bucket.b-{index}]
[queue.q-{index}]
[function.f-{index}]
memory = "512 MiB"
on = [{{ http = "GET /{index}/{{id}}" }}, {{ bucket = "b-{index}" }}, {{ queue = "q-{index}" }}]
uses = {{ b-{index} = ["read"] }}
[target.local.function.f-{index}]
timeout = "1 min"
"#
            )
            .unwrap();
        }
        text
    }

    /// Steps and problems of loading.
    fn steps(text: &str) -> (usize, usize) {
        STEPS.with(|steps| steps.set(0));
        let loaded = load_str("nephos.toml", text, Some("local"), &BTreeMap::new(), &["local"]);
        let problems = match loaded {
            Ok(loaded) => loaded.warnings.problems().len(),
            Err(report) => report.problems().len(),
        };
        (STEPS.with(std::cell::Cell::get), problems)
    }

    /// Four times the functions take four times the steps, give or take what does not depend on their number.
    fn assert_linear(change: impl Fn(String) -> String, problems_each: usize) {
        let (few, few_problems) = steps(&change(manifest(200)));
        let (many, many_problems) = steps(&change(manifest(800)));
        assert_eq!(
            (few_problems, many_problems),
            (200 * problems_each, 800 * problems_each)
        );
        assert!(few > 200, "{few} steps are not counted");
        assert!(many <= 4 * few + few / 10, "{few} steps for 200, {many} for 800");
    }

    #[test]
    fn a_good_manifest_takes_steps_in_proportion_to_its_functions() {
        assert_linear(|text| text, 0);
    }

    #[test]
    fn functions_that_all_clash_are_held_against_one_each() {
        let one_path = |text: String| {
            text.lines()
                .map(|line| match line.strip_prefix("on = [{ http = \"GET /") {
                    Some(rest) => format!(
                        "on = [{{ http = \"GET /x/{}\n",
                        &rest[rest.find('{').unwrap_or(0)..]
                    ),
                    None => format!("{line}\n"),
                })
                .collect::<String>()
        };
        let (few, few_problems) = steps(&one_path(manifest(200)));
        let (many, many_problems) = steps(&one_path(manifest(800)));
        assert_eq!((few_problems, many_problems), (199, 799));
        assert!(many <= 4 * few + few / 10, "{few} steps for 200, {many} for 800");
    }

    #[test]
    fn names_are_searched_for_only_so_often() {
        let misspell = |text: String| text.replace("{ bucket = \"b-", "{ bucket = \"c-");
        let (_, problems) = steps(&misspell(manifest(200)));
        assert_eq!(problems, 200);
        // Each search passes over all buckets: the steps of 100 searches more than without them, whatever the number of problems.
        let (good, _) = steps(&manifest(800));
        let (bad, problems) = steps(&misspell(manifest(800)));
        assert_eq!(problems, 800);
        assert!(
            bad <= good + 2 * 100 * 800 + 4 * 800,
            "{good} steps for a good manifest, {bad} for a bad one"
        );
    }
}
