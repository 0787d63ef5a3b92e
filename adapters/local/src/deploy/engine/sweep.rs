//! Looks after retention and time to live, and after events that no trigger reads any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::App;
use tokio_util::sync::CancellationToken;

use super::feeds::INBOX_RETENTION;
use crate::deploy::activity::Activities;
use crate::deploy::pump::source;
use crate::deploy::store::{Abandoned, Store};

/// How often.
const SWEEP: Duration = Duration::from_secs(2);

/// Sweeps until it is told to stop.
pub(super) async fn run(app: Arc<App>, store: Store, activities: Activities, stop: CancellationToken) {
    let read = source::all_inboxes(&app);
    let mut told = BTreeSet::new();
    loop {
        if let Err(error) = store.sweep().await {
            activities.trouble(format!(
                "what has expired could not be removed: {}",
                error.chain()
            ));
        }
        match inboxes(&store, &read, &activities, &mut told).await {
            Ok(sentences) => sentences
                .into_iter()
                .for_each(|sentence| activities.trouble(sentence)),
            Err(error) => activities.trouble(format!(
                "the events of removed triggers could not be looked after: {}",
                error.chain()
            )),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// What there is to say of inboxes that are not among those that are `read`: what was removed from them, and, once for each, what they hold.
async fn inboxes(
    store: &Store,
    read: &BTreeSet<String>,
    activities: &Activities,
    told: &mut BTreeSet<String>,
) -> Result<Vec<String>> {
    let days = INBOX_RETENTION.as_secs() / (24 * 3600);
    let swept = store
        .sweep_abandoned(source::INBOXES, read, INBOX_RETENTION)
        .await?;
    let mut sentences: Vec<String> = swept
        .into_iter()
        .map(|Abandoned { queue, messages }| {
            let trigger = source::trigger_of(&queue);
            format!(
                "{messages} event(s) for {trigger}, which nephos.toml does not have, were removed undelivered after \
                 {days} days"
            )
        })
        .collect();
    // Whoever starts the engine listens only once it has started: nothing is said to nobody.
    if activities.has_listeners() {
        for Abandoned { queue, messages } in store.abandoned(source::INBOXES, read).await? {
            let trigger = source::trigger_of(&queue);
            if told.insert(queue) {
                sentences.push(format!(
                    "{messages} event(s) wait for {trigger}, which nephos.toml does not have any more; they are delivered if \
                     it comes back, and removed {days} days after they came"
                ));
            }
        }
    }
    Ok(sentences)
}

#[cfg(test)]
mod tests {
    use nephos_core::resource::queue::Outgoing;

    use super::*;
    use crate::deploy::store::ManualClock;

    #[tokio::test]
    async fn events_of_a_removed_trigger_are_told_of_once_and_again_when_they_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(1_704_067_200_000);
        let store = Store::open_with(&folder.path().join("store.db"), Arc::new(clock.clone()))
            .await
            .unwrap();
        let event = (
            "inbox/resize/bucket/photos/Created//".to_owned(),
            Outgoing::new("event"),
        );
        store.enqueue(vec![event]).await.unwrap();
        let (read, activities, mut told) = (BTreeSet::new(), Activities::default(), BTreeSet::new());
        assert_eq!(
            inboxes(&store, &read, &activities, &mut told).await.unwrap(),
            [""; 0]
        );

        let _listener = activities.listen();
        let waits = "1 event(s) wait for the trigger bucket/photos/Created of function `resize`, which nephos.toml does not have any \
                     more; they are delivered if it comes back, and removed 14 days after they came";
        assert_eq!(
            inboxes(&store, &read, &activities, &mut told).await.unwrap(),
            [waits]
        );
        assert_eq!(
            inboxes(&store, &read, &activities, &mut told).await.unwrap(),
            [""; 0]
        );

        clock.advance(INBOX_RETENTION);
        let removed = "1 event(s) for the trigger bucket/photos/Created of function `resize`, which nephos.toml does not have, were \
                       removed undelivered after 14 days";
        assert_eq!(
            inboxes(&store, &read, &activities, &mut told).await.unwrap(),
            [removed]
        );
        assert_eq!(
            inboxes(&store, &read, &activities, &mut told).await.unwrap(),
            [""; 0]
        );
        store.close().await;
    }
}
