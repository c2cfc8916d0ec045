use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{database, parsed};
use crate::storage::{Storage, StorageError};

#[tokio::test]
async fn what_is_stored_is_there_after_a_restart() {
    let database = database().await;
    let anna = database.user("anna@example.com").await;
    database.put(anna, "app", "t1", 1).await;
    database.storage.close().await;

    let url = format!(
        "sqlite:{}",
        database.folder.path().join("belfry.db").display()
    );
    let storage = Storage::open(&url, "/nowhere".as_ref()).await.unwrap();
    assert_eq!(
        storage.users().find(anna).await.unwrap().unwrap().login,
        parsed("anna@example.com")
    );
    assert_eq!(storage.subscriptions().of(anna).await.unwrap().len(), 1);
    assert_eq!(storage.registrations().users().await.unwrap(), [anna]);
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("belfry.db");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let storage = Storage::open("sqlite:belfry.db", folder.path())
        .await
        .unwrap();
    storage
        .users()
        .provision(1, &parsed("anna"), 0)
        .await
        .unwrap();
    let files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(files.len() > 1, "no write-ahead log: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn a_percent_sign_in_a_path_is_written_as_in_any_url() {
    let folder = tempfile::tempdir().unwrap();
    Storage::open("sqlite:100%25%3F.db", folder.path())
        .await
        .unwrap();
    assert!(folder.path().join("100%?.db").exists());
}

#[tokio::test]
async fn urls_that_cannot_be_used_are_refused_with_what_to_write() {
    for url in [
        "",
        "belfry.db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:a?mode=ro",
        "oracle://db",
    ] {
        let refused = Storage::open(url, "/nowhere".as_ref()).await.err().unwrap();
        assert!(matches!(refused, StorageError::Url(_)), "{url}: {refused}");
        assert!(refused.to_string().contains("sqlite:FILE"), "{refused}");
    }
    for url in [
        "postgres://belfry:hunter2@db/belfry",
        "mysql://belfry:hunter2@db/belfry",
    ] {
        let refused = Storage::open(url, "/nowhere".as_ref())
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(refused.contains("SQLite only"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let refused = Storage::open("sqlite:/nowhere/belfry.db", "/".as_ref())
        .await
        .err()
        .unwrap();
    assert!(refused.is_temporary());
    assert!(
        refused.to_string().contains("/nowhere/belfry.db"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_or_a_damaged_one_is_left_as_it_is() {
    let database = database().await;
    database.user("anna@example.com").await;
    database.storage.close().await;
    let file = database.folder.path().join("belfry.db");
    let mut damaged = fs::read(&file).unwrap();
    // The first page, which names the tables, stays; what follows is overwritten.
    damaged[4096..].fill(0xff);
    for content in [damaged, b"This is no database. ".repeat(100)] {
        fs::write(&file, &content).unwrap();
        let refused = Storage::open("sqlite:belfry.db", database.folder.path())
            .await
            .err()
            .unwrap();
        assert!(
            matches!(refused, StorageError::Corrupt { .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("backup"), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let database = database().await;
    database.storage.close().await;
    let file = rusqlite::Connection::open(database.folder.path().join("belfry.db")).unwrap();
    file.execute(
        "INSERT INTO _sqlx_migrations
             (version, description, success, checksum, execution_time)
         VALUES (4711, 'of the future', 1, x'00', 0)",
        [],
    )
    .unwrap();
    drop(file);
    let refused = Storage::open("sqlite:belfry.db", database.folder.path())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(refused, StorageError::Newer { found: 4711, .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("newer release"), "{refused}");
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    let database = database().await;
    assert_eq!(database.storage.check().await, Ok(()));
    database.storage.close().await;
    let error = database.storage.check().await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
}
