//! What a stack's state allows, and whose it is. Pure.
//!
//! The states: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>

use aws_sdk_cloudformation::types::Tag;
use nephos_core::deploy::{Deployment, Health};
use nephos_core::{Error, ErrorKind, Result};

use crate::deploy::template::{TAG_APP, TAG_TARGET};

/// What can be done with a stack in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is there yet: it is to be created. Also a stack that holds nothing but change sets that wait for a review.
    New,
    /// It works, as it is now or as it was before an update that failed.
    Works,
    /// Its first creation failed: it can only be removed, and created again.
    Remains,
    /// It is being changed.
    Busy,
    /// An update failed and is not undone: it can be, if what kept it from being so is mended.
    HalfWay(Undo),
    /// Only a person can go on.
    Stuck(&'static str),
}

/// How an update that failed is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undo {
    /// It was begun, and failed too: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
    GoOn,
    /// It was not begun, because someone wanted it so: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html>
    Begin,
}

/// What this state means.
pub(super) fn standing(status: &str) -> Standing {
    match status {
        "REVIEW_IN_PROGRESS" | "DELETE_COMPLETE" => Standing::New,
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE" => Standing::Works,
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => Standing::Remains,
        "DELETE_FAILED" => Standing::Stuck(
            "its removal did not end; mend what AWS names below, run `nephos destroy` once more, then deploy",
        ),
        "UPDATE_ROLLBACK_FAILED" => Standing::HalfWay(Undo::GoOn),
        "UPDATE_FAILED" => Standing::HalfWay(Undo::Begin),
        status if status.ends_with("_IN_PROGRESS") => Standing::Busy,
        _ => Standing::Stuck("its state is one that this version does not know; see it in AWS's console"),
    }
}

/// How an app stands whose stack is in this state.
pub(super) fn health(status: &str) -> Health {
    match standing(status) {
        Standing::New => Health::Absent,
        Standing::Works => Health::Works,
        Standing::Busy => Health::Changing,
        Standing::Remains | Standing::HalfWay(_) | Standing::Stuck(_) => Health::Failed,
    }
}

/// Holds that a stack is this app's on this target.
pub(super) fn own(stack: &str, tags: &[Tag], deployment: &Deployment, operation: &'static str) -> Result<()> {
    let tag = |key: &str| {
        tags.iter()
            .find(|tag| tag.key() == Some(key))
            .and_then(Tag::value)
    };
    let refuse =
        |message: &'static str| Error::new(ErrorKind::AlreadyExists, operation, message).with("stack", stack);
    match (tag(TAG_APP), tag(TAG_TARGET)) {
        (Some(app), Some(target)) if app == deployment.app.name && target == deployment.target => Ok(()),
        (None, _) => Err(refuse(
            "there is a stack of this name that is not of nephos (it has no tag nephos:app), so it is left alone; choose another name for the app or the stack",
        )),
        (Some(app), target) => Err(refuse(
            "there is a stack of this name that is of another app or target, so it is left alone; choose another name for the app or the stack",
        )
        .with("app", app)
        .with("target", target.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use nephos_core::app::App;

    use super::*;

    #[test]
    fn an_app_works_where_its_stack_was_brought_back_and_not_where_that_failed() {
        for (state, expected) in [
            ("REVIEW_IN_PROGRESS", Health::Absent),
            ("UPDATE_ROLLBACK_COMPLETE", Health::Works),
            ("UPDATE_ROLLBACK_IN_PROGRESS", Health::Changing),
            ("UPDATE_ROLLBACK_FAILED", Health::Failed),
            ("ROLLBACK_COMPLETE", Health::Failed),
        ] {
            assert_eq!(health(state), expected, "{state}");
        }
    }

    #[test]
    fn each_state_of_a_stack_has_its_way() {
        let of = |statuses: &[&str], expected: Standing| {
            for status in statuses {
                assert_eq!(standing(status), expected, "{status}");
            }
        };
        of(&["REVIEW_IN_PROGRESS", "DELETE_COMPLETE"], Standing::New);
        of(
            &["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"],
            Standing::Works,
        );
        of(&["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"], Standing::Remains);
        of(
            &[
                "CREATE_IN_PROGRESS",
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "DELETE_IN_PROGRESS",
            ],
            Standing::Busy,
        );
        of(&["UPDATE_ROLLBACK_FAILED"], Standing::HalfWay(Undo::GoOn));
        of(&["UPDATE_FAILED"], Standing::HalfWay(Undo::Begin));
        for status in ["DELETE_FAILED", "SOMETHING_NEW"] {
            assert!(matches!(standing(status), Standing::Stuck(_)), "{status}");
        }
    }

    #[test]
    fn a_stack_is_ours_by_both_tags_and_by_nothing_less() {
        let deployment = Deployment {
            app: App {
                name: "shop".to_owned(),
                resources: BTreeMap::new(),
                functions: BTreeMap::new(),
                targets: BTreeMap::new(),
            },
            target: "aws".to_owned(),
            binary: None,
        };
        let tags = |tags: &[(&str, &str)]| -> Vec<Tag> {
            tags.iter()
                .map(|(key, value)| Tag::builder().key(*key).value(*value).build())
                .collect()
        };
        let own = |tags: &[Tag]| own("shop-aws", tags, &deployment, "deploy.preview");
        own(&tags(&[("team", "x"), (TAG_APP, "shop"), (TAG_TARGET, "aws")])).unwrap();
        let foreign = own(&tags(&[("team", "x")])).unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::AlreadyExists);
        assert!(foreign.to_string().contains("nephos:app"), "{foreign}");
        let other = own(&tags(&[(TAG_APP, "other"), (TAG_TARGET, "aws")])).unwrap_err();
        assert!(other.to_string().contains("app=other"), "{other}");
        own(&tags(&[(TAG_APP, "shop")])).unwrap_err();
    }
}
