//! Policies as they are read, changed and compared.

use super::*;

fn held(role: &str, member: &str, condition: Option<&str>) -> Held {
    Held {
        role: role.to_owned(),
        member: member.to_owned(),
        condition: condition.map(|expression| Condition {
            title: "t".to_owned(),
            expression: expression.to_owned(),
        }),
    }
}

fn policy() -> Policy {
    Policy(json!({"etag": "e", "version": 1, "bindings": [
        {"role": "roles/owner", "members": ["user:ann@example.com"]},
        {"role": "roles/run.invoker", "members": ["serviceAccount:ours@p.iam.gserviceaccount.com", "serviceAccount:other@p.iam.gserviceaccount.com"]},
        {"role": "roles/x", "members": ["user:ann@example.com"], "condition": {"title": "t", "expression": "e", "description": "kept"}},
    ]}))
}

#[test]
fn nothing_but_what_is_named_changes() {
    let ours = "serviceAccount:ours@p.iam.gserviceaccount.com";
    let changed = policy()
        .changed(
            &[
                held("roles/y", ours, Some("c")),
                held("roles/owner", "allUsers", None),
            ],
            &[held("roles/run.invoker", ours, None)],
        )
        .unwrap();
    assert_eq!(
        changed,
        json!({"etag": "e", "version": 3, "bindings": [
            {"role": "roles/owner", "members": ["user:ann@example.com", "allUsers"]},
            {"role": "roles/run.invoker", "members": ["serviceAccount:other@p.iam.gserviceaccount.com"]},
            {"role": "roles/x", "members": ["user:ann@example.com"], "condition": {"title": "t", "expression": "e", "description": "kept"}},
            {"role": "roles/y", "members": [ours], "condition": {"title": "t", "expression": "c"}},
        ]})
    );
    assert!(
        policy()
            .changed(
                &[held("roles/run.invoker", ours, None)],
                &[held("roles/z", ours, None)]
            )
            .is_none()
    );
    // The last member takes the binding along.
    let without = policy()
        .changed(&[], &[held("roles/owner", "user:ann@example.com", None)])
        .unwrap();
    assert_eq!(without["bindings"].as_array().unwrap().len(), 2);
    // The same role under another condition is another.
    assert!(
        policy()
            .changed(&[held("roles/x", "user:ann@example.com", Some("other"))], &[])
            .is_some()
    );
}

#[test]
fn only_our_own_members_are_taken_away() {
    let accounts = BTreeSet::from(["ours@p.iam.gserviceaccount.com".to_owned()]);
    let taken = |on: &str, strangers: bool| -> Vec<String> {
        let (_, extra) = difference(on, &[], &policy(), &accounts, strangers, |_| Part::App);
        extra.into_iter().map(|grant| title(&grant)).collect()
    };
    assert_eq!(
        taken("//run.googleapis.com/projects/p/locations/r/services/s", false),
        ["roles/run.invoker on s for ours"]
    );
    assert_eq!(
        taken(&format!("{PROJECTS}p"), true),
        ["roles/run.invoker on the project for ours"]
    );
    for (member, is_strangers, ours) in [
        ("allUsers", false, true),
        ("allUsers", true, false),
        (
            "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com",
            false,
            true,
        ),
        (
            "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com",
            true,
            false,
        ),
        (
            "deleted:serviceAccount:ours@p.iam.gserviceaccount.com?uid=1",
            true,
            true,
        ),
        ("user:ours@p.iam.gserviceaccount.com", false, false),
    ] {
        assert_eq!(is_ours(member, &accounts, is_strangers), ours, "{member}");
    }
}

#[test]
fn every_kind_has_its_own_place_for_policies() {
    let get = |on: &str| way(on, "t").unwrap().get;
    assert_eq!(
        get("//run.googleapis.com/projects/p/locations/r/services/s"),
        "/v2/projects/p/locations/r/services/s:getIamPolicy?options.requestedPolicyVersion=3"
    );
    assert_eq!(get(&format!("{PROJECTS}p")), "/v3/projects/p:getIamPolicy");
    assert_eq!(
        get("//storage.googleapis.com/projects/_/buckets/b"),
        "/storage/v1/b/b/iam?optionsRequestedPolicyVersion=3"
    );
    assert!(way("nothing", "t").is_err());
}
