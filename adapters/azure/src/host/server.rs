//! HTTP/1.1 on the loopback, and its orderly end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::Result;
use nephos_core::adapter::Launch;
use nephos_core::server::serve_http1;
use tokio::net::TcpListener;

use super::site::Site;
use crate::package::Package;

/// How long invocations in flight may take to finish once the process is told to end.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves invocations on `listener` until `told_to_end`, and then finishes those in flight.
///
/// # Errors
/// If the package is not what deployment writes, and those of `told_to_end`, once what was in flight is finished.
pub async fn serve_on(
    listener: TcpListener,
    launch: Launch,
    package: Package,
    told_to_end: impl Future<Output = Result<()>>,
) -> Result<()> {
    let site = Arc::new(Site::new(launch, package)?);
    serve_http1(listener, DRAIN, told_to_end, move |request| site.handle(request)).await
}
