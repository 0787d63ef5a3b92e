//! Cloud Storage in the project: its buckets are the [stand-in](crate::gcs)'s, and who may ask for them, and what else there is, is the project's.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::error::{Code, Refusal};
use super::kinds::{BUCKET, BUCKET_NOTIFICATION, Kind, TOPIC};
use super::knobs::Deed;
use super::state::Shared;
use super::{policy, resource, rights, route, tokens};
use crate::gcs::{Asker, Denied, Project, Request, agent};

pub(super) const HOST: &str = "storage.googleapis.com";

/// Where buckets are in more than one region: <https://cloud.google.com/storage/docs/locations>.
const MULTI: &[&str] = &["US", "EU", "ASIA"];

/// Roles that let who has them publish: <https://cloud.google.com/pubsub/docs/access-control#roles>.
const PUBLISHERS: &[&str] = &[
    "roles/pubsub.publisher",
    "roles/pubsub.editor",
    "roles/pubsub.admin",
    "roles/editor",
    "roles/owner",
];

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        let status = refusal.status();
        Self {
            status: refusal.http().as_u16(),
            message: status["message"].as_str().unwrap_or_default().to_owned(),
            details: status["details"].clone(),
        }
    }
}

impl Project for Shared {
    fn number(&self) -> String {
        self.options.number.clone()
    }

    fn has_location(&self, location: &str) -> bool {
        let mut regions = self.options.regions.iter();
        MULTI.contains(&location) || regions.any(|region| region.eq_ignore_ascii_case(location))
    }

    fn counts(&self, token: &str) -> bool {
        self.lock().tokens.get(token).is_some_and(tokens::Token::counts)
    }

    fn public_key(&self, email: &str) -> Option<Vec<u8>> {
        let project = &self.options.project;
        let is_ours = email.ends_with(&format!("@{project}.iam.gserviceaccount.com"));
        if is_ours && self.lock().act_as(project, email).is_ok() {
            tokens::public_key().ok()
        } else {
            None
        }
    }

    fn admit(&self, request: &Request<'_>) -> Result<(), Denied> {
        let method = request.method.as_str();
        let call = match request.is_json {
            true => self.documents.find(HOST, method, request.path).ok(),
            false => None,
        };
        if !self.lock().enabled.contains(HOST) {
            return Err(route::disabled(self, HOST, "Cloud Storage JSON API").into());
        }
        // What the stand-in does not have, it refuses itself.
        let (permission, name) = match &call {
            Some(call) => {
                let bucket = call.path_parameters().get("bucket").map(String::as_str);
                (of_method(call.id()), named(bucket))
            }
            None => of_path(request),
        };
        let mut state = self.lock();
        if let Some(call) = &call
            && !call.id().starts_with("storage.objects.")
        {
            let findings = call.check(request.query, request.body, None);
            state.findings.extend(findings.iter().cloned());
            if let Some(refusal) = Refusal::found(&findings) {
                return Err(refusal.into());
            }
        }
        let account = match request.asker {
            Asker::Token(token) => state.tokens.get(token).and_then(|token| token.account.clone()),
            Asker::Account(email) => Some(email.to_owned()),
            Asker::Nobody => None,
        };
        let is_lacking = account.as_ref().is_some_and(|account| {
            let own = request.policy.as_ref();
            !permission.is_empty() && !rights::holds(&state, self, account, &permission, &name, own)
        });
        if is_lacking || state.knobs.is_denied(&permission, &name) {
            let who = account.unwrap_or_else(|| self.options.principal.clone());
            let message = format!(
                "{who} does not have {permission} access to the Google Cloud Storage bucket. Permission '{permission}' denied on resource (or it may not exist)."
            );
            return Err(Refusal::new(Code::PermissionDenied, message).into());
        }
        Ok(())
    }

    fn permit(&self, kind: &str, name: &str, method: &Method, count: usize) -> Result<(), Denied> {
        let kind: &Kind = if kind == BUCKET.key {
            &BUCKET
        } else {
            &BUCKET_NOTIFICATION
        };
        let deed = match *method {
            Method::POST => Deed::Create,
            Method::DELETE => Deed::Delete,
            _ => Deed::Update,
        };
        let mut state = self.lock();
        // Nothing here goes on for a while, so that whatever fails does so at once.
        if let Some((refusal, _)) = resource::refuse(&mut state, kind, name, deed)? {
            return Err(refusal.into());
        }
        if deed == Deed::Create {
            resource::within(&state, self, kind, count)?;
        }
        Ok(())
    }

    fn is_denied(&self, permission: &str, resource: &str) -> bool {
        self.lock().knobs.is_denied(permission, resource)
    }

    fn publishes(&self, topic: &str) -> bool {
        let topic = self.key(topic);
        let state = self.lock();
        if !topic.starts_with(&format!("projects/{}/", self.options.project)) {
            // Topics of other projects are not known here.
            return true;
        }
        let member = format!("serviceAccount:{}", agent(&self.options.number));
        let project = format!("projects/{}", self.options.project);
        let gives = |name: &str| {
            let bindings = state
                .policies
                .get(name)
                .and_then(|policy| policy["bindings"].as_array());
            bindings.into_iter().flatten().any(|binding| {
                let is_role = binding["role"]
                    .as_str()
                    .is_some_and(|role| PUBLISHERS.contains(&role));
                let mut members = binding["members"].as_array().into_iter().flatten();
                is_role && members.any(|one| *one == member.as_str())
            })
        };
        state.get(&TOPIC, &topic).is_ok() && (gives(&topic) || gives(&project))
    }

    fn policy(&self, policy: &Value) -> Result<(), Denied> {
        policy::valid(&self.lock(), self, policy)?;
        Ok(())
    }
}

/// The name by which permissions are asked.
fn named(bucket: Option<&str>) -> String {
    bucket.map_or_else(String::new, |bucket| format!("projects/_/buckets/{bucket}"))
}

/// The permission that a method of the JSON API needs: <https://cloud.google.com/storage/docs/access-control/iam-json>.
fn of_method(id: &str) -> String {
    let mut parts = id.rsplit('.');
    let (verb, collection) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (collection, verb) {
        ("notifications", "insert" | "delete") => "storage.buckets.update".to_owned(),
        ("notifications", _) => "storage.buckets.get".to_owned(),
        ("serviceAccount", _) => "resourcemanager.projects.get".to_owned(),
        (_, "insert" | "compose" | "copy" | "rewrite") => format!("storage.{collection}.create"),
        (_, "patch" | "update") => format!("storage.{collection}.update"),
        (_, "testIamPermissions") => String::new(),
        _ => format!("storage.{collection}.{verb}"),
    }
}

/// The same for what no document has: uploads' sessions, and the XML API.
fn of_path(request: &Request<'_>) -> (String, String) {
    // Clients write letters of names as they like (`%2D`).
    let path = percent_decode_str(request.path.trim_start_matches('/')).decode_utf8_lossy();
    let path = path.as_ref();
    let (bucket, object) = if request.is_json {
        let rest = path.split("/b/").nth(1).unwrap_or_default();
        (rest.split('/').next().unwrap_or_default(), "o")
    } else {
        path.split_once('/').unwrap_or((path, ""))
    };
    let has = |parameter: &str| request.query.split(['&', '=']).any(|one| one == parameter);
    if has("uploadId") && !request.is_json {
        let verb = match *request.method {
            Method::GET => "listParts",
            Method::DELETE => "abort",
            _ => "create",
        };
        return (format!("storage.multipartUploads.{verb}"), named(Some(bucket)));
    }
    let verb = match (*request.method == Method::GET, object) {
        (true, "") => "list",
        (true, _) => "get",
        (false, _) if *request.method == Method::HEAD => "get",
        (false, _) if *request.method == Method::DELETE => "delete",
        (false, _) => "create",
    };
    (format!("storage.objects.{verb}"), named(Some(bucket)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_needs_the_permission_that_the_documents_tell() {
        for (id, permission) in [
            ("storage.buckets.insert", "storage.buckets.create"),
            ("storage.buckets.patch", "storage.buckets.update"),
            ("storage.buckets.setIamPolicy", "storage.buckets.setIamPolicy"),
            ("storage.notifications.insert", "storage.buckets.update"),
            ("storage.objects.rewrite", "storage.objects.create"),
            ("storage.objects.list", "storage.objects.list"),
        ] {
            assert_eq!(of_method(id), permission);
        }
    }
}
