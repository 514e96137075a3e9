//! The answers to what the page asks.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lexmill_embeddings::{AnalogyMethod, Scored};
use lexmill_vocab::WordId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Model, Models};
use crate::map::PLACING;
use crate::report::map_json;

/// More answers are not given at a time.
const MOST: usize = 200;
/// Words that are offered in place of one that is not known.
const SUGGESTIONS: usize = 6;

/// Why there is no answer.
pub(super) struct Refusal(StatusCode, Value);

impl Refusal {
    fn new(status: StatusCode, error: String) -> Refusal {
        Refusal(status, json!({ "error": error, "suggestions": [] }))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

type Answer<T = Json<Value>> = Result<T, Refusal>;

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

/// What stands after the question mark.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Refusal))]
pub(super) struct Parameters<T>(T);

fn pick(models: &'static [Model], index: usize) -> Answer<&'static Model> {
    let missing = || Refusal::new(StatusCode::NOT_FOUND, format!("there is no model {index}"));
    models.get(index).ok_or_else(missing)
}

/// Does work that takes a while, without keeping others waiting.
async fn work<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    })
}

pub(super) async fn models(State(models): Models) -> Json<Value> {
    let all = models.iter().map(|model| {
        json!({
            "name": model.name,
            "path": model.path.to_string_lossy(),
            "words": model.embeddings().len(),
            "dim": model.embeddings().dim(),
            "mapped": model.map_words,
        })
    });
    Json(all.collect())
}

#[derive(Deserialize)]
pub(super) struct CompleteParameters {
    #[serde(default)]
    model: usize,
    prefix: String,
    #[serde(default = "ten")]
    count: usize,
}

fn ten() -> usize {
    10
}

pub(super) async fn complete(
    State(models): Models,
    Parameters(asked): Parameters<CompleteParameters>,
) -> Answer {
    let model = pick(models, asked.model)?;
    work(move || Ok(Json(json!(completions(model, &asked.prefix, asked.count.min(MOST)))))).await
}

/// Words that begin so, the most frequent first; if they are few, also those in another case.
fn completions(model: &'static Model, prefix: &str, count: usize) -> Vec<&'static str> {
    let words = || model.embeddings().vocabulary().words();
    let mut found: Vec<&str> =
        words().filter(|word| word.starts_with(prefix)).take(count).collect();
    if found.len() < count {
        let lower = prefix.to_lowercase();
        let others = words()
            .filter(|word| !word.starts_with(prefix) && word.to_lowercase().starts_with(&lower));
        found.extend(others.take(count - found.len()));
    }
    found
}

#[derive(Deserialize)]
pub(super) struct NeighborsParameters {
    #[serde(default)]
    model: usize,
    word: String,
    #[serde(default = "ten")]
    count: usize,
}

pub(super) async fn neighbors(
    State(models): Models,
    Parameters(asked): Parameters<NeighborsParameters>,
) -> Answer {
    let model = pick(models, asked.model)?;
    work(move || {
        let (id, vector) = look_up(model, &asked.word)?;
        let exclude: Vec<WordId> = id.into_iter().collect();
        let nearest = model.neighbors.nearest(&vector, asked.count.min(MOST), &exclude);
        let mut answer = match id {
            Some(id) => entry(model, id, &vector),
            None => {
                let place = among(model, &vector);
                json!({
                    "word": asked.word,
                    "rank": null,
                    "count": null,
                    "x": place.map(|place| place.0),
                    "y": place.map(|place| place.1),
                    "placed": true,
                })
            }
        };
        answer["known"] = id.is_some().into();
        answer["neighbors"] = scored(model, "cosine", &nearest);
        Ok(Json(answer))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct AnalogyParameters {
    #[serde(default)]
    model: usize,
    a: String,
    b: String,
    c: String,
    #[serde(default)]
    method: String,
    #[serde(default = "ten")]
    count: usize,
}

pub(super) async fn analogy(
    State(models): Models,
    Parameters(asked): Parameters<AnalogyParameters>,
) -> Answer {
    let model = pick(models, asked.model)?;
    let method = match asked.method.as_str() {
        "" => Some(AnalogyMethod::default()),
        name => AnalogyMethod::named(name),
    };
    let Some(method) = method else {
        let error = format!("the method is {:?} and can be 3cosadd or 3cosmul", asked.method);
        return Err(Refusal::new(StatusCode::BAD_REQUEST, error));
    };
    work(move || {
        let mut given = Vec::new();
        let mut vectors = Vec::new();
        for word in [&asked.a, &asked.b, &asked.c] {
            let (id, vector) = look_up(model, word)?;
            given.extend(id);
            vectors.push(vector);
        }
        let three = [&vectors[0][..], &vectors[1][..], &vectors[2][..]];
        let answers = model.neighbors.analogy(three, method, asked.count.min(MOST), &given);
        Ok(Json(json!({ "answers": scored(model, "score", &answers) })))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct MapParameters {
    #[serde(default)]
    model: usize,
}

pub(super) async fn map(
    State(models): Models,
    Parameters(asked): Parameters<MapParameters>,
) -> Answer<Response> {
    let model = pick(models, asked.model)?;
    Ok(match model.map.get() {
        Some(Err(error)) => {
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.clone()));
        }
        Some(Ok(map)) => Json(map_json(model.embeddings(), map)).into_response(),
        None => {
            let done = model.progress.load(std::sync::atomic::Ordering::Relaxed);
            let progress = json!({ "progress": f64::from(done) / 1000.0 });
            (StatusCode::ACCEPTED, Json(progress)).into_response()
        }
    })
}

/// The number of a word and its vector; of an unknown one that of its n-grams, if the model has such.
fn look_up(model: &'static Model, word: &str) -> Answer<(Option<WordId>, Vec<f32>)> {
    let id = model.embeddings().vocabulary().id(word);
    if let Some(id) = id {
        return Ok((Some(id), model.embeddings().vector(id).to_vec()));
    }
    let vector = match &model.any {
        Some(any) => any
            .vector(word)
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?,
        None => None,
    };
    let vector = vector.filter(|vector| vector.iter().any(|&value| value != 0.0));
    vector.map(|vector| (None, vector)).ok_or_else(|| {
        let error = format!("{word:?} is not in the vocabulary");
        let answer = json!({ "error": error, "suggestions": suggestions(model, word) });
        Refusal(StatusCode::NOT_FOUND, answer)
    })
}

/// Words that begin as a word does, whatever their case: those that have most in common with it.
fn suggestions(model: &'static Model, word: &str) -> Vec<&'static str> {
    let wanted: Vec<char> = word.chars().take(64).flat_map(char::to_lowercase).collect();
    let common = |other: &str| {
        let letters = other.chars().flat_map(char::to_lowercase);
        letters.zip(&wanted).take_while(|(a, b)| a == *b).count()
    };
    let mut best: Vec<(usize, &str)> = Vec::new();
    for other in model.embeddings().vocabulary().words() {
        let count = common(other);
        if count > 0 && (best.len() < SUGGESTIONS || best.last().is_some_and(|b| b.0 < count)) {
            // Of equal ones the more frequent comes first.
            let place = best.partition_point(|&(others, _)| others >= count);
            best.insert(place, (count, other));
            best.truncate(SUGGESTIONS);
        }
    }
    best.into_iter().map(|(_, word)| word).collect()
}

/// A word with its rank, count and place.
fn entry(model: &Model, id: WordId, vector: &[f32]) -> Value {
    let vocabulary = model.embeddings().vocabulary();
    let place = model.map().and_then(|map| map.place(id, || mapped(model, vector)));
    let mut entry = json!({
        "word": vocabulary.word(id),
        "rank": id + 1,
        "count": model.counted.then(|| vocabulary.count(id)),
        "x": place.map(|place| place.0),
        "y": place.map(|place| place.1),
    });
    if id as usize >= model.map_words {
        entry["placed"] = true.into();
    }
    entry
}

fn scored(model: &Model, name: &str, words: &[Scored]) -> Value {
    let entry = |&(id, score): &Scored| {
        let mut entry = entry(model, id, model.embeddings().vector(id));
        entry[name] = score.into();
        entry
    };
    words.iter().map(entry).collect()
}

/// The mapped words nearest to a vector.
fn mapped(model: &Model, vector: &[f32]) -> Vec<Scored> {
    model.neighbors.nearest_among(model.map_words, vector, PLACING, &[])
}

fn among(model: &Model, vector: &[f32]) -> Option<(f32, f32)> {
    model.map()?.among(&mapped(model, vector))
}
