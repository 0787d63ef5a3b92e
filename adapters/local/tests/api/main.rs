//! The resource API over real sockets: a function's drivers on one side, the store on the other.

mod control;
mod errors;
mod function;
mod resources;
mod support;
