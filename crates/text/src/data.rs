//! Arrays from files and models, and files from arrays.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD};
use wavefold_runtime::Data;
use wavefold_runtime::system::temporary_beside;
use wavefold_seismic::picture::{ColourMap, FieldStyle};
use wavefold_seismic::{NpyArray, NpyError, Section, field_picture};
use wavefold_symbolic::Grid;

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, Result};

/// An array from `.npy`, raw little-endian 32-bit values (`.f32`, `.bin`), raw 64-bit values (`.f64`), or `.csv`. Raw
/// values are one row, unless a shape is given.
pub fn load(folder: &Path, path: &str, shape: Option<&[usize]>, span: Span) -> Result<Data> {
    let wrong = |code: &str, reason: String| Diagnostic::new(code, span, format!("`{path}` {reason}"));
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or("");
    if !LOADED.contains(&extension) {
        return Err(wrong("file::format", "is no kind of file that can be read".into())
            .help(format!("end its name with .{}", LOADED.join(", ."))));
    }
    let bytes = std::fs::read(folder.join(path)).map_err(|e| {
        wrong("file::read", format!("cannot be read: {}", reason(&e)))
            .help("paths are relative to the folder of the program")
    })?;
    let data = match extension {
        "csv" => csv(&String::from_utf8_lossy(&bytes)).map_err(|reason| {
            wrong("file::csv", format!("is no table of numbers: {reason}"))
                .help("a line for each row, numbers with commas between them")
        })?,
        "npy" => match NpyArray::parse(&bytes) {
            Ok(NpyArray::F32(a)) => a.into(),
            Ok(NpyArray::F64(a)) => a.into(),
            Err(e) => {
                return Err(wrong("file::npy", format!("is no array that can be read: {}", npy_reason(e)))
                    .help("save it from NumPy with `np.save`, as float32 or float64"));
            }
        },
        _ => raw(&bytes, if extension == "f64" { 8 } else { 4 }, shape).map_err(|reason| {
            wrong("file::size", reason).help(
                "raw files are little-endian values without a header: 4 bytes each in .f32 and .bin, 8 in .f64",
            )
        })?,
    };
    match shape {
        Some(wanted) if wanted != data.shape() => {
            let (wanted, found) = (times(wanted), times(data.shape()));
            Err(wrong("file::shape", format!("holds {found} values, not {wanted}"))
                .help("leave the shape out: the file says it"))
        }
        _ => Ok(data),
    }
}

/// What can be read.
const LOADED: &[&str] = &["npy", "f32", "bin", "f64", "csv"];

/// What the system said, without its number.
fn reason(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".into(),
        std::io::ErrorKind::PermissionDenied => "it may not be used".into(),
        // A folder that is to be made where a file lies.
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
            "a part of its path is no folder".into()
        }
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        std::io::ErrorKind::StorageFull => "the disk is full".into(),
        _ => {
            let text = e.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

fn npy_reason(e: NpyError) -> String {
    match e {
        NpyError::Header(reason) => reason.into(),
        NpyError::Shape { shape } => format!("its shape {shape:?} is empty or too large"),
        NpyError::Size { shape, expected, found } => {
            format!("{} values take {expected} bytes, and it holds {found}", times(&shape))
        }
    }
}

fn times(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

/// Raw values of 4 or 8 bytes.
fn raw(bytes: &[u8], size: usize, shape: Option<&[usize]>) -> std::result::Result<Data, String> {
    let row = [bytes.len() / size];
    let shape = shape.unwrap_or(&row);
    let count = shape.iter().try_fold(1_usize, |n, m| n.checked_mul(*m));
    let wanted = count.and_then(|n| n.checked_mul(size));
    if wanted != Some(bytes.len()) {
        let wanted = wanted.map_or("more bytes than there are".into(), |n| format!("{n}"));
        return Err(format!(
            "holds {} bytes, but {} values of {size} bytes are {wanted}",
            bytes.len(),
            times(shape)
        ));
    }
    let data = match size {
        8 => Data::from_vec(
            shape,
            bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect::<Vec<f64>>(),
        ),
        _ => Data::from_vec(
            shape,
            bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>(),
        ),
    };
    data.map_err(|e| e.to_string())
}

fn csv(text: &str) -> std::result::Result<Data, String> {
    let mut rows: Vec<Vec<f64>> = vec![];
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let row: std::result::Result<Vec<f64>, _> = line.split(',').map(|cell| cell.trim().parse()).collect();
        match row {
            Ok(row) if rows.first().is_none_or(|first| first.len() == row.len()) => rows.push(row),
            Ok(row) => {
                let width = rows.first().map_or(0, Vec::len);
                return Err(format!(
                    "the first row has {width} number(s), and line {} has {}",
                    i + 1,
                    row.len()
                ));
            }
            // A head line.
            Err(_) if rows.is_empty() => {}
            Err(_) => return Err(format!("line {} holds something else", i + 1)),
        }
    }
    let width = rows.first().map_or(0, Vec::len);
    Data::from_vec(&[rows.len(), width], rows.concat()).map_err(|e| e.to_string())
}

/// What an array is of, which tells how a picture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Values at the points of a grid, or any array.
    Field,
    /// The snapshots of a function on a line: to the right, the line downwards.
    History,
    /// Samples of points: to the right, time downwards.
    Samples,
}

/// Writes an array: `.npy`, `.csv`, `.png` (a section of two dimensions), or `.vti` (for ParaView). Folders are made. A file
/// is there whole or not at all.
pub fn write(
    folder: &Path,
    path: &str,
    (data, shown): (&Data, Shown),
    grid: Option<&Grid>,
    title: &str,
    span: Span,
) -> Result<PathBuf> {
    let full = folder.join(path);
    let failed = |reason: String| {
        Diagnostic::new("file::write", span, format!("`{path}` cannot be written: {reason}"))
            .help("paths are relative to the folder of the program")
    };
    let extension = full.extension().and_then(|e| e.to_str()).unwrap_or("").to_string();
    let parent = full.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(|e| failed(reason(&e)))?;
    let mut temporary = temporary_beside(&full).map_err(|e| failed(reason(&e)))?;
    let bytes = match extension.as_str() {
        "npy" => npy(data),
        "csv" => table(data),
        "vti" => vti(data, grid, title).map_err(failed)?,
        "png" => {
            let Some(section) = section(data, shown) else {
                let message =
                    format!("an array of {} values is no picture", crate::declare::shape_text(data));
                return Err(Diagnostic::new("file::picture", span, message).help(
                    "pictures show fields of two dimensions, sections of three, samples of several points, and histories on a line",
                ));
            };
            let axes = axes(data, shown, grid);
            let signed = section.iter().any(|v| *v < 0.0);
            let colours = if signed { ColourMap::Diverging } else { ColourMap::Sequential };
            let style = FieldStyle { title, label: "", colours };
            let drawn = Section {
                spacing: axes.map(|a| a.spacing),
                origin: axes.map(|a| a.origin),
                axes: Some(axes.map(|a| a.name)),
                ..Section::default()
            };
            field_picture(temporary.path(), &section, &drawn, &style).map_err(|e| failed(e.to_string()))?;
            vec![]
        }
        _ => {
            let error = Diagnostic::new(
                "file::format",
                span,
                format!("`{path}` is no kind of file that can be written"),
            );
            return Err(
                error.help("end its name with .npy, .csv, .png, .vti, or .wfh for a compressed history")
            );
        }
    };
    temporary.write_all(&bytes).map_err(|e| failed(reason(&e)))?;
    temporary.persist(&full).map_err(|e| failed(reason(&e.error)))?;
    Ok(full)
}

/// A field of two dimensions as it is drawn: of three dimensions, the middle of the second.
fn section(data: &Data, shown: Shown) -> Option<Array2<f32>> {
    let values = data.to_f32();
    match values.ndim() {
        2 if shown == Shown::Samples => values.reversed_axes().into_dimensionality().ok(),
        2 => values.into_dimensionality().ok(),
        3 => {
            let middle = values.shape()[1] / 2;
            values.index_axis(ndarray::Axis(1), middle).to_owned().into_dimensionality().ok()
        }
        _ => None,
    }
}

/// An axis of a picture.
#[derive(Clone, Copy)]
struct Axis {
    name: &'static str,
    spacing: f64,
    origin: f64,
}

/// The axes of a picture: positions where the array has the shape of the grid, indices elsewhere.
fn axes(data: &Data, shown: Shown, grid: Option<&Grid>) -> [Axis; 2] {
    let index = |name| Axis { name, spacing: 1.0, origin: 0.0 };
    let along = |g: &Grid, d: usize| Axis {
        name: ["x", "y", "z"][d.min(2)],
        spacing: g.spacing()[d],
        origin: g.origin()[d],
    };
    match (shown, grid) {
        (Shown::Samples, _) => [index("point"), index("step")],
        (Shown::History, Some(g)) if g.rank() == 1 => [index("snapshot"), along(g, 0)],
        (_, Some(g)) if g.shape() == data.shape() && g.rank() == 2 => [along(g, 0), along(g, 1)],
        (_, Some(g)) if g.shape() == data.shape() && g.rank() == 3 => [along(g, 0), along(g, 2)],
        _ => [index("first index"), index("second index")],
    }
}

fn npy(data: &Data) -> Vec<u8> {
    let kind = if data.as_f32().is_some() { "<f4" } else { "<f8" };
    let shape: String = data.shape().iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The values begin on a multiple of 64 bytes.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values(data));
    bytes
}

fn values(data: &Data) -> Vec<u8> {
    let f32s = |a: &ArrayD<f32>| a.iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s = |a: &ArrayD<f64>| a.iter().flat_map(|v| v.to_le_bytes()).collect();
    match data {
        Data::F32(a) => f32s(a),
        Data::F64(a) => f64s(a),
    }
}

fn table(data: &Data) -> Vec<u8> {
    // A column of what has one dimension.
    let width = if data.shape().len() < 2 { 1 } else { data.shape()[data.shape().len() - 1].max(1) };
    let all: Vec<f64> = data.iter().collect();
    let row = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n";
    all.chunks(width).map(row).collect::<String>().into_bytes()
}

/// An image file of VTK: the first dimension of VTK varies fastest, so the values are turned over.
fn vti(data: &Data, grid: Option<&Grid>, title: &str) -> std::result::Result<Vec<u8>, String> {
    let shape = data.shape();
    let title = if title.is_empty() { "values" } else { title };
    if !(1..=3).contains(&shape.len()) {
        return Err(format!("its shape is {shape:?}"));
    }
    let at =
        |list: Option<&[f64]>, d: usize, other: f64| list.and_then(|l| l.get(d)).copied().unwrap_or(other);
    let of = |list: Option<&[f64]>, other: f64| {
        (0..3).map(|d| at(list, d, other).to_string()).collect::<Vec<_>>().join(" ")
    };
    let extent: Vec<String> =
        (0..3).map(|d| format!("0 {}", shape.get(d).map_or(0, |n| n.saturating_sub(1)))).collect();
    let fits = grid.filter(|g| g.rank() == shape.len());
    let (spacing, origin) = (of(fits.map(|g| g.spacing()), 1.0), of(fits.map(|g| g.origin()), 0.0));
    let kind = if data.as_f32().is_some() { "Float32" } else { "Float64" };
    let turned: Vec<u8> = match data {
        Data::F32(a) => values(&a.view().reversed_axes().as_standard_layout().to_owned().into()),
        Data::F64(a) => values(&a.view().reversed_axes().as_standard_layout().to_owned().into()),
    };
    let extent = extent.join(" ");
    let mut bytes = format!(
        "<?xml version=\"1.0\"?>\n<VTKFile type=\"ImageData\" version=\"1.0\" byte_order=\"LittleEndian\" \
         header_type=\"UInt64\">\n<ImageData WholeExtent=\"{extent}\" Origin=\"{origin}\" Spacing=\"{spacing}\">\n\
         <Piece Extent=\"{extent}\"><PointData Scalars=\"{title}\">\n<DataArray type=\"{kind}\" Name=\"{title}\" \
         format=\"appended\" offset=\"0\"/>\n</PointData></Piece></ImageData>\n<AppendedData encoding=\"raw\">\n_"
    )
    .into_bytes();
    bytes.extend((turned.len() as u64).to_le_bytes());
    bytes.extend(turned);
    bytes.extend(b"\n</AppendedData>\n</VTKFile>\n");
    Ok(bytes)
}
