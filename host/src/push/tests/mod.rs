mod listeners;
mod logins;
mod notifications;
pub(crate) mod world;
