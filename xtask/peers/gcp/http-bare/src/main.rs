//! Greets over HTTP, as one writes a service of Cloud Run on hyper alone.

use std::net::Ipv4Addr;

#[path = "../../../bare.rs"]
mod bare;
#[path = "../../../greeting.rs"]
mod greeting;

#[tokio::main]
async fn main() -> Result<(), bare::Error> {
    bare::serve(Ipv4Addr::UNSPECIFIED, "PORT", greeting::hello).await
}
