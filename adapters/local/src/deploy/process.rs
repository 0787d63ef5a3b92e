//! One process of a function: start, talk, kill, output, memory.
