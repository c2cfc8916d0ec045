//! The token end-point of a service account.

use std::time::{Duration, SystemTime};

use belfry_sandbox::{Fcm, FcmOptions};
use http::Request;
use serde_json::{Value, json};

use crate::support::{Google, Reply, message};

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

async fn ask(google: &Google, form: &[(&str, &str)]) -> Reply {
    let request = Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(())
        .unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    google.client().await.send(request, form).await.unwrap()
}

async fn ask_with(google: &Google, assertion: &str) -> Reply {
    let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    ask(
        google,
        &[("grant_type", grant_type), ("assertion", assertion)],
    )
    .await
}

fn error(reply: &Reply) -> (u16, Value) {
    (reply.status.as_u16(), reply.json()["error"].clone())
}

#[tokio::test]
async fn an_assertion_of_the_account_is_worth_an_access_token_that_sends() {
    let google = Google::new().await;
    let assertion = google
        .account
        .assertion(google.fcm.token_uri(), SystemTime::now())
        .unwrap();
    let reply = ask_with(&google, &assertion).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["token_type"], "Bearer");
    assert_eq!(reply.json()["expires_in"], 3599);
    assert_eq!(google.fcm.counts().token_requests, 1);

    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let body = message("device-1", "INBOX:1").to_string();
    let sent = google
        .client()
        .await
        .send(google.push_with(&token), body.clone())
        .await
        .unwrap();
    assert_eq!(sent.status, 200);

    google.fcm.revoke_access_tokens();
    let refused = google
        .client()
        .await
        .send(google.push_with(&token), body)
        .await
        .unwrap();
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn an_access_token_ends_with_its_lifetime() {
    let google = Google::new().await;
    let options =
        FcmOptions::new(&google.ca, google.account.clone()).access_token_lifetime(Duration::ZERO);
    let google = Google {
        fcm: Fcm::start(options).await.unwrap(),
        ..google
    };
    let body = message("device-1", "INBOX:1").to_string();
    assert_eq!(
        google
            .client()
            .await
            .send(google.push(), body)
            .await
            .unwrap()
            .status,
        401
    );
}

#[tokio::test]
async fn the_key_file_names_the_account_and_the_end_point() {
    let google = Google::new().await;
    let file: Value = serde_json::from_str(&google.fcm.service_account_json()).unwrap();
    assert_eq!(file["type"], "service_account");
    assert_eq!(file["project_id"], "mail-app");
    assert_eq!(
        file["client_email"],
        "belfry@mail-app.iam.gserviceaccount.com"
    );
    assert_eq!(file["token_uri"], google.fcm.token_uri());
    assert!(
        file["private_key"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
}

#[tokio::test]
async fn an_assertion_with_anything_wrong_is_refused() {
    let google = Google::new().await;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let good = json!({
        "iss": "belfry@mail-app.iam.gserviceaccount.com",
        "scope": SCOPE,
        "aud": google.fcm.token_uri(),
        "iat": now,
        "exp": now + 3600,
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let signed = |header: &Value, claims: &Value| google.account.sign(header, claims).unwrap();
    assert_eq!(ask_with(&google, &signed(&header, &good)).await.status, 200);

    for (name, value, wanted) in [
        ("iss", json!("someone@else"), "invalid_grant"),
        (
            "aud",
            json!("https://oauth2.googleapis.com/token"),
            "invalid_grant",
        ),
        (
            "scope",
            json!("https://www.googleapis.com/auth/drive"),
            "invalid_scope",
        ),
        ("iat", json!(now + 600), "invalid_grant"),
        ("iat", Value::Null, "invalid_grant"),
        ("exp", json!(now + 3601), "invalid_grant"),
        ("exp", json!(now - 1), "invalid_grant"),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let reply = ask_with(&google, &signed(&header, &claims)).await;
        assert_eq!(error(&reply), (400, wanted.into()), "{claims}");
    }
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "none"}),
        json!({"alg": "RS256", "kid": "other"}),
    ] {
        let reply = ask_with(&google, &signed(&header, &good)).await;
        assert_eq!(error(&reply), (400, "invalid_grant".into()), "{header}");
    }
    let forged = signed(&header, &good)
        .rsplit_once('.')
        .unwrap()
        .0
        .to_owned()
        + ".AAAA";
    assert_eq!(
        error(&ask_with(&google, &forged).await),
        (400, "invalid_grant".into())
    );
}

#[tokio::test]
async fn a_request_of_another_form_is_refused() {
    let google = Google::new().await;
    let reply = ask(&google, &[("grant_type", "password")]).await;
    assert_eq!(error(&reply), (400, "unsupported_grant_type".into()));
    let reply = ask(&google, &[("assertion", "x")]).await;
    assert_eq!(error(&reply), (400, "invalid_request".into()));
    let read = Request::get("/token").body(()).unwrap();
    assert_eq!(
        google.client().await.send(read, "").await.unwrap().status,
        405
    );
    let json = Request::post("/token")
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    assert_eq!(
        error(&google.client().await.send(json, "{}").await.unwrap()),
        (400, "invalid_request".into())
    );
}
