//! The example `face-gate` on AWS: photographs, faces, a broken file, and an archive that is not AWS's.

use serde_json::json;

use crate::sdk::{attribute, wait};
use crate::store::Store;
use crate::support::{Aws, Project, example, manifest};

#[test]
fn faces_are_found_stored_once_and_archived_with_a_third_party_and_a_broken_file_is_kept() {
    let (aws, store) = (Aws::start(), Store::start("evidence"));
    let elsewhere = format!(
        "[target.aws.bucket.archive]\nendpoint = \"{}\"\n",
        store.endpoint()
    );
    let project = Project::of("face-gate", &manifest("face-gate", &elsewhere));
    aws.deployed(&project);
    let stack = aws.outputs("face-gate-aws");
    let (sdk, archive) = (aws.sdk(), store.sdk());
    let keys = json!({"SecretId": stack["SecretArchiveKeys"], "SecretString": Store::keys()});
    sdk.call("secretsmanager", "put_secret_value", keys);

    let uploads = &stack["BucketSnapshots"];
    let put = |key: &str, photo: &str| {
        let photo = example("face-gate").join("photos").join(photo);
        let params = json!({"Bucket": uploads, "Key": key, "Body": {"$file": photo}});
        sdk.call("s3", "put_object", params)["ETag"].clone()
    };
    let archived = |key: &str| {
        let answer = archive.ask("s3", "head_object", json!({"Bucket": "evidence", "Key": key}));
        answer.ok().map(|object| object["ETag"].clone())
    };
    // The picture is deleted last: when it is gone, all is done.
    let scrubbed = |key: &str| {
        wait(&format!("{key} scrubbed\n{}", aws.emulator.log()), || {
            (!sdk.keys(uploads).iter().any(|there| there == key)).then_some(())
        });
    };
    let faces = || sdk.items(&stack["TableFaces"]);

    let picture = put("gate/08-00.jpg", "obama-oval-office-2012.jpg");
    scrubbed("gate/08-00.jpg");
    assert_eq!(archived("gate/08-00.jpg"), Some(picture));
    let first = faces();
    assert_eq!(first.len(), 1, "{first:#?}");
    assert_eq!(first[0]["sightings"], 1);
    let seen_in = first[0]["first_seen_in"].as_str().unwrap();
    assert!(seen_in.starts_with("gate/08-00.jpg#0@"), "{seen_in}");

    put("gate/09-00.jpg", "obama-blue-room-2010.jpg");
    scrubbed("gate/09-00.jpg");
    let again = faces();
    assert_eq!(again.len(), 1, "the known face was stored again");
    assert_eq!(
        (&again[0]["sightings"], &again[0]["face_id"]),
        (&json!(2), &first[0]["face_id"])
    );

    let cup = put("gate/09-05.jpg", "coffee-no-face.jpg");
    scrubbed("gate/09-05.jpg");
    assert_eq!(archived("gate/09-05.jpg"), Some(cup));
    assert_eq!(faces(), again, "a picture without a face changed what is known");

    put("gate/09-10.jpg", "broken.jpg");
    let letters = wait("the broken file's letter", || {
        let letters = sdk.letters(&stack["QueueUnreadable"]);
        (!letters.is_empty()).then_some(letters)
    });
    assert_eq!(letters.len(), 1, "{letters:#?}");
    let reason = attribute(&letters[0], "nephos-reason");
    assert!(
        reason.contains("the file is not a picture that can be read"),
        "{reason}"
    );
    assert_eq!(attribute(&letters[0], "nephos-function"), "recognise");
    let body = letters[0]["Body"].as_str().unwrap();
    assert!(body.contains("gate/09-10.jpg"), "{body}");
    assert_eq!(sdk.keys(uploads), ["gate/09-10.jpg"], "the broken file is lost");
    assert_eq!(archived("gate/09-10.jpg"), None);

    let host = aws.host(&project, "known");
    let answer = aws.request("GET /faces", &host, "");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let listed: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = json!([{"face_id": first[0]["face_id"], "first_seen_in": seen_in, "sightings": 2}]);
    assert_eq!(listed, expected);
}
