//! A host of its own for a process: a network namespace, with a cable to the host of the test for each way. A cable can
//! lose packets in either direction, as a broken network does: neither end sees it.
//!
//! The test has to be in a namespace, too (`Namespace::Network`): without routes to other networks nothing leaves it.

use std::{
    net::Ipv4Addr,
    process::{Child, ChildStdin, Command, Stdio},
};

use super::namespace::run;

/// A namespace. It ends with its last process.
pub struct Network {
    /// Waits for the end of its input, so that it ends with the test.
    keeper: Child,
    _input: ChildStdin,
}

impl Network {
    /// Makes one without cables.
    pub fn new() -> Self {
        let mut keeper = Command::new("unshare").args(["--net", "--", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
        let input = keeper.stdin.take().unwrap();
        let network = Self { keeper, _input: input };
        // Before that it is on the host of the test.
        let own = namespace_of("self");
        while namespace_of(&network.keeper.id().to_string()) == own {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        run(network.command("ip").args(["link", "set", "lo", "up"]));
        network
    }

    /// Begins a command in the namespace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.keeper.id())).arg("--").arg(program);
        command
    }

    /// Connects it with the host of the test. Each cable has a number from 0 to 63.
    pub fn connect(&self, number: u8) -> Cable {
        let cable = Cable {
            number,
            keeper: self.keeper.id(),
            here: Ipv4Addr::new(192, 0, 2, 4 * number + 1),
            there: Ipv4Addr::new(192, 0, 2, 4 * number + 2),
        };
        let (near, far) = (cable.near(), cable.far());
        let keeper = self.keeper.id().to_string();
        run(Command::new("ip").args(["link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &keeper]));
        let ends = [(Command::new("ip"), &near, cable.here), (self.command("ip"), &far, cable.there)];
        for (mut ip, device, address) in ends {
            let batch = format!("addr add {address}/30 dev {device}\nlink set {device} up\n");
            feed(ip.args(["-batch", "-"]), &batch);
        }
        cable
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.keeper.kill().unwrap();
        self.keeper.wait().unwrap();
    }
}

/// A way between the host of the test and a namespace.
pub struct Cable {
    number: u8,
    keeper: u32,
    /// The address of the test.
    pub here: Ipv4Addr,
    /// The address of the namespace.
    pub there: Ipv4Addr,
}

/// What a cable loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What the namespace sends.
    Requests,
    /// What the test sends to the namespace.
    Replies,
    Both,
}

impl Cable {
    fn near(&self) -> String {
        format!("near{}", self.number)
    }

    fn far(&self) -> String {
        format!("far{}", self.number)
    }

    /// Loses packets until `repair`.
    pub fn lose(&self, loss: Loss) {
        self.set_queue("add", loss);
    }

    /// Ends what `lose` began.
    pub fn repair(&self, loss: Loss) {
        self.set_queue("del", loss);
    }

    /// Adds or removes a queue that swallows what is sent.
    fn set_queue(&self, action: &str, loss: Loss) {
        if loss != Loss::Requests {
            run(Command::new("tc").args(["qdisc", action, "dev", &self.near(), "root", "blackhole"]));
        }
        if loss != Loss::Replies {
            let network = format!("--net=/proc/{}/ns/net", self.keeper);
            let queue = ["qdisc", action, "dev", &self.far(), "root", "blackhole"];
            run(Command::new("nsenter").args([&network, "--", "tc"]).args(queue));
        }
    }
}

/// The namespace of a process, as the kernel names it.
fn namespace_of(process: &str) -> std::path::PathBuf {
    std::fs::read_link(format!("/proc/{process}/ns/net")).unwrap()
}

fn feed(command: &mut Command, input: &str) {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}");
}
