//! Packages of the system, installed only where that can be done without asking: as root, with apt-get.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{find, run_quietly};
use crate::say::say;

/// Installs Debian packages. The error says why it did not come to that.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let Some(apt) = find("apt-get") else {
        bail!("there is no apt-get to install {} with", packages.join(" "))
    };
    if run_quietly(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("only root may run `apt-get install {}`", packages.join(" "));
    }
    say(format!("installing {} …", packages.join(" ")));
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new(&apt);
        run_quietly(
            command
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(arguments)
                .args(packages.iter().filter(|_| arguments[0] == "install")),
        )
    };
    // The lists may be older than the packages they name.
    apt_get(&["update"])?;
    apt_get(&["install", "-y", "--no-install-recommends"])?;
    Ok(())
}
