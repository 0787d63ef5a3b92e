//! Azure Resource Manager as the wire sees it, for deployers: tokens, groups, resources, templates, deployment stacks, what-if, the SCM hosts of sites, logs.
//!
//! [`Manager::start`] begins with a subscription that has nothing; [`Manager::environment`] is what a program needs to ask it. It refuses what Azure refuses, and does what Azure does at
//! times of its own when a test says so ([`Manager::fail`], [`Manager::interrupt`] and others). What was taken from where is in this folder's README.

mod deployment;
mod error;
mod expression;
mod generic;
mod groups;
mod id;
mod kinds;
mod knobs;
mod logs;
mod manager;
mod options;
mod request;
mod resource;
mod route;
mod scm;
mod stack;
mod state;
mod template;
mod token;
mod what_if;

pub use self::knobs::{Failure, Interruption};
pub use self::logs::Line;
pub use self::manager::{Existing, Manager};
pub use self::options::{Options, Publish, Subscription};
pub use self::scm::Published;
pub use self::state::{Exchange, Taken};
