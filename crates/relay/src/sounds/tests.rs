use std::fs;

use headwater_media::limits;
use hound::{SampleFormat, WavSpec, WavWriter};

use super::*;

fn wav(path: &Path, seconds: u32) {
    let spec = WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(path, spec).unwrap();
    for n in 0..8_000 * seconds {
        writer.write_sample((n % 100) as i16 * 100).unwrap();
    }
    writer.finalize().unwrap();
}

/// A folder `sounds` in a folder of its own, with a file in each and one below.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("sounds");
    fs::create_dir_all(folder.join("below")).unwrap();
    wav(&outer.path().join("outside.wav"), 1);
    wav(&folder.join("wait.wav"), 1);
    wav(&folder.join("below/two words.wav"), 2);
    (outer, folder)
}

#[tokio::test]
async fn files_are_found_in_the_folder_and_below_and_read_once_while_they_are_played() {
    let (_outer, folder) = folder();
    let sounds = Sounds::new(Some(folder.clone()));
    let first = sounds.load("wait.wav").await.unwrap();
    assert_eq!(first.duration().as_millis(), 1_000);
    assert!(Arc::ptr_eq(&first, &sounds.load("wait.wav").await.unwrap()));
    assert_eq!(sounds.load("below/two words.wav").await.unwrap().duration().as_millis(), 2_000);
    wav(&folder.join("wait.wav"), 3);
    assert_eq!(sounds.load("wait.wav").await.unwrap().duration().as_millis(), 3_000, "a new file is read anew");
}

#[tokio::test]
async fn nothing_outside_the_folder_is_opened() {
    let (outer, folder) = folder();
    let sounds = Sounds::new(Some(folder.clone()));
    let absolute = outer.path().join("outside.wav");
    let long = format!("{}.wav", "x".repeat(300));
    let names = [
        "",
        ".",
        "..",
        "/",
        "../outside.wav",
        "below/../wait.wav",
        "below/../../outside.wav",
        "./wait.wav",
        "..\\outside.wav",
        "C:outside.wav",
        "wait.wav/",
        "wait.wav\0",
        "wait\n.wav",
        "/etc/passwd",
        absolute.to_str().unwrap(),
        &long,
    ];
    for name in names {
        let refused = sounds.load(name).await.unwrap_err();
        assert!(matches!(refused, SoundError::Name(_)), "{name:?}: {refused}");
    }
    for name in ["none.wav", "wait.wav/x", "%2e%2e/outside.wav", "..%2foutside.wav", "…/outside.wav"] {
        let refused = sounds.load(name).await.unwrap_err();
        assert!(matches!(refused, SoundError::NotFound(_)), "{name:?}: {refused}");
    }
    assert!(matches!(sounds.load("below").await, Err(SoundError::NoFile(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_inside_the_folder_only_and_devices_are_not_opened() {
    use std::os::unix::fs::symlink;

    let (outer, folder) = folder();
    symlink("wait.wav", folder.join("inside")).unwrap();
    symlink(outer.path().join("outside.wav"), folder.join("out")).unwrap();
    symlink(outer.path(), folder.join("door")).unwrap();
    symlink("gone", folder.join("dangling")).unwrap();
    symlink("/dev/zero", folder.join("zero")).unwrap();
    let sounds = Sounds::new(Some(folder.clone()));
    assert!(sounds.load("inside").await.is_ok());
    for name in ["out", "door/outside.wav", "zero"] {
        let refused = sounds.load(name).await.unwrap_err();
        assert!(matches!(refused, SoundError::Outside(_)), "{name:?}: {refused}");
    }
    assert!(matches!(sounds.load("dangling").await, Err(SoundError::NotFound(_))));
    // The folder itself may be a link.
    symlink(&folder, outer.path().join("linked")).unwrap();
    assert!(Sounds::new(Some(outer.path().join("linked"))).load("wait.wav").await.is_ok());
}

#[tokio::test]
async fn what_is_no_sound_or_too_much_of_it_is_refused_with_the_reason() {
    let (_outer, folder) = folder();
    let sounds = Sounds::new(Some(folder.clone()));
    fs::write(folder.join("text.wav"), "no sound").unwrap();
    let refused = sounds.load("text.wav").await.unwrap_err();
    assert!(matches!(refused, SoundError::Contents { .. }), "{refused}");

    let large = fs::File::create(folder.join("large.wav")).unwrap();
    large.set_len(limits::SOUND_FILE_BYTES.get() + 1).unwrap();
    let hits = limits::SOUND_FILE_BYTES.hits();
    let refused = sounds.load("large.wav").await.unwrap_err();
    assert!(matches!(refused, SoundError::TooLarge { .. }), "{refused}");
    assert!(limits::SOUND_FILE_BYTES.hits() > hits);

    let mut held = Vec::new();
    for number in 0..=limits::SOUNDS.get() {
        let name = format!("{number}.wav");
        wav(&folder.join(&name), 1);
        held.push(sounds.load(&name).await);
    }
    assert!(matches!(held.pop(), Some(Err(SoundError::TooMany { limit: 8 }))), "{held:?}");
    assert!(held.iter().all(Result::is_ok));
    held.pop();
    assert!(sounds.load("wait.wav").await.is_ok(), "one that is no longer played makes room");

    let missing = Sounds::new(Some(folder.join("none"))).load("wait.wav").await;
    assert!(matches!(missing, Err(SoundError::NotFound(_))), "{missing:?}");
    assert!(matches!(Sounds::new(None).load("wait.wav").await, Err(SoundError::NoFolder)));
}
