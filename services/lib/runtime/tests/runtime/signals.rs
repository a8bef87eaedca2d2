//! SIGTERM asks, a second one insists: tried on a child process, which is this test binary in another role.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rootstock_runtime::Shutdown;

/// Set for the child.
const CHILD: &str = "ROOTSTOCK_TEST_SIGNALLED_CHILD";

fn child() -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().unwrap();
        println!("\nready");
        shutdown.requested().await;
        println!("\nrequested");
        std::future::pending::<()>().await;
    });
    unreachable!("it waits for the second signal")
}

#[test]
fn the_first_signal_requests_shutdown_and_the_second_exits() {
    if std::env::var_os(CHILD).is_some() {
        child();
    }
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "signals::the_first_signal_requests_shutdown_and_the_second_exits", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = process.id().to_string();
    let terminate = || {
        let kill = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(kill.success());
    };
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "ready"));
    terminate();
    assert!(lines.any(|line| line == "requested"));
    terminate();
    assert_eq!(process.wait().unwrap().code(), Some(130));
}
