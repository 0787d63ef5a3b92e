//! The embedded host as a whole: start, addresses, activity, invoke, stop.
