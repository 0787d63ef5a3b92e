//! Timers: their value, what is past due, and failures that are tried again.

use nephos_conformance::azure_functions::Host;
use nephos_conformance::azure_functions::package::BindingKind;
use serde_json::{Value, json};

use crate::app::{App, invocations, invoked, triggered};

fn timer(schedule: &str) -> Value {
    triggered(json!({"type": "timerTrigger", "name": "tick", "schedule": schedule}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_by_its_schedule_and_when_it_is_asked_to() {
    let (mut app, _) = App::with_storage().await;
    app.function("often", &timer("* * * * * *"));
    let host = app.start().await;
    let document = invoked(&host, 2).await.remove(0);
    // So often, the host keeps no record of it.
    assert_eq!(
        document["Data"],
        json!({"tick": {"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false}})
    );
    assert_eq!(
        document["Metadata"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["sys"]
    );
    drop(host);

    app.function("often", &timer("%WHEN%"));
    app.setting("WHEN", "0 0 3 1 1 *");
    let host = app.start().await;
    let function = host.functions().next().unwrap();
    assert!(matches!(&function.trigger.kind, BindingKind::Timer(timer) if timer.use_monitor));
    assert!(host.fire_timer("other").await.is_err());
    host.fire_timer("often").await.unwrap();
    let document = invoked(&host, 1).await.remove(0);
    let next = document["Data"]["tick"]["ScheduleStatus"]["Next"]
        .as_str()
        .unwrap();
    assert!(next.ends_with("-01-01T03:00:00+00:00"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_without_a_storage_account_for_its_record_is_refused() {
    let mut app = App::new();
    app.function("yearly", &timer("0 0 3 1 1 *"));
    app.write();
    let error = Host::start(app.path(), app.options()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no app setting `AzureWebJobsStorage`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_was_missed_is_made_up_for_at_the_next_start() {
    let (mut app, _) = App::with_storage().await;
    app.function("yearly", &timer("0 0 3 1 1 *"));
    let options = app.options();
    let kept = options.kept.clone();
    let host = app.start_with(options.clone()).await;
    host.stop(std::time::Duration::from_secs(5)).await;
    assert!(invocations(&host).is_empty());
    drop(host);
    kept.miss_timer("yearly");
    let host = app.start_with(options).await;
    let document = invoked(&host, 1).await.remove(0);
    assert_eq!(document["Data"]["tick"]["IsPastDue"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_timer_is_tried_again_as_its_retry_says() {
    let (mut app, _) = App::with_storage().await;
    let mut document = timer("0 0 3 1 1 *");
    document["bindings"][0]["name"] = "dofailalways".into();
    document["retry"] = json!({"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:00.05"});
    app.function("do-fail-always", &document);
    let host = app.start().await;
    host.fire_timer("do-fail-always").await.unwrap();
    let all = invoked(&host, 3).await;
    let contexts: Vec<_> = all
        .iter()
        .map(|one| {
            let context = &one["Metadata"]["RetryContext"];
            (
                context["RetryCount"].clone(),
                context["MaxRetryCount"].clone(),
                context["Exception"].is_null(),
            )
        })
        .collect();
    assert_eq!(
        contexts,
        [
            (json!(0), json!(2), true),
            (json!(1), json!(2), false),
            (json!(2), json!(2), false)
        ]
    );
}
