//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use belfry_sandbox::FaultSpec;
use clap::{Parser, ValueEnum};

const FAULTS: &str = "\
Faults, TARGET:KIND[:ARGUMENT…][,OPTION…], for --fault and for the command `fault` of --control:
  apns:410                  every device is gone (400, 403, 404, 413, 429, 500, 503 likewise)
  fcm:429:2                 over quota, Retry-After 2 seconds
  apns:403:BadCertificate   a status with a reason of your choice
  fcm:400:BadRequest        INVALID_ARGUMENT without an FcmError
  apns:goaway:1000          graceful GOAWAY every 1000 requests of a connection
  apns:abrupt-goaway:100    GOAWAY with an error, open requests lost
  apns:reset:100            TCP reset
  apns:refuse-stream        RST_STREAM REFUSED_STREAM
  apns:reset-stream         RST_STREAM INTERNAL_ERROR (with :delivered, the push was taken in)
  apns:slow:250ms           late answers (also 2s)
  apns:hang                 no answer (with :delivered, the push was taken in)
  apns:refuse-connections   new connections are reset
  fcm:mix:SEED              one request in ten meets one of eight faults
  fcm-token:503             the same at the token end-point (statuses, slow, hang)
Options: token=DEVICE, times=N, percent=P, seed=N, timestamp=MS (of a 410, Unix milliseconds).
For example apns:503,percent=10,seed=7 or apns:410,token=00ab…,times=1.";

/// Strict doubles of APNs and FCM that print pushes as they come.
///
/// Writes credentials and a sandbox.properties that points Belfry at the doubles into a folder, then
/// listens until it is told to stop (Ctrl-C, SIGTERM).
#[derive(Debug, Parser)]
#[command(name = "belfry-sandbox", version, after_long_help = FAULTS)]
pub(crate) struct Args {
    /// Folder for the test authority, the keystore, the keys and sandbox.properties; what is there
    /// from an earlier run is used again
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Where the APNs double listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) apns: SocketAddr,
    /// Where the FCM double and its token end-point listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) fcm: SocketAddr,
    /// The app's bundle identifier
    #[arg(long, default_value = "org.example.mail")]
    pub(crate) topic: String,
    /// The FCM project
    #[arg(long, default_value = "belfry-sandbox")]
    pub(crate) project: String,
    /// Which APNs credential sandbox.properties names
    #[arg(long, value_enum, default_value_t = Auth::Keystore)]
    pub(crate) auth: Auth,
    /// A fault from the start; repeatable, see below (--help)
    #[arg(long, value_name = "SPEC")]
    pub(crate) fault: Vec<FaultSpec>,
    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no pushes, only the summary
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Read commands from standard input: `fault SPEC`, `clear`, `hang-up`, `revoke`, `summary`
    #[arg(long)]
    pub(crate) control: bool,
}

/// A kind of APNs credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// Client certificate (PKCS#12).
    Keystore,
    /// Provider tokens (.p8).
    Key,
}
