//! Runs every target over its corpus and over mutations of it.

use std::fs;
use std::path::Path;

use gyre_fuzz::TARGETS;

/// Mutations of each target's corpus.
const MUTATIONS: usize = 2_000;

/// Where the mutations begin. Change it to try others; what fails goes into the corpus.
const SEED: u64 = 0x6779_7265;

/// Bytes that mean something to a decoder.
const TELLING: &[u8] = b"{}[]\":,\\u0n-.e@;\n\x00\x08\x12\x7f\x80\xff";

#[test]
fn every_target_survives_its_corpus_and_mutations_of_it() {
    println!("seed {SEED:#x}");
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has a corpus");
        for entry in &corpus {
            target(entry);
        }
        let mut random = Random(SEED);
        for _ in 0..MUTATIONS {
            target(&mutated(&corpus, &mut random));
        }
    }
}

/// The entries of a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// An entry with a few random edits.
fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(corpus).cloned().unwrap_or_default();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let byte = random.pick(TELLING).copied().unwrap_or_default();
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            2 => bytes.extend(random.pick(corpus).into_iter().flatten()),
            3 if at < bytes.len() => {
                bytes.remove(at);
            }
            4 => bytes.rotate_left(at),
            _ => {
                if let Some(target) = bytes.get_mut(at) {
                    *target = byte ^ u8::try_from(random.below(4)).unwrap_or_default();
                }
            }
        }
    }
    bytes
}

/// A small generator of random numbers (splitmix).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    fn pick<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        values.get(self.below(values.len()))
    }
}
