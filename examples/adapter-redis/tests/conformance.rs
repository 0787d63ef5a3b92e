//! The conformance suite over a real Redis.

mod harness;

nephos_conformance::suite!(harness::RedisHarness::default(), groups: ["bucket", "queue", "secret", "stream", "table"]);
