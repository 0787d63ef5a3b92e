//! What every provider's program of buckets does: objects put and got, in turn by a bucket of Nephos and by bare `object_store`. One line of JSON for each operation and
//! size: the microseconds that a tenth of each side's rounds stay below, and the ratio of speed. What else the machine does only ever adds time.

use std::time::Instant;

use bytes::Bytes;
use nephos_core::resource::bucket::Bucket;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

const KEY: &str = "pictures/one.jpg";

/// A name, bytes, operations a turn, rounds.
pub(crate) type Size = (&'static str, usize, u32, usize);

/// Measures and prints.
///
/// # Errors
/// A store that fails, or that gives other bytes than were written.
pub(crate) async fn measure(
    ours: &Bucket,
    theirs: &impl ObjectStore,
    sizes: &[Size],
) -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::from(KEY);
    for &(size, length, calls, rounds) in sizes {
        let content = Bytes::from(vec![b'x'; length]);
        let mut put = Vec::with_capacity(rounds);
        let mut get = Vec::with_capacity(rounds);
        // The first round of each warms the connections, and is not counted.
        for round in 0..=rounds {
            let mut pair = [(0.0, 0.0); 2];
            for side in [round % 2, (round + 1) % 2] {
                let started = Instant::now();
                for _ in 0..calls {
                    if side == 0 {
                        ours.put(KEY, content.clone()).await?;
                    } else {
                        theirs.put(&path, content.clone().into()).await?;
                    }
                }
                let between = Instant::now();
                let mut read = 0;
                for _ in 0..calls {
                    read += if side == 0 {
                        ours.get(KEY).await?.len()
                    } else {
                        theirs.get(&path).await?.bytes().await?.len()
                    };
                }
                let ended = Instant::now();
                if read != length * calls as usize {
                    return Err("what was read is not what was written".into());
                }
                let each = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e6 / f64::from(calls);
                pair[side] = (each(started, between), each(between, ended));
            }
            if round > 0 {
                put.push((pair[0].0, pair[1].0));
                get.push((pair[0].1, pair[1].1));
            }
        }
        for (operation, rounds) in [("put", put), ("get", get)] {
            let ours = quick(rounds.iter().map(|(ours, _)| *ours));
            let theirs = quick(rounds.iter().map(|(_, theirs)| *theirs));
            println!(
                "{}",
                serde_json::json!({
                    "operation": operation,
                    "size": size,
                    "nephos_us": ours,
                    "peer_us": theirs,
                    "speed": theirs / ours,
                })
            );
        }
    }
    Ok(())
}

/// What a tenth of the values stay below.
fn quick(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 10).copied().unwrap_or_default()
}
