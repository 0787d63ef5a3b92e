//! Trouble on the way: between the command and the emulator lies a proxy that answers as AWS does when it refuses, is overloaded, or is not there.

mod credentials;
mod data;
mod limits;
mod network;
mod proxy;
mod stacks;
mod together;
