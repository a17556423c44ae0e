//! One file or several, prefixes, old names, and the numbers of a tensor.

use safetensors::tensor::TensorView;

use super::*;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Writes a file of F32 vectors.
fn write(folder: &Path, name: &str, tensors: &[(&str, &[f32])]) {
    let data: Vec<(&str, Vec<u8>)> = tensors.iter().map(|(name, values)| (*name, bytes(values))).collect();
    let views =
        data.iter().map(|(name, data)| (*name, TensorView::new(Dtype::F32, vec![data.len() / 4], data).unwrap()));
    std::fs::write(folder.join(name), safetensors::serialize(views, None).unwrap()).unwrap();
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn numbers_are_read_in_parts_and_whole_and_outlive_the_files() {
    let folder = folder();
    // The shorter name makes the header's length, and with it the alignment of the numbers, another one.
    write(folder.path(), SINGLE, &[("a", &[1.0, 2.0, 3.0]), ("b", &[f32::NAN, 4.0])]);
    let files = WeightFiles::open(folder.path()).unwrap();
    let (a, b) = (files.tensor("a", &[3]).unwrap(), files.tensor("b", &[2]).unwrap());
    drop(files);
    assert_eq!((&*a.shape, a.len(), a.float_type), (&[3][..], 3, FloatType::F32));
    assert_eq!((a.to_f32().unwrap(), a.all_finite()), (vec![1.0, 2.0, 3.0], true));
    let mut out = [9.0; 2];
    assert!(a.read(1, &mut out));
    assert_eq!(out, [2.0, 3.0]);
    assert!(a.read(3, &mut []));
    for start in [2, 3, usize::MAX, usize::MAX / 4, usize::MAX / 2] {
        assert!(!a.read(start, &mut out) && out == [2.0, 3.0], "{start}");
    }
    assert!(!b.all_finite() && b.read(1, &mut out[..1]) && out[0] == 4.0);
    let error = b.to_f32().unwrap_err().to_string();
    assert!(["`b`", "not finite", SINGLE, "[2]"].iter().all(|part| error.contains(part)), "{error}");
}

/// Writes a file with a matrix `a` of I8, 2 × 3, and its scales.
fn write_i8(folder: &Path, scales: Option<(&[f32], Dtype)>) {
    let numbers: Vec<u8> = [127i8, -128, 0, 1, -1, 2].iter().map(|v| v.to_le_bytes()[0]).collect();
    let mut views = vec![("a".to_string(), TensorView::new(Dtype::I8, vec![2, 3], &numbers).unwrap())];
    let bytes = scales.map(|(scales, dtype)| match dtype {
        Dtype::I8 => (vec![1; scales.len()], scales.len(), dtype),
        _ => (bytes(scales), scales.len(), dtype),
    });
    if let Some((bytes, n, dtype)) = &bytes {
        views.push((format!("a{SCALE}"), TensorView::new(*dtype, vec![*n], bytes).unwrap()));
    }
    std::fs::write(folder.join(SINGLE), safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn numbers_of_eight_bits_are_multiplied_with_the_scale_of_their_row() {
    let folder = folder();
    write_i8(folder.path(), Some((&[0.5, 2.0], Dtype::F32)));
    let tensor = WeightFiles::open(folder.path()).unwrap().tensor("a", &[2, 3]).unwrap();
    let all = [63.5, -64.0, 0.0, 2.0, -2.0, 4.0];
    assert_eq!((tensor.to_f32().unwrap(), tensor.len(), tensor.all_finite()), (all.to_vec(), 6, true));
    for start in 0..=6 {
        for end in start..=6 {
            let mut out = vec![9.0; end - start];
            assert!(tensor.read(start, &mut out));
            assert_eq!(out, all[start..end], "{start}..{end}");
        }
    }
    assert!(!tensor.read(5, &mut [0.0; 2]));
}

#[test]
fn scales_that_are_missing_or_wrong_are_refused() {
    let folder = folder();
    for (scales, part) in [
        (None, "none of that name"),
        (Some((&[1.0][..], Dtype::F32)), "[1] of F32"),
        (Some((&[1.0, f32::NAN], Dtype::F32)), "not finite"),
        (Some((&[1.0, f32::MAX], Dtype::F32)), "128 times"),
        (Some((&[1.0, 1.0], Dtype::I8)), "I8"),
    ] {
        write_i8(folder.path(), scales);
        let error = WeightFiles::open(folder.path()).unwrap().tensor("a", &[2, 3]).unwrap_err().to_string();
        assert!(error.contains("`a.scale`") && error.contains(part), "{error}");
    }
}

#[test]
fn numbers_at_any_alignment_are_read() {
    let folder = folder();
    let mut file = Vec::new();
    for padding in 0..8 {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}{}"#, " ".repeat(padding));
        file.clear();
        file.extend((header.len() as u64).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(bytes(&[1.5, -2.5]));
        std::fs::write(folder.path().join(SINGLE), &file).unwrap();
        let tensor = WeightFiles::open(folder.path()).unwrap().tensor("a", &[2]).unwrap();
        assert_eq!(tensor.to_f32().unwrap(), [1.5, -2.5]);
    }
}

#[test]
fn old_names_of_layer_norms_are_found() {
    let folder = folder();
    write(folder.path(), SINGLE, &[("bert.x.LayerNorm.gamma", &[1.0]), ("x.LayerNorm.beta", &[2.0])]);
    let files = WeightFiles::open(folder.path()).unwrap().with_prefix("bert.");
    let value = |name| files.tensor(name, &[1]).unwrap().to_f32().unwrap()[0];
    assert_eq!((value("x.LayerNorm.weight"), value("x.LayerNorm.bias")), (1.0, 2.0));
}

#[test]
fn a_prefix_is_tried_after_the_plain_name() {
    let folder = folder();
    write(folder.path(), SINGLE, &[("a", &[1.0]), ("bert.a", &[2.0]), ("model.b", &[3.0])]);
    let files = WeightFiles::open(folder.path()).unwrap();
    assert!(!files.contains("b"));
    let files = files.with_prefix("model.");
    let value = |name| files.tensor(name, &[1]).unwrap().to_f32().unwrap()[0];
    assert_eq!((value("a"), value("b"), files.contains("c")), (1.0, 3.0, false));
    let error = files.tensor("c", &[4]).unwrap_err();
    assert!(matches!(&error, Error::Tensor { tensor, path, .. } if tensor == "c" && path == files.origin()), "{error}");
}

#[test]
fn shards_are_one_model_and_the_index_decides_between_them() {
    let folder = folder();
    write(folder.path(), "one.safetensors", &[("a", &[1.0]), ("b", &[2.0])]);
    write(folder.path(), "two.safetensors", &[("b", &[3.0]), ("c", &[4.0])]);
    let index = |map: &str| std::fs::write(folder.path().join(INDEX), format!(r#"{{"weight_map":{map}}}"#)).unwrap();
    index(r#"{"a":"one.safetensors","b":"two.safetensors"}"#);
    let files = WeightFiles::open(folder.path()).unwrap();
    let value = |name| files.tensor(name, &[1]).unwrap().to_f32().unwrap()[0];
    assert_eq!((value("a"), value("b"), files.contains("c")), (1.0, 3.0, false));
    assert!(files.origin().ends_with(INDEX));

    index(r#"{"a":"two.safetensors"}"#);
    let error = WeightFiles::open(folder.path()).err().unwrap();
    assert!(matches!(&error, Error::Tensor { tensor, path, .. } if tensor == "a" && path.ends_with("two.safetensors")));
    for (map, mentions) in [
        ("{}", "1 to 1000"),
        ("[]", INDEX),
        (r#"{"a":3}"#, INDEX),
        (r#"{"a":"three.safetensors"}"#, "`three.safetensors`, which is missing"),
        (r#"{"a":"../one.safetensors"}"#, "plain name"),
        (r#"{"a":"./one.safetensors"}"#, "plain name"),
        (r#"{"a":"/one.safetensors"}"#, "plain name"),
        (r#"{"a":"one.safetensors/"}"#, "plain name"),
        (r#"{"a":"config.json"}"#, "plain name"),
        (r#"{"a":".one.safetensors"}"#, "plain name"),
        (r#"{"a":""}"#, "plain name"),
        (r#"{"a":"one.safetensors","a":"two.safetensors"}"#, "`a` is given twice"),
    ] {
        index(map);
        let error = WeightFiles::open(folder.path()).err().unwrap();
        assert!(matches!(error, Error::Encoder { .. }) && error.to_string().contains(mentions), "{map}: {error}");
    }
    // Where there is one file, it is the model, as for transformers.
    write(folder.path(), SINGLE, &[("c", &[5.0])]);
    assert!(WeightFiles::open(folder.path()).unwrap().contains("c"));
}

#[test]
fn files_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<WeightFiles>();
    shared::<RawTensor>();
}
