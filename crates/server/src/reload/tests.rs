use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::*;

/// A server's configuration in a file, and the grace time that is in force.
struct Fixture {
    folder: tempfile::TempDir,
    reloader: Reloader,
    grace: Arc<AtomicU64>,
}

impl Fixture {
    fn new(text: &str, environment: &[(&str, &str)]) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headwater.toml");
        fs::write(&file, text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config::load(&Sources { file: Some(file), environment, ..Sources::default() }).unwrap();
        let grace = Arc::new(AtomicU64::new(config.streams.grace_ms));
        let held = grace.clone();
        let take: Prepare = Box::new(move |config| {
            let (held, value) = (held.clone(), config.streams.grace_ms);
            if value == 13 {
                return Err(Problem { place: Place::Default, message: "unlucky".into(), remedy: "Write 12.".into() });
            }
            Ok(Box::new(move || held.store(value, Relaxed)))
        });
        Fixture { folder, reloader: Reloader::new(&config, vec![take], Journal::new()), grace }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.folder.path().join("headwater.toml")).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path().join("headwater.toml"), text).unwrap();
    }

    fn grace(&self) -> u64 {
        self.grace.load(Relaxed)
    }
}

fn grace(value: &str) -> Set {
    Set { section: "streams".into(), key: "grace_ms".into(), value: value.into() }
}

#[test]
fn what_can_take_effect_does_and_what_cannot_is_told() {
    let fixture = Fixture::new("[streams]\ngrace_ms = 1\n", &[]);
    assert_eq!(fixture.reloader.reload().unwrap(), Reloaded::default());
    fixture.write("[streams]\ngrace_ms = 2\n[http]\nports = [9999]\n");
    let reloaded = fixture.reloader.reload().unwrap();
    assert_eq!(
        (reloaded.applied, reloaded.waiting),
        (vec!["streams.grace_ms".to_owned()], vec!["http.ports".to_owned()])
    );
    assert_eq!(fixture.grace(), 2);
    let again = fixture.reloader.reload().unwrap();
    assert_eq!((again.applied.len(), again.waiting.len()), (0, 1), "it still waits");
}

#[test]
fn a_configuration_with_a_fault_is_refused_whole() {
    let fixture = Fixture::new("[streams]\ngrace_ms = 1\n", &[]);
    for text in ["[streams]\ngrace_ms = 2\n[http]\nportz = 1\n", "[streams]\ngrace_ms = 13\n", "[streams\n"] {
        fixture.write(text);
        let error = fixture.reloader.reload().unwrap_err();
        assert!(!error.problems.is_empty());
        assert_eq!(fixture.grace(), 1, "{text}: {error}");
    }
    fixture.write("[streams]\ngrace_ms = 3\n");
    fixture.reloader.reload().unwrap();
    assert_eq!(fixture.grace(), 3);
}

#[test]
fn a_secret_of_the_wrong_kind_is_not_told() {
    let fixture = Fixture::new("", &[]);
    for key in ["access]\nusers", "access]\ntoken_keys", "hooks]\nsecret_key"] {
        fixture.write(&format!("[{key} = [[\"canary\"]]\n"));
        let mut words = fixture.reloader.reload().unwrap_err().to_string();
        fixture.write(&format!("[{key} = {{ canary = 1 }}\n"));
        words += &fixture.reloader.reload().unwrap_err().to_string();
        fixture.write(&format!("[{key} = 7777\n"));
        words += &fixture.reloader.reload().unwrap_err().to_string();
        assert!(!words.contains("canary") && !words.contains("7777"), "{words}");
    }
}

#[test]
fn a_key_set_by_a_call_wins_until_the_next_start_or_for_good() {
    let fixture = Fixture::new("[streams]\ngrace_ms = 1 # mine\n", &[]);
    fixture.reloader.set(grace("7"), false).unwrap();
    assert_eq!((fixture.grace(), fixture.text().as_str()), (7, "[streams]\ngrace_ms = 1 # mine\n"));
    fixture.reloader.reload().unwrap();
    assert_eq!(fixture.grace(), 7);
    fixture.reloader.set(grace("8"), true).unwrap();
    assert_eq!((fixture.grace(), fixture.text().as_str()), (8, "[streams]\ngrace_ms = 8 # mine\n"));
    fixture.write("[streams]\ngrace_ms = 9\n");
    fixture.reloader.reload().unwrap();
    assert_eq!(fixture.grace(), 9, "the file holds it now");
    for (set, persist) in [(grace("-1"), false), (grace("\"x\""), true), (grace("13"), false)] {
        fixture.reloader.set(set, persist).unwrap_err();
        assert_eq!((fixture.grace(), fixture.text().as_str()), (9, "[streams]\ngrace_ms = 9\n"));
    }
}

#[test]
fn what_the_environment_says_does_not_undo_what_a_call_has_set_for_good() {
    let fixture = Fixture::new("", &[("HEADWATER__STREAMS__GRACE_MS", "4")]);
    fixture.reloader.set(grace("5"), true).unwrap();
    assert_eq!(fixture.grace(), 5);
    fixture.reloader.reload().unwrap();
    assert_eq!(fixture.grace(), 5);
}
