//! Deployment: an app becomes a graph of what it is on Google Cloud, and the graph is brought about.

pub mod graph;
