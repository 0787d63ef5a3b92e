//! The conformance suite over this adapter. `groups` names what it has so far.

mod harness;

nephos_conformance::suite!(harness::AdapterHarness::default(), groups: ["secret"]);
