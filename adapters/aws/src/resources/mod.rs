//! Drivers of AWS's services, one file a kind.
