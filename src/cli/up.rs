//! `noonmark up`: the whole installation on one machine, and how to use it.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;

use super::Failure;
use crate::config::Configuration;

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct UpArguments {}

/// How long the server may take to answer before the instructions are printed all the same.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(directory: &Path, _: &UpArguments) -> Result<ExitCode, Failure> {
    let configuration = Configuration::load(directory)?;
    let program = std::env::current_exe().map_err(Failure::doing("finding this program's own file"))?;
    let mut server = Command::new(program)
        .arg("serve")
        .arg("--dir")
        .arg(directory)
        .spawn()
        .map_err(Failure::doing("starting `noonmark serve`"))?;

    let address = configuration.http.addresses()?[0];
    let began = Instant::now();
    while began.elapsed() < PATIENCE
        && std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err()
    {
        if let Some(status) = server.try_wait().map_err(Failure::doing("watching `noonmark serve`"))? {
            return Err(Failure::new(format!("`noonmark serve` ended at once ({status}); its message stands above")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    print!("{}", instructions(&configuration, directory, &address.to_string()));
    // The terminal's SIGINT reaches the child as well; other signals are passed on.
    let status = forward_signals(&mut server)?;
    Ok(if status { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn instructions(configuration: &Configuration, directory: &Path, address: &str) -> String {
    let scheme = if configuration.http.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    let directory = directory.display();
    format!(
        "\nNoonmark serves on {url} (timestamps: {url}/tsa, a page: {url}/, state: {url}/readyz).\n\
         \nYour first timestamp, with openssl; paste into another terminal:\n\n\
         \x20 echo 'hello, noon' > hello.txt\n\
         \x20 openssl ts -query -data hello.txt -sha256 -cert -out hello.tsq\n\
         \x20 curl -sS -H 'Content-Type: application/timestamp-query' --data-binary @hello.tsq {url}/tsa -o hello.tsr\n\
         \x20 openssl ts -verify -queryfile hello.tsq -in hello.tsr -CAfile {directory}/certificates/root.pem\n\
         \nOr with noonmark itself:\n\n\
         \x20 noonmark timestamp hello.txt --server {url}/tsa --root {directory}/certificates/root.pem -o hello-2.tsr\n\
         \x20 noonmark audit verify --dir {directory}\n\
         \nStop with Ctrl-C.\n"
    )
}

/// Waits for the child; SIGTERM, SIGINT and SIGHUP are passed on to it.
fn forward_signals(server: &mut std::process::Child) -> Result<bool, Failure> {
    let pid = server.id().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::doing("starting the signal handler"))?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(Failure::doing("listening for signals"));
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "-TERM",
                _ = interrupt.recv() => "-INT",
                _ = hangup.recv() => "-HUP",
                _ = tick.tick() => {
                    if let Some(status) = server.try_wait().map_err(Failure::doing("watching `noonmark serve`"))? {
                        return Ok(status.success());
                    }
                    continue;
                }
            };
            // `kill` the program: sending a signal from here would need code outside safe Rust.
            let sent = Command::new("kill").args([name, &pid]).status().map_err(Failure::doing("kill"))?;
            if !sent.success() {
                tracing::debug!(name, "the server had ended already");
            }
        }
    })
}
