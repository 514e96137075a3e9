#!/usr/bin/env python3
"""Checks that Lexmill and the programs people keep embeddings with read each other's files.

The other programs are gensim, fastText, pandas, Polars, PyArrow, DuckDB, safetensors, NumPy and
finalfusion, in the versions of `requirements.txt`. `run` beside this file makes an environment of
them and runs this in it; by hand:

    python3 -m venv /tmp/venv-interop
    /tmp/venv-interop/bin/pip install -r tests/interop/requirements.txt
    cargo build --release -p lexmill-cli
    /tmp/venv-interop/bin/python tests/interop/formats.py target/release/lexmill

All data is made here, with a fixed seed. Where the environment variable LEXMILL_DATA names a folder
that has `models/gensim-test_data`, the files there are read as well.

f32 must come back to the same bits, from either side. f16 must be the nearest there is, as NumPy
rounds; int8 may be off by half of its scale. What Lexmill does not read it must refuse, with a
message that says why. Its answers to questions must be gensim's, and its changes to vectors NumPy's.

Prints a line for each group of checks and how many passed. Exits with 1 at the first mismatch, after
saying what it is; with --keep-going it says all that it can find. Names after the program choose
groups: `formats.py LEXMILL pandas duckdb`.
"""

import argparse
import bz2
import contextlib
import csv
import gzip
import json
import logging
import os
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

# The folder of this file has a fasttext.py, which is not the module that is needed here.
HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]

import duckdb
import fasttext
import finalfusion
import gensim
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import safetensors
from finalfusion.metadata import Metadata
from finalfusion.norms import Norms
from finalfusion.storage import NdArray
from finalfusion.subword import ExplicitIndexer, FinalfusionHashIndexer
from finalfusion.vocab import ExplicitVocab, FinalfusionBucketVocab, SimpleVocab
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_model, load_facebook_vectors
from gensim.scripts.word2vec2tensor import word2vec2tensor
from pyarrow import feather, ipc
from pyarrow import parquet as pq
from safetensors.numpy import load_file, save_file

DIM = 9
# More than what Lexmill reads at a time, which is 4096.
ROWS = 4500
F32 = np.float32
MIN_NORMAL = float(np.finfo(F32).tiny)


class Mismatch(Exception):
    """What is not as it should be."""

    told = False


class Checks:
    """Counts what was found as it should be, group by group."""

    def __init__(self, keep_going):
        self.passed = 0
        self.failed = 0
        self.before = (0, 0)
        self.keep_going = keep_going

    @contextlib.contextmanager
    def case(self):
        """Checks after whose failure others can go on."""
        try:
            yield
        except Mismatch as mismatch:
            self.fail(mismatch)
            if not self.keep_going:
                raise

    def fail(self, mismatch):
        if not mismatch.told:
            print(f"MISMATCH: {mismatch}", flush=True)
            mismatch.told = True
            self.failed += 1

    def that(self, what, holds, detail=""):
        if not holds:
            raise Mismatch(f"{what}{': ' if detail else ''}{detail}")
        self.passed += 1

    def same(self, what, ours, theirs):
        self.that(what, ours == theirs, f"{shortened(ours)} instead of {shortened(theirs)}")

    def words(self, what, ours, theirs):
        ours, theirs = list(ours), list(theirs)
        if ours != theirs:
            row = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), None)
            where = f"{len(ours)} words instead of {len(theirs)}"
            if row is not None:
                where = f"word {row} is {shortened(ours[row])} instead of {shortened(theirs[row])}"
            raise Mismatch(f"{what}: {where}")
        self.passed += 1

    def bits(self, what, ours, theirs):
        """The very same floats: -0.0 is not 0.0 here."""
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        self.same(f"{what}, type", ours.dtype, theirs.dtype)
        self.same(f"{what}, shape", ours.shape, theirs.shape)
        unsigned = f"u{ours.dtype.itemsize}"
        differ = ours.view(unsigned) != theirs.view(unsigned)
        self.that(
            what, not differ.any(), f"{differ.sum()} values differ, {first(differ, ours, theirs)}"
        )

    def near(self, what, ours, theirs, tolerance):
        ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
        self.same(f"{what}, shape", ours.shape, theirs.shape)
        differ = ~(np.abs(ours - theirs) <= tolerance)
        self.that(
            what, not differ.any(), f"{differ.sum()} values differ, {first(differ, ours, theirs)}"
        )

    def group(self, name):
        passed, failed = self.passed - self.before[0], self.failed - self.before[1]
        print(f"{name}: {passed} checks" + (f", {failed} failed" if failed else ""), flush=True)
        self.before = (self.passed, self.failed)


def shortened(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:200]}...{text[-50:]}"


def first(differ, ours, theirs):
    places = np.argwhere(differ)
    if len(places) == 0:
        return ""
    place = tuple(int(index) for index in places[0])
    return f"first at {place}: {ours[place]!r} instead of {theirs[place]!r}"


class Lexmill:
    """The program that is tested."""

    def __init__(self, binary, directory, checks):
        self.binary = str(Path(binary).resolve())
        self.directory = directory
        self.checks = checks

    def call(self, *arguments, stdin=None):
        command = [self.binary, "--quiet", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", input=stdin
        )

    def run(self, *arguments, stdin=None):
        done = self.call(*arguments, stdin=stdin)
        if done.returncode != 0:
            what = " ".join(map(str, arguments))
            raise Mismatch(f"lexmill {what}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def convert(self, source, target, *options):
        self.run("convert", source, target, *options)
        return target

    def ask(self, command, path, *arguments, stdin=None):
        return json.loads(self.run(command, path, *arguments, "--json", stdin=stdin))

    def refuses(self, what, path, *parts, options=()):
        """A file that is not read: the message must have these parts, nothing be written."""
        target = self.directory / "refused.parquet"
        self.will_not_write(what, path, target, *parts, options=options)
        target.unlink(missing_ok=True)

    def will_not_write(self, what, source, target, *parts, options=()):
        """A file that is not written: as above."""
        with self.checks.case():
            done = self.call("convert", source, target, *options)
            message = done.stderr.strip()
            ok = done.returncode == 1 and message.startswith("error: ") and "\n" not in message
            self.checks.that(f"{what} is refused", ok, f"exit {done.returncode}: {message!r}")
            for part in parts:
                self.checks.that(f"the message of {what} says {part!r}", part in message, message)
            self.checks.that(f"nothing is written of {what}", not target.exists())

    def table(self, path, *options):
        """All that Lexmill reads in a file, by way of a table that PyArrow reads."""
        target = self.directory / "read-back.parquet"
        target.unlink(missing_ok=True)
        self.convert(path, target, *options)
        return of_arrow(pq.read_table(target))

    def reads(self, what, path, data, *options, counts=False):
        """Lexmill reads just these words and values in a file."""
        with self.checks.case():
            try:
                words, vectors, found = self.table(path, *options)
            except Mismatch as mismatch:
                raise Mismatch(f"{what}: {mismatch}") from None
            self.checks.words(f"Lexmill's words of {what}", words, data.words)
            self.checks.bits(f"Lexmill's values of {what}", vectors, data.vectors)
            if counts:
                self.checks.same(f"Lexmill's counts of {what}", found, data.counts)

    def reads_or_says(self, what, path, data, part):
        """Lexmill reads a file, or says what is in it that is not read. Damaged it is not."""
        done = self.call("convert", path, self.directory / "read-or-said.parquet")
        if done.returncode == 0:
            self.reads(what, path, data)
            return
        with self.checks.case():
            message = done.stderr.strip()
            ok = done.returncode == 1 and part in message and "damaged" not in message
            self.checks.that(f"{what} is read, or the message says {part!r}", ok, message)


class Data:
    """Words and their vectors."""

    def __init__(self, words, vectors, counts=None):
        self.words = list(words)
        self.vectors = np.ascontiguousarray(vectors, dtype=F32)
        self.counts = counts
        assert self.vectors.shape[0] == len(self.words) == len(set(self.words))

    def index(self, word):
        return self.words.index(word)


# Words that some program could trip over. None has white space in it.
STRANGE = " ".join(
    [
        r"""the </s> <unk> word vector count __label__x " ' "quoted" it's ` \ \n C:\x # #NAME? =1+1 , a,b ;""",
        r"1 -3.5 1e5 0x1F 1_000 nan NaN inf None null NA N/A True false { } [] $ %s {0} -- - _ * |",
        "😀 👩🏽\u200d🚀 🇩🇪 שלום مرحبا \u202eabc\u202c e\u0301 é Straße 日本語 नमस्ते 𝕏𝕐 ﬁ İ ǅ",
        "\u200b zero\u200dwidth not\ufefffirst \x01 \x7f",
        "x" * 1000,
        "é" * 500,
    ]
).split(" ")
# Words with white space: where words need not end at a space.
SPACED = [
    "New York",
    ". . .",
    "at name@domain.com",
    "a  b   c",
    "no\u00a0break",
    "full\u3000width",
    "1 2",
]
# Spaces at the ends, and what separates columns.
PADDED = [
    " before",
    "after ",
    "tab\tin",
    "\t",
    " ",
    "form\ffeed",
    "\u0085",
    "line\u2028separator",
    "x\x1cy",
]
# What ends a line, and nothing at all.
ANYTHING = ["two\nlines", "\n", "return\rhere", "\r\n", "", "\ufefffirst"]


def strange_vectors(rows, dim, seed):
    """Any finite floats: bits at random, the ends of what there is, and some as in models."""
    draw = np.random.default_rng(seed)
    bits = draw.integers(0, 1 << 32, size=(rows, dim), dtype=np.uint32)
    # An exponent of ones is an infinity or a NaN.
    bits = np.where((bits >> 23) & 0xFF == 0xFF, bits & np.uint32(0xBFFFFFFF), bits).astype(
        np.uint32
    )
    vectors = bits.view(F32).copy()
    ordinary = draw.standard_normal((rows, dim)).astype(F32)
    vectors[rows // 3 :] = ordinary[rows // 3 :]
    largest = np.finfo(F32).max
    ends = np.array(
        [
            0.0,
            -0.0,
            1e-45,
            -1e-45,
            1.1754942e-38,
            MIN_NORMAL,
            -MIN_NORMAL,
            largest,
            -largest,
            1.0,
            -1.0,
            0.1,
            1 / 3,
            16777216.0,
            16777215.0,
            1e10,
            1e-10,
            123456.79,
            9.999999e-5,
            3.4e38,
            5e-324,
        ],
        dtype=F32,
    )
    places = draw.integers(0, rows * dim, size=rows)
    vectors.reshape(-1)[places] = draw.choice(ends, size=rows)
    vectors[1] = 0.0
    vectors[2] = -0.0
    vectors[3] = np.resize(ends, dim)
    vectors[4] = np.resize(ends[7:], dim)
    return vectors


def made(special, rows=ROWS, dim=DIM, seed=1, counted=False):
    words = list(special)
    words += [f"w{i}" for i in range(rows - len(words))]
    counts = [10 * (rows - i) + 1 for i in range(rows)] if counted else None
    return Data(words, strange_vectors(rows, dim, seed), counts)


def of_arrow(table):
    """Words, vectors and counts of an Arrow table as Lexmill writes one in f32."""
    words = table["word"].to_pylist()
    vectors = table["vector"].combine_chunks()
    if not pa.types.is_fixed_size_list(vectors.type) or vectors.type.value_type != pa.float32():
        raise Mismatch(f"the column of vectors is of type {vectors.type}")
    values = vectors.flatten().to_numpy().reshape(-1, vectors.type.list_size)
    counts = table["count"].to_pylist() if "count" in table.column_names else None
    return words, values, counts


def to_arrow(
    data, of=pa.float32(), kind="fixed", text=pa.string(), names=("word", "vector"), counts=None
):
    """An Arrow table of embeddings, as others make them."""
    values = pa.array(data.vectors.reshape(-1).astype(of.to_pandas_dtype()), type=of)
    rows, dim = data.vectors.shape
    if kind == "fixed":
        vectors = pa.FixedSizeListArray.from_arrays(values, dim)
    else:
        makes, offset = {
            "list": (pa.ListArray, pa.int32()),
            "large": (pa.LargeListArray, pa.int64()),
        }[kind]
        ends = pa.array(np.arange(0, (rows + 1) * dim, dim), type=offset)
        vectors = makes.from_arrays(ends, values)
    columns = {names[0]: pa.array(data.words, type=text), names[1]: vectors}
    if counts is not None:
        columns["count"] = pa.array(data.counts, type=counts)
    return pa.table(columns)


def arrow_file(path, batches, schema, **options):
    with pa.OSFile(str(path), "wb") as sink:
        with ipc.new_file(sink, schema, options=ipc.IpcWriteOptions(**options)) as writer:
            for batch in batches:
                writer.write_batch(batch)
    return path


def by_hand(path, data, header=True, space=" ", end="\n"):
    """A text file of vectors, with as many digits as there are."""
    lines = [f"{len(data.words)}{space}{data.vectors.shape[1]}{end}"] if header else []
    for word, vector in zip(data.words, data.vectors):
        lines.append(word + space + space.join(repr(float(value)) for value in vector) + end)
    Path(path).write_bytes("".join(lines).encode())
    return path


def check_gensim_reads(lexmill, checks, base, directory):
    """Text and word2vec's binary format, packed or not."""
    data, source = base["plain"]
    for name, binary, header in [
        ("a.txt", False, True),
        ("a.txt.gz", False, True),
        ("a.w2v", False, True),
        ("a.vec", False, True),
        ("a.vec.gz", False, True),
        ("a.glove.txt", False, False),
        ("a.glove.txt.gz", False, False),
        ("a.bin", True, True),
        ("a.bin.gz", True, True),
    ]:
        path = lexmill.convert(source, directory / name)
        options = dict(binary=binary, no_header=not header)
        theirs = KeyedVectors.load_word2vec_format(str(path), **options)
        checks.words(f"gensim's words of {name}", theirs.index_to_key, data.words)
        checks.bits(f"gensim's values of {name}", theirs.vectors, data.vectors)
        lexmill.reads(name, path, data)
    for name in ["a.txt.zst", "a.vec.zst", "a.glove.txt.zst", "a.bin.zst"]:
        path = lexmill.convert(source, directory / name)
        plain = directory / name.removesuffix(".zst")
        with pa.input_stream(str(path), compression="zstd") as unpacked:
            checks.that(
                f"{name} holds the same as without .zst", unpacked.read() == plain.read_bytes()
            )
        lexmill.reads(name, path, data)
    for name in ["a.txt", "a.glove.txt", "a.bin"]:
        lexmill.will_not_write(
            f"a word with a space in {name}",
            base["spaced"][1],
            directory / f"spaced-{name}",
            "New York",
            "white space",
        )
    checks.group("gensim reads word2vec text and binary, GloVe text, plain and packed")


def check_gensim_writes(lexmill, checks, base, directory):
    """What gensim writes, Lexmill reads."""
    data, _ = base["plain"]
    theirs = KeyedVectors(DIM)
    theirs.add_vectors(data.words, data.vectors)
    for name, options in [
        ("theirs.txt", dict(binary=False)),
        ("theirs.txt.gz", dict(binary=False)),
        ("theirs.bin", dict(binary=True)),
        ("theirs.bin.gz", dict(binary=True)),
        ("theirs.glove.txt", dict(binary=False, write_header=False)),
    ]:
        path = directory / name
        theirs.save_word2vec_format(str(path), **options)
        lexmill.reads(f"gensim's {name}", path, data)
    # gensim puts the frequent words first.
    counts = np.random.default_rng(2).permutation(len(data.words)) + 1
    theirs.expandos["count"] = counts
    theirs.save_word2vec_format(str(directory / "counted.bin"), binary=True)
    order = np.argsort(-counts, kind="stable")
    sorted_data = Data([data.words[i] for i in order], data.vectors[order])
    lexmill.reads("gensim's counted.bin", directory / "counted.bin", sorted_data)
    # Words with spaces, which gensim writes and does not read.
    spaced = Data(["the", *SPACED[:-1]], data.vectors[: len(SPACED)])
    theirs = KeyedVectors(DIM)
    theirs.add_vectors(spaced.words, spaced.vectors)
    for name, header in [("spaced.txt", True), ("spaced.glove.txt", False)]:
        theirs.save_word2vec_format(str(directory / name), write_header=header)
        lexmill.reads(f"gensim's {name}", directory / name, spaced)
    for name, options in [
        ("tabs.txt", dict(space="\t")),
        ("windows.txt", dict(end="\r\n")),
        ("long.txt", dict()),
        ("trailing.txt", dict(end=" \n")),
    ]:
        lexmill.reads(f"text by hand, {name}", by_hand(directory / name, data, **options), data)
    packed = directory / "packed.txt.zst"
    with pa.output_stream(str(packed), compression="zstd") as out:
        out.write((directory / "long.txt").read_bytes())
    lexmill.reads("text that PyArrow packed with zstd", packed, data)
    # gzip files may have several parts.
    text = (directory / "long.txt").read_bytes()
    (directory / "parts.txt.gz").write_bytes(
        gzip.compress(text[:1000]) + gzip.compress(text[1000:])
    )
    lexmill.reads("text in two parts of gzip", directory / "parts.txt.gz", data)
    theirs = KeyedVectors(DIM)
    theirs.add_vectors(["a", "b"], np.array([[1] * DIM, [np.nan] * DIM], dtype=F32))
    for binary, name in [(False, "nan.txt"), (True, "nan.bin")]:
        theirs.save_word2vec_format(str(directory / name), binary=binary)
        lexmill.refuses(f"a NaN in {name}", directory / name, name)
    checks.group("Lexmill reads what gensim writes, and text by hand")


def check_facebook(lexmill, checks, base, directory):
    """Vectors alone as a fastText model: gensim and fastText read it."""
    data, source = base["nul-free"]
    path = lexmill.convert(source, directory / "a.fasttext.bin")
    vectors = load_facebook_vectors(str(path))
    checks.words("gensim's words of a.fasttext.bin", vectors.index_to_key, data.words)
    checks.bits("gensim's values of a.fasttext.bin", vectors.vectors, data.vectors)
    checks.bits("gensim's rows of a.fasttext.bin", vectors.vectors_vocab, data.vectors)
    checks.same("gensim's n-grams of a.fasttext.bin", len(vectors.vectors_ngrams), 0)
    model = load_facebook_model(str(path))
    checks.words("gensim's model of a.fasttext.bin", model.wv.index_to_key, data.words)
    checks.bits("gensim's model of a.fasttext.bin", model.wv.vectors, data.vectors)
    checks.bits(
        "gensim's output rows of a.fasttext.bin", model.syn1neg, np.zeros_like(data.vectors)
    )
    counts = [model.wv.get_vecattr(word, "count") for word in data.words]
    checks.same("gensim's counts of a.fasttext.bin", counts, data.counts)

    theirs = fasttext.load_model(str(path))
    words, counts = theirs.get_words(include_freq=True)
    checks.words("fastText's words of a.fasttext.bin", words, data.words)
    checks.same(
        "fastText's counts of a.fasttext.bin", [int(count) for count in counts], data.counts
    )
    checks.same("fastText's dimension of a.fasttext.bin", theirs.get_dimension(), DIM)
    # fastText adds a row to zeros and multiplies with 1, which makes 0.0 of -0.0.
    rows = np.array([theirs.get_word_vector(word) for word in data.words])
    checks.bits("fastText's vectors of a.fasttext.bin", rows, data.vectors + F32(0.0))
    checks.bits("fastText's rows of a.fasttext.bin", theirs.get_input_matrix(), data.vectors)
    lexmill.reads("a.fasttext.bin", path, data, counts=True)
    again = directory / "again.bin"
    theirs.save_model(str(again))
    lexmill.reads("a.fasttext.bin, saved by fastText", again, data, counts=True)
    # Words need not come in the order of their counts.
    mixed = Data(data.words, data.vectors, [1 + 7919 * row % ROWS for row in range(ROWS)])
    pq.write_table(to_arrow(mixed, counts=pa.int32()), directory / "mixed.parquet")
    path = lexmill.convert(directory / "mixed.parquet", directory / "mixed.fasttext.bin")
    vectors = load_facebook_vectors(str(path))
    checks.words("gensim's words of mixed.fasttext.bin", vectors.index_to_key, data.words)
    checks.bits("gensim's values of mixed.fasttext.bin", vectors.vectors, data.vectors)
    lexmill.reads("mixed.fasttext.bin", path, mixed, counts=True)
    short = lexmill.convert(source, directory / "short.ft.bin", "--top", "5")
    checks.words(
        "fastText's words of short.ft.bin", fasttext.load_model(str(short)).words, data.words[:5]
    )
    checks.group("gensim and fastText read .fasttext.bin")


def corpus(path, lines=600):
    draw = np.random.default_rng(3)
    words = ["über", "naïve", "日本語", "😀x", '"q"', "a", *(f"word{i}" for i in range(40))]
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(lines):
            out.write(" ".join(draw.choice(words, size=8)) + "\n")


def check_fasttext(lexmill, checks, base, directory):
    """Models that fastText trained, and text that it reads."""
    text = directory / "corpus.txt"
    corpus(text)
    for name, model, options in [
        ("ngrams", "skipgram", dict(minn=2, maxn=4, bucket=5000)),
        ("words", "cbow", dict(minn=0, maxn=0)),
        ("softmax", "skipgram", dict(minn=3, maxn=3, bucket=100, loss="hs")),
    ]:
        # With fewer than 10 threads fastText leaves a part of its matrix as the memory was.
        theirs = fasttext.train_unsupervised(
            str(text), model=model, dim=7, epoch=1, minCount=1, thread=12, verbose=0, **options
        )
        path = directory / f"{name}.bin"
        theirs.save_model(str(path))
        words, counts = theirs.get_words(include_freq=True)
        vectors = np.array([theirs.get_word_vector(word) for word in words], dtype=F32)
        ours, values, found = lexmill.table(path)
        checks.words(f"Lexmill's words of fastText's {name}.bin", ours, words)
        checks.same(f"Lexmill's counts of fastText's {name}.bin", found, [int(c) for c in counts])
        checks.near(f"Lexmill's vectors of fastText's {name}.bin", values, vectors, 1e-7)
        if options["maxn"] == 0:
            checks.bits(
                f"Lexmill's bits of fastText's {name}.bin", values, theirs.get_input_matrix()
            )
        unseen = ["wordy", "überall", "日本", "zzzzz", "<word>"] if options["maxn"] else []
        answers = lexmill.ask("vector", path, *words, *unseen)
        for answer in answers:
            vector = theirs.get_word_vector(answer["word"])
            checks.near(
                f"Lexmill's {answer['word']} of fastText's {name}.bin",
                answer["vector"],
                vector,
                1e-7,
            )
            checks.same(
                f"whether {answer['word']} is known", answer["known"], answer["word"] not in unseen
            )
        # As fastText's program writes them: five digits, and a space at the end of each line.
        rounded = [
            " ".join([word, *(f"{v:.5g}" for v in row)]) for word, row in zip(words, vectors)
        ]
        lines = [f"{len(words)} 7", *(f"{row} " for row in rounded)]
        vec = directory / f"{name}.vec"
        vec.write_text("\n".join(lines) + "\n", encoding="utf-8")
        expected = np.array([row.split(" ")[1:] for row in rounded]).astype(F32)
        lexmill.reads(f"{name}.vec as fastText writes it", vec, Data(words, expected))

    labelled = directory / "labelled.txt"
    lines = text.read_text(encoding="utf-8").splitlines()
    labelled.write_text(
        "".join(f"__label__{i % 3} {line}\n" for i, line in enumerate(lines)), encoding="utf-8"
    )
    classifier = fasttext.train_supervised(str(labelled), dim=7, epoch=1, thread=12, verbose=0)
    path = directory / "classifier.bin"
    classifier.save_model(str(path))
    expected = np.array(
        [classifier.get_input_vector(i) for i in range(len(classifier.words))], dtype=F32
    )
    lexmill.reads("fastText's classifier", path, Data(classifier.words, expected))
    # There must be 256 rows for that.
    options = dict(dim=7, epoch=1, minn=2, maxn=3, bucket=1000, thread=12, verbose=0)
    classifier = fasttext.train_supervised(str(labelled), **options)
    classifier.quantize(input=str(labelled), retrain=False)
    path = directory / "classifier.ftz"
    classifier.save_model(str(path))
    lexmill.refuses("a quantized model", path, "classifier.ftz", "quantized model of fastText's")

    data, source = base["plain"]
    for name in ["pretrained.vec", "pretrained.txt"]:
        path = lexmill.convert(source, directory / name)
        one = directory / "one.txt"
        one.write_text("filler other\n" * 20)
        options = dict(dim=DIM, lr=0.0, epoch=1, minCount=1, minn=0, maxn=0, thread=12, verbose=0)
        theirs = fasttext.train_unsupervised(str(one), pretrainedVectors=str(path), **options)
        # fastText takes a word that begins so for a label, which has no row.
        kept = [row for row, word in enumerate(data.words) if not word.startswith("__label__")]
        found = np.array([theirs.get_word_vector(data.words[row]) for row in kept])
        checks.bits(f"fastText's vectors of {name}", found, data.vectors[kept] + F32(0.0))
    checks.group("fastText: its .bin and .vec are read, and it reads ours")


def check_gensim_files(lexmill, checks, base, directory):
    """Files that gensim tests itself with."""
    root = os.environ.get("LEXMILL_DATA")
    folder = Path(root or ".") / "models" / "gensim-test_data"
    if not root or not folder.is_dir():
        why = f"{folder} is not there" if root else "LEXMILL_DATA is not set"
        print(f"gensim's own test files: skipped, {why}", flush=True)
        return
    for name, binary, header in [
        ("euclidean_vectors.bin", True, True),
        ("high_precision.kv.bin", True, True),
        ("high_precision.kv.txt", False, True),
        ("EN.1-10.cbow1_wind5_hs0_neg10_size300_smpl1e-05.txt", False, True),
        ("test_glove.txt", False, False),
        ("toy-model.vec", False, True),
        ("crime-and-punishment.vec", False, True),
    ]:
        theirs = KeyedVectors.load_word2vec_format(
            str(folder / name), binary=binary, no_header=not header
        )
        lexmill.reads(name, folder / name, Data(theirs.index_to_key, theirs.vectors))
    for path in sorted(folder.glob("*.bin")):
        name, start = path.name, path.read_bytes()[:4]
        if name in ("euclidean_vectors.bin", "high_precision.kv.bin"):
            continue
        if struct.unpack("<i", start)[0] != 793712314:
            # A model of before fastText had a magic number.
            lexmill.refuses(name, path, name)
            continue
        theirs = fasttext.load_model(str(path))
        words, vectors, _ = lexmill.table(path)
        # Words that are not UTF-8 are left out.
        known = theirs.get_words(on_unicode_error="replace")
        checks.words(f"words of {name}", words, [word for word in known if "\ufffd" not in word])
        expected = np.array([theirs.get_word_vector(word) for word in words])
        checks.near(f"{name} in Lexmill and fastText", vectors, expected, 1e-6)
        if theirs.get_labels(on_unicode_error="replace") != known:
            # gensim does not read classifiers.
            continue
        gensims = load_facebook_vectors(str(path))
        # gensim gives "</s>" n-grams, which it does not have in fastText.
        kept = [row for row, word in enumerate(words) if word != "</s>"]
        expected = np.array([gensims[words[row]] for row in kept])
        checks.near(f"{name} in Lexmill and gensim", vectors[kept], expected, 1e-6)
    checks.group("gensim's own test files")


def frame_vectors(column, what):
    """The rows of a column of arrays or lists, one above the other."""
    rows = [np.asarray(row) for row in column]
    kinds = {row.dtype for row in rows}
    if len(kinds) != 1:
        raise Mismatch(f"{what} has rows of types {kinds}")
    return np.stack(rows)


def check_pandas(lexmill, checks, base, directory):
    data, source = base["counted"]
    for name, read in [("pandas.parquet", pd.read_parquet), ("pandas.arrow", pd.read_feather)]:
        path = lexmill.convert(source, directory / name)
        frame = read(path)
        checks.same(f"pandas's columns of {name}", list(frame.columns), ["word", "vector", "count"])
        checks.words(f"pandas's words of {name}", frame["word"], data.words)
        checks.bits(
            f"pandas's values of {name}", frame_vectors(frame["vector"], name), data.vectors
        )
        checks.same(f"pandas's counts of {name}", frame["count"].tolist(), data.counts)
    whole = {"word": data.words, "vector": list(data.vectors), "count": data.counts}
    frames = {
        "arrays of f32": whole,
        "arrays of f64": {**whole, "vector": list(data.vectors.astype(np.float64))},
        "lists of numbers": {**whole, "vector": data.vectors.tolist()},
    }
    for what, columns in frames.items():
        frame = pd.DataFrame(columns)
        frame.to_parquet(directory / "theirs.parquet")
        lexmill.reads(
            f"pandas's to_parquet of {what}", directory / "theirs.parquet", data, counts=True
        )
        frame.to_feather(directory / "theirs.feather")
        lexmill.reads(
            f"pandas's to_feather of {what}", directory / "theirs.feather", data, counts=True
        )
    frame = pd.DataFrame(whole)
    frame.set_index("word").to_parquet(directory / "index.parquet")
    lexmill.reads("a table whose index is the word", directory / "index.parquet", data, counts=True)
    odd = frame.iloc[::2]
    odd.to_parquet(directory / "odd.parquet")
    every_second = Data(data.words[::2], data.vectors[::2])
    lexmill.reads("every second row of a table", directory / "odd.parquet", every_second)
    frame = pd.DataFrame({"token": data.words, "embedding": list(data.vectors), "other": 1.5})
    frame.to_parquet(directory / "token.parquet")
    lexmill.reads("columns called token and embedding", directory / "token.parquet", data)
    checks.group("pandas: Parquet and Feather")


def check_polars(lexmill, checks, base, directory):
    data, source = base["counted"]
    for name, read in [("polars.parquet", pl.read_parquet), ("polars.arrow", pl.read_ipc)]:
        path = lexmill.convert(source, directory / name)
        frame = read(path)
        checks.same(f"Polars's columns of {name}", frame.columns, ["word", "vector", "count"])
        checks.same(f"Polars's type of {name}", frame["vector"].dtype, pl.Array(pl.Float32, DIM))
        checks.words(f"Polars's words of {name}", frame["word"], data.words)
        checks.bits(f"Polars's values of {name}", frame["vector"].to_numpy(), data.vectors)
        checks.same(f"Polars's counts of {name}", frame["count"].to_list(), data.counts)
    for kind in [
        pl.List(pl.Float32),
        pl.List(pl.Float64),
        pl.Array(pl.Float32, DIM),
        pl.Array(pl.Float64, DIM),
    ]:
        values = data.vectors.astype(np.float64 if kind.inner == pl.Float64 else F32)
        vectors = pl.Series(values, dtype=pl.Array(kind.inner, DIM)).cast(kind)
        frame = pl.DataFrame({"word": data.words, "vector": vectors, "count": data.counts})
        checks.same("the type that Polars is to write", frame["vector"].dtype, kind)
        path = directory / "theirs.parquet"
        frame.write_parquet(path)
        lexmill.reads(f"Polars's write_parquet of {kind}", path, data, counts=True)
        for packing in ["uncompressed", "snappy", "lz4", "zstd"]:
            frame.write_parquet(path, compression=packing, row_group_size=1000)
            lexmill.reads(f"Polars's write_parquet of {kind}, {packing}", path, data, counts=True)
        path = directory / "theirs.arrow"
        frame.write_ipc(path)
        lexmill.reads(f"Polars's write_ipc of {kind}", path, data, counts=True)
        for packing in ["uncompressed", "lz4", "zstd"]:
            for level in [pl.CompatLevel.oldest(), pl.CompatLevel.newest()]:
                frame.write_ipc(path, compression=packing, compat_level=level)
                lexmill.reads(f"Polars's write_ipc of {kind}, {packing}", path, data, counts=True)
        frame.lazy().sink_ipc(path)
        lexmill.reads(f"Polars's sink_ipc of {kind}", path, data, counts=True)
    checks.group("Polars: Parquet and Arrow IPC")


def check_pyarrow(lexmill, checks, base, directory):
    data, source = base["counted"]
    path = lexmill.convert(source, directory / "ours.parquet")
    words, vectors, counts = of_arrow(pq.read_table(path))
    checks.words("PyArrow's words of ours.parquet", words, data.words)
    checks.bits("PyArrow's values of ours.parquet", vectors, data.vectors)
    checks.same("PyArrow's counts of ours.parquet", counts, data.counts)
    path = lexmill.convert(source, directory / "ours.arrow")
    for what, table in [
        ("feather", feather.read_table(path)),
        ("ipc", ipc.open_file(path).read_all()),
        ("a mapped file", ipc.open_file(pa.memory_map(str(path))).read_all()),
    ]:
        table.validate(full=True)
        words, vectors, counts = of_arrow(table)
        checks.words(f"PyArrow's words of ours.arrow by {what}", words, data.words)
        checks.bits(f"PyArrow's values of ours.arrow by {what}", vectors, data.vectors)
        checks.same(f"PyArrow's counts of ours.arrow by {what}", counts, data.counts)

    path, other = directory / "theirs.parquet", directory / "theirs.arrow"
    halves = Data(data.words, halved(data.vectors))
    for kind in ["fixed", "list", "large"]:
        for of, expected in [(pa.float32(), data), (pa.float64(), data), (pa.float16(), halves)]:
            what = f"PyArrow's {kind} of {of}"
            table = to_arrow(expected, of=of, kind=kind)
            pq.write_table(table, path)
            lexmill.reads(f"{what}, Parquet", path, expected)
            pq.write_table(table, path, row_group_size=700)
            lexmill.reads(f"{what}, Parquet of several row groups", path, expected)
            feather.write_feather(table, str(other))
            lexmill.reads(f"{what}, Feather", other, expected)
            arrow_file(other, table.to_batches(max_chunksize=700), table.schema)
            lexmill.reads(f"{what}, Arrow file of several batches", other, expected)
            part = table.slice(1000, 2345)
            slice_data = Data(expected.words[1000:3345], expected.vectors[1000:3345])
            pq.write_table(part, path)
            lexmill.reads(f"{what}, a slice as Parquet", path, slice_data)
            arrow_file(other, part.to_batches(), part.schema)
            lexmill.reads(f"{what}, a slice as an Arrow file", other, slice_data)
    table = to_arrow(data, kind="list", counts=pa.int64())
    for packing in ["none", "snappy", "lz4", "zstd"]:
        pq.write_table(table, path, compression=packing)
        lexmill.reads(f"PyArrow's Parquet, {packing}", path, data, counts=True)
    for what, options in [
        ("version 1.0", dict(version="1.0")),
        ("version 2.4", dict(version="2.4")),
        ("data pages of version 2", dict(data_page_version="2.0")),
        ("no dictionaries", dict(use_dictionary=False)),
        (
            "split bytes",
            dict(
                use_dictionary=False, column_encoding={"vector.list.element": "BYTE_STREAM_SPLIT"}
            ),
        ),
        ("small pages", dict(data_page_size=512, write_page_index=True, write_page_checksum=True)),
        ("no Arrow schema", dict(store_schema=False)),
        ("old names of lists", dict(use_compliant_nested_type=False)),
    ]:
        pq.write_table(table, path, **options)
        lexmill.reads(f"PyArrow's Parquet, {what}", path, data, counts=True)
    for packing in [None, "lz4", "zstd"]:
        batches = table.to_batches(max_chunksize=1111)
        arrow_file(other, batches, table.schema, compression=packing)
        lexmill.reads(f"PyArrow's Arrow file, {packing}", other, data, counts=True)
        feather.write_feather(
            table, str(other), compression=packing or "uncompressed", chunksize=999
        )
        lexmill.reads(f"PyArrow's Feather, {packing}", other, data, counts=True)
    for text in [pa.string(), pa.large_string(), pa.string_view()]:
        for counts in [pa.int64(), pa.int32(), pa.uint64(), pa.uint32()]:
            table = to_arrow(data, text=text, counts=counts)
            pq.write_table(table, path)
            lexmill.reads(f"PyArrow's Parquet of {text}, {counts}", path, data, counts=True)
            arrow_file(other, table.to_batches(), table.schema)
            lexmill.reads(f"PyArrow's Arrow file of {text}, {counts}", other, data, counts=True)
    for names in [("token", "embedding"), ("text", "embeddings"), ("key", "vector")]:
        pq.write_table(to_arrow(data, names=names), path)
        lexmill.reads(f"PyArrow's Parquet with columns {names}", path, data)
    # Columns in any order, with others between them.
    table = to_arrow(data, kind="list")
    table = pa.table(
        {"id": np.arange(ROWS), "vector": table["vector"], "x": data.words, "word": table["word"]}
    )
    pq.write_table(table, path)
    lexmill.reads("PyArrow's Parquet with other columns", path, data)
    # Words with anything in them.
    any_data, _ = base["any"]
    table = to_arrow(any_data)
    pq.write_table(table, path)
    lexmill.reads("PyArrow's Parquet of any words", path, any_data)
    arrow_file(other, table.to_batches(), table.schema)
    lexmill.reads("PyArrow's Arrow file of any words", other, any_data)
    checks.group("PyArrow: Parquet, Feather, Arrow IPC")

    quantized, scales = quantized_by_numpy(data.vectors)
    expected = Data(data.words, quantized * scales[:, None])
    for kind in ["fixed", "list"]:
        table = to_arrow(Data(data.words, quantized), of=pa.int8(), kind=kind)
        table = table.append_column("scale", pa.array(scales))
        pq.write_table(table, path, row_group_size=1000)
        lexmill.reads(f"PyArrow's {kind} of int8 and scales, Parquet", path, expected)
        feather.write_feather(table, str(other))
        lexmill.reads(f"PyArrow's {kind} of int8 and scales, Feather", other, expected)
    source = lexmill.convert(base["modest"][1], directory / "modest.parquet")
    modest = base["modest"][0]
    for name, read in [("bits.parquet", pq.read_table), ("bits.arrow", feather.read_table)]:
        table = read(lexmill.convert(source, directory / f"f16-{name}", "--dtype", "f16"))
        values = table["vector"].combine_chunks().flatten().to_numpy().reshape(modest.vectors.shape)
        checks.bits(f"f16 in {name}", values, modest.vectors.astype(np.float16))
        lexmill.reads(
            f"f16 in {name}", directory / f"f16-{name}", Data(modest.words, halved(modest.vectors))
        )
        table = read(lexmill.convert(source, directory / f"int8-{name}", "--dtype", "int8"))
        values = table["vector"].combine_chunks().flatten().to_numpy().reshape(modest.vectors.shape)
        check_int8(checks, name, modest.vectors, values, table["scale"].to_numpy())
        exact = Data(modest.words, values * table["scale"].to_numpy()[:, None])
        lexmill.reads(f"int8 in {name}", directory / f"int8-{name}", exact)
    whole = modest.vectors
    numbers = read_int8(pl.read_parquet(directory / "int8-bits.parquet"))
    check_int8(checks, "Parquet by Polars", whole, *numbers)
    numbers = read_int8(pl.read_ipc(directory / "int8-bits.arrow"))
    check_int8(checks, "Arrow by Polars", whole, *numbers)
    frame = pd.read_parquet(directory / "int8-bits.parquet")
    numbers = frame_vectors(frame["vector"], "int8"), frame["scale"].to_numpy()
    check_int8(checks, "Parquet by pandas", whole, *numbers)
    frame = pd.read_feather(directory / "f16-bits.arrow")
    checks.bits("f16 by pandas", frame_vectors(frame["vector"], "f16"), whole.astype(np.float16))
    frame = pl.read_parquet(directory / "f16-bits.parquet")
    checks.bits("f16 by Polars", frame["vector"].to_numpy(), whole.astype(np.float16))
    checks.group("PyArrow, Polars, pandas: f16 and int8 in tables")

    for what, columns, part in [
        ("a null word", {"word": ["a", None], "vector": [[1.0], [2.0]]}, "nulls"),
        ("a null vector", {"word": ["a", "b"], "vector": [[1.0], None]}, "nulls"),
        ("a null value", {"word": ["a", "b"], "vector": [[1.0], [None]]}, "nulls"),
        (
            "vectors of two lengths",
            {"word": ["a", "b"], "vector": [[1.0], [2.0, 3.0]]},
            "several lengths",
        ),
        ("a word twice", {"word": ["a", "a"], "vector": [[1.0], [2.0]]}, "twice"),
        ("a NaN", {"word": ["a", "b"], "vector": [[1.0], [float("nan")]]}, "NaN"),
        ("whole numbers", {"word": ["a", "b"], "vector": [[1], [2]]}, "list of"),
        ("no vectors", {"word": ["a", "b"], "values": [[1.0], [2.0]]}, 'no column "vector"'),
        ("words that are numbers", {"word": [1, 2], "vector": [[1.0], [2.0]]}, "text"),
        (
            "no rows",
            {"word": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))},
            "no words",
        ),
    ]:
        table = pa.table(columns)
        pq.write_table(table, path)
        lexmill.refuses(f"{what} in Parquet", path, path.name, part)
        feather.write_feather(table, str(other))
        lexmill.refuses(f"{what} in Feather", other, other.name, part)
    whole = to_arrow(data)
    pq.write_table(whole, path)
    feather.write_feather(whole, str(other))
    for file in [path, other]:
        content = file.read_bytes()
        for end in [len(content) // 2, len(content) - 1]:
            file.write_bytes(content[:end])
            lexmill.refuses(f"a part of {file.name}", file, file.name)
    checks.group("tables that are no embeddings are refused")


def halved(vectors):
    """What is left of values within 16 bits."""
    with np.errstate(over="ignore"):
        half = vectors.astype(np.float16)
    half[~np.isfinite(half)] = 0
    return half.astype(F32)


def quantized_by_numpy(vectors):
    scales = (np.abs(vectors).max(axis=1) / F32(130)).astype(F32)
    safe = np.where(scales == 0, F32(1), scales)
    with np.errstate(over="ignore"):
        numbers = np.clip(np.rint(vectors / safe[:, None]), -128, 127)
    return numbers.astype(np.int8), scales


def check_int8(checks, what, vectors, numbers, scales):
    """Lexmill's numbers of 8 bits: as its documentation states them."""
    checks.same(
        f"types of int8 in {what}",
        (numbers.dtype, scales.dtype),
        (np.dtype(np.int8), np.dtype(F32)),
    )
    largest = np.abs(vectors).max(axis=1)
    checks.bits(f"scales of int8 in {what}", scales, (largest / F32(127)).astype(F32))
    error = np.abs(numbers.astype(np.float64) * scales[:, None] - vectors)
    most = scales[:, None].astype(np.float64) * 0.50001
    checks.that(f"errors of int8 in {what}", (error <= most).all(), f"{error.max()}")
    checks.that(f"numbers of int8 in {what}", numbers.min() >= -127)


def read_int8(frame):
    return frame["vector"].to_numpy(), frame["scale"].to_numpy()


def check_duckdb(lexmill, checks, base, directory):
    data, source = base["counted"]
    connection = duckdb.connect()
    path = lexmill.convert(source, directory / "duck.parquet")
    rows = connection.sql(f"SELECT word, vector, count FROM '{path}'").fetchall()
    checks.words("DuckDB's words of duck.parquet", [row[0] for row in rows], data.words)
    checks.bits(
        "DuckDB's values of duck.parquet",
        np.array([row[1] for row in rows]).astype(F32),
        data.vectors,
    )
    checks.same("DuckDB's counts of duck.parquet", [row[2] for row in rows], data.counts)
    where = f"SELECT vector FROM '{path}' WHERE word = ?"
    for word in ["😀", "שלום", '"', "'", "é" * 500]:
        [(values,)] = connection.execute(where, [word]).fetchall()
        checks.bits(
            f"DuckDB's row of {word[:9]}",
            np.array(values).astype(F32),
            data.vectors[data.index(word)],
        )
    theirs = directory / "theirs.parquet"
    for kind in ["FLOAT[]", f"FLOAT[{DIM}]", "DOUBLE[]", f"DOUBLE[{DIM}]"]:
        for options in [
            "",
            ", COMPRESSION zstd, ROW_GROUP_SIZE 2048",
            ", COMPRESSION uncompressed, PARQUET_VERSION v2",
        ]:
            connection.sql(
                f"COPY (SELECT word, vector::{kind} AS vector, count FROM '{path}') TO '{theirs}' "
                f"(FORMAT parquet{options})"
            )
            lexmill.reads(f"DuckDB's COPY of {kind}{options}", theirs, data, counts=True)
    connection.sql(
        f"COPY (SELECT word AS token, vector AS embedding FROM '{path}' LIMIT 100) TO '{theirs}'"
    )
    lexmill.reads(
        "DuckDB's COPY of other names", theirs, Data(data.words[:100], data.vectors[:100])
    )
    half = lexmill.convert(base["modest"][1], directory / "half.parquet", "--dtype", "f16")
    rows = connection.sql(f"SELECT vector FROM '{half}'").fetchall()
    values = np.array([row[0] for row in rows]).astype(F32)
    checks.bits("DuckDB's values of f16", values, halved(base["modest"][0].vectors))
    small = lexmill.convert(base["modest"][1], directory / "small.parquet", "--dtype", "int8")
    rows = connection.sql(f"SELECT vector, scale FROM '{small}'").fetchall()
    numbers = np.array([row[0] for row in rows], dtype=np.int8)
    scales = np.array([row[1] for row in rows]).astype(F32)
    check_int8(checks, "Parquet by DuckDB", base["modest"][0].vectors, numbers, scales)
    checks.group("DuckDB: Parquet")


def words_beside(path):
    """The words in the file beside an array: only \\n ends a line."""
    return (
        path.with_name(path.name + ".words.txt")
        .read_bytes()
        .decode()
        .split("\n")[:-1]
    )


def write_words(path, words):
    name = path.name + ".words.txt"
    path.with_name(name).write_bytes("".join(f"{word}\n" for word in words).encode())


def check_safetensors(lexmill, checks, base, directory):
    data, source = base["spaced"]
    path = lexmill.convert(source, directory / "a.safetensors")
    tensors = load_file(path)
    checks.same("the tensors of a.safetensors", list(tensors), ["embeddings"])
    checks.bits("the values of a.safetensors", tensors["embeddings"], data.vectors)
    checks.words("the words of a.safetensors", words_beside(path), data.words)
    with safetensors.safe_open(path, framework="np") as opened:
        shape = opened.get_slice("embeddings").get_shape()
        checks.same("the shape of a.safetensors", shape, list(data.vectors.shape))
    lexmill.reads("a.safetensors", path, data)

    modest, other = base["modest"]
    path = lexmill.convert(other, directory / "half.safetensors", "--dtype", "f16")
    checks.bits(
        "f16 in safetensors", load_file(path)["embeddings"], modest.vectors.astype(np.float16)
    )
    lexmill.reads("half.safetensors", path, Data(modest.words, halved(modest.vectors)))
    path = lexmill.convert(other, directory / "int8.safetensors", "--dtype", "int8")
    tensors = load_file(path)
    checks.same("the tensors of int8.safetensors", sorted(tensors), ["embeddings", "scales"])
    check_int8(checks, "safetensors", modest.vectors, tensors["embeddings"], tensors["scales"])
    exact = tensors["embeddings"] * tensors["scales"][:, None]
    lexmill.reads("int8.safetensors", path, Data(modest.words, exact))

    theirs = directory / "theirs.safetensors"
    write_words(theirs, data.words)
    numbers, scales = quantized_by_numpy(data.vectors)
    for what, tensors, expected in [
        ("f32", {"embeddings": data.vectors}, data.vectors),
        ("f32 by another name", {"model.embed.weight": data.vectors}, data.vectors),
        (
            "f32 among others",
            {"a": data.vectors[:2], "bias": np.ones(3), "embeddings": data.vectors},
            data.vectors,
        ),
        ("f64", {"embeddings": data.vectors.astype(np.float64)}, data.vectors),
        ("f16", {"embeddings": halved(data.vectors).astype(np.float16)}, halved(data.vectors)),
        ("int8", {"embeddings": numbers, "scales": scales}, numbers * scales[:, None]),
        (
            "int8 and a column",
            {"embeddings": numbers, "scales": scales[:, None]},
            numbers * scales[:, None],
        ),
    ]:
        save_file(tensors, theirs, metadata={"by": "a test"})
        lexmill.reads(f"safetensors of {what}", theirs, Data(data.words, expected))
    # The upper halves of 32-bit floats.
    halves = (data.vectors.view(np.uint32) >> 16).astype(np.uint16)
    entry = {"dtype": "BF16", "shape": data.vectors.shape, "data_offsets": [0, halves.nbytes]}
    header = json.dumps({"embeddings": entry}).encode()
    theirs.write_bytes(struct.pack("<Q", len(header)) + header + halves.tobytes())
    with safetensors.safe_open(theirs, framework="np") as opened:
        checks.same("the type of bf16", opened.get_slice("embeddings").get_dtype(), "BF16")
    expected = (halves.astype(np.uint32) << 16).view(F32)
    lexmill.reads("safetensors of bf16", theirs, Data(data.words, expected))

    two = data.vectors[:2]
    write_words(theirs, data.words[:2])
    for what, tensors, parts in [
        ("two matrices", {"a": two, "b": two}, ["several matrices", "a, b"]),
        ("no matrix", {"a": two[0]}, ["no matrix"]),
        ("whole numbers", {"a": np.ones((2, 3), dtype=np.int64)}, ["no matrix"]),
        ("int8 without scales", {"embeddings": numbers[:2]}, ['"scales"']),
        (
            "int8 with scales of f64",
            {"embeddings": numbers[:2], "scales": scales[:2].astype(np.float64)},
            ['"scales"'],
        ),
        (
            "int8 with a scale too many",
            {"embeddings": numbers[:2], "scales": scales[:3]},
            ['"scales"'],
        ),
    ]:
        save_file(tensors, theirs)
        lexmill.refuses(f"safetensors of {what}", theirs, theirs.name, *parts)
    save_file({"a": two}, theirs)
    write_words(theirs, data.words[:3])
    lexmill.refuses("a word too many", theirs, "theirs.safetensors.words.txt", "more lines")
    write_words(theirs, data.words[:1])
    lexmill.refuses("a word too few", theirs, "theirs.safetensors.words.txt", "fewer lines")
    theirs.with_name("theirs.safetensors.words.txt").unlink()
    lexmill.refuses("no words", theirs, "theirs.safetensors.words.txt", "--words")
    (directory / "any-name").write_text("".join(f"{word}\n" for word in data.words[:2]))
    lexmill.reads(
        "words of another name",
        theirs,
        Data(data.words[:2], two),
        "--words",
        directory / "any-name",
    )
    theirs.write_bytes(theirs.read_bytes()[:-1])
    lexmill.refuses("a part", theirs, theirs.name, options=("--words", directory / "any-name"))
    for line_end in ["two\nlines", "return\rhere"]:
        bad = lexmill.directory / "line-end.parquet"
        pq.write_table(to_arrow(Data(["a", line_end], two)), bad)
        for name in ["line-end.safetensors", "line-end.npy", "line-end.tsv"]:
            lexmill.will_not_write("a word of two lines", bad, directory / name, "line end")
    checks.group("safetensors: f32, f64, f16, bf16, int8")


def check_numpy(lexmill, checks, base, directory):
    data, source = base["spaced"]
    path = lexmill.convert(source, directory / "a.npy")
    for mode in [None, "r"]:
        array = np.load(path, mmap_mode=mode)
        checks.bits("the values of a.npy", array, data.vectors)
        checks.that("a.npy lies row by row", array.flags.c_contiguous)
    checks.words("the words of a.npy", words_beside(path), data.words)
    lexmill.reads("a.npy", path, data)
    modest, other = base["modest"]
    path = lexmill.convert(other, directory / "half.npy", "--dtype", "f16")
    checks.bits("f16 in npy", np.load(path), modest.vectors.astype(np.float16))
    lexmill.reads("half.npy", path, Data(modest.words, halved(modest.vectors)))
    path = lexmill.convert(other, directory / "int8.npy", "--dtype", "int8")
    numbers, scales = np.load(path), np.load(directory / "int8.npy.scales.npy")
    check_int8(checks, "npy", modest.vectors, numbers, scales)
    lexmill.reads("int8.npy", path, Data(modest.words, numbers * scales[:, None]))

    theirs = directory / "theirs.npy"
    write_words(theirs, data.words)
    for kind, expected in [
        ("f4", data.vectors),
        ("f8", data.vectors),
        ("f2", halved(data.vectors)),
    ]:
        np.save(theirs, expected.astype(kind))
        lexmill.reads(f"np.save of {kind}", theirs, Data(data.words, expected))
    doubles = np.random.default_rng(4).standard_normal(data.vectors.shape)
    np.save(theirs, doubles)
    lexmill.reads("np.save of f8 that is rounded", theirs, Data(data.words, doubles.astype(F32)))
    for version in [(1, 0), (2, 0), (3, 0)]:
        with open(theirs, "wb") as file:
            np.lib.format.write_array(file, data.vectors, version=version)
        lexmill.reads(f"npy of version {version}", theirs, data)
    numbers, scales = quantized_by_numpy(data.vectors)
    np.save(theirs, numbers)
    np.save(directory / "theirs.npy.scales.npy", scales)
    lexmill.reads("np.save of i1 and scales", theirs, Data(data.words, numbers * scales[:, None]))
    np.save(directory / "theirs.npy.scales.npy", scales[:-1])
    lexmill.refuses(
        "an array of i1 with a scale too few", theirs, "theirs.npy.scales.npy", "4500 scales"
    )
    np.save(directory / "theirs.npy.scales.npy", scales.astype(np.float64))
    lexmill.refuses("an array of i1 with scales of f8", theirs, "theirs.npy.scales.npy", "f4")
    (directory / "theirs.npy.scales.npy").unlink()
    lexmill.refuses("an array of i1 without scales", theirs, "theirs.npy.scales.npy")
    np.save(theirs, data.vectors[:, 0].copy())
    lexmill.reads("an array with one axis", theirs, Data(data.words, data.vectors[:, :1]))

    for what, array, parts in [
        (
            "Fortran's order",
            np.asfortranarray(data.vectors),
            ["column by column", "ascontiguousarray"],
        ),
        ("big-endian numbers", data.vectors.astype(">f4"), [">f4", "astype"]),
        ("u1", np.ones((5, 2), dtype=np.uint8), ["u1", "astype"]),
        ("i4", np.ones((5, 2), dtype=np.int32), ["i4", "astype"]),
        ("i8", np.ones((5, 2), dtype=np.int64), ["i8", "astype"]),
        ("truth values", np.ones((5, 2), dtype=bool), ["b1", "astype"]),
        ("complex numbers", np.ones((5, 2), dtype=np.complex64), ["c8", "astype"]),
        (
            "long floats",
            np.ones((5, 2), dtype=np.longdouble),
            [np.dtype(np.longdouble).str, "astype"],
        ),
        ("text", np.array([["a", "b"]]), ["U1"]),
        ("objects", np.array([[1, "b"]], dtype=object), ["theirs.npy"]),
        ("records", np.ones(5, dtype=[("a", "f4"), ("b", "f4")]), ["records"]),
        ("three axes", np.ones((5, 2, 2), dtype=F32), ["3 axes"]),
        ("no axes", F32(3), ["0 axes"]),
        ("no columns", np.ones((5, 0), dtype=F32), ["theirs.npy"]),
        ("no rows", np.ones((0, 5), dtype=F32), ["theirs"]),
        ("a NaN", np.array([[1, np.nan]], dtype=F32), ["NaN"]),
        ("an infinity", np.array([[1, np.inf]], dtype=F32), ["inf"]),
        ("what 32 bits do not hold", np.array([[1, -1e300]]), ["-inf"]),
    ]:
        np.save(theirs, array)
        write_words(theirs, data.words[: np.shape(array)[0] if np.shape(array) else 1])
        lexmill.refuses(f"an array of {what}", theirs, "theirs", *parts)
    np.save(theirs, data.vectors)
    write_words(theirs, data.words)
    theirs.write_bytes(theirs.read_bytes()[:-1])
    lexmill.refuses("a part of an array", theirs, "theirs.npy", "cut off")
    np.savez(directory / "theirs.npz", data.vectors)
    lexmill.refuses("an archive of arrays", directory / "theirs.npz", "theirs.npz")
    large = lexmill.directory / "large.parquet"
    pq.write_table(to_arrow(Data(["a", "b"], [[1.0], [65520.0]])), large)
    lexmill.will_not_write(
        "65520 as f16", large, directory / "no.npy", '"b"', "65520", options=("--dtype", "f16")
    )
    checks.group("NumPy: f4, f8, f2, i1 with scales; other arrays are refused")


def check_finalfusion(lexmill, checks, base, directory):
    data, source = base["any"]
    path = lexmill.convert(source, directory / "a.fifu")
    for mapped in [False, True]:
        theirs = finalfusion.load_finalfusion(path, mmap=mapped)
        checks.words("finalfusion's words of a.fifu", theirs.vocab.words, data.words)
        checks.bits("finalfusion's values of a.fifu", np.asarray(theirs.storage), data.vectors)
        rows = np.array([theirs[word] for word in data.words[:80]])
        checks.bits("finalfusion's vectors of a.fifu", rows, data.vectors[:80])
        checks.that("a.fifu has no norms", theirs.norms is None)
    lexmill.reads("a.fifu", path, data)
    for length in range(1, 5):
        # All that a file's padding may be.
        small = Data(["w" * length, "b"], data.vectors[3:5])
        pq.write_table(to_arrow(small), directory / "small.parquet")
        path = lexmill.convert(directory / "small.parquet", directory / "small.fifu")
        theirs = finalfusion.load_finalfusion(path, mmap=True)
        checks.bits("finalfusion's values of small.fifu", np.asarray(theirs.storage), small.vectors)
        lexmill.reads("small.fifu", path, small)

    path = directory / "theirs.fifu"
    notes = Metadata({"description": "of a test", "number": 3})
    for length in range(1, 5):
        words = [*data.words[:-1], "w" * length]
        finalfusion.Embeddings(NdArray(data.vectors), SimpleVocab(words)).write(path)
        lexmill.reads("finalfusion's file of words", path, Data(words, data.vectors))
    finalfusion.Embeddings(NdArray(data.vectors), SimpleVocab(data.words), metadata=notes).write(
        path
    )
    lexmill.reads("finalfusion's file with metadata", path, data)

    draw = np.random.default_rng(5)
    words = data.words[:500]
    raw = draw.standard_normal((500, DIM)).astype(F32)
    lengths = np.linalg.norm(raw, axis=1).astype(F32)
    units = raw / lengths[:, None]
    theirs = finalfusion.Embeddings(
        NdArray(units), SimpleVocab(words), norms=Norms(lengths), metadata=notes
    )
    theirs.write(path)
    expected = np.array([theirs.embedding_with_norm(word)[0] for word in words]) * lengths[:, None]
    lexmill.reads("finalfusion's file with norms", path, Data(words, expected))

    indexer = FinalfusionHashIndexer(bucket_exp=8, min_n=3, max_n=5)
    vocab = FinalfusionBucketVocab(words, indexer)
    storage = NdArray(draw.standard_normal((len(words) + 256, DIM)).astype(F32))
    theirs = finalfusion.Embeddings(storage, vocab, norms=Norms(lengths))
    theirs.write(path)
    expected = np.asarray(storage)[:500] * lengths[:, None]
    lexmill.reads("finalfusion's file with buckets", path, Data(words, expected))
    theirs = finalfusion.Embeddings(storage, vocab).bucket_to_explicit()
    checks.that("finalfusion's n-grams are listed", isinstance(theirs.vocab, ExplicitVocab))
    checks.that(
        "finalfusion has n-grams", isinstance(theirs.vocab.subword_indexer, ExplicitIndexer)
    )
    theirs.write(path)
    # finalfusion for Python (0.7.1) states a length that lacks the 8 bytes of each n-gram's row.
    content = bytearray(path.read_bytes())
    (chunks,) = struct.unpack_from("<I", content, 8)
    at = 12 + 4 * chunks
    kind, length = struct.unpack_from("<IQ", content, at)
    checks.same("the chunk of n-grams", kind, 8)
    ngrams = len(theirs.vocab.subword_indexer.ngrams)
    (after,) = struct.unpack_from("<I", content, at + 12 + length + 8 * ngrams)
    checks.same("the chunk after that of n-grams", after, 2)
    struct.pack_into("<Q", content, at + 4, length + 8 * ngrams)
    path.write_bytes(content)
    lexmill.reads(
        "finalfusion's file with n-grams", path, Data(words, np.asarray(theirs.storage)[:500])
    )
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    lexmill.refuses("a part of finalfusion's file", path, path.name)

    # What finalfusion reads of other formats, it must read of ours.
    modest, other = base["modest"]
    for name, read in [
        ("f.bin", finalfusion.load_word2vec),
        ("f.txt", finalfusion.load_text_dims),
        ("f.glove.txt", finalfusion.load_text),
    ]:
        path = lexmill.convert(other, directory / name)
        with np.errstate(invalid="ignore"):
            loaded = read(path)
        checks.words(f"finalfusion's words of {name}", loaded.vocab.words, modest.words)
        # It divides by the lengths, so there is nothing to compare where that is 0.
        kept = np.linalg.norm(modest.vectors, axis=1) > 0
        found = (np.asarray(loaded.storage) * np.asarray(loaded.norms)[:, None])[kept]
        error = (
            np.abs(found - modest.vectors[kept])
            / np.linalg.norm(modest.vectors[kept], axis=1)[:, None]
        )
        checks.near(f"finalfusion's values of {name}", error, np.zeros_like(error), 1e-6)
    checks.group("finalfusion: words, norms, n-grams")


def check_tsv(lexmill, checks, base, directory):
    data, source = base["counted"]
    for name, origin, counted in [("counted", source, True), ("plain", base["plain"][1], False)]:
        expected = data if counted else base["plain"][0]
        path = lexmill.convert(origin, directory / f"{name}.tsv")
        options = dict(delimiter="\t", quoting=csv.QUOTE_NONE)
        with open(path, newline="", encoding="utf-8") as file:
            values = np.array(list(csv.reader(file, **options))).astype(F32)
        checks.bits(f"the values of {name}.tsv", values, expected.vectors)
        with open(directory / f"{name}.tsv.metadata.tsv", newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file, **options))
        if counted:
            checks.same("the columns of metadata.tsv", rows.pop(0), ["word", "count"])
            checks.same("the counts of metadata.tsv", [int(row[1]) for row in rows], data.counts)
        checks.same(
            f"columns of {name}.tsv.metadata.tsv", {len(row) for row in rows}, {2 if counted else 1}
        )
        checks.words(f"the words of {name}.tsv.metadata.tsv", [row[0] for row in rows], expected.words)
        lexmill.reads(f"{name}.tsv", path, expected, counts=counted)
    pq.write_table(to_arrow(Data(["tab\tin"], data.vectors[:1])), directory / "tab.parquet")
    lexmill.will_not_write(
        "a tab in a TSV", directory / "tab.parquet", directory / "tab.tsv", "tab"
    )

    plain, source = base["plain"]
    path = lexmill.convert(source, directory / "w2v.txt")
    word2vec2tensor(str(path), str(directory / "theirs"))
    words = directory / "theirs_metadata.tsv"
    lexmill.reads(
        "word2vec2tensor's files", directory / "theirs_tensor.tsv", plain, "--words", words
    )
    folder = directory / "projector"
    folder.mkdir()
    (directory / "theirs_tensor.tsv").rename(folder / "tensor.tsv")
    words.rename(folder / "metadata.tsv")
    lexmill.reads("tensor.tsv beside metadata.tsv", folder / "tensor.tsv", plain)
    # Columns that people add for the colors of the projector.
    with open(folder / "metadata.tsv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(
            file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n"
        )
        rows.writerow(["group", "word", "count"])
        rows.writerows([i % 7, word, i] for i, word in enumerate(plain.words))
    expected = Data(plain.words, plain.vectors, list(range(len(plain.words))))
    lexmill.reads("a metadata.tsv of three columns", folder / "tensor.tsv", expected, counts=True)
    np.savetxt(folder / "tensor.tsv", plain.vectors.astype(np.float64), delimiter="\t", fmt="%.9g")
    lexmill.reads("np.savetxt's tensor.tsv", folder / "tensor.tsv", plain)
    checks.group("TensorBoard's TSV, by csv and word2vec2tensor")


def clusters(rows=3000, dim=50, seed=6):
    """Vectors that are near to some others, as words are."""
    draw = np.random.default_rng(seed)
    centers = draw.standard_normal((40, dim)) * np.linspace(2, 0.3, dim)
    vectors = centers[draw.integers(0, 40, rows)] + 0.7 * draw.standard_normal((rows, dim))
    vectors = vectors * draw.uniform(0.3, 3, (rows, 1)) + 0.4
    return Data([f"w{i}" for i in range(rows)], vectors.astype(F32))


def check_ranking(checks, what, ours, theirs, key, tolerance):
    """The same words in the same order, and their scores."""
    checks.words(
        f"the words of {what}", [entry["word"] for entry in ours], [word for word, _ in theirs]
    )
    scores = [entry[key] for entry in ours]
    checks.near(f"the scores of {what}", scores, [score for _, score in theirs], tolerance)


def check_questions(lexmill, checks, base, directory):
    data = clusters()
    path = directory / "clusters.bin"
    theirs = KeyedVectors(data.vectors.shape[1])
    theirs.add_vectors(data.words, data.vectors)
    theirs.save_word2vec_format(str(path), binary=True)
    draw = np.random.default_rng(7)

    def some(count, of):
        return [
            [str(word) for word in draw.choice(data.words, size=of, replace=False)]
            for _ in range(count)
        ]

    asked = [words[0] for words in some(60, 1)]
    for words in [asked, asked[:1]]:
        answers = lexmill.ask("neighbors", path, *words, "-n", "25")
        checks.same(
            "words that neighbors are asked of", [answer["word"] for answer in answers], words
        )
        for answer in answers:
            expected = theirs.most_similar(answer["word"], topn=25)
            check_ranking(
                checks,
                f"most_similar {answer['word']}",
                answer["neighbors"],
                expected,
                "cosine",
                1e-6,
            )
    answers = lexmill.ask(
        "neighbors", path, "-n", "9", "--restrict", "500", "-f", "-", stdin="\n".join(asked)
    )
    for answer in answers:
        expected = theirs.most_similar(answer["word"], topn=9, restrict_vocab=500)
        check_ranking(
            checks,
            f"most_similar {answer['word']} of 500",
            answer["neighbors"],
            expected,
            "cosine",
            1e-6,
        )

    pairs = some(60, 2) + [["w5", "w5"]]
    answers = lexmill.ask("similarity", path, *(word for pair in pairs for word in pair))
    for answer, pair in zip(answers, pairs, strict=True):
        checks.same("the words of similarity", answer["words"], pair)
        checks.near(f"similarity {pair}", answer["cosine"], theirs.similarity(*pair), 1e-6)

    triples = some(60, 3)
    for asked in [triples, triples[:1]]:
        answers = lexmill.ask(
            "analogy", path, *(word for words in asked for word in words), "-n", "15"
        )
        for answer, (a, b, c) in zip(answers, asked, strict=True):
            checks.same("the words of analogy", answer["question"], [a, b, c])
            expected = theirs.most_similar(positive=[b, c], negative=[a], topn=15)
            check_ranking(
                checks, f"analogy {a} {b} {c}", answer["answers"], expected, "score", 1e-6
            )
    restricted = lexmill.ask("analogy", path, *triples[0], "--restrict", "300", "-n", "5")
    a, b, c = triples[0]
    expected = theirs.most_similar(positive=[b, c], negative=[a], topn=5, restrict_vocab=300)
    check_ranking(checks, "analogy of 300", restricted[0]["answers"], expected, "score", 1e-6)

    # Both divide by (cos + 1) / 2 and something small: gensim by 0.000001, Lexmill by 0.001 as Levy
    # and Goldberg have it. So gensim's scores are brought to that before they are compared.
    answers = lexmill.ask(
        "analogy",
        path,
        *(word for words in triples for word in words),
        "-n",
        "15",
        "--method",
        "3cosmul",
    )
    units = data.vectors.astype(np.float64)
    units /= np.linalg.norm(units, axis=1)[:, None]
    for answer, (a, b, c) in zip(answers, triples, strict=True):
        scores = theirs.most_similar_cosmul(positive=[b, c], negative=[a], topn=len(data.words))
        near = dict(zip(data.words, (units @ units[data.index(a)] + 1) / 2))
        scores = [
            (word, score * (near[word] + 1e-6) / (near[word] + 1e-3)) for word, score in scores
        ]
        expected = sorted(scores, key=lambda entry: -entry[1])[:15]
        check_ranking(checks, f"3cosmul {a} {b} {c}", answer["answers"], expected, "score", 2e-6)

    for of in [3, 4, 7]:
        asked = some(40, of)
        stdin = "".join(" ".join(words) + "\n" for words in asked)
        answers = lexmill.ask("odd-one-out", path, "-f", "-", stdin=stdin)
        for answer, words in zip(answers, asked, strict=True):
            checks.same("the words of odd-one-out", answer["words"], words)
            checks.same(f"doesnt_match {words}", answer["odd"], theirs.doesnt_match(words))
    checks.group("questions have gensim's answers")


def centered(vectors):
    return vectors - vectors.mean(axis=0)


def without_components(vectors, count):
    """Without the mean and the first principal components, by NumPy's SVD."""
    rest = centered(vectors)
    _, _, directions = np.linalg.svd(rest, full_matrices=False)
    return rest - rest @ directions[:count].T @ directions[:count]


def unit_length(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def check_changes(lexmill, checks, base, directory):
    data = clusters(rows=4300, dim=40, seed=8)
    data.vectors[17] = 0.0
    source = directory / "changes.npy"
    np.save(source, data.vectors)
    write_words(source, data.words)
    exact = data.vectors.astype(np.float64)
    target = directory / "changed.npy"
    draw = np.random.default_rng(9)
    chosen = [int(row) for row in np.sort(draw.choice(len(data.words), 700, replace=False))]
    listed = directory / "listed.txt"
    names = [data.words[row] for row in draw.permutation(chosen)]
    listed.write_text("".join(f"{word}\n" for word in [*names, "not there", "neither"]))
    everything = list(range(len(data.words)))
    for options, rows, change in [
        (["--center"], everything, centered),
        (["--normalize"], everything, unit_length),
        (["--remove-components", "1"], everything, lambda v: without_components(v, 1)),
        (["--remove-components", "3"], everything, lambda v: without_components(v, 3)),
        (["--remove-components", "39"], everything, lambda v: without_components(v, 39)),
        (["--center", "--normalize"], everything, lambda v: unit_length(centered(v))),
        (["--center", "--remove-components", "2"], everything, lambda v: without_components(v, 2)),
        (
            ["--remove-components", "2", "--normalize"],
            everything,
            lambda v: unit_length(without_components(v, 2)),
        ),
        (["--top", "100"], everything[:100], None),
        (["--top", "100000"], everything, None),
        (["--only", listed], chosen, None),
        (["--only", listed, "--top", "300"], chosen[:300], None),
        (["--only", listed, "--center"], chosen, centered),
        (
            ["--top", "500", "--remove-components", "2"],
            everything[:500],
            lambda v: without_components(v, 2),
        ),
        (
            ["--only", listed, "--top", "300", "--remove-components", "4", "--normalize"],
            chosen[:300],
            lambda v: unit_length(without_components(v, 4)),
        ),
    ]:
        what = " ".join(map(str, options))
        said = json.loads(lexmill.run("convert", source, target, *options, "--json"))
        checks.same(f"rows of {what}", said["rows"], len(rows))
        if "--only" in options and "--top" not in options:
            checks.same(f"words not found of {what}", said["not_found"], 2)
        found = np.load(target)
        checks.words(f"words of {what}", words_beside(target), [data.words[row] for row in rows])
        if change is None:
            checks.bits(f"values of {what}", found, data.vectors[rows])
        else:
            checks.near(f"values of {what}", found, change(exact[rows]), 1e-5)
    lexmill.will_not_write(
        "40 of 40 components",
        source,
        directory / "no.npy",
        "40",
        "40",
        options=("--remove-components", "40"),
    )
    # Whatever is read and written, the change is the same.
    expected = without_components(exact, 2)
    for name in [
        "in.parquet",
        "in.arrow",
        "in.txt",
        "in.bin",
        "in.fasttext.bin",
        "in.fifu",
        "in.glove.txt.gz",
    ]:
        path = lexmill.convert(source, directory / name)
        checks.near(
            f"2 components off {name}",
            lexmill.table(path, "--remove-components", "2")[1],
            expected,
            1e-5,
        )
    for name in [
        "out.fasttext.bin",
        "out.fifu",
        "out.bin",
        "out.txt",
        "out.tsv",
        "out.safetensors",
    ]:
        path = lexmill.convert(source, directory / name, "--remove-components", "2")
        checks.near(f"2 components off in {name}", lexmill.table(path)[1], expected, 1e-5)
    checks.group("changes to vectors are as NumPy makes them")


def check_shapes(lexmill, checks, base, directory):
    """One word, one dimension, many of either: in every format."""
    for rows, dim in [(1, 1), (1, 7), (5, 1), (3, 1000), (4097, 2)]:
        vectors = strange_vectors(max(rows, 6), dim, seed=rows + dim)[:rows]
        data = Data([f"{i}" if i % 2 else f"word{i}" for i in range(rows)], vectors)
        source = directory / f"{rows}x{dim}.parquet"
        pq.write_table(to_arrow(data), source)
        for end in [
            "arrow",
            "txt",
            "bin",
            "glove.txt",
            "vec",
            "fasttext.bin",
            "safetensors",
            "npy",
            "fifu",
            "tsv",
            "pq",
            "feather",
            "ipc",
            "w2v",
            "ft.bin",
            "TXT",
            "Glove.Txt.GZ",
        ]:
            path = lexmill.convert(source, directory / f"shape-{rows}-{dim}.{end}")
            # So short a vector may look like text.
            options = ["--from", "word2vec-binary"] if end == "bin" else []
            lexmill.reads(f"{rows} × {dim} in {end}", path, data, *options)
        stem = directory / f"shape-{rows}-{dim}"
        for end, options in [
            ("txt", {}),
            ("bin", dict(binary=True)),
            ("glove.txt", dict(no_header=True)),
        ]:
            theirs = KeyedVectors.load_word2vec_format(f"{stem}.{end}", **options)
            checks.words(
                f"gensim's words of {rows} × {dim} in {end}", theirs.index_to_key, data.words
            )
            checks.bits(f"gensim's values of {rows} × {dim} in {end}", theirs.vectors, data.vectors)
        for what, found in [
            ("NumPy", np.load(f"{stem}.npy")),
            ("safetensors", load_file(f"{stem}.safetensors")["embeddings"]),
            ("finalfusion", np.asarray(finalfusion.load_finalfusion(f"{stem}.fifu").storage)),
            ("fastText", fasttext.load_model(f"{stem}.fasttext.bin").get_input_matrix()),
            ("Polars", pl.read_ipc(f"{stem}.arrow")["vector"].to_numpy()),
            ("np.loadtxt", np.loadtxt(f"{stem}.tsv", delimiter="\t", ndmin=2).astype(F32)),
        ]:
            checks.bits(f"{what}'s values of {rows} × {dim}", found, data.vectors)
    checks.group("vectors of any shape in every format")


def check_names(lexmill, checks, base, directory):
    """Whatever a file is called, it is known by what is in it."""
    data, source = base["plain"]
    for end in [
        "parquet",
        "arrow",
        "txt",
        "bin",
        "glove.txt",
        "fasttext.bin",
        "safetensors",
        "npy",
        "fifu",
        "txt.gz",
    ]:
        path = lexmill.convert(source, directory / f"named.{end}")
        other = directory / f"misleading-{end.replace('.', '-')}.vec"
        path.rename(other)
        options = []
        if end in ("safetensors", "npy"):
            options = ["--words", directory / f"named.{end}.words.txt"]
        lexmill.reads(f"{end} that is called .vec", other, data, *options)
        answers = lexmill.ask("vector", other, *options, "-f", "-", stdin="\n".join(data.words))
        checks.words(f"words of vector, {end}", [answer["word"] for answer in answers], data.words)
        vectors = np.array([answer["vector"] for answer in answers], dtype=F32)
        checks.bits(f"values of vector, {end}", vectors, data.vectors)
    path = lexmill.convert(source, directory / "anything", "--to", "word2vec-text")
    lexmill.reads("--to word2vec-text", path, data)
    lexmill.will_not_write(
        "a name that says nothing", source, directory / "nothing", "nothing", "--to"
    )
    for name in ["a.parquet.gz", "a.npy.zst", "a.fasttext.bin.gz"]:
        lexmill.will_not_write(f"the name {name}", source, directory / name, name, "compressed")
    for end in ["txt", "bin", "fasttext.bin", "fifu", "tsv"]:
        target = directory / f"half.{end}"
        lexmill.will_not_write(
            f"f16 as {end}", source, target, "f16", "parquet", options=("--dtype", "f16")
        )
    lexmill.refuses("a file that is not there", directory / "not-there.txt", "not-there.txt")
    (directory / "empty.txt").write_bytes(b"")
    lexmill.refuses("an empty file", directory / "empty.txt", "empty.txt", "no words")
    # From each format to the next, all the way round.
    path = source
    for end in [
        "arrow",
        "txt",
        "fifu",
        "npy",
        "glove.txt.gz",
        "safetensors",
        "bin.zst",
        "tsv",
        "fasttext.bin",
        "vec",
        "pq",
    ]:
        path = lexmill.convert(path, directory / f"round.{end}")
    lexmill.reads("what went through all formats", path, data)
    checks.group("names of files, and from format to format")


def check_faults(lexmill, checks, base, directory):
    """What was wrong or unclear when these checks were written."""
    data = Data(["a", "b", "c", "d"], [[1, 2, 3], [4, 5, 6], [-7, 8, 9], [0.5, 0.25, 0]])
    path = directory / "fault.arrow"
    for kind in ["fixed", "list", "large"]:
        table = to_arrow(data, kind=kind)
        halves, nothing = table.to_batches(max_chunksize=2), table.slice(0, 0).combine_chunks()
        empty = pa.record_batch(
            [column.combine_chunks() for column in nothing.columns], schema=table.schema
        )
        for place in range(3):
            arrow_file(path, [*halves[:place], empty, *halves[place:]], table.schema)
            lexmill.reads(f"an Arrow file of {kind} whose batch {place} is empty", path, data)

    # gensim takes out words that were never seen, and then has vectors too many.
    table = to_arrow(data)
    parquet = directory / "fault.parquet"
    pq.write_table(table, parquet)
    model = lexmill.convert(parquet, directory / "uncounted.fasttext.bin")
    with checks.case():
        try:
            vectors = load_facebook_vectors(str(model))
        except AssertionError as error:
            raise Mismatch(
                f"gensim reads no .fasttext.bin of words without counts: {error}"
            ) from None
        checks.words("gensim's words without counts", vectors.index_to_key, data.words)
        checks.bits("gensim's values without counts", vectors.vectors, data.vectors)
        lexmill.reads("a .fasttext.bin of words without counts", model, data)

    for packing in ["gzip", "brotli"]:
        pq.write_table(table, parquet, compression=packing)
        lexmill.reads_or_says(f"Parquet packed with {packing}", parquet, data, packing)
    arrow_file(path, table.to_batches(), table.schema, metadata_version=ipc.MetadataVersion.V4)
    lexmill.reads_or_says("an Arrow file of metadata version 4", path, data, "version")
    frame = pd.DataFrame({"word": pd.Categorical(data.words), "vector": list(data.vectors)})
    frame.to_parquet(parquet)
    lexmill.reads_or_says("pandas's categories as words in Parquet", parquet, data, "Dictionary")
    frame.to_feather(path)
    lexmill.reads_or_says("pandas's categories as words in Feather", path, data, "Dictionary")

    # Only 8-bit numbers have scales, and they need them.
    for scales in [pa.array([10.0] * 4, pa.float32()), pa.array([10.0] * 4), pa.array(data.words)]:
        pq.write_table(table.append_column("scale", scales), parquet)
        lexmill.reads(f'floats beside a column "scale" of {scales.type}', parquet, data)
    numbers = to_arrow(Data(data.words, np.ones((4, 3))), of=pa.int8())
    pq.write_table(numbers, parquet)
    lexmill.refuses("a table of 8-bit numbers without scales", parquet, "scale")

    # Binary files that are not read: a message about a line of text does not help.
    with (
        pa.OSFile(str(directory / "stream.arrow"), "wb") as sink,
        ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    theirs = KeyedVectors(3)
    theirs.add_vectors(data.words, data.vectors)
    theirs.save(str(directory / "pickled.kv"))
    np.savez(directory / "archive.npz", data.vectors)
    (directory / "packed.txt.bz2").write_bytes(
        bz2.compress(by_hand(directory / "t.txt", data).read_bytes())
    )
    # fastText before it had a magic number begins with the dimension.
    early = struct.pack("<12id", 3, 5, 5, 5, 5, 1, 2, 2, 1000, 3, 6, 100, 1e-4) + struct.pack(
        "<iiiqq", 1, 1, 0, 9, 0
    )
    (directory / "early.bin").write_bytes(
        early + b"the\0" + struct.pack("<qb", 9, 0) + data.vectors.tobytes()
    )
    for name in ["stream.arrow", "pickled.kv", "archive.npz", "packed.txt.bz2", "early.bin"]:
        with checks.case():
            message = lexmill.call("vector", directory / name, "a").stderr
            checks.that(
                f"{name} is refused", message.startswith("error: ") and name in message, message
            )
            checks.that(
                f"the message of {name} is not about a line", "line" not in message, message
            )

    # The words beside an array are those of another as well.
    for first, second in [("npy", "safetensors"), ("safetensors", "npy")]:
        folder = directory / first
        folder.mkdir()
        source = lexmill.convert(base["plain"][1], folder / f"same.{first}")
        lexmill.call("convert", source, folder / f"same.{second}", "--top", "3")
        lexmill.reads(f"same.{first} after same.{second} was written", source, base["plain"][0])

    array = directory / "marked.npy"
    np.save(array, data.vectors)
    array.with_name("marked.npy.words.txt").write_bytes("\ufeffa\r\nb\r\nc\r\nd\r\n".encode())
    lexmill.reads("words after a mark of the byte order", array, data)
    write_words(array, data.words)
    listed = directory / "listed.txt"
    listed.write_bytes("\ufeffa\nc\n".encode())
    kept = Data(["a", "c"], data.vectors[[0, 2]])
    lexmill.reads("--only with a mark of the byte order", array, kept, "--only", listed)

    ends = Data(
        ["a", "b", "tiny", "small", "large"],
        [[1, 2], [2, 1], [1e-40, 1e-40], [1e-30, 0], [3e38, 3e38]],
    )
    pq.write_table(to_arrow(ends), parquet)
    exact = unit_length(ends.vectors.astype(np.float64))
    for row, word in enumerate(ends.words):
        with checks.case():
            [answer] = lexmill.ask("neighbors", parquet, word)
            cosines = {entry["word"]: entry["cosine"] for entry in answer["neighbors"]}
            others = [other for other in ends.words if other != word]
            found = [np.nan if cosines[other] is None else cosines[other] for other in others]
            expected = [exact[row] @ exact[ends.index(other)] for other in others]
            checks.near(f"cosines of {word} to {others}", found, expected, 1e-6)
    largest = float(np.finfo(F32).max)
    ends = Data(["a", "b"], [[largest, -largest], [1, 127]])
    pq.write_table(to_arrow(ends), parquet)
    path = lexmill.convert(parquet, directory / "largest.npy", "--dtype", "int8")
    with checks.case():
        values = lexmill.table(path)[1]
        checks.near("int8 of the largest floats", values / ends.vectors, np.ones((2, 2)), 1e-6)
    checks.group("what once was wrong or unclear")


GROUPS = [
    check_gensim_reads,
    check_gensim_writes,
    check_facebook,
    check_fasttext,
    check_gensim_files,
    check_pandas,
    check_polars,
    check_pyarrow,
    check_duckdb,
    check_safetensors,
    check_numpy,
    check_finalfusion,
    check_tsv,
    check_questions,
    check_changes,
    check_shapes,
    check_names,
    check_faults,
]


def make_base(directory):
    """What most checks start from: words and vectors, and a Parquet file of PyArrow's with them."""
    modest = made(STRANGE, seed=12)
    draw = np.random.default_rng(13)
    scales = np.exp(draw.uniform(-9, 9, size=(ROWS, 1)))
    modest.vectors = np.clip(draw.standard_normal((ROWS, DIM)) * scales, -65504, 65504).astype(F32)
    # Halfway between two 16-bit floats, and the least of them.
    modest.vectors[3, :6] = [2049.0, 2051.0, -0.0, 2.0**-24, 2.0**-25, 65519.0]
    modest.vectors[4] = 0.0
    parts = {
        "plain": made(STRANGE),
        "counted": made(STRANGE, seed=10, counted=True),
        "spaced": made(STRANGE + SPACED + PADDED, seed=11),
        "nul-free": made(STRANGE + SPACED + PADDED + ANYTHING, seed=14, counted=True),
        "any": made(STRANGE + SPACED + PADDED + ANYTHING, seed=15),
        "modest": modest,
    }
    base = {}
    for name, data in parts.items():
        path = directory / f"base-{name}.parquet"
        pq.write_table(to_arrow(data, counts=pa.uint64() if data.counts else None), path)
        base[name] = (data, path)
    return base


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the lexmill program")
    parser.add_argument(
        "groups", nargs="*", help="only the groups of checks with these in their names"
    )
    parser.add_argument("--keep-going", action="store_true", help="go on where that makes sense")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    checks = Checks(options.keep_going)
    with tempfile.TemporaryDirectory(prefix="lexmill-interop-") as temporary:
        directory = Path(temporary)
        lexmill = Lexmill(options.binary, directory, checks)
        base = make_base(directory)
        for group in GROUPS:
            if options.groups and not any(name in group.__name__ for name in options.groups):
                continue
            folder = directory / group.__name__
            folder.mkdir()
            try:
                group(lexmill, checks, base, folder)
            except Mismatch as mismatch:
                checks.fail(mismatch)
                if not options.keep_going:
                    break
    versions = {
        "gensim": gensim.__version__,
        "NumPy": np.__version__,
        "pandas": pd.__version__,
        "Polars": pl.__version__,
        "PyArrow": pa.__version__,
        "DuckDB": duckdb.__version__,
        "safetensors": safetensors.__version__,
    }
    print("with " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
