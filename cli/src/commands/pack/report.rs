//! What was made, for people and programs.

use std::fmt::Display;
use std::path::Path;

use lockgate::manifest::Encoding;
use lockgate::pack::Inspection;
use serde::Serialize;
use serde_json::Value;

use super::base::Base;
use super::candidates::Size;
use super::rotation::Rotations;
use crate::encoding::{self, percent};
use crate::keys::JsonKey;
use crate::style::{count, grouped};
use crate::table::Table;

#[derive(Serialize)]
pub(super) struct Report {
    image: Option<String>,
    image_size: usize,
    image_digest: String,
    pub(super) package: String,
    pub(super) package_size: usize,
    overhead_percent: f64,
    vendor: String,
    class: String,
    component: u16,
    version: String,
    security_counter: u32,
    load_address: Option<u32>,
    blocks: u32,
    block_size: u32,
    buffer: usize,
    manifest_digest: String,
    keys: Vec<JsonKey>,
    /// Versions of the key sets in front.
    key_sets: Vec<u32>,
    encoding: Value,
    base: Option<JsonBase>,
    payload_size: u32,
    pub(super) package_percent: f64,
    pub(super) workspace: u32,
    replaced: bool,
    /// Of more than one.
    sizes: Vec<Size>,
    /// It made the image, or was held against it.
    patch: Option<String>,
    #[serde(skip)]
    pub(super) how: Encoding,
}

#[derive(Serialize)]
struct JsonBase {
    file: String,
    version: Option<String>,
    size: usize,
    digest: String,
}

impl Report {
    pub(super) fn new(
        (image, image_size): (Option<&Path>, usize),
        base: Option<&Base>,
        path: &Path,
        inspection: &Inspection<'_>,
        sizes: Vec<Size>,
    ) -> Self {
        let manifest = &inspection.manifest;
        let package_size = inspection.offset + inspection.head.len() + inspection.payload.len();
        let payload = manifest.payload_length as usize;
        let overhead = (package_size - payload) as f64 * 100.0 / payload as f64;
        Self {
            image: image.map(|image| image.display().to_string()),
            image_size,
            image_digest: manifest.image_digest.to_string(),
            package: path.display().to_string(),
            package_size,
            overhead_percent: (overhead * 100.0).round() / 100.0,
            vendor: manifest.vendor.to_string(),
            class: manifest.class.to_string(),
            component: manifest.component,
            version: manifest.version.to_string(),
            security_counter: manifest.security_counter,
            load_address: manifest.load_address,
            blocks: manifest.blocks(),
            block_size: manifest.block_size(),
            buffer: inspection.buffer(),
            manifest_digest: inspection.manifest_digest.to_string(),
            keys: inspection.signatures.iter().map(|entry| entry.key.into()).collect(),
            key_sets: Vec::new(),
            encoding: encoding::value(manifest.encoding),
            base: base.map(|base| JsonBase {
                file: base.path.display().to_string(),
                version: base.version.map(|version| version.to_string()),
                size: base.image.len(),
                digest: base.digest.to_string(),
            }),
            payload_size: manifest.payload_length,
            package_percent: percent(package_size as u64, image_size as u64),
            workspace: encoding::workspace(manifest.encoding),
            replaced: false,
            sizes: if sizes.len() > 1 { sizes } else { Vec::new() },
            patch: None,
            how: manifest.encoding,
        }
    }

    /// It holds this patch.
    pub(super) fn patch(mut self, patch: Option<&Path>) -> Self {
        self.patch = patch.map(|patch| patch.display().to_string());
        self
    }

    /// These stand in front of it.
    pub(super) fn key_sets(mut self, rotations: &Rotations) -> Self {
        self.key_sets = rotations.versions();
        self
    }

    /// There was a file of this name, and is no more.
    pub(super) fn replaced(mut self, replaced: bool) -> Self {
        self.replaced = replaced;
        self
    }

    pub(super) fn text(&self) -> String {
        match self.sizes.is_empty() {
            true => self.table().to_string(),
            false => format!("{}\n{}", sizes(&self.sizes), self.table()),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::default();
        let raw = self.how == Encoding::Raw;
        let mut row = |name: &str, value: &dyn Display| _ = table.row([&name, value]);
        let image = self.image.as_deref().unwrap_or("made by the patch");
        row("image", &format_args!("{image}, {}", bytes(self.image_size)));
        if !raw {
            row("image digest", &self.image_digest);
        }
        if let Some(base) = &self.base {
            let version = base.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
            row("base image", &format_args!("{}{version}, {}, {}", base.file, bytes(base.size), base.digest));
        }
        if let Some(patch) = &self.patch {
            row("patch", patch);
        }
        let size = bytes(self.package_size);
        let replaced = if self.replaced { " (replaced)" } else { "" };
        match raw {
            true => row(
                "package",
                &format_args!("{}{replaced}, {size}, {:.2} % overhead", self.package, self.overhead_percent),
            ),
            false => {
                row("encoding", &encoding::text(self.how));
                let payload = percent(self.payload_size.into(), self.image_size as u64);
                row("payload", &format_args!("{}, {payload:.1} % of the image", bytes(self.payload_size as usize)));
                let percent = self.package_percent;
                row("package", &format_args!("{}{replaced}, {size}, {percent:.1} % of the image", self.package));
            }
        }
        self.common(&mut table, true);
        table.row([&"manifest digest", &self.manifest_digest]);
        table
    }

    /// What all packages of one call have in common; `alone`: and what this one has.
    pub(super) fn common(&self, table: &mut Table, alone: bool) {
        let mut row = |name: &str, value: &dyn Display| _ = table.row([&name, value]);
        row("version", &self.version);
        row("security counter", &self.security_counter);
        let size = bytes(self.block_size as usize);
        match alone {
            true => row("blocks", &format_args!("{} of {size}", grouped(self.blocks.into()))),
            false => row("blocks", &format_args!("of {size}")),
        }
        row("buffer needed", &bytes(self.buffer));
        if alone && self.how != Encoding::Raw {
            row("workspace needed", &bytes(self.workspace as usize));
        }
        for version in &self.key_sets {
            row("key set", &format_args!("{version}, in front of the update"));
        }
        for key in &self.keys {
            row("signed by", &key.label());
        }
    }
}

/// Sizes of packages, the chosen one marked.
fn sizes(sizes: &[Size]) -> Table {
    let mut table = Table::default();
    table.row([&"encoding", &"payload", &"package", &"of the image", &"workspace", &""]);
    for size in sizes {
        table.row([
            &encoding::text(size.encoding),
            &bytes(size.payload_size),
            &bytes(size.package_size),
            &format_args!("{:.1} %", size.percent),
            &bytes(size.workspace as usize),
            &if size.chosen { "chosen" } else { "" },
        ]);
    }
    table
}

pub(super) fn bytes(number: usize) -> String {
    count(number as u64, "byte", "bytes")
}
