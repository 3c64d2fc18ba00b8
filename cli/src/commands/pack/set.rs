//! Several bases: a package for each, one for everybody, and an index of them (`docs/index.md`).

use std::path::{Path, PathBuf};

use lockgate::pack::inspect;
use serde_json::json;

use super::base::Base;
use super::candidates::{Chosen, Size};
use super::report::{bytes, Report};
use super::wish::Wish;
use super::{inputs, Args, Packed, Packer};
use crate::failure::Failure;
use crate::index::{self, Entry, Index};
use crate::table::Table;
use crate::{encoding, files, print};

/// A package on its way to its file.
struct Made<'b> {
    path: PathBuf,
    base: Option<&'b Base>,
    package: Packed,
    sizes: Vec<Size>,
}

/// Makes and writes all packages, or none. `output` is that for everybody.
pub(super) fn run(
    args: &Args,
    packer: &mut Packer,
    image: (&Path, &[u8]),
    bases: &[Base],
    (wish, whole): (Wish, Wish),
    output: &Path,
) -> Result<(), Failure> {
    let names = names(output, bases)?;
    let index_path = output.with_extension(index::EXTENSION);
    for path in names.iter().chain([&index_path]) {
        files::check_output(path, &inputs(args))?;
    }
    // All payloads before the first signature: whoever signs may have to enter a PIN.
    let mut chosen: Vec<(PathBuf, Option<&Base>, Chosen)> = Vec::new();
    for (base, path) in bases.iter().zip(names) {
        let payload = packer.choose(wish, image, Some(base))?;
        // Of auto, what is no delta is for everybody.
        if payload.payload.base_image().is_some() {
            chosen.push((path, Some(base), payload));
        }
    }
    chosen.push((output.into(), None, packer.choose(whole, image, None)?));
    let mut made = Vec::new();
    for (path, base, payload) in chosen {
        let (package, Chosen { sizes, .. }) = packer.pack(image.0, payload)?;
        made.push(Made { path, base, package, sizes });
    }
    let index = index_of(&made).to_string();
    let replaced: Vec<bool> = made.iter().map(|made| made.path.is_file()).collect();
    let mut all: Vec<(&Path, &[u8])> =
        made.iter().map(|made| (made.path.as_path(), made.package.bytes.as_slice())).collect();
    all.push((&index_path, index.as_bytes()));
    files::write_together(&all)?;

    let mut reports = Vec::new();
    for (Made { path, base, package, sizes }, replaced) in made.iter().zip(replaced) {
        let inspection = inspect(&package.bytes).map_err(|refusal| Failure::refused(path.display(), refusal))?;
        let report = Report::new((Some(image.0), image.1.len()), *base, path, &inspection, sizes.clone());
        reports.push(report.key_sets(&packer.rotations).replaced(replaced));
    }
    match args.json {
        true => print::json(&json!({ "index": index_path.display().to_string(), "packages": reports })),
        false => print::text_only(text(image, &made, &reports, &index_path)),
    }
}

/// A name for the delta from each base: by its version, or its digest where that is not known or not enough.
fn names(output: &Path, bases: &[Base]) -> Result<Vec<PathBuf>, Failure> {
    let stem = output.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = output.extension().map_or("lgu".into(), |extension| extension.to_string_lossy().into_owned());
    if extension == index::EXTENSION {
        return Err(Failure::usage("--output", "the index is made beside it: name the package for everybody fw.lgu"));
    }
    let whole = output.file_name().and_then(|name| name.to_str());
    if !whole.is_some_and(index::is_name) {
        return Err(Failure::usage(
            "--output",
            format_args!("{} cannot stand in an index: choose another name", output.display()),
        ));
    }
    let mut names = Vec::new();
    for base in bases {
        let name = base.name();
        let alone = bases.iter().filter(|other| other.name() == name).count() == 1;
        let name = if alone { name } else { format!("{name}-{}", base.short()) };
        let name = format!("{stem}-from-{name}.{extension}");
        if !index::is_name(&name) {
            return Err(Failure::usage("--output", format_args!("{name:?} cannot stand in an index: choose another")));
        }
        names.push(output.with_file_name(name));
    }
    Ok(names)
}

fn index_of(made: &[Made<'_>]) -> Index {
    // The last one is for everybody; all have this in common.
    let manifest = made.last().map(|made| made.package.manifest);
    let mut index = Index {
        version: manifest.map_or(lockgate::Version::new(0, 0, 0, 0), |manifest| manifest.version),
        security_counter: manifest.map_or(0, |manifest| manifest.security_counter),
        image_size: manifest.map_or(0, |manifest| manifest.image_size),
        image: manifest.map_or(lockgate::Digest([0; 32]), |manifest| manifest.image_digest),
        packages: made
            .iter()
            .map(|made| Entry {
                base: made.base.map(|base| base.digest),
                size: made.package.bytes.len() as u32,
                workspace: encoding::workspace(made.package.manifest.encoding),
                name: made.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            })
            .collect(),
    };
    index.sort();
    index
}

fn text(image: (&Path, &[u8]), made: &[Made<'_>], reports: &[Report], index: &Path) -> String {
    let mut packages = Table::default();
    packages.row([&"package", &"for", &"encoding", &"size", &"of the image", &"workspace"]);
    for (Made { base, .. }, report) in made.iter().zip(reports) {
        let from = base.map_or("everybody".into(), |base| match base.version {
            Some(version) => format!("version {version}, {}", base.short()),
            None => format!("{}, {}", base.path.display(), base.short()),
        });
        packages.row([
            &report.package,
            &from,
            &encoding::text(report.how),
            &bytes(report.package_size),
            &format_args!("{:.1} %", report.package_percent),
            &bytes(report.workspace as usize),
        ]);
    }
    let mut common = Table::default();
    common.row([&"image", &format_args!("{}, {}", image.0.display(), bytes(image.1.len()))]);
    common.row([&"index", &format_args!("{}, for servers and devices to choose by", index.display())]);
    if let Some(report) = reports.last() {
        report.common(&mut common, false);
    }
    format!("{packages}\n{common}")
}
