//! Data that is to go for good: all versions of a bucket's objects, and what nobody finished.

use crate::support::{Aws, Project, done};

const KEEPER: &str = "app = \"keeper\"\n[bucket.photos]\n[function.hello]\non = [{ http = \"GET /hello/{name}\" }]\nuses = { photos = [\"read\"] }\n";
const BUCKET: &str = "keeper-aws-photos-000000000000-us-east-1";

#[test]
fn a_bucket_goes_with_all_versions_of_its_objects_and_with_uploads_that_nobody_finished() {
    let (aws, project) = (Aws::start(), Project::new(KEEPER));
    aws.deployed(&project);
    let ask = |line: &str, body: &str| {
        let answer = aws.request(&line.replace("BUCKET", BUCKET), "s3", body);
        assert!(answer.starts_with("HTTP/1.1 20"), "{line}: {answer}");
        answer
    };
    ask(
        "PUT /BUCKET?versioning",
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>",
    );
    for text in ["one", "two"] {
        ask("PUT /BUCKET/in/a%20b%26c.jpg", text);
    }
    ask("PUT /BUCKET/gone.jpg", "three");
    ask("DELETE /BUCKET/gone.jpg", "");
    ask("POST /BUCKET/half.jpg?uploads", "");
    let listed = ask("GET /BUCKET?versions", "");
    assert_eq!(listed.matches("<Version>").count(), 3, "{listed}");
    assert_eq!(listed.matches("<DeleteMarker>").count(), 1, "{listed}");

    // Without the word for it, nothing of it goes.
    let kept = done(&aws.run(&project, &["destroy", "--yes"]));
    assert!(kept.contains("kept bucket photos"), "{kept}");
    let still = ask("GET /BUCKET?versions", "");
    assert_eq!(still.matches("<Version>").count(), 3, "{still}");

    let output = aws.run(&project, &["destroy", "--yes", "--delete-data"]);
    let all = done(&output);
    assert!(all.contains("removed 1 thing") && !all.contains("kept"), "{all}");
    let told = crate::support::text(&output.stderr);
    assert!(
        told.contains("emptying the bucket") && told.contains("4 removed"),
        "{told}"
    );
    let gone = aws.request(&format!("GET /{BUCKET}?versions"), "s3", "");
    assert!(gone.starts_with("HTTP/1.1 404"), "{gone}");
}
