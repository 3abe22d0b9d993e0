//! Child processes, and what the kernel counts of them (Linux: `/proc`).

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::Failure;

/// The kernel counts CPU time for users in hundredths of a second on every architecture that we build for.
const TICK: Duration = Duration::from_millis(10);

/// What a child gets to say its port.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of this executable; killed when dropped.
pub struct Served {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Served {
    /// Starts this executable again with one of the child commands; what it logs goes into the folder.
    pub async fn start(command: &str, folder: &Path) -> Result<Self, Failure> {
        let log = folder.join(format!("{command}.log"));
        let mut child = Command::new(std::env::current_exe()?)
            .arg(command)
            .arg("--folder")
            .arg(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().ok_or("a child without standard output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(out).read_line(&mut line)).await??;
        let port = line.trim().parse().map_err(|_| {
            format!("{command} did not start: {}", fs::read_to_string(&log).unwrap_or_default().trim())
        })?;
        Ok(Self { child, port })
    }

    /// Ends it, and waits until it is gone.
    pub async fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> Result<u32, Failure> {
        self.child.id().ok_or_else(|| "a server ended too early".into())
    }
}

/// User and system time of a process so far, all its threads.
pub fn cpu(id: u32) -> Result<Duration, Failure> {
    let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name may hold blanks; what follows its bracket does not. utime and stime are fields 14 and 15 of the line.
    let (_, after) = text.rsplit_once(')').ok_or("/proc/<pid>/stat: no name")?;
    let mut fields = after.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|f| f.parse::<u32>().ok()).ok_or("/proc/<pid>/stat: no times");
    Ok(TICK * ticks()? + TICK * ticks()?)
}

/// CPU time of the whole machine so far: all but idle and waiting for disks, time stolen by the host included.
pub fn machine_cpu() -> Result<Duration, Failure> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().ok_or("/proc/stat is empty")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|f| f.parse().ok()).collect();
    let [user, nice, system, _idle, _waiting, irq, softirq, steal] = ticks[..] else {
        return Err("/proc/stat: expected eight times".into());
    };
    Ok(Duration::from_millis(10 * (user + nice + system + irq + softirq + steal)))
}

/// A figure of `/proc/<pid>/status` in KiB, for instance `VmRSS`.
pub fn memory_kib(id: u32, name: &str) -> Result<u64, Failure> {
    let text = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    let figure = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    figure.ok_or_else(|| format!("/proc/<pid>/status: no {name}").into())
}
