//! The HTTP gateway: routes requests to functions.
