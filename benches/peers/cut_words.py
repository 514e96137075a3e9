"""Tokenizes a text with a peer and prints what that cost, as JSON.

`whitespace` is the pre-tokenizer of that name of Hugging Face's tokenizers, a line at a time; `jieba`
is jieba's cut() with its hidden Markov model. What is measured is the process's CPU time for cutting
alone, without reading the file and loading the dictionary. With --save, jieba's tokens that have a letter or
digit are written, a line each line of the text, with tabs between them. `lexmill-benches tokenize` calls
this.
"""

import argparse
import json
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", required=True)
    parser.add_argument("--peer", choices=["whitespace", "jieba"], required=True)
    parser.add_argument("--save", help="where to write the tokens")
    given = parser.parse_args()

    with open(given.text, encoding="utf-8", newline="\n") as file:
        lines = file.read().split("\n")
    if given.peer == "whitespace":
        from tokenizers import pre_tokenizers

        cut = pre_tokenizers.Whitespace().pre_tokenize_str
    else:
        import jieba

        jieba.initialize()
        cut = jieba.lcut

    tokens = 0
    results = []
    begun = time.process_time()
    for line in lines:
        result = cut(line)
        tokens += len(result)
        if given.save:
            results.append(result)
    cpu = time.process_time() - begun
    if given.save:
        with open(given.save, "w", encoding="utf-8", newline="\n") as file:
            for result in results:
                words = (word for word in result if any(c.isalnum() for c in word))
                file.write("\t".join(words) + "\n")
    print(json.dumps({"cpu": cpu, "tokens": tokens}))


if __name__ == "__main__":
    main()
