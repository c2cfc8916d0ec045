//! The routes of all installed plugins.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use belfry_plugin_api::manifest::{Manifest, PluginId, Route, Surface};

/// A route, and whose it is.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The plugin.
    pub plugin: PluginId,
    /// The route.
    pub route: Arc<Route>,
}

/// What a path leads to.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// A route.
    Found(Routed),
    /// A route that takes other methods: these.
    OtherMethods(Vec<String>),
    /// Nothing.
    Nothing,
}

/// The routes of all installed plugins, whether they run or not: a request for one that is away
/// is accepted all the same.
#[derive(Default)]
pub struct Routes {
    by_path: RwLock<BTreeMap<String, Vec<Routed>>>,
}

impl Routes {
    /// Takes in a manifest's routes, in place of what the plugin had before.
    ///
    /// # Errors
    ///
    /// One of them belongs to another plugin; what the plugin had before stays.
    pub fn install(&self, manifest: &Manifest) -> Result<(), String> {
        let mut by_path = self.by_path.write().unwrap_or_else(PoisonError::into_inner);
        for route in &manifest.routes {
            let taken = route.paths.iter().find_map(|path| {
                let others = by_path.get(path)?;
                let other = others.iter().find(|other| {
                    other.plugin != manifest.id
                        && other.route.surface == route.surface
                        && other
                            .route
                            .methods
                            .iter()
                            .any(|method| route.methods.contains(method))
                })?;
                Some((path, &other.plugin))
            });
            if let Some((path, other)) = taken {
                return Err(format!(
                    "its route {path} belongs to plugin {other} already"
                ));
            }
        }
        remove(&mut by_path, &manifest.id);
        for route in &manifest.routes {
            let route = Arc::new(route.clone());
            for path in &route.paths {
                let routed = Routed {
                    plugin: manifest.id.clone(),
                    route: route.clone(),
                };
                by_path.entry(path.clone()).or_default().push(routed);
            }
        }
        Ok(())
    }

    /// Removes a plugin's routes.
    pub fn uninstall(&self, id: &PluginId) {
        remove(
            &mut self.by_path.write().unwrap_or_else(PoisonError::into_inner),
            id,
        );
    }

    /// What a request leads to.
    pub fn find(&self, surface: Surface, method: &str, path: &str) -> Lookup {
        let by_path = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
        let on_surface = || {
            by_path
                .get(path)
                .into_iter()
                .flatten()
                .filter(|routed| routed.route.surface == surface)
        };
        let takes = |routed: &&Routed| routed.route.methods.iter().any(|other| other == method);
        if let Some(found) = on_surface().find(takes) {
            return Lookup::Found(found.clone());
        }
        let methods: Vec<_> = on_surface()
            .flat_map(|routed| routed.route.methods.clone())
            .collect();
        if methods.is_empty() {
            Lookup::Nothing
        } else {
            Lookup::OtherMethods(methods)
        }
    }
}

fn remove(by_path: &mut BTreeMap<String, Vec<Routed>>, id: &PluginId) {
    by_path.retain(|_, routes| {
        routes.retain(|routed| routed.plugin != *id);
        !routes.is_empty()
    });
}
