//! The structure and line files of a commune: floors, the boxes that feed them, and the sockets that are there.
//!
//! A box never has more lines than fibres. Does not know the IPE file.

use super::Error;
use super::config::{Boxes, Config};
use super::dice::Dice;
use super::plan::{Address, Plan, base36};
use super::sink::Sink;
use crate::building::{Kind, PmState, State};
use crate::structure::NA;
use deunicode::deunicode;
use std::fmt::Write as _;

/// Boxes outside: kind, and the works from there to the socket. In the order of [`Boxes::weights`].
pub(super) const OUTSIDE: [(&str, &str); 3] =
    [("CH:EN CHAMBRE", "SOUTERRAIN"), ("PO:SUR POTEAU", "AERIEN"), ("FA:EN FACADE", "FACADE")];
/// Boxes in the building.
pub(super) const INSIDE: (&str, &str) = ("GT:GAINE TECHNIQUE", "IMMEUBLE");

/// Homes behind a box in a building.
const BOX_HOMES: u32 = 12;
const SIZES: [u32; 5] = [6, 8, 12, 24, 48];
/// Sockets of all France have room: 36 ^ 8.
const SOCKETS: u64 = 2_821_109_907_456;

/// Where the files of the network go, and what all communes share.
pub(super) struct Network {
    pub structure: Sink,
    pub lines: Sink,
    /// Sockets so far.
    pub sockets: u64,
    pub seed: u64,
}

/// A place that a box feeds.
struct Fed {
    address: usize,
    batiment: String,
    escalier: String,
    etage: String,
    homes: u32,
}

/// Kind of box and works of a building that is deployed.
pub(super) fn box_kind(plan: &Plan<'_>, address: &Address) -> (&'static str, &'static str) {
    if address.from_outside { OUTSIDE[plan.street(address).outside] } else { INSIDE }
}

/// Name of a *bâtiment*; none when the address has but one.
pub(super) fn batiment(address: &Address, order: u8) -> Option<char> {
    (address.batiments > 0).then(|| char::from(b'A' + order))
}

/// Part `order` of `total`, split into `parts` as evenly as it goes, the larger ones first.
pub(super) fn share(total: u32, parts: u32, order: u32) -> u32 {
    total / parts + u32::from(order < total % parts)
}

impl Network {
    /// Writes the network of a commune.
    pub fn write(&mut self, plan: &Plan<'_>, config: &Config, dice: &mut Dice) -> Result<(), Error> {
        let mut boxes = 0;
        let mut houses: Vec<Fed> = Vec::new();
        let mut room = 0;
        for (place, address) in plan.addresses.iter().enumerate() {
            let stands = plan.zones[address.zone as usize].state() == Some(PmState::Deployed);
            if !stands || address.state != State::Deployed || !address.structure {
                continue;
            }
            if address.kind == Kind::Block {
                self.block(plan, place, &mut boxes, config, dice)?;
                continue;
            }
            let other = houses.last().is_some_and(|last| {
                let last = &plan.addresses[last.address];
                (last.street, last.zone) != (address.street, address.zone)
            });
            if other || houses.len() >= room {
                self.feed(plan, &houses, &mut boxes, &config.boxes, dice)?;
                houses.clear();
                room = 3 + dice.below(6);
            }
            let na = || NA.to_owned();
            houses.push(Fed {
                address: place,
                batiment: na(),
                escalier: na(),
                etage: na(),
                homes: address.housings,
            });
        }
        self.feed(plan, &houses, &mut boxes, &config.boxes, dice)
    }

    fn block(
        &mut self,
        plan: &Plan<'_>,
        place: usize,
        boxes: &mut u32,
        config: &Config,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let address = &plan.addresses[place];
        let batiments = u32::from(address.batiments.max(1));
        for order in 0..batiments {
            let homes = share(address.housings, batiments, order);
            let staircases = 1 + u32::from(homes >= 24) + u32::from(homes >= 48);
            for staircase in 0..staircases {
                let homes = share(homes, staircases, staircase);
                let floors = homes.div_ceil(4).clamp(homes.min(2), 12);
                let mut fed: Vec<Fed> = Vec::new();
                for floor in 0..floors {
                    let homes = share(homes, floors, floor);
                    if fed.iter().map(|fed| fed.homes).sum::<u32>() + homes > BOX_HOMES {
                        self.feed(plan, &fed, boxes, &config.boxes, dice)?;
                        fed.clear();
                    }
                    let escalier = char::from(b'A' + staircase as u8);
                    fed.push(Fed {
                        address: place,
                        batiment: batiment(address, order as u8).map_or(NA.to_owned(), String::from),
                        escalier: if staircases > 1 { escalier.to_string() } else { NA.to_owned() },
                        etage: if floor == 0 { "RDC".to_owned() } else { floor.to_string() },
                        homes,
                    });
                }
                self.feed(plan, &fed, boxes, &config.boxes, dice)?;
            }
        }
        Ok(())
    }

    /// Writes one box with the places that it feeds and their lines.
    fn feed(
        &mut self,
        plan: &Plan<'_>,
        fed: &[Fed],
        boxes: &mut u32,
        config: &Boxes,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let Some(first) = fed.first() else { return Ok(()) };
        let address = &plan.addresses[first.address];
        let Some(pm) = plan.zones[address.zone as usize].pm.as_ref() else { return Ok(()) };
        *boxes += 1;
        let name = format!("PT {:06}", *boxes % 1_000_000);
        let homes: u32 = fed.iter().map(|fed| fed.homes).sum();
        let mut lines: Vec<u32> = fed
            .iter()
            .map(|fed| (0..fed.homes).filter(|_| dice.chance(config.sockets)).count() as u32)
            .collect();
        let saturated = dice.chance(config.saturated);
        if saturated && lines.iter().all(|lines| *lines == 0) {
            lines[0] = 1;
        }
        let roomy = homes + homes.div_ceil(5);
        let fibres = match saturated {
            true => lines.iter().sum(),
            false => SIZES.iter().copied().find(|size| *size >= roomy).unwrap_or(roomy),
        };
        let fibres = if dice.chance(config.size_unknown) { String::new() } else { fibres.to_string() };
        let (kind, _) = box_kind(plan, address);
        let location = if address.from_outside {
            let street = plan.street(address);
            let number = if street.numbered { format!(" {}", address.number) } else { String::new() };
            format!("DEVANT LE{number} {}", street.name.shown().to_uppercase())
        } else {
            format!("PALIER ETAGE {}", first.etage)
        };
        let commune = &plan.town.commune;
        let site: String = deunicode(&commune.name)
            .chars()
            .filter(char::is_ascii_alphabetic)
            .take(3)
            .collect::<String>()
            .to_uppercase();
        // The technical points of a PM are numbered from 900001 on, so that no box has their name.
        let pmt = 900_000 + address.zone % 100_000;
        for (fed, lines) in fed.iter().zip(&lines) {
            let imb = plan.imb(fed.address);
            let Fed { batiment, escalier, etage, homes, .. } = fed;
            let _ = write!(
                self.structure.text,
                "{imb};{batiment};{escalier};{etage};{pm};PT {pmt:06};{name};{kind};{location};{fibres};\
                 {insee}{site:X<3}_{pm};{homes}",
                pm = pm.reference,
                insee = commune.insee,
            );
            self.structure.end_row()?;
            for _ in 0..*lines {
                let state = if dice.chance(config.inactive) { "INACTIVE" } else { "ACTIVE" };
                let pto = self.next_socket();
                let _ = write!(self.lines.text, "{pto};{imb};{batiment};{escalier};{etage};{name};{state}");
                self.lines.end_row()?;
            }
        }
        Ok(())
    }

    /// Sockets are spread over the whole range: the factor has no divisor in common with its size, so that none comes
    /// twice.
    fn next_socket(&mut self) -> String {
        self.sockets += 1;
        let spread = (self.sockets % SOCKETS * 5_000_011 + self.seed % SOCKETS) % SOCKETS;
        let text = base36(spread, 8);
        format!("FI-{}-{}", &text[..4], &text[4..])
    }
}
