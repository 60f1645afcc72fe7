//! The service under test, and how its clients talk to it.

use std::fmt::Write;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use backend::{config::Config, database, http, state::AppState};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgPool, postgres::PgConnectOptions};
use tower::ServiceExt;

use crate::{logs, postgres};

pub(crate) const ITEMS: &str = "/api/v1/items/";
pub(crate) const USERS: &str = "/api/v1/users/";
pub(crate) const ME: &str = "/api/v1/users/me";
pub(crate) const MY_PASSWORD: &str = "/api/v1/users/me/password";
pub(crate) const SIGN_UP: &str = "/api/v1/users/signup";
pub(crate) const LOGIN: &str = "/api/v1/login/access-token";
pub(crate) const RECOVERY: &str = "/api/v1/password-recovery/";
pub(crate) const RESET: &str = "/api/v1/reset-password/";
pub(crate) const TEST_EMAIL: &str = "/api/v1/utils/test-email/";
pub(crate) const HEALTH: &str = "/api/v1/utils/health-check/";

pub(crate) const ROOT: &str = "root@example.com";
/// The one of everybody, so that a test looks for it in what is logged.
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const SECRET_KEY: &str = "the key of the tests";
pub(crate) const PREVIOUS_KEY: &str = "the key before it";

/// The service, with a database of its own.
pub(crate) struct App {
    router: Router,
    pub(crate) db: PgPool,
    pub(crate) state: AppState,
}

impl App {
    /// With the schema of today, in a database of the calling line.
    #[track_caller]
    pub(crate) fn start() -> impl Future<Output = Self> {
        Self::with(&[])
    }

    /// The same, with other settings.
    #[track_caller]
    pub(crate) fn with(settings: &[(&str, &str)]) -> impl Future<Output = Self> {
        let config = config(settings);
        let options = postgres::database();
        async {
            let options = options.await;
            let conn = options.connect().await.unwrap();
            database::migrate(conn).await.unwrap().outcome.unwrap();
            let db = database::pool_on(options, config.workers);
            Self::new(config, db)
        }
    }

    pub(crate) fn on(options: PgConnectOptions) -> Self {
        Self::new(config(&[]), database::pool_on(options, 1))
    }

    /// The settings name a server that isn't there.
    pub(crate) fn without_database() -> Self {
        let config = config(&[]);
        let db = database::pool(&config);
        Self::new(config, db)
    }

    fn new(config: Config, db: PgPool) -> Self {
        logs::collect();
        let state = AppState::new(config, db.clone()).unwrap();
        Self {
            router: http::service(state.clone()).unwrap(),
            db,
            state,
        }
    }

    /// Somebody without a token.
    pub(crate) fn anyone(&self) -> Caller<'_> {
        self.bearer("")
    }

    /// Somebody with this token.
    pub(crate) fn bearer(&self, token: &str) -> Caller<'_> {
        Caller {
            app: self,
            token: token.to_owned(),
        }
    }

    /// The first superuser, seeded and logged in.
    pub(crate) async fn root(&self) -> Caller<'_> {
        let mut conn = self.db.acquire().await.unwrap();
        database::seed(&mut conn, &self.state.config).await.unwrap();
        drop(conn);
        self.logged_in(ROOT, PASSWORD).await
    }

    /// Somebody who signed up and logged in.
    pub(crate) async fn user(&self, name: &str) -> Caller<'_> {
        let email = format!("{name}@example.com");
        let new = json!({"email": email, "password": PASSWORD, "full_name": name});
        let answer = self.anyone().post(SIGN_UP, new).await;
        answer.expect(StatusCode::CREATED);
        self.logged_in(&email, PASSWORD).await
    }

    pub(crate) async fn logged_in(&self, email: &str, password: &str) -> Caller<'_> {
        let token = self.login(email, password).await.expect(StatusCode::OK);
        self.bearer(token["access_token"].as_str().unwrap())
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        let form = form(&[
            ("grant_type", "password"),
            ("username", email),
            ("password", password),
        ]);
        let media_type = "application/x-www-form-urlencoded";
        let request = Request::post(LOGIN).header(header::CONTENT_TYPE, media_type);
        self.send(request.body(form.into()).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}

/// Somebody who calls.
pub(crate) struct Caller<'a> {
    app: &'a App,
    pub(crate) token: String,
}

impl Caller<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let body = body.map_or_else(Body::empty, |body| body.to_string().into());
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.app.send(request.body(body).unwrap()).await
    }

    /// The caller's own id.
    pub(crate) async fn id(&self) -> String {
        let me = self.get(ME).await.expect(StatusCode::OK);
        me["id"].as_str().unwrap().to_owned()
    }

    /// Adds an item, and returns its path.
    pub(crate) async fn item(&self, title: &str) -> String {
        let item = self.post(ITEMS, json!({"title": title})).await;
        let item = item.expect(StatusCode::CREATED);
        format!("{ITEMS}{}", item["id"].as_str().unwrap())
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The JSON of an answer with this status; null for one without a body.
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        if text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&text).unwrap()
    }

    /// The problem document of an answer with this status.
    #[track_caller]
    pub(crate) fn problem(&self, status: StatusCode) -> Value {
        let problem = self.expect(status);
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(problem["status"], status.as_u16());
        for word in ["type", "title", "detail"] {
            assert!(
                problem[word].as_str().is_some_and(|word| !word.is_empty()),
                "{problem}"
            );
        }
        problem
    }

    /// The names of the fields that a problem of this status is about.
    #[track_caller]
    pub(crate) fn faults(&self, status: StatusCode) -> Vec<String> {
        let problem = self.problem(status);
        let errors = problem["errors"].as_object();
        errors.map_or_else(Vec::new, |errors| errors.keys().cloned().collect())
    }
}

/// Each field of each element of a list.
pub(crate) fn each(list: &Value, field: &str) -> Vec<Value> {
    let elements = list["data"].as_array().unwrap();
    elements
        .iter()
        .map(|element| element[field].clone())
        .collect()
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut text, byte| {
            write!(text, "%{byte:02x}").unwrap();
            text
        })
    };
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)));
    fields.collect::<Vec<_>>().join("&")
}

pub(crate) fn config(settings: &[(&str, &str)]) -> Config {
    Config::read(|name| {
        if let Some((_, value)) = settings.iter().find(|(key, _)| *key == name) {
            return Some((*value).to_owned());
        }
        let value = match name {
            "ENVIRONMENT" => "staging",
            "PROJECT_NAME" => "Shop",
            "APP_VERSION" => "v1.2.3",
            "FRONTEND_HOST" | "BACKEND_CORS_ORIGINS" => "https://page.example",
            "SECRET_KEY" => SECRET_KEY,
            "SECRET_KEY_PREVIOUS" => PREVIOUS_KEY,
            "FIRST_SUPERUSER" => ROOT,
            "FIRST_SUPERUSER_PASSWORD" => PASSWORD,
            "POSTGRES_PASSWORD" => "not a placeholder",
            "POSTGRES_SERVER" => "/nowhere",
            "POSTGRES_DB" | "POSTGRES_USER" => "app",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}
