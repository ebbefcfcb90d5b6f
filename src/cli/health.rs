//! `countersign health`: whether the `serve` on this machine does its work. A container's health check, in an image that
//! has no other program.

use super::Failure;
use super::client::exchange;
use super::terminal::say;
use bytes::Bytes;
use clap::Args;
use http::Request;
use http_body_util::Full;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The options of `countersign health`.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// What `serve` listens on
    #[arg(
        long,
        env = "COUNTERSIGN_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_parser = address
    )]
    listen: SocketAddr,
}

impl Health {
    /// Asks /readyz.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let address = reached_at(self.listen);
        let request = Request::get(format!("http://{address}/readyz"))
            .body(Full::new(Bytes::new()))
            .map_err(|error| Failure::usage(error.to_string()))?;
        match exchange(request).await? {
            Ok((status, _)) if status.is_success() => {
                say("ready");
                Ok(())
            }
            Ok((status, body)) => {
                let told = String::from_utf8_lossy(&body);
                Err(Failure::failed(format!("not ready ({status}): {}", told.trim())))
            }
            Err(why) => Err(Failure::failed(format!("{address} doesn't answer: {why}"))),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let told = |_| "an address and a port are written like 127.0.0.1:8080".to_owned();
    text.parse().map_err(told)
}

/// Where somebody on the same machine finds what listens on `listen`, which may mean all addresses.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_at_loopback() {
        for (listen, found) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.7:8080", "10.0.0.7:8080"),
        ] {
            let listen = address(listen).expect("an address");
            assert_eq!(reached_at(listen).to_string(), found);
        }
        assert!(address("localhost:8080").is_err_and(|told| told.contains("127.0.0.1:8080")));
    }
}
