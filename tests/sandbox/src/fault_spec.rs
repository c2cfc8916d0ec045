//! Faults as operators write them: `apns:410`, `fcm:429:2`, `apns:goaway:1000,times=3`.

use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use crate::fault::{Effect, Fault, FaultAnswer, FaultTarget};
use crate::record::Provider;

/// Which double, and what of it, a specification is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecTarget {
    /// Pushes at one of the doubles.
    Pushes(Provider),
    /// The token end-point of the FCM double (`fcm-token:…`).
    TokenEndpoint,
}

/// One or more faults, read from text.
///
/// The form is `TARGET:KIND[:ARGUMENT…][,OPTION…]`.
///
/// * `TARGET`: `apns`, `fcm`, `fcm-token`.
/// * `KIND`: an HTTP status, with a `Retry-After` in seconds or a reason as arguments; `goaway:N`,
///   `abrupt-goaway:N`, `reset:N` (every N requests of a connection); `slow:TIME` (`250ms`, `2s`);
///   `hang`, `reset-stream` (each also `:delivered`); `refuse-stream`; `refuse-connections`; `mix:SEED`.
/// * `OPTION`: `token=DEVICE`, `times=N`, `percent=P`, `seed=N` (for `percent`), `timestamp=MS` (of a
///   410, Unix time in milliseconds).
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    /// Where the faults belong.
    pub target: SpecTarget,
    /// What to put in force there.
    pub faults: Vec<Fault>,
}

/// What is wrong with a specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault `{spec}`: {problem}")]
pub struct FaultSpecError {
    spec: String,
    problem: String,
}

impl FromStr for FaultSpec {
    type Err = FaultSpecError;

    fn from_str(spec: &str) -> Result<Self, Self::Err> {
        parse(spec.trim()).map_err(|problem| FaultSpecError {
            spec: spec.trim().to_owned(),
            problem,
        })
    }
}

fn parse(spec: &str) -> Result<FaultSpec, String> {
    let mut options = spec.split(',');
    let mut words = options.next().unwrap_or_default().split(':');
    let target = match words.next().unwrap_or_default() {
        "apns" => SpecTarget::Pushes(Provider::Apns),
        "fcm" => SpecTarget::Pushes(Provider::Fcm),
        "fcm-token" => SpecTarget::TokenEndpoint,
        other => {
            return Err(format!(
                "`{other}` is no target; there are apns, fcm and fcm-token"
            ));
        }
    };
    let kind = words
        .next()
        .filter(|kind| !kind.is_empty())
        .ok_or("it names no kind, as in apns:410")?;
    let arguments: Vec<&str> = words.collect();
    let mut faults = if kind == "mix" {
        Fault::mix(number(only(&arguments, "a seed, as in mix:1")?)?)
    } else {
        vec![Fault::new(effect(target, kind, &arguments)?)]
    };
    let options = Options::parse(options)?;
    for fault in &mut faults {
        options.apply(fault)?;
        if target == SpecTarget::TokenEndpoint {
            if !matches!(
                fault.effect,
                Effect::Answer(_) | Effect::Slow(_) | Effect::Hang { .. }
            ) {
                return Err("the token end-point can answer, be slow or hang".into());
            }
            fault.target = FaultTarget::TokenEndpoint;
        }
    }
    Ok(FaultSpec { target, faults })
}

fn effect(target: SpecTarget, kind: &str, arguments: &[&str]) -> Result<Effect, String> {
    let every = || number(only(arguments, "a number of requests, as in goaway:1000")?);
    let delivered = || match arguments {
        [] => Ok(false),
        ["delivered"] => Ok(true),
        _ => Err(format!(
            "`{}` is not understood; `delivered` is",
            arguments.join(":")
        )),
    };
    Ok(match kind {
        "goaway" => Effect::GoAway { every: every()? },
        "abrupt-goaway" => Effect::AbruptGoAway { every: every()? },
        "reset" => Effect::ResetConnection { every: every()? },
        "slow" => Effect::Slow(time(only(arguments, "a time, as in slow:250ms")?)?),
        "hang" => Effect::Hang {
            delivered: delivered()?,
        },
        "reset-stream" => Effect::ResetStream {
            delivered: delivered()?,
        },
        "refuse-stream" => Effect::RefuseStream,
        "refuse-connections" => Effect::RefuseConnections,
        status => Effect::Answer(answer(target, status, arguments)?),
    })
}

fn answer(target: SpecTarget, status: &str, arguments: &[&str]) -> Result<FaultAnswer, String> {
    let status: u16 = status
        .parse()
        .ok()
        .filter(|status| (300..600).contains(status))
        .ok_or_else(|| {
            format!("`{status}` is neither a kind of fault nor an HTTP status from 300 to 599")
        })?;
    let mut answer = FaultAnswer::new(status, usual_reason(target, status));
    for argument in arguments {
        match argument.parse() {
            Ok(seconds) => answer.retry_after = Some(Duration::from_secs(seconds)),
            Err(_) => answer.reason = (*argument).to_owned(),
        }
    }
    Ok(answer)
}

/// The reason that each provider most often gives with a status.
pub(crate) fn usual_reason(target: SpecTarget, status: u16) -> &'static str {
    match (target, status) {
        (SpecTarget::Pushes(Provider::Apns), 400) => "BadDeviceToken",
        (SpecTarget::Pushes(Provider::Apns), 403) => "InvalidProviderToken",
        (SpecTarget::Pushes(Provider::Apns), 404) => "BadPath",
        (SpecTarget::Pushes(Provider::Apns), 405) => "MethodNotAllowed",
        (SpecTarget::Pushes(Provider::Apns), 410) => "Unregistered",
        (SpecTarget::Pushes(Provider::Apns), 413) => "PayloadTooLarge",
        (SpecTarget::Pushes(Provider::Apns), 429) => "TooManyRequests",
        (SpecTarget::Pushes(Provider::Apns), 503) => "ServiceUnavailable",
        (SpecTarget::Pushes(Provider::Apns), _) => "InternalServerError",
        (SpecTarget::Pushes(Provider::Fcm), 400) => "INVALID_ARGUMENT",
        (SpecTarget::Pushes(Provider::Fcm), 403) => "SENDER_ID_MISMATCH",
        (SpecTarget::Pushes(Provider::Fcm), 404) => "UNREGISTERED",
        (SpecTarget::Pushes(Provider::Fcm), 429) => "QUOTA_EXCEEDED",
        (SpecTarget::Pushes(Provider::Fcm), 500) => "INTERNAL",
        (SpecTarget::Pushes(Provider::Fcm), 503) => "UNAVAILABLE",
        (SpecTarget::Pushes(Provider::Fcm), _) => "",
        (SpecTarget::TokenEndpoint, 401) => "invalid_client",
        (SpecTarget::TokenEndpoint, 400) => "invalid_grant",
        (SpecTarget::TokenEndpoint, _) => "internal_failure",
    }
}

#[derive(Default)]
struct Options<'a> {
    token: Option<&'a str>,
    times: Option<u64>,
    percent: Option<u64>,
    seed: u64,
    timestamp_ms: Option<u64>,
}

impl<'a> Options<'a> {
    fn parse(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut options = Self::default();
        for word in words {
            match word.split_once('=') {
                Some(("token", token)) if !token.is_empty() => options.token = Some(token),
                Some(("times", times)) => options.times = Some(number(times)?),
                Some(("percent", percent)) => options.percent = Some(number(percent)?),
                Some(("seed", seed)) => options.seed = number(seed)?,
                Some(("timestamp", ms)) => options.timestamp_ms = Some(number(ms)?),
                _ => {
                    return Err(format!(
                        "`{word}` is no option; there are token=, times=, percent=, seed= and timestamp="
                    ));
                }
            }
        }
        Ok(options)
    }

    fn apply(&self, fault: &mut Fault) -> Result<(), String> {
        if let Some(token) = self.token {
            fault.target = FaultTarget::Device(token.to_owned());
        }
        fault.times = self.times;
        if let Some(percent) = self.percent {
            let rule = std::mem::replace(fault, Fault::new(Effect::RefuseStream));
            *fault = rule.per_mille(percent.saturating_mul(10), self.seed);
        }
        if let Some(ms) = self.timestamp_ms {
            let Effect::Answer(answer) = &mut fault.effect else {
                return Err("timestamp= belongs to a 410 answer".into());
            };
            answer.timestamp = UNIX_EPOCH.checked_add(Duration::from_millis(ms));
        }
        Ok(())
    }
}

fn only<'a>(arguments: &[&'a str], wanted: &str) -> Result<&'a str, String> {
    match arguments {
        [argument] => Ok(argument),
        _ => Err(format!("it wants {wanted}")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a whole number"))
}

fn time(text: &str) -> Result<Duration, String> {
    let (digits, unit): (&str, fn(u64) -> Duration) = if let Some(digits) = text.strip_suffix("ms")
    {
        (digits, Duration::from_millis)
    } else if let Some(digits) = text.strip_suffix('s') {
        (digits, Duration::from_secs)
    } else {
        return Err(format!("`{text}` is no time; write 250ms or 2s"));
    };
    number(digits).map(unit)
}
