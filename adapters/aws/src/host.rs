//! The function's host: the Lambda Runtime API.
