//! The three servers in turns, A B C A B C: what a request costs each, and the ratios within one round.

use std::{fs, path::Path, sync::Arc, time::Duration};

use eservices::eligibility::v1::{CheckEligibilityRequest, check_eligibility_request::Key};
use prost::Message as _;

use crate::{
    Failure, echo,
    load::{self, Question, Wire},
    process::{self, Served},
    report::{Figure, Measured, Memory, Ratio, Report, Row, Spread, median},
    world,
};

/// How to measure.
#[derive(Debug)]
pub struct Plan {
    /// One measurement.
    pub window: Duration,
    /// Rounds.
    pub rounds: u64,
    /// Connections.
    pub connections: u64,
    /// Calls at once on each.
    pub streams: u64,
}

/// The method that is measured.
const METHOD: &str = "/eservices.eligibility.v1.EligibilityService/CheckEligibility";

/// The building that is asked about.
const IMB: &str = "IMB/77058/X/0218";

/// What is asked: name, title, offers (none: all of the catalogue).
const QUESTIONS: [(&str, &str, &[&str]); 2] = [
    ("Full", "eligibility by IMB, all offers", &[]),
    ("JustFibre", "eligibility by IMB, JUST_FIBRE only", &["JUST_FIBRE"]),
];

/// The child commands, the whole stack first.
const SERVERS: [(&str, &str); 3] = [
    ("child-eligibility", "whole stack"),
    ("child-echo-own", "echo, own loop"),
    ("child-echo-tonic", "echo, tonic default"),
];

const WARM_UP: Duration = Duration::from_secs(2);

struct Asked {
    name: &'static str,
    title: &'static str,
    message: Vec<u8>,
    answer_bytes: usize,
}

/// A server with its connections.
struct Target {
    served: Served,
    wires: Vec<Wire>,
    whole: bool,
}

impl Target {
    async fn start(number: usize, folder: &Path, plan: &Plan) -> Result<Self, Failure> {
        let served = Served::start(SERVERS[number].0, folder).await?;
        let tls = Arc::new(world::client(folder)?);
        let mut wires = Vec::new();
        for _ in 0..plan.connections {
            wires.push(Wire::open(served.port, &tls).await?);
        }
        Ok(Self { served, wires, whole: number == 0 })
    }

    fn question(&self, asked: &Asked) -> Result<Question, Failure> {
        let path = if self.whole { METHOD.to_owned() } else { echo::path(asked.name) };
        Question::new(&path, &asked.message)
    }

    async fn measure(&self, asked: &Asked, plan: &Plan, window: Duration) -> Result<Measured, Failure> {
        let question = self.question(asked)?;
        let (child, own) = (self.served.id()?, std::process::id());
        let before = (process::cpu(child)?, process::cpu(own)?, process::machine_cpu()?);
        let seen = load::run(&self.wires, plan.streams, &question, asked.answer_bytes, window).await?;
        let spent = process::cpu(child)?.saturating_sub(before.0);
        let ours = spent + process::cpu(own)?.saturating_sub(before.1);
        let others = process::machine_cpu()?.saturating_sub(before.2).saturating_sub(ours);
        let elapsed = seen.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let requests = seen.micros.len() as f64;
        Ok(Measured {
            requests: seen.micros.len(),
            cpu_micros: spent.as_secs_f64() * 1e6 / requests.max(1.0),
            per_second: requests / elapsed,
            p50_micros: seen.quantile(0.5).into(),
            p99_micros: seen.quantile(0.99).into(),
            others_cores: others.as_secs_f64() / elapsed,
        })
    }
}

/// Starts the servers and measures them in turns.
pub async fn measure(plan: &Plan) -> Result<Report, Failure> {
    let folder = tempfile::tempdir()?;
    world::make(folder.path()).await?;
    let whole = Target::start(0, folder.path(), plan).await?;
    let asked = answers(&whole, folder.path()).await?;
    let own = Target::start(1, folder.path(), plan).await?;
    let default = Target::start(2, folder.path(), plan).await?;
    let targets = [whole, own, default];
    for target in &targets {
        for question in &asked {
            target.measure(question, plan, WARM_UP).await?;
        }
    }
    let whole_id = targets[0].served.id()?;
    let warm = process::memory_kib(whole_id, "VmRSS")?;
    let mut runs: Vec<[Vec<Measured>; 3]> = asked.iter().map(|_| Default::default()).collect();
    for round in 1..=plan.rounds {
        for (question, runs) in asked.iter().zip(&mut runs) {
            for (target, runs) in targets.iter().zip(runs) {
                runs.push(target.measure(question, plan, plan.window).await?);
            }
        }
        eprintln!("round {round} of {}", plan.rounds);
    }
    let memory = Memory {
        requests: runs.iter().flat_map(|r| &r[0]).map(|m| m.requests).sum(),
        resident_before_kib: warm,
        resident_after_kib: process::memory_kib(whole_id, "VmRSS")?,
    };
    let figures = asked.iter().zip(&runs).map(|(question, runs)| figure(question, runs)).collect();
    let settings = format!(
        "{} rounds of {} s, {} connections × {} streams, TLS 1.3 mutual, client and server on this machine",
        plan.rounds,
        plan.window.as_secs(),
        plan.connections,
        plan.streams
    );
    Ok(Report { settings: Some(settings), figures, memory: Some(memory), ..Report::here() })
}

/// Asks the whole stack, and leaves its answers for the echoes.
async fn answers(whole: &Target, folder: &Path) -> Result<Vec<Asked>, Failure> {
    let mut wire = whole.wires.first().ok_or("no connection")?.clone();
    fs::create_dir(folder.join("answers"))?;
    let mut all = Vec::new();
    for (name, title, offers) in QUESTIONS {
        let request = CheckEligibilityRequest {
            key: Some(Key::Imb(IMB.into())),
            offer_codes: offers.iter().map(|o| (*o).to_owned()).collect(),
            ..Default::default()
        };
        let message = request.encode_to_vec();
        let answer = wire.ask(&Question::new(METHOD, &message)?).await?;
        fs::write(folder.join("answers").join(name), &answer)?;
        all.push(Asked { name, title, message, answer_bytes: answer.len() });
    }
    Ok(all)
}

fn figure(asked: &Asked, runs: &[Vec<Measured>; 3]) -> Figure {
    let row = |(server, runs): ((&str, &'static str), &Vec<Measured>)| {
        let middle = |of: fn(&Measured) -> f64| median(&runs.iter().map(of).collect::<Vec<_>>());
        Row {
            server: server.1,
            cpu_micros: middle(|m| m.cpu_micros),
            per_second: middle(|m| m.per_second),
            p50_micros: middle(|m| m.p50_micros),
            p99_micros: middle(|m| m.p99_micros),
            others_cores: middle(|m| m.others_cores),
        }
    };
    let ratio = |other: usize| {
        let pairs = || runs[0].iter().zip(&runs[other]);
        Ratio {
            to: SERVERS[other].1,
            cpu: Spread::of(&pairs().map(|(a, b)| a.cpu_micros / b.cpu_micros).collect::<Vec<_>>()),
            throughput: Spread::of(&pairs().map(|(a, b)| a.per_second / b.per_second).collect::<Vec<_>>()),
        }
    };
    Figure {
        question: asked.title,
        question_bytes: asked.message.len(),
        answer_bytes: asked.answer_bytes,
        servers: SERVERS.into_iter().zip(runs).map(row).collect(),
        ratios: vec![ratio(1), ratio(2)],
        rounds: runs.iter().map(|r| r.iter().map(|m| m.cpu_micros).collect()).collect(),
    }
}
