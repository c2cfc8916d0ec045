use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::outbound::Outbound;
use crate::error::{Error, Result};
use crate::event::{Event, Properties};
use crate::frame::{
    Answer, Answered, CredentialQuestion, Numbered, ProviderCredential, Publish, Start, ToHost,
    TransportReady,
};

/// Questions that may be open at once; further ones wait.
const OPEN_QUESTIONS: usize = 256;

/// The host, as a plugin sees it. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    outbound: Outbound,
    data_folder: PathBuf,
    generation: u64,
    next: AtomicU64,
    places: Semaphore,
    open: Mutex<HashMap<u64, oneshot::Sender<Result<Answered>>>>,
}

impl Host {
    pub(super) fn new(outbound: Outbound, start: &Start) -> Self {
        Self {
            inner: Arc::new(Inner {
                outbound,
                data_folder: PathBuf::from(&start.data_folder),
                generation: start.generation,
                next: AtomicU64::new(1),
                places: Semaphore::new(OPEN_QUESTIONS),
                open: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// A folder of the plugin's own, which survives its updates.
    pub fn data_folder(&self) -> &std::path::Path {
        &self.inner.data_folder
    }

    /// Which of the plugin's generations this is, counted from 1.
    pub fn generation(&self) -> u64 {
        self.inner.generation
    }

    /// Publishes events. When this returns they are on the host's disk, and every handler will
    /// get them, also after a crash. Listeners that answer a report return the events instead.
    ///
    /// # Errors
    ///
    /// The host cannot keep them: its disk is full, or it is shutting down.
    pub async fn publish(&self, events: Vec<Event>) -> Result<()> {
        match self
            .ask(|id| {
                ToHost::Publish(Numbered {
                    id,
                    body: Publish { events },
                })
            })
            .await?
        {
            Answered::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Hands an event to the handlers that run now, waits for them, and returns what they
    /// answered. Such an event is not kept: a handler that is away does not hear of it.
    ///
    /// # Errors
    ///
    /// The host has gone.
    pub async fn request(&self, event: Event) -> Result<Vec<Properties>> {
        match self
            .ask(|id| ToHost::Request(Numbered { id, body: event }))
            .await?
        {
            Answered::Answers(answers) => Ok(answers),
            other => Err(unexpected(&other)),
        }
    }

    /// The credential for a push provider, where one of the credential backends has it.
    ///
    /// # Errors
    ///
    /// The backend that should have it failed.
    pub async fn provider_credential(&self, provider: &str) -> Result<Option<ProviderCredential>> {
        let body = CredentialQuestion {
            provider: provider.to_owned(),
        };
        match self
            .ask(|id| ToHost::AskCredential(Numbered { id, body }))
            .await?
        {
            Answered::Credential(credential) => Ok(credential),
            other => Err(unexpected(&other)),
        }
    }

    /// Says that the credential which this backend offers for a push provider has changed.
    pub async fn credential_changed(&self, provider: &str) {
        let provider = provider.to_owned();
        let frame = ToHost::CredentialChanged(CredentialQuestion { provider });
        self.inner.outbound.send(frame).await;
    }

    /// Says that a transport which asked the host to hold everything back
    /// ([`Scope::Transport`](crate::frame::Scope::Transport)) can deliver again, sooner than it
    /// had said.
    pub async fn transport_ready(&self, transport: &str) {
        let transport = transport.to_owned();
        let frame = ToHost::TransportReady(TransportReady { transport });
        self.inner.outbound.send(frame).await;
    }

    async fn ask(&self, frame: impl FnOnce(u64) -> ToHost) -> Result<Answered> {
        let gone = || Error::temporary("the host has gone");
        let _place = self.inner.places.acquire().await.map_err(|_| gone())?;
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        self.open().insert(id, tell);
        self.inner.outbound.send(frame(id)).await;
        told.await.map_err(|_| gone())?
    }

    pub(super) fn answered(&self, answer: Answer) {
        match self.open().remove(&answer.id) {
            // The asker may have lost interest.
            Some(asker) => drop(asker.send(answer.result)),
            None => tracing::warn!(
                id = answer.id,
                "the host answered a question that is not open"
            ),
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Result<Answered>>>> {
        // Each use is a single insert or remove, which cannot leave the map half-changed.
        self.inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn unexpected(answer: &Answered) -> Error {
    let kind = match answer {
        Answered::Done => "done",
        Answered::Answers(_) => "answers",
        Answered::Credential(_) => "credential",
    };
    Error::temporary(format_args!(
        "the host's answer ({kind}) does not fit the question"
    ))
}
