//! The memory limit of the server: a cgroup where one can be made, else a limit of its address space.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The limit of the chart, in MiB.
pub const LIMIT_MIB: u32 = 512;
/// Address space where no cgroup can be made, in KiB: threads and allocators reserve more than they use.
const ADDRESS_SPACE_KIB: u64 = 2 << 20;

pub enum MemoryLimit {
    Cgroup(Cgroup),
    AddressSpace,
}

/// A cgroup below the one of this process. It is removed when it is dropped.
pub struct Cgroup {
    directory: PathBuf,
    /// The file with the line `oom_kill N`.
    kills: &'static str,
}

impl MemoryLimit {
    pub fn new() -> Self {
        Cgroup::create().map_or(Self::AddressSpace, Self::Cgroup)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Cgroup(_) => "cgroup",
            Self::AddressSpace => "address space",
        }
    }

    /// The command of a program within the limit. The shell joins the cgroup and becomes the program.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        match self {
            Self::Cgroup(cgroup) => {
                command.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(cgroup.directory.join("cgroup.procs"));
            }
            Self::AddressSpace => {
                command.args(["-c", r#"ulimit -v "$0" && exec "$@""#, &ADDRESS_SPACE_KIB.to_string()]);
            }
        }
        command.arg(program);
        command
    }

    /// How many processes the kernel killed for want of memory.
    pub fn kills(&self) -> u64 {
        let Self::Cgroup(cgroup) = self else { return 0 };
        let events = fs::read_to_string(cgroup.directory.join(cgroup.kills)).unwrap_or_default();
        let count = events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        count.unwrap_or_default()
    }
}

impl Cgroup {
    fn create() -> Option<Self> {
        let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let name = format!("dify-openapi-hostile-load-{}", std::process::id());
        Self::version_1(&cgroups, &name).or_else(|| Self::version_2(&cgroups, &name))
    }

    fn version_1(cgroups: &str, name: &str) -> Option<Self> {
        let own = cgroups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|controller| controller == "memory").then_some(path)
        })?;
        let directory = Path::new("/sys/fs/cgroup/memory").join(own.trim_start_matches('/')).join(name);
        Self::limited(directory, "memory.limit_in_bytes", "memory.oom_control")
    }

    fn version_2(cgroups: &str, name: &str) -> Option<Self> {
        let own = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let parent = Path::new("/sys/fs/cgroup").join(own.trim_start_matches('/'));
        // Fails where the controller is enabled already, or may not be.
        let _ = fs::write(parent.join("cgroup.subtree_control"), "+memory");
        Self::limited(parent.join(name), "memory.max", "memory.events")
    }

    fn limited(directory: PathBuf, limit: &str, kills: &'static str) -> Option<Self> {
        fs::create_dir(&directory).ok()?;
        let cgroup = Self { directory, kills };
        fs::write(cgroup.directory.join(limit), (u64::from(LIMIT_MIB) << 20).to_string()).ok()?;
        Some(cgroup)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.directory);
    }
}
