//! The local wire format: CloudEvents over HTTP, and the function's answer.
