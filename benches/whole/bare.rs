//! A bare actix server in a process of its own, which gives the octets and headers that it was told, and nginx beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::StreamExt as _;

use super::http::Response;
use super::server::free_port;
use super::setup::home;

const FILE: &str = "NOONMARK_BENCH_BARE";
const PORT: &str = "NOONMARK_BENCH_BARE_PORT";

/// A server that answers one thing; killed when dropped.
pub(crate) struct Bare {
    child: Child,
    pub(crate) port: u16,
}

#[derive(Clone)]
struct Canned {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: web::Bytes,
}

/// Headers that a server writes by itself.
const OWN: [&str; 3] = ["content-length", "date", "connection"];

impl Bare {
    /// actix-web, answering a GET or POST of any path as `response` did.
    pub(crate) fn actix(name: &str, response: &Response) -> Self {
        let file = home().join(name);
        let mut text = String::new();
        for (header, value) in &response.headers {
            if !OWN.contains(&header.to_ascii_lowercase().as_str()) {
                writeln!(text, "{header}: {value}").expect("a String takes everything");
            }
        }
        std::fs::write(file.with_extension("headers"), text).expect("the headers");
        std::fs::write(&file, &response.body).expect("the body");
        let port = free_port();
        let child = Command::new(std::env::current_exe().expect("this program"))
            .env(FILE, &file)
            .env(PORT, port.to_string())
            .spawn()
            .expect("a bare server");
        Self { child, port }.ready()
    }

    /// nginx, giving a static file of the response's size.
    pub(crate) fn nginx(response: &Response) -> Self {
        let root = home().join("nginx");
        std::fs::create_dir_all(&root).expect("a directory");
        std::fs::write(root.join("answer"), &response.body).expect("the file");
        let port = free_port();
        let at = root.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("{what}_temp_path {at}/{what};\n"))
            .collect();
        // As root nginx gives its workers to a user who can't enter the benchmark's home: they stay who they are.
        let user = if is_root() { "user root;\n" } else { "" };
        let configuration = format!(
            "{user}daemon off;\nworker_processes 2;\npid {at}/pid;\nerror_log {at}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\naccess_log off;\nsendfile on;\nkeepalive_requests 100000000;\n{temporary}\
             server {{\nlisten 127.0.0.1:{port};\nroot {at};\n}}\n}}\n"
        );
        let file = root.join("nginx.conf");
        std::fs::write(&file, configuration).expect("nginx.conf");
        let child = Command::new("nginx")
            .args(["-p", &at.to_string(), "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx (apt-get install nginx-light)");
        Self { child, port }.ready()
    }

    fn ready(self) -> Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "it does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // nginx takes its workers with it at SIGTERM only.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Serves, if this process was started for it.
pub(crate) fn serve_if_asked() {
    let (Some(file), Ok(port)) = (std::env::var_os(FILE), std::env::var(PORT)) else { return };
    let canned = Canned::read(&PathBuf::from(file));
    let port: u16 = port.parse().expect("a port");
    actix_web::rt::System::new()
        .block_on(async move {
            HttpServer::new(move || {
                App::new()
                    .app_data(web::Data::new(canned.clone()))
                    // No pattern for the path: matching one costs more than the answer.
                    .default_service(web::to(answer))
            })
            .workers(2)
            .bind(("127.0.0.1", port))
            .expect("the port")
            .run()
            .await
        })
        .expect("a bare server");
    std::process::exit(0);
}

impl Canned {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file.with_extension("headers")).expect("headers");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.parse().expect("a name"), value.parse().expect("a value"))
        };
        Self { headers: text.lines().map(header).collect(), body: std::fs::read(file).expect("a body").into() }
    }

    fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        for header in &self.headers {
            response.insert_header(header.clone());
        }
        response.body(self.body.clone())
    }
}

async fn answer(mut body: web::Payload, canned: web::Data<Canned>) -> HttpResponse {
    while body.next().await.is_some() {}
    canned.response()
}
