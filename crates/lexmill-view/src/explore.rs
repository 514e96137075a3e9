//! A page on this machine to explore embeddings: a word, its neighbours and their place on the map, two
//! models side by side, analogies.
//!
//! It listens at the loopback address only, and answers only who calls it by a name of this machine and,
//! where a browser says on whose behalf it asks, on behalf of this page: no page from elsewhere can make it
//! work. Questions and answers are JSON:
//!
//! | path | answer |
//! | --- | --- |
//! | `/api/models` | name, path, words, dimensions and mapped words of each model |
//! | `/api/complete?model&prefix&count` | words that begin so, the most frequent first |
//! | `/api/neighbors?model&word&count` | the word with its place, and the nearest words with cosines |
//! | `/api/analogy?model&a&b&c&method&count` | a is to b as c is to these, with scores |
//! | `/api/map?model` | the mapped words and their places; status 202 while they are computed |

mod answers;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use lexmill_embeddings::{Embeddings, Neighbors, Vectors};

use crate::{Error, Result, WordMap};

/// A model that is explored.
pub struct Model {
    name: String,
    path: PathBuf,
    /// Of models with n-grams: vectors of any word.
    any: Option<Vectors>,
    neighbors: Neighbors<'static>,
    /// Whether the file says how often words occur.
    counted: bool,
    map_words: usize,
    /// The map once it is done, or why there is none.
    map: OnceLock<Result<WordMap, String>>,
    /// How much of the map is done, in thousandths.
    progress: AtomicU32,
}

impl Model {
    /// Makes vectors ready; `map_words` of the most frequent words will be on the map.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn new(path: &Path, vectors: Vectors, map_words: usize) -> Result<Model> {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let (any, embeddings): (Option<Vectors>, Embeddings) = match vectors {
            Vectors::Known(embeddings) => (None, embeddings),
            any => {
                let embeddings = any.embeddings()?.into_owned();
                (Some(any), embeddings)
            }
        };
        let counted = embeddings.vocabulary().counts().iter().any(|&count| count > 0);
        let map_words = map_words.min(embeddings.len());
        Ok(Model {
            name,
            path: path.to_owned(),
            any,
            neighbors: Neighbors::owning(embeddings),
            counted,
            map_words,
            map: OnceLock::new(),
            progress: AtomicU32::new(0),
        })
    }

    fn embeddings(&self) -> &Embeddings {
        self.neighbors.embeddings()
    }

    /// Computes the map, which the page asks for until it is there.
    fn draw(&self) {
        let told = |done: f32| self.progress.store((done * 1000.0) as u32, Ordering::Relaxed);
        let drawn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            WordMap::new(self.embeddings(), self.map_words, told).map_err(|e| e.to_string())
        }));
        let map = drawn.unwrap_or_else(|_| Err("the map could not be computed".to_owned()));
        if let Err(error) = &map {
            tracing::warn!(model = self.name, error, "there is no map");
        }
        // Nobody else sets it.
        let _set = self.map.set(map);
    }

    /// The map, if it is there.
    fn map(&self) -> Option<&WordMap> {
        self.map.get()?.as_ref().ok()
    }
}

/// Serves the page for one or two models at a port of this machine (0: any that is free) until the
/// process is ended. `ready` is told the address once it can be asked.
///
/// # Errors
/// If the port is taken, or the server fails.
pub fn explore(models: Vec<Model>, port: u16, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let models: &'static [Model] = models.leak();
    // As many questions are answered at a time as there are threads; others wait.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .max_blocking_threads(rayon::current_num_threads())
        .build()
        .map_err(Error::Serve)?;
    let listening = |source| Error::Listen { port, source };
    let address = (Ipv4Addr::LOCALHOST, port);
    let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).map_err(listening)?;
    ready(listener.local_addr().map_err(listening)?);
    std::thread::scope(|scope| {
        // Beside the server, which answers everything else meanwhile.
        scope.spawn(|| models.iter().for_each(Model::draw));
        runtime
            .block_on(async { axum::serve(listener, router(models)).await.map_err(Error::Serve) })
    })
}

type Models = State<&'static [Model]>;

fn router(models: &'static [Model]) -> Router {
    let script = "text/javascript; charset=utf-8";
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../assets/explore.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("../assets/style.css")))
        .route("/map.js", file(script, include_str!("../assets/map.js")))
        .route("/explore.js", file(script, include_str!("../assets/explore.js")))
        .route("/api/models", get(answers::models))
        .route("/api/complete", get(answers::complete))
        .route("/api/neighbors", get(answers::neighbors))
        .route("/api/analogy", get(answers::analogy))
        .route("/api/map", get(answers::map))
        .layer(from_fn(guard))
        .with_state(models)
}

fn file(
    kind: &'static str,
    content: &'static str,
) -> axum::routing::MethodRouter<&'static [Model]> {
    get(move || async move { ([(header::CONTENT_TYPE, kind)], content) })
}

/// Answers only who may ask, and says what the page may load.
async fn guard(request: Request, next: Next) -> Response {
    if let Some(why) = refusal(&request) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request is not answered: it calls by a name that is none of this machine, or a browser asks on
/// behalf of a page from elsewhere, which should not make us work even if it can't read the answer.
fn refusal(request: &Request) -> Option<&'static str> {
    let header_of = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header_of("host");
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    if !matches!(name, Some("localhost" | "127.0.0.1")) {
        return Some("ask by the name localhost\n");
    }
    let page = request.uri().path() == "/";
    let site = header_of("sec-fetch-site");
    let from_here = page || site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let same_origin = header_of("origin")
        .is_none_or(|origin| origin.strip_prefix("http://").is_some_and(|o| Some(o) == host));
    (!from_here || !same_origin).then_some("this page answers nobody else\n")
}
