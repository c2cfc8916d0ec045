use std::path::{Path, PathBuf};

/// Goes with the test, also one that fails.
pub(super) struct DataFolder(PathBuf);

impl DataFolder {
    pub(super) fn new(plugin: &str) -> std::io::Result<Self> {
        let name = format!("belfry-testkit-{plugin}-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
