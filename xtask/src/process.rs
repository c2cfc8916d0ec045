//! Running other programs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// The cargo that runs this program, in the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(paths::root());
    command
}

/// Shows a command and runs it to its end.
///
/// # Errors
/// It cannot be started, or says that it failed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Like [`run`], and keeps in a file what the command prints.
///
/// # Errors
/// As [`run`], or the file cannot be written.
pub(crate) fn run_and_keep(command: &mut Command, file: &Path) -> Result<()> {
    println!("$ {}", shown(command));
    let (mut output, to_output) = std::io::pipe()?;
    command.stdin(Stdio::null());
    command.stdout(to_output.try_clone()?).stderr(to_output);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    // The pipe ends when the last process that writes to it does; this one must not be it.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut kept =
        File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let length = output.read(&mut bytes)?;
        if length == 0 {
            break;
        }
        std::io::stdout().write_all(&bytes[..length])?;
        kept.write_all(&bytes[..length])?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// What a command prints.
///
/// # Errors
/// As [`run`], or it prints no UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A command as somebody would type it in the checkout.
pub(crate) fn shown(command: &Command) -> String {
    let mut line = program(Path::new(command.get_program()));
    for argument in command.get_args() {
        let argument = paths::shown(Path::new(argument)).to_string();
        let quote = if argument.contains([' ', '*', '$']) {
            "'"
        } else {
            ""
        };
        let _ = write!(line, " {quote}{argument}{quote}");
    }
    line
}

/// A program of the checkout by its path there, another by its name.
fn program(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    match path.strip_prefix(paths::root()) {
        Ok(relative) => relative.display().to_string(),
        Err(_) => name.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_somebody_would_type_them() {
        let mut command = Command::new("/usr/local/bin/cargo");
        command.args(["test", "a b"]).arg(paths::at("fuzz/seeds"));
        assert_eq!(shown(&command), "cargo test 'a b' fuzz/seeds");
        let own = Command::new(paths::at("target/tools/bin/cargo-deny"));
        assert_eq!(shown(&own), "target/tools/bin/cargo-deny");
    }
}
