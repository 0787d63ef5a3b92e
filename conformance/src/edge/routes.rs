//! Which stand-in answers for which host.

/// Hosts and the base URLs of what answers for them.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<(String, String)>);

impl Routes {
    pub(super) fn add(&mut self, host: &str, base: &str) {
        self.0.push((host.to_ascii_lowercase(), base.to_owned()));
    }

    /// Where requests to a host go.
    pub(super) fn base(&self, host: &str) -> Option<String> {
        let newest = || self.0.iter().rev();
        let named = newest().find(|(name, _)| name == host);
        if let Some((_, base)) = named {
            return Some(base.clone());
        }
        let (label, rest) = host.split_once('.')?;
        let (_, base) = newest().find(|(name, _)| name.strip_prefix("*.") == Some(rest))?;
        Some(base.replace('*', label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_before_a_pattern_and_the_last_before_the_first() {
        let mut routes = Routes::default();
        routes.add("*.Example.net", "http://127.0.0.1:1/at/*");
        routes.add("a.example.net", "http://127.0.0.1:2");
        let base = |routes: &Routes, host| routes.base(host);
        assert_eq!(
            base(&routes, "b.example.net").as_deref(),
            Some("http://127.0.0.1:1/at/b")
        );
        assert_eq!(
            base(&routes, "a.example.net").as_deref(),
            Some("http://127.0.0.1:2")
        );
        for other in ["example.net", "c.b.example.net", "b.example.org", ""] {
            assert_eq!(base(&routes, other), None, "{other}");
        }
        routes.add("a.example.net", "http://127.0.0.1:3");
        assert_eq!(
            base(&routes, "a.example.net").as_deref(),
            Some("http://127.0.0.1:3")
        );
    }
}
