//! The configuration of a private Dovecot.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Builder;

/// `nobody` and `nogroup` on Debian and Ubuntu: Dovecot never gives mail to root.
const NOBODY: u32 = 65_534;

/// Where Dovecot listens.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ports {
    pub(super) imap: u16,
    pub(super) imaps: u16,
    pub(super) lmtp: u16,
}

/// What this Dovecot says first, and no other.
pub(super) fn greeting(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

pub(super) fn log_file(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// What is said before there is a log.
pub(super) fn output_file(folder: &Path) -> PathBuf {
    folder.join("output")
}

/// Writes all files that Dovecot reads; returns the one that it is started with.
pub(super) fn write(folder: &Path, wanted: &Builder, ports: Ports) -> anyhow::Result<PathBuf> {
    let is_root = rustix::process::geteuid().is_root();
    let home = folder.join("home");
    fs::create_dir_all(&home)?;
    if is_root {
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        chown(&home, Some(NOBODY), Some(NOBODY))?;
    }
    write_passwords(&folder.join("users"), &wanted.users)?;
    write_passwords(&folder.join("masters"), &wanted.masters)?;
    let file = folder.join("dovecot.conf");
    fs::write(&file, render(folder, wanted, ports, is_root)?)?;
    Ok(file)
}

fn write_passwords(file: &Path, users: &[(String, String)]) -> anyhow::Result<()> {
    let mut text = String::new();
    for (name, password) in users {
        let writable = |text: &str| !text.contains([':', '\n', '\r']);
        ensure!(
            writable(name) && writable(password),
            "neither {name:?} nor the password may hold a colon or a line break"
        );
        writeln!(text, "{name}:{{PLAIN}}{password}")?;
    }
    Ok(fs::write(file, text)?)
}

fn render(folder: &Path, wanted: &Builder, ports: Ports, is_root: bool) -> anyhow::Result<String> {
    let at = folder.display();
    let mut text = format!(
        "base_dir = {at}/run\n\
         state_dir = {at}/run\n\
         log_path = {}\n\
         login_greeting = {}\n\
         protocols = imap lmtp\n\
         listen = 127.0.0.1\n\
         disable_plaintext_auth = no\n\
         auth_mechanisms = plain login\n\
         auth_master_user_separator = *\n\
         mail_location = maildir:~/Maildir\n\
         mail_attribute_dict = file:%h/dovecot-attributes\n\
         first_valid_uid = 1\n\
         first_valid_gid = 1\n",
        log_file(folder).display(),
        greeting(folder),
    );
    // A failed login would slow the next ones from the same address, of whatever test.
    text += "auth_failure_delay = 0\n\
             service anvil {\n unix_listener anvil-auth-penalty {\n mode = 0\n }\n}\n";
    let (uid, gid) = if is_root {
        (NOBODY, NOBODY)
    } else {
        text += &own_user()?;
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        (uid.as_raw(), gid.as_raw())
    };
    // Only `continue` makes Dovecot look whether the user that a master wants to be exists.
    write!(
        text,
        "passdb {{\n driver = passwd-file\n master = yes\n args = {at}/masters\n \
         result_success = continue\n}}\n\
         passdb {{\n driver = passwd-file\n args = {at}/users\n}}\n\
         userdb {{\n driver = static\n args = uid={uid} gid={gid} home={at}/home/%u\n}}\n"
    )?;
    listeners(&mut text, wanted, ports)?;
    if !wanted.no_imap_metadata {
        text += "protocol imap {\n imap_metadata = yes\n}\n";
    }
    drivers(&mut text, wanted)?;
    text += &wanted.extra;
    Ok(text)
}

fn listeners(text: &mut String, wanted: &Builder, ports: Ports) -> anyhow::Result<()> {
    let imaps = match &wanted.certificate {
        None => {
            *text += "ssl = no\n";
            "port = 0".to_owned()
        }
        Some((certificate, key)) => {
            let (certificate, key) = (certificate.display(), key.display());
            write!(
                text,
                "ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\n"
            )?;
            format!("port = {}\n ssl = yes", ports.imaps)
        }
    };
    let Ports { imap, lmtp, .. } = ports;
    Ok(write!(
        text,
        "service imap-login {{\n inet_listener imap {{\n port = {imap}\n }}\n \
         inet_listener imaps {{\n {imaps}\n }}\n}}\n\
         service lmtp {{\n inet_listener lmtp {{\n port = {lmtp}\n }}\n}}\n"
    )?)
}

fn drivers(text: &mut String, wanted: &Builder) -> anyhow::Result<()> {
    if wanted.drivers.is_empty() {
        return Ok(());
    }
    // The plugin stands on `notify` and does nothing without a word where that is not named.
    *text += "protocol lmtp {\n mail_plugins = notify push_notification\n}\nplugin {\n";
    for (index, url) in wanted.drivers.iter().enumerate() {
        let number = match index {
            0 => String::new(),
            _ => (index + 1).to_string(),
        };
        // Variables are expanded, so a percent sign is written twice.
        let url = url.replace('%', "%%");
        let from_metadata = if wanted.user_from_metadata {
            " user_from_metadata"
        } else {
            ""
        };
        writeln!(
            text,
            " push_notification_driver{number} = ox:url={url}{from_metadata}"
        )?;
    }
    *text += "}\n";
    Ok(())
}

/// What makes Dovecot run as whoever starts it.
fn own_user() -> anyhow::Result<String> {
    let (user, group) = (id("-un")?, id("-gn")?);
    Ok(format!(
        "default_internal_user = {user}\n\
         default_internal_group = {group}\n\
         default_login_user = {user}\n\
         service anvil {{\n chroot =\n}}\n\
         service imap-login {{\n chroot =\n}}\n"
    ))
}

fn id(what: &str) -> anyhow::Result<String> {
    let output = Command::new("id").arg(what).output();
    let output = output.with_context(|| format!("cannot run id {what}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
