//! The queue against a model in memory, over random operations with restarts in between.

use std::time::Duration;

use nephos_core::app::QueueSpec;
use nephos_core::resource::queue::{Depth, Outgoing, QueueDriver, Receipt};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::{Bed, body, secs};

#[derive(Debug, Clone)]
enum Step {
    Send { group: Option<u8>, delay: u64 },
    Receive { max: usize, visibility: u64 },
    Ack(usize),
    Nack(usize, u64),
    Extend(usize, u64),
    Advance(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (proptest::option::of(0..3_u8), prop_oneof![3 => Just(0), 1 => 1..20_u64])
            .prop_map(|(group, delay)| Step::Send { group, delay }),
        4 => (1..4_usize, 0..20_u64).prop_map(|(max, visibility)| Step::Receive { max, visibility }),
        3 => any::<usize>().prop_map(Step::Ack),
        2 => (any::<usize>(), 0..10_u64).prop_map(|(which, delay)| Step::Nack(which, delay)),
        1 => (any::<usize>(), 1..10_u64).prop_map(|(which, time)| Step::Extend(which, time)),
        3 => (1..15_u64).prop_map(Step::Advance),
        1 => Just(Step::Reopen),
    ]
}

struct Held {
    number: usize,
    group: Option<u8>,
    /// When it is visible, if its group lets it.
    visible_at: u64,
    leased: bool,
    receives: u32,
}

/// The queue as it should be, in seconds since the start.
#[derive(Default)]
struct Model {
    ordered: bool,
    now: u64,
    sent: usize,
    messages: Vec<Held>,
    /// Every receipt handed out: whose, and of which delivery.
    receipts: Vec<(usize, u32, Receipt)>,
}

impl Model {
    fn first_of_group(&self, index: usize) -> bool {
        let group = self.messages[index].group;
        !self.ordered
            || group.is_none()
            || self.messages[..index]
                .iter()
                .all(|earlier| earlier.group != group)
    }

    fn receive(&mut self, max: usize, visibility: u64) -> Vec<(usize, u32)> {
        let mut ready: Vec<_> = (0..self.messages.len())
            .filter(|index| self.messages[*index].visible_at <= self.now && self.first_of_group(*index))
            .collect();
        ready.sort_by_key(|index| (self.messages[*index].visible_at, self.messages[*index].number));
        ready.truncate(max);
        let now = self.now;
        let lease = |index: usize| {
            let message = &mut self.messages[index];
            message.leased = true;
            message.receives += 1;
            message.visible_at = now + visibility;
            (message.number, message.receives)
        };
        ready.into_iter().map(lease).collect()
    }

    /// The message that this receipt holds: `Err(true)` if it is gone, `Err(false)` if it has passed to another.
    fn held(&self, number: usize, receives: u32) -> Result<usize, bool> {
        let index = self
            .messages
            .iter()
            .position(|one| one.number == number)
            .ok_or(true)?;
        let message = &self.messages[index];
        if message.receives == receives && message.leased {
            Ok(index)
        } else {
            Err(false)
        }
    }

    fn given_back(&self, number: usize, receives: u32) -> bool {
        self.messages
            .iter()
            .any(|one| one.number == number && one.receives == receives && !one.leased)
    }

    fn depth(&self) -> Depth {
        let (mut visible, mut leased, mut delayed) = (0, 0, 0);
        for (index, message) in self.messages.iter().enumerate() {
            // Behind another of its group it counts as visible, whatever its own delay.
            let counter = if !self.first_of_group(index) || message.visible_at <= self.now {
                &mut visible
            } else if message.leased {
                &mut leased
            } else {
                &mut delayed
            };
            *counter += 1;
        }
        Depth::apart(visible, leased, delayed)
    }
}

async fn run(ordered: bool, steps: Vec<Step>) {
    let mut bed = Bed::new().await;
    let spec = QueueSpec {
        ordered,
        ..QueueSpec::default()
    };
    let mut queue = bed.store.queue("jobs", &spec);
    let mut model = Model {
        ordered,
        ..Model::default()
    };
    for step in steps {
        match step {
            Step::Send { group, delay } => {
                let mut outgoing = Outgoing::new(model.sent.to_string()).delay(secs(delay));
                outgoing.group = group.map(|group| group.to_string());
                queue.send_batch(&[outgoing]).await.unwrap();
                model.messages.push(Held {
                    number: model.sent,
                    group,
                    visible_at: model.now + delay,
                    leased: false,
                    receives: 0,
                });
                model.sent += 1;
            }
            Step::Receive { max, visibility } => {
                let received = queue
                    .receive(max, secs(visibility), Duration::ZERO)
                    .await
                    .unwrap();
                let got: Vec<(usize, u32)> = received
                    .iter()
                    .map(|one| (body(one).parse().unwrap(), one.message.attempt))
                    .collect();
                assert_eq!(got, model.receive(max, visibility));
                for ((number, receives), one) in got.into_iter().zip(received) {
                    model.receipts.push((number, receives, one.receipt));
                }
            }
            Step::Ack(which) if !model.receipts.is_empty() => {
                let (number, receives, receipt) = model.receipts[which % model.receipts.len()].clone();
                let acked = queue.ack(&[receipt]).await;
                match model.held(number, receives) {
                    Ok(index) => {
                        acked.unwrap();
                        model.messages.remove(index);
                    }
                    Err(gone) => assert_eq!(acked.is_ok(), gone),
                }
            }
            Step::Nack(which, delay) if !model.receipts.is_empty() => {
                let (number, receives, receipt) = model.receipts[which % model.receipts.len()].clone();
                let nacked = queue.nack(&receipt, secs(delay)).await;
                match model.held(number, receives) {
                    Ok(index) => {
                        nacked.unwrap();
                        model.messages[index].leased = false;
                        model.messages[index].visible_at = model.now + delay;
                    }
                    Err(gone) => assert_eq!(nacked.is_ok(), gone || model.given_back(number, receives)),
                }
            }
            Step::Extend(which, time) if !model.receipts.is_empty() => {
                let (number, receives, receipt) = model.receipts[which % model.receipts.len()].clone();
                let extended = queue.extend(&receipt, secs(time)).await;
                match model.held(number, receives) {
                    Ok(index) => {
                        extended.unwrap();
                        model.messages[index].visible_at = model.now + time;
                    }
                    Err(_) => assert!(extended.is_err()),
                }
            }
            // No receipt yet.
            Step::Ack(_) | Step::Nack(..) | Step::Extend(..) => {}
            Step::Advance(time) => {
                bed.clock.advance(secs(time));
                model.now += time;
            }
            Step::Reopen => {
                bed.reopen().await;
                queue = bed.store.queue("jobs", &spec);
            }
        }
        assert_eq!(queue.depth().await.unwrap(), model.depth());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_what_its_model_does(ordered: bool, steps in proptest::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(ordered, steps));
    }
}
