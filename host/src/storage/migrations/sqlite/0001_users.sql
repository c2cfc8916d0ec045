-- Times are milliseconds since the Unix epoch.

-- The numbers of users are never given twice: a mail server may go on reporting a number long
-- after its user was removed.
CREATE TABLE contexts (
    context   INTEGER NOT NULL PRIMARY KEY,
    next_user INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    context    INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    login      TEXT    NOT NULL,
    login_key  TEXT    NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (context, id)
) STRICT, WITHOUT ROWID;

-- `ending`: it is over, but the listener has not yet been told.
CREATE TABLE registrations (
    context    INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    client     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    ending     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (context, user, client),
    FOREIGN KEY (context, user) REFERENCES users (context, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: what still waits for a device that is gone must never reach another one.
CREATE TABLE subscriptions (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    context       INTEGER NOT NULL,
    user          INTEGER NOT NULL,
    client        TEXT    NOT NULL,
    transport     TEXT    NOT NULL,
    token         TEXT    NOT NULL,
    app           TEXT,
    subscribed_ms INTEGER NOT NULL,
    UNIQUE (transport, token),
    FOREIGN KEY (context, user) REFERENCES users (context, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX subscriptions_by_user ON subscriptions (context, user);
