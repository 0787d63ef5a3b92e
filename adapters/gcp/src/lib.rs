//! Nephos on Google Cloud: functions on Cloud Run, their triggers and resources.
