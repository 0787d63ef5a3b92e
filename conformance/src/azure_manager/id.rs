//! Ids of resources: `/subscriptions/…/resourceGroups/…/providers/<namespace>/<type>/<name>…`, compared without regard to case.

/// An id in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    /// The whole text.
    pub(super) text: String,
    pub(super) subscription: String,
    /// Empty for what is in no group.
    pub(super) group: String,
    /// What is before the last `/providers/`: a group, or the resource that an extension belongs to.
    pub(super) scope: String,
    /// `Microsoft.Web/sites/config`
    pub(super) kind: String,
    pub(super) names: Vec<String>,
}

impl Id {
    /// Reads an id of a resource; `None` for what is none (a group, a list of resources, an action).
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/');
        let at = text.to_ascii_lowercase().rfind("/providers/")?;
        let scope = text.get(..at)?;
        let mut parts = text.get(at + "/providers/".len()..)?.split('/');
        let namespace = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        if rest.is_empty() || rest.len() % 2 != 0 || rest.iter().any(|part| part.is_empty()) {
            return None;
        }
        let mut kind = namespace.to_owned();
        for one in rest.iter().step_by(2) {
            kind.push('/');
            kind.push_str(one);
        }
        let (subscription, group) = place(scope)?;
        Some(Self {
            text: text.to_owned(),
            subscription,
            group,
            scope: scope.to_owned(),
            kind,
            names: rest
                .iter()
                .skip(1)
                .step_by(2)
                .map(|name| (*name).to_owned())
                .collect(),
        })
    }

    /// Under which it is kept.
    pub(super) fn key(&self) -> String {
        key(&self.text)
    }

    /// `account/default/container`
    pub(super) fn name(&self) -> String {
        self.names.join("/")
    }

    /// The last part of the name.
    pub(super) fn own_name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// The resource that it is part of.
    pub(super) fn parent(&self) -> Option<String> {
        if self.names.len() < 2 {
            return None;
        }
        let cut = self.text.rfind('/')?;
        let cut = self.text.get(..cut)?.rfind('/')?;
        self.text.get(..cut).map(str::to_owned)
    }

    /// The resource that an extension belongs to.
    pub(super) fn extended(&self) -> Option<&str> {
        self.scope
            .to_ascii_lowercase()
            .contains("/providers/")
            .then_some(self.scope.as_str())
    }

    pub(super) fn namespace(&self) -> &str {
        self.kind.split('/').next().unwrap_or_default()
    }
}

/// An id's text as ids are compared.
pub(super) fn key(text: &str) -> String {
    text.trim_end_matches('/').to_ascii_lowercase()
}

/// The subscription and group that an id begins with; the group may be empty.
pub(super) fn place(text: &str) -> Option<(String, String)> {
    let mut parts = text.trim_start_matches('/').split('/');
    if !parts.next()?.eq_ignore_ascii_case("subscriptions") {
        return None;
    }
    let subscription = parts.next().filter(|part| !part.is_empty())?.to_owned();
    let group = match parts.next() {
        Some(part) if part.eq_ignore_ascii_case("resourceGroups") => parts.next()?.to_owned(),
        _ => String::new(),
    };
    Some((subscription, group))
}

/// A group's id.
pub(super) fn group_id(subscription: &str, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

/// Whether `inner` is a part or an extension of `outer` (both keys).
pub(super) fn is_below(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with('/'))
}
