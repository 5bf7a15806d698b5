//! The folder of sound files: names are found inside it and nowhere else.

use std::{
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
    sync::{Arc, Weak},
    time::SystemTime,
};

use headwater_media::limits;
use headwater_transcode::Clip;
use tokio::sync::Mutex;

/// The longest name of a sound file, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Why a sound file cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoundError {
    /// Configuration: no folder is named.
    #[error("this server has no folder of sound files; name one as sounds in [relay]")]
    NoFolder,
    /// Request: it is no relative path of plain names.
    #[error("{0:?} is no name of a file in the folder of sounds, such as \"wait.wav\"")]
    Name(String),
    /// Request: there is no such file.
    #[error("there is no sound file {0:?}")]
    NotFound(String),
    /// Request: it is a link that leads elsewhere.
    #[error("the sound file {0:?} is a link that leads out of the folder of sounds")]
    Outside(String),
    /// Request: it is a folder or a device.
    #[error("{0:?} is no file")]
    NoFile(String),
    /// The limit `SOUND_FILE_BYTES`.
    #[error("the sound file {name:?} has {bytes} bytes; at most {limit} are taken")]
    TooLarge {
        /// Its name.
        name: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Request: its contents are not what is read.
    #[error("{name:?}: {error}")]
    Contents {
        /// Its name.
        name: String,
        /// What is wrong with it.
        error: headwater_transcode::Error,
    },
    /// Request: the stream's sound is none that a file can take the place of.
    #[error("no file can be played in place of this stream's sound: {0}")]
    Track(headwater_transcode::Error),
    /// The limit `SOUNDS`.
    #[error("{limit} sound files are being played already, which is the limit")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// Machine: the file cannot be read.
    #[error("the sound file {name:?} cannot be read: {error}")]
    Read {
        /// Its name.
        name: String,
        /// What the system says.
        error: io::Error,
    },
}

/// Reads sound files, each once for all that play it.
#[derive(Debug, Default)]
pub(crate) struct Sounds {
    folder: Option<PathBuf>,
    loaded: Arc<Mutex<Vec<Loaded>>>,
}

#[derive(Debug)]
struct Loaded {
    file: Found,
    clip: Weak<Clip>,
}

/// A file as it was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Sounds {
    pub(crate) fn new(folder: Option<PathBuf>) -> Sounds {
        Sounds { folder, loaded: Arc::default() }
    }

    /// The sound of a file. It is read and decoded where no media waits for it, one file at a time.
    ///
    /// # Errors
    /// The name, the file or its contents cannot be used, or too many are held in memory.
    pub(crate) async fn load(&self, name: &str) -> Result<Arc<Clip>, SoundError> {
        let folder = self.folder.clone().ok_or(SoundError::NoFolder)?;
        check(name)?;
        let mut loaded = self.loaded.clone().lock_owned().await;
        let asked = name.to_owned();
        let task = tokio::task::spawn_blocking(move || {
            loaded.retain(|loaded| loaded.clip.strong_count() > 0);
            let file = find(&folder, &asked)?;
            let same = loaded.iter().find(|loaded| loaded.file == file);
            if let Some(clip) = same.and_then(|loaded| loaded.clip.upgrade()) {
                return Ok(clip);
            }
            let limit = limits::SOUNDS.get();
            if loaded.len() as u64 >= limit {
                limits::SOUNDS.hit();
                return Err(SoundError::TooMany { limit });
            }
            let clip = Arc::new(read(&file, &asked)?);
            loaded.push(Loaded { file, clip: Arc::downgrade(&clip) });
            Ok(clip)
        });
        let name = name.to_owned();
        task.await.unwrap_or_else(|error| Err(SoundError::Read { name, error: io::Error::other(error) }))
    }
}

/// A name is one or more plain names with slashes between them.
fn check(name: &str) -> Result<(), SoundError> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let is_sane = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.contains(['\\', ':'])
        && !name.chars().any(char::is_control)
        && !name.ends_with('/')
        && Path::new(name).components().all(is_plain);
    is_sane.then_some(()).ok_or_else(|| SoundError::Name(name.chars().take(100).collect()))
}

/// The file of a name; links are followed first, and must lead to a place inside.
fn find(folder: &Path, name: &str) -> Result<Found, SoundError> {
    let refuse = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SoundError::NotFound(name.to_owned()),
        _ => SoundError::Read { name: name.to_owned(), error },
    };
    let folder = folder.canonicalize().map_err(refuse)?;
    let path = folder.join(name).canonicalize().map_err(refuse)?;
    if !path.starts_with(&folder) {
        return Err(SoundError::Outside(name.to_owned()));
    }
    let facts = path.metadata().map_err(refuse)?;
    if !facts.is_file() {
        return Err(SoundError::NoFile(name.to_owned()));
    }
    let (bytes, limit) = (facts.len(), limits::SOUND_FILE_BYTES.get());
    if bytes > limit {
        limits::SOUND_FILE_BYTES.hit();
        return Err(SoundError::TooLarge { name: name.to_owned(), bytes, limit });
    }
    Ok(Found { path, bytes, modified: facts.modified().ok() })
}

fn read(file: &Found, name: &str) -> Result<Clip, SoundError> {
    let refuse = |error| SoundError::Read { name: name.to_owned(), error };
    let mut bytes = Vec::new();
    // It may grow while it is read.
    let most = limits::SOUND_FILE_BYTES.get();
    File::open(&file.path).map_err(refuse)?.take(most).read_to_end(&mut bytes).map_err(refuse)?;
    Clip::read_wav(&bytes).map_err(|error| SoundError::Contents { name: name.to_owned(), error })
}

#[cfg(test)]
mod tests;
