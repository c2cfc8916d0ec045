//! What is not well.

use super::client::Client;
use super::failure::Failure;
use super::output::{Output, age};
use super::table::Table;
use crate::http::admin::{Health, Severity};

pub(super) async fn health(client: &Client, output: &Output) -> Result<(), Failure> {
    let health: Health = client.get(["health"]).await?;
    output.answer(&health, report)?;
    let faults = health
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Fault);
    match faults.count() {
        0 => Ok(()),
        1 => Err(Failure::Refused(
            "one thing does not work; see above".to_owned(),
        )),
        count => Err(Failure::Refused(format!(
            "{count} things do not work; see above"
        ))),
    }
}

fn report(health: &Health) -> String {
    let verdict = if health.ok { "well" } else { "not well" };
    let mut text = format!(
        "Belfry {} is {verdict}: {} of {} plugins ACTIVE, {} listeners hear of new mail and {} do not, {} sessions\n",
        health.version,
        health.plugins.active,
        health.plugins.installed,
        health.listeners.hearing,
        health.listeners.silent,
        health.sessions,
    );
    if !health.problems.is_empty() {
        let mut problems = Table::new(["", "ABOUT", "WHAT"]);
        for problem in &health.problems {
            let severity = match problem.severity {
                Severity::Fault => "fault",
                Severity::Notice => "notice",
            };
            problems.row([
                severity.to_owned(),
                problem.about.clone(),
                problem.what.clone(),
            ]);
        }
        text.push('\n');
        text.push_str(&problems.to_string());
    }
    if !health.queue.is_empty() {
        let mut queue = Table::new(["SIDE", "DESTINATION", "STATE", "COUNT", "OLDEST"]);
        for count in &health.queue {
            queue.row([
                count.side.to_string(),
                count.destination.clone(),
                count.state.to_string(),
                count.count.to_string(),
                age(count.oldest_ms),
            ]);
        }
        text.push('\n');
        text.push_str(&queue.to_string());
    }
    text
}
