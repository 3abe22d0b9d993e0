//! Free text → candidates: which streets and communes are worth weighing, and the best of them.
//!
//! Words that the index lacks are corrected at once, known words only when the best candidate is poor. Does not know
//! how a candidate is weighed (`judge`) or explained (`answer`).

use super::answer::Candidate;
use super::index::Search;
use super::judge::{Asked, Judged};
use super::parse::Parsed;
use super::places::Hit;
use super::record::Point;
use crate::ids::Insee;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// An address in whatever form, or a part of one.
    pub text: &'a str,
    /// Where the person who asks is, or means.
    pub near: Option<Point>,
    /// The commune to look in, and in no other.
    pub insee: Option<&'a Insee>,
    /// The most candidates to return.
    pub limit: usize,
}

/// What words may leave to wish before known words are taken for misspelt.
const POOR: f32 = 0.2;
/// Communes around a confirmed one that are looked in when it lacks the street.
const NEIGHBOURS: usize = 12;
/// Communes around that are looked in.
const AROUND: usize = 40;
/// Candidates whose number is looked up.
const NUMBERED: usize = 200;

impl Search {
    /// The candidates for a text, best first.
    #[must_use]
    pub fn find(&self, query: &Query<'_>) -> Vec<Candidate> {
        self.search(query, false)
    }

    /// The candidates for a text that is being typed: its last word may be a beginning.
    #[must_use]
    pub fn complete(&self, text: &str, near: Option<Point>, limit: usize) -> Vec<Candidate> {
        self.search(&Query { text, near, insee: None, limit }, true)
    }

    fn search(&self, query: &Query<'_>, typing: bool) -> Vec<Candidate> {
        let weigh = |word| self.weigh(word);
        let mut parsed = Parsed::new(query.text, &self.dictionary, &weigh, typing);
        if parsed.words.is_empty() || query.limit == 0 {
            return Vec::new();
        }
        parsed.correct(&self.dictionary, &weigh, false);
        let mut asked = Asked::new(self, parsed, query.near);
        let only = query.insee.map(|insee| self.with_parts(insee));
        let mut found = asked.look(only.as_deref(), false);
        if found.first().is_none_or(|best| best.words > POOR) && !typing {
            asked.query.correct(&self.dictionary, &weigh, true);
            found = asked.look(only.as_deref(), true);
        }
        asked.answers(&found, query.limit, query.insee.is_some())
    }

    /// A commune, and its arrondissements when it has some.
    fn with_parts(&self, insee: &Insee) -> Vec<u32> {
        (0u32..)
            .zip(&self.places.communes)
            .filter(|(_, c)| c.insee == *insee || c.parent.as_ref() == Some(insee))
            .map(|(at, _)| at)
            .collect()
    }
}

impl<'a> Asked<'a> {
    fn new(search: &'a Search, query: Parsed, near: Option<Point>) -> Self {
        let codes = query
            .words
            .iter()
            .enumerate()
            .filter(|(_, word)| word.code)
            .map(|(at, word)| (at, word.token.text.clone(), search.places.with_code(&word.token.text)))
            .collect();
        Self { search, query, near, codes, hits: Vec::new(), confirmed: false }
    }

    /// The best candidates, in order; `wide` looks in the whole country even when a commune is named — but around it
    /// only, when a name and a postcode agree on it.
    fn look(&mut self, only: Option<&[u32]>, wide: bool) -> Vec<Judged> {
        self.hits = self.search.places.hits(&self.query);
        let by_code = |hit: &&Hit| self.codes.iter().any(|(_, _, communes)| communes.contains(&hit.commune));
        let confirmed = self.hits.iter().filter(|hit| hit.cost < POOR).find(by_code).map(|hit| hit.commune);
        self.confirmed = confirmed.is_some();
        let mut communes = only.map_or_else(|| self.communes(), <[u32]>::to_vec);
        if let (true, None, Some(commune)) = (wide, only, confirmed) {
            let centre = self.search.places.communes[commune as usize].centre;
            communes
                .extend(centre.into_iter().flat_map(|centre| self.search.places.around(centre, NEIGHBOURS)));
            communes.sort_unstable();
            communes.dedup();
        }
        let mut judged: Vec<Judged> =
            self.streets_in(&communes).into_iter().map(|street| self.judge(street)).collect();
        self.communes_alone(only, &mut judged);
        let named = !self.codes.is_empty() || self.hits.iter().any(|hit| hit.cost < POOR);
        let good = self.order(&mut judged);
        if only.is_none() && confirmed.is_none() && (wide || !good || !named) {
            let seen: Vec<u32> = judged.iter().filter_map(|j| j.street).collect();
            let others = self.streets_anywhere().into_iter().filter(|street| !seen.contains(street));
            judged.extend(others.map(|street| self.judge(street)));
            self.order(&mut judged);
        }
        judged
    }

    /// Weighs a street with what names its commune.
    fn judge(&self, street: u32) -> Judged {
        let commune = self.search.commune_of[street as usize];
        let from = self.hits.partition_point(|hit| hit.commune < commune);
        let end = from + self.hits[from..].partition_point(|hit| hit.commune == commune);
        self.street(street, &self.hits[from..end])
    }

    /// Orders by cost, with the numbers of the best looked up. Whether the best says what is asked.
    fn order(&self, judged: &mut Vec<Judged>) -> bool {
        if judged.len() > NUMBERED {
            judged.sort_unstable_by(|a, b| a.words.total_cmp(&b.words));
            judged.truncate(NUMBERED);
        }
        for one in judged.iter_mut() {
            self.finish(one);
        }
        judged.sort_by(|a, b| a.rank().total_cmp(&b.rank()).then(a.street.cmp(&b.street)));
        judged
            .first()
            .is_some_and(|best| best.cost() < POOR && (best.street.is_some() || !self.query.asks_street()))
    }

    /// The communes that the query names by words or code, and those around.
    fn communes(&self) -> Vec<u32> {
        let mut communes: Vec<u32> = self.hits.iter().map(|hit| hit.commune).collect();
        for (_, _, of) in &self.codes {
            communes.extend(of);
        }
        if let Some(near) = self.near {
            communes.extend(self.search.places.around(near, AROUND));
        }
        communes.sort_unstable();
        communes.dedup();
        communes
    }

    fn communes_alone(&self, only: Option<&[u32]>, judged: &mut Vec<Judged>) {
        let allowed = |commune: u32| only.is_none_or(|only| only.contains(&commune));
        for run in self.hits.chunk_by(|a, b| a.commune == b.commune).filter(|run| allowed(run[0].commune)) {
            let best = run.iter().map(|hit| self.commune(hit.commune, Some(hit)));
            judged.extend(best.min_by(|a, b| a.words.total_cmp(&b.words)));
        }
        let named: Vec<u32> = self.hits.iter().map(|hit| hit.commune).collect();
        let by_code = self
            .codes
            .iter()
            .flat_map(|(_, _, of)| of)
            .filter(|commune| named.binary_search(commune).is_err());
        judged.extend(by_code.filter(|c| allowed(**c)).map(|commune| self.commune(*commune, None)));
    }
}
