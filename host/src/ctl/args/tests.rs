use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
    ListPushUsers::command().debug_assert();
}

#[test]
fn deliveries_are_not_retried_or_purged_by_accident() {
    let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
    for verb in ["retry", "purge"] {
        assert!(parse(&format!("belfryctl delivery {verb}")).is_err());
        assert!(parse(&format!("belfryctl delivery {verb} --all")).is_ok());
        assert!(
            parse(&format!(
                "belfryctl delivery {verb} --state dead --older-than 2h"
            ))
            .is_ok()
        );
        assert!(parse(&format!("belfryctl delivery {verb} outbox:1 inbox:2")).is_ok());
        assert!(parse(&format!("belfryctl delivery {verb} outbox:1 --all")).is_err());
        assert!(parse(&format!("belfryctl delivery {verb} 17")).is_err());
    }
}

#[test]
fn common_options_stand_anywhere() {
    let parsed = Arguments::try_parse_from("belfryctl plugin list --json --socket /s".split(' '));
    let common = parsed.unwrap().common;
    assert!(common.json);
    assert_eq!(common.socket, PathBuf::from("/s"));
}
