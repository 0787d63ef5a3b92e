//! Callers that are not of the app's making: a mail service, Entra, a voice skill. They call over HTTP, and prove who they are; what attaches them is the
//! user's.

use nephos_core::app::Trigger;
use nephos_core::{Error, ErrorKind, Result};

use super::body::Body;
use super::layout::Layout;
use super::trigger::auth_event;
use crate::deploy::refused;
use crate::package;

/// Checks what the functions' `email`, `auth` and `voice` triggers need, and says what is left to do.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for site in &layout.sites {
        let (function, host) = (site.function, layout.site_url(site));
        for trigger in &site.callers {
            match trigger {
                Trigger::Email { .. } => {
                    let Some(secret) = &layout.settings.mail_secret else {
                        return Err(missing(
                            layout,
                            function,
                            "mail_secret",
                            "mail comes from a service that receives it, and whoever knows a function's address could be that service; name the secret that it has to know, mail_secret = \"…\"",
                        ));
                    };
                    if !layout.app.resources.contains_key(secret) {
                        body.note(format!(
                            "the mail service's secret is kept elsewhere: give the identity of function `{function}` the role `Key Vault Secrets User` on {secret}; the stack reaches no further than its own group"
                        ));
                    }
                    body.note(format!(
                        "function `{function}` gets mail once a service that receives it posts it to {host}{} and proves by the secret `{secret}` that it may",
                        package::MAIL_PATH
                    ));
                }
                Trigger::Auth { stage } => {
                    for (key, value) in [
                        ("auth_tenant", &layout.settings.auth_tenant),
                        ("auth_app", &layout.settings.auth_app),
                    ] {
                        if value.is_none() {
                            return Err(missing(
                                layout,
                                function,
                                key,
                                "an `auth` trigger checks who calls; name the tenant and the app registration that Entra's tokens are for, auth_tenant = \"…\" and auth_app = \"…\"",
                            ));
                        }
                    }
                    body.note(format!(
                        "function `{function}` is called once a custom authentication extension of Entra for {} names {host}{}{}",
                        auth_event(function, stage)?,
                        package::AUTH_PATH,
                        stage.name()
                    ));
                }
                Trigger::Voice { skill } => {
                    if !layout.settings.skills.contains_key(skill) {
                        return Err(missing(
                            layout,
                            function,
                            "skills",
                            "a `voice` trigger needs to know its skill's id; name it in the target's settings, skills = { name = \"amzn1.ask.skill.…\" }",
                        )
                        .with("skill", skill));
                    }
                    body.note(format!(
                        "function `{function}` answers the skill `{skill}` once the skill's endpoint is {host}{}{skill}",
                        package::VOICE_PATH
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn missing(layout: &Layout<'_>, function: &str, key: &str, message: &'static str) -> Error {
    refused(ErrorKind::InvalidArgument, message)
        .with("function", function)
        .with("key", format!("target.{}.{key}", layout.target))
}
