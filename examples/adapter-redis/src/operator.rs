//! What an operator does, and no function: makes queues, sets secrets. A deployment would call it.

use nephos_core::Result;

use crate::connection::{Connection, key_of};

/// The field of a queue that is there as long as the queue is.
const MADE: &str = "made";

/// Makes a queue. One that is there already stays as it is.
///
/// # Errors
/// What Redis answers.
pub async fn make_queue(connection: &Connection, name: &str) -> Result<()> {
    let mut command = redis::cmd("HSETNX");
    command.arg(key_of("queue", name)).arg(MADE).arg(1);
    connection.ask("operator.make_queue", &command).await
}

/// Sets a secret's value; former ones stay, each under its version.
///
/// # Errors
/// What Redis answers.
pub async fn set_secret(connection: &Connection, name: &str, value: &[u8]) -> Result<()> {
    let mut command = redis::cmd("XADD");
    command
        .arg(key_of("secret", name))
        .arg("*")
        .arg("value")
        .arg(value);
    let _version: String = connection.ask("operator.set_secret", &command).await?;
    Ok(())
}
