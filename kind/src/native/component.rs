//! The programs that make up a node: starts them, reaps every process that ends, and says which part ended. Restarts
//! none: a part that ends is a fault to look at, not to cover up.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::sync::mpsc;

use crate::command;
use crate::state::Home;

/// A program of the node and what it is told.
#[derive(Debug)]
pub(super) struct Component {
    /// Its name, and that of its log.
    pub name: &'static str,
    /// Where it is.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A part that ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which one.
    pub name: &'static str,
    /// How.
    pub status: String,
}

/// Starts parts and learns of their end.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    running: Arc<Mutex<HashMap<Pid, &'static str>>>,
}

impl Parts {
    /// Starts a part; what it says goes to its log.
    ///
    /// # Errors
    /// When the program cannot start.
    pub(super) fn start(&self, home: &Home, component: &Component) -> Result<()> {
        let path = home.log(component.name);
        let log = File::options().create(true).append(true).open(&path)?;
        // Held over the start, so that a part that ends at once is known when it is reaped.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let child = Command::new(&component.program)
            .args(&component.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", component.program.display()))?;
        running.insert(Pid::from_raw(i32::try_from(child.id())?), component.name);
        Ok(())
    }

    /// Reaps from now on whatever ends. Process 1 of a namespace inherits every orphan in it, so one place has to wait
    /// for all of them, and nothing else in the process may wait for a child.
    pub(super) fn reap(&self) -> mpsc::UnboundedReceiver<Ended> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let running = Arc::clone(&self.running);
        std::thread::spawn(move || {
            while !sender.is_closed() {
                match waitpid(None, None) {
                    Ok(status) => report(&running, status, &sender),
                    // No child at this moment: the first is about to be started.
                    Err(_) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        receiver
    }
}

/// Why a part ended, with the end of its log.
pub(super) fn obituary(home: &Home, ended: &Ended) -> String {
    let log = home.log(ended.name);
    let last_words = command::tail(&String::from_utf8_lossy(
        &std::fs::read(&log).unwrap_or_default(),
    ));
    format!(
        "{} ended ({}). The end of {}:\n{last_words}",
        ended.name,
        ended.status,
        log.display()
    )
}

fn report(
    running: &Mutex<HashMap<Pid, &'static str>>,
    status: WaitStatus,
    sender: &mpsc::UnboundedSender<Ended>,
) {
    let (pid, how) = match status {
        WaitStatus::Exited(pid, code) => (pid, format!("exit code {code}")),
        WaitStatus::Signaled(pid, signal, _) => (pid, format!("{signal}")),
        _ => return,
    };
    let name = running
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&pid);
    if let Some(name) = name {
        // Nobody listens any more only when the node is ending anyway.
        let _ = sender.send(Ended { name, status: how });
    }
}
