//! Pumps: from durable sources to functions, with retry and dead letters.
