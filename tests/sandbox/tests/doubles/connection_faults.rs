//! Connections that end on demand.

use belfry_sandbox::{Effect, Fault, Outcome};
use h2::Reason;
use h2::client::ResponseFuture;

use crate::support::{Apple, Client, SOON, alert, connected, device, finish, send_hello as send};

/// Starts many requests at once, and waits for all of them.
async fn burst(apple: &Apple, client: &mut Client, requests: usize) -> Vec<Result<u16, h2::Error>> {
    let mut started: Vec<ResponseFuture> = Vec::new();
    for number in 0..requests {
        started.push(
            client
                .start(apple.push(&device(1)), alert(&number.to_string()))
                .await,
        );
    }
    let mut answers = Vec::new();
    for response in started {
        answers.push(finish(response).await.map(|reply| reply.status.as_u16()));
    }
    answers
}

#[tokio::test]
async fn a_graceful_goaway_answers_what_it_names_and_leaves_the_rest_unprocessed() {
    let apple = Apple::new().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::GoAway { every: 10 }));
    let mut client = connected(&apple).await;
    let answers = burst(&apple, &mut client, 30).await;
    let answered = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(200)))
        .count();
    assert_eq!(answered, 10);
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let safe = error.reason() == Some(Reason::NO_ERROR)
            || error.reason() == Some(Reason::REFUSED_STREAM);
        assert!(safe, "{error}");
    }
    assert_eq!(apple.apns.delivered().len(), 10);
    assert_eq!(apple.apns.counts().goaways, 1);
    client.ended().await.unwrap();
}

#[tokio::test]
async fn an_abrupt_goaway_loses_the_answer_of_a_push_that_was_taken_in() {
    let apple = Apple::new().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::AbruptGoAway { every: 2 }));
    let mut client = connected(&apple).await;
    assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
    // The lost stream is among those that the GOAWAY names, so that the client cannot know.
    let error = send(&apple, &mut client).await.unwrap_err();
    assert!(error.is_io() || error.is_go_away(), "{error}");
    let ended = client.ended().await.unwrap_err();
    assert_eq!(
        (ended.is_go_away(), ended.reason()),
        (true, Some(Reason::INTERNAL_ERROR))
    );
    assert_eq!(apple.apns.pushes()[1].outcome, Outcome::AcceptedUnanswered);
}

#[tokio::test]
async fn a_reset_connection_loses_the_answer_of_a_push_that_was_taken_in() {
    let apple = Apple::new().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::ResetConnection { every: 2 }));
    let mut client = connected(&apple).await;
    assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
    let error = send(&apple, &mut client).await.unwrap_err();
    let kind = error.get_io().map(std::io::Error::kind);
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset), "{error}");
    assert_eq!(apple.apns.pushes()[1].outcome, Outcome::AcceptedUnanswered);
    assert_eq!(apple.apns.counts().resets, 1);
}

#[tokio::test]
async fn refused_connections_leave_open_ones_alone() {
    let apple = Apple::new().await;
    let mut open = connected(&apple).await;
    let refused = apple
        .apns
        .faults()
        .add(Fault::new(Effect::RefuseConnections));
    assert!(
        crate::support::tls(apple.apns.address(), &apple.ca, None, &[b"h2"])
            .await
            .is_err()
    );
    assert_eq!(send(&apple, &mut open).await.unwrap(), 200);
    apple.apns.faults().remove(refused);
    assert_eq!(
        send(&apple, &mut connected(&apple).await).await.unwrap(),
        200
    );
}

#[tokio::test]
async fn hanging_up_ends_all_connections_and_takes_new_ones() {
    let apple = Apple::new().await;
    let mut client = connected(&apple).await;
    assert_eq!(send(&apple, &mut client).await.unwrap(), 200);
    apple.apns.hang_up();
    apple
        .apns
        .wait_until_counts("none open", SOON, |seen| seen.open_connections == 0)
        .await
        .unwrap();
    assert!(send(&apple, &mut client).await.is_err());
    assert_eq!(
        send(&apple, &mut connected(&apple).await).await.unwrap(),
        200
    );
}
