//! The field as processes: simulators that lease work and report it, each with its own certificate, to be killed at any
//! point. One that is killed leaves its leases behind; another takes the work over when they end.

use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{World, end_of};

/// How often a simulator with nothing to do looks for work, milliseconds.
const EVERY: &str = "300";

/// The simulators of a world.
pub struct Field {
    dir: PathBuf,
    url: String,
    log: PathBuf,
    workers: Vec<Option<Child>>,
}

impl Field {
    /// One for each system of the field, at work. The server must be ready.
    pub fn start(world: &World, grpc: SocketAddr) -> Self {
        let dir = world.dir.path().to_owned();
        for (n, system) in world.field.iter().enumerate() {
            std::fs::write(dir.join(format!("field-{n}.pem")), &system.chain_pem).unwrap();
            std::fs::write(dir.join(format!("field-{n}.key")), &system.key_pem).unwrap();
        }
        let url = format!("https://localhost:{}", grpc.port());
        let mut field = Self { log: dir.join("field.log"), dir, url, workers: Vec::new() };
        for n in 0..world.field.len() {
            let worker = field.worker(n);
            field.workers.push(Some(worker));
        }
        field
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.workers.len()
    }

    /// SIGKILL for one, and another process in its place.
    pub fn replace(&mut self, n: usize) {
        self.kill(n);
        self.workers[n] = Some(self.worker(n));
    }

    /// SIGKILL for all.
    pub fn stop(&mut self) {
        for n in 0..self.workers.len() {
            self.kill(n);
        }
    }

    fn kill(&mut self, n: usize) {
        let mut child = self.workers[n].take().unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "a worker ended by itself\n{}", end_of(&self.log));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn worker(&self, n: usize) -> Child {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        Command::new(env!("CARGO_BIN_EXE_eservices-server"))
            .args(["simulate", "--every", EVERY, "--url", &self.url])
            .arg("--ca")
            .arg(self.dir.join("root.pem"))
            .arg("--certificate")
            .arg(self.dir.join(format!("field-{n}.pem")))
            .arg("--key")
            .arg(self.dir.join(format!("field-{n}.key")))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        for mut child in self.workers.iter_mut().filter_map(Option::take) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
