//! One connection to one of the nodes, kept open, one request at a time: what a load costs at its
//! source is half of the machine, so nothing stands between a request and its socket.
//!
//! A node that is busy is asked again by the rules of `traffic`; one that is gone makes room for
//! the next, and the same request goes there. Every request is idempotent, so nothing is doubled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::staff::Employee;
use super::traffic::{TRIES, Traffic, backoff, jitter};
use crate::http::problem::Problem;
use crate::simulation::Failure;

/// After that long an answer comes no more; a server gives up a request before.
const PATIENCE: Duration = Duration::from_mins(2);
/// The same for a walk over the whole store.
const WALK_PATIENCE: Duration = Duration::from_hours(1);
/// Times a request is put off before the day is given up.
const PUT_OFF_MAX: u32 = 120;
/// How long a request that was put off waits at the most, when nobody says how long.
const PUT_OFF: Duration = Duration::from_secs(1);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A node: where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Host and port.
    pub(super) authority: String,
}

impl Node {
    /// The node at an address such as `http://10.0.0.1:8080`.
    pub(super) fn at(url: &str) -> Result<Self, Failure> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        match authority {
            Some(authority) if authority.contains(':') && !authority.contains('/') => {
                Ok(Self { authority: authority.to_owned() })
            }
            _ => Err(Failure::Arguments(format!(
                "{url} is no node; give its address as http://HOST:PORT"
            ))),
        }
    }
}

/// One request.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    /// How.
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: &'a str,
    /// Who asks; nobody without an account.
    pub(super) by: Option<&'a Employee>,
    /// What is said.
    pub(super) body: Bytes,
    kind: HeaderValue,
    key: Option<HeaderValue>,
    patience: Duration,
}

impl<'a> Ask<'a> {
    /// A request with a body of JSON.
    pub(super) fn json(
        method: Method,
        path: &'a str,
        by: Option<&'a Employee>,
        body: Vec<u8>,
    ) -> Self {
        let (body, patience) = (body.into(), PATIENCE);
        Self { method, path, by, body, kind: JSON, key: None, patience }
    }
}

/// What a try came to.
enum Tried {
    Answered(StatusCode),
    Busy(Option<Duration>),
    Gone(String),
}

/// A connection and everything it needs.
pub(super) struct Connection {
    nodes: Arc<[Node]>,
    at: usize,
    sender: Option<SendRequest<Full<Bytes>>>,
    traffic: Arc<Traffic>,
    /// What is left to chance on this connection.
    pub(super) rng: ChaCha8Rng,
    answer: Vec<u8>,
}

impl Connection {
    /// The `number`th connection; they take turns at the nodes.
    pub(super) fn new(
        nodes: Arc<[Node]>,
        traffic: Arc<Traffic>,
        (seed, number): (u64, u64),
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let at = usize::try_from(number).unwrap_or(0) % nodes.len();
        Self { nodes, at, sender: None, traffic, rng, answer: Vec::new() }
    }

    /// The same to a certain node, for as long as that node answers.
    pub(super) fn at_node(self, node: usize) -> Self {
        Self { at: node % self.nodes.len(), ..self }
    }

    /// Sends a request until it is answered, and gives the answer's status: never that the
    /// server is busy.
    pub(super) async fn send(&mut self, ask: &Ask<'_>) -> Result<StatusCode, Failure> {
        self.traffic.ask();
        let mut last = String::new();
        for _ in 0..PUT_OFF_MAX {
            let mut wait = PUT_OFF;
            for tried in 0..TRIES {
                let sent = Instant::now();
                match self.attempt(ask).await {
                    Tried::Answered(status) => return Ok(status),
                    Tried::Busy(after) => {
                        self.traffic.refuse(sent.elapsed());
                        wait = after.unwrap_or(PUT_OFF);
                        "it is busy".clone_into(&mut last);
                    }
                    Tried::Gone(why) => {
                        self.traffic.lose();
                        self.at = (self.at + 1) % self.nodes.len();
                        last = why;
                    }
                }
                if tried + 1 == TRIES || !self.traffic.may_retry() {
                    break;
                }
                tokio::time::sleep(backoff(&mut self.rng, tried)).await;
            }
            self.traffic.put_off();
            tokio::time::sleep(jitter(&mut self.rng, wait)).await;
        }
        let Ask { method, path, .. } = ask;
        Err(Failure::Stuck(format!("{method} {path} was not answered: {last}")))
    }

    /// Sends a request that must succeed, and gives its status.
    pub(super) async fn succeed(&mut self, ask: &Ask<'_>) -> Result<StatusCode, Failure> {
        let status = self.send(ask).await?;
        if status.is_success() {
            return Ok(status);
        }
        let Ask { method, path, .. } = ask;
        let said = serde_json::from_slice::<Problem>(&self.answer).map(|problem| problem.detail);
        let said = said.unwrap_or_else(|_no_problem| "and no problem".to_owned());
        Err(Failure::Stuck(format!("{method} {path} answered {status}: {said}")))
    }

    /// Reads the last answer as JSON.
    pub(super) fn read<'a, T: serde::Deserialize<'a>>(&'a self, path: &str) -> Result<T, Failure> {
        serde_json::from_slice(&self.answer).map_err(|error| {
            Failure::Stuck(format!("{path} answered what cannot be read: {error}"))
        })
    }

    /// Asks for something.
    pub(super) async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        by: &Employee,
    ) -> Result<T, Failure> {
        self.succeed(&Ask::json(Method::GET, path, Some(by), Vec::new())).await?;
        self.read(path)
    }

    /// Asks for what is found by a walk over the whole store.
    pub(super) async fn walk<T: DeserializeOwned>(
        &mut self,
        path: &str,
        by: &Employee,
    ) -> Result<T, Failure> {
        let ask = Ask::json(Method::GET, path, Some(by), Vec::new());
        self.succeed(&Ask { patience: WALK_PATIENCE, ..ask }).await?;
        self.read(path)
    }

    /// Puts something under its code.
    pub(super) async fn put<T: DeserializeOwned>(
        &mut self,
        path: &str,
        by: &Employee,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.succeed(&Ask::json(Method::PUT, path, Some(by), written(body)?)).await?;
        self.read(path)
    }

    /// Posts something, once: every call carries a fresh idempotency key.
    pub(super) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        by: &Employee,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let key = HEXLOWER.encode(&self.rng.random::<u128>().to_be_bytes());
        let key = HeaderValue::from_str(&key).ok();
        let ask = Ask::json(Method::POST, path, Some(by), written(body)?);
        self.succeed(&Ask { key, ..ask }).await?;
        self.read(path)
    }

    /// Posts a file as it is; the answer is there to be read.
    pub(super) async fn upload(
        &mut self,
        path: &str,
        by: &Employee,
        file: String,
    ) -> Result<(), Failure> {
        let ask = Ask::json(Method::POST, path, Some(by), file.into_bytes());
        self.succeed(&Ask { kind: BINARY, ..ask }).await.map(drop)
    }

    async fn attempt(&mut self, ask: &Ask<'_>) -> Tried {
        let exchange = tokio::time::timeout(ask.patience, self.exchange(ask)).await;
        let outcome = match exchange {
            Ok(Ok(tried)) => return tried,
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => {
                format!("there was no answer within {} seconds", ask.patience.as_secs())
            }
        };
        self.sender = None;
        Tried::Gone(outcome)
    }

    async fn exchange(
        &mut self,
        ask: &Ask<'_>,
    ) -> Result<Tried, Box<dyn std::error::Error + Send + Sync>> {
        let authority = &self.nodes[self.at].authority;
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(ask.path)
            .header(HOST, authority.as_str())
            .header(CONTENT_TYPE, &ask.kind);
        if let Some(by) = ask.by {
            request = request.header(AUTHORIZATION, by.token());
        }
        if let Some(key) = &ask.key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(ask.body.clone()))?;
        let sender = match &mut self.sender {
            Some(open) if !open.is_closed() => open,
            closed => {
                let stream = TcpStream::connect(authority.as_str()).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                // How it ends is told to whoever has a request on it.
                tokio::spawn(async move { connection.await.unwrap_or(()) });
                closed.insert(sender)
            }
        };
        sender.ready().await?;
        let mut response = sender.send_request(request).await?;
        self.answer.clear();
        while let Some(frame) = response.body_mut().frame().await {
            if let Some(data) = frame?.data_ref() {
                self.answer.extend_from_slice(data);
            }
        }
        let status = response.status();
        let is_busy =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if !is_busy {
            return Ok(Tried::Answered(status));
        }
        let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
        Ok(Tried::Busy(after.and_then(|after| after.parse().ok()).map(Duration::from_secs)))
    }
}

fn written(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body)
        .map_err(|error| Failure::Stuck(format!("a request cannot be written: {error}")))
}
