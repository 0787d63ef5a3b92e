//! The whole way from file to distance, on the photographs that the example ships.
use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, imageops};

use super::detect::FaceBox;
use super::picture::PictureError;
use super::{Descriptor, Detector, THRESHOLD, decode, distance};

const OBAMA_2012: &[u8] = include_bytes!("../../photos/obama-oval-office-2012.jpg");
const OBAMA_2010: &[u8] = include_bytes!("../../photos/obama-blue-room-2010.jpg");
const COLLINS: &[u8] = include_bytes!("../../photos/collins-portrait.jpg");
const HOPPER: &[u8] = include_bytes!("../../photos/hopper-1984.jpg");
const COFFEE: &[u8] = include_bytes!("../../photos/coffee-no-face.jpg");
const BROKEN: &[u8] = include_bytes!("../../photos/broken.jpg");

fn only_face(picture: &GrayImage) -> FaceBox {
    let faces = Detector::new().unwrap().find(picture);
    assert_eq!(faces.len(), 1, "{faces:?}");
    faces[0]
}

fn describe(file: &[u8]) -> Descriptor {
    let picture = decode(file).unwrap();
    Descriptor::of(&picture, &only_face(&picture))
}

/// Whether the box's centre is within a fifth of `size` of (`x`, `y`), and its side within a third of `size`.
fn is_about(face: &FaceBox, x: f32, y: f32, size: f32) -> bool {
    let off = (face.x + face.size / 2.0 - x).hypot(face.y + face.size / 2.0 - y);
    off < size / 5.0 && (face.size - size).abs() < size / 3.0
}

#[test]
fn the_face_is_found_where_it_is() {
    // Centre between eyes and mouth, and hairline to chin, read off the photographs by eye.
    for (file, x, y, size) in [
        (OBAMA_2012, 392.0, 200.0, 245.0),
        (OBAMA_2010, 362.0, 205.0, 140.0),
        (COLLINS, 224.0, 117.0, 100.0),
        (HOPPER, 275.0, 225.0, 210.0),
    ] {
        let face = only_face(&decode(file).unwrap());
        assert!(
            is_about(&face, x, y, size),
            "{face:?} is not about ({x}, {y}), {size}"
        );
    }
}

#[test]
fn a_picture_without_a_face_has_none() {
    assert_eq!(Detector::new().unwrap().find(&decode(COFFEE).unwrap()), []);
}

#[test]
fn a_picture_smaller_than_any_face_has_none() {
    let detector = Detector::new().unwrap();
    assert_eq!(detector.find(&GrayImage::new(1, 1)), []);
    assert_eq!(detector.find(&GrayImage::new(5_000, 1)), []);
}

#[test]
fn one_person_is_closer_than_the_threshold_and_strangers_are_not() {
    let people = [
        ("Obama", OBAMA_2012),
        ("Obama", OBAMA_2010),
        ("Collins", COLLINS),
        ("Hopper", HOPPER),
    ]
    .map(|(name, file)| (name, describe(file)));
    for (at, (name, face)) in people.iter().enumerate() {
        for (other_name, other) in &people[at + 1..] {
            let distance = distance(face, other);
            println!("{name} - {other_name}: {distance:.3}");
            assert_eq!(
                distance < THRESHOLD,
                name == other_name,
                "{name} - {other_name}: {distance}"
            );
        }
    }
}

#[test]
fn the_distance_is_symmetrical_and_zero_to_itself() {
    let (a, b) = (describe(OBAMA_2012), describe(COLLINS));
    assert_eq!(distance(&a, &a), 0.0);
    assert!((distance(&a, &b) - distance(&b, &a)).abs() < 1e-5);
}

#[test]
fn a_mirrored_photograph_is_the_same_person() {
    let picture = imageops::flip_horizontal(&decode(COLLINS).unwrap());
    let mirrored = Descriptor::of(&picture, &only_face(&picture));
    assert!(distance(&mirrored, &describe(COLLINS)) < THRESHOLD);
}

#[test]
fn a_photograph_in_worse_light_is_the_same_person() {
    let mut picture = decode(HOPPER).unwrap();
    let width = picture.width() as f32;
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        // Half as bright, and a shadow over the right side.
        pixel.0[0] = (f32::from(pixel.0[0]) * 0.5 * (1.0 - 0.5 * x as f32 / width)) as u8;
    }
    let darker = Descriptor::of(&picture, &only_face(&picture));
    assert!(distance(&darker, &describe(HOPPER)) < THRESHOLD);
}

#[test]
fn a_descriptor_survives_json_within_16_kilobytes() {
    let face = describe(HOPPER);
    let json = serde_json::to_string(&face).unwrap();
    assert!(json.len() < 16_000, "{}", json.len());
    assert_eq!(serde_json::from_str::<Descriptor>(&json).unwrap(), face);
}

#[test]
fn a_descriptor_of_another_length_or_alphabet_is_refused() {
    let short = serde_json::from_str::<Descriptor>("\"AAAA\"")
        .unwrap_err()
        .to_string();
    assert!(short.contains("3 bytes instead of 11008"), "{short}");
    let garbage = serde_json::from_str::<Descriptor>("\"?\"")
        .unwrap_err()
        .to_string();
    assert!(garbage.contains("not base64"), "{garbage}");
}

#[test]
fn a_broken_file_is_an_error_that_says_what_to_do() {
    let error = decode(BROKEN).unwrap_err();
    assert!(matches!(error, PictureError::Truncated { .. }), "{error:?}");
    assert!(error.to_string().contains("upload it again"), "{error}");
    for file in [&b""[..], b"not a picture", &HOPPER[..2], &HOPPER[..100]] {
        assert!(decode(file).is_err());
    }
}

#[test]
fn a_jpeg_cut_anywhere_is_an_error() {
    for end in (0..COLLINS.len()).step_by(997) {
        assert!(decode(&COLLINS[..end]).is_err(), "cut at {end}");
    }
    assert!(decode(&COLLINS[..COLLINS.len() - 1]).is_err());
}

#[test]
fn a_png_is_read_and_a_cut_one_is_an_error() {
    let picture = decode(COLLINS).unwrap();
    let mut png = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .unwrap();
    assert_eq!(decode(&png).unwrap(), picture);
    assert!(matches!(
        decode(&png[..png.len() / 2]),
        Err(PictureError::Unreadable(_))
    ));
}

#[test]
fn a_picture_of_too_many_pixels_is_refused_by_its_header() {
    let mut file = COLLINS.to_vec();
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    // Marker, length and precision come before the height and the width.
    file[frame + 5..frame + 9].copy_from_slice(&[0x3a, 0x98, 0x3a, 0x98]);
    match decode(&file) {
        Err(PictureError::TooLarge {
            width: 15_000,
            height: 15_000,
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_photograph_taken_with_the_camera_on_its_side_is_turned_upright() {
    let picture = decode(COLLINS).unwrap();
    let lying = DynamicImage::ImageLuma8(imageops::rotate270(&picture));
    let mut jpeg = Vec::new();
    lying
        .write_to(&mut Cursor::new(&mut jpeg), ImageFormat::Jpeg)
        .unwrap();
    // An EXIF segment of one entry: orientation 6, "turn clockwise to show".
    let mut exif =
        b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
    exif.extend([0; 4]);
    jpeg.splice(2..2, exif);
    let before = only_face(&picture);
    let after = only_face(&decode(&jpeg).unwrap());
    assert!(
        is_about(
            &after,
            before.x + before.size / 2.0,
            before.y + before.size / 2.0,
            before.size
        ),
        "{after:?}"
    );
}
