//! A client of the public API: a base address, somebody's token, and typed answers.

use std::sync::Arc;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::Token;
use crate::clock::Clock;
use crate::http::problem::Problem;

/// How long files may take to be read and judged.
const PATIENCE: Duration = Duration::from_mins(2);

/// A request that was not answered as it had to be; names no person.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no answer.
    #[error("{method} {route} was not answered: {source}")]
    NoAnswer {
        /// HTTP method.
        method: Method,
        /// Path and query.
        route: String,
        /// What happened instead.
        source: reqwest::Error,
    },
    /// The answer is a problem.
    #[error("{method} {route} answered {}: {}", problem.status, problem.detail)]
    Refused {
        /// HTTP method.
        method: Method,
        /// Path and query.
        route: String,
        /// What the answer says.
        problem: Box<Problem>,
    },
    /// The answer is not what the API promises.
    #[error("{method} {route} answered what cannot be read: {source}")]
    Unreadable {
        /// HTTP method.
        method: Method,
        /// Path and query.
        route: String,
        /// Where it stopped making sense.
        source: serde_json::Error,
    },
}

impl CallError {
    /// The stable code of the problem, if the answer was one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(&problem.code),
            Self::NoAnswer { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// Somebody with a connection to the service, signed in or not.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    clock: Clock,
    account: Arc<str>,
    token: Option<Arc<str>>,
}

impl Client {
    /// Somebody without an account. `base` is the address without a slash at its end; the clock
    /// gives the idempotency keys.
    pub fn nobody(base: &str, clock: Clock) -> Result<Self, reqwest::Error> {
        // A proxy of the surroundings does not know the server inside.
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, base: base.into(), clock, account: "".into(), token: None })
    }

    /// The same connection with somebody's token.
    pub fn signed_in(&self, account: &str, token: &Token) -> Self {
        Self { account: account.into(), token: Some(token.reveal().into()), ..self.clone() }
    }

    /// The same person at another address of the same service.
    pub fn moved(&self, base: &str, clock: Clock) -> Self {
        Self { base: base.into(), clock, ..self.clone() }
    }

    /// The account that is signed in.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, CallError> {
        self.send((Method::GET, route), |request| request).await
    }

    /// Puts something under its code.
    pub async fn put<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, CallError> {
        self.send((Method::PUT, route), |request| request.json(body)).await
    }

    /// Posts something, once: every call carries a fresh idempotency key.
    pub async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, CallError> {
        let key = self.clock.id().to_string();
        let with = |request: RequestBuilder| request.header("idempotency-key", key).json(body);
        self.send((Method::POST, route), with).await
    }

    /// Posts a file as it is.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        route: &str,
        file: String,
    ) -> Result<T, CallError> {
        let kind = "application/octet-stream";
        let with = |request: RequestBuilder| request.header(header::CONTENT_TYPE, kind).body(file);
        self.send((Method::POST, route), with).await
    }

    /// Posts several files, each under its name, as one form; whoever does not answer within two
    /// minutes is away.
    pub async fn upload_files<T: DeserializeOwned>(
        &self,
        route: &str,
        files: Vec<(String, Vec<u8>)>,
    ) -> Result<T, CallError> {
        let form = files.into_iter().fold(Form::new(), |form, (name, bytes)| {
            form.part("file", Part::bytes(bytes).file_name(name))
        });
        let with = |request: RequestBuilder| request.timeout(PATIENCE).multipart(form);
        self.send((Method::POST, route), with).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        (method, route): (Method, &str),
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, CallError> {
        let mut request = self.http.request(method.clone(), format!("{}{route}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let route = route.to_owned();
        let exchange = async {
            let reply = with(request).send().await?;
            Ok((reply.status(), reply.bytes().await?))
        };
        match exchange.await {
            Err(source) => Err(CallError::NoAnswer { method, route, source }),
            Ok((status, body)) if status.is_success() => serde_json::from_slice(&body)
                .map_err(|source| CallError::Unreadable { method, route, source }),
            Ok((status, body)) => {
                Err(CallError::Refused { method, route, problem: problem(status, &body) })
            }
        }
    }
}

/// The code of a refusal that is no problem of the service: of a proxy or a network before it.
pub const NO_PROBLEM: &str = "unreadable";

/// The problem an answer holds; one of our own making where it holds none.
fn problem(status: StatusCode, body: &[u8]) -> Box<Problem> {
    let none = || Problem::new(status, NO_PROBLEM, "No problem", "no detail");
    Box::new(serde_json::from_slice(body).unwrap_or_else(|_no_problem| none()))
}

/// A cursor as it goes back into a query string.
pub(super) fn opaque(cursor: &impl Serialize) -> String {
    let text = serde_json::to_value(cursor).ok();
    text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[tokio::test]
    async fn whoever_does_not_answer_is_named_with_the_route() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let clock = Clock::stepped(Time::from_us(0));
        let client = Client::nobody(&format!("http://{gone}"), clock).unwrap();
        let error = client.get::<serde_json::Value>("/healthz").await.unwrap_err();
        assert!(error.to_string().starts_with("GET /healthz was not answered"), "{error}");
        assert_eq!(error.code(), None);
    }

    #[test]
    fn a_problem_is_told_with_its_status_and_an_answer_that_is_none_too() {
        let told = |body: &[u8]| problem(StatusCode::CONFLICT, body);
        let own = Problem::new(StatusCode::CONFLICT, "tube.code", "No", "scan it again");
        let refused = CallError::Refused {
            method: Method::PUT,
            route: "/v1/tubes/T".to_owned(),
            problem: told(&serde_json::to_vec(&own).unwrap()),
        };
        assert_eq!(refused.to_string(), "PUT /v1/tubes/T answered 409: scan it again");
        assert_eq!(refused.code(), Some("tube.code"));
        assert_eq!(told(b"<html>").code, NO_PROBLEM);
        assert_eq!(told(b"<html>").status, 409);
    }
}
