//! Watches a stream of readings, in order.

use nephos::prelude::*;
use serde::Deserialize;

/// A record's body.
#[derive(Debug, Deserialize)]
struct Reading {
    celsius: f64,
}

/// Runs for each batch. The first record that fails stops those behind it.
#[nephos::function]
async fn watch(readings: Batch<Record<Reading>>) -> Result<BatchOutcome> {
    let mut outcome = BatchOutcome::new();
    for reading in &readings {
        if reading.body.celsius < -273.15 {
            outcome.reject(&reading.sequence, "colder than can be");
        } else {
            println!("{}: {} °C", reading.partition_key, reading.body.celsius);
        }
    }
    Ok(outcome)
}

nephos::main!(watch);
