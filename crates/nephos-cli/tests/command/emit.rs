//! `nephos emit` and `nephos invoke`: each has its effect, and a name that is misspelt is told with the one that was meant.

use std::path::Path;

use crate::support::{Dev, app, done, refused};

const MANIFEST: &str = r#"app = "emitting"
[bucket.photos]
[queue.jobs]
[topic.news]

[function.on-photo]
on = [{ bucket = "photos" }]
[function.on-job]
on = [{ queue = "jobs" }]
[function.on-news]
on = [{ topic = "news", filter = { kind = "paid" } }]
[function.on-tick]
on = [{ schedule = "0 6 1 1 *" }]
[function.on-mail]
on = [{ email = "orders@example.net" }]
[function.on-call]
on = [{ http = "GET /call/{name}" }]
[function.on-anything]
"#;

const CODE: &str = r#"use nephos::prelude::*;

#[nephos::function]
async fn on_photo(photo: ObjectCreated) {
    println!("photo {} of {:?} bytes", photo.key, photo.size);
}

#[nephos::function]
async fn on_job(job: Message<String>) {
    println!("job {} of {:?}", job.body, job.attributes.get("kind"));
}

#[nephos::function]
async fn on_news(news: Notification<String>) {
    println!("news {}", news.body);
}

#[nephos::function]
async fn on_tick(tick: Tick) {
    println!("tick {}", tick.schedule);
}

#[nephos::function]
async fn on_mail(mail: Email) {
    println!("mail {:?} from {}", mail.subject, mail.envelope.from);
}

#[nephos::function]
async fn on_call(request: http::Request) -> Result<String> {
    Ok(format!("called by {}", http::path(&request, "name")?))
}

#[nephos::function]
async fn on_anything(event: Event) -> Result<String> {
    match event.data {
        nephos::event::Data::Raw(raw) => Ok(format!("given {}", String::from_utf8_lossy(&raw.bytes))),
        _ => Err(Error::reject("only for calls by hand")),
    }
}

nephos::main!(on_photo, on_job, on_news, on_tick, on_mail, on_call, on_anything);
"#;

fn file(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_event_that_is_emitted_reaches_its_function_and_a_misspelt_name_none() {
    let dir = app("emit", &["email"], MANIFEST, CODE);
    let files = tempfile::tempdir().unwrap();
    let photo = file(files.path(), "a.jpg", "1234");
    let mail = file(
        files.path(),
        "mail.eml",
        "From: ann@example.net\r\nTo: orders@example.net\r\nSubject: an order\r\n\r\ntwo, please\r\n",
    );
    let mut dev = Dev::start(&dir, &["--no-watch"]);

    done(&dev.run(&["emit", "bucket", "photos", &photo]));
    assert_eq!(dev.printed("on-photo"), "photo a.jpg of Some(4) bytes");
    refused(
        &dev.run(&["emit", "bucket", "phots", &photo]),
        2,
        &["no bucket `phots`", "did you mean `photos`?"],
    );

    done(&dev.run(&["emit", "queue", "jobs", "saw", "--attribute", "kind=wood"]));
    assert_eq!(dev.printed("on-job"), "job saw of Some(\"wood\")");
    refused(
        &dev.run(&["emit", "queue", "job", "saw"]),
        2,
        &["no queue `job`", "did you mean `jobs`?"],
    );

    let unfit = done(&dev.run(&["emit", "topic", "news", "sent", "--attribute", "kind=sent"]));
    assert!(unfit.contains("no trigger of the app fits"), "{unfit}");
    done(&dev.run(&["emit", "topic", "news", "bought", "--attribute", "kind=paid"]));
    assert_eq!(dev.printed("on-news"), "news bought");
    refused(
        &dev.run(&["emit", "topic", "nwes", "bought"]),
        2,
        &["no topic `nwes`", "did you mean `news`?"],
    );

    done(&dev.run(&["emit", "schedule", "on-tick"]));
    assert_eq!(dev.printed("on-tick"), "tick 0 6 1 1 *");
    refused(
        &dev.run(&["emit", "schedule", "on-tik"]),
        2,
        &["no function `on-tik`", "did you mean `on-tick`?"],
    );
    refused(
        &dev.run(&["emit", "schedule", "on-job"]),
        2,
        &["function `on-job` has no schedule"],
    );

    done(&dev.run(&["emit", "email", &mail, "--to", "orders@example.net"]));
    assert_eq!(
        dev.printed("on-mail"),
        "mail \"an order\" from someone@example.net"
    );
    let unheard = dev.run(&["emit", "email", &mail, "--to", "nobody@example.net"]);
    refused(&unheard, 1, &["no trigger of the app fits this event"]);
}

#[test]
fn a_function_is_called_by_hand_with_a_host_and_without_one() {
    let dir = app("invoke", &["email"], MANIFEST, CODE);
    let mut dev = Dev::start(&dir, &["--no-watch"]);
    for stopped in [false, true] {
        if stopped {
            dev.child.kill().unwrap();
            dev.child.wait().unwrap();
        }
        let answer = done(&dev.run(&["invoke", "on-anything", "this"]));
        assert!(answer.contains("\"answer\": \"given this\""), "{answer}");
        let answer = done(&dev.run(&["invoke", "on-call", "--http", "GET /call/ann"]));
        assert!(answer.contains("called by ann"), "{answer}");
        refused(
            &dev.run(&["invoke", "on-anthing", "this"]),
            2,
            &["no function `on-anthing`", "did you mean `on-anything`?"],
        );
        refused(
            &dev.run(&["invoke", "on-call", "--http", "GET /cal/ann"]),
            2,
            &["does not lead to function `on-call`", "GET /call/{name}"],
        );
    }
}
