//! The functions under test, on Nephos and on bare hyper: how the Functions host starts and calls them.
//! <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>

use std::path::Path;

use xtask::shell::{Error, Result};

use crate::bench::service::{Call, Service};

/// What is compared: one handler, what the host sends it, and what its answer must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// How the table calls it.
    pub(crate) name: &'static str,
    /// The package on Nephos.
    pub(crate) ours: &'static str,
    /// The package on bare hyper.
    pub(crate) theirs: &'static str,
    /// The function's name.
    function: &'static str,
    /// The path that the host calls.
    path: &'static str,
    /// The body that it sends.
    body: &'static str,
    /// The answer's body.
    answer: &'static str,
    /// `nephos.json`, as deployment writes it beside the program.
    package: &'static str,
}

/// A client's request, which the host passes on as it is, and a message of a Storage queue, which it wraps.
pub(crate) const CASES: [Case; 2] = [
    Case {
        name: "HTTP",
        ours: "http-nephos",
        theirs: "http-bare",
        function: "hello",
        path: "/hello",
        body: r#"{"name":"nephos"}"#,
        answer: r#"{"greeting":"Hello, nephos!"}"#,
        package: r#"{"wiring":{"routes":[{"method":"POST","path":"/hello"}]},"triggers":{},"forwarding":true}"#,
    },
    Case {
        name: "queue",
        ours: "queue-nephos",
        theirs: "queue-bare",
        function: "fulfil",
        path: "/queue-orders-0a1b2c3d",
        // The message is {"item":"umbrella","quantity":1}.
        body: r#"{"Data":{"event":"eyJpdGVtIjoidW1icmVsbGEiLCJxdWFudGl0eSI6MX0="},"Metadata":{"DequeueCount":"1","ExpirationTime":"2026-02-10T12:00:00+00:00","Id":"\"11111111-bdd2-4c08-badd-f08e5a34b865\"","InsertionTime":"2026-02-03T12:00:00+00:00","NextVisibleTime":"2026-02-03T12:10:00+00:00","PopReceipt":"\"AgAAAAMAAAAAAAAAAgtnj8x+1QE=\"","sys":{"MethodName":"queue-orders-0a1b2c3d","UtcNow":"2026-02-03T12:00:01.2345678Z","RandGuid":"24ad4c06-24ad-4e5b-8294-3da9714877e9"}}}"#,
        answer: r#"{"Logs":[],"Outputs":{},"ReturnValue":null}"#,
        package: r#"{"wiring":{"sources":{"https://bench.queue.core.windows.net/orders":"orders"},"dead_letter":"https://bench.queue.core.windows.net/lost","timeout":{"secs":30,"nanos":0}},"triggers":{"queue-orders-0a1b2c3d":{"kind":"queue","queue":"orders","batch":1}},"forwarding":false}"#,
    },
];

impl Case {
    /// A side with its program in `programs`, which runs in `folder`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn side(&self, package: &str, programs: &Path, folder: &Path) -> Result<Service> {
        let file = folder.join("nephos.json");
        std::fs::write(&file, self.package).map_err(Error::io("write", &file))?;
        // What the host and deployment set.
        let environment = [
            ("FUNCTIONS_WORKER_RUNTIME", "custom"),
            ("WEBSITE_SITE_NAME", "bench"),
            ("AZURE_CLIENT_ID", "00000000-0000-4000-8000-000000000001"),
            ("NEPHOS_APP", "bench"),
            ("NEPHOS_TARGET", "azure"),
            ("NEPHOS_FUNCTION", self.function),
        ];
        // With the headers of the host.
        let headers = "content-type: application/json\r\nuser-agent: Azure-Functions-Host/4.1043.200.25418\r\n\
             x-azure-functions-hostversion: 4.1043.200.25418\r\n\
             x-azure-functions-invocationid: 0a1b2c3d-0000-4000-8000-0123456789ab\r\n";
        Ok(Service {
            program: programs.join(package),
            arguments: Vec::new(),
            folder: folder.to_owned(),
            environment: environment.map(|(name, value)| (name, value.to_owned())).into(),
            port: "FUNCTIONS_CUSTOMHANDLER_PORT",
            call: Call {
                path: self.path,
                headers: headers.to_owned(),
                body: self.body.into(),
                answer: self.answer,
            },
        })
    }
}
