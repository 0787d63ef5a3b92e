//! The durable store: queue, topic, stream and table in SQLite.
