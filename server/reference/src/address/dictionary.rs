//! The words that the index knows, sorted, and those near a word that it does not know: one or two letters away, or
//! of one sound.
//!
//! Does not know where the words occur.

/// Words by number; the numbers follow the order of the words, so a prefix is a range of numbers.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    bytes: String,
    starts: Vec<u32>,
    /// Hash of each word and of the word without one of its letters, with the word's number; sorted.
    deletes: Vec<(u32, u32)>,
    /// Hash of each word's sound, with the word's number; sorted.
    sounds: Vec<(u32, u32)>,
}

/// A word near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    /// Number of the word.
    pub word: u32,
    /// 1 for the same word.
    pub quality: f32,
}

impl Dictionary {
    /// A dictionary of `words`, which are sorted and distinct.
    pub(super) fn new(words: &[String]) -> Self {
        let mut all = Self { starts: Vec::with_capacity(words.len() + 1), ..Self::default() };
        for (number, word) in (0u32..).zip(words) {
            all.starts.push(all.bytes.len() as u32);
            all.bytes.push_str(word);
            if word.len() >= 3 && !word.as_bytes()[0].is_ascii_digit() {
                all.deletes.push((hash(word.as_bytes()), number));
                for_each_delete(word.as_bytes(), &mut |shorter| all.deletes.push((hash(shorter), number)));
                all.sounds.push((hash(sound(word).as_bytes()), number));
            }
        }
        all.starts.push(all.bytes.len() as u32);
        all.deletes.sort_unstable();
        all.deletes.dedup();
        all.deletes.shrink_to_fit();
        all.sounds.sort_unstable();
        all
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The word of a number.
    pub(super) fn word(&self, number: u32) -> &str {
        let at = number as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => &self.bytes[*from as usize..*to as usize],
            _ => "",
        }
    }

    /// The number of a word.
    pub(super) fn number(&self, word: &str) -> Option<u32> {
        let at = self.lower_bound(word.as_bytes());
        (at < self.len() && self.word(at as u32) == word).then_some(at as u32)
    }

    /// The numbers of the words that start with `prefix`: from, and one past the last.
    pub(super) fn prefix(&self, prefix: &str) -> (u32, u32) {
        let from = self.lower_bound(prefix.as_bytes());
        let mut end = prefix.as_bytes().to_vec();
        end.push(0xff);
        (from as u32, self.lower_bound(&end) as u32)
    }

    fn lower_bound(&self, word: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.word(middle as u32).as_bytes() < word {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Words one letter away from `word` (one more, one less, another, two swapped), of the same sound, or — when
    /// there are none and the word is long — two letters away. Not the word itself. Best first, of equals those of
    /// less weight (the commoner ones), at most `most`.
    pub(super) fn near(&self, word: &str, most: usize, weigh: &dyn Fn(u32) -> f32) -> Vec<Near> {
        let mut found = Vec::new();
        let bytes = word.as_bytes();
        if bytes.len() < 3 || bytes[0].is_ascii_digit() {
            return found;
        }
        self.probe(bytes, word, 1, &mut found);
        for_each_delete(bytes, &mut |shorter| self.probe(shorter, word, 1, &mut found));
        let heard = sound(word);
        for number in with_hash(&self.sounds, hash(heard.as_bytes())) {
            let other = self.word(number);
            if other != word && heard.len() >= 2 && sound(other) == heard {
                // One sound may still be two words: the more letters agree, the likelier.
                let far = distance(bytes, other.as_bytes(), 3).unwrap_or(4) as f32;
                found.push(Near { word: number, quality: 0.92 - 0.06 * far });
            }
        }
        if found.is_empty() && bytes.len() >= 6 {
            for_each_delete(bytes, &mut |shorter| {
                for_each_delete(shorter, &mut |shortest| self.probe(shortest, word, 2, &mut found));
            });
        }
        found.sort_unstable_by(|a, b| a.word.cmp(&b.word).then(b.quality.total_cmp(&a.quality)));
        found.dedup_by_key(|near| near.word);
        found.sort_by(|a, b| b.quality.total_cmp(&a.quality).then(weigh(a.word).total_cmp(&weigh(b.word))));
        found.truncate(most);
        found
    }

    fn probe(&self, key: &[u8], word: &str, most: usize, found: &mut Vec<Near>) {
        for number in with_hash(&self.deletes, hash(key)) {
            let other = self.word(number);
            if other != word
                && let Some(far) = distance(word.as_bytes(), other.as_bytes(), most)
            {
                found.push(Near { word: number, quality: quality(word, other, far) });
            }
        }
    }
}

/// How alike two words are that are `far` letters apart: less for short words, and when the first letters differ.
pub(super) fn quality(a: &str, b: &str, far: usize) -> f32 {
    let longer = a.len().max(b.len()) as f32;
    let first = if a.as_bytes().first() == b.as_bytes().first() { 0.0 } else { 0.05 };
    (1.0 - far as f32 / longer - first).max(0.3)
}

fn with_hash(pairs: &[(u32, u32)], hash: u32) -> impl Iterator<Item = u32> {
    let from = pairs.partition_point(|pair| pair.0 < hash);
    pairs[from..].iter().take_while(move |pair| pair.0 == hash).map(|pair| pair.1)
}

fn for_each_delete(word: &[u8], use_it: &mut dyn FnMut(&[u8])) {
    let mut shorter = [0u8; 40];
    if word.len() < 2 || word.len() > shorter.len() {
        return;
    }
    shorter[..word.len() - 1].copy_from_slice(&word[1..]);
    for at in 0..word.len() {
        if at > 0 {
            // The letter before `at` comes back, the one at `at` is left out.
            shorter[at - 1] = word[at - 1];
            if word[at] == word[at - 1] {
                continue;
            }
        }
        use_it(&shorter[..word.len() - 1]);
    }
}

fn hash(bytes: &[u8]) -> u32 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (state ^ (state >> 32)) as u32
}

/// Letters to change from `a` to `b`: one more, one less, another, or two neighbours swapped; `None` above `most`.
pub(super) fn distance(a: &[u8], b: &[u8], most: usize) -> Option<usize> {
    const LONGEST: usize = 40;
    if a.len().abs_diff(b.len()) > most || a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let mut rows = [[0u8; LONGEST + 1]; 3];
    for (n, cell) in rows[0].iter_mut().enumerate().take(b.len() + 1) {
        *cell = n as u8;
    }
    for i in 1..=a.len() {
        let (now, before, earlier) = (i % 3, (i + 2) % 3, (i + 1) % 3);
        rows[now][0] = i as u8;
        for j in 1..=b.len() {
            let change = rows[before][j - 1] + u8::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[before][j] + 1).min(rows[now][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[earlier][j - 2] + 1);
            }
            rows[now][j] = least;
        }
    }
    let far = usize::from(rows[a.len() % 3][b.len()]);
    (far <= most).then_some(far)
}

/// A word as a French ear hears it, roughly: doubled letters, silent ends and the spellings of one sound are one.
pub(super) fn sound(word: &str) -> String {
    const NASAL: &[(&str, &str)] = &[
        ("ain", "in"),
        ("ein", "in"),
        ("aim", "in"),
        ("ym", "in"),
        ("yn", "in"),
        ("im", "in"),
        ("em", "an"),
        ("en", "an"),
        ("am", "an"),
        ("om", "on"),
    ];
    const SAME: &[(&str, &str)] = &[
        ("eaux", "o"),
        ("eau", "o"),
        ("aux", "o"),
        ("au", "o"),
        ("ph", "f"),
        ("sch", "s"),
        ("ch", "s"),
        ("qu", "k"),
        ("gu", "g"),
        ("ck", "k"),
        ("c", "k"),
        ("q", "k"),
        ("h", ""),
        ("ai", "e"),
        ("ei", "e"),
        ("oe", "e"),
        ("y", "i"),
        ("z", "s"),
        ("w", "v"),
        ("x", "s"),
    ];
    let mut heard = String::with_capacity(word.len());
    let mut rest = word;
    'letters: while let Some(letter) = rest.chars().next() {
        for (written, same) in NASAL {
            // Before a vowel or another `n` the nose is free: `fontaine`.
            if let Some(after) = rest
                .strip_prefix(written)
                .filter(|a| !a.starts_with(['a', 'e', 'i', 'o', 'u', 'y', 'n', 'm']))
            {
                heard.push_str(same);
                rest = after;
                continue 'letters;
            }
        }
        // Before `e`, `i`, `y` a `c` and a `g` are soft.
        if let ('c' | 'g', true) = (letter, rest[1..].starts_with(['e', 'i', 'y'])) {
            heard.push(if letter == 'c' { 's' } else { 'j' });
            rest = &rest[1..];
            continue;
        }
        for (written, same) in SAME {
            if let Some(after) = rest.strip_prefix(written) {
                heard.push_str(same);
                rest = after;
                continue 'letters;
            }
        }
        heard.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    let mut out = String::with_capacity(heard.len());
    for letter in heard.chars() {
        if !out.ends_with(letter) {
            out.push(letter);
        }
    }
    // A plural's end is silent; so is an `e`, before which a consonant is heard, and the last consonant without one.
    if out.len() > 2 && out.ends_with('s') {
        out.pop();
    }
    if out.len() > 2 && out.ends_with(['e', 't', 'd', 'p']) {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_definition() {
        for (a, b, far) in [
            ("rue", "rue", 0),
            ("eglise", "eglsie", 1),
            ("eglise", "eglis", 1),
            ("eglise", "egliise", 1),
            ("eglise", "egkise", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes(), 3), Some(far), "{a} {b}");
            assert_eq!(distance(b.as_bytes(), a.as_bytes(), 3), Some(far), "{b} {a}");
        }
        assert_eq!(distance(b"kitten", b"sitting", 2), None);
    }

    #[test]
    fn near_words() {
        let words: Vec<String> =
            ["clemenceau", "eglise", "gare", "mare", "marne", "mitterrand", "rue"].map(String::from).into();
        let dictionary = Dictionary::new(&words);
        let near = |word: &str| {
            dictionary
                .near(word, 9, &|_| 1.0)
                .iter()
                .map(|n| dictionary.word(n.word).to_owned())
                .collect::<Vec<_>>()
        };
        for (typed, meant) in [
            ("eglsie", "eglise"),
            ("glise", "eglise"),
            ("egllise", "eglise"),
            ("mitterand", "mitterrand"),
            ("miterand", "mitterrand"),
            ("clemenso", "clemenceau"),
            ("rie", "rue"),
        ] {
            assert_eq!(near(typed), [meant], "{typed}");
        }
        let mut two = near("mare");
        two.sort();
        assert_eq!(two, ["gare", "marne"]);
        assert!(near("zzzzzzzz").is_empty());
        assert_eq!(dictionary.number("gare"), Some(2));
        assert_eq!(dictionary.number("gar"), None);
        assert_eq!(dictionary.prefix("mar"), (3, 5));
        assert_eq!(dictionary.prefix("x"), (7, 7));
    }
}
