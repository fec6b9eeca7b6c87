//! Progress on standard error, when it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use wavefold::prelude::{Apply, PerformanceSummary};

use crate::error::Result;

/// A line that says which run is under way and how far it is.
pub struct Progress(ProgressBar);

impl Progress {
    /// Invisible unless standard error is a terminal.
    pub fn new() -> Progress {
        let bar = ProgressBar::new(1);
        if let Ok(style) = ProgressStyle::with_template("{msg:24} {bar:32} {pos}/{len} steps") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Runs, and shows the steps.
    pub fn run(&self, what: &str, apply: Apply<'_>) -> Result<PerformanceSummary> {
        if self.0.is_hidden() {
            return Ok(apply.run()?);
        }
        self.0.reset();
        self.0.set_message(what.to_string());
        let tell = |done: u64, total: u64| {
            self.0.set_length(total);
            self.0.set_position(done);
        };
        Ok(apply.progress(&tell).run()?)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
