//! As whom a client speaks: which headers leave, when a login is refreshed, and that no secret is shown.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleet_api::{BuildError, Client, Credentials, ErrorKind, Login};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Seen, Service, account, detail, ok};

/// A token that lives for so many seconds more.
fn token(name: &str, seconds: i64) -> String {
    let claims = json!({"exp": Timestamp::now().as_second() + seconds, "name": name});
    format!(
        "e30.{}.{name}-signature",
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

struct Home {
    _folder: TempDir,
    path: PathBuf,
}

impl Home {
    fn with(access: &str, refresh: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        let home = Self {
            _folder: folder,
            path,
        };
        home.store(access, refresh);
        home
    }

    fn store(&self, access: &str, refresh: Option<&str>) {
        let content = json!({"access_token": access, "refresh_token": refresh, "team_id": "team-1", "email": "a@b"});
        fs::write(&self.path, content.to_string()).unwrap();
    }

    fn stored(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(&self.path).unwrap()).unwrap()
    }

    fn client(&self, service: &Service) -> Client {
        let login = Login::at(&self.path);
        let builder = Client::builder_with(login).base_url(&service.url);
        builder.build().unwrap()
    }
}

fn identity(seen: &Seen) -> [&str; 3] {
    ["authorization", "x-jwt-token", "x-team-id"].map(|name| seen.header(name))
}

#[tokio::test]
async fn a_person_s_token_leaves_with_its_team_and_without_a_key() {
    let service = Service::start(|_| ok(&account())).await;
    let person = Credentials::Jwt {
        token: "the-token".to_owned().into(),
        team_id: "team-1".into(),
    };
    let builder = Client::builder_with(person).base_url(&service.url);
    assert!(!format!("{builder:?}").contains("the-token"));
    builder.build().unwrap().account().await.unwrap();
    assert_eq!(identity(&service.seen()[0]), ["", "the-token", "team-1"]);
    let nobody = Credentials::Jwt {
        token: "a\nb".to_owned().into(),
        team_id: "t".into(),
    };
    let refused = Client::builder_with(nobody).build();
    assert!(matches!(refused, Err(BuildError::Token { .. })));
}

#[tokio::test]
async fn a_login_that_is_good_is_read_again_for_each_call_and_not_refreshed() {
    let service = Service::start(|_| ok(&account())).await;
    let home = Home::with(&token("one", 600), None);
    let client = home.client(&service);
    client.account().await.unwrap();
    home.store(&token("two", 600), None);
    client.account().await.unwrap();
    let names: Vec<_> = service
        .seen()
        .iter()
        .map(|seen| {
            seen.header("x-jwt-token")
                .rsplit('.')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(names, ["one-signature", "two-signature"]);
}

#[tokio::test]
async fn a_login_that_ends_within_the_minute_is_refreshed_once_and_stored() {
    let service = Service::start(|seen| match seen.line.as_str() {
        "POST /v1/auth/refresh" => {
            assert_eq!(seen.json(), json!({"refresh_token": "refresh-1"}));
            assert_eq!(identity(seen), ["", "", ""]);
            ok(&json!({"access_token": token("new", 3600), "refresh_token": "refresh-2"}))
        }
        _ => ok(&account()),
    })
    .await;
    let home = Home::with(&token("old", 30), Some("refresh-1"));
    let client = home.client(&service);
    // Together: only one of them may use the refresh token, which is good for one use.
    let (one, two) = tokio::join!(client.account(), client.account());
    one.unwrap();
    two.unwrap();
    let lines = service.lines();
    assert_eq!(
        lines.iter().filter(|line| line.contains("refresh")).count(),
        1,
        "{lines:?}"
    );
    let sent = service.seen().pop().unwrap();
    assert!(sent.header("x-jwt-token").ends_with(".new-signature"));
    let stored = home.stored();
    assert_eq!(
        (&stored["refresh_token"], &stored["email"]),
        (&json!("refresh-2"), &json!("a@b"))
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&home.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_refresh_that_is_refused_says_what_to_do_and_shows_no_token() {
    let service = Service::start(|_| detail(401, "refresh-1 was revoked")).await;
    let home = Home::with(&token("old", -5), Some("refresh-1"));
    let error = home.client(&service).account().await.unwrap_err();
    assert!(error.is_auth() && !error.is_retryable() && !error.is_ambiguous());
    assert!(matches!(error.kind(), ErrorKind::Credentials { .. }));
    let text = format!("{error} {error:?}");
    assert!(text.contains("flt login") && text.contains("401"), "{text}");
    assert!(!text.contains("refresh-1"), "{text}");
    assert_eq!(service.lines(), ["POST /v1/auth/refresh"]);
}

#[tokio::test]
async fn a_token_that_lives_on_is_used_when_it_cannot_be_refreshed() {
    let service = Service::start(|seen| match seen.line.as_str() {
        "POST /v1/auth/refresh" => detail(503, "not now"),
        _ => ok(&account()),
    })
    .await;
    let home = Home::with(&token("old", 30), Some("refresh-1"));
    home.client(&service).account().await.unwrap();
    assert!(
        service.seen()[1]
            .header("x-jwt-token")
            .ends_with(".old-signature")
    );
}

#[tokio::test]
async fn a_refresh_that_another_process_won_is_no_failure() {
    let home = Home::with(&token("old", -5), Some("refresh-1"));
    let (path, winner) = (home.path.clone(), token("won", 600));
    let service = Service::start(move |seen| match seen.line.as_str() {
        "POST /v1/auth/refresh" => {
            let content =
                json!({"access_token": winner, "refresh_token": "r9", "team_id": "team-1"});
            fs::write(&path, content.to_string()).unwrap();
            detail(401, "this token was used already")
        }
        _ => ok(&account()),
    })
    .await;
    home.client(&service).account().await.unwrap();
    assert!(
        service.seen()[1]
            .header("x-jwt-token")
            .ends_with(".won-signature")
    );
}

#[tokio::test]
async fn a_missing_login_is_an_error_and_no_request() {
    let service = Service::start(|_| ok(&account())).await;
    let login = Login::at("/no/such/credentials.json");
    let client = Client::builder_with(login)
        .base_url(&service.url)
        .build()
        .unwrap();
    let error = client.account().await.unwrap_err();
    assert!(
        error.to_string().contains("/no/such/credentials.json"),
        "{error}"
    );
    assert!(service.seen().is_empty());
}

#[tokio::test]
async fn tokens_that_are_quoted_back_are_masked() {
    let access = token("one", 600);
    let quoted = access.clone();
    let service = Service::start(move |_| detail(403, &format!("bad token {quoted}"))).await;
    let home = Home::with(&access, None);
    let error = home.client(&service).account().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("bad token ***"), "{text}");
}

#[tokio::test]
async fn keys_lent_to_a_job_are_shown_nowhere() {
    use fleet_api::types::CreateJobBody;

    let service = Service::start(|_| detail(400, "key sk-lent-0123456789 is not accepted")).await;
    let lent = [("acme".to_owned(), "sk-lent-0123456789".to_owned())];
    let body = CreateJobBody {
        byok_keys: Some(lent.into_iter().collect()),
        ..CreateJobBody::default()
    };
    let error = service.client().create_job(&body).await.unwrap_err();
    let text = format!("{body:?} {error} {error:?}");
    assert!(!text.contains("sk-lent") && text.contains("acme"), "{text}");
}
