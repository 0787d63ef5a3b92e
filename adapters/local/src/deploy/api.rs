//! The resource API that functions and the command reach resources through.
