//! Noise: streets of common names in real communes, the same each time.

use crate::data::{Data, Random, a_number};
use eservices_reference::address::{Commune, Point, Street, StreetKind, street_key};
use eservices_reference::ids::Insee;
use std::collections::{HashMap, HashSet};

impl Data {
    /// Streets of common names and of the real ones' names in communes by population, until there are `numbers`.
    pub fn add_noise(&mut self, numbers: usize, seed: u64) {
        let mut random = Random(seed);
        let mut total: usize = self.streets.iter().map(|s| s.numbers.len()).sum();
        let mut taken: HashSet<(Insee, String)> =
            self.streets.iter().map(|s| (s.insee.clone(), street_key(&s.name))).collect();
        // Nor may noise be what a real query with its postcode, or with the city of an arrondissement, means as well.
        let by_insee: HashMap<&str, &Commune> = self.communes.iter().map(|c| (c.insee.as_str(), c)).collect();
        let whole = |insee: &Insee| by_insee.get(insee.as_str()).and_then(|c| c.parent.clone());
        let mut like_real: HashSet<(String, String)> = HashSet::new();
        for street in &self.streets {
            let key = street_key(&street.name);
            like_real.extend(street.postcodes.iter().map(|p| (p.to_string(), key.clone())));
            like_real.extend(whole(&street.insee).map(|parent| (parent.to_string(), key)));
        }
        let real: Vec<Box<str>> = self.streets.iter().map(|s| s.name.clone()).collect();
        let parents: HashSet<Insee> = self.communes.iter().filter_map(|c| c.parent.clone()).collect();
        let mut sum = 0;
        let weights: Vec<u64> = self
            .communes
            .iter()
            .map(|c| {
                sum += if parents.contains(&c.insee) { 0 } else { u64::from(c.population) };
                sum
            })
            .collect();
        while total < numbers {
            let chosen = random.below(sum);
            let commune = &self.communes[weights.partition_point(|w| *w <= chosen)];
            let name = if random.below(3) == 0 {
                real[random.below(real.len() as u64) as usize].to_string()
            } else {
                format!("{} {}", pick(&mut random, TYPES), pick(&mut random, NAMES))
            };
            let key = street_key(&name);
            let places = commune
                .postcodes
                .iter()
                .map(ToString::to_string)
                .chain(commune.parent.as_ref().map(ToString::to_string));
            let is_like_real = places.into_iter().any(|place| like_real.contains(&(place, key.clone())));
            if is_like_real || !taken.insert((commune.insee.clone(), key)) || commune.postcodes.is_empty() {
                continue;
            }
            let centre = commune.centre.unwrap_or(Point { lon: 0.0, lat: 0.0 });
            let size = commune.bounds.map_or(0.01, |b| (b.max.lat - b.min.lat) * 0.7);
            let spread =
                |random: &mut Random, wide: f64| (random.below(2001) as f64 / 1000.0 - 1.0) * wide / 2.0;
            let at = Point {
                lon: centre.lon + spread(&mut random, size),
                lat: centre.lat + spread(&mut random, size),
            };
            let count = (2 + random.below(30)) as usize;
            let list = (1..=count.min(numbers - total))
                .map(|n| {
                    let suffix = match random.below(30) {
                        0 => "bis",
                        1 => "a",
                        2 => "ter",
                        _ => "",
                    };
                    let place = Point {
                        lon: at.lon + spread(&mut random, 0.002),
                        lat: at.lat + spread(&mut random, 0.002),
                    };
                    a_number(n as u32, suffix, Some(place))
                })
                .collect::<Vec<_>>();
            total += list.len();
            let postcode = &commune.postcodes[random.below(commune.postcodes.len() as u64) as usize];
            self.streets.push(Street {
                insee: commune.insee.clone(),
                name: name.into(),
                other_names: vec![],
                kind: StreetKind::Street,
                postcodes: vec![postcode.clone()],
                commune: commune.name.clone(),
                former_commune: None,
                rivoli: None,
                hexacle: None,
                position: Some(at),
                numbers: list,
            });
        }
    }
}

/// One of a list, the earlier ones oftener.
fn pick<'a>(random: &mut Random, list: &[&'a str]) -> &'a str {
    let (a, b) = (random.below(list.len() as u64), random.below(list.len() as u64));
    list[a.min(b) as usize]
}

const TYPES: &[&str] =
    &["Rue", "Rue", "Rue", "Chemin", "Avenue", "Impasse", "Allée", "Route", "Place", "Boulevard", "Square"];

const NAMES: &[&str] = &[
    "de l'Église",
    "de la République",
    "du Moulin",
    "du Château",
    "des Écoles",
    "de la Mairie",
    "Victor Hugo",
    "Pasteur",
    "de la Gare",
    "du Stade",
    "Jean Jaurès",
    "du 8 Mai 1945",
    "des Lilas",
    "Jules Ferry",
    "du Général de Gaulle",
    "de la Fontaine",
    "des Tilleuls",
    "Saint-Martin",
    "du 11 Novembre 1918",
    "de la Liberté",
    "des Acacias",
    "Jean Moulin",
    "de Paris",
    "du Lavoir",
    "des Cerisiers",
    "de la Paix",
    "Gambetta",
    "des Roses",
    "Émile Zola",
    "du Maréchal Foch",
    "des Jardins",
    "de la Forêt",
    "du Bois",
    "du Général Leclerc",
    "de Verdun",
    "des Champs",
    "Molière",
    "Saint-Jean",
    "de la Croix",
    "des Prés",
    "Principale",
    "du Puits",
    "Pierre Curie",
    "Louis Pasteur",
    "de Lyon",
    "Voltaire",
    "des Vignes",
    "du Pont",
    "de Lattre de Tassigny",
    "Anatole France",
    "des Peupliers",
    "Notre-Dame",
    "du Marché",
    "Marcel Pagnol",
    "Mozart",
    "Saint-Pierre",
    "du Cimetière",
    "de Bretagne",
    "du Lac",
    "des Violettes",
    "Aristide Briand",
    "Georges Clemenceau",
    "Albert Camus",
    "des Marronniers",
    "Haute",
    "Basse",
    "Neuve",
    "Saint-Michel",
    "du Colonel Fabien",
    "de la Résistance",
    "du Docteur Roux",
    "Antoine de Saint-Exupéry",
    "Paul Verlaine",
    "Jacques Brel",
    "Georges Brassens",
    "du Commandant Charcot",
    "de la Marne",
    "de Metz",
    "de Nice",
    "de Lille",
    "de Bordeaux",
    "Edith Piaf",
    "Claude Monet",
    "Henri Barbusse",
    "Maurice Ravel",
    "Frédéric Mistral",
    "Arthur Rimbaud",
    "des Quatre Vents",
    "du Vieux Moulin",
    "de la Vallée",
    "des Mésanges",
    "des Hirondelles",
    "Sainte-Anne",
    "Saint-Roch",
    "de la Chapelle",
    "des Genêts",
    "du Capitaine Dreyfus",
    "de l'Abbé Grégoire",
    "Marie Curie",
    "François Mitterrand",
    "Salvador Allende",
];
