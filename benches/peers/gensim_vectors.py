"""Loads embeddings with gensim and asks for neighbours, and prints what that cost, as JSON.

Only loading and asking are measured, not the start of Python and the imports. Words are asked for one by
one, as a program does that has them one by one, on as many threads as the linear algebra underneath is
given (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS). `lexmill-benches embeddings` calls this.
"""

import argparse
import json
import time


def clocks():
    return time.perf_counter(), time.process_time()


def since(begun):
    return [now - then for now, then in zip(clocks(), begun)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--binary", action="store_true", help="word2vec's binary format, not GloVe's text")
    parser.add_argument("--words", help="a file of words to ask for, one a line")
    given = parser.parse_args()

    from gensim.models import KeyedVectors

    begun = clocks()
    vectors = KeyedVectors.load_word2vec_format(
        given.vectors, binary=given.binary, no_header=not given.binary
    )
    wall, cpu = since(begun)
    found = {"rows": len(vectors), "load_wall": wall, "load_cpu": cpu}
    if given.words:
        with open(given.words, encoding="utf-8") as file:
            words = file.read().splitlines()
        vectors.most_similar(words[0])  # The lengths of all vectors are taken once.
        begun = clocks()
        answers = [[word for word, _ in vectors.most_similar(word, topn=10)] for word in words]
        found["ask_wall"], found["ask_cpu"] = since(begun)
        found["answers"] = answers
    print(json.dumps(found))


if __name__ == "__main__":
    main()
