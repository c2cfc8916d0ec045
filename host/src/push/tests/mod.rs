mod listeners;
mod logins;
mod notifications;
mod world;
