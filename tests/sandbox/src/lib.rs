//! Strict doubles of Apple's and Google's push providers.
//!
//! [`Apns`] and [`Fcm`] listen on a loopback port, speak HTTP/2 over TLS, check what Apple and Google
//! check, answer with their status codes and bodies, and write down what they saw. Where a provider
//! would refuse, so does the double; where a provider puts up with something that its rules forbid,
//! the double lists a [`Violation`].
//!
//! ```
//! use belfry_sandbox::{Apns, ApnsOptions, ProviderKey, TestCa};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let ca = TestCa::new()?;
//! let key = ProviderKey::generate("TEAM123456")?;
//! let apns = Apns::start(ApnsOptions::new(&ca, "org.example.mail").key(key.accepted())).await?;
//! // Hand `apns.endpoint()`, `ca.pem()` and `key.p8()` to the program under test, then:
//! # let device = "";
//! apns.wait_for_delivered(1, std::time::Duration::from_secs(5)).await?;
//! assert_eq!(apns.as_device_sees(device).len(), 1);
//! assert!(apns.violations().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # Finding one's way
//!
//! | file | idea |
//! | --- | --- |
//! | `ca.rs`, `provider_key.rs`, `service_account.rs` | the credentials that a test hands out |
//! | `listener.rs`, `connection.rs`, `stream.rs`, `wire.rs` | HTTP/2: connections, streams, the frames that the faults bend |
//! | `apns/`, `fcm/` | what each provider checks, and how it says no |
//! | `fault.rs`, `fault_set.rs`, `fault_spec.rs` | misbehaviour on demand |
//! | `verdict.rs`, `record.rs`, `device.rs`, `double.rs` | what came of a request, what was seen, what a device shows of it, waiting for it |
//! | `bin/belfry-sandbox` | the doubles as a program for operators |
//!
//! # Faults
//!
//! [`Double::faults`] takes [`Fault`]s at any time: an answer for one device or all, a slow or lost
//! answer, a refused or reset stream, GOAWAY (graceful or abrupt) and reset connections every so many
//! requests, refused connections, or a seeded mixture. Each lasts until it is cleared, or for a number
//! of times. The provider's own checks come first: a fault never hides a bad request.
//!
//! # Exactly once
//!
//! A provider that took a push in and lost its answer will see it again. [`Double::as_device_sees`]
//! applies the rules by which a device shows such a pair once: the same `apns-id` or
//! `apns-collapse-id` for APNs, the same `cid` in the data for FCM.
#![forbid(unsafe_code)]

mod answer;
mod apns;
mod ca;
mod connection;
mod counts;
mod device;
mod double;
mod fault;
mod fault_set;
mod fault_spec;
mod fcm;
mod jwt;
mod listener;
mod provider_key;
mod record;
mod service_account;
mod stream;
mod tls;
mod verdict;
mod wire;

pub use apns::{Apns, ApnsOptions, TokenRenewal};
pub use ca::{CaError, KeystoreFormat, TestCa};
pub use counts::Counts;
pub use double::{Double, StartError, WaitError};
pub use fault::{Effect, Fault, FaultAnswer, FaultTarget};
pub use fault_set::{FaultId, Faults};
pub use fault_spec::{FaultSpec, FaultSpecError, SpecTarget};
pub use fcm::{Fcm, FcmOptions};
pub use provider_key::{AcceptedKey, ProviderKey};
pub use record::{Outcome, Provider, Push, Record, Violation};
pub use service_account::ServiceAccount;
