//! The server that is tried: a process of its own, so that what it costs can be told from what
//! trying it costs.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::connection::Node;
use crate::simulation::Failure;

/// How long it may take to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ticks of `/proc/PID/stat` a second: Linux gives them in hundredths whatever its own clock.
const TICKS: f64 = 100.0;

/// A server of ours; killed when dropped.
pub(super) struct Server {
    child: Child,
    /// Where it listens.
    pub(super) node: Node,
    log: PathBuf,
    // Kept, for whoever writes to a closed pipe is ended.
    _out: BufReader<ChildStdout>,
}

/// What a process took so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Took {
    /// Seconds of processor time.
    pub(super) cpu_s: f64,
    /// The most memory it had.
    pub(super) rss_peak_bytes: u64,
}

impl Server {
    /// Starts `swabline serve`, this very program, on a free port.
    pub(super) fn start(
        data: &Path,
        database: Option<&str>,
        redis: Option<&str>,
    ) -> Result<Self, Failure> {
        let failed =
            |what: &str, error: &dyn std::fmt::Display| Failure::Server(format!("{what}: {error}"));
        let program = std::env::current_exe().map_err(|error| failed("this program", &error))?;
        let log = data.join("server.log");
        let errors = fs::File::create(&log).map_err(|error| failed("its log", &error))?;
        let mut command = Command::new(program);
        command.arg("--data").arg(data);
        if let Some(database) = database {
            command.args(["--database", database]);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        // The day's kit is invented, and so is everybody who is told a result by it.
        command.env("SWABLINE_DEMONSTRATION_KITS", "true");
        if let Some(redis) = redis {
            command.env("SWABLINE_REDIS", redis);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(|error| failed("it cannot start", &error))?;
        let mut out = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut said = String::new();
        let read = out.read_line(&mut said);
        let url = said.split_whitespace().find(|word| word.starts_with("http://"));
        if let (Ok(_), Some(url)) = (read, url) {
            return Ok(Self { child, node: Node::at(url)?, log, _out: out });
        }
        child.kill().ok();
        child.wait().ok();
        let why = fs::read_to_string(&log).unwrap_or_default();
        Err(Failure::Server(why.lines().last().unwrap_or("it said nothing").to_owned()))
    }

    /// What it took so far; none where the system does not tell.
    pub(super) fn took(&self) -> Option<Took> {
        taken_by(self.child.id())
    }

    /// Stops it as an operator would, and waits until it has closed its store.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let since = Instant::now();
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success) {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    let log = self.log.display();
                    return Err(Failure::Server(format!("it ended with {status}; see {log}")));
                }
                Ok(None) if since.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(None) | Err(_) => break,
            }
        }
        Err(Failure::Server("it did not stop when it was asked to".to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended long ago.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a process took so far; none where the system does not tell.
pub(super) fn taken_by(process: u32) -> Option<Took> {
    let of = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
    took(&of("stat")?, &of("status")?)
}

/// Reads `/proc/PID/stat` and `/proc/PID/status` (proc(5)).
fn took(stat: &str, status: &str) -> Option<Took> {
    // The name in the second field may hold anything; what follows its bracket is plain.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Took { cpu_s: f64::from(ticks) / TICKS, rss_peak_bytes: kilobytes * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_took_is_read_whatever_it_is_called() {
        let stat = "42 (swab line) S) S 1 42 42 0 -1 4194560 5 0 0 0 250 75 0 0 20 0 9 0 1 2 3";
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t  512 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(took(stat, status), Some(Took { cpu_s: 3.25, rss_peak_bytes: 524_288 }));
        assert_eq!(took("", status), None);
        assert_eq!(took(stat, "Name:\tx\n"), None);
    }
}
