//! The memory that the process may use: the limit of its cgroup (version 2, then 1), or the memory of the machine.

use std::{
    fs,
    path::{Component, Path},
};

/// What is assumed where nothing can be read, as on systems other than Linux.
const ASSUMED: usize = 1 << 30;

/// Where the figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemorySource {
    CgroupV2,
    CgroupV1,
    Machine,
    Assumed,
}

impl MemorySource {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupV1 => "cgroup v1",
            Self::Machine => "machine",
            Self::Assumed => "assumed",
        }
    }
}

/// The memory that the process may use, in bytes. `root` is `/` outside tests.
pub(crate) fn detect(root: &Path) -> (usize, MemorySource) {
    let cgroups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let machine = machine_bytes(root).map(|bytes| (bytes, MemorySource::Machine));
    let found = [cgroup_v2_bytes(root, &cgroups), cgroup_v1_bytes(root, &cgroups), machine];
    // The smallest applies; the first of equal ones is named.
    found.into_iter().flatten().min_by_key(|(bytes, _)| *bytes).unwrap_or((ASSUMED, MemorySource::Assumed))
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB.
fn machine_bytes(root: &Path) -> Option<usize> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok()?.checked_mul(1024)
}

/// The line of version 2 is `0::PATH`. A hybrid system mounts it at `unified`.
fn cgroup_v2_bytes(root: &Path, cgroups: &str) -> Option<(usize, MemorySource)> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = ["sys/fs/cgroup", "sys/fs/cgroup/unified"];
    let limits = mounts.iter().filter_map(|mount| smallest(&root.join(mount), path, "memory.max"));
    Some((limits.min()?, MemorySource::CgroupV2))
}

/// Lines of version 1 are `NUMBER:CONTROLLERS:PATH`.
fn cgroup_v1_bytes(root: &Path, cgroups: &str) -> Option<(usize, MemorySource)> {
    let path = cgroups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|controller| controller == "memory").then_some(path)
    })?;
    let limit = smallest(&root.join("sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")?;
    Some((limit, MemorySource::CgroupV1))
}

/// The smallest limit of a cgroup and of those around it. In a container the path may be one of the host, of which only
/// the mount itself is visible.
fn smallest(mount: &Path, path: &str, file: &str) -> Option<usize> {
    let inner = Path::new(path.trim_start_matches('/'));
    let is_plain = inner.components().all(|component| matches!(component, Component::Normal(_)));
    let ancestors = inner.ancestors().filter(|_| is_plain).map(|ancestor| mount.join(ancestor));
    ancestors.chain([mount.to_owned()]).filter_map(|directory| limit(&directory.join(file))).min()
}

/// A limit in bytes; `None` for `max` and for version 1's largest number.
fn limit(file: &Path) -> Option<usize> {
    let bytes = fs::read_to_string(file).ok()?.trim().parse::<usize>().ok()?;
    (bytes < 1 << 60).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and contents.
    type Files<'a> = &'a [(&'a str, &'a str)];

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        8000000 kB\nMemFree:  1 kB\n");

    fn detected(files: Files<'_>) -> (usize, MemorySource) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        detect(root.path())
    }

    #[test]
    fn limit_of_the_cgroup_comes_before_the_memory_of_the_machine() {
        let v2 = ("proc/self/cgroup", "0::/kubepods/pod1/app\n");
        let v1 = ("proc/self/cgroup", "12:pids:/\n4:cpu,memory:/docker/1\n0::/\n");
        let table: &[(Files<'_>, usize, MemorySource)] = &[
            (&[], ASSUMED, MemorySource::Assumed),
            (&[MEMINFO], 8_192_000_000, MemorySource::Machine),
            (&[MEMINFO, v2, ("sys/fs/cgroup/memory.max", "max\n")], 8_192_000_000, MemorySource::Machine),
            // In a container the path is not visible, only the mount.
            (&[MEMINFO, v2, ("sys/fs/cgroup/memory.max", "536870912\n")], 512 << 20, MemorySource::CgroupV2),
            (
                &[
                    MEMINFO,
                    v2,
                    ("sys/fs/cgroup/kubepods/pod1/memory.max", "268435456"),
                    ("sys/fs/cgroup/kubepods/pod1/app/memory.max", "max"),
                    ("sys/fs/cgroup/kubepods/memory.max", "536870912"),
                ],
                256 << 20,
                MemorySource::CgroupV2,
            ),
            (
                &[MEMINFO, v1, ("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "134217728\n")],
                128 << 20,
                MemorySource::CgroupV1,
            ),
            (
                &[MEMINFO, v1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")],
                8_192_000_000,
                MemorySource::Machine,
            ),
            (
                &[MEMINFO, ("proc/self/cgroup", "0::/../../x\n"), ("sys/fs/cgroup/memory.max", "99999744\n")],
                99_999_744,
                MemorySource::CgroupV2,
            ),
            (&[("proc/meminfo", "nothing")], ASSUMED, MemorySource::Assumed),
        ];
        for (files, bytes, source) in table {
            assert_eq!(detected(files), (*bytes, *source), "{files:?}");
        }
    }
}
