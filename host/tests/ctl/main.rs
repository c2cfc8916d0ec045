//! `belfryctl` and `listpushusers`, as operators and their scripts meet them.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod world;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use world::{Host, SECRET, Said, Tail, belfryctl, ctl, until};

#[test]
fn every_listing_is_a_table_for_people_and_json_for_programs() {
    let host = Host::start();
    for (arguments, column, name) in [
        (&["plugin", "list"][..], "GENERATION", "plugins"),
        (&["service", "list"], "RANKING", "services"),
        (&["registration", "list"], "CLIENT", "registrations"),
        (&["subscription", "list"], "TOKEN", "subscriptions"),
        (&["user", "list"], "LOGIN", "users"),
        (&["delivery", "list"], "ATTEMPTS", "deliveries"),
    ] {
        let table = host.ctl(arguments);
        assert_eq!(table.status, 0, "{arguments:?}: {table:?}");
        assert!(table.out.contains(column), "{arguments:?}: {table:?}");
        assert_eq!(host.json(arguments)[name], Value::Array(Vec::new()));
    }
    assert_eq!(
        host.json(&["listpushusers"])["listeners"],
        Value::Array(Vec::new())
    );
    assert_eq!(host.json(&["health"])["ok"], true);
}

#[test]
fn listpushusers_is_the_same_under_both_names() {
    let host = Host::start();
    let old = Said::by(
        Command::new(env!("CARGO_BIN_EXE_listpushusers"))
            .arg("--socket")
            .arg(host.socket()),
    );
    // Without a listener there is no line, and no head of a table that a script would trip over.
    assert_eq!(
        (old.status, old.out.as_str(), old.err.as_str()),
        (0, "", "")
    );
    assert_eq!(host.ctl(&["listpushusers"]).out, old.out);
}

#[test]
fn users_are_added_listed_and_removed() {
    let host = Host::start();
    assert_eq!(
        host.ctl(&["user", "add", "249@1", "anna@example.com"])
            .status,
        0
    );
    host.ctl(&["user", "add", "249@1", "berta@example.com"])
        .refused(&["249@1"]);
    let users = host.json(&["user", "list"]);
    assert_eq!(users["users"][0]["login"], "anna@example.com");
    host.ctl(&["registration", "remove", "1", "249"])
        .refused(&["249@1", "belfryctl registration list"]);
    assert_eq!(host.ctl(&["user", "remove", "249@1"]).status, 0);
    host.ctl(&["user", "remove", "249@1"])
        .refused(&["249@1", "belfryctl user list"]);
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_a_sentence_with_and_without_a_host() {
    let host = Host::start();
    let file = host.folder.path().join("plugin.so");
    fs::write(&file, "This is no library.").unwrap();
    let name = file.to_str().unwrap();
    let sentence = "it is not an ELF file; a plugin is a shared object (.so)";
    Said::by(belfryctl().args(["plugin", "vet", name])).refused(&[name, sentence]);
    // The path is the operator's, who is elsewhere than the host.
    let said = Said::by(
        belfryctl()
            .current_dir(host.folder.path())
            .arg("--socket")
            .arg(host.socket())
            .args(["plugin", "install", "plugin.so"]),
    );
    said.refused(&[name, sentence]);
    assert_eq!(host.ctl(&["health"]).status, 0);
}

#[test]
fn a_file_that_was_refused_in_the_plugins_folder_is_a_fault_until_it_goes() {
    let host = Host::start();
    let file = host.folder.path().join("plugins/plugin.so");
    fs::write(&file, "This is no library.").unwrap();
    let sentence = "it is not an ELF file; a plugin is a shared object (.so)";
    let list = until("the file to be refused", || {
        let list = host.ctl(&["plugin", "list"]).out;
        list.contains(sentence).then_some(list)
    });
    assert!(list.contains(file.to_str().unwrap()), "{list}");
    let health = host.ctl(&["health"]);
    health.refused(&["does not work"]);
    assert!(health.out.contains(sentence), "{health:?}");
    fs::remove_file(&file).unwrap();
    until("the host to be well", || {
        (host.ctl(&["health"]).status == 0).then_some(())
    });
}

#[test]
fn a_library_that_is_no_plugin_is_refused_without_a_host() {
    let library = fs::read_to_string("/proc/self/maps").unwrap();
    let library = library.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.contains("/libc.so").then(|| path.to_owned())
    });
    let library = library.expect("this test is linked with the system's C library");
    Said::by(belfryctl().args(["plugin", "vet", &library])).refused(&[&library, "no manifest"]);
}

#[test]
fn secrets_are_shown_nowhere() {
    let host = Host::start();
    let key = "com.openexchange.mail.masterPassword";
    let mut seen = host.log();
    for arguments in [
        &["config", "get", key][..],
        &["config", "explain", key],
        &["config", "explain", key, "--json"],
        &["health", "--json"],
    ] {
        let said = host.ctl(arguments);
        assert_eq!(said.status, 0, "{said:?}");
        seen.push_str(&said.out);
    }
    assert!(seen.contains("mail.properties:1"), "{seen}");
    assert!(!seen.contains(SECRET), "{seen}");
}

#[test]
fn a_value_and_its_origin_are_told() {
    let host = Host::start();
    let said = host.ctl(&["config", "get", "belfry.http.public.listen"]);
    assert_eq!((said.status, said.out.as_str()), (0, "127.0.0.1:0\n"));
    let explained = host.json(&["config", "explain", "belfry.http.public.listen"]);
    assert_eq!(explained["origin"], "--set");
    assert_eq!(explained["default"], "127.0.0.1:8008");
    host.ctl(&["config", "get", "belfry.imap.ca"])
        .refused(&["not set"]);
    host.ctl(&["config", "get", "belfry.imap.urk"])
        .refused(&["belfry.imap.url"]);
}

#[test]
fn events_are_shown_as_they_pass_until_the_host_ends() {
    let mut host = Host::start();
    let mut tail = Tail::start(&host, &["event", "tail", "com/example/*", "--json"]);
    let send = [
        "event",
        "send",
        "com/example/mail",
        "--user",
        "249@1",
        "uid=7",
        "folder=INBOX",
    ];
    let line = until("an event to be shown", || {
        let said = host.ctl(&send);
        assert_eq!(
            (said.status, said.out.as_str()),
            (0, "no installed plugin wants it\n")
        );
        tail.lines.try_recv().ok()
    });
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["topic"], "com/example/mail");
    assert_eq!(event["user"], "249@1");
    assert_eq!(event["properties"]["uid"], 7);
    assert_eq!(event["properties"]["folder"], "INBOX");

    let pid = rustix::process::Pid::from_raw(host.child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(tail.end(), 3);
    let ended = until("the host to end", || host.child.try_wait().unwrap());
    assert!(ended.success());
}

#[test]
fn more_is_logged_where_the_operator_wants_it() {
    let host = Host::start();
    let tail = Tail::start(&host, &["log", "tail", "--level", "info"]);
    let line = until("a record to be shown", || {
        assert_eq!(host.ctl(&["log", "level", "belfryd", "debug"]).status, 0);
        tail.lines.try_recv().ok()
    });
    assert!(
        line.contains("the operator changed what is logged"),
        "{line}"
    );
    assert_eq!(host.ctl(&["log", "level", "belfryd", "default"]).status, 0);
    host.ctl(&["log", "level", "missing", "debug"])
        .refused(&["missing"]);
}

#[test]
fn whoever_has_read_enough_is_no_failure() {
    let host = Host::start();
    let mut child = belfryctl()
        .arg("--socket")
        .arg(host.socket())
        .args(["plugin", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn wrong_usage_ends_with_2_and_asking_for_help_does_not() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["plugin"],
        &["plugin", "start"],
        &["plugin", "start", "Not-An-Id"],
        &["user", "add", "anna", "anna@example.com"],
        &["event", "send", "no topic"],
        &["event", "send", "com/example", "nothing"],
        &["delivery", "purge"],
        &["delivery", "retry", "17"],
        &["config", "get", ""],
        &["log", "level", "belfryd", "loud"],
    ] {
        let said = Said::by(belfryctl().args(arguments));
        assert_eq!((said.status, said.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!said.err.is_empty(), "{arguments:?}");
    }
    let old =
        Said::by(Command::new(env!("CARGO_BIN_EXE_listpushusers")).arg("--cluster-of-grapes"));
    assert_eq!(old.status, 2);
    for arguments in [
        &["--help"][..],
        &["plugin", "install", "--help"],
        &["--version"],
    ] {
        let said = Said::by(belfryctl().args(arguments));
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{arguments:?}");
        assert!(!said.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_host_that_is_not_there_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("admin.sock");
    let left_over = folder.path().join("left-over.sock");
    drop(std::os::unix::net::UnixListener::bind(&left_over).unwrap());
    for socket in [&missing, &left_over] {
        for arguments in [
            &["plugin", "list"][..],
            &["listpushusers"],
            &["event", "tail"],
            &["health", "--json"],
        ] {
            let said = ctl(socket, arguments);
            assert_eq!((said.status, said.out.as_str()), (3, ""), "{arguments:?}");
            let names_it =
                said.err.contains(socket.to_str().unwrap()) && said.err.contains("start belfryd");
            assert!(names_it && said.err.lines().count() == 1, "{said:?}");
        }
    }
}
