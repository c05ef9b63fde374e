//! The keys: made on first start, one file beside the data, readable by its owner alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// Every secret of one installation: losing the file loses the people, leaking it reveals them.
pub struct KeyRing {
    pub(super) index: hmac::Key,
    pub(super) pickup: hmac::Key,
    secrets: Secrets,
}

struct Secrets {
    index: [u8; 32],
    pickup: [u8; 32],
    sealing: BTreeMap<u32, [u8; 32]>,
}

/// The file's layout; secrets are lower-case hex.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    index: String,
    pickup: String,
    sealing: BTreeMap<String, String>,
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// There is none.
    #[error("there is no key file {0}; check --data, or begin an installation with `serve`")]
    Absent(String),
    /// It cannot be read or written.
    #[error("the key file {path} cannot be used: {source}")]
    File {
        /// Where it should be.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others could read it.
    #[error("the key file {0} can be read by others; run `chmod 600` on it")]
    Open(String),
    /// It is not a key file.
    #[error("the key file {0} is damaged; restore it from its backup")]
    Damaged(String),
}

impl KeyRing {
    /// Fresh keys.
    pub fn generate() -> Self {
        Self::from_secrets(Secrets {
            index: random(),
            pickup: random(),
            sealing: BTreeMap::from([(1, random())]),
        })
    }

    /// Reads the key file.
    pub fn read(path: &Path) -> Result<Self, KeyRingError> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => KeyRingError::Absent(path.display().to_string()),
            _ => file_error(path, source),
        })?;
        Self::parse(path, &text)
    }

    /// Reads the key file, or makes it with permissions 0600 when there is none; of several
    /// first starts at once one makes it.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyRingError> {
        if path.exists() {
            return Self::read(path);
        }
        let ring = Self::generate();
        match ring.save(path, |whole| fs::hard_link(whole, path)) {
            Ok(()) => Ok(ring),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(source) => Err(file_error(path, source)),
        }
    }

    /// Adds a sealing key that everything new is sealed with, and gives its number; older values
    /// still open.
    pub fn rotate(&mut self) -> u32 {
        let id = self.newest().0 + 1;
        self.secrets.sealing.insert(id, random());
        id
    }

    /// Writes the ring back to its file, durably and in one step.
    pub fn replace(&self, path: &Path) -> Result<(), KeyRingError> {
        self.save(path, |whole| fs::rename(whole, path)).map_err(|source| file_error(path, source))
    }

    pub(super) fn newest(&self) -> (u32, &[u8; 32]) {
        let (id, key) = self.secrets.sealing.last_key_value().expect("a ring has a sealing key");
        (*id, key)
    }

    pub(super) fn sealing(&self, id: u32) -> Option<&[u8; 32]> {
        self.secrets.sealing.get(&id)
    }

    fn from_secrets(secrets: Secrets) -> Self {
        Self {
            index: hmac::Key::new(hmac::HMAC_SHA256, &secrets.index),
            pickup: hmac::Key::new(hmac::HMAC_SHA256, &secrets.pickup),
            secrets,
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyRingError> {
        let damaged = || KeyRingError::Damaged(path.display().to_string());
        let mode = fs::metadata(path).map_err(|source| file_error(path, source))?.permissions();
        if mode.mode() & 0o077 != 0 {
            return Err(KeyRingError::Open(path.display().to_string()));
        }
        let stored: Stored = serde_json::from_str(text).map_err(|_json| damaged())?;
        let sealing: Option<BTreeMap<u32, [u8; 32]>> = stored
            .sealing
            .iter()
            .map(|(id, secret)| Some((id.parse().ok()?, secret_from_hex(secret)?)))
            .collect();
        let secrets = Secrets {
            index: secret_from_hex(&stored.index).ok_or_else(damaged)?,
            pickup: secret_from_hex(&stored.pickup).ok_or_else(damaged)?,
            sealing: sealing.filter(|keys| !keys.is_empty()).ok_or_else(damaged)?,
        };
        Ok(Self::from_secrets(secrets))
    }

    /// Writes the ring whole beside `path` and lets `place` put it there, so that whatever
    /// interrupts it leaves no half a key file; both are on disk before anybody is sealed.
    fn save(&self, path: &Path, place: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let stored = Stored {
            index: HEXLOWER.encode(&self.secrets.index),
            pickup: HEXLOWER.encode(&self.secrets.pickup),
            sealing: self
                .secrets
                .sealing
                .iter()
                .map(|(id, key)| (id.to_string(), HEXLOWER.encode(key)))
                .collect(),
        };
        let text = serde_json::to_string_pretty(&stored).expect("strings always serialise");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut whole = tempfile::Builder::new().prefix("keys.").tempfile_in(folder)?;
        whole.write_all(text.as_bytes())?;
        whole.as_file().sync_all()?;
        place(whole.path())?;
        fs::File::open(folder)?.sync_all()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("newest", &self.newest().0).finish_non_exhaustive()
    }
}

fn file_error(path: &Path, source: std::io::Error) -> KeyRingError {
    KeyRingError::File { path: path.display().to_string(), source }
}

fn random() -> [u8; 32] {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).expect("the system's random source never fails");
    secret
}

fn secret_from_hex(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_a_file_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let made = KeyRing::open_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = KeyRing::open_or_create(&path).unwrap();
        assert_eq!(made.person_key("passport", "X1"), read.person_key("passport", "X1"));
    }

    #[test]
    fn of_several_first_starts_at_once_one_makes_the_keys() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keys.json");
            let start = std::sync::Barrier::new(4);
            let open = || {
                start.wait();
                KeyRing::open_or_create(&path).unwrap().person_key("passport", "X1")
            };
            let keys: Vec<_> = std::thread::scope(|scope| {
                let starts = [(); 4].map(|()| scope.spawn(open));
                starts.map(|start| start.join().unwrap()).into()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        }
    }

    #[test]
    fn a_file_others_can_read_and_a_damaged_one_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        KeyRing::open_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyRing::open_or_create(&path), Err(KeyRingError::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{}").unwrap();
        assert!(matches!(KeyRing::open_or_create(&path), Err(KeyRingError::Damaged(_))));
    }

    #[test]
    fn a_rotated_ring_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let mut ring = KeyRing::open_or_create(&path).unwrap();
        assert_eq!(ring.rotate(), 2);
        ring.replace(&path).unwrap();
        assert_eq!(KeyRing::open_or_create(&path).unwrap().newest().0, 2);
    }
}
