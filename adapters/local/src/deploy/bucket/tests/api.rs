//! The resource API over a real socket.
