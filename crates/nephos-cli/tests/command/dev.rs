//! `nephos dev` while the project's files change.

use crate::support::{Dev, app, done};

const MANIFEST: &str = r#"app = "changing"
[queue.kept]
[table.things]
key = "id"
[function.greet]
on = [{ http = "GET /greet" }]
"#;

fn greeting(text: &str) -> String {
    format!(
        "use nephos::prelude::*;\n\n#[nephos::function]\nasync fn greet(request: http::Request) -> Result<&'static str> {{\n    \
         if request.uri().query() == Some(\"end\") {{\n        std::process::exit(7);\n    }}\n    \
         Ok({text:?})\n}}\n\nnephos::main!(greet);\n"
    )
}

fn fill(dev: &Dev) {
    done(&dev.run(&["put", "things", r#"{"id":"x","n":1}"#]));
    done(&dev.run(&["put", "kept", "a message"]));
}

fn assert_kept(dev: &Dev) {
    assert!(done(&dev.run(&["cat", "things", "x"])).contains("\"n\": 1"));
    assert!(done(&dev.run(&["ls", "kept"])).contains("a message"));
}

#[test]
fn new_code_answers_once_it_is_built_and_what_was_stored_is_still_there() {
    let dir = app("dev-source", &[], MANIFEST, &greeting("the old code"));
    let mut dev = Dev::start(&dir, &[]);
    assert!(dev.get("/greet").ends_with("the old code"));
    fill(&dev);

    dev.write("src/main.rs", &greeting("the new code"));
    dev.hear(|line| (line["event"] == "rebuilt").then_some(()));
    assert!(dev.get("/greet").ends_with("the new code"));
    assert_kept(&dev);

    dev.write("src/main.rs", "fn main( {");
    let error = dev.hear(|line| line["error"].as_str().map(str::to_owned));
    assert!(error.contains("do not build"), "{error}");
    assert!(dev.get("/greet").ends_with("the new code"));

    // It builds, but its function has another name: what ran goes on, also in a process that is started only now.
    let renamed = greeting("of another name").replace("greet", "wave");
    dev.write("src/main.rs", &renamed);
    let detail = dev.hear(|line| {
        line["detail"]
            .as_str()
            .map(str::to_owned)
            .filter(|text| text.contains("wave"))
    });
    assert!(detail.contains("no function `greet`"), "{detail}");
    assert!(dev.get("/greet?end").starts_with("HTTP/1.1 502"));
    assert!(dev.get("/greet").ends_with("the new code"));

    dev.write("src/main.rs", &greeting("the newest code"));
    dev.hear(|line| (line["event"] == "rebuilt").then_some(()));
    assert!(dev.get("/greet").ends_with("the newest code"));
    assert_kept(&dev);
}

#[test]
fn a_changed_manifest_is_taken_over_and_a_wrong_one_changes_nothing_until_it_is_right() {
    let dir = app("dev-manifest", &[], MANIFEST, &greeting("hello"));
    let mut dev = Dev::start(&dir, &[]);
    assert!(dev.get("/greet").ends_with("hello"));
    assert!(dev.get("/welcome").starts_with("HTTP/1.1 404"));
    fill(&dev);

    let welcome = MANIFEST.replace("/greet", "/welcome");
    dev.write("nephos.toml", &welcome);
    dev.ready();
    assert!(dev.get("/welcome").ends_with("hello"));
    assert!(dev.get("/greet").starts_with("HTTP/1.1 404"));
    assert_kept(&dev);

    dev.write("nephos.toml", &format!("{MANIFEST}timeout = \"30 parsecs\"\n"));
    let detail = dev.hear(|line| line["detail"].as_str().map(str::to_owned));
    assert!(
        detail.contains("nephos.toml:7") && detail.contains("30 parsecs"),
        "{detail}"
    );
    assert!(dev.get("/welcome").ends_with("hello"));

    // Right in itself, but the binary has no such function.
    let other = format!("{welcome}[function.absent]\non = [{{ http = \"GET /absent\" }}]\n");
    dev.write("nephos.toml", &other);
    let detail = dev.hear(|line| line["detail"].as_str().map(str::to_owned));
    assert!(detail.contains("no function `absent`"), "{detail}");
    assert!(dev.get("/welcome").ends_with("hello"));

    dev.write("nephos.toml", MANIFEST);
    dev.ready();
    assert!(dev.get("/greet").ends_with("hello"));
    assert_kept(&dev);
}
