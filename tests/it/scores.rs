//! Scores: every kind of test set, embeddings from anywhere, and comparisons.

use serde_json::Value;

use crate::lab::Lab;

/// A lab with two files of embeddings and a test set of every kind.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write(
        "ours.txt",
        "paris 1 0 0 0.1\nfrance 1 0 0 1\nrome 0 1 0 0.1\nitaly 0 1 0 1\noslo 0 0 1 0.1\n\
         norway 0 0 1 1\nwalk -1 0 0 0\nwalked 0 0 -1 0\n",
    );
    lab.write(
        "theirs.vec",
        "6 2\nParis 1 0\nFrance 0 1\nRome 1 0.2\nItaly 0.3 1\nwalk 1 1\nwalked -1 1\n",
    );
    lab.write("sim.txt", "Paris France 9\nParis Rome 3\nwalk Paris 1\nnowhere Rome 2\n");
    lab.write("google.txt", ": capitals\nParis France Rome Italy\nParis France Oslo Norway\n");
    lab.write("msr/relations.questions", "walk walked Paris\n");
    lab.write("msr/relations.answers", "VB_VBD Rome\n");
    lab.write("bats/3_Encyclopedic/E01.txt", "paris\tfrance\nrome\titaly/nowhere\n");
    lab.write("bats/1_Inflectional/I01.txt", "walk\twalked\nparis\trome\n");
    lab.write("categories.csv", "paris,1\nfrance,1\nrome,2\nitaly,2\nbern,2\n");
    lab.write("topics/one.txt", "Paris\nFrance\n\nwalked\nOslo_Norway\n");
    let texts = ["\"Paris, France\",1\n", "Rome; Italy,2\n", "nothing,2\n"].concat().repeat(6);
    lab.write("texts.csv", format!("body,kind\n{texts}"));
    lab
}

const SETS: &str = "--similarity sim.txt --analogies google.txt --analogies msr/relations.questions \
                    --analogies bats --categorization categories.csv --outliers topics \
                    --classification texts.csv --text-field body --label-field kind --folds 3";

fn scores(json: &str) -> Vec<Value> {
    let json: Value = serde_json::from_str(json).unwrap();
    json["scores"].as_array().unwrap().clone()
}

#[test]
fn any_file_is_scored_on_every_kind_of_test_set() {
    let lab = lab();
    let outcome = lab.run(&format!("evaluate --embeddings ours.txt -o s {SETS}")).done();
    for part in [
        "Word similarity (Spearman x 100)",
        "3 of 4",
        "Analogies (3CosAdd, % right)",
        "encyclopedic",
        "VB_VBD",
        "Categorization (purity x 100)",
        "4 of 5",
        "Outlier detection (%)",
        "OPP",
        "Classification (%, 3 folds)",
        "majority label",
        "12 of 18",
        "Embeddings: 8 words of 4 dimensions; case folded, vectors scaled to unit length.",
        "among all words and among the 30,000 most frequent",
        "1,000 draws",
    ] {
        assert!(outcome.stdout.contains(part), "{part:?} is not in\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("baseline"), "{}", outcome.stdout);
    // Any name, the same content: it is not done again. Other content is.
    let bytes = std::fs::read(lab.path("ours.txt")).unwrap();
    lab.write("moved.glove", &bytes);
    let again = lab.run(&format!("evaluate --embeddings moved.glove -o s {SETS}")).done();
    assert!(again.ran().is_empty(), "{}", again.stderr);
    let other = lab.run(&format!("evaluate --embeddings theirs.vec -o s {SETS}")).done();
    assert!(other.stderr.contains("its input embeddings has changed"), "{}", other.stderr);
    // The same bytes for one thread.
    lab.run(&format!("evaluate --embeddings theirs.vec -o one --threads 1 {SETS}")).done();
    let table = |stage: &str| std::fs::read(lab.path(stage).join("scores.parquet")).unwrap();
    assert_eq!(table("s"), table("one"));
}

#[test]
fn embeddings_are_compared_on_what_both_cover() {
    let lab = lab();
    let ask = format!("evaluate --embeddings ours.txt -o s --baseline theirs.vec {SETS}");
    let outcome = lab.run(&ask).done();
    for part in ["baseline: 6 words of 2 dimensions", "both cover", "difference"] {
        assert!(outcome.stdout.contains(part), "{part:?} is not in\n{}", outcome.stdout);
    }
    let json = lab.run(&format!("{ask} --json")).done();
    assert!(json.ran().is_empty(), "{}", json.stderr);
    let found = scores(&json.stdout);
    let similarity = &found[0];
    assert_eq!((&similarity["kind"], &similarity["covered"]), (&"similarity".into(), &3.into()));
    assert_eq!(similarity["comparison"]["common"], 3);
    for score in &found {
        let comparison = &score["comparison"];
        let told = ["majority", "tokens"].contains(&score["measure"].as_str().unwrap());
        assert_eq!(comparison.is_null(), told, "{score}");
        if let (Some(p), Some(difference)) =
            (comparison["p"].as_f64(), comparison["difference"].as_f64())
        {
            assert!((0.0..=1.0).contains(&p) && (-2.0..=2.0).contains(&difference), "{score}");
        }
    }
    let conditions: Value = serde_json::from_str(&json.stdout).unwrap();
    let conditions = &conditions["conditions"];
    assert_eq!((&conditions["restrict"], &conditions["lowercase"]), (&30_000.into(), &true.into()));
    assert_eq!(conditions["normalization"], "unit length");
    // A baseline counts by its content, not by where it lies.
    let manifest = std::fs::read_to_string(lab.path("s/manifest.json")).unwrap();
    assert!(manifest.contains("baseline") && !manifest.contains("theirs"), "{manifest}");
    let bytes = std::fs::read(lab.path("theirs.vec")).unwrap();
    lab.write(
        "theirs.vec",
        bytes.iter().map(|b| if *b == b'3' { b'4' } else { *b }).collect::<Vec<_>>(),
    );
    let outcome = lab.run(&ask).done();
    assert!(outcome.stderr.contains("its input baseline has changed"), "{}", outcome.stderr);
    // Against themselves nothing differs.
    let same = format!("evaluate --embeddings ours.txt -o t --baseline ours.txt {SETS} --json");
    for score in scores(&lab.run(&same).done().stdout) {
        let comparison = &score["comparison"];
        if comparison["common"].as_u64().is_some_and(|common| common > 0) {
            assert_eq!((&comparison["difference"], &comparison["p"]), (&0.0.into(), &1.0.into()));
        }
    }
}

#[test]
fn the_method_of_analogies_is_a_setting() {
    let lab = lab();
    let ask = "evaluate --embeddings ours.txt -o s --analogies google.txt --analogy-method 3cosmul";
    let outcome = lab.run(ask).done();
    assert!(outcome.stdout.contains("Analogies (3CosMul, % right)"), "{}", outcome.stdout);
    lab.run("evaluate --embeddings ours.txt -o s --analogies google.txt --analogy-method 3cosine")
        .failed(&["analogy_method", "3cosadd"]);
    lab.run("evaluate --embeddings nowhere.txt -o s --analogies google.txt")
        .failed(&["nowhere.txt"]);
    lab.run("evaluate --embeddings ours.txt -o s").failed(&["name at least one test set"]);
    lab.run("evaluate --embeddings topics -o s --analogies google.txt")
        .failed(&["topics", "manifest"]);
    lab.run("evaluate --embeddings ours.txt -o s --analogies google.txt --baseline no.bin")
        .failed(&["no.bin"]);
    lab.run("evaluate --embeddings ours.txt -o s --classification texts.csv --text-field body")
        .failed(&["texts.csv", "label", "kind"]);
    lab.run("evaluate --embeddings ours.txt -o s --outliers sim.txt")
        .failed(&["sim.txt", "outliers"]);
}
