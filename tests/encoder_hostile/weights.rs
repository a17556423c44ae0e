//! Safetensors files that are damaged, lie, or do not fit config.json.

use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use workindex::Error;

use crate::support::{Model, QUERY, WORDS};

#[test]
fn damaged_weight_files() {
    let whole = std::fs::read(Model::new().path("model.safetensors")).unwrap();
    let with_length = |n: u64| [&n.to_le_bytes(), &whole[8..]].concat();
    let damaged: Vec<Vec<u8>> = vec![
        vec![],
        whole[..7].to_vec(),
        whole[..100].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [whole.clone(), vec![0; 16]].concat(),
        with_length(u64::MAX),
        with_length(whole.len() as u64 * 2),
        with_length(99_000_000),
        with_length(3),
        vec![0xff; 4096],
    ];
    for bytes in damaged {
        let model = Model::new();
        std::fs::write(model.path("model.safetensors"), bytes).unwrap();
        model.refused(&["model.safetensors"]);
    }
}

#[test]
fn every_damaged_byte_of_the_header_is_an_error_or_harmless() {
    let model = Model::new();
    let whole = std::fs::read(model.path("model.safetensors")).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize + 8;
    for at in (0..header).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x15;
        std::fs::write(model.path("model.safetensors"), bytes).unwrap();
        if let Err(error) = model.open() {
            assert!(matches!(error, Error::Encoder { .. } | Error::Tensor { .. }), "byte {at}: {error:?}");
        }
    }
}

#[test]
fn missing_misshaped_and_mistyped_tensors() {
    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| (name != QUERY).then(|| (name.to_string(), dtype, shape, data)));
    model.refused(&[QUERY, "[32, 32]", "none of that name"]);

    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| match name {
        QUERY => Some((name.to_string(), dtype, vec![16, 64], data)),
        _ => Some((name.to_string(), dtype, shape, data)),
    });
    model.refused(&[QUERY, "[32, 32]", "[16, 64]"]);

    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| match name {
        QUERY => Some((name.to_string(), Dtype::I32, shape, data)),
        _ => Some((name.to_string(), dtype, shape, data)),
    });
    model.refused(&[QUERY, "I32"]);

    let model = Model::new();
    model.edit_weights(|name, dtype, shape, mut data| {
        if name == QUERY {
            data[40..44].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        Some((name.to_string(), dtype, shape, data))
    });
    model.refused(&[QUERY, "not finite"]);
}

#[test]
fn a_prefix_and_sixteen_bit_weights_are_read() {
    let expected = Model::new().open().unwrap().encode("data engineer").unwrap();
    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| Some((format!("bert.{name}"), dtype, shape, data)));
    assert_eq!(model.open().unwrap().encode("data engineer").unwrap(), expected);

    let model = Model::new();
    // The upper half of an f32 is a bf16.
    let halve = |data: Vec<u8>| data.chunks_exact(4).flat_map(|b| [b[2], b[3]]).collect();
    model.edit_weights(|name, _, shape, data| Some((name.to_string(), Dtype::BF16, shape, halve(data))));
    let rough = model.open().unwrap().encode("data engineer").unwrap();
    let diff = rough.matrix.values().iter().zip(expected.matrix.values()).map(|(a, b)| (a - b).abs());
    let diff = diff.fold(0.0, f32::max);
    assert!(diff > 0.0 && diff < 0.2, "{diff}");
}

#[test]
fn weights_that_overflow_are_an_error_of_the_matrix() {
    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| {
        let huge = f32::MAX.to_le_bytes();
        let data = if name == WORDS { data.chunks_exact(4).flat_map(|_| huge).collect() } else { data };
        Some((name.to_string(), dtype, shape, data))
    });
    assert!(matches!(model.open().unwrap().encode("data"), Err(Error::Matrix { .. })));
}

/// A safetensors file with this header and so many zeros behind it.
fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

/// A header of one tensor, which the model does not need, and nothing else.
fn tensor(name: &str, dtype: &str, shape: &str, from: u64, to: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
}

#[test]
fn headers_that_lie() {
    let one = |dtype, shape, from, to| format!("{{{}}}", tensor("a", dtype, shape, from, to));
    let huge: Vec<String> = (0..8u64)
        .map(|i| {
            let size = (1u64 << 61) - 1;
            tensor(&format!("t{i}"), "U8", &format!("[{size}]"), i * size, (i + 1) * size)
        })
        .collect();
    let overlapping = format!("{{{},{}}}", tensor("a", "F32", "[2]", 0, 8), tensor("b", "F32", "[2]", 4, 12));
    let gap = format!("{{{},{}}}", tensor("a", "F32", "[2]", 0, 8), tensor("b", "F32", "[2]", 12, 20));
    let cases = [
        (one("F32", "[2]", 8, 0), 8),
        (one("F32", "[2]", 8, 16), 16),
        (one("F32", "[2]", 0, 16), 8),
        (one("F32", "[2]", 0, u64::MAX), 8),
        (one("F32", "[2]", u64::MAX, u64::MAX), 8),
        (one("F32", "[3]", 0, 8), 8),
        (one("F32", "[9223372036854775808,4]", 0, 8), 8),
        (one("F32", "[4611686018427387904]", 0, 0), 0),
        (one("F32", "[-2]", 0, 8), 8),
        (one("F32", "[1.5]", 0, 8), 8),
        (one("F99", "[2]", 0, 8), 8),
        (one("F4", "[1]", 0, 1), 1),
        (overlapping, 12),
        (gap, 20),
        // Sizes whose sum, with the header's own length, is beyond 64 bits.
        (format!("{{{}}}", huge.join(",")), 8),
        ("{\"a\":3}".to_string(), 0),
        ("{\"__metadata__\":3}".to_string(), 0),
        ("[]".to_string(), 0),
        ("".to_string(), 0),
        ("{".to_string(), 0),
        ("{\"\\ud800\":0}".to_string(), 0),
        (format!("{{\"__metadata__\":{}", "[".repeat(1 << 20)), 0),
        (format!("{{\"a\":{}", "{\"a\":".repeat(1 << 18)), 0),
    ];
    for (header, data) in cases {
        let model = Model::new();
        std::fs::write(model.path("model.safetensors"), file(&header, data)).unwrap();
        model.refused(&["model.safetensors", "not a usable safetensors file"]);
    }
    // Well-formed, and nothing of what the model needs.
    for (header, data) in [("{}".to_string(), 0), (one("F32", "[0]", 0, 0), 0), (one("F32", "[]", 0, 4), 4)] {
        let model = Model::new();
        std::fs::write(model.path("model.safetensors"), file(&header, data)).unwrap();
        model.refused(&[WORDS, "none of that name"]);
    }
}

#[test]
fn headers_of_absurd_length_are_refused_unread() {
    for length in [(16 << 20) + 1, 100_000_001, 1 << 40, u64::MAX] {
        let model = Model::new();
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(17 << 20, b' ');
        std::fs::write(model.path("model.safetensors"), bytes).unwrap();
        model.refused(&["model.safetensors", "a header of"]);
    }
}

#[test]
fn a_hundred_thousand_tensors_more_are_no_obstacle() {
    let model = Model::new();
    let path = model.path("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let archive = SafeTensors::deserialize(&bytes).unwrap();
    let empty = |i| (format!("{i:06}"), TensorView::new(Dtype::F32, vec![0], &[]).unwrap());
    let more = archive.iter().map(|(name, view)| (name.to_string(), view)).chain((0..100_000).map(empty));
    std::fs::write(&path, serialize(more, None).unwrap()).unwrap();
    let start = Instant::now();
    let encoder = model.open().unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let expected = Model::new().open().unwrap().encode("data engineer").unwrap();
    assert_eq!(encoder.encode("data engineer").unwrap(), expected);
}

#[test]
fn a_file_cut_at_any_length_is_refused() {
    let model = Model::new();
    let path = model.path("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize + 8;
    let around = |at: usize| at.saturating_sub(3)..(at + 3).min(whole.len());
    let lengths = (0..40).chain(around(header)).chain((0..whole.len()).step_by(1499)).chain(around(whole.len()));
    for length in lengths {
        std::fs::write(&path, &whole[..length]).unwrap();
        model.refused(&["model.safetensors", "not a usable safetensors file"]);
    }
}

#[test]
fn every_float_type_is_read_exactly_and_checked_for_values_that_are_not_finite() {
    use candle_core::{DType, Device, Tensor};
    let convert = |data: &[u8], shape: &[usize], from, to| {
        let tensor = Tensor::from_raw_buffer(data, from, shape, &Device::Cpu).unwrap().to_dtype(to).unwrap();
        tensor.flatten_all().unwrap()
    };
    for (dtype, kind) in [(Dtype::F16, DType::F16), (Dtype::BF16, DType::BF16)] {
        let (short, rounded, broken) = (Model::new(), Model::new(), Model::new());
        let narrow =
            |shape: &[usize], data: &[u8]| safetensors::View::data(&convert(data, shape, DType::F32, kind)).to_vec();
        short.edit_weights(|name, _, shape, data| {
            let data = narrow(&shape, &data);
            Some((name.to_string(), dtype, shape, data))
        });
        rounded.edit_weights(|name, _, shape, data| {
            let wide = convert(&narrow(&shape, &data), &shape, kind, DType::F32).to_vec1::<f32>().unwrap();
            Some((name.to_string(), Dtype::F32, shape, wide.iter().flat_map(|v| v.to_le_bytes()).collect()))
        });
        let (short, rounded) = (short.open().unwrap(), rounded.open().unwrap());
        assert_eq!(short.encode("data engineer").unwrap(), rounded.encode("data engineer").unwrap(), "{dtype:?}");

        broken.edit_weights(|name, _, shape, data| {
            let mut data = narrow(&shape, &data);
            if name == QUERY {
                // All bits set but the sign: not a number in both types.
                data[100..102].copy_from_slice(&0x7fffu16.to_le_bytes());
            }
            Some((name.to_string(), dtype, shape, data))
        });
        broken.refused(&[QUERY, "not finite"]);
    }
}

#[test]
fn weights_of_another_model() {
    let halved = Model::new();
    halved.edit_weights(|name, dtype, shape, data| {
        let half = data[..data.len() / 2].to_vec();
        let shape = shape.iter().enumerate().map(|(i, n)| if i == 0 { n / 2 } else { *n }).collect();
        Some((name.to_string(), dtype, shape, half))
    });
    halved.refused(&[WORDS, "[500, 32]", "[250, 32]"]);
    let (empty, scalar) = (Model::new(), Model::new());
    empty.edit_weights(|name, dtype, shape, data| match name {
        QUERY => Some((name.to_string(), dtype, vec![0, 32], Vec::new())),
        _ => Some((name.to_string(), dtype, shape, data)),
    });
    empty.refused(&[QUERY, "[32, 32]", "[0, 32]"]);
    scalar.edit_weights(|name, dtype, shape, data| match name {
        QUERY => Some((name.to_string(), dtype, Vec::new(), vec![0; 4])),
        _ => Some((name.to_string(), dtype, shape, data)),
    });
    scalar.refused(&[QUERY, "[32, 32]", "[]"]);
}
