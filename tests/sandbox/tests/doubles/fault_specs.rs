//! Faults as operators write them.

use std::time::{Duration, SystemTime};

use belfry_sandbox::{Effect, Fault, FaultAnswer, FaultSpec};

#[test]
fn specifications_say_what_is_wrong_with_them() {
    for (spec, wanted) in [
        ("aws:410", "`aws` is no target"),
        ("apns", "it names no kind"),
        ("apns:explode", "neither a kind of fault nor an HTTP status"),
        ("apns:200", "neither a kind of fault nor an HTTP status"),
        ("apns:goaway", "a number of requests"),
        ("apns:goaway:many", "`many` is not a whole number"),
        ("apns:slow:250", "`250` is no time"),
        ("apns:hang:later", "`delivered` is"),
        ("apns:410,often", "`often` is no option"),
        ("apns:slow:1s,timestamp=1", "timestamp= belongs to a 410"),
        ("fcm-token:goaway:3", "the token end-point can"),
    ] {
        let error = spec.parse::<FaultSpec>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("fault `{spec}`: ")) && error.contains(wanted),
            "{error}"
        );
    }
}

#[test]
fn specifications_mean_what_they_say() {
    let faults = |spec: &str| spec.parse::<FaultSpec>().unwrap().faults;
    assert_eq!(
        faults("apns:goaway:1000,times=3"),
        [Fault::new(Effect::GoAway { every: 1000 }).times(3)]
    );
    assert_eq!(
        faults("apns:slow:250ms,percent=10,seed=7"),
        [Fault::new(Effect::Slow(Duration::from_millis(250))).per_mille(100, 7)]
    );
    let gone = FaultAnswer::new(410, "Unregistered")
        .timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(5));
    assert_eq!(
        faults("apns:410,token=00ab,timestamp=5"),
        [Fault::new(Effect::Answer(gone)).for_device("00ab")]
    );
    assert_eq!(faults("fcm:mix:9"), Fault::mix(9));
}
