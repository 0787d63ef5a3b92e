//! What the command prints: for a person, or as JSON for a machine; colours and progress only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::fail;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    to: Stream,
    colour_out: bool,
    colour_err: bool,
    progress: bool,
}

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// A colour of the terminal's palette.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Paint {
    Dim,
    Bold,
    Red,
    Green,
    Yellow,
    Blue,
}

impl Output {
    pub(crate) fn new(json: bool, colour: Colour) -> Self {
        let quiet = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = |terminal: bool| match colour {
            Colour::Auto => terminal && !quiet,
            Colour::Always => true,
            Colour::Never => false,
        };
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            json,
            to: Stream::Out,
            colour_out: colours(out),
            colour_err: colours(err),
            progress: err && !json,
        }
    }

    /// Makes miette draw as this output wants it.
    pub(crate) fn install_report_hook(self) {
        let hook = miette::set_hook(Box::new(move |_| {
            let mut options = miette::MietteHandlerOpts::new()
                .color(self.colour_err)
                .context_lines(1);
            if !self.colour_err {
                options = options.unicode(false);
            }
            Box::new(options.build())
        }));
        // It can only have been set before by ourselves; then nothing is lost.
        drop(hook);
    }

    /// The same, but on standard error: for what happens beside the command's own answer.
    pub(crate) fn on_stderr(self) -> Self {
        Self {
            to: Stream::Err,
            colour_out: self.colour_err,
            ..self
        }
    }

    /// Whether standard output has colours.
    #[cfg(feature = "conformance")]
    pub(crate) fn colour_out(self) -> bool {
        self.colour_out
    }

    /// Whether standard error has colours.
    pub(crate) fn colour_err(self) -> bool {
        self.colour_err
    }

    /// Prints an error and gives its exit code.
    pub(crate) fn fail(self, report: &miette::Report) -> ExitCode {
        if self.json {
            let help = report.help().map(|help| help.to_string());
            self.line(&serde_json::json!({ "error": format!("{report}"), "help": help, "detail": format!("{report:?}") }));
        } else {
            eprintln!("{report:?}");
        }
        fail::exit_code(report)
    }

    /// One JSON document on a line of standard output.
    pub(crate) fn line<T: Serialize + ?Sized>(self, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.print(&text);
        }
    }

    /// One line on standard output.
    pub(crate) fn print(self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Whole lines on standard output, as [`bytes`](Self::bytes).
    pub(crate) fn write(self, lines: &str) {
        self.bytes(lines.as_bytes());
    }

    /// Bytes on standard output. A reader who has gone, as `head` does, is no error of ours and ends the command quietly; anything else, such as a
    /// full disk, ends it with exit code 1.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let written = match self.to {
            Stream::Out => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stream::Err => std::io::stderr().write_all(bytes),
        };
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                // Standard error may be full as well: then there is nobody left to tell.
                let _ = writeln!(std::io::stderr(), "error: the output cannot be written: {error}");
                std::process::exit(1);
            }
        }
    }

    /// Text in a colour, if standard output has colours.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour_out {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Dim => 2,
            Paint::Bold => 1,
            Paint::Red => 31,
            Paint::Green => 32,
            Paint::Yellow => 33,
            Paint::Blue => 34,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A spinner for work of unknown length; hidden where standard error is no terminal.
    pub(crate) fn spinner(self, text: &str) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner().with_message(text.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        bar
    }

    /// A bar for so many steps of work, each of which says what it is; hidden where standard error is no terminal.
    #[cfg(feature = "conformance")]
    pub(crate) fn steps(self, steps: u64) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let template = "{prefix} {wide_bar} {pos}/{len} {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(steps).with_style(style)
    }

    /// A bar for `bytes` of work; hidden where standard error is no terminal.
    pub(crate) fn progress(self, text: &str, bytes: u64) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(bytes)
            .with_message(text.to_owned())
            .with_style(style)
    }
}

/// A size as people read it (`1.5 MiB`).
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut unit = 0;
    let mut whole = bytes;
    let mut tenths = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = (whole % 1024) * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenths} {}", UNITS[unit])
    }
}

/// A duration as people read it (`1.3 ms`).
pub(crate) fn duration(time: std::time::Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..=999 => format!("{micros} µs"),
        1_000..=999_999 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_well() {
        assert_eq!(
            [size(0), size(1023), size(1536), size(300 << 20)],
            ["0 B", "1023 B", "1.5 KiB", "300 MiB"]
        );
        let of = |micros| duration(std::time::Duration::from_micros(micros));
        assert_eq!([of(7), of(1_300), of(61_250_000)], ["7 µs", "1.3 ms", "61.25 s"]);
    }
}
