//! Tokens of texts, by dialect and sql_mode.

use super::lex;
use crate::dialect::{Dialect, ParseOptions};
use crate::error::ParseErrorKind;
use crate::token::TokenKind;

const MYSQL: ParseOptions = ParseOptions::new(Dialect::mysql(90_704));
const MARIADB: ParseOptions = ParseOptions::new(Dialect::mariadb(101_119));
const TIDB: ParseOptions = ParseOptions::new(Dialect::tidb(80_500));
const OCEANBASE: ParseOptions = ParseOptions::new(Dialect::oceanbase(40_305));

/// The tokens' texts with `|` between them.
fn tokens(text: &str, options: &ParseOptions) -> String {
    let lexed = lex(text.as_bytes(), options);
    assert!(lexed.failure.is_none(), "{text}: {:?}", lexed.failure);
    let texts: Vec<&str> = lexed.tokens.iter().map(|token| token.span().text(text)).collect();
    texts.join("|")
}

fn failure(text: &str) -> (ParseErrorKind, u32) {
    let failure = lex(text.as_bytes(), &MYSQL).failure.expect("the text is broken");
    (failure.kind, failure.at)
}

#[test]
fn words_numbers_and_names_that_begin_with_digits() {
    assert_eq!(
        tokens("a_1$ 12 1a 1e5 1e+5 1e-5x 1e 0x1F 0xG 0b01 0b2", &MYSQL),
        "a_1$|12|1a|1e5|1e+5|1e-5|x|1e|0x1F|0xG|0b01|0b2"
    );
    assert_eq!(tokens("1.5 .5 1. 1.5e3 1.e4 .5e+7 1..2", &MYSQL), "1.5|.5|1.|1.5e3|1.e4|.5e+7|1.|.2");
    assert_eq!(tokens("größe 日本 x", &MYSQL), "größe|日本|x");
}

#[test]
fn digits_behind_a_dot_are_a_name() {
    assert_eq!(tokens("db.2024 db.1e5 db.0x1", &MYSQL), "db|.|2024|db|.|1e5|db|.|0x1");
    assert_eq!(tokens("`d`.5", &MYSQL), "`d`|.|5");
}

#[test]
fn kinds_of_literals() {
    let lexed = lex(b"'a' \"b\" n'c' x'0a' X'' b'01' 0xff `q` _utf8'x'", &MYSQL);
    let kinds: Vec<TokenKind> = lexed.tokens.iter().map(|token| token.kind).collect();
    use TokenKind as K;
    let word = K::Word(crate::keyword::Kw::NotKeyword);
    assert_eq!(
        kinds,
        [K::Str, K::Str, K::NationalStr, K::Hex, K::Hex, K::Bit, K::Hex, K::Quoted, word, K::Str]
    );
}

#[test]
fn strings_end_where_the_server_ends_them() {
    assert_eq!(tokens(r"'a''b' 'a\'b' 'a\\' 'c'", &MYSQL), r"'a''b'|'a\'b'|'a\\'|'c'");
    assert_eq!(tokens(r#""a""b" "a'b" `a``b\`"#, &MYSQL), r#""a""b"|"a'b"|`a``b\`"#);
    let mut no_escapes = MYSQL;
    no_escapes.sql_mode.no_backslash_escapes = true;
    assert_eq!(tokens(r"'a\' 'b'", &no_escapes), r"'a\'|'b'");
}

#[test]
fn double_quotes_follow_sql_mode() {
    let mut ansi = MYSQL;
    ansi.sql_mode.ansi_quotes = true;
    let lexed = lex(br#""a\" 'b'"#, &ansi);
    assert_eq!(lexed.tokens.first().map(|token| (token.kind, token.end)), Some((TokenKind::Quoted, 4)));
}

#[test]
fn plain_comments() {
    assert_eq!(tokens("a -- b\nc # d\ne /* f */ g --\nh /**/ i --", &MYSQL), "a|c|e|g|h|i");
    assert_eq!(tokens("5--1 5-- 1", &MYSQL), "5|-|-|1|5");
    assert_eq!(tokens("a /*+ hint */ b", &MYSQL), "a|b");
}

#[test]
fn executable_comments_of_mysql() {
    assert_eq!(tokens("a /*! b */ c /*!50000 d */ e /*!99999 f */ g /*!50000h*/", &MYSQL), "a|b|c|d|e|g|h");
    // Six digits count only with white space behind them.
    assert_eq!(tokens("/*!080000 a*/ /*!101100 b*/ /*!090705c*/ /*!5000000 d */", &MYSQL), "a|5c|00|d");
    assert_eq!(tokens("/*!1 a */ /*M! b */ /*T! c */", &MYSQL), "1|a");
    assert_eq!(tokens("/*!50000 a /* b */ c */ d", &MYSQL), "a|c|d");
    assert_eq!(tokens("/*!99999 a /* b */ c */ d", &MYSQL), "d");
    assert_eq!(tokens("/*!99999 a /*!50000 b */ c */ d", &MYSQL), "d");
    assert_eq!(tokens("/*!50000 '*/' */ d", &MYSQL), "'*/'|d");
    // The first end closes both.
    assert_eq!(tokens("/*!50000 a /*!50000 b */ */", &MYSQL), "a|b|*|/");
}

#[test]
fn executable_comments_of_mariadb() {
    assert_eq!(
        tokens("/*!50000 a */ /*!50701 b */ /*!99999 c */ /*!101100 d */ /*!101200 e */", &MARIADB),
        "a|d"
    );
    assert_eq!(
        tokens("/*M! a */ /*M!50701 b */ /*M!101119 c*/ /*M!101120 d*/ /*!100301e*/", &MARIADB),
        "a|b|c|e"
    );
    assert_eq!(tokens("/*!080000 a */ /*!5000000 b */ /*T! c */", &MARIADB), "");
}

#[test]
fn executable_comments_of_tidb_and_oceanbase() {
    assert_eq!(
        tokens("/*!99999 a */ /*T! b */ /*T![ttl] c */ /*T![ttl,clustered_index] d */", &TIDB),
        "a|b|c|d"
    );
    assert_eq!(tokens("/*T![nobody_knows] a */ /*T![ttl,x] b */ /*T![ttl c */ /*M! d */ e", &TIDB), "e");
    assert_eq!(
        tokens("/*!99999 a */ /*!50000 b */ /*! c */ /*!999999 d */ /*!1 e */ /*M! f */", &OCEANBASE),
        "a|b|c"
    );
}

#[test]
fn accounts_and_variables() {
    assert_eq!(
        tokens("u@h-x 'u'@'h' u@192.168.0.1 @@global.x @`v` @v.w @ x root@%", &MYSQL),
        "u|@|h|-|x|'u'|@|'h'|u|@|192.168.0.1|@|@|global|.|x|@|`v`|@|v.w|@|x|root|@|%"
    );
}

#[test]
fn what_has_no_end() {
    let unterminated = |what| ParseErrorKind::Unterminated { what };
    assert_eq!(failure("a 'b"), (unterminated("string"), 2));
    assert_eq!(failure(r"a 'b\'"), (unterminated("string"), 2));
    assert_eq!(failure("N'x"), (unterminated("string"), 0));
    assert_eq!(failure("a `b``"), (unterminated("quoted identifier"), 2));
    assert_eq!(failure("a /* b *"), (unterminated("comment"), 2));
    assert_eq!(failure("a /*!50000 b"), (unterminated("comment"), 2));
    assert_eq!(failure("a /*!99999 b /* c */"), (unterminated("comment"), 2));
}

#[test]
fn malformed_literals() {
    assert_eq!(failure("a x'0'"), (ParseErrorKind::MalformedLiteral { what: "hex" }, 2));
    assert_eq!(failure("x'0g'"), (ParseErrorKind::MalformedLiteral { what: "hex" }, 0));
    assert_eq!(failure("b'012'"), (ParseErrorKind::MalformedLiteral { what: "bit" }, 0));
    assert_eq!(failure("b'01"), (ParseErrorKind::MalformedLiteral { what: "bit" }, 0));
}
