//! Users with devices, to be notified of mail.

use crate::app::{App, CLIENT, apns_token, fcm_token, try_log_in};
use crate::dovecot::Dovecot;
use crate::host::Host;
use crate::wait::until;

/// The password of everybody.
pub const PASSWORD: &str = "mail-Secret-5";

/// Some users of one mail server, each with an iPhone and an Android phone.
pub struct Crowd {
    /// The mail server.
    pub dovecot: Dovecot,
    /// `USER@CONTEXT` of each, by number from 0.
    pub users: Vec<String>,
}

impl Crowd {
    /// Starts a mail server, points the host at it, and has everybody subscribe.
    pub async fn gather(host: &Host, count: u32) -> Self {
        Self::gather_with(host, count, true).await
    }

    /// Like [`Crowd::gather`], with iPhones only.
    pub async fn gather_iphones(host: &Host, count: u32) -> Self {
        Self::gather_with(host, count, false).await
    }

    async fn gather_with(host: &Host, count: u32, android: bool) -> Self {
        let login = |number: u32| format!("user{number}@example.com");
        let logins: Vec<_> = (0..count).map(login).collect();
        let users = logins.iter().map(|login| (login.as_str(), PASSWORD));
        let dovecot = Dovecot::builder()
            .users(users)
            .driver_url(&host.notify_url())
            .user_from_metadata(true)
            .start()
            .await
            .unwrap();
        host.set("belfry.imap.url", &dovecot.imap_url());
        until("the mail server's address to be in force", async || {
            let response = try_log_in(host, &logins[0], PASSWORD, CLIENT).await;
            response.status().is_success().then_some(())
        })
        .await;
        let mut users = Vec::new();
        for (number, login) in (0..count).zip(&logins) {
            let app = App::log_in(host, login, PASSWORD).await;
            assert!(
                app.subscribe("apns", &apns_token(number))
                    .await
                    .is_success()
            );
            if android {
                assert!(app.subscribe("fcm", &fcm_token(number)).await.is_success());
            }
            users.push(app.user());
        }
        Self { dovecot, users }
    }
}
