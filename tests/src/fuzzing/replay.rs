//! Every seed again: as it is, cut at every length, with each byte set to its extremes, and bent at random.
#![cfg(test)]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Harness, TARGETS};
use crate::noise::Noise;
use crate::tools;

/// Longer seeds are cut at fewer places, so that a run ends soon.
const PLACES: usize = 1_500;
const BENT: usize = 300;
/// No input of a seed's size may take longer than this: slowness that grows with the input is a bug as well.
const SLOW: Duration = Duration::from_secs(2);

#[test]
fn every_seed_cut_and_bent_does_no_harm() {
    let harmful: Vec<String> = TARGETS.iter().flat_map(|(name, harness)| replay(name, *harness)).collect();
    assert!(harmful.is_empty(), "{} inputs did harm:\n{}", harmful.len(), harmful.join("\n"));
}

#[test]
fn every_length_of_monotony_and_noise_does_no_harm() {
    let mut noise = Noise::new(2_026);
    let mut harmful = Vec::new();
    for (name, harness) in TARGETS {
        for length in (0..=1_500).step_by(3) {
            for input in [vec![0; length], vec![0xff; length], noise.bytes(length)] {
                harmful.extend(attempt(name, *harness, &input, &format!("{length} bytes")));
            }
        }
    }
    assert!(harmful.is_empty(), "{} inputs did harm:\n{}", harmful.len(), harmful.join("\n"));
}

#[test]
fn each_target_has_its_file_and_seeds_and_each_file_its_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = entries("fuzz_targets").into_iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    assert_eq!(files.collect::<BTreeSet<String>>(), names);
    for name in names {
        assert!(!seeds(&name).is_empty(), "{name} has no seeds");
    }
}

/// The inputs that did harm, in words.
fn replay(name: &str, harness: Harness) -> Vec<String> {
    let mut harmful = Vec::new();
    for (path, seed) in seeds(name) {
        let file = path.file_name().unwrap_or_default().display().to_string();
        harmful.extend(attempt(name, harness, &seed, &file));
        let stride = seed.len().div_ceil(PLACES).max(1);
        for place in (0..seed.len()).step_by(stride) {
            harmful.extend(attempt(name, harness, &seed[..place], &format!("{file} cut at {place}")));
            for extreme in [0, 0xff] {
                let mut changed = seed.clone();
                changed[place] = extreme;
                harmful.extend(attempt(name, harness, &changed, &format!("{file} with {extreme} at {place}")));
            }
        }
        let mut noise = Noise::new(seed.len() as u64 + 1);
        for round in 0..BENT {
            let bent = noise.bend(&seed);
            harmful.extend(attempt(name, harness, &bent, &format!("{file} bent, round {round}")));
        }
    }
    harmful
}

/// Runs one input; if it does harm, keeps it as a file and says where.
fn attempt(name: &str, harness: Harness, input: &[u8], what: &str) -> Option<String> {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| harness(input)));
    let time = begun.elapsed();
    let harm = match outcome {
        Err(_) => "panicked".to_owned(),
        Ok(()) if time > SLOW => format!("took {time:?}"),
        Ok(()) => return None,
    };
    let folder = tools::target().join("harmful-inputs").join(name);
    let file = folder.join(what.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input));
    let kept = kept.map_or_else(|error| error.to_string(), |()| format!("kept as {}", file.display()));
    Some(format!("{name}: {what}: {harm}; {kept}"))
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = entries(&format!("corpus/{name}")).into_iter();
    paths.filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect()
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = tools::package().join("fuzz").join(folder);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}
