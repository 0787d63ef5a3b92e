//! A camera at a gate: finds the faces in each snapshot, remembers new ones, archives the picture, and scrubs it from the upload bucket.

mod face;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

use nephos::http::Json;
use nephos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::face::{Descriptor, Detector};

/// Someone whom the camera has seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    face_id: String,
    descriptor: Descriptor,
    first_seen_in: String,
    sightings: u64,
    last_seen: u64,
    /// The latest sightings: one that is delivered again counts once.
    latest: Vec<String>,
}

/// How many of the latest sightings a face remembers: more than there are pictures under way at once.
const LATEST: usize = 32;

/// Looks at one snapshot. It may come twice, or break off anywhere: each step can be done again without harm, and the snapshot is deleted last.
#[nephos::function]
async fn recognise(photo: ObjectCreated, cx: Context) -> Result<()> {
    let snapshots = cx.bucket("snapshots")?;
    let picture = match snapshots.get(&photo.key).await {
        Ok(picture) => picture,
        // An earlier delivery did all of it, deleting last.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let image = face::decode(&picture).or_reject("the file is not a picture that can be read")?;
    let found = Detector::new()
        .or_retry("the face detector did not start")?
        .find(&image);
    println!("{}: {} face(s)", photo.key, found.len());

    let faces = cx.table("faces")?;
    for (index, place) in found.iter().enumerate() {
        let descriptor = Descriptor::of(&image, place);
        let sighting = format!(
            "{}#{index}@{}",
            photo.key,
            photo.etag.as_deref().unwrap_or_default()
        );
        remember(&faces, descriptor, &sighting).await?;
    }

    cx.bucket("archive")?.put(&photo.key, picture).await?;
    snapshots.delete(&photo.key).await?;
    println!("{}: archived, and scrubbed from the upload bucket", photo.key);
    Ok(())
}

/// Counts a sighting of a known face, or stores a new one.
async fn remember(faces: &Table, descriptor: Descriptor, sighting: &str) -> Result<()> {
    let mut nearest: Option<(f32, Stored<Known>)> = None;
    let mut cursor = None;
    loop {
        let page = faces.scan::<Known>(100, cursor.as_deref()).await?;
        for known in page.items {
            let distance = face::distance(&descriptor, &known.item.descriptor);
            if nearest.as_ref().is_none_or(|(best, _)| distance < *best) {
                nearest = Some((distance, known));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    match nearest {
        Some((_, Stored { item, .. })) if item.latest.iter().any(|seen| seen == sighting) => {
            println!("  {}: counted by an earlier delivery", item.face_id);
        }
        Some((distance, Stored { mut item, version })) if distance < face::THRESHOLD => {
            item.sightings += 1;
            item.last_seen = now;
            item.latest.push(sighting.to_owned());
            let old = item.latest.len().saturating_sub(LATEST);
            item.latest.drain(..old);
            faces.put_if_version(&item, &version).await?;
            println!(
                "  {}: known (distance {distance:.3}), seen {} times",
                item.face_id, item.sightings
            );
        }
        other => {
            let known = Known {
                face_id: face_id(sighting),
                descriptor,
                first_seen_in: sighting.to_owned(),
                sightings: 1,
                last_seen: now,
                latest: vec![sighting.to_owned()],
            };
            faces.put_if_absent(&known).await?;
            match other {
                Some((distance, _)) => println!(
                    "  {}: new (nearest known at {distance:.3}), stored",
                    known.face_id
                ),
                None => println!("  {}: the first face, stored", known.face_id),
            }
        }
    }
    Ok(())
}

/// An id that a second delivery of the same picture gives the same face.
fn face_id(sighting: &str) -> String {
    let mut hasher = DefaultHasher::new();
    sighting.hash(&mut hasher);
    format!("face-{:016x}", hasher.finish())
}

/// What `GET /faces` says of a face.
#[derive(Debug, Serialize)]
struct Seen {
    face_id: String,
    first_seen_in: String,
    sightings: u64,
}

/// Lists who was seen.
#[nephos::function]
async fn known(_request: http::Request, cx: Context) -> Result<Json<Vec<Seen>>> {
    let faces = cx.table("faces")?;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = faces.scan::<Known>(100, cursor.as_deref()).await?;
        seen.extend(page.items.into_iter().map(|stored| {
            let Known {
                face_id,
                first_seen_in,
                sightings,
                ..
            } = stored.item;
            Seen {
                face_id,
                first_seen_in,
                sightings,
            }
        }));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(Json(seen));
        }
    }
}

nephos::main!(recognise, known);
