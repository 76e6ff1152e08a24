//! `noonmark up`: the whole installation on one machine, and how to use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use crate::config::Configuration;

/// Arguments of `up`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noonmark up\n  noonmark up --dir /var/lib/noonmark\n\nStarts `noonmark serve` and `noonmark ca-agent`, prints how to get a first timestamp, and stays: Ctrl-C and SIGTERM end\nall of them, SIGHUP is passed on to the server.\nIn production run the two under a service manager instead."
)]
pub struct UpArguments {}

/// How long the server may take to answer before the instructions are printed all the same.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the server is looked at.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(directory: &Path, _: &UpArguments) -> Result<ExitCode, Failure> {
    let configuration = Configuration::load(directory)?;
    let listen = *configuration
        .http
        .addresses()?
        .first()
        .ok_or_else(|| Failure::new("[http] listen is empty; name at least one address"))?;
    let address = reachable(listen);
    let program = std::env::current_exe().map_err(Failure::doing("finding this program's own file"))?;
    let directory = std::path::absolute(directory).map_err(Failure::doing(directory.display()))?;
    // An installation that joined another has no ca token: its agent runs elsewhere.
    let agent = configuration.token.contains_key("ca").then(|| program.clone());
    let text = instructions(&configuration, &directory, &program, address);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::doing("starting the signal handler"))?;
    let status = runtime.block_on(async {
        // Before there is a server: a signal must never end this process and leave the server behind.
        let signals = Signals::listen()?;
        let mut server = Command::new(program)
            .arg("serve")
            .arg("--dir")
            .arg(&directory)
            .spawn()
            .map_err(Failure::doing("starting `noonmark serve`"))?;
        let mut agent = match &agent {
            None => None,
            Some(program) => match Command::new(program).arg("ca-agent").arg("--dir").arg(&directory).spawn() {
                Ok(agent) => Some(agent),
                Err(error) => {
                    end(&mut server);
                    return Err(Failure::doing("starting `noonmark ca-agent`")(error));
                }
            },
        };
        let watched = watch(&mut server, signals, address, &text).await;
        if watched.is_err() {
            drop(server.kill());
            drop(server.wait());
        }
        // Without the server the agent has nobody to issue for; it ends well, so that its duty is free at once.
        if let Some(agent) = &mut agent {
            end(agent);
        }
        watched
    })?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The signals that are passed on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::doing("listening for signals"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}

/// Waits for the server's end; prints the instructions once it listens, and passes signals on to it.
///
/// The terminal's SIGINT reaches the server as well; a second one does no harm.
async fn watch(
    server: &mut Child,
    mut signals: Signals,
    address: SocketAddr,
    instructions: &str,
) -> Result<ExitStatus, Failure> {
    let pid = server.id().to_string();
    let began = Instant::now();
    let mut told = false;
    let mut look = tokio::time::interval(LOOK);
    loop {
        let name = tokio::select! {
            _ = signals.terminate.recv() => "-TERM",
            _ = signals.interrupt.recv() => "-INT",
            _ = signals.hangup.recv() => "-HUP",
            _ = look.tick() => {
                if let Some(status) = server.try_wait().map_err(Failure::doing("watching `noonmark serve`"))? {
                    if told || status.success() {
                        return Ok(status);
                    }
                    return Err(Failure::new(format!(
                        "`noonmark serve` ended at once ({status}); its message stands above"
                    )));
                }
                if !told && (began.elapsed() > PATIENCE || listens(address)) {
                    print!("{instructions}");
                    std::io::Write::flush(&mut std::io::stdout()).map_err(Failure::doing("standard output"))?;
                    told = true;
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
}

/// Asks a process to end, and waits for it.
fn end(process: &mut Child) {
    let asked = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    if !asked.is_ok_and(|status| status.success()) {
        // It has ended already, or can't be asked.
        drop(process.kill());
    }
    drop(process.wait());
}

fn listens(address: SocketAddr) -> bool {
    std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// An address to be pasted: "every address" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}

/// A word that a POSIX shell reads as it stands.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:=@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn instructions(configuration: &Configuration, directory: &Path, program: &Path, address: SocketAddr) -> String {
    let tls = configuration.http.tls.is_some();
    let url = format!("{}://{address}", if tls { "https" } else { "http" });
    let root = quote(&directory.join("certificates/root.pem"));
    let directory = quote(directory);
    let program = quote(program);
    let own_ca = if tls {
        "With a certificate of your own CA add `--cacert CA.pem` to curl, `--server-ca CA.pem` to noonmark,\n\
         and use the host's name in the certificate instead of the address.\n\n"
    } else {
        ""
    };
    format!(
        "\nNoonmark serves on {url} (timestamps: {url}/tsa, a page: {url}/, state: {url}/readyz).\n\
         \nYour first timestamp, with openssl; paste into another terminal:\n\n\
         \x20 echo 'hello, noon' > hello.txt\n\
         \x20 openssl ts -query -data hello.txt -sha256 -cert -out hello.tsq\n\
         \x20 curl -sS -H 'Content-Type: application/timestamp-query' --data-binary @hello.tsq {url}/tsa -o hello.tsr\n\
         \x20 openssl ts -verify -queryfile hello.tsq -in hello.tsr -CAfile {root}\n\
         \nOr with noonmark itself:\n\n\
         \x20 {program} timestamp hello.txt --server {url}/tsa --root {root}\n\
         \x20 {program} audit verify --dir {directory}\n\
         \n{own_ca}Stop with Ctrl-C.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_one_word() {
        assert_eq!(quote(Path::new("/var/lib/noonmark")), "/var/lib/noonmark");
        assert_eq!(quote(Path::new("/a b/it's")), "'/a b/it'\\''s'");
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
        assert_eq!(reachable("[::]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
    }
}
