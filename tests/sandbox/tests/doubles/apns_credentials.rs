//! Provider tokens and push certificates.

use std::time::{Duration, SystemTime};

use crate::support::{Apple, Client, SOON, TEAM, TOPIC, alert, device, finish, push, with};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use belfry_sandbox::{Fault, KeystoreFormat, ProviderKey, TestCa, TokenRenewal};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The answer to one push with this token on a connection of its own.
async fn answer(apple: &Apple, token: &str) -> (u16, String) {
    answer_on(&mut apple.client().await, token).await
}

async fn answer_on(client: &mut Client, token: &str) -> (u16, String) {
    client
        .send(push(token, &device(1)), alert("hello"))
        .await
        .unwrap()
        .reason()
}

fn invalid() -> (u16, String) {
    (403, "InvalidProviderToken".into())
}

#[tokio::test]
async fn a_push_without_any_credential_is_refused() {
    let apple = Apple::new().await;
    let request = with(apple.push(&device(1)), "authorization", None);
    let reply = apple
        .client()
        .await
        .send(request, alert("hello"))
        .await
        .unwrap();
    assert_eq!(reply.reason(), (403, "MissingProviderToken".into()));
}

#[tokio::test]
async fn a_token_names_its_algorithm_key_team_and_time() {
    let apple = Apple::new().await;
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    let claims = |iss: &str, iat: Value| json!({"iss": iss, "iat": iat});
    let kid = apple.key.key_id();
    for (header, claims) in [
        (header("RS256", kid), claims(TEAM, now().into())),
        (header("none", kid), claims(TEAM, now().into())),
        (header("ES256", "OTHERKEY00"), claims(TEAM, now().into())),
        (json!({"alg": "ES256"}), claims(TEAM, now().into())),
        (header("ES256", kid), claims("OTHERTEAM0", now().into())),
        (header("ES256", kid), claims(TEAM, Value::Null)),
        (header("ES256", kid), claims(TEAM, now().to_string().into())),
        (header("ES256", kid), claims(TEAM, (now() + 600).into())),
    ] {
        let token = apple.key.sign(&header, &claims).unwrap();
        assert_eq!(answer(&apple, &token).await, invalid(), "{header} {claims}");
    }
}

#[tokio::test]
async fn a_token_with_padding_a_der_signature_or_another_keys_is_invalid() {
    let apple = Apple::new().await;
    let (signed, signature) = apple.token.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(raw.len(), 64);

    let der = PrivatePkcs8KeyDer::from_pem_slice(apple.key.p8().as_bytes()).unwrap();
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        der.secret_pkcs8_der(),
        &random,
    )
    .unwrap();
    let der_signature = key.sign(&random, signed.as_bytes()).unwrap();

    let stranger = ProviderKey::from_p8(
        ProviderKey::generate(TEAM).unwrap().p8(),
        apple.key.key_id(),
        TEAM,
    );
    for token in [
        format!("{signed}.{}", URL_SAFE.encode(&raw)),
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(der_signature)),
        format!("{signed}."),
        signed.to_owned(),
        stranger.unwrap().token(SystemTime::now()).unwrap(),
    ] {
        assert_eq!(answer(&apple, &token).await, invalid(), "{token}");
    }
    assert_eq!(answer(&apple, &apple.token).await.0, 200);
}

#[tokio::test]
async fn a_token_older_than_an_hour_is_expired_until_a_new_connection_brings_a_new_one() {
    let apple = Apple::new().await;
    let expired = (403, "ExpiredProviderToken".to_owned());
    let old = apple
        .key
        .token(SystemTime::now() - HOUR - Duration::from_secs(1))
        .unwrap();
    let mut client = apple.client().await;
    assert_eq!(answer_on(&mut client, &old).await, expired);
    assert_eq!(answer_on(&mut client, &apple.token).await, expired);
    assert_eq!(answer(&apple, &apple.token).await.0, 200);
}

#[tokio::test]
async fn a_provider_told_that_its_token_expired_may_renew_at_once() {
    let apple = Apple::new().await;
    let mut client = apple.client().await;
    assert_eq!(answer_on(&mut client, &apple.token).await.0, 200);
    apple
        .apns
        .faults()
        .add(Fault::answer(403, "ExpiredProviderToken").times(1));
    assert_eq!(
        answer_on(&mut client, &apple.token).await.1,
        "ExpiredProviderToken"
    );
    let renewed = apple.key.token(SystemTime::now()).unwrap();
    assert_eq!(answer(&apple, &renewed).await.0, 200);
}

#[tokio::test]
async fn a_key_that_brings_a_second_token_within_twenty_minutes_is_slowed_down() {
    let apple = Apple::new().await;
    let second = apple.key.token(SystemTime::now()).unwrap();
    assert_eq!(answer(&apple, &apple.token).await.0, 200);
    assert_eq!(
        answer(&apple, &second).await,
        (429, "TooManyProviderTokenUpdates".into())
    );
    assert_eq!(
        answer(&apple, &apple.token).await.0,
        200,
        "the first one stays good"
    );
    apple.apns.allow_token_renewal();
    assert_eq!(answer(&apple, &second).await.0, 200);
}

#[tokio::test]
async fn a_provider_that_went_away_may_come_back_with_a_new_token_where_that_is_allowed() {
    let apple = Apple::with(|options| options.token_renewal(TokenRenewal::while_connected())).await;
    let second = apple.key.token(SystemTime::now()).unwrap();
    let mut client = apple.client().await;
    assert_eq!(answer_on(&mut client, &apple.token).await.0, 200);
    assert_eq!(
        answer(&apple, &second).await.1,
        "TooManyProviderTokenUpdates"
    );
    drop(client);
    apple
        .apns
        .wait_until_counts("all gone", SOON, |seen| seen.open_connections == 0)
        .await
        .unwrap();
    assert_eq!(answer(&apple, &second).await.0, 200);
}

#[tokio::test]
async fn one_connection_is_for_one_key() {
    let apple = Apple::new().await;
    let other = ProviderKey::generate(TEAM).unwrap();
    apple.apns.accept_key(other.accepted());
    let other = other.token(SystemTime::now()).unwrap();
    let mut client = apple.client().await;
    assert_eq!(answer_on(&mut client, &apple.token).await.0, 200);
    assert_eq!(
        answer_on(&mut client, &other).await,
        (403, "UnrelatedKeyIdInToken".into())
    );
    assert_eq!(answer(&apple, &other).await.0, 200);
}

#[tokio::test]
async fn a_revoked_key_is_not_known_any_more() {
    let apple = Apple::new().await;
    assert_eq!(answer(&apple, &apple.token).await.0, 200);
    apple.apns.revoke_key(apple.key.key_id());
    assert_eq!(answer(&apple, &apple.token).await, invalid());
}

#[tokio::test]
async fn a_connection_with_a_token_has_one_stream_until_the_token_was_accepted() {
    let apple = Apple::new().await;
    let mut client = apple.client().await;
    // The first answer, even a refusal, shows that the double's SETTINGS have come.
    let refused = with(apple.push(&device(1)), "authorization", None);
    client.send(refused, alert("hello")).await.unwrap();
    assert_eq!(client.allowed_streams(), 1);
    client
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .unwrap();
    client
        .send(apple.push(&device(1)), alert("hello"))
        .await
        .unwrap();
    assert_eq!(client.allowed_streams(), 1000);
    assert!(apple.apns.violations().is_empty());
}

#[tokio::test]
async fn a_second_stream_before_that_is_refused_and_listed() {
    let apple = Apple::new().await;
    let mut client = apple.client().await;
    let (first, mut body) = client.open(apple.push(&device(1))).await.unwrap();
    let second = client.start(apple.push(&device(1)), alert("two")).await;
    let refused = finish(second).await.unwrap_err();
    assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
    body.send_data(alert("one").into(), true).unwrap();
    assert_eq!(finish(first).await.unwrap().status, 200);
    assert!(
        apple.apns.violations()[0]
            .what
            .contains("more than one stream")
    );
    assert_eq!(apple.apns.counts().violations, 1);
}

#[tokio::test]
async fn a_push_certificate_needs_no_token_and_no_topic_and_has_all_streams_at_once() {
    let apple = Apple::new().await;
    let mut client = apple.certified(TOPIC).await;
    let plain = || with(apple.push(&device(1)), "authorization", None);
    assert_eq!(
        client.send(plain(), alert("hello")).await.unwrap().status,
        200
    );
    assert_eq!(client.allowed_streams(), 1000);
    let unnamed = with(plain(), "apns-topic", None);
    assert_eq!(
        client.send(unnamed, alert("hello")).await.unwrap().status,
        200
    );
    let other = with(plain(), "apns-topic", Some("org.example.other"));
    let reply = client.send(other, alert("hello")).await.unwrap();
    assert_eq!(reply.reason(), (400, "TopicDisallowed".into()));
}

#[tokio::test]
async fn a_certificate_for_an_unknown_topic_is_good_for_nothing() {
    let apple = Apple::new().await;
    let mut client = apple.certified("org.example.other").await;
    let request = with(apple.push(&device(1)), "apns-topic", None);
    let reply = client.send(request, alert("hello")).await.unwrap();
    assert_eq!(reply.reason(), (400, "TopicDisallowed".into()));
}

#[tokio::test]
async fn a_certificate_of_another_authority_does_not_get_through_tls() {
    let apple = Apple::new().await;
    let stranger = TestCa::new().unwrap().client_identity(TOPIC).unwrap();
    // With TLS 1.3 the client learns of it with its first read.
    if let Ok(stream) =
        crate::support::tls(apple.apns.address(), &apple.ca, Some(stranger), &[b"h2"]).await
    {
        let (_send, connection) = h2::client::handshake::<_>(stream).await.unwrap();
        assert!(connection.await.is_err());
    }
    apple
        .apns
        .wait_until_counts("one turned away", SOON, |seen| seen.failed_handshakes == 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn both_kinds_of_keystore_open_and_are_let_in() {
    let apple = Apple::new().await;
    for format in [KeystoreFormat::Modern, KeystoreFormat::Legacy] {
        let file = apple
            .ca
            .client_keystore_in(TOPIC, "s3cret", format)
            .unwrap();
        assert!(KeyStore::from_pkcs12(&file, "wrong", Pkcs12ImportPolicy::Strict).is_err());
        let keystore = KeyStore::from_pkcs12(&file, "s3cret", Pkcs12ImportPolicy::Strict).unwrap();
        let (_, chain) = keystore.private_key_chain().unwrap();
        let certificate = chain.certs()[0].as_der().to_vec().into();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()));
        let mut client = Client::connect(&apple.apns, &apple.ca, Some((certificate, key))).await;
        let request = with(apple.push(&device(1)), "authorization", None);
        assert_eq!(
            client.send(request, alert("hello")).await.unwrap().status,
            200,
            "{format:?}"
        );
    }
}

#[test]
fn an_authority_of_a_folder_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = TestCa::load_or_create(folder.path()).unwrap();
    let again = TestCa::load_or_create(folder.path()).unwrap();
    let (certificate, _) = first.client_identity(TOPIC).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        again.roots().unwrap().into(),
        rustls::crypto::ring::default_provider().into(),
    )
    .build()
    .unwrap();
    verifier
        .verify_client_cert(&certificate, &[], rustls_pki_types::UnixTime::now())
        .unwrap();
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let key = ProviderKey::generate(TEAM).unwrap();
    assert!(!format!("{key:?}").contains("PRIVATE"));
    assert_eq!(format!("{:?}", TestCa::new().unwrap()), "TestCa");
}
