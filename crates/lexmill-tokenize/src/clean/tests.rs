//! What each step changes, and what it must not.

use super::numbers::{GENERAL_CATEGORY, is_digit, may_begin_digit};
use super::*;
use CleaningStep::*;
use proptest::prelude::*;

const STEPS: [CleaningStep; 6] = [StripHtml, Urls, Emails, Numbers, Controls, RepeatedLines];

fn cleaned(steps: &[CleaningStep], text: &str) -> (String, CleaningCounts) {
    let mut counts = CleaningCounts::default();
    let text = Cleaner::new(steps).clean(text, &mut counts).to_owned();
    (text, counts)
}

/// With placeholders as `U`, `E` and `N`, and their spaces as `_`.
#[track_caller]
fn check(step: CleaningStep, text: &str, expected: &str) {
    let mut shown = cleaned(&[step], text).0;
    for (c, token) in PLACEHOLDERS {
        shown = shown.replace(&format!(" {c} "), &format!("_{}_", &token[1..2].to_uppercase()));
    }
    assert_eq!(shown, expected, "{text:?}");
}

#[test]
fn tags() {
    let check = |text, expected| check(StripHtml, text, expected);
    check("<p>One <b>b</b>old</p><p>Two<br/>Three", "One bold\nTwo\nThree");
    check("<DIV class='x > y'>in</DIV>out", "in\nout");
    check("un<wbr>likely<sup>2</sup>", "unlikely2");
    check("<td>a</td><td>b</td>", "a\nb\n");
    check("a < b, b<3 and c <- d <> e </ f </3", "a < b, b<3 and c <- d <> e </ f </3");
    check(
        "to <ann@lab.example> at <http://lab.example>",
        "to <ann@lab.example> at <http://lab.example>",
    );
    check("<o:p>x</o:p> <my-tag>y", "x\n \ny");
    check("<!DOCTYPE html><?xml version=\"1.0\"?>x<![endif]>", "x");
    check("<![CDATA[x", "x");
    check("a<img alt=\"1 > 0\" src = 'q\"'>b", "a\nb");
    // Quotes that do not match.
    check("<a title=\"half>one</a> <a title=\"two\">two</a>", "one two");
    check("<a href=\"x\"\">y", "y");
    // No end.
    check("x <b and <i>y</i>", "x <b and y");
    check("cut <a href=\"x", "cut <a href=\"x");
    check("cut <", "cut <");
}

#[test]
fn elements_with_content() {
    let check = |text, expected| check(StripHtml, text, expected);
    check("a<script>if (x < y) {}</script >b", "a\nb");
    check("a<STYLE type=x>p > b {}</style>b<style/>c", "a\nb\nc");
    check("<html><head><title>t</title></head><body>b", "b");
    check("<head><title>t</title><body>b", "b");
    check("<header>h</header>", "h\n");
    check("<body><head>Chapter</head>text", "Chapter\ntext");
    check("a<!-- <p>b --> c<!-->d<!---->e", "a cde");
    // No end: the text is kept.
    check("a<!-- b <i>c</i>", "a b c");
    check("a<script>b <i>c</i><script>d", "a\nb c\nd");
    check("a<script>b</script", "a\n");
    check("<head>a", "a");
    let (_, counts) = cleaned(&[StripHtml], "<head>x</head><p><script></script>&amp;<!-- -->");
    assert_eq!(
        counts,
        CleaningCounts { html_tags: 2, html_elements: 2, html_entities: 1, ..Default::default() }
    );
}

#[test]
fn entities() {
    let check = |text, expected| check(StripHtml, text, expected);
    check("R&amp;D &lt;b&gt; &eacute;t&eacute; &#8364; &#x20AC; &#146;", "R&D <b> été € € ’");
    check("AT&T, a & b, &nosuch; &;&#;&#x; &", "AT&T, a & b, &nosuch; &;&#;&#x; &");
    check("&copy 2020, &copyright, ?a=1&copy=2&reg_=3", "© 2020, &copyright, ?a=1&copy=2®_=3");
    check("&amp;amp;", "&amp;");
    check("&#0;&#xd800;&#99999999999;", "\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn web_addresses() {
    let check = |text, expected| check(Urls, text, expected);
    check("see http://a.example/b?c=d#e, or", "see _U_, or");
    check("(https://a.example/x_(y)).", "(_U_).");
    check("[https://a.example](https://a.example)", "[_U_](_U_)");
    check("\"HTTP://A.example\"? <ftp://a.example/>!", "\"_U_\"? <_U_>!");
    check("at www.a.example. WWW.b.example:80/x; Www.c.example's", "at _U_. _U_; _U_'s");
    check("http://localhost:8080/ http://[::1]:80/x http://u:p@h.example/", "_U_ _U_ _U_");
    check("seehttp://a.example/, http://a.example…", "see_U_, _U_…");
    check("http://a.example./x http://a.example.\nNext", "_U_ _U_.\nNext");
    check("https://ru.example/Москва, https://example.de/Straße", "_U_, _U_");
    check("访问http://a.example/b查看www.b.example。", "访问_U_查看_U_。");
    check("http://a.example/에서", "_U_에서");
    check("https://web.example/2010/http://a.example/", "_U_");
    let none = "example.com http:// http://. ://a www.one awww.a.example www..a x://y ftp:/z \
                http://[]";
    check(none, none);
    check("www.http://a.example", "www._U_");
}

#[test]
fn mail_addresses() {
    let check = |text, expected| check(Emails, text, expected);
    check("ann@lab.example, Bob <bob.b+news@mail.lab.example>.", "_E_, Bob <_E_>.");
    check("mailto:a_b-c%d@x-y.example? .x@y.example-", "mailto:_E_? ._E_-");
    check("jürgen@müller.example 邮箱a@b.example请", "_E_ 邮箱_E_请");
    check("a@b.xn--p1ai a@b.example.5", "_E_ _E_.5");
    check("a@b.example@c.example", "_E_@c.example");
    let none = "@user @user@social.example a@b a@ @b a @ b.example a.@b.example a@-b.example \
                a@b.c a@b.1 @@@ a@.example";
    check(none, none);
}

#[test]
fn numbers_by_themselves() {
    let check = |text, expected| check(Numbers, text, expected);
    check("3.14 1,000,000 (7) 12:30, 2020-01-31. 1/2 5%", "_N_ _N_ (_N_) _N_, _N_. _N_ _N_%");
    check("1 000 1\u{a0}000 1\u{202f}000 1'000 1’000", "_N_ _N_ _N_ _N_ _N_ _N_");
    check("-5 +5 −5 (-5) x=-.5 .5 $5.00 -$5 --5", "_N_ _N_ _N_ (_N_) x=_N_ _N_ $_N_ -$_N_ --_N_");
    check("٣٤ ३.५ ５ 𝟝 ٣٫٤", "_N_ _N_ _N_ _N_ _N_");
    check("10–20 1..2 1,,2 3. 4", "_N_–_N_ _N_.._N_ _N_,,_N_ _N_. _N_");
    check("20-year-old 2020: #1 p.5 x:5", "_N_-year-old _N_: #_N_ p._N_ x:_N_");
    check("2020年5月, 10² 3½", "_N_年_N_月, _N_² _N_½");
    let none = "b2b covid19 covid-19 UTF-8 2nd v2 v1.2.3 5kg 1990s 1e5 0x1F a_1 1_a é5 5é 5월 \
                ½ ² Ⅳ 五 5\u{fe0f}\u{20e3}";
    check(none, none);
}

#[test]
fn characters_dropped() {
    check(Controls, "a\0b\u{1b}c\u{7f}d\u{85}\t\r\n\u{c}e", "abcd\u{85}\t\r\n\u{c}e");
    check(Controls, "\u{feff}so\u{ad}ft\u{200b}er \u{200f}אב\u{202c}", "softer אב");
    check(Controls, "नमस्\u{200d}ते می\u{200c}خواهم", "नमस्\u{200d}ते می\u{200c}خواهم");
    // Against the tables of Unicode.
    for c in '\0'..=char::MAX {
        let shapes = matches!(c,
            '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{110bd}' | '\u{110cd}' // prepended marks of concatenation
            | '\u{180e}' // Mongolian vowel separator
            | '\u{200c}' | '\u{200d}' // joiners
            | '\u{13430}'..='\u{1345f}' // hieroglyphs
            | '\u{1bca0}'..='\u{1bca3}' // shorthand
            | '\u{1d173}'..='\u{1d17a}' // music
            | '\u{e0020}'..='\u{e007f}' // tags
        );
        let expected = match GENERAL_CATEGORY.get(c) {
            GeneralCategory::Control => !c.is_whitespace(),
            GeneralCategory::Format => !shapes,
            _ => false,
        };
        assert_eq!(is_control(c), expected, "{c:?}");
        let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
        assert!(!is_control(c) || may_begin_control(first), "{c:?}");
        assert!(!is_digit(c) || may_begin_digit(first), "{c:?}");
    }
}

#[test]
fn lines() {
    check(RepeatedLines, "a\nb\n a \n\n\nb\r\na", "a\nb\n\n\n");
    check(RepeatedLines, "a\na", "a\n");
    check(RepeatedLines, "a a\n", "a a\n");
}

#[test]
fn steps_in_order() {
    let text = "&lt;p>mail ann@lab.example\nhttp://ann@lab.example/5";
    let shown = |steps: &[CleaningStep]| {
        let (mut text, _) = cleaned(steps, text);
        for (c, token) in PLACEHOLDERS {
            text = text.replace(&format!(" {c} "), token);
        }
        text
    };
    assert_eq!(shown(&[Urls, Emails, Numbers]), "&lt;p>mail <email>\n<url>");
    assert_eq!(shown(&[Emails, Numbers]), "&lt;p>mail <email>\nhttp://<email>/<number>");
    assert_eq!(
        shown(&[StripHtml, StripHtml, RepeatedLines]),
        "mail ann@lab.example\nhttp://ann@lab.example/5"
    );
    assert_eq!(shown(&[]), text);
}

#[test]
fn text_can_not_forge_placeholders() {
    let text = format!("a{URL}b&#x10fe02;c\u{10fe00}");
    let (out, counts) = cleaned(&[StripHtml, Numbers], &text);
    assert_eq!((out.as_str(), counts.controls), ("abc\u{10fe00}", 2));
    let (out, counts) = cleaned(&[StripHtml], &text);
    assert_eq!((out, counts.controls), (format!("a{URL}b{EMAIL}c\u{10fe00}"), 0));
    assert!(Cleaner::new(&STEPS).placeholders() && !Cleaner::new(&[Controls]).placeholders());
    assert_eq!(placeholder(NUMBER), Some("<number>"));
    for (c, _) in PLACEHOLDERS {
        assert!(c.to_string().as_bytes().starts_with(PLACEHOLDER_BYTES));
    }
}

#[test]
fn clean_text_is_not_copied() {
    let text = "Plain words, and some more of them.";
    let mut counts = CleaningCounts::default();
    let mut cleaner = Cleaner::new(&STEPS);
    assert!(std::ptr::eq(cleaner.clean(text, &mut counts), text));
    assert_eq!(counts, CleaningCounts::default());
    // Nor is anything left of the document before.
    assert_eq!(cleaner.clean("<b>x\nx", &mut counts), "x\n");
    assert!(std::ptr::eq(cleaner.clean(text, &mut counts), text));
}

#[test]
fn every_count_is_added_and_told() {
    let ones: CleaningCounts = {
        let mut value = serde_json::to_value(CleaningCounts::default()).unwrap();
        for (_, field) in value.as_object_mut().unwrap() {
            *field = 1.into();
        }
        serde_json::from_value(value).unwrap()
    };
    let mut sum = ones.clone();
    sum.add(&ones);
    let fields = serde_json::to_value(&sum).unwrap();
    assert!(fields.as_object().unwrap().values().all(|field| field == 2));
    assert_eq!(sum.notices().len(), fields.as_object().unwrap().len());
    assert_eq!(sum.notices()[3], "2 URLs became <url>");
    assert!(CleaningCounts::default().notices().is_empty());
    assert_eq!(serde_json::to_value(STEPS).unwrap()[5], "repeated-lines");
}

#[test]
fn long_hostile_texts_take_linear_time() {
    let pieces = "< & <a <a/b=\" <a/b='<a/b=\" <!-- <! <script> <style> <script></ <head> </script &#0 \
                  @@@ a@ a.@ a@b. a@b-. www. www.a www.. WWW :// http:// http://[ http://a \
                  http://a( http://a] http://. 1.1.1. 1 a1 1- -. . ٣. =\" \u{200b} \u{10fe01}";
    let spaced =
        ["<a b=\"", "<a b='<a b=\"", "<a b=\"c\" ", "<a b=c\" d=\"", "= ", "a\n", " \n", "\n"];
    for piece in pieces.split(' ').chain(spaced) {
        let text = piece.repeat((2 << 20) / piece.len());
        for step in STEPS {
            // Quadratic time would be minutes.
            cleaned(&[step], &text);
        }
    }
}

/// Much of what the steps look for.
fn texts() -> impl Strategy<Value = String> {
    let pieces = "< > </ <!-- --> <b <script> </script> <head> <body \" ' = &amp; &#x10fe01; & ; http :// \
                  www . @ a b.example xn-- _ - + / ( ) [ ] : 1 23 ٣ % , é 東 에 ½ 😀 \0 \u{200b} \
                  \u{ad} \u{301} \u{10fe02}";
    let pieces: Vec<&str> = pieces.split(' ').chain([" ", "\n", "\r", "\u{a0}"]).collect();
    prop_oneof![
        prop::collection::vec(prop::sample::select(pieces), 0..24).prop_map(|p| p.concat()),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_is_cleaned(
        text in texts(),
        steps in prop::collection::vec(prop::sample::select(STEPS.to_vec()), 0..5),
    ) {
        let (out, counts) = cleaned(&steps, &text);
        prop_assert!(counts != CleaningCounts::default() || out == text);
        // Some may be dropped again, with a tag or a repeated line.
        let made = [counts.urls, counts.emails, counts.numbers];
        for ((c, _), made) in PLACEHOLDERS.into_iter().zip(made) {
            let there = out.matches(c).count() as u64;
            prop_assert!(there <= made || !Cleaner::new(&steps).placeholders());
        }
    }

    // Not so of HTML: `&amp;lt;` and `<<b>b>`.
    #[test]
    fn a_second_time_changes_nothing(
        text in texts(),
        step in prop::sample::select(STEPS[1..].to_vec()),
    ) {
        let once = cleaned(&[step], &text).0;
        prop_assert_eq!(cleaned(&[step, step], &text).0, once);
    }

    #[test]
    fn controls_as_a_filter(text in texts()) {
        let kept: String = text.chars().filter(|c| !is_control(*c)).collect();
        let dropped = text.chars().count() - kept.chars().count();
        let (out, counts) = cleaned(&[Controls], &text);
        prop_assert_eq!((out, counts.controls), (kept, dropped as u64));
    }

    #[test]
    fn repeated_lines_as_a_list(text in "[ab \n\r]{0,40}") {
        let mut seen: Vec<&str> = Vec::new();
        let mut expected = String::new();
        for line in text.split_inclusive('\n') {
            let words = line.trim();
            if words.is_empty() || !seen.contains(&words) {
                expected.push_str(line);
            }
            seen.push(words);
        }
        prop_assert_eq!(cleaned(&[RepeatedLines], &text).0, expected);
    }
}
