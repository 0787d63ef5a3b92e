//! A process of a pool, with its places and the connections that rest between invocations.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::connection::Connection;
use super::lock;
use crate::deploy::process::Process;

/// A process, and who is in it.
#[derive(Debug)]
pub(super) struct Slot {
    process: Arc<Process>,
    answered: AtomicBool,
    state: Mutex<State>,
    emptied: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    last_used: Instant,
    retired: bool,
    resting: Vec<Connection>,
}

/// A place in a process.
#[derive(Debug)]
pub(super) struct Place {
    /// A connection that rested.
    pub(super) rested: Option<Connection>,
}

impl Slot {
    pub(super) fn new(process: Arc<Process>) -> Self {
        Self {
            process,
            answered: AtomicBool::new(false),
            state: Mutex::new(State {
                in_flight: 0,
                last_used: Instant::now(),
                retired: false,
                resting: Vec::new(),
            }),
            emptied: Notify::new(),
        }
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Whether it runs, as far as is known.
    pub(super) fn is_good(&self) -> bool {
        self.process.ending().is_none() && !self.process.is_gone()
    }

    /// Takes a place, if one is free, and with it a connection of this event loop, if one rests.
    pub(super) fn enter(&self, places: usize) -> Option<Place> {
        let here = Handle::try_current().ok().map(|runtime| runtime.id());
        let mut state = lock(&self.state);
        if state.retired || state.in_flight >= places {
            return None;
        }
        state.in_flight += 1;
        let rested = state
            .resting
            .iter()
            .rposition(|connection| Some(connection.home()) == here);
        Some(Place {
            rested: rested.map(|at| state.resting.swap_remove(at)),
        })
    }

    /// Gives the place back, and with it a connection that may rest for the next invocation.
    pub(super) fn leave(&self, rest: Option<Connection>) {
        let mut state = lock(&self.state);
        state.in_flight = state.in_flight.saturating_sub(1);
        if !state.retired {
            state.resting.extend(rest);
        }
        if state.in_flight == 0 {
            state.last_used = Instant::now();
            self.emptied.notify_waiters();
        }
    }

    /// Takes no more invocations; connections at rest are closed.
    pub(super) fn retire(&self) {
        let mut state = lock(&self.state);
        state.retired = true;
        state.resting.clear();
    }

    /// Retires it if nobody has been in it for so long.
    pub(super) fn retire_if_idle(&self, idle: Duration) -> bool {
        let mut state = lock(&self.state);
        let is_idle = state.in_flight == 0 && state.last_used.elapsed() >= idle;
        if is_idle {
            state.retired = true;
            state.resting.clear();
        }
        is_idle
    }

    /// Waits until nobody is in it.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            let mut emptied = std::pin::pin!(emptied);
            // Listens before it looks, so that nobody leaves unheard in between.
            emptied.as_mut().enable();
            if lock(&self.state).in_flight == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Whether it has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// It answered; whether that was the first time.
    pub(super) fn answered(&self) -> bool {
        !self.answered.load(Ordering::Relaxed) && !self.answered.swap(true, Ordering::AcqRel)
    }
}
