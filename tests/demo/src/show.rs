//! What is printed.

use std::time::{Duration, Instant};

use belfry_tests::dovecot::PACKAGES;

use crate::sandbox::Push;

/// Prints steps as they are taken, each with the time since the one before.
pub(crate) struct Steps {
    last: Instant,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        Self {
            last: Instant::now(),
        }
    }

    pub(crate) fn done(&mut self, what: &str) {
        println!("{:>9}  {what}", took(self.last.elapsed()));
        self.last = Instant::now();
    }
}

/// That not everything is real.
pub(crate) fn no_dovecot() {
    println!(
        "There is no Dovecot here. What follows is sent by a stand-in: the same bytes that Dovecot \
         sends for a new mail, without a mail. For the real thing: apt-get install {}",
        PACKAGES.join(" ")
    );
}

/// A push as the phone would show it, and how long after `what` it came.
pub(crate) fn push(device: &str, push: &Push, after: Duration, what: &str) {
    let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or("-"));
    let unread = push
        .unread
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    println!("\n  {device}, {} after {what}", took(after));
    println!("    from     {}", text(&push.sender));
    println!("    subject  {}", text(&push.subject));
    println!("    unread   {}", unread.trim_matches('"'));
    println!("    cid      {}", text(&push.cid));
}

fn took(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// Texts of a mail do nothing to the terminal.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
