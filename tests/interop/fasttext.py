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
runs. They are exported first, but where there is a folder NAME.vectors with all formats. With
`--run FILE`, that pipeline is run first and the skipgram and cbow stages below its run directory are
checked too. In any case files that fastText and gensim wrote are read, and small models are trained
here, whose losses are computed again from their `.bin`, by fastText's formulas.

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


TRAINED = """
name = "trained"
seed = 1
[stages.tokens]
kind = "tokenize"
input = ["{corpus}"]
[stages.words]
kind = "vocabulary"
tokens = "tokens"
min_count = 1
"""
MODELS = {
    "skipgram-ns": 'kind = "skipgram"',
    "skipgram-hs": 'kind = "skipgram"\nloss = "hs"',
    "skipgram-ns-subwords": 'kind = "skipgram"\nsubwords = true',
    "skipgram-hs-subwords": 'kind = "skipgram"\nloss = "hs"\nsubwords = true',
    "cbow-ns": 'kind = "cbow"',
    "cbow-hs": 'kind = "cbow"\nloss = "hs"',
    "cbow-ns-subwords": 'kind = "cbow"\nsubwords = true',
}
# In the order of their counts, so that the Huffman tree has long and short paths.
TOPICS = [[f"{topic}word{i}" for i in range(20)] for topic in ("x", "y")]


def lines(count, seed):
    """Lines of words of one topic each, the first words of a topic the most frequent."""
    draw = random.Random(seed)
    weights = [1 / (1 + i) for i in range(len(TOPICS[0]))]
    return [draw.choices(TOPICS[i % 2], weights, k=6) for i in range(count)]


def huffman(counts):
    """For each word (node, label) from the leaf to the root, as `buildTree` in fastText's loss.cc."""
    words = len(counts)
    tree = [[count, -1, False] for count in counts]
    tree += [[10**15, -1, False] for _ in range(words - 1)]
    leaf, node = words - 1, words
    for parent in range(words, 2 * words - 1):
        children = []
        for _ in range(2):
            if leaf >= 0 and tree[leaf][0] < tree[node][0]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        tree[parent][0] = sum(tree[child][0] for child in children)
        tree[children[0]][1] = tree[children[1]][1] = parent
        tree[children[1]][2] = True
    paths = []
    for place in range(words):
        path = []
        while tree[place][1] != -1:
            path.append((tree[place][1] - words, tree[place][2]))
            place = tree[place][1]
        paths.append(path)
    return paths


def windows(sentences, architecture):
    """(words of the input, word to predict), of windows that hold the whole sentence."""
    for words in sentences:
        for i, word in enumerate(words):
            around = words[:i] + words[i + 1 :]
            if architecture == "cbow":
                yield around, word
            else:
                yield from (([word], context) for context in around)


def loss(model, pairs, hierarchical):
    """fastText's mean loss of predictions; of negative sampling only the part of the word itself."""
    words, counts = model.get_words(include_freq=True)
    number = {word: i for i, word in enumerate(words)}
    paths = huffman([int(count) for count in counts])
    outputs = model.get_output_matrix()
    total = 0.0
    for inputs, word in pairs:
        # The rows of all words and n-grams of the input, alike.
        rows = np.concatenate([model.get_subwords(w)[1] for w in inputs])
        hidden = np.mean([model.get_input_vector(row) for row in rows], axis=0)
        path = paths[number[word]] if hierarchical else [(number[word], True)]
        for node, label in path:
            score = float(hidden @ outputs[node])
            total += np.logaddexp(0.0, -score if label else score)
    return total / len(pairs)


def train(binary, directory):
    """Models that Lexmill trains, exported: what they predict, they predict in fastText as well."""
    corpus = directory / "topics.txt"
    corpus.write_text("".join(" ".join(words) + "\n" for words in lines(4000, 1)))
    fields = 'tokens = "tokens"\nvocabulary = "words"\ndimensions = 10\nsample = 0\nbatch_windows = 8'
    fields += "\nshrink_windows = false\nbucket = 2000\nepochs = 5"
    text = TRAINED.format(corpus=corpus)
    for name, model in MODELS.items():
        text += f"[stages.{name}]\n{model}\n{fields}\n"
        text += f'[stages."{name}-out"]\nkind = "export"\nmodel = "{name}"\n'
        text += 'formats = ["fasttext-bin"]\n'
    pipeline = directory / "trained.toml"
    pipeline.write_text(text)
    run = directory / "trained"
    lexmill(binary, "run", pipeline, "--dir", run)
    for name in MODELS:
        write_all(binary, directory, run / name)
        model = fasttext.load_model(str(run / f"{name}-out" / "embeddings.fasttext.bin"))
        hierarchical = "-hs" in name
        pairs = list(windows(lines(300, 2), name.split("-")[0]))
        shuffled = [word for _, word in pairs]
        random.Random(3).shuffle(shuffled)
        seen = loss(model, pairs, hierarchical)
        chance = loss(model, [(i, w) for (i, _), w in zip(pairs, shuffled)], hierarchical)
        told = json.loads((run / name / "manifest.json").read_text())["report"]["loss"]
        print(f"{name}: loss {told:.4f} told, {seen:.4f} in fastText, {chance:.4f} by chance")
        if seen + 0.3 > chance:
            sys.exit(f"{name}: fastText does not predict what was trained")
        if hierarchical and abs(seen - told) > 0.1:
            sys.exit(f"{name}: fastText's loss is not ours")


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
        train(options.binary, directory)
        for folder in folders:
            for manifest in sorted(folder.glob("*/manifest.json")):
                if json.loads(manifest.read_text())["stage"] in ("skipgram", "cbow"):
                    write_all(options.binary, directory, manifest.parent)
    print(f"{checks} comparisons, no mismatch (fasttext and gensim {gensim.__version__})")


if __name__ == "__main__":
    main()
