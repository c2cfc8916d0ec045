//! The program, as an operator runs it.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use belfry_sandbox::TestCa;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustix::process::{Pid, Signal, kill_process};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{Client, Identity, SOON, alert, device, push, with};

struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_belfry-sandbox"))
            .arg("--dir")
            .arg(folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(SOON, self.lines.next_line())
            .await
            .expect("the program prints a line");
        line.unwrap().expect("the program is running")
    }

    async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("`{line}` is JSON"))
    }

    async fn stop(&mut self) -> bool {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        tokio::time::timeout(SOON, self.child.wait())
            .await
            .expect("the program stops")
            .unwrap()
            .success()
    }
}

fn properties(folder: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(folder.join("sandbox.properties")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once('=').unwrap())
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// The client certificate that the properties name.
fn identity(properties: &HashMap<String, String>) -> Identity {
    let prefix = "com.openxchange.mobilepush.events.apn.ios";
    let file = std::fs::read(&properties[&format!("{prefix}.keystore")]).unwrap();
    let password = &properties[&format!("{prefix}.password")];
    let keystore = KeyStore::from_pkcs12(&file, password, Pkcs12ImportPolicy::Strict).unwrap();
    let (_, chain) = keystore.private_key_chain().unwrap();
    let key = PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec());
    (
        chain.certs()[0].as_der().to_vec().into(),
        PrivateKeyDer::from(key),
    )
}

fn address(endpoint: &str) -> SocketAddr {
    endpoint.strip_prefix("https://").unwrap().parse().unwrap()
}

async fn client(folder: &Path, properties: &HashMap<String, String>) -> Client {
    let ca = TestCa::load_or_create(folder).unwrap();
    let address = address(&properties["belfry.mobile-push.apns.endpoint"]);
    Client::connect_to(address, &ca, Some(identity(properties))).await
}

#[tokio::test]
async fn json_lines_tell_a_story_from_ready_to_summary() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), &["--json", "--fault", "apns:410,times=1"]);
    let ready = program.json().await;
    assert_eq!(ready["event"], "ready");
    let properties = properties(folder.path());
    assert_eq!(
        ready["apns"],
        properties["belfry.mobile-push.apns.endpoint"]
    );
    assert_eq!(ready["fcm"], properties["belfry.mobile-push.fcm.endpoint"]);

    let mut client = client(folder.path(), &properties).await;
    let request = || {
        with(
            push("unused", &device(1)),
            "apns-topic",
            Some("org.example.mail"),
        )
    };
    assert_eq!(
        client.send(request(), alert("gone")).await.unwrap().status,
        410
    );
    assert_eq!(
        client.send(request(), alert("hello")).await.unwrap().status,
        200
    );
    let (refused, accepted) = (program.json().await, program.json().await);
    assert_eq!(
        (&refused["outcome"], &refused["reason"]),
        (&"refused".into(), &"Unregistered".into())
    );
    assert_eq!(
        (&accepted["event"], &accepted["outcome"]),
        (&"push".into(), &"accepted".into())
    );
    assert_eq!(
        (&accepted["sender"], &accepted["subject"]),
        (&"Alice".into(), &"hello".into())
    );
    assert_eq!(
        (&accepted["unread"], &accepted["token"]),
        (&3.into(), &device(1).into())
    );

    assert!(program.stop().await);
    let summary = program.json().await;
    assert_eq!(summary["event"], "summary");
    assert_eq!(
        (&summary["apns"]["delivered"], &summary["apns"]["refused"]),
        (&1.into(), &1.into())
    );
}

#[tokio::test]
async fn people_read_time_device_sender_subject_badge_and_cid_and_nothing_that_moves_their_cursor()
{
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), &[]);
    for wanted in [
        "APNs double: https://",
        "FCM double:  https://",
        "Credentials",
        "Waiting for pushes",
    ] {
        let line = program.line().await;
        assert!(line.starts_with(wanted), "{line}");
    }
    let properties = properties(folder.path());
    let mut client = client(folder.path(), &properties).await;
    client
        .send(push("unused", &device(1)), alert("tea\u{202E} \\u001b[2J"))
        .await
        .unwrap();
    let line = program.line().await;
    let rest = "apns 010101010101… Alice - tea\\u{202e} \\\\u001b[2J [badge 3] default0/INBOX:tea\\u{202e}";
    assert!(
        line.contains(&rest.replace("\\\\u001b", "\\u001b")),
        "{line}"
    );
    assert!(program.stop().await);
    assert!(
        program
            .line()
            .await
            .starts_with("APNs: 1 requests, 1 taken in")
    );
}

#[tokio::test]
async fn a_folder_is_used_again_and_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--json", "--auth", "key"];
    let mut program = Program::start(folder.path(), &arguments);
    program.json().await;
    let before = properties(folder.path());
    assert!(program.stop().await);
    let mut program = Program::start(folder.path(), &arguments);
    program.json().await;
    let after = properties(folder.path());
    for key in ["key", "key-id", "team-id"] {
        let key = format!("belfry.mobile-push.apns.{key}");
        assert_eq!(before[&key], after[&key]);
    }
    for name in [
        "ca.key",
        "apns.p12",
        "apns.password",
        "fcm-service-account.json",
        "sandbox.properties",
    ] {
        let mode = std::fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn commands_change_faults_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), &["--json", "--control"]);
    program.json().await;
    let mut stdin = program
        .child
        .stdin
        .take()
        .unwrap()
        .into_owned_fd()
        .map(std::fs::File::from)
        .unwrap();
    let properties = properties(folder.path());
    let mut client = client(folder.path(), &properties).await;

    writeln!(stdin, "fault apns:503").unwrap();
    assert_eq!(program.json().await["text"], "in force");
    assert_eq!(
        client
            .send(push("unused", &device(1)), alert("hello"))
            .await
            .unwrap()
            .status,
        503
    );
    assert_eq!(program.json().await["status"], 503);
    writeln!(stdin, "clear").unwrap();
    assert_eq!(program.json().await["text"], "no faults");
    assert_eq!(
        client
            .send(push("unused", &device(1)), alert("hello"))
            .await
            .unwrap()
            .status,
        200
    );
    program.json().await;
    writeln!(stdin, "dance").unwrap();
    assert!(
        program.json().await["text"]
            .as_str()
            .unwrap()
            .starts_with("`dance` is no command")
    );
    assert!(
        program.stop().await,
        "a waiting standard input does not hold it up"
    );
}

#[tokio::test]
async fn wrong_usage_is_exit_code_2_and_names_the_problem() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_belfry-sandbox"))
        .args([
            "--dir",
            folder.path().to_str().unwrap(),
            "--fault",
            "apns:explode",
        ])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("fault `apns:explode`")
    );
}
