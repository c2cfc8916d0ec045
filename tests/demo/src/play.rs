//! The scenario.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::app::App;
use crate::host::Host;
use crate::mail::{Mail, MailServer};
use crate::sandbox::{Push, Sandbox};
use crate::show::{self, Steps};
use crate::wait::within;

/// The user, who exists for the demo alone.
const LOGIN: &str = "alice@example.org";
const PASSWORD: &str = "wonderland";

/// The device tokens: one of Apple's form, 64 hexadecimal digits, and one of Google's.
const IPHONE: &str = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988";
const ANDROID_PHONE: &str = "fK3xR9:APA91bHun4MxP5egoKMwt2KZFBaFUH1RYqx7Vn0pJw3tD8uLbYc5sQeG";

const MAIL: Mail<'_> = Mail {
    // Encoded as mail programs do it (RFC 2047).
    from: "=?utf-8?Q?Bj=C3=B8rn_B=C3=A4cker?= <bob@example.org>",
    subject: "=?utf-8?B?THVuY2ggb24gRnJpZGF5PyDwn42d?=",
    body: "At noon, at the usual place?",
};

/// Plays it in a folder that is removed at the end.
pub(crate) async fn play(dist: &Path, stand_in: bool) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("belfry-demo-").tempdir()?;
    let mut steps = Steps::begin();
    let mut sandbox = Sandbox::start(dist, folder.path()).await?;
    let (apns, fcm) = (&sandbox.ready.apns, &sandbox.ready.fcm);
    steps.done(&format!("doubles of APNs at {apns} and FCM at {fcm}"));
    let mut mail_server = MailServer::start(LOGIN, PASSWORD, stand_in).await?;
    if let MailServer::StandIn(_) = mail_server {
        show::no_dovecot();
    }
    let name = mail_server.description();
    steps.done(&format!("{name} at {}", mail_server.imap_url()));
    let providers = sandbox.properties.clone();
    let imap = mail_server.imap_url();
    let mut host = Host::start(dist, folder.path(), &providers, &imap).await?;
    let played = with_host(&mut host, &mut sandbox, &mut mail_server, steps).await;
    played.with_context(|| format!("the host's last words:\n{}\n", host.last_words()))
}

async fn with_host(
    host: &mut Host,
    sandbox: &mut Sandbox,
    mail_server: &mut MailServer,
    mut steps: Steps,
) -> Result<()> {
    let plugins = host.plugins().await?.join(", ");
    let (public, internal) = (&host.endpoints.public, &host.endpoints.internal);
    steps.done(&format!(
        "belfryd for apps at {public}, for mail servers at {internal}"
    ));
    steps.done(&format!("plugins loaded: {plugins}"));
    mail_server.report_to(&host.notify_url()).await?;
    let name = mail_server.description();
    steps.done(&format!("{name} reports new mail to belfryd"));
    let app = App::log_in(&host.endpoints.public, LOGIN, PASSWORD).await?;
    let (user, context) = (app.session.user, app.session.context);
    steps.done(&format!(
        "{LOGIN} logged in: user {user} in context {context}"
    ));
    app.subscribe("apns", IPHONE).await?;
    app.subscribe("fcm", ANDROID_PHONE).await?;
    steps.done("an iPhone and an Android phone subscribed");
    let listener = host.listens_for(user, context).await?;
    steps.done(&format!("listener: {listener}"));
    let handed_over = SystemTime::now();
    mail_server.deliver(LOGIN, &MAIL).await?;
    let (delivered, since) = match mail_server {
        MailServer::Dovecot(_) => ("a mail delivered by LMTP", "the mail was handed to LMTP"),
        MailServer::StandIn(_) => ("the request for a new mail sent", "the request was sent"),
    };
    steps.done(delivered);
    let pushes = within("both pushes", both_pushes(sandbox)).await?;
    steps.done("both pushes arrived");
    for (device, push) in ["iPhone (APNs)", "Android phone (FCM)"]
        .into_iter()
        .zip(&pushes)
    {
        show::push(device, push, push.after(handed_over), since);
    }
    Ok(())
}

/// The push to the iPhone and the one to the Android phone.
async fn both_pushes(sandbox: &mut Sandbox) -> Result<[Push; 2]> {
    let (mut apns, mut fcm) = (None, None);
    loop {
        let push = sandbox.push().await?;
        if push.outcome != "accepted" {
            bail!("the double of {} said: {}", push.provider, push.outcome);
        }
        match (push.provider.as_str(), push.token.as_str()) {
            ("apns", IPHONE) => apns = Some(push),
            ("fcm", ANDROID_PHONE) => fcm = Some(push),
            (provider, token) => bail!("a push at {provider} for {token}, who is nobody"),
        }
        if let (Some(apns), Some(fcm)) = (&apns, &fcm) {
            return Ok([apns.clone(), fcm.clone()]);
        }
    }
}
