//! From start to stop.

use std::io;

use anyhow::{Context as _, Result};
use belfry_sandbox::{
    Apns, ApnsOptions, Double, Fcm, FcmOptions, Provider, Push, Record, ServiceAccount,
    TokenRenewal,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::args::Args;
use crate::control::{self, Answer};
use crate::folder::Folder;
use crate::output::Output;

pub(crate) async fn run(args: Args) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let output = Output { json: args.json };
    let (feed, mut pushes) = mpsc::unbounded_channel();
    let record = if args.quiet {
        Record::CountsOnly
    } else {
        Record::Feed(feed)
    };
    let sandbox = Sandbox::start(&args, record).await?;
    let mut commands = args.control.then(commands);
    let mut told = Told::default();
    loop {
        let printed = tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            Some(push) = pushes.recv() => output.push(&push),
            Some(line) = next(&mut commands) => match control::obey(&line, &sandbox.apns, &sandbox.fcm) {
                Answer::Done(text) => output.note(&text),
                Answer::Summary => sandbox.summary(output),
            },
        };
        if is_over(printed.and_then(|()| sandbox.tell_violations(output, &mut told)))? {
            return Ok(());
        }
    }
    let rest = std::iter::from_fn(|| pushes.try_recv().ok());
    is_over(sandbox.finish(output, &mut told, rest)).map(drop)
}

struct Sandbox {
    apns: Apns,
    fcm: Fcm,
}

/// How many violations of each double were printed.
#[derive(Default)]
struct Told {
    apns: usize,
    fcm: usize,
}

impl Sandbox {
    async fn start(args: &Args, record: Record) -> Result<Self> {
        let folder = Folder::open(&args.dir)?;
        let mut options = ApnsOptions::new(&folder.ca, &args.topic)
            .key(folder.key.accepted())
            // Restarting one's host is part of a rehearsal.
            .token_renewal(TokenRenewal::while_connected())
            .record(record.clone());
        options.listen = args.apns;
        let apns = Apns::start(options).await?;
        let account = ServiceAccount::new(
            &args.project,
            &format!("belfry@{}.iam.gserviceaccount.com", args.project),
        );
        let mut options = FcmOptions::new(&folder.ca, account).record(record);
        options.listen = args.fcm;
        let fcm = Fcm::start(options).await?;
        for spec in &args.fault {
            control::faults(spec, &apns, &fcm).add_all(spec.faults.clone());
        }
        folder.write(&apns, &fcm, &args.topic, args.auth)?;
        let output = Output { json: args.json };
        let shown = folder.path().display().to_string();
        output
            .ready(&apns.endpoint(), &fcm.endpoint(), &shown)
            .context("cannot write to standard output")?;
        Ok(Self { apns, fcm })
    }

    fn summary(&self, output: Output) -> io::Result<()> {
        output.summary(&self.apns.counts(), &self.fcm.counts())
    }

    fn tell_violations(&self, output: Output, told: &mut Told) -> io::Result<()> {
        tell(&self.apns, Provider::Apns, output, &mut told.apns)?;
        tell(&self.fcm, Provider::Fcm, output, &mut told.fcm)
    }

    fn finish(
        &self,
        output: Output,
        told: &mut Told,
        mut rest: impl Iterator<Item = Push>,
    ) -> io::Result<()> {
        rest.try_for_each(|push| output.push(&push))?;
        self.tell_violations(output, told)?;
        self.summary(output)
    }
}

fn tell(double: &Double, provider: Provider, output: Output, told: &mut usize) -> io::Result<()> {
    if usize::try_from(double.counts().violations).is_ok_and(|seen| seen == *told) {
        return Ok(());
    }
    for violation in double.violations().iter().skip(*told) {
        output.violation(provider, violation)?;
        *told += 1;
    }
    Ok(())
}

/// Nobody reading any more is an end like another.
fn is_over(printed: io::Result<()>) -> Result<bool> {
    match printed {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// Lines of standard input; its end only ends the commands.
fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

async fn next(commands: &mut Option<mpsc::UnboundedReceiver<String>>) -> Option<String> {
    match commands {
        Some(commands) => commands.recv().await,
        None => None,
    }
}
