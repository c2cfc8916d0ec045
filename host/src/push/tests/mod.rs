mod listeners;
mod logins;
mod notifications;
mod restarts;
pub(crate) mod world;
