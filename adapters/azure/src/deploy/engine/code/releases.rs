//! The list of the packages that a site ran, as it lies beside them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How many packages are kept.
const KEPT: usize = 10;

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Releases {
    /// Oldest first.
    releases: Vec<Release>,
    /// The version that the site runs.
    active: Option<u64>,
}

/// A package that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Release {
    /// Counts up.
    pub(in super::super) version: u64,
    /// What tells the package from others, and names it.
    pub(in super::super) package: String,
    /// When it was published.
    pub(in super::super) at: DateTime<Utc>,
}

impl Releases {
    /// The release that the site runs.
    pub(in super::super) fn active(&self) -> Option<&Release> {
        let active = self.active?;
        self.releases.iter().find(|release| release.version == active)
    }

    /// The release before the one that the site runs.
    pub(in super::super) fn before(&self) -> Option<&Release> {
        let active = self.active?;
        self.releases
            .iter()
            .rev()
            .find(|release| release.version < active)
    }

    /// The site runs a package from now on: a new version, or, where it ran the same as the last, that again. Returns the packages that are no more needed.
    pub(super) fn publish(&mut self, package: &str, at: DateTime<Utc>) -> Vec<String> {
        if let Some(last) = self.releases.last().filter(|last| last.package == package) {
            self.active = Some(last.version);
            return Vec::new();
        }
        let version = self.releases.last().map_or(1, |last| last.version + 1);
        self.releases.push(Release {
            version,
            package: package.to_owned(),
            at,
        });
        self.active = Some(version);
        let surplus = self.releases.len().saturating_sub(KEPT);
        let gone: Vec<Release> = self.releases.drain(..surplus).collect();
        let is_kept = |package: &String| self.releases.iter().any(|release| release.package == *package);
        gone.into_iter()
            .map(|release| release.package)
            .filter(|package| !is_kept(package))
            .collect()
    }

    /// The site runs an earlier version from now on.
    pub(super) fn go_back(&mut self, version: u64) {
        self.active = Some(version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_and_the_way_back_is_kept() {
        let mut releases = Releases::default();
        assert_eq!((releases.active(), releases.before()), (None, None));
        let at = DateTime::UNIX_EPOCH;
        for package in ["a", "b", "b", "c"] {
            assert!(releases.publish(package, at).is_empty());
        }
        let version = |release: Option<&Release>| release.map(|release| release.version);
        assert_eq!(
            (version(releases.active()), version(releases.before())),
            (Some(3), Some(2))
        );
        releases.go_back(2);
        assert_eq!(
            (version(releases.active()), version(releases.before())),
            (Some(2), Some(1))
        );
        // What it went back from is published again: the same version.
        releases.publish("c", at);
        assert_eq!(version(releases.active()), Some(3));
        // And what was before that, as a new one.
        releases.publish("a", at);
        assert_eq!(version(releases.active()), Some(4));
    }

    #[test]
    fn only_the_last_ones_are_kept_and_no_package_that_one_of_them_needs_is_given_up() {
        let mut releases = Releases::default();
        let mut gone = Vec::new();
        for number in 0..12 {
            let package = if number % 2 == 0 {
                "even".to_owned()
            } else {
                format!("odd {number}")
            };
            gone.extend(releases.publish(&package, DateTime::UNIX_EPOCH));
        }
        assert_eq!(releases.releases.len(), KEPT);
        assert_eq!(gone, ["odd 1"]);
        let text = serde_json::to_string(&releases).unwrap();
        assert_eq!(serde_json::from_str::<Releases>(&text).unwrap(), releases);
    }
}
