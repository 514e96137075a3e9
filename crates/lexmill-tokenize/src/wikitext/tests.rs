//! What becomes of each kind of markup.

use super::namespaces::{HIDDEN_PREFIXES, OTHER_PREFIXES, normal_prefix};
use super::tags::{BLOCK, INLINE, MAX_NAME_BYTES};
use super::*;
use proptest::prelude::*;

fn namespaces() -> Namespaces {
    let names = [(0, ""), (6, "Datei"), (14, "Kategorie"), (100, "Portal"), (-2, "Medium")];
    Namespaces::new(names.into_iter().map(|(number, name)| (number, name.to_owned())))
}

fn text(markup: &str) -> String {
    let mut out = String::new();
    plain_text(markup, &namespaces(), &mut out);
    out
}

/// Checks pages of one line.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (markup, expected) in cases {
        let text = text(markup);
        assert_eq!(text.strip_suffix('\n').unwrap_or(&text), *expected, "{markup}");
    }
}

/// Marks between spaces, with signs for spaces and line feeds of their own.
fn spelled_out(marks: &str) -> Vec<String> {
    marks.split(' ').map(|mark| mark.replace('␣', " ").replace('⏎', "\n")).collect()
}

#[test]
fn a_page() {
    let page = "\
{{Short description|A heron
|lang=en}}
{{Infobox bird
| name  = Mud heron
| image = [[File:Heron.jpg|thumb|A [[heron]] in mud]]
| range = {{flatlist|
* [[Lake Orm]]
}}
}}
[[File:Nest.png|thumb|right|A nest near [[Orm]],<ref>Lund, p. 3</ref> in ''spring'']]
__NOTOC__
The '''mud heron''' ({{IPA|xx|hɛrən}}; {{lang|la|Ardea ''limi''}}) is a [[wader (bird)|wader]]
of the genus ''[[Ardea]]''.<ref name=\"a\">{{cite book|title=Herons}}</ref><ref name=\"a\" /> It was
described in 1901.<!-- by whom? -->

== Range and ''habits'' == <!-- moved -->

It lives at:
* [[Lake Orm]], at the [http://example.org/orm Orm Station];
*# the delta&nbsp;– up to 40&nbsp;km&sup2;
{| class=\"wikitable\"
|-
! Year !! Herons
|-
| 1990 || {{nts|12}}
|}
----
It eats frogs.

{{Herons}}
[[Category:Herons]]
[[de:Schlammreiher]]
";
    assert_eq!(
        text(page),
        "The mud heron is a wader
of the genus Ardea. It was
described in 1901.
Range and habits
It lives at:
Lake Orm, at the Orm Station;
the delta\u{a0}– up to 40\u{a0}km²
It eats frogs.
"
    );
}

#[test]
fn templates_and_parameters() {
    check(&[
        ("a {{b}} c", "a  c"),
        ("a {{b|{{c|d}}|e={{{f|{{g}}}}}}} h", "a  h"),
        ("{{{1|x}}}y {{{{{a}}}|b}}z", "y z"),
        ("{{#if: {{{a|}}} | [[b]] | {{c}} }}d", "d"),
        ("{{a|[[b|c}} d", " d".trim()),
        ("{{{a}} b", "{ b"),
        ("{a} and {b", "{a} and {b"),
        ("{{a}}} b", "} b"),
    ]);
    assert_eq!(text("a\n{{b\n|c=d\n\n|e}}\nf {{g\n|h}} i\n"), "a\nf  i\n");
}

#[test]
fn braces_without_an_end() {
    assert_eq!(
        text("{{Box\n| a = b\n| c = {{d}}\n\nThe heron {{e}} eats.\n\nIt sleeps."),
        "Box\nThe heron  eats.\nIt sleeps.\n"
    );
    assert_eq!(text("The {{heron eats.\nIt sleeps. }} "), "The\n");
    check(&[("The heron}} eats {{frogs", "The heron eats frogs"), ("a {{b {{c}} d", "a b  d")]);
}

#[test]
fn tables() {
    assert_eq!(text("a\n{| class=x\n! b\n|-\n| c || d\n|}\ne"), "a\ne\n");
    assert_eq!(text("a\n:{|\n| b\n{|\n| c\n|}\n| d\n|} e\nf"), "a\ne\nf\n");
    assert_eq!(text("{{a|\n{|\n| b\n|}}}\nc"), "c\n");
    assert_eq!(text("{|\n| {{a|\n|}}\n| b\n|}\nc"), "c\n");
    // Not closed: its rows go, and all else stays.
    assert_eq!(text("a\n{| class=x\n|-\n| b [[c|d]]\ne\n\nf"), "a\ne\nf\n");
    assert_eq!(text("a\n|}\nb"), "a\nb\n");
    check(&[("a {| b", "a {| b")]);
}

#[test]
fn comments() {
    check(&[
        ("a<!-- b\n\n-- > c -->d", "ad"),
        ("<!-- a -->* b", "b"),
        ("a <!-- b\nc".lines().next().unwrap_or(""), "a  b"),
        ("a <!-- [[b]] <!-- c", "a  b  c"),
    ]);
    assert_eq!(text("a\n<!-- b -->\nc <!-- d\n\ne"), "a\nc  d\ne\n");
}

#[test]
fn references() {
    check(&[
        ("a<ref>b</ref>, c<ref name=\"d\">{{e</ref> f", "a, c f"),
        ("a<REF name=b>c</Ref > d<ref name=e/> f<ref name=\"g\" />", "a d f"),
        ("a<references /> b<references><ref name=c>d</ref></references>", "a b"),
        ("a</ref> b", "a b"),
        ("a <ref>b [[c]]", "a b c"),
        ("a<ref b", "a<ref b"),
        // Where the slash was forgotten.
        ("a<ref name=b> c d<ref>e</ref> f", "a c d f"),
        ("a<ref>b<ref name=c/>d</ref> e", "a e"),
    ]);
}

#[test]
fn elements() {
    check(&[
        ("a <math>x < \\frac{1}{2}</math> b <chem>H2O</chem>c", "a  b c"),
        ("<gallery mode=x>\nA.jpg|b\n</gallery>c", "c"),
        ("<syntaxhighlight lang=c>if (a < b) { {{</syntaxhighlight>c", "c"),
        ("<source>a</source><timeline>b</timeline><score>c</score>d", "d"),
        ("H<sub>2</sub>O <span style=\"x\">is</span> <b>wet</B>", "H2O is wet"),
        ("a<br>b<br />c<BR/>d", "a b c d"),
        ("<div>a</div><div>b</div>", "a b"),
        ("<blockquote>\n<p>a</p>\n</blockquote>", "a"),
        ("1 < 2 and 3 > 2, <heron>, <3", "1 < 2 and 3 > 2, <heron>, <3"),
        ("a <math>b", "a b"),
        ("a <b b", "a <b b"),
        ("<poem>a</poem><section begin=x />b<templatestyles src=\"c\"/>", "a b"),
        ("<includeonly>a</includeonly><noinclude>b</noinclude>", "b"),
    ]);
    for names in [&DROPPED[..], &LITERAL, BLOCK, INLINE] {
        assert!(names.is_sorted() && names.iter().all(|name| name.len() <= MAX_NAME_BYTES));
    }
}

#[test]
fn nowiki() {
    check(&[
        ("a <nowiki>[[b]] ''c'' {{d}} <e></nowiki> ''f''", "a [[b]] ''c'' {{d}} <e> f"),
        ("<nowiki>&lt;ref&gt; &amp;amp;</nowiki>", "<ref> &amp;"),
        ("a<nowiki/>b <nowiki>c", "ab c"),
        ("{{a|<nowiki>}}</nowiki>}}b", "b"),
    ]);
    assert_eq!(text("<pre>\n* a\n\n  [[b]]\n</pre>\nc"), "* a\n[[b]]\nc\n");
}

#[test]
fn links() {
    check(&[
        ("[[heron]]s and [[heron|birds]]", "herons and birds"),
        ("[[Heron (bird)|]], [[Orm, Lake|]], [[Wikt:heron|]]", "Heron, Orm, heron"),
        ("[[a|''b'' {{c}}[[d]]]]", "b d"),
        ("[[a|b|c]]", "c"),
        ("[[#Range|range]] [[ a ]]b", "range a b"),
        ("[[Portal:Birds]] [[portal:birds|birds]] [[User:Ann]]", "birds"),
        ("[[wikt:heron]]", "wikt:heron"),
        ("[[Blade: Two]] [[C:D|e]]", "Blade: Two e"),
        ("[[[a]]] [b] [[[[c]]]]", "[a] [b] c"),
    ]);
    assert_eq!(text("[[a|b\nc]] d"), "b\nc d\n");
}

#[test]
fn links_that_are_no_text() {
    check(&[
        ("[[File:A b.jpg|thumb|100px|A [[heron]] and [[a|b]] [http://x y]]] c", "c"),
        ("[[datei: x.jpg|a]] [[IMAGE:x|a]] [[ Kategorie :B]] [[medium:a.ogg|b]]c", "c"),
        ("[[Category:Herons|{{PAGENAME}}]]a", "a"),
        ("[[file:a|b\n|c]]d", "d"),
        ("[[:Category:Herons]] [[:Datei:a.jpg|a]] [[:de:b]]", "Category:Herons a de:b"),
        ("a [[de:Reiher]][[zh-min-nan:b]] [[de:Reiher|c]]", "a  c"),
    ]);
    assert_eq!(text("[[File:a|b\n\nc]]d"), "b\ncd\n");
    let file = |name: &str| normal_prefix(name) == name;
    assert!(HIDDEN_PREFIXES.iter().chain(OTHER_PREFIXES).all(|name| file(name)));
}

#[test]
fn links_without_an_end() {
    assert_eq!(text("a [[b c\nd]] e"), "a b c\nd e\n");
    assert_eq!(text("a [[b|c\n\nd | e]] f"), "a c\nd | e f\n");
    assert_eq!(text("a [[File:b|thumb|c [[d]]\n\ne"), "a c d\ne\n");
    check(&[("a]] b [[c [[d]]", "a b c d"), ("[[a {{b]] c}} d", "a b c d")]);
    let long = "heron ".repeat(200);
    assert_eq!(text(&format!("[[{long}| a")), format!("{long}| a\n"));
}

#[test]
fn external_links() {
    check(&[
        ("a [http://example.org/a?b=c&d d ''e'']. [https://example.org]f", "a d e. f"),
        ("[//example.org a] [MAILTO:ann@example.org Ann]", "a Ann"),
        ("[http://example.org/{{a|b}}/c d] e", "d e"),
        (
            "see http://example.org/a_b for [1] and [sic]",
            "see http://example.org/a_b for [1] and [sic]",
        ),
        ("[[http://example.org a]] b", "a b"),
        ("[http://example.org [[a]]] b", "a b"),
    ]);
    assert_eq!(text("[http://example.org a\nb] c"), "a\nb] c\n");
}

#[test]
fn quotes() {
    check(&[
        ("''a'' '''b''' '''''c''''' it's", "a b c it's"),
        ("''''a'''' ''''''b", "'a' 'b"),
        ("l'''Orme'' and '''b'''", "l'Orme and b"),
        ("a'''b''' and ''c''", "ab and c"),
        ("the herons''' nests", "the herons nests"),
    ]);
}

#[test]
fn lines() {
    assert_eq!(text("=== A b ===\n= c =\n==d== \ne = f ="), "A b\nc\nd\ne = f =\n");
    assert_eq!(text("== a {{b\n|c}} ==\nd"), "a\nd\n");
    assert_eq!(text("* a\n*: b\n#c\n; d : e\n:: f\n  g"), "a\nb\nc\nd : e\nf\ng\n");
    assert_eq!(text("a\r\n\r\n \t\n\n\nb \u{a0}\n----\nc -- d\n-----e"), "a\nb\nc -- d\ne\n");
    assert_eq!(text(" \n\n"), "");
    assert_eq!(text(""), "");
}

#[test]
fn switches() {
    check(&[
        ("__TOC__a __NOEDITSECTION__ __KEIN_INHALTSVERZEICHNIS__b", "a  b"),
        ("__ОГЛ__ __目次__ __init__ a__B__ ______ __", "__init__ a__B__ ______ __"),
    ]);
}

#[test]
fn variants() {
    check(&[
        ("a-{zh-hans:b; zh-hant:c}-d", "abd"),
        ("-{zh-cn: b;zh-tw:c;}-", "b"),
        ("-{heron; nest}- -{ a }-b", "heron; nest  a b"),
        ("a-{H|zh-cn:b;zh-tw:c}-d -{A|zh-cn:e;zh-tw:f}- -{T|g}-", "ad e"),
        ("-{zh-hans;zh-hant|a}- -{|zh:b}- -{zh;zh-cn|c}-", "a b c"),
        ("-{zh-cn:[[a|b]]; zh-tw:[[c|d]]}-", "b"),
        ("-{{{a}}b}- -{{a}}- {{c|-{d}-}}", "b --"),
        ("a -{b", "a b"),
        ("a-{zh:b;zh-tw:c", "abzh-tw:c"),
        ("-{zh-cn:a-{zh-cn:b;zh-tw:c}-d;zh-tw:e}-", "abd"),
        ("{a}- b", "{a}- b"),
    ]);
}

#[test]
fn entities() {
    check(&[
        ("&amp; &lt;b&gt; &eacute;&#233;&#xE9; &quot;", "& <b> ééé \""),
        ("AT&T &copy &heron; & &;", "AT&T &copy &heron; & &;"),
        ("a&#10;b&#x7f;c", "a b c"),
        // Once, and what it gives is no markup.
        ("&amp;lt; &#91;&#91;a&#93;&#93; &#123;&#123;b}}", "&lt; [[a]] {{b"),
        ("&amp", "&amp"),
    ]);
}

#[test]
fn empty_parentheses() {
    check(&[
        ("Orm ({{a}}) is", "Orm is"),
        ("Orm ({{a}}, {{b}}; {{c}}) is", "Orm is"),
        ("Orm ( <ref>a</ref> ), is", "Orm , is"),
        ("奥姆（{{a}}，{{b}}）是", "奥姆是"),
        ("Orm (({{a}})) ({{b}} 1901) [({{c}})]", "Orm ( 1901) []"),
        ("main() calls f( ) {{a}} g()", "main() calls f( )  g()"),
        ("({{a}}) b", "b"),
        ("( {{ {{a}} ) b", "(   ) b"),
    ]);
}

#[test]
fn appends() {
    let mut out = "heron ".to_owned();
    plain_text(" a ({{b}})\n}}", &namespaces(), &mut out);
    plain_text("{{c}}", &namespaces(), &mut out);
    assert_eq!(out, "heron a\n");
}

/// Two megabytes each of what a page can hold much of. With time or a call stack that grew faster than
/// the page, this test would not end.
#[test]
fn time_is_linear() {
    const BYTES: usize = 2_000_000;
    let marks = spelled_out(
        "{{ {{a| }} { } [[ [[a| [[File:a| ]] [ ] -{ -{zh:a;zh: -{a| }- {|⏎ ⏎|} ⏎| | <ref> <ref \
        </ref> <ref/> <math> </math <nowiki> <b <!-- --> ''' a''' '' [http://a␣b [http://{{ &amp \
        &# __A _ == ⏎== ( ({{}} {{}}) (␣{{a}} ,␣{{}} ⏎ ␣ ⏎␣ ; ;␣ \u{3000} [[a:",
    );
    let fill = |unit: &str, bytes: usize| unit.repeat(bytes / unit.len() + 1);
    let mut pages: Vec<String> = marks.iter().map(|mark| fill(mark, BYTES)).collect();
    for (open, close) in [
        ("{{", "}}"),
        ("[[a|b", "]]"),
        ("[[", "\n"),
        ("[[a|", "\n \n"),
        ("-{zh:a", ";zh:b}-"),
        ("(", "{{}})"),
        ("{|\n", "\n|}"),
        ("<ref>", "</ref>"),
        ("<ref><i>", "</ref>"),
        ("<nowiki>", "</nowiki>"),
        ("{{[[a|", "\n|}"),
        ("{|\n{{[[a|", "\n|}}"),
        ("{{[[", "]]"),
        ("[[{{", "}}"),
        ("-{{{", "}}}-"),
        ("[http://a ", "]"),
        ("<!--", "-->"),
        ("a ", "{{}})"),
    ] {
        pages.push(fill(open, BYTES / 2) + &fill(close, BYTES / 2));
        pages.push(fill(&format!("{open}{close}"), BYTES));
    }
    for first in &marks {
        for second in &marks {
            pages.push(fill(&format!("{first}{second}"), BYTES / 100));
        }
    }
    let mut out = String::new();
    for page in pages {
        out.clear();
        plain_text(&page, &namespaces(), &mut out);
        assert!(out.len() <= page.len() + 1);
    }
}

/// Pieces of markup in any order.
fn markup() -> impl Strategy<Value = String> {
    let pieces = spelled_out(
        "{{ }} { } {{{ }}} {| |} |- | || [[ ]] [ ] [[File: [[Category: [[de: [[: [http://a -{ }- \
        -{H| -{zh: ;zh-tw: ; : <ref> </ref> <ref␣name=a /> > < <!-- --> <nowiki> </nowiki> \
        <math> </math> <br> <div </b> <pre> </pre> ' '' ''' ''''' = == ⏎ ⏎⏎ ⏎* ⏎# ⏎---- ⏎{| ⏎|} \
        ⏎| ⏎== \r⏎ ␣ ␣␣ \u{a0} \u{3000} ( ) （ ） , __ __TOC__ _ & &nbsp; &#10; &lt; a heron é 中 \
        \u{301} 😀",
    );
    proptest::collection::vec(proptest::sample::select(pieces), 0..60)
        .prop_map(|pieces| pieces.concat())
}

fn check_lines(markup: &str) -> Result<(), TestCaseError> {
    let before = "heron é";
    let mut out = before.to_owned();
    plain_text(markup, &namespaces(), &mut out);
    let Some(text) = out.strip_prefix(before) else {
        return Err(TestCaseError::fail("what was there is gone"));
    };
    prop_assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        prop_assert!(!line.is_empty() && line.trim() == line, "{:?}", text);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_markup_gives_clean_lines(markup in markup()) {
        check_lines(&markup)?;
    }

    #[test]
    fn any_text_gives_clean_lines(text in any::<String>()) {
        check_lines(&text)?;
    }

    #[test]
    fn prose_stays(lines in proptest::collection::vec("[a-z(][a-zé中.,()?! -]{0,30}[a-z.]", 0..6)) {
        let page = lines.join("\n\n");
        let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(text(&page), expected);
    }

    #[test]
    fn an_opening_mark_costs_no_word(
        words in proptest::collection::vec(("[a-z]{1,6}", "( |\n|\n\n)"), 1..30),
        place in any::<proptest::sample::Index>(),
        mark in proptest::sample::select(spelled_out(
            "{{ {{{ [[ [[File: [[a| [http://a␣ -{ -{zh: <!-- <ref> <ref␣name=a> <math> <nowiki> <b> \
        ⏎{|⏎ '' ''' [ { < ⏎== ⏎*␣ }} ]] |} }- --> </ref> __",
        )),
    ) {
        let place = place.index(words.len());
        let mut page = String::new();
        let mut expected = String::new();
        for (i, (word, end)) in words.iter().enumerate() {
            if i == place {
                page += &mark;
            }
            page += word;
            page += end;
            expected += word;
            expected += " ";
        }
        let text = text(&page);
        let found = text.split_whitespace().map(|word| {
            let word = word.rsplit(':').next().unwrap_or(word);
            word.trim_start_matches(|c: char| !c.is_ascii_lowercase())
        });
        let found: String = found.flat_map(|word| [word, " "]).collect();
        prop_assert_eq!(found, expected);
    }
}
