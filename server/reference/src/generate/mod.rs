//! Invented networks of any size, in the true file formats: IPE, structure, lines, national address base, communes, and
//! questions for an address search. The same seed and settings give the same bytes.
//!
//! One commune is in memory at a time, whatever the size of the whole. Persons, managers, streets and buildings are
//! invented; the communes are too unless a file of real ones is given. Knows no reader of these files.

mod ban;
mod config;
mod days;
mod dice;
mod ipe;
mod names;
mod network;
mod people;
mod place;
mod plan;
mod queries;
mod sink;
mod towns;
mod words;
mod zones;

#[cfg(test)]
mod tests;

pub use ban::COLUMNS as BAN_COLUMNS;
pub use config::{Boxes, Buildings, Config, Invalid as InvalidConfig, Pms, States, Streets};
pub use ipe::COLUMNS as IPE_COLUMNS;
pub use queries::COLUMNS as QUERY_COLUMNS;
pub use sink::{Encoding, Packing, Written};
pub use towns::{BUILT_IN, Communes, Invalid as InvalidCommunes};

use self::days::Days;
use self::dice::Dice;
use self::network::Network;
use self::plan::Plan;
use self::sink::Sink;
use crate::structure::{LINE_COLUMNS, STRUCTURE_COLUMNS};
use crate::{LINES_FILE, STRUCTURE_FILE};
use jiff::civil::Date;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file of addresses.
pub const ADDRESSES_FILE: &str = "adresses.csv";
/// Name of the file of streets.
pub const STREETS_FILE: &str = "adresses.ndjson";
/// Name of the copy of the communes.
pub const COMMUNES_FILE: &str = "communes.csv";
/// Name of the file of questions.
pub const QUERIES_FILE: &str = "queries.txt";
/// The most premises that one commune takes: its identifiers have four places.
pub const MOST_PER_COMMUNE: u64 = 1_600_000;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Order {
    /// Homes and business premises, all communes together; they go by population.
    pub premises: u64,
    /// Another one gives another network.
    pub seed: u64,
    /// The day of the IPE file: every date is counted from it.
    pub day: Date,
    /// Questions for an address search; small communes may give a few less.
    pub queries: u64,
    /// Write [`STREETS_FILE`] too.
    pub ndjson: bool,
    /// Encoding of the IPE file; the others are UTF-8.
    pub encoding: Encoding,
    /// Packing of the IPE file; gzip goes for the files of addresses and streets too.
    pub packing: Packing,
    /// Replace files that are there.
    pub force: bool,
    /// Shares and sizes.
    pub config: Config,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Communes that got premises.
    pub communes: u64,
    /// Streets, those without numbers included.
    pub streets: u64,
    /// Buildings, each with its identifier.
    pub buildings: u64,
    /// Homes and business premises.
    pub premises: u64,
    /// Concentration points.
    pub pms: u64,
    /// Files, in the order of writing.
    pub files: Vec<Written>,
}

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of that name is there.
    #[error("{}: exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Writing failed.
    #[error("{}: cannot write: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A commune would get more than [`MOST_PER_COMMUNE`].
    #[error(
        "commune {insee} would get {premises} premises, more than {MOST_PER_COMMUNE}: take fewer, or a list of more communes"
    )]
    TooMany {
        /// The commune.
        insee: String,
        /// Its share.
        premises: u64,
    },
    /// The calendar ends near that day.
    #[error("{day} is too near to the end of the calendar")]
    Day {
        /// The day.
        day: Date,
    },
}

impl Error {
    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }
}

/// Writes the files into `folder`, which is made where it is not there. `progress` hears how many premises are done.
///
/// # Errors
/// A file is there or cannot be written, or a commune gets too many premises. No file takes its name before the
/// last row of all is written.
pub fn generate(
    order: &Order,
    communes: &Communes,
    folder: &Path,
    mut progress: impl FnMut(u64),
) -> Result<Summary, Error> {
    let days = Days::around(order.day).ok_or(Error::Day { day: order.day })?;
    let shares = shares(communes, order)?;
    std::fs::create_dir_all(folder).map_err(|source| Error::write(folder, source))?;
    let mut files = Files::create(order, folder)?;
    files.copy(communes)?;
    let mut summary = Summary::default();
    for (town, share) in communes.towns.iter().zip(shares) {
        if share.premises == 0 {
            continue;
        }
        let insee = town.commune.insee.as_str();
        let mut dice = Dice::new(order.seed, "plan", insee);
        let mut plan = plan::plan(town, share.premises, &order.config, &mut dice);
        zones::serve(&mut plan, &order.config, &days, &mut dice);
        files.write(&plan, &days, order, &share)?;
        summary.communes += 1;
        summary.streets += plan.streets.len() as u64;
        summary.buildings += plan.addresses.len() as u64;
        summary.premises += u64::from(share.premises);
        summary.pms += plan.zones.iter().filter(|zone| zone.pm.is_some()).count() as u64;
        progress(summary.premises);
    }
    summary.files = files.finish()?;
    Ok(summary)
}

/// What one commune gets.
struct Share {
    premises: u32,
    /// Its questions, as a range of the whole file's.
    queries: std::ops::Range<u64>,
}

/// Premises by population; the rounding of one commune is made good by the next, so that the sum is right.
fn shares(communes: &Communes, order: &Order) -> Result<Vec<Share>, Error> {
    let total: u64 = communes.towns.iter().map(|town| u64::from(town.commune.population)).sum();
    let part = |of: u64, people: u64, total: u64| {
        u64::try_from(u128::from(of) * u128::from(people) / u128::from(total.max(1))).unwrap_or(of)
    };
    let (mut people, mut done) = (0, 0);
    let mut shares = Vec::with_capacity(communes.towns.len());
    for town in &communes.towns {
        people += u64::from(town.commune.population);
        let until = part(order.premises, people, total);
        let premises = until - done;
        let too_many = || Error::TooMany { insee: town.commune.insee.to_string(), premises };
        if premises > MOST_PER_COMMUNE {
            return Err(too_many());
        }
        let queries = part(order.queries, done, order.premises)..part(order.queries, until, order.premises);
        shares.push(Share { premises: u32::try_from(premises).map_err(|_| too_many())?, queries });
        done = until;
    }
    Ok(shares)
}

/// The files on their way.
struct Files {
    communes: Sink,
    ipe: Sink,
    network: Network,
    addresses: Sink,
    streets: Option<Sink>,
    queries: Option<Sink>,
}

impl Files {
    fn create(order: &Order, folder: &Path) -> Result<Self, Error> {
        let plain = |name: &str, columns: &[&str]| {
            let mut sink = Sink::create(folder, name, Encoding::Utf8, Packing::None, order.force)?;
            if !columns.is_empty() {
                sink.header(columns);
            }
            Ok(sink)
        };
        let packing = if order.packing == Packing::Gzip { Packing::Gzip } else { Packing::None };
        let packed = |name: &str| Sink::create(folder, name, Encoding::Utf8, packing, order.force);
        let name = format!("GENERE_00_ESVC_PM_IPEZMD_V30_{}.csv", order.day.strftime("%Y%m%d"));
        let mut ipe = Sink::create(folder, &name, order.encoding, order.packing, order.force)?;
        ipe.header(IPE_COLUMNS);
        let mut addresses = packed(ADDRESSES_FILE)?;
        addresses.header(BAN_COLUMNS);
        Ok(Self {
            communes: plain(COMMUNES_FILE, &[])?,
            ipe,
            network: Network {
                structure: plain(STRUCTURE_FILE, STRUCTURE_COLUMNS)?,
                lines: plain(LINES_FILE, LINE_COLUMNS)?,
                sockets: 0,
                seed: order.seed,
            },
            addresses,
            streets: order.ndjson.then(|| packed(STREETS_FILE)).transpose()?,
            queries: (order.queries > 0).then(|| plain(QUERIES_FILE, QUERY_COLUMNS)).transpose()?,
        })
    }

    /// The communes as they were read.
    fn copy(&mut self, communes: &Communes) -> Result<(), Error> {
        let mut lines = communes.text.lines();
        self.communes.header(&[lines.next().unwrap_or_default()]);
        for line in lines {
            self.communes.text += line;
            self.communes.end_row()?;
        }
        Ok(())
    }

    fn write(&mut self, plan: &Plan<'_>, days: &Days, order: &Order, share: &Share) -> Result<(), Error> {
        let dice = |purpose| Dice::new(order.seed, purpose, plan.town.commune.insee.as_str());
        ipe::write(plan, days, &mut self.ipe)?;
        self.network.write(plan, &order.config, &mut dice("network"))?;
        ban::write_csv(plan, &mut self.addresses)?;
        if let Some(out) = &mut self.streets {
            ban::write_ndjson(plan, out)?;
        }
        if let Some(out) = &mut self.queries {
            let std::ops::Range { start, end } = share.queries;
            queries::write(plan, start, end, &mut dice("queries"), out)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Written>, Error> {
        let Self { communes, ipe, network, addresses, streets, queries } = self;
        let always = [communes, ipe, network.structure, network.lines, addresses];
        always.into_iter().chain(streets).chain(queries).map(Sink::finish).collect()
    }
}
