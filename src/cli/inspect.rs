//! `swabline inspect FILE`: what is in a run file, before it is uploaded.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use super::Refused;
use crate::instrument::rdml_write::{Export, write};
use crate::instrument::{self, Inspection, MAX_FILE_BYTES};

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The run file.
    file: PathBuf,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Write what was read as RDML 1.3 into this new file, names as typed included.
    #[arg(long, value_name = "OUT")]
    rdml: Option<PathBuf>,
}

impl Inspect {
    #[expect(clippy::print_stdout, reason = "the command line speaks to people")]
    pub(super) fn run(self) -> anyhow::Result<()> {
        let name = self.file.display();
        let refuse = |reason: &dyn std::fmt::Display| Refused(format!("{name}: {reason}"));
        let mut bytes = Vec::new();
        fs::File::open(&self.file)
            // One byte more than is taken, so that a longer file is told apart without reading it.
            .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| refuse(&error))?;
        let run = instrument::read(&bytes).map_err(|refusal| refuse(&refusal))?;
        if let Some(out) = &self.rdml {
            let rdml = write(Export::from(&run)).map_err(|reason| refuse(&reason))?;
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
            println!("detected by  {reason}");
        }
        print!("{inspection}");
        Ok(())
    }
}
