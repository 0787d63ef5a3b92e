//! Nephos on Azure: functions on Azure Functions as a custom handler, their triggers, resources, and deployment through deployment stacks.
