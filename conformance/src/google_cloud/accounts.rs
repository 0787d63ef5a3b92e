//! Service accounts: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>.

use serde_json::{Map, Value, json};

use super::error::{Outcome, Refusal};
use super::kinds::ACCOUNT;
use super::request::Asked;
use super::state::{Shared, fields, nothing};

/// The name and the body of a new one.
pub(super) fn named(shared: &Shared, asked: &Asked<'_>) -> Outcome<(String, Map<String, Value>)> {
    let project = &shared.options.project;
    let id = asked.text("/accountId").unwrap_or_default();
    let sent = fields(&asked.body["serviceAccount"]);
    for (field, longest) in [("displayName", 100), ("description", 256)] {
        let length = sent.get(field).and_then(Value::as_str).map_or(0, str::len);
        if length > longest {
            let what = format!("it has at most {longest} bytes");
            return Err(Refusal::field(&format!("service_account.{field}"), &what));
        }
    }
    let email = format!("{id}@{project}.iam.gserviceaccount.com");
    let number = {
        let mut state = shared.lock();
        state.count += 1;
        // Like Google's: 21 digits, which never come again.
        format!("1{:020}", state.count)
    };
    let mut body = Map::new();
    for field in ["displayName", "description"] {
        if let Some(value) = sent.get(field) {
            body.insert(field.to_owned(), value.clone());
        }
    }
    body.insert("email".to_owned(), email.clone().into());
    body.insert("projectId".to_owned(), project.clone().into());
    body.insert("uniqueId".to_owned(), number.clone().into());
    body.insert("oauth2ClientId".to_owned(), number.into());
    Ok((format!("projects/{project}/serviceAccounts/{email}"), body))
}

/// `serviceAccounts.enable` and `.disable`
pub(super) fn switch(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let mut state = shared.lock();
    let name = asked.name(shared);
    state.get(&ACCOUNT, &name)?;
    if let Some(found) = state.resources.get_mut(&name)
        && let Some(fields) = found.body.as_object_mut()
    {
        if asked.verb() == "disable" {
            fields.insert("disabled".to_owned(), json!(true));
        } else {
            fields.remove("disabled");
        }
    }
    Ok(nothing())
}
