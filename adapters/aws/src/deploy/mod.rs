//! Deployment: an app becomes a CloudFormation template and an artifact, and the engine brings both to AWS.

pub mod artifact;
pub mod engine;
pub mod settings;
pub mod template;
