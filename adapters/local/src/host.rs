//! The function side of the runtime protocol: HTTP on a socket that the embedded host hands over.
