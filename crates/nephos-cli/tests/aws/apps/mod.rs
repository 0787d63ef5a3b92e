//! The examples, deployed whole.

mod face_gate;
mod orders;
