//! The process dies at any moment; what it answered is there.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::super::complete::{CompleteInbox, MessageOutcome};
use super::*;

const FOLDER: &str = "BELFRY_TEST_KILLED_QUEUE";
const ROUND: &str = "BELFRY_TEST_KILLED_ROUND";
const ROUNDS: u64 = 12;
const CALLERS: u64 = 16;
/// The child is killed after one of so many reports.
const REPORTS: u64 = 1500;

/// Runs itself again as the process that is killed, over and over on the same file.
#[test]
fn whatever_was_answered_before_a_kill_is_there_after_it() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let round = std::env::var(ROUND).expect("set beside the folder");
        work_until_killed(Path::new(&folder), &round);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut accepted = BTreeMap::new();
    let mut completed = BTreeMap::new();
    for round in 0..ROUNDS {
        let kill_after = RandomState::new().hash_one(round) % REPORTS;
        for report in reports_until_killed(folder.path(), round, kill_after) {
            let words: Vec<&str> = report.split(' ').collect();
            match words[..] {
                ["accepted", id, name] => accepted.insert(name.to_owned(), parse(id)),
                ["completed", id, name] => completed.insert(name.to_owned(), parse(id)),
                _ => panic!("not a report: {report}"),
            };
        }
        check(folder.path(), &accepted, &completed);
    }
    assert!(accepted.len() > completed.len() && !completed.is_empty());
}

fn parse(id: &str) -> i64 {
    id.parse().expect("a number")
}

/// Starts the child and kills it after some of its reports; answers all that came out of it.
fn reports_until_killed(folder: &Path, round: u64, kill_after: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "--nocapture"])
        .arg(own_name(
            module_path!(),
            "whatever_was_answered_before_a_kill_is_there_after_it",
        ))
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut reports = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line).expect("readable") > 0 {
        // A report that the kill cut short was never made.
        if let Some(whole) = line.strip_suffix('\n')
            && let Some(report) = whole.strip_prefix("report: ")
        {
            reports.push(report.to_owned());
            if reports.len() as u64 == kill_after + 1 {
                child.kill().expect("it is still alive");
            }
        }
        line.clear();
    }
    let status = child.wait().expect("it has ended");
    assert_eq!(status.code(), None, "it must end by the kill: {status}");
    reports
}

/// Every name is in exactly one place: waiting in the inbox, or fanned out of it.
fn check(folder: &Path, accepted: &BTreeMap<String, i64>, completed: &BTreeMap<String, i64>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (inbox, outbox) = runtime.block_on(async {
        let queue = open(folder, Durability::Power, &SetClock::default());
        let mut inbox = BTreeMap::new();
        let mut after = Some(0);
        while let Some(id) = after {
            let page = queue.load_inbox("push-dovecot", id, 1000).await;
            let page = page.expect("loaded");
            for entry in page.entries {
                inbox.insert(name_of(&entry.payload), entry.id);
            }
            after = page.next;
        }
        let mut outbox = BTreeMap::new();
        let mut after = Some(0);
        while let Some(id) = after {
            let page = queue.load_outbox("apns", id, 1000, 0).await;
            let page = page.expect("loaded");
            for found in page.ready {
                outbox.insert(name_of(&found.payload), found.id);
            }
            after = page.next;
        }
        queue.close().await.expect("closes");
        (inbox, outbox)
    });
    let both: BTreeSet<_> = inbox.keys().filter(|it| outbox.contains_key(*it)).collect();
    assert!(both.is_empty(), "neither closed nor waiting: {both:?}");
    for (name, id) in accepted {
        match inbox.get(name) {
            Some(found) => assert_eq!(found, id, "{name}"),
            None => assert!(outbox.contains_key(name), "{name} ({id}) is lost"),
        }
    }
    for (name, id) in completed {
        assert_eq!(outbox.get(name), Some(id), "{name}");
    }
}

fn name_of(payload: &[u8]) -> String {
    String::from_utf8(payload.to_vec()).expect("names are text")
}

/// The child: callers side by side accept entries, complete every second one, and report each
/// answer.
fn work_until_killed(folder: &Path, round: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let worked = runtime.block_on(async {
        let queue = open(folder, Durability::Power, &SetClock::default());
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(call(queue.clone(), format!("{round}-{caller}")));
        }
        tokio::time::timeout(DEADLINE, callers.join_next()).await
    });
    // Reached only when the parent is gone or something failed.
    panic!("not killed: {worked:?}");
}

async fn call(queue: Queue, caller: String) -> std::io::Result<()> {
    for number in 0_u64.. {
        let name = format!("{caller}-{number}");
        let accepted = queue
            .accept("push-dovecot", EntryKind::Report, name.as_bytes())
            .await
            .map_err(std::io::Error::other)?;
        report(&format!("report: accepted {} {name}\n", accepted.id))?;
        if number % 2 == 0 {
            continue;
        }
        let mut new = delivery("apns", 10);
        new.payload = name.as_bytes().into();
        let mut key = [0; 16];
        key[..name.len()].copy_from_slice(name.as_bytes());
        let done = queue
            .complete(CompleteInbox {
                close: vec![accepted.id],
                messages: vec![Fanout {
                    key,
                    at: 0,
                    deliveries: vec![new],
                }],
                park: vec![],
            })
            .await
            .map_err(std::io::Error::other)?;
        let [MessageOutcome::Fanned(ids)] = &done.messages[..] else {
            return Err(std::io::Error::other("an unseen message was a duplicate"));
        };
        report(&format!("report: completed {} {name}\n", ids[0]))?;
    }
    Ok(())
}

/// One write, so that reports of different callers do not mix.
fn report(line: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes())?;
    output.flush()
}
