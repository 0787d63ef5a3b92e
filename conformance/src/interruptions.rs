//! What becomes of the next requests to a stand-in instead of their answers, by method and path.

#[derive(Debug)]
struct Interrupted<H> {
    /// `PUT`, or any.
    method: Option<String>,
    /// What the path must contain.
    part: String,
    left: u32,
    how: H,
}

/// The requests that are interrupted, and how.
#[derive(Debug)]
pub(crate) struct Interruptions<H>(Vec<Interrupted<H>>);

impl<H> Default for Interruptions<H> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<H: Copy> Interruptions<H> {
    /// The next `times` requests that fit `pattern`, a part of a path with a method before it (`PUT /b/photos`) or without, are interrupted so.
    pub(crate) fn add(&mut self, pattern: &str, times: u32, how: H) {
        let (method, part) = match pattern.split_once(' ') {
            Some((method, part)) => (Some(method.to_owned()), part),
            None => (None, pattern),
        };
        self.0.push(Interrupted {
            method,
            part: part.to_owned(),
            left: times,
            how,
        });
    }

    /// What becomes of this request, if it is one of those.
    pub(crate) fn next(&mut self, method: &str, path: &str) -> Option<H> {
        let found = self.0.iter_mut().find(|one| {
            let of_method = |wanted: &str| wanted.eq_ignore_ascii_case(method);
            one.left > 0 && one.method.as_deref().is_none_or(of_method) && path.contains(&one.part)
        })?;
        found.left -= 1;
        Some(found.how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_so_many_requests_of_its_method_and_path() {
        let mut interruptions = Interruptions::default();
        interruptions.add("PUT /photos", 2, "broken");
        interruptions.add("/photos/a", 1, "cut");
        assert_eq!(interruptions.next("GET", "/b/photos"), None);
        assert_eq!(interruptions.next("PUT", "/b/photos/a"), Some("broken"));
        assert_eq!(interruptions.next("GET", "/b/photos/a"), Some("cut"));
        assert_eq!(interruptions.next("PUT", "/b/photos/b"), Some("broken"));
        assert_eq!(interruptions.next("PUT", "/b/photos/a"), None);
    }
}
