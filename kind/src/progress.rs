//! Shows on the standard error what is being done and how long it took: one line per part, and on a terminal a last line
//! that keeps changing. Knows nothing of clusters.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the changing line is drawn anew.
const FRAME: Duration = Duration::from_millis(200);

/// A run made of parts, several of which may go on at once.
#[derive(Clone, Debug)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    terminal: bool,
    started: Instant,
    running: Mutex<Vec<Running>>,
}

/// A part that goes on.
#[derive(Debug)]
struct Running {
    name: String,
    started: Instant,
    /// How long it may take, in minutes; 0 for what is not worth saying.
    minutes: u64,
}

/// One part. Dropped without [`Part::done`] it is shown as not finished.
#[derive(Debug)]
pub struct Part {
    shared: Arc<Shared>,
    name: String,
    started: Instant,
    finished: bool,
}

impl Progress {
    /// A new run, which begins now.
    #[must_use]
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let shared = Arc::new(Shared {
            terminal,
            started: Instant::now(),
            running: Mutex::default(),
        });
        if terminal {
            let weak = Arc::downgrade(&shared);
            // Ends by itself: the run drops the last strong reference.
            std::thread::spawn(move || {
                while let Some(shared) = weak.upgrade() {
                    shared.draw();
                    drop(shared);
                    std::thread::sleep(FRAME);
                }
            });
        }
        Self { shared }
    }

    /// Begins a part.
    #[must_use]
    pub fn part(&self, name: impl Into<String>) -> Part {
        self.long_part(name, 0)
    }

    /// Begins a part that may take minutes, and says how many: who waits wants to know.
    #[must_use]
    pub fn long_part(&self, name: impl Into<String>, minutes: u64) -> Part {
        let (name, started) = (name.into(), Instant::now());
        if minutes > 0 && !self.shared.terminal {
            self.shared
                .line(&format!("{name}: about {minutes} min of work"));
        }
        self.shared.running().push(Running {
            name: name.clone(),
            started,
            minutes,
        });
        self.shared.draw();
        Part {
            shared: Arc::clone(&self.shared),
            name,
            started,
            finished: false,
        }
    }

    /// Writes a line between the parts.
    pub fn say(&self, line: &str) {
        self.shared.line(line);
    }

    /// Since when the run goes on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.started.elapsed()
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Part {
    /// Ends the part with a word on what came of it, which may be empty.
    pub fn done(mut self, note: &str) {
        self.finished = true;
        self.shared.forget(&self.name);
        let note = if note.is_empty() {
            String::new()
        } else {
            format!("  {note}")
        };
        self.shared.line(&format!(
            "{:<28}{:>8}{note}",
            self.name,
            seconds(self.started.elapsed())
        ));
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.forget(&self.name);
            self.shared.line(&format!(
                "{:<28}{:>8}  not finished",
                self.name,
                seconds(self.started.elapsed())
            ));
        }
    }
}

impl Shared {
    fn running(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, name: &str) {
        self.running().retain(|it| it.name != name);
    }

    /// The changing line: what goes on now. The cursor stays on it, so that the next line overwrites it.
    fn draw(&self) {
        if !self.terminal {
            return;
        }
        let running = self.running();
        let parts: Vec<String> = running
            .iter()
            .map(|it| {
                let of = match it.minutes {
                    0 => String::new(),
                    minutes => format!(" of {minutes} min"),
                };
                format!("{} {}{of}", it.name, seconds(it.started.elapsed()))
            })
            .collect();
        // A display that cannot be written is no reason to fail.
        let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{}", parts.join(" · "));
    }

    fn line(&self, line: &str) {
        let erase = if self.terminal { "\r\x1b[2K" } else { "" };
        let _ = writeln!(std::io::stderr().lock(), "{erase}{line}");
        self.draw();
    }
}

/// A time as people read it.
#[must_use]
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
