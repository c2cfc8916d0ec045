//! What waits in inbox and outbox, and what was given up on.

use std::time::Duration;

use hyper::Method;

use super::args::{Delivery, Which};
use super::client::{Client, Target};
use super::failure::Failure;
use super::output::{Output, age, span};
use super::table::Table;
use crate::delivery::queue::EntryKind;
use crate::http::admin::{Affected, DeliveryInfo, DeliveryList, Selection, now_ms};

pub(super) async fn run(client: &Client, output: &Output, verb: Delivery) -> Result<(), Failure> {
    match verb {
        Delivery::List {
            filter,
            limit,
            after,
        } => {
            let target = Target::new(Method::GET, ["deliveries"])
                .with("side", filter.side)
                .with("destination", filter.destination)
                .with("state", filter.state)
                .with("limit", Some(limit))
                .with("after", after);
            let list: DeliveryList = client.ask(target, None::<&()>).await?;
            output.answer(&list, table)
        }
        Delivery::Retry(which) => {
            let affected = change(client, "retry", which).await?;
            output.answer(&affected, |Affected { count }| {
                format!("{count} are tried again\n")
            })
        }
        Delivery::Purge(which) => {
            let affected = change(client, "purge", which).await?;
            output.answer(&affected, |Affected { count }| {
                format!("{count} are deleted\n")
            })
        }
    }
}

async fn change(client: &Client, verb: &str, which: Which) -> Result<Affected, Failure> {
    let named = which.references.len();
    let selection = Selection {
        references: which.references,
        side: which.filter.side,
        destination: which.filter.destination,
        state: which.filter.state,
        created_before_ms: which.older_than.map(before),
        all: which.all,
    };
    let target = Target::new(Method::POST, ["deliveries", verb]);
    let affected: Affected = client.ask(target, Some(&selection)).await?;
    if affected.count < named {
        let others = match verb {
            "retry" => "the others are not there, or wait anyway",
            _ => "the others are not there",
        };
        return Err(Failure::Refused(format!(
            "{verb} was done with {} of the {named} that were named; {others}: see `belfryctl delivery list`",
            affected.count
        )));
    }
    Ok(affected)
}

fn before(age: Duration) -> i64 {
    now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

fn table(list: &DeliveryList) -> String {
    let mut table = Table::new([
        "REFERENCE",
        "STATE",
        "DESTINATION",
        "FOR",
        "AGE",
        "DUE IN",
        "ATTEMPTS",
        "BYTES",
        "REASON",
    ]);
    for delivery in &list.deliveries {
        let due_ms = delivery.not_before_ms - now_ms();
        table.row([
            delivery.reference.to_string(),
            delivery.state.to_string(),
            delivery.destination.clone(),
            whom(delivery),
            age(delivery.created_ms),
            if due_ms > 0 {
                span(due_ms)
            } else {
                String::new()
            },
            delivery.attempts.to_string(),
            delivery.bytes.to_string(),
            delivery.reason.clone().unwrap_or_default(),
        ]);
    }
    let mut text = table.to_string();
    for (side, after) in &list.next {
        text.push_str(&format!("more follow: --side {side} --after {after}\n"));
    }
    text
}

fn whom(delivery: &DeliveryInfo) -> String {
    match (
        delivery.user,
        delivery.context,
        delivery.subscription,
        delivery.kind,
    ) {
        (Some(user), Some(context), Some(subscription), _) => {
            format!("{user}@{context}, subscription {subscription}")
        }
        (.., Some(EntryKind::Report)) => "a report".to_owned(),
        (.., Some(EntryKind::Event)) => "an event".to_owned(),
        _ => String::new(),
    }
}
