#!/usr/bin/env python3
"""Checks that Lexmill, fastText and gensim read each other's files to the same vectors.

Needs fasttext and gensim, which are not part of the build:

    python3 -m venv /tmp/venv-ft
    /tmp/venv-ft/bin/pip install fasttext-numpy2 gensim     # or fasttext-wheel, fasttext

Run it with the programs it is to test, from the repository:

    cargo build --release -p lexmill-cli
    cargo run --release -p lexmill-embeddings --example random_model -- /tmp/models
    /tmp/venv-ft/bin/python tests/interop/fasttext.py target/release/lexmill --models /tmp/models

`--models DIR` names finished skipgram and cbow stages, one a folder: random ones as above, or those of
runs. They are exported first, but where there is a folder NAME.vectors with all formats. Without it, only files that fastText and gensim wrote are checked. With `--run FILE`, that pipeline
is run first and the skipgram and cbow stages below its run directory are checked too.

Exits with 1 at the first mismatch, after saying what it is.
"""

import argparse
import json
import logging
import random
import subprocess
import sys
import tempfile
from pathlib import Path

# This file has the name of a module that it needs, so its own folder must not be searched for it.
sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]

import fasttext
import gensim
import numpy as np
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_model, load_facebook_vectors, save_facebook_model

TOLERANCE = 1e-6
KNOWN = ["cat", "cats", "über", "naïve", "日本語", "straße", "😀x", "a"]
UNSEEN = ["catty", "übers", "naïvely", "日本", "b", "<cat>", "zzzzzzzzzzz", "😀"]
checks = 0


def lexmill(binary, *arguments):
    done = subprocess.run([binary, "--quiet", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"lexmill {arguments}: {done.stderr}")
    return done.stdout


def vectors(binary, path, words):
    """What Lexmill says of words: word to (vector, known); both of its outputs must agree."""
    answer = json.loads(lexmill(binary, "vector", path, *words, "--json"))
    assert [entry["word"] for entry in answer] == list(words), answer
    lines = lexmill(binary, "vector", path, *words).splitlines()
    for entry, line in zip(answer, lines):
        word, *values = line.rsplit(" ", len(entry["vector"]))
        same(f"text output of {word}", np.array(values, dtype=np.float32), entry["vector"], 0)
    return {e["word"]: (np.array(e["vector"], dtype=np.float32), e["known"]) for e in answer}


def same(what, ours, theirs, tolerance=TOLERANCE):
    global checks
    checks += 1
    ours, theirs = np.asarray(ours, dtype=np.float32), np.asarray(theirs, dtype=np.float32)
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=0, atol=tolerance):
        sys.exit(f"MISMATCH {what}:\n  {ours}\n  {theirs}")


def write_corpus(path):
    draw = random.Random(1)
    words = KNOWN + [f"w{i}" for i in range(60)]
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(2000):
            out.write(" ".join(draw.choices(words, k=9)) + "\n")


def read_fasttext(binary, directory):
    """Files that fastText wrote: every vector, seen and unseen."""
    corpus = directory / "corpus.txt"
    write_corpus(corpus)
    shapes = [
        ("skipgram", dict(loss="ns", minn=3, maxn=6, bucket=20000)),
        ("cbow", dict(loss="hs", minn=2, maxn=3, bucket=500)),
        ("skipgram", dict(loss="ns", minn=1, maxn=2, bucket=100)),
        ("skipgram", dict(loss="ns", minn=0, maxn=0)),
    ]
    for number, (model, options) in enumerate(shapes):
        # With fewer than 10 threads fastText leaves a part of its input matrix as the memory was.
        trained = fasttext.train_unsupervised(
            str(corpus), model=model, dim=10, epoch=2, minCount=1, thread=12, verbose=0, **options
        )
        path = directory / f"theirs-{number}.bin"
        trained.save_model(str(path))
        words = list(trained.words)
        asked = words if options["maxn"] == 0 else words + UNSEEN
        answer = vectors(binary, path, asked)
        for word in asked:
            vector, known = answer[word]
            same(f"{path.name} {word}", vector, trained.get_word_vector(word))
            assert known == (word in words), word
        near = json.loads(lexmill(binary, "neighbors", path, "cat", "-n", "5", "--json"))[0]
        theirs = trained.get_nearest_neighbors("cat", k=5)
        same("cosines", [n["cosine"] for n in near["neighbors"]], [t[0] for t in theirs], 1e-4)
    print("fastText's .bin files: read")


def read_gensim(binary, directory):
    """Files that gensim wrote."""
    sentences = [line.split() for line in open(directory / "corpus.txt", encoding="utf-8")]
    options = dict(vector_size=9, min_count=1, epochs=1, workers=1)
    model = gensim.models.FastText(sentences, bucket=5000, sg=1, **options)
    path = directory / "gensim.bin"
    save_facebook_model(model, str(path))
    answer = vectors(binary, path, KNOWN + UNSEEN)
    for word in KNOWN + UNSEEN:
        same(f"gensim.bin {word}", answer[word][0], model.wv[word])
    plain = gensim.models.Word2Vec(sentences, **options).wv
    for name, is_binary in [("gensim.w2v", True), ("gensim.txt", False)]:
        plain.save_word2vec_format(str(directory / name), binary=is_binary)
        answer = vectors(binary, directory / name, plain.index_to_key)
        for word in plain.index_to_key:
            same(f"{name} {word}", answer[word][0], plain[word])
    print("gensim's .bin, word2vec binary and text: read")


def write_all(binary, directory, model):
    """A model of ours, exported: fastText and gensim must read what we read."""
    out = model.with_name(model.name + ".vectors")
    if not out.exists():
        out = directory / f"export-{model.name}"
        formats = ["parquet", "word2vec-text", "word2vec-binary", "fasttext-vec", "fasttext-bin"]
        flags = [flag for name in formats for flag in ("--formats", name)]
        lexmill(binary, "export", "--model", model, *flags, "-o", out)
    path = out / "embeddings.fasttext.bin"
    theirs = fasttext.load_model(str(path))
    words = list(theirs.words)
    ngrams = (model / "ngrams.parquet").exists()
    asked = words + UNSEEN if ngrams else words
    ours = vectors(binary, model, asked)
    of_bin = vectors(binary, path, asked)
    for word in asked:
        same(f"{model} and its .bin: {word}", ours[word][0], of_bin[word][0], 0)
        same(f"{path} in fastText: {word}", ours[word][0], theirs.get_word_vector(word))
        assert ours[word][1] == (word in words), word
    inputs, outputs = theirs.get_input_matrix(), theirs.get_output_matrix()
    wv = load_facebook_vectors(str(path))
    full = load_facebook_model(str(path))
    same(f"{path}: output in gensim", (full.syn1 if full.hs else full.syn1neg), outputs, 0)
    same(f"{path}: input in gensim", full.wv.vectors_vocab, inputs[: len(words)], 0)
    # gensim gives "</s>" n-grams, which it does not have in fastText.
    for word in (word for word in words if word != "</s>" or not ngrams):
        same(f"{path} in gensim: {word}", ours[word][0], wv[word])
    # gensim has no vector for a word that has no n-gram.
    for word in (word for word in asked if word not in words and len(word) > 3):
        same(f"{path} in gensim: {word}", ours[word][0], wv[word])
    if ngrams:
        full.train([words, words], total_examples=2, epochs=1)
    for name, is_binary in [
        ("embeddings.word2vec.bin", True),
        ("embeddings.vec", False),
        ("embeddings.word2vec.txt", False),
    ]:
        loaded = KeyedVectors.load_word2vec_format(str(out / name), binary=is_binary)
        assert loaded.index_to_key == words, name
        for word in words:
            same(f"{out / name} in gensim: {word}", ours[word][0], loaded[word], 0)
    print(f"{model.name}: exported, and read by fastText and gensim")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the lexmill program")
    parser.add_argument("--models", type=Path, help="a folder of skipgram and cbow stages")
    parser.add_argument("--run", type=Path, help="a pipeline to run first")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        folders = [options.models] if options.models else []
        if options.run:
            lexmill(options.binary, "run", options.run, "--dir", directory / "run")
            folders.append(directory / "run")
        read_fasttext(options.binary, directory)
        read_gensim(options.binary, directory)
        for folder in folders:
            for manifest in sorted(folder.glob("*/manifest.json")):
                if json.loads(manifest.read_text())["stage"] in ("skipgram", "cbow"):
                    write_all(options.binary, directory, manifest.parent)
    print(f"{checks} comparisons, no mismatch (fasttext and gensim {gensim.__version__})")


if __name__ == "__main__":
    main()
