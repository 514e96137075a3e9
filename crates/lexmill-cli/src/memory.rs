//! How much memory this process may have: the machine's, or less where a container or a batch system
//! says so by a control group.

use std::path::{Component, Path};

/// Bytes of memory that there are for this process, if the system says.
pub(crate) fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    [kib.map(|kib| kib * 1024), limit(&own, Path::new("/sys/fs/cgroup"))]
        .into_iter()
        .flatten()
        .min()
}

/// The lowest limit of memory among the control groups in `own`, as `/proc/self/cgroup` names them, and
/// those above them. `root` is where control groups are mounted: of version 2 all of them, or beside
/// those of version 1 in `unified`; of version 1 those of memory in `memory`. In a container the names
/// may be those outside of it; its own group is the root there.
fn limit(own: &str, root: &Path) -> Option<u64> {
    let mut limits = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (roots, file) = match controllers {
            "" => (vec![root.to_owned(), root.join("unified")], "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (vec![root.join("memory")], "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(group);
        if group.components().any(|part| part == Component::ParentDir) {
            continue;
        }
        let group = group.strip_prefix("/").unwrap_or(group);
        for root in roots {
            for group in group.ancestors() {
                let text = std::fs::read_to_string(root.join(group).join(file));
                // "max" is no limit.
                limits.extend(text.ok().and_then(|text| text.trim().parse::<u64>().ok()));
            }
        }
    }
    limits.into_iter().min()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_of_all_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let find = |own: &str| limit(own, root.path());
        write("memory.max", "max\n");
        write("batch/memory.max", "4294967296\n");
        write("batch/job/memory.max", "max\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/batch/memory.limit_in_bytes", "2147483648\n");
        write("unified/other/memory.max", "1048576\n");
        assert_eq!(find("0::/\n"), None);
        assert_eq!(find("0::/batch/job\n"), Some(4 << 30));
        // Named as outside of the container.
        assert_eq!(find("0::/not/here\n"), None);
        assert_eq!(find("3:cpuset:/batch\n0::/\n"), None);
        assert_eq!(find("4:cpu,memory:/batch/job\n0::/batch\n"), Some(2 << 30));
        assert_eq!(find("4:memory:/\n0::/other\n"), Some(1 << 20));
        assert_eq!(find("0::/../batch\nnonsense\n"), None);
    }
}
