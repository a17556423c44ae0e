//! An encoder that runs elsewhere, and the token matrices it made.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use super::Fingerprint;
use super::weights::parse_header;
use crate::error::{Error, Result};
use crate::token_matrix::TokenMatrix;

/// An encoder that runs elsewhere: a name that the user answers for, and the length of its rows.
///
/// Its fingerprint is a hash of both, so that matrices under one name are taken to be comparable.
///
/// ```
/// use workindex::DeclaredEncoder;
/// assert_eq!(DeclaredEncoder::new("house-model-7", 128)?.dim(), 128);
/// assert!(DeclaredEncoder::new("", 128).is_err());
/// # Ok::<(), workindex::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredEncoder {
    name: String,
    dim: usize,
}

impl DeclaredEncoder {
    /// Declares an encoder.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an empty name or one of over 200 bytes, [`Error::Matrix`] for a `dim` outside 1…65,536.
    pub fn new(name: &str, dim: usize) -> Result<Self> {
        if name.trim().is_empty() || name.len() > 200 {
            let problem = "use 1 to 200 bytes that tell one encoder from another".to_string();
            return Err(Error::InvalidName { what: "encoder name", name: name.to_string(), problem });
        }
        if !(1..=1 << 16).contains(&dim) {
            return Err(Error::Matrix { expected: "rows of 1 to 65536 values".to_string(), got: dim.to_string() });
        }
        Ok(Self { name: name.to_string(), dim })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Values per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Its identity.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_derive_key("workindex declared encoder");
        hasher.update(&(self.dim as u64).to_le_bytes());
        hasher.update(self.name.as_bytes());
        Fingerprint::from_bytes(*hasher.finalize().as_bytes())
    }
}

/// Reads token matrices that another program wrote as one safetensors file.
///
/// | tensor | shape | type | what |
/// |---|---|---|---|
/// | `tokens` | rows × dim | F32 | the raw token embeddings of all texts, one text after the other |
/// | `offsets` | texts + 1 | I64 | the first row of each text, and the number of rows |
/// | `pooled` (optional) | texts × dim | F32 | the pooled vector of each text; without it, the mean of its rows |
///
/// # Errors
/// [`Error::Io`]; [`Error::Tensor`] with the tensor that is missing or has another shape or type;
/// [`Error::Matrix`] for values that are not finite.
pub fn read_matrices(path: &Path) -> Result<Vec<TokenMatrix>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    // First, because it looks at sums that `deserialize` lets overflow.
    parse_header(&bytes).map_err(|problem| wrong(path, "*", "a safetensors file", problem))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(path, "*", "a safetensors file", error))?;
    let (shape, tokens) = floats(path, &file, "tokens")?;
    let &[n_rows, dim] = shape.as_slice() else {
        return Err(wrong(path, "tokens", "shape [rows, dim]", format!("{shape:?}")));
    };
    if dim == 0 {
        return Err(wrong(path, "tokens", "rows of at least one value", "none"));
    }
    let offsets = offsets(path, &file, n_rows)?;
    let pooled = match file.names().contains(&"pooled") {
        true => Some(floats(path, &file, "pooled")?),
        false => None,
    };
    if let Some((shape, _)) = &pooled
        && *shape != [offsets.len() - 1, dim]
    {
        return Err(wrong(path, "pooled", format!("shape [{}, {dim}]", offsets.len() - 1), format!("{shape:?}")));
    }
    let matrix = |(text, ends): (usize, &[usize])| {
        let rows = tokens[ends[0] * dim..ends[1] * dim].to_vec();
        match &pooled {
            Some((_, pooled)) => TokenMatrix::with_pooled(dim, rows, pooled[text * dim..(text + 1) * dim].to_vec()),
            None => TokenMatrix::new(dim, rows),
        }
    };
    offsets.windows(2).enumerate().map(matrix).collect()
}

/// The shape and values of an F32 tensor.
fn floats(path: &Path, file: &SafeTensors, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let tensor = file.tensor(name).map_err(|error| wrong(path, name, "a tensor of this name", error))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(wrong(path, name, "type F32", format!("{:?}", tensor.dtype())));
    }
    let (values, _) = tensor.data().as_chunks::<4>();
    Ok((tensor.shape().to_vec(), values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
}

/// The offsets: growing from 0 to the number of rows.
fn offsets(path: &Path, file: &SafeTensors, n_rows: usize) -> Result<Vec<usize>> {
    let name = "offsets";
    let tensor = file.tensor(name).map_err(|error| wrong(path, name, "a tensor of this name", error))?;
    if tensor.dtype() != Dtype::I64 || tensor.shape().len() != 1 {
        let got = format!("{:?} of shape {:?}", tensor.dtype(), tensor.shape());
        return Err(wrong(path, name, "I64 of shape [texts + 1]", got));
    }
    let (values, _) = tensor.data().as_chunks::<8>();
    let offsets = values.iter().map(|bytes| usize::try_from(i64::from_le_bytes(*bytes)));
    let offsets: Vec<usize> = offsets.collect::<Result<_, _>>().map_err(|_| wrong(path, name, "no negative", "one"))?;
    let grows = offsets.windows(2).all(|pair| pair[0] < pair[1]);
    if offsets.first() == Some(&0) && offsets.last() == Some(&n_rows) && grows {
        return Ok(offsets);
    }
    Err(wrong(path, name, format!("numbers growing from 0 to {n_rows}"), "others"))
}

fn wrong(path: &Path, tensor: &str, expected: impl Into<String>, got: impl ToString) -> Error {
    let (path, tensor) = (path.to_path_buf(), tensor.to_string());
    Error::Tensor { path, tensor, expected: expected.into(), got: got.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn write(rows: &[f32], shape: [usize; 2], offsets: &[i64], pooled: Option<&[f32]>) -> tempfile::NamedTempFile {
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let (tokens, n_texts) = (bytes(rows), offsets.len() - 1);
        let offset_bytes: Vec<u8> = offsets.iter().flat_map(|v| v.to_le_bytes()).collect();
        let pooled = pooled.map(bytes);
        let mut tensors = vec![
            ("tokens", TensorView::new(Dtype::F32, shape.to_vec(), &tokens).unwrap()),
            ("offsets", TensorView::new(Dtype::I64, vec![offsets.len()], &offset_bytes).unwrap()),
        ];
        if let Some(pooled) = &pooled {
            tensors.push(("pooled", TensorView::new(Dtype::F32, vec![n_texts, shape[1]], pooled).unwrap()));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), safetensors::serialize(tensors, None).unwrap()).unwrap();
        file
    }

    #[test]
    fn matrices_are_cut_at_their_offsets() {
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let read = read_matrices(write(&rows, [3, 2], &[0, 1, 3], None).path()).unwrap();
        assert_eq!(read[0].values(), [1.0, 2.0]);
        assert_eq!((read[1].values(), read[1].pooled()), (&rows[2..], &[4.0, 5.0][..]));
        let read = read_matrices(write(&rows, [3, 2], &[0, 1, 3], Some(&[9.0; 4])).path()).unwrap();
        assert_eq!(read[1].pooled(), [9.0, 9.0]);
    }

    #[test]
    fn files_that_contradict_themselves_are_refused() {
        let rows = [1.0, 2.0, 3.0, 4.0];
        for offsets in [&[0, 1][..], &[0, 2, 1], &[1, 2], &[0, -1, 2], &[0, 0, 2], &[0]] {
            let file = write(&rows, [2, 2], offsets, None);
            assert!(matches!(read_matrices(file.path()), Err(Error::Tensor { .. })), "{offsets:?}");
        }
        let file = write(&[f32::NAN, 0.0], [1, 2], &[0, 1], None);
        assert!(matches!(read_matrices(file.path()), Err(Error::Matrix { .. })));
        let size = (1u64 << 61) - 1;
        let huge = |i: u64| {
            format!(r#""{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{},{}]}}"#, i * size, (i + 1) * size)
        };
        let header = format!("{{{}}}", (0..8).map(huge).collect::<Vec<_>>().join(","));
        let beyond_64_bits = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        for bytes in [&b"not safetensors"[..], &beyond_64_bits] {
            std::fs::write(file.path(), bytes).unwrap();
            assert!(matches!(read_matrices(file.path()), Err(Error::Tensor { .. })));
        }
    }
}
