//! Rules of events: a provider's own payload of what happened is, decoded by what the host decodes with, the one neutral event that it is everywhere.

pub(super) mod any;
pub(super) mod changes;
pub(super) mod neutral;
mod samples;
#[cfg(test)]
mod tests;
pub(super) mod told;

use crate::happening::{Delivered, Happening, Native};
use crate::harness::Harness;
use crate::rule::{Verdict, Violation};
use crate::{ensure, ensure_fails};

/// The provider's payloads; one at least.
async fn natives(harness: &dyn Harness, happening: &Happening) -> Result<Vec<Native>, Violation> {
    let natives = harness.native(happening).await?;
    ensure!(
        !natives.is_empty(),
        "there is no payload of a {} event",
        happening.kind()
    );
    Ok(natives)
}

/// What the host makes of a payload that is one event.
async fn one(harness: &dyn Harness, native: &Native) -> Result<Delivered, Violation> {
    let mut delivered = harness.decode(native).await?;
    match (delivered.pop(), delivered.len()) {
        (Some(one), 0) => Ok(one),
        (_, more) => Err(Violation::new(format!(
            "a payload ({}) of one event is {} events",
            native.form,
            more + 1
        ))),
    }
}

/// Each of the provider's payloads must become the happening's neutral event.
async fn equal(harness: &dyn Harness, happening: &Happening) -> Verdict {
    let expected = crate::neutral::of(happening.event()).await?;
    for native in natives(harness, happening).await? {
        let actual = crate::neutral::of(one(harness, &native).await?.event).await?;
        if let Some(differences) = crate::neutral::differences(&expected, &actual) {
            return Err(Violation::new(format!(
                "a payload ({}) of a {} event is another neutral event: {differences}",
                native.form,
                happening.kind()
            )));
        }
    }
    Ok(())
}

/// The negative: the provider has no payload of it.
async fn refused(harness: &dyn Harness, happening: &Happening) -> Verdict {
    ensure_fails!(
        harness.native(happening).await,
        Unsupported,
        "a {} event where no function is called with one",
        happening.kind()
    );
    Ok(())
}

/// The samples of all kinds that are declared.
fn declared(harness: &dyn Harness) -> Vec<Happening> {
    let kinds = harness.host().kinds;
    samples::all()
        .into_iter()
        .filter(|happening| kinds.contains(&happening.kind()))
        .collect()
}
