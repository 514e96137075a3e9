//! Embeddings: reading them beside gensim, a thousand questions, one from a cold start, and a report.
//!
//! Vectors are random: what is measured does not depend on what they mean. Bars: 400,000 × 100 of GloVe's
//! text ≥ 10 times gensim's `load_word2vec_format`, Parquet ≥ 50 times; 1,000 neighbour queries of 400,000 ×
//! 300 at 2 threads ≥ 3 times gensim's `most_similar` one by one, and < 10 s; one from a cold start on a
//! Parquet file of 400,000 × 100 < 0.5 s; the report of a run with a model of 400,000 words < 30 s and
//! < 10 MB.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use lexmill_store::AtomicFile;
use lexmill_vocab::Random;
use serde_json::Value;

use crate::child::{self, Cost};
use crate::lab::Lab;
use crate::report::{Report, bar, mebibytes, say, seconds, thousands, times};

const WORDS: usize = 400_000;
const QUESTIONS: usize = 1_000;
const THREADS: u32 = 2;
/// The program's own answers are held against gensim's, which are computed in another order.
const SAME_ANSWERS: f64 = 0.999;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// A Python with gensim
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
}

impl Options {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        if self.python.is_some() { " --python PYTHON".to_owned() } else { String::new() }
    }
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let mut report = Report::new();
    let folder = lab.fresh("embeddings")?;
    let text = folder.join("r100.glove.txt");
    random_text(&text, 100, 1)?;
    let parquet = folder.join("r100.parquet");
    convert(lab, &text, &parquet)?;
    say("400,000 × 100 is there");

    let ask = |path: &Path| {
        let mut command = lexmill(lab);
        command.arg("neighbors").arg(path).arg("w77");
        command
    };
    let of_text = several(lab, || ask(&text))?;
    let of_parquet = several(lab, || ask(&parquet))?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let theirs = options.python.as_ref().map(|python| {
        let arguments = [String::from("--vectors"), text.display().to_string()];
        gensim(python, &arguments, 1)
    });
    let theirs = theirs.transpose()?;
    for (name, path, costs, least) in
        [("GloVe text", &text, &of_text, 10.0), ("Parquet", &parquet, &of_parquet, 50.0)]
    {
        let wall = median(costs, |cost| cost.wall);
        let cpu = median(costs, Cost::cpu);
        let shown = format!("{} wall, {} CPU", seconds(wall), seconds(cpu));
        let title =
            format!("{name}, {} MB: read and one question, whole process", size(path) / 1_000_000);
        report.fact(&title, shown, String::new());
        if let Some(theirs) = &theirs {
            let (load, load_cpu) = (number(theirs, "load_wall")?, number(theirs, "load_cpu")?);
            let ratio = load_cpu / cpu;
            let shown = format!("{} by CPU, {} by wall", times(ratio), times(load / wall));
            let title = format!("gensim's load_word2vec_format of the text, {}", seconds(load_cpu));
            report.fact(&title, shown, bar(&format!("≥ {least} ×"), ratio >= least));
        }
    }
    let cold = median(&of_parquet, |cost| cost.wall);
    report.fact(
        "neighbors WORD from a cold start, Parquet",
        seconds(cold),
        bar("< 0.5 s", cold < 0.5),
    );
    let peak = median(&of_parquet, |cost| cost.peak_bytes as f64);
    report.fact("its peak memory", mebibytes(peak), String::new());
    std::fs::remove_file(&text)?;

    questions(lab, options, &folder, &mut report)?;
    report_of_run(lab, &folder, &mut report)?;
    crate::lab::remove(&folder)?;
    Ok(report)
}

/// A thousand questions on 400,000 × 300, beside gensim's one by one.
fn questions(lab: &Lab, options: &Options, folder: &Path, report: &mut Report) -> Result<()> {
    let (text, parquet) = (folder.join("r300.glove.txt"), folder.join("r300.parquet"));
    random_text(&text, 300, 2)?;
    convert(lab, &text, &parquet)?;
    let words = folder.join("questions.txt");
    let asked: Vec<String> = (0..QUESTIONS).map(|i| format!("w{}", i * 397 % WORDS)).collect();
    write(&words, asked.join("\n") + "\n")?;
    let ask = || {
        let mut command = lexmill(lab);
        command.arg("neighbors").arg(&parquet).arg("-f").arg(&words).arg("--json");
        command
    };
    let costs = several(lab, ask)?;
    let (wall, cpu) = (median(&costs, |cost| cost.wall), median(&costs, Cost::cpu));
    let title = "1,000 neighbour queries, 400,000 × 300, 2 threads, whole process";
    let shown = format!("{} wall, {} CPU", seconds(wall), seconds(cpu));
    report.fact(title, shown, bar("< 10 s", wall < 10.0));
    say(&format!("1,000 questions: {}", seconds(wall)));
    let Some(python) = &options.python else { return Ok(()) };
    let binary = folder.join("r300.bin");
    convert(lab, &text, &binary)?;
    std::fs::remove_file(&text)?;
    let arguments = [
        "--vectors".to_owned(),
        binary.display().to_string(),
        "--binary".to_owned(),
        "--words".to_owned(),
        words.display().to_string(),
    ];
    let theirs = gensim(python, &arguments, THREADS)?;
    let ratio = number(&theirs, "ask_wall")? / wall;
    let name =
        format!("gensim's most_similar one by one, {}", seconds(number(&theirs, "ask_wall")?));
    let shown = format!("{} by wall", times(ratio));
    report.fact(&name, shown, bar("≥ 3 ×", ratio >= 3.0));
    let output = ask().stdout(Stdio::piped()).output()?;
    let ours: Value = serde_json::from_slice(&output.stdout).context("answers that are no JSON")?;
    let same = same_answers(&ours, &theirs["answers"]);
    let shown = format!("{:.2} %", same * 100.0);
    report.fact(
        "of gensim's ten nearest words among ours",
        shown,
        bar("≥ 99.9 %", same >= SAME_ANSWERS),
    );
    Ok(())
}

/// The share of the one's answers that are the other's as well.
fn same_answers(ours: &Value, theirs: &Value) -> f64 {
    let (mut same, mut all) = (0, 0);
    let (ours, theirs) = (ours.as_array(), theirs.as_array());
    for (ours, theirs) in ours.into_iter().flatten().zip(theirs.into_iter().flatten()) {
        let ours: Vec<&Value> =
            ours["neighbors"].as_array().into_iter().flatten().map(|near| &near["word"]).collect();
        for word in theirs.as_array().into_iter().flatten() {
            all += 1;
            same += usize::from(ours.contains(&word));
        }
    }
    f64::from(u32::try_from(same).unwrap_or(0)) / all.max(1) as f64
}

/// The report of a run whose model has 400,000 words.
fn report_of_run(lab: &Lab, folder: &Path, report: &mut Report) -> Result<()> {
    let run = folder.join("run");
    let definition = folder.join("p.toml");
    let text = folder.join("text.txt");
    let mut lines = String::new();
    let mut random = Random::named(&[3]);
    for word in 0..WORDS {
        lines +=
            &format!("w{word} w{} w{}\n", random.below(WORDS as u32), random.below(WORDS as u32));
    }
    write(&text, lines)?;
    let stages = format!(
        "name = \"r\"\n[stages.tokens]\nkind = \"tokenize\"\ninput = [{:?}]\n[stages.words]\n\
         kind = \"vocabulary\"\ntokens = \"tokens\"\nmin_count = 1\n[stages.skipgram]\nkind = \"skipgram\"\n\
         tokens = \"tokens\"\nvocabulary = \"words\"\ndimensions = 100\nepochs = 1\n[stages.vectors]\n\
         kind = \"export\"\nmodel = \"skipgram\"\n",
        text.display().to_string()
    );
    write(&definition, stages)?;
    let mut command = lexmill(lab);
    child::measure(command.arg("run").arg(&definition).arg("--dir").arg(&run).arg("--quiet"))?;
    let html = folder.join("report.html");
    let made = several(lab, || {
        let mut command = lexmill(lab);
        command.arg("report").arg(&run).arg("-o").arg(&html);
        command
    })?;
    let wall = median(&made, |cost| cost.wall);
    report.fact("report of a run with 400,000 words", seconds(wall), bar("< 30 s", wall < 30.0));
    let bytes = std::fs::metadata(&html)?.len();
    let shown = format!("{} B", thousands(bytes));
    report.fact("its size", shown, bar("< 10 MB", bytes < 10_000_000));
    let peak = median(&made, |cost| cost.peak_bytes as f64);
    report.fact("its peak memory", mebibytes(peak), String::new());
    Ok(())
}

fn lexmill(lab: &Lab) -> Command {
    let mut command = Command::new(lab.program());
    command.args(["--threads", &THREADS.to_string(), "--quiet"]).stdout(Stdio::null());
    command
}

fn several(lab: &Lab, command: impl Fn() -> Command) -> Result<Vec<Cost>> {
    (0..lab.runs(5)).map(|_| child::measure(&mut command())).collect()
}

fn median(costs: &[Cost], figure: fn(&Cost) -> f64) -> f64 {
    super::spread(costs, figure).median()
}

fn convert(lab: &Lab, from: &Path, to: &Path) -> Result<()> {
    child::measure(lexmill(lab).arg("convert").arg(from).arg(to)).map(drop)
}

/// What gensim took; see the script.
fn gensim(python: &Path, arguments: &[String], threads: u32) -> Result<Value> {
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/gensim_vectors.py")).args(arguments);
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
        command.env(name, threads.to_string());
    }
    let output = command.output().with_context(|| format!("can't run {}", python.display()))?;
    if !output.status.success() {
        bail!("gensim: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn number(found: &Value, name: &str) -> Result<f64> {
    found[name].as_f64().with_context(|| format!("the peer's script says no {name}"))
}

/// GloVe's text of random vectors, with five digits after the point as Stanford's files have about.
fn random_text(path: &Path, dim: usize, seed: u64) -> Result<()> {
    let mut random = Random::named(&[seed]);
    let mut file = AtomicFile::create(path)?;
    for word in 0..WORDS {
        let mut line = format!("w{word}");
        for _ in 0..dim {
            line += &format!(" {:.5}", (random.unit_f32() - 0.5) * 2.0);
        }
        line.push('\n');
        file.write_all(line.as_bytes())?;
    }
    file.commit("", 0)?;
    Ok(())
}

fn write(path: &Path, text: String) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes())?;
    file.commit("", 0)?;
    Ok(())
}
