//! `swabline inspect FILE...`: what is in a run file, before it is uploaded. Several files are the
//! parts of one run, one for each filter or channel.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Refused;
use crate::instrument::rdml_write::{Export, write};
use crate::instrument::{self, Inspection, MAX_FILE_BYTES, Mappings};

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The run file, or every file of one run.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Read it by this mapping.
    #[arg(long)]
    mapping: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Write what was read as RDML 1.3 into this new file, names as typed included.
    #[arg(long, value_name = "OUT")]
    rdml: Option<PathBuf>,
}

impl Inspect {
    pub(super) fn run(self, mappings: &Mappings) -> anyhow::Result<()> {
        let named = self.mapping.as_deref().map(|name| {
            let unknown = || {
                let known = mappings.names();
                Refused(format!("there is no mapping {name}; choose one of {known}"))
            };
            mappings.get(name).ok_or_else(unknown)
        });
        let named = named.transpose()?;
        let contents =
            self.files.iter().map(|file| content(file)).collect::<Result<Vec<_>, _>>()?;
        let parts: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let files = files.join(", ");
        let run = instrument::read_run(&parts, mappings, named).map_err(|faults| {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Refused(format!("{files}: {}", faults.join("; ")))
        })?;
        if let Some(out) = &self.rdml {
            let rdml = write(Export::from(&run))
                .map_err(|reason| Refused(format!("{files}: {reason}")))?;
            // Nothing that is there is written over.
            fs::File::create_new(out)
                .and_then(|mut file| file.write_all(&rdml))
                .map_err(|error| Refused(format!("{}: {error}", out.display())))?;
        }
        let inspection = Inspection::of(&run);
        if self.json {
            return super::print_json(&inspection);
        }
        for reason in &run.detected_by {
            say!("detected by  {}", reason.message);
        }
        say!("{}", inspection.to_string().trim_end());
        Ok(())
    }
}

/// At most one byte more than is taken, so that a longer file is told apart without reading it.
fn content(path: &Path) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Refused(format!("{}: {error}", path.display())))?;
    Ok(bytes)
}
