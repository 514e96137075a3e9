"""Trains gensim's Word2Vec or FastText on a text and prints what training cost, as JSON.

The text has a document a line and its words between single spaces. The vocabulary is read before the
clocks start; what is measured is `train()`, over all its threads. `lexmill-benches word2vec` calls
this; by hand it makes vectors for `lexmill-benches word2vec-scores --peer-vectors`:

    python gensim_train.py --text TEXT --model sg --epochs 5 --threads 1 --seed 1 --save VECTORS

On one thread: reading a file, each of n threads lowers the learning rate by its own share of the
texts, so that it falls by 1/n of what it should in each epoch, and ends above its minimum. With two
threads and five epochs that ends at a tenth of the rate it started with, and CBOW scores better on
analogies: other settings than those asked for.
"""

import argparse
import json
import time

import gensim
from gensim.models import FastText, Word2Vec


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", required=True)
    parser.add_argument("--model", choices=["sg", "cbow"], required=True)
    parser.add_argument("--loss", choices=["ns", "hs"], default="ns")
    parser.add_argument("--subwords", action="store_true", help="n-grams of 3 to 6 characters")
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--negatives", type=int, default=5)
    parser.add_argument("--sample", type=float, default=1e-4)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", help="where to write the vectors, in word2vec's text format")
    given = parser.parse_args()

    settings = dict(
        vector_size=given.dimensions,
        window=given.window,
        sg=int(given.model == "sg"),
        hs=int(given.loss == "hs"),
        negative=given.negatives if given.loss == "ns" else 0,
        sample=given.sample,
        min_count=given.min_count,
        alpha=given.learning_rate,
        epochs=given.epochs,
        workers=given.threads,
        seed=given.seed,
    )
    if given.subwords:
        model = FastText(min_n=3, max_n=6, **settings)
    else:
        model = Word2Vec(**settings)
    # Lists of words would be cut at 10,000 a text; a file is not.
    model.build_vocab(corpus_file=given.text)

    cpu, wall = time.process_time(), time.perf_counter()
    model.train(
        corpus_file=given.text,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=given.epochs,
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if given.save:
        model.wv.save_word2vec_format(given.save)
    print(
        json.dumps(
            {
                "gensim": gensim.__version__,
                "cpu": cpu,
                "wall": wall,
                "tokens": model.corpus_total_words,
                "words": len(model.wv),
            }
        )
    )


if __name__ == "__main__":
    main()
