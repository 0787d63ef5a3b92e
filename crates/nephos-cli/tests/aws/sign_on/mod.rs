//! Profiles of single sign-on: `aws sso login` leaves a token, the portal gives credentials for it, and the command deploys with them.

mod portal;

use serde_json::json;

use self::portal::{Keys, Portal, SignIn, TOKEN};
use crate::support::{Aws, HELLO, Project, done, refused};

/// A role at the emulator, with a policy that allows these actions on everything: what an account's administrator assigns to people.
fn role(aws: &Aws, name: &str, actions: &[&str]) -> Keys {
    let anyone = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    ]});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
    ]});
    let made = aws.sdk().call(
        "iam",
        "create_role",
        json!({"RoleName": name, "AssumeRolePolicyDocument": anyone.to_string()}),
    );
    aws.sdk().call(
        "iam",
        "put_role_policy",
        json!({"RoleName": name, "PolicyName": "people", "PolicyDocument": policy.to_string()}),
    );
    let assumed = aws.sdk().call(
        "sts",
        "assume_role",
        json!({"RoleArn": made["Role"]["Arn"], "RoleSessionName": "ann"}),
    );
    let text = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
    Keys {
        id: text("AccessKeyId"),
        secret: text("SecretAccessKey"),
        token: text("SessionToken"),
    }
}

#[test]
fn whoever_is_signed_in_deploys_as_the_role_that_the_portal_gives() {
    let (aws, project) = (Aws::start_enforcing(), Project::new(HELLO));
    let portal = Portal::start([
        ("Deployer", role(&aws, "Deployer", &["*"])),
        ("Reader", role(&aws, "Reader", &["sts:GetCallerIdentity"])),
    ]);
    let home = SignIn::new(&portal);
    home.signed_in(TOKEN);

    // AWS's own SDK for Python gets credentials from this portal too: it speaks as the real one does.
    let python = home.python(&aws, "dev");
    let identity = python.call("sts", "get_caller_identity", json!({}));
    assert!(
        identity["Arn"].as_str().unwrap().contains("/Deployer/"),
        "{identity}"
    );

    // The bucket that Nephos makes refuses all but HTTPS, to roles here too; the emulator speaks HTTP.
    aws.sdk()
        .call("s3", "create_bucket", json!({"Bucket": "artifacts"}));
    project.write(&format!("{HELLO}[target.aws]\nartifact_bucket = \"artifacts\"\n"));
    let deploy = ["deploy", "--yes", "--binary", project.binary()];
    refused(
        &home.command(&aws, &project, "reader", &deploy).output().unwrap(),
        1,
        &["are not allowed to"],
    );
    done(&home.command(&aws, &project, "dev", &deploy).output().unwrap());
    assert!(aws.get(&project, "/hello/ann").ends_with("Hello, ann!\n"));
    assert!(portal.gave("Deployer") > 0 && portal.gave("Reader") > 0);
}

#[test]
fn the_profile_that_a_target_names_comes_before_keys_of_the_environment() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let portal = Portal::start([("Deployer", Keys::root())]);
    let home = SignIn::new(&portal);
    home.signed_in(TOKEN);
    let status = || {
        let mut command = home.command(&aws, &project, "", &["status"]);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAANOTHERACCOUNT00")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        done(&command.output().unwrap())
    };
    status();
    assert_eq!(portal.gave("Deployer"), 0, "nobody named a profile");
    project.write(&format!("{HELLO}[target.aws]\nprofile = \"dev\"\n"));
    status();
    assert_eq!(portal.gave("Deployer"), 1);
}

#[test]
fn a_sign_in_that_ends_soon_is_renewed_and_kept() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let portal = Portal::start([("Deployer", Keys::root())]);
    let home = SignIn::new(&portal);
    home.ended_but_renewable();
    let status = ["status"];
    let output = done(&home.command(&aws, &project, "dev", &status).output().unwrap());
    assert!(output.contains("is not deployed"), "{output}");
    assert_eq!((portal.renewed(), home.token().as_str()), (1, TOKEN));
    done(&home.command(&aws, &project, "dev", &status).output().unwrap());
    assert_eq!((portal.renewed(), portal.gave("Deployer")), (1, 2));
}

#[test]
fn whoever_is_not_signed_in_is_told_how_and_for_which_profile() {
    const HOW: [&str; 3] = [
        "nobody is signed in",
        "aws sso login --profile NAME",
        "profile=dev",
    ];
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let portal = Portal::start([("Deployer", Keys::root())]);
    let home = SignIn::new(&portal);
    let status = |profile: &str| {
        home.command(&aws, &project, profile, &["status"])
            .output()
            .unwrap()
    };

    refused(&status("dev"), 1, &HOW);
    refused(
        &status("old"),
        1,
        &[
            "nobody is signed in",
            "aws sso login --profile NAME",
            "profile=old",
        ],
    );
    project.write(&format!("{HELLO}[target.aws]\nprofile = \"dev\"\n"));
    refused(&status(""), 1, &HOW);
    project.write(HELLO);
    home.ended();
    refused(
        &status("dev"),
        1,
        &["have expired", "aws sso login", "profile=dev"],
    );
    assert_eq!(portal.asked(), 0);

    home.signed_in("taken-back");
    refused(&status("dev"), 1, &HOW);
    home.signed_in(TOKEN);
    // Nobody assigned this role to her.
    refused(&status("reader"), 1, &["sso_role_name", "profile=reader"]);
    assert!(done(&status("dev")).contains("is not deployed"));
    drop(portal);
    refused(
        &status("dev"),
        1,
        &["the source of the credentials cannot be reached"],
    );
}
