//! The tools that build the examples and the generated clients. `tests/run` installs them.

use std::{
    ffi::OsStr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::command::succeeded;

/// The folder with the tools.
pub struct ClientTools(PathBuf);

impl ClientTools {
    /// `None` with a message without `TEST_CLIENT_TOOLS`, which `tests/run` sets. With it a missing tool fails the
    /// test.
    pub fn find() -> Option<Self> {
        let found = std::env::var_os("TEST_CLIENT_TOOLS");
        if found.is_none() {
            eprintln!("no TEST_CLIENT_TOOLS: tests/run sets it");
        }
        found.map(|folder| Self(folder.into()))
    }

    /// A program of the folder, which finds the folder's other programs.
    pub fn program(&self, name: &str) -> Command {
        let programs = self.0.join("bin");
        let mut command = Command::new(programs.join(name));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }

    /// Copies the files of a Node.js package of this repository to a directory, with its installed dependencies.
    pub fn node_package(&self, source: &str, directory: &Path) {
        copy_files(source, directory);
        let package = Path::new(source).file_name().unwrap();
        symlink(self.0.join(package).join("node_modules"), directory.join("node_modules")).unwrap();
    }

    /// Builds a package of a GOPATH. Its dependencies are Debian's packages.
    pub fn go_build(&self, go_path: &Path, package: &str) -> PathBuf {
        let program = go_path.join("program");
        let mut command = Command::new("go");
        command.args(["build", "-o"]).arg(&program).arg(package);
        command.env("GOPATH", format!("{}:/usr/share/gocode", go_path.display())).env("GO111MODULE", "off");
        command.env("GOCACHE", self.0.join("go-cache")).env("GOFLAGS", "");
        run(&mut command);
        program
    }
}

/// Runs a program of an installed Node.js package in its directory.
pub fn node_program(directory: &Path, name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(directory.join("node_modules/.bin").join(name));
    run(command.args(arguments).current_dir(directory))
}

/// Runs a command that must succeed. Returns its output and its errors.
pub fn run(command: &mut Command) -> String {
    let output = tokio::task::block_in_place(|| command.output());
    let (stdout, stderr) = succeeded(output.unwrap_or_else(|error| panic!("{command:?}: {error}")));
    stdout + &stderr
}

/// Copies the files of a folder of this repository, without its subfolders.
pub fn copy_files(source: impl AsRef<OsStr>, directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    for file in std::fs::read_dir(repository().join(source.as_ref())).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), directory.join(file.file_name())).unwrap();
        }
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
