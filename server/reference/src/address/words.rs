//! The words of French addresses, as data: street types, titles and their abbreviations, articles, number words, and
//! the words that say where in a building.
//!
//! Does not know which of them a text holds (`normal`). Given names are not here: `J.` is an initial, not a word.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Where an abbreviation stands for its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere.
    Anywhere,
    /// Where a street type stands: at the start, after a number or a comma, or before an article.
    First,
    /// Before another word.
    NotLast,
    /// Before another word that is no article: `col fabien`, but not `col de la schlucht`.
    BeforeName,
}

use Place::{Anywhere, BeforeName, First, NotLast};

/// Abbreviation, what it stands for, and where. AFNOR's forms (NF Z10-011) and those that people write.
const ABBREVIATIONS: &[(&str, &str, Place)] = &[
    // Street types.
    ("all", "allee", Anywhere),
    ("allees", "allee", Anywhere),
    ("av", "avenue", Anywhere),
    ("ave", "avenue", Anywhere),
    ("aven", "avenue", Anywhere),
    ("bd", "boulevard", Anywhere),
    ("bld", "boulevard", Anywhere),
    ("blvd", "boulevard", Anywhere),
    ("bvd", "boulevard", Anywhere),
    ("boul", "boulevard", Anywhere),
    ("boulv", "boulevard", Anywhere),
    ("car", "carrefour", First),
    ("carr", "carrefour", First),
    ("carref", "carrefour", Anywhere),
    ("cc", "centre commercial", First),
    ("ccal", "centre commercial", Anywhere),
    ("ch", "chemin", First),
    ("che", "chemin", First),
    ("chem", "chemin", Anywhere),
    ("chs", "chaussee", First),
    ("chau", "chateau", Anywhere),
    ("chaus", "chaussee", Anywhere),
    ("cor", "corniche", First),
    ("crs", "cours", Anywhere),
    ("ctre", "centre", Anywhere),
    ("dom", "domaine", First),
    ("dsc", "descente", Anywhere),
    ("eca", "ecart", First),
    ("esp", "esplanade", First),
    ("fb", "faubourg", Anywhere),
    ("fbg", "faubourg", Anywhere),
    ("fg", "faubourg", Anywhere),
    ("gr", "grande rue", First),
    ("ham", "hameau", First),
    ("hle", "halle", Anywhere),
    ("imm", "immeuble", First),
    ("imp", "impasse", Anywhere),
    ("jard", "jardin", First),
    ("ld", "lieudit", First),
    ("lot", "lotissement", First),
    ("lotis", "lotissement", Anywhere),
    ("mar", "marche", First),
    ("mte", "montee", Anywhere),
    ("pas", "passage", First),
    ("pass", "passage", Anywhere),
    ("pav", "pavillon", First),
    ("pl", "place", Anywhere),
    ("plle", "passerelle", Anywhere),
    ("pln", "plaine", Anywhere),
    ("plt", "plateau", Anywhere),
    ("pro", "promenade", First),
    ("prom", "promenade", Anywhere),
    ("prv", "parvis", Anywhere),
    ("qrt", "quartier", Anywhere),
    ("qu", "quai", First),
    ("qua", "quartier", First),
    ("quart", "quartier", Anywhere),
    ("r", "rue", First),
    ("res", "residence", Anywhere),
    ("resid", "residence", Anywhere),
    ("rle", "ruelle", Anywhere),
    ("roc", "rocade", First),
    ("rpt", "rond point", Anywhere),
    ("rdpt", "rond point", Anywhere),
    ("rte", "route", Anywhere),
    ("sen", "sentier", First),
    ("sent", "sentier", First),
    ("sq", "square", Anywhere),
    ("tpl", "terre plein", Anywhere),
    ("tra", "traverse", First),
    ("trav", "traverse", First),
    ("ven", "venelle", First),
    ("vla", "villa", Anywhere),
    ("vlge", "village", Anywhere),
    ("za", "zone artisanale", Anywhere),
    ("zac", "zone amenagement concerte", Anywhere),
    ("zi", "zone industrielle", Anywhere),
    ("zup", "zone urbaniser priorite", Anywhere),
    // Titles and ranks.
    ("abe", "abbe", NotLast),
    ("adj", "adjudant", NotLast),
    ("adjt", "adjudant", NotLast),
    ("adm", "amiral", BeforeName),
    ("aml", "amiral", NotLast),
    ("cal", "caporal", BeforeName),
    ("cap", "capitaine", BeforeName),
    ("capit", "capitaine", NotLast),
    ("cardi", "cardinal", NotLast),
    ("cdt", "commandant", NotLast),
    ("cmdt", "commandant", NotLast),
    ("cne", "capitaine", NotLast),
    ("chn", "chanoine", NotLast),
    ("chne", "chanoine", NotLast),
    ("col", "colonel", BeforeName),
    ("dep", "depute", BeforeName),
    ("doc", "docteur", BeforeName),
    ("doct", "docteur", NotLast),
    ("dr", "docteur", NotLast),
    ("gal", "general", NotLast),
    ("gen", "general", NotLast),
    ("gl", "general", NotLast),
    ("ing", "ingenieur", BeforeName),
    ("insp", "inspecteur", NotLast),
    ("lieut", "lieutenant", NotLast),
    ("lt", "lieutenant", NotLast),
    ("ltn", "lieutenant", NotLast),
    ("mal", "marechal", NotLast),
    ("marech", "marechal", NotLast),
    ("mgr", "monseigneur", NotLast),
    ("mlle", "mademoiselle", NotLast),
    ("mme", "madame", NotLast),
    ("mqs", "marquis", NotLast),
    ("pce", "prince", NotLast),
    ("pdt", "president", NotLast),
    ("pdte", "presidente", NotLast),
    ("pres", "president", BeforeName),
    ("pr", "professeur", BeforeName),
    ("prof", "professeur", NotLast),
    ("sgt", "sergent", NotLast),
    ("serg", "sergent", NotLast),
    ("sr", "soeur", BeforeName),
    ("sen", "senateur", BeforeName),
    ("vve", "veuve", NotLast),
    // Words inside names.
    ("anc", "ancien", BeforeName),
    ("arr", "arrondissement", Anywhere),
    ("arrdt", "arrondissement", Anywhere),
    ("ardt", "arrondissement", Anywhere),
    ("bse", "basse", Anywhere),
    ("bg", "bourg", Anywhere),
    ("btn", "bataillon", Anywhere),
    ("div", "division", Anywhere),
    ("egl", "eglise", Anywhere),
    ("fres", "freres", Anywhere),
    ("gd", "grand", Anywhere),
    ("gds", "grands", Anywhere),
    ("gde", "grande", Anywhere),
    ("gdes", "grandes", Anywhere),
    ("hte", "haute", Anywhere),
    ("htes", "hautes", Anywhere),
    ("hts", "hauts", Anywhere),
    ("inf", "infanterie", Anywhere),
    ("lez", "les", Anywhere),
    ("mln", "moulin", Anywhere),
    ("nd", "notre dame", Anywhere),
    ("pt", "petit", BeforeName),
    ("pte", "petite", BeforeName),
    ("pts", "petits", BeforeName),
    ("rgt", "regiment", Anywhere),
    ("st", "saint", Anywhere),
    ("ste", "sainte", Anywhere),
    ("stes", "saintes", Anywhere),
    ("sts", "saints", Anywhere),
    ("vx", "vieux", BeforeName),
    ("vlle", "vieille", BeforeName),
];

/// Words that start a street's name.
const TYPES: &str = "allee ancien ancienne arcade avenue bis boulevard carrefour centre chaussee chemin cite clos \
    corniche cote cour cours degre descente domaine ecluse enclos escalier esplanade faubourg ferme \
    galerie grande hameau hlm ile immeuble impasse jardin levee lieudit lotissement mail montee parc \
    parvis passage passerelle petit petite place placette placis plaine plateau pont port porte \
    promenade quai quartier residence rocade rond route rue ruelle sente sentier square terrasse \
    traverse venelle vieille vieux villa village voie zone";

/// Words that only join others. They weigh next to nothing.
const ARTICLES: &str = "a au aux d de des du en et l la le les lieudit sur";

/// Articles that tell two names apart: they stay in a key.
const KEPT_IN_KEY: &[&str] = &["sur"];

/// Words after which a Roman number is one, even of a single letter.
const BEFORE_ROMAN: &str = "albert alexandre alphonse baudouin benoit boniface charles clement edouard ferdinand francois \
    frederic georges gregoire guillaume gustave henri innocent jacques jean leon leopold louis \
    napoleon nicolas paul philippe pie pierre rainier raymond rene stanislas urbain";

const MONTHS: &str = "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre";

/// Number words below seventeen, twenty and the tens; the others are sums.
const NUMBERS: &[(&str, u32)] = &[
    ("deux", 2),
    ("trois", 3),
    ("quatre", 4),
    ("cinq", 5),
    ("six", 6),
    ("sept", 7),
    ("huit", 8),
    ("neuf", 9),
    ("dix", 10),
    ("onze", 11),
    ("douze", 12),
    ("treize", 13),
    ("quatorze", 14),
    ("quinze", 15),
    ("seize", 16),
    ("vingt", 20),
    ("trente", 30),
    ("quarante", 40),
    ("cinquante", 50),
    ("soixante", 60),
];

/// Ranks in words.
const ORDINALS: &[(&str, u32)] = &[
    ("premier", 1),
    ("premiere", 1),
    ("deuxieme", 2),
    ("troisieme", 3),
    ("quatrieme", 4),
    ("cinquieme", 5),
    ("sixieme", 6),
    ("septieme", 7),
    ("huitieme", 8),
    ("neuvieme", 9),
    ("dixieme", 10),
    ("onzieme", 11),
    ("douzieme", 12),
];

/// Words that say where in a building, each before a number or a letter.
const INSIDE: &str = "app appart appartement appt apt bat batiment bloc boite cage chambre entree esc escalier etage \
    hall logement logt palier porte studio";

/// What stands before a number that mail uses and the place does not: box, special sorting.
const MAIL: &[&str] = &["bp", "cs", "tsa", "cidex", "cedex", "cdx"];

static BY_ABBREVIATION: LazyLock<HashMap<&'static str, Vec<(&'static str, Place)>>> = LazyLock::new(|| {
    let mut map: HashMap<_, Vec<_>> = HashMap::with_capacity(ABBREVIATIONS.len());
    for (short, long, place) in ABBREVIATIONS {
        map.entry(*short).or_default().push((*long, *place));
    }
    map
});

/// A list of words, parted by blanks, as a set.
fn set(words: &'static str) -> HashSet<&'static str> {
    words.split_whitespace().collect()
}

static TYPE_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| set(TYPES));
static ARTICLE_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| set(ARTICLES));
static INSIDE_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| set(INSIDE));
static REGNAL_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| set(BEFORE_ROMAN));
static NUMBER_WORDS: LazyLock<HashMap<&'static str, u32>> =
    LazyLock::new(|| NUMBERS.iter().copied().collect());

/// What `word` stands for, with the places where it does.
pub(super) fn expansions(word: &str) -> &'static [(&'static str, Place)] {
    BY_ABBREVIATION.get(word).map_or(&[], Vec::as_slice)
}

/// Whether `word` is short for another wherever it stands.
pub(super) fn is_always_short(word: &str) -> bool {
    expansions(word).iter().any(|(_, place)| *place == Anywhere)
}

/// What number word is one letter away from `word`, as digits.
pub(super) fn near_number_word(word: &str) -> Option<u32> {
    let near = |name: &str| super::dictionary::distance(word.as_bytes(), name.as_bytes(), 1) == Some(1);
    NUMBERS.iter().chain(ORDINALS).find(|(name, _)| name.len() >= 4 && near(name)).map(|(_, value)| *value)
}

/// Whether `word` can start a street's name.
pub(super) fn is_type(word: &str) -> bool {
    TYPE_WORDS.contains(word)
}

/// Whether `word` only joins others.
pub(super) fn is_article(word: &str) -> bool {
    ARTICLE_WORDS.contains(word)
}

/// Whether the key of a name is without `word`.
pub(super) fn is_left_out_of_key(word: &str) -> bool {
    is_article(word) && !KEPT_IN_KEY.contains(&word)
}

/// Whether a Roman number may follow `word`.
pub(super) fn takes_roman(word: &str) -> bool {
    REGNAL_WORDS.contains(word)
}

/// Whether `word` is a month.
pub(super) fn is_month(word: &str) -> bool {
    MONTHS.split(' ').any(|month| month == word)
}

/// The value of one number word, for instance `quatre`.
pub(super) fn number_word(word: &str) -> Option<u32> {
    NUMBER_WORDS.get(word).copied()
}

/// The value of a rank in words, for instance `premier`.
pub(super) fn ordinal_word(word: &str) -> Option<u32> {
    ORDINALS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// Whether `word` says where in a building, when a number or letter follows.
pub(super) fn is_inside(word: &str) -> bool {
    INSIDE_WORDS.contains(word)
}

/// Whether `word` starts what only mail uses.
pub(super) fn is_mail(word: &str) -> bool {
    MAIL.contains(&word)
}

/// `XIV` → 14, up to 39; `None` for anything else, in lower case.
pub(super) fn roman(word: &str) -> Option<u32> {
    let digit = |b: u8| match b {
        b'i' => Some(1),
        b'v' => Some(5),
        b'x' => Some(10),
        _ => None,
    };
    let mut total = 0;
    let bytes = word.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let value = digit(*byte)?;
        match bytes.get(at + 1).copied().map(digit) {
            Some(Some(next)) if next > value => total -= value,
            _ => total += value,
        }
    }
    // Only the one spelling of a value is a Roman number: `iiii` is none.
    (1..40).contains(&total).then_some(total as u32).filter(|value| spell_roman(*value) == word)
}

fn spell_roman(mut value: u32) -> String {
    const PARTS: &[(u32, &str)] = &[(10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")];
    let mut out = String::new();
    for (part, letters) in PARTS {
        while value >= *part {
            out.push_str(letters);
            value -= part;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roman_numbers() {
        assert_eq!(
            ["xiv", "iv", "xxiii", "i", "iiii", "vx", "mil"].map(roman),
            [Some(14), Some(4), Some(23), Some(1), None, None, None]
        );
    }
}
