//! Accounts at the providers' doubles.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use belfry_sandbox::{Apns, ApnsOptions, Fcm, FcmOptions, ProviderKey, ServiceAccount, TestCa};
use bytes::Bytes;
use mobile_push::apns::{ApnsAccount, ApnsAuth, ApnsRequest, ApnsSettings, Priority, PushType};
use mobile_push::clock::{Clock, SystemClock};
use mobile_push::fcm::{FcmAccount, FcmRequest, FcmSettings};
use mobile_push::http2::{Options, Trust};
use mobile_push::jwt::{ProviderToken, SigningKey};
use mobile_push::keystore;
use mobile_push::outcome::{Outcome, Scope};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

pub(crate) const TOPIC: &str = "org.example.mail";

/// What a test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A certificate authority, and a folder for its certificate.
pub(crate) struct Authority {
    pub(crate) ca: TestCa,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self {
            ca: TestCa::new().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(authority.path(), authority.ca.pem()).unwrap();
        authority
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::File(self.path())
    }
}

/// APNs and an account there.
pub(crate) struct Apple {
    pub(crate) authority: Authority,
    pub(crate) key: ProviderKey,
    pub(crate) apns: Apns,
}

impl Apple {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ApnsOptions)) -> Self {
        let authority = Authority::new();
        let key = ProviderKey::generate("TEAM123456").unwrap();
        let mut options = ApnsOptions::new(&authority.ca, TOPIC).key(key.accepted());
        change(&mut options);
        let apns = Apns::start(options).await.unwrap();
        Self {
            authority,
            key,
            apns,
        }
    }

    pub(crate) fn by_token(&self) -> ApnsAccount {
        self.account(self.token(&self.key, Arc::new(SystemClock)), quick())
    }

    pub(crate) fn token(&self, key: &ProviderKey, clock: Arc<dyn Clock>) -> ApnsAuth {
        let signing = SigningKey::es256(&key.p8().into()).unwrap();
        let token = ProviderToken::new(signing, key.key_id(), key.team_id(), clock);
        ApnsAuth::Token(Arc::new(token))
    }

    pub(crate) fn by_certificate(&self) -> ApnsAccount {
        self.account(self.certificate(&self.authority.ca), quick())
    }

    pub(crate) fn certificate(&self, issuer: &TestCa) -> ApnsAuth {
        let keystore = issuer.client_keystore(TOPIC, "hunter2").unwrap();
        self.certificate_in(&keystore)
    }

    pub(crate) fn certificate_in(&self, keystore: &[u8]) -> ApnsAuth {
        let identity = keystore::read(keystore, &"hunter2".into(), SystemTime::now()).unwrap();
        ApnsAuth::Certificate(identity)
    }

    pub(crate) fn account(&self, auth: ApnsAuth, connections: Options) -> ApnsAccount {
        self.account_at(&self.apns.endpoint(), auth, connections)
    }

    pub(crate) fn account_at(
        &self,
        endpoint: &str,
        auth: ApnsAuth,
        connections: Options,
    ) -> ApnsAccount {
        ApnsAccount::new(ApnsSettings {
            endpoint: endpoint.parse().unwrap(),
            trust: self.authority.trust(),
            topic: Some(TOPIC.to_owned()),
            auth,
            connections,
        })
        .unwrap()
    }
}

/// FCM and an account there.
pub(crate) struct Google {
    pub(crate) authority: Authority,
    pub(crate) fcm: Fcm,
}

impl Google {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut FcmOptions)) -> Self {
        let authority = Authority::new();
        let account = ServiceAccount::new("mail-1", "push@mail-1.iam.gserviceaccount.com");
        let mut options = FcmOptions::new(&authority.ca, account);
        change(&mut options);
        let fcm = Fcm::start(options).await.unwrap();
        Self { authority, fcm }
    }

    pub(crate) fn account(&self) -> FcmAccount {
        let file = self.fcm.service_account_json();
        FcmAccount::new(FcmSettings {
            account: mobile_push::fcm::ServiceAccount::parse(&file.into()).unwrap(),
            endpoint: self.fcm.endpoint().parse().unwrap(),
            trust: self.authority.trust(),
            connections: quick(),
            clock: Arc::new(SystemClock),
        })
        .unwrap()
    }
}

/// Time limits that a test can wait out.
pub(crate) fn quick() -> Options {
    Options {
        request_timeout: Duration::from_secs(10),
        ..Options::default()
    }
}

/// The token of the device of a number.
pub(crate) fn device(number: usize) -> String {
    format!("{number:064x}")
}

/// A push of its own to the device of a number.
pub(crate) fn push(number: usize) -> ApnsRequest {
    ApnsRequest {
        token: device(number),
        apns_id: Uuid::new_v4(),
        collapse_id: Some(format!("mail-{number}")),
        expiration: 4_000_000_000,
        priority: Priority::Immediate,
        push_type: PushType::Alert,
        payload: Bytes::from(json!({"aps": {"alert": "x"}, "cid": number.to_string()}).to_string()),
        attempt: 0,
    }
}

/// A message of its own to the device of a number.
pub(crate) fn message(number: usize) -> FcmRequest {
    FcmRequest {
        token: device(number),
        data: json!({"cid": number.to_string()}),
        ttl: Duration::from_secs(3600),
        attempt: 0,
    }
}

/// Runs a job for each number below `jobs`, so many at once, and returns what they returned.
pub(crate) async fn at_once<F>(
    jobs: usize,
    workers: usize,
    job: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Vec<Outcome>
where
    F: Future<Output = Outcome> + Send,
{
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for _ in 0..workers {
        let (job, next) = (job.clone(), next.clone());
        running.spawn(async move {
            let mut outcomes = Vec::new();
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= jobs {
                    return outcomes;
                }
                outcomes.push(job(number).await);
            }
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

/// Fails with the first outcome that is not a delivery.
pub(crate) fn assert_all_delivered(outcomes: &[Outcome]) {
    if let Some(other) = outcomes
        .iter()
        .find(|outcome| **outcome != Outcome::Delivered)
    {
        panic!("{other:?}");
    }
}

/// Takes a wait apart: its length, its scope, its reason, and whether the push may have arrived.
pub(crate) fn wait(outcome: Outcome) -> (Duration, Scope, String, bool) {
    match outcome {
        Outcome::RetryLater {
            after,
            scope,
            reason,
            possibly_delivered,
        } => (after, scope, reason, possibly_delivered),
        other => panic!("{other:?}"),
    }
}
