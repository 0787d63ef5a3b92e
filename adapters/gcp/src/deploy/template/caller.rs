//! Callers that are not of the app's making: a mail service, Identity Platform, a voice skill. They call over HTTP, and prove who they are; what attaches them is the user's.

use nephos_core::app::Trigger;
use nephos_core::{Error, ErrorKind, Result};

use super::body::Body;
use super::layout::Layout;
use super::trigger::blocking_event;
use crate::deploy::refused;
use crate::wiring::{AUTH_PATH, MAIL_PATH, VOICE_PATH};

/// Checks what the functions' `email`, `auth` and `voice` triggers need, and says what is left to do.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (function, called) in &layout.called {
        let url = layout.url(function);
        if let Some(trigger) = called.callers.first()
            && !layout.settings.public
        {
            return Err(refused(
                ErrorKind::InvalidArgument,
                "whoever calls by this trigger has no role on Google Cloud, so its function must be one that anyone may call; leave out public = false, or the trigger on this target",
            )
            .with("function", function)
            .with("trigger", trigger.kind())
            .with("key", format!("target.{}.public", layout.target)));
        }
        for trigger in &called.callers {
            match trigger {
                Trigger::Email { .. } => email(layout, body, function, &url)?,
                Trigger::Auth { stage } => body.note(format!(
                    "function `{function}` is called once Identity Platform has {url}{AUTH_PATH}{} as its blocking function for {}",
                    stage.name(),
                    blocking_event(stage)
                )),
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
                        "function `{function}` answers the skill `{skill}` once the skill's endpoint is {url}{VOICE_PATH}{skill}"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn email(layout: &Layout<'_>, body: &mut Body, function: &str, url: &str) -> Result<()> {
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
            "the mail service's secret is kept elsewhere: give the account {} of function `{function}` the role Secret Manager Secret Accessor on {secret}; deployment changes nothing that it has not made",
            layout.account(function)
        ));
    }
    body.note(format!(
        "function `{function}` gets mail once a service that receives it posts it to {url}{MAIL_PATH} and proves by the secret `{secret}` that it may"
    ));
    Ok(())
}

fn missing(layout: &Layout<'_>, function: &str, key: &str, message: &'static str) -> Error {
    refused(ErrorKind::InvalidArgument, message)
        .with("function", function)
        .with("key", format!("target.{}.{key}", layout.target))
}
