//! The data directory: its path, its permissions, and the secret key in it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::*;
use crate::config::data_dir::DataDirError;

#[test]
fn dev_creates_its_secret_key_once_for_the_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let options = DevOptions { listen: "127.0.0.1:0".parse().unwrap(), data_dir: path.clone() };
    let key = || Config::for_dev(&options, &|_| None).unwrap().secrets.secret_key.expose().to_owned();
    let first = key();
    assert_eq!((first.len(), &key()), (43, &first));
    assert_eq!(fs::metadata(path.join("secret_key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let env = map(&[("SECRET_KEY", KEY)]);
    let given = Config::for_dev(&options, &source(&env)).unwrap();
    assert_eq!(given.secrets.secret_key.expose(), KEY);
}

#[test]
fn data_directory_has_one_process_and_clearing_it_keeps_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataDirLock::acquire(dir.path()).unwrap();
    assert!(matches!(DataDirLock::acquire(dir.path()), Err(DataDirError::InUse(_))));
    for name in ["dify-openapi.db", "dify-openapi.db-wal", "secret_key", "thesis.txt"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    lock.clear().unwrap();
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["lock", "thesis.txt"]);
    drop(lock);
    assert!(DataDirLock::acquire(dir.path()).is_ok());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn existing_directory_and_files_become_accessible_by_their_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let files = ["dify-openapi.db", "dify-openapi.db-wal", "dify-openapi.db-shm", "secret_key", "lock"];
    for name in files {
        fs::write(dir.path().join(name), "").unwrap();
        set_mode(&dir.path().join(name), 0o644);
    }
    set_mode(dir.path(), 0o755);
    let _lock = DataDirLock::acquire(dir.path()).unwrap();
    assert_eq!(mode(dir.path()), 0o700);
    for name in files {
        assert_eq!(mode(&dir.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn open_directory_with_files_of_other_programs_is_rejected_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "x").unwrap();
    set_mode(dir.path(), 0o755);
    let error = DataDirLock::acquire(dir.path()).unwrap_err();
    let command = format!("chmod 700 {}", dir.path().display());
    assert!(matches!(error, DataDirError::Shared { .. }) && error.to_string().contains(&command), "{error}");
    assert_eq!(mode(dir.path()), 0o755);
    set_mode(dir.path(), 0o700);
    assert!(DataDirLock::acquire(dir.path()).is_ok());
}

#[test]
fn file_of_the_embedded_database_is_created_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let pairs = [("DATA_DIR", path), ("DATABASE_URL", ""), ("REDIS_URL", "")];
    serve(&pairs).unwrap().create_data_dir().unwrap();
    assert_eq!(mode(&dir.path().join("dify-openapi.db")), 0o600);

    let elsewhere = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/other.db", dir.path().display());
    let pairs = [("DATA_DIR", elsewhere.path().to_str().unwrap()), ("DATABASE_URL", &url), ("REDIS_URL", "")];
    serve(&pairs).unwrap().create_data_dir().unwrap();
    assert!(!elsewhere.path().join("dify-openapi.db").exists());
}

#[test]
fn data_directory_of_the_user_is_the_default() {
    let table: &[(Pairs, Option<&str>)] = &[
        (&[("HOME", "/home/ada")], Some("/home/ada/.local/share/dify-openapi")),
        (&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data/ada")], Some("/data/ada/dify-openapi")),
        (&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "relative")], Some("/home/ada/.local/share/dify-openapi")),
        (&[("HOME", "/home/ada"), ("DATA_DIR", "/srv/dify")], Some("/srv/dify")),
        (&[], None),
    ];
    for (pairs, expected) in table {
        let env = map(pairs);
        let found = Config::dev_data_dir(&source(&env)).ok();
        assert_eq!(found.as_deref(), expected.map(Path::new), "{pairs:?}");
    }
}

#[test]
fn operator_commands_use_the_key_of_dev() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let bare = map(&[("DATA_DIR", path)]);
    assert_eq!(sentences(Config::for_operator(&source(&bare))).len(), 2, "there is no key yet");
    fs::write(directory.path().join("secret_key"), format!("{KEY}\n")).unwrap();

    let config = Config::for_operator(&source(&bare)).unwrap();
    assert_eq!(config.secrets.secret_key.expose(), KEY);
    assert!(!config.deployment.mode.is_development());
    assert_eq!(sentences(Config::for_serve(&source(&bare))).len(), 2, "a server has a key of its own");
    let given = map(&[("DATA_DIR", path), ("SECRET_KEY", "another-key-that-is-long-enough-0001")]);
    assert_eq!(sentences(Config::for_operator(&source(&given))).len(), 1, "it wins, and names no URL");
    let elsewhere = map(&[("DATA_DIR", path), ("DATABASE_URL", "sqlite:///elsewhere/dify.db")]);
    assert_eq!(sentences(Config::for_operator(&source(&elsewhere))).len(), 2);
}
