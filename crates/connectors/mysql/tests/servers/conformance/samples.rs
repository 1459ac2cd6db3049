//! Tables of all types with their edge values, and of all kinds of keys.

use whimbrel_connector::conformance::Sample;

use super::playground::Kind;

pub fn all(kind: Kind) -> Vec<Sample> {
    let mut samples = vec![numbers(), floats(kind), temporal(), text(), bytes(), members(), documents(kind)];
    samples.push(generated());
    samples.push(Sample::new(
        "keyless",
        "a INT, f FLOAT, v VARCHAR(20), KEY (v)",
        &["(1,0.1,'a')", "(1,0.1,'a')", "(1,0.1,'A')", "(NULL,NULL,NULL)", "(2,-3.4e38,'a ')"],
    ));
    samples.extend(keys(kind));
    if kind != Kind::OceanBase {
        samples.push(charsets());
    }
    if kind == Kind::MariaDb {
        samples.push(Sample::new(
            "addresses",
            "u UUID NOT NULL PRIMARY KEY, i6 INET6, i4 INET4",
            &[
                "('00112233-4455-6677-8899-aabbccddeeff','::1','192.0.2.1')",
                "('ffffffff-ffff-ffff-ffff-ffffffffffff','2001:db8::ff','255.255.255.255')",
                "('6ccd780c-baba-1026-9564-0040f4311e29','::ffff:192.0.2.1',NULL)",
                "('00000000-0000-0000-0000-000000000000','::','0.0.0.0')",
            ],
        ));
    }
    samples
}

fn numbers() -> Sample {
    Sample::new(
        "numbers",
        "id INT NOT NULL PRIMARY KEY, t TINYINT, tu TINYINT UNSIGNED, b1 TINYINT(1), s SMALLINT, su SMALLINT UNSIGNED, \
         m MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, \
         z INT(8) ZEROFILL, d DECIMAL(65,30), d0 DECIMAL(20,0), dz DECIMAL(8,3) ZEROFILL, bit1 BIT(1), bit64 BIT(64), \
         y YEAR",
        &[
            "(1,-128,0,0,-32768,0,-8388608,0,-2147483648,0,-9223372036854775808,0,0,\
             -99999999999999999999999999999999999.999999999999999999999999999999,-99999999999999999999,0,0,0,0)",
            "(2,127,255,1,32767,65535,8388607,16777215,2147483647,4294967295,9223372036854775807,\
             18446744073709551615,99999999,99999999999999999999999999999999999.999999999999999999999999999999,\
             99999999999999999999,99999.999,1,18446744073709551615,2155)",
            "(3,-1,1,-1,-1,1,-1,1,-1,1,-1,1,42,-0.000000000000000000000000000001,0,0.001,b'1',\
             9223372036854775808,1901)",
            "(4,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
        ],
    )
    .with_changes(&[
        "t = -127", "tu = 1", "b1 = 1", "s = NULL", "su = 1", "m = -8388607", "mu = 1", "i = 0", "iu = 1",
        "b = -9223372036854775807", "bu = 1", "z = 1", "d = d + 0.000000000000000000000000000001", "d0 = d0 + 1",
        "dz = 0.001", "bit1 = 1", "bit64 = 9223372036854775808", "y = 1901", "y = NULL", "t = NULL",
    ])
}

fn floats(kind: Kind) -> Sample {
    // MariaDB stores -0 as 0.
    let zero = if kind == Kind::MariaDb { "0e0" } else { "-0e0" };
    let rows: Vec<String> = [
        format!("(1,{zero},{zero},0.001,0.5)"),
        "(2,1.17549435e-38,2.2250738585072014e-308,9.999999e3,99999.9999)".to_owned(),
        "(3,3.4028234663852886e38,1.7976931348623157e308,-9.999999e3,-99999.9999)".to_owned(),
        "(4,1.401298464324817e-45,5e-324,0.1,0.1)".to_owned(),
        "(5,0.1,0.1,1.5,1.5)".to_owned(),
        "(6,16777217,9007199254740993,NULL,NULL)".to_owned(),
        "(7,1e15,1e15,123.456,1234.5678)".to_owned(),
        "(8,1e14,1e14,0,0)".to_owned(),
        "(9,NULL,NULL,0,0)".to_owned(),
    ]
    .into_iter()
    .chain(random_floats())
    .collect();
    let columns = "id INT NOT NULL PRIMARY KEY, f FLOAT, d DOUBLE, f73 FLOAT(7,3), d94 DOUBLE(9,4)";
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let sample = Sample::new("floats", columns, &rows);
    if kind == Kind::Mysql {
        // MySQL has no digest of them.
        return sample;
    }
    sample.with_changes(&[
        "f = 1.401298464324817e-45",
        "d = 5e-324",
        "f = NULL",
        "f73 = 0.002",
        "d94 = 0.5001",
    ])
}

/// Floats and doubles of random bits, always the same.
fn random_floats() -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut rows = Vec::new();
    while rows.len() < 500 {
        let (single, double) = (f32::from_bits(next() as u32), f64::from_bits(next()));
        if single.is_finite() && double.is_finite() {
            rows.push(format!("({},{:e},{double:e},0,0)", 100 + rows.len(), f64::from(single)));
        }
    }
    rows
}

fn temporal() -> Sample {
    Sample::new(
        "temporal",
        "id INT NOT NULL PRIMARY KEY, d DATE, t TIME, t3 TIME(3), t6 TIME(6), dt DATETIME, dt1 DATETIME(1), \
         dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL",
        &[
            "(1,'0000-00-00','-838:59:59','-838:59:58.999','-00:00:00.000001','0000-00-00','0000-00-00',\
             '0000-00-00','0000-00-00','0000-00-00')",
            "(2,'9999-12-31','838:59:59','838:59:58.999','838:59:58.999999','9999-12-31 23:59:59',\
             '9999-12-31 23:59:59.9','9999-12-31 23:59:59.999999','2038-01-19 03:14:07',\
             '2038-01-19 03:14:07.999999')",
            "(3,'2021-02-30','00:00:00','00:00:00.001','00:00:00.000001','2020-00-15 00:00:00',\
             '2021-02-30 01:02:03.4','1000-01-01 00:00:00.000001','1970-01-01 00:00:01','1970-01-01 00:00:01.000001')",
            "(4,'2020-00-00','-00:00:01','-00:00:00.001','-00:00:59.999999','2024-02-29 12:00:00',\
             '0001-01-01 00:00:00','2020-01-01 00:00:00.100000','2000-01-01 00:00:00','2000-01-01 00:00:00.5')",
            "(5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
        ],
    )
    .with_changes(&[
        "d = '0000-00-01'", "t = '-838:59:58'", "t3 = '-838:59:58.998'", "t6 = '00:00:00.000001'",
        "dt = '0000-00-00 00:00:01'", "dt1 = '0000-00-00 00:00:00.1'", "dt6 = '0000-00-00 00:00:00.000001'",
        "ts = '1970-01-01 00:00:01'", "ts6 = NULL", "d = NULL",
    ])
}

fn text() -> Sample {
    Sample::new(
        "text",
        "id INT NOT NULL PRIMARY KEY, c CHAR(10), v VARCHAR(200), w VARCHAR(200), tt TINYTEXT, t TEXT, m MEDIUMTEXT, \
         l LONGTEXT, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        &[
            "(1,'','','','','','','','')",
            "(2,'trailing  ','trailing  ','#','a','b','c','d','B')",
            "(3,'ünïcödé','漢字 😀 \u{200d}','it''s \\\\ \\n \\r \\t \\0 \\Z \\\" %_','-','NULL','\\\\N','''','b')",
            "(4,'x#','y','z',REPEAT('t',255),REPEAT('ü',20000),REPEAT('m',300000),REPEAT('l',1000000),'😀')",
            "(5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
        ],
    )
    .with_changes(&[
        "c = 'x'", "v = ' '", "v = NULL", "w = '-'", "v = '#', w = ''", "tt = NULL", "t = 'x'", "t = NULL",
        "m = 'x'", "l = 'x'", "b = 'B'",
    ])
}

fn bytes() -> Sample {
    Sample::new(
        "bytes",
        "id INT NOT NULL PRIMARY KEY, b BINARY(4), v VARBINARY(300), tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB",
        &[
            "(1,'','','','','','')",
            "(2,x'61000000',x'6100',x'ff',x'00ff00',x'27',x'5c27')",
            "(3,x'00000061',x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2227285cff80c0',\
             x'1a',x'0d0a',x'fffe',x'00')",
            "(4,x'ffffffff',REPEAT(x'00',300),REPEAT(x'1a',255),REPEAT(x'5c',65535),REPEAT(x'27',100000),\
             REPEAT(x'f09f9880',250000))",
            "(5,NULL,NULL,NULL,NULL,NULL,NULL)",
        ],
    )
    .with_changes(&[
        "b = x'01'", "v = x'00'", "v = NULL", "tb = x'00'", "bl = x'00'", "bl = NULL", "mb = x'00'", "lb = x'00'",
    ])
}

fn members() -> Sample {
    let many: Vec<String> = (1..=64).map(|number| format!("'m{number}'")).collect();
    let columns = format!(
        "id INT NOT NULL PRIMARY KEY, e ENUM('a','it''s','ü','') NOT NULL, n ENUM('x','y'), s SET('p','q','r'), \
         s64 SET({})",
        many.join(",")
    );
    let last = (1..=64).map(|number| format!("m{number}")).collect::<Vec<_>>().join(",");
    let rows = [
        "(1,'a','x','','')".to_owned(),
        format!("(2,'it''s','y','p,r','{last}')"),
        "(3,'ü',NULL,NULL,'m64')".to_owned(),
        "(4,'',NULL,'q','m1')".to_owned(),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    Sample::new("members", &columns, &rows).with_changes(&[
        "e = 'ü'",
        "n = 'y'",
        "n = NULL",
        "s = 'p'",
        "s = NULL",
        "s64 = 'm64'",
    ])
}

fn documents(kind: Kind) -> Sample {
    let srid = if kind == Kind::OceanBase { 0 } else { 4326 };
    let rows = [
        "(1,'{}',ST_GeomFromText('POINT(1 2)'))".to_owned(),
        format!(
            "(2,'{{\"b\": [1, 2.5, null, true], \"a\": \"ü😀\\\\\\\\ \\\\\\\" ''\"}}',\
             ST_GeomFromText('LINESTRING(0 0,1 1)',{srid}))"
        ),
        "(3,'[18446744073709551615, -9223372036854775808, 1e300, \"\"]',\
         ST_GeomFromText('POLYGON((0 0,0 3,3 3,0 0))'))"
            .to_owned(),
        "(4,'null',ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'))".to_owned(),
        "(5,'\"text\"',NULL)".to_owned(),
        "(6,NULL,NULL)".to_owned(),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    Sample::new("documents", "id INT NOT NULL PRIMARY KEY, j JSON, g GEOMETRY", &rows)
}

fn generated() -> Sample {
    Sample::new(
        "computed",
        "id INT NOT NULL PRIMARY KEY, a INT, s INT GENERATED ALWAYS AS (a * 2) STORED, b VARCHAR(10)",
        &["(1,1,DEFAULT,'x')", "(2,NULL,DEFAULT,NULL)", "(3,-5,DEFAULT,'')"],
    )
    .with_changes(&["a = 2", "b = 'y'"])
}

/// A table of each kind of key, with more than one column in some.
fn keys(kind: Kind) -> Vec<Sample> {
    let one = |name, data_type: &str, values: &[&str]| {
        let rows: Vec<String> =
            values.iter().enumerate().map(|(at, value)| format!("({value},{at})")).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        Sample::new(name, &format!("k {data_type} NOT NULL PRIMARY KEY, v INT"), &rows)
    };
    let mut samples = vec![
        one("key_unsigned", "BIGINT UNSIGNED", &["0", "18446744073709551615", "9223372036854775808", "7"]),
        one("key_signed", "BIGINT", &["0", "-9223372036854775808", "9223372036854775807", "-1"]),
        one(
            "key_decimal",
            "DECIMAL(30,10)",
            &["0", "-0.0000000001", "0.0000000001", "99999999999999999999.5"],
        ),
        one("key_float", "FLOAT", &["0.1", "0.2", "1.401298464324817e-45", "-3.4e38", "16777216"]),
        one("key_double", "DOUBLE", &["0.1", "5e-324", "-1.7976931348623157e308", "9007199254740993"]),
        one("key_date", "DATE", &["'0000-00-00'", "'2021-02-30'", "'2020-00-15'", "'9999-12-31'"]),
        one("key_time", "TIME(3)", &["'-838:59:59'", "'838:59:59'", "'00:00:00.001'", "'-00:00:00.001'"]),
        one("key_datetime", "DATETIME(6)", &["'0000-00-00'", "'2020-01-01 00:00:00.000001'", "'2020-01-01'"]),
        one("key_timestamp", "TIMESTAMP(3)", &["'0000-00-00'", "'2020-01-01 00:00:00.001'", "'2038-01-19'"]),
        one("key_year", "YEAR", &["0", "1901", "2155", "2000"]),
        one("key_enum", "ENUM('z','y','x','w')", &["'w'", "'x'", "'z'", "'y'"]),
        one("key_set", "SET('z','y','x')", &["''", "'z'", "'x'", "'z,y'", "'z,y,x'"]),
        one("key_bit", "BIT(64)", &["0", "1", "18446744073709551615", "9223372036854775808"]),
        one("key_varbinary", "VARBINARY(20)", &["''", "x'00'", "x'0000'", "x'ff'", "x'27'", "x'61'"]),
        one("key_binary", "BINARY(3)", &["''", "x'0001'", "x'ff'", "x'270000'", "'a'"]),
        one(
            "key_general_ci",
            "VARCHAR(20) COLLATE utf8mb4_general_ci",
            &["'b'", "'A'", "'c'", "'Ü'", "''", "'漢'"],
        ),
        one(
            "key_bin",
            "VARCHAR(20) COLLATE utf8mb4_bin",
            &["'b'", "'B'", "'a'", "'ü'", "'it''s \\\\'", "'😀'", "'😁'"],
        ),
        one("key_char", "CHAR(5) COLLATE utf8mb4_general_ci", &["'b'", "'aa'", "''", "'z'"]),
        Sample::new(
            "key_composite",
            "a INT NOT NULL, b VARCHAR(10) NOT NULL, c DATE NOT NULL, v INT, PRIMARY KEY (a, b, c)",
            &[
                "(1,'a','2020-01-01',1)",
                "(1,'a','2020-01-02',2)",
                "(1,'b','2019-01-01',3)",
                "(2,'a','2020-01-01',4)",
                "(2,'a','2021-01-01',5)",
                "(-1,'z','2020-01-01',6)",
                "(2,'','2020-01-01',7)",
            ],
        ),
        Sample::new(
            "key_enum_composite",
            "e ENUM('z','y','x') NOT NULL, n INT NOT NULL, PRIMARY KEY (e, n)",
            &["('x',1)", "('z',5)", "('z',1)", "('y',3)", "('y',1)", "('x',0)"],
        ),
        Sample::new(
            "key_unique",
            "v INT, a INT NOT NULL, b CHAR(3) NOT NULL, CONSTRAINT ab UNIQUE (a, b)",
            &["(1,1,'a')", "(2,1,'b')", "(NULL,0,'z')", "(3,5,'')"],
        ),
        Sample::new(
            "key_not_first",
            "v INT, b INT NOT NULL, a INT NOT NULL, PRIMARY KEY (a, b)",
            &["(1,1,9)", "(2,2,8)", "(NULL,3,9)", "(3,4,1)"],
        ),
    ];
    if kind != Kind::OceanBase {
        samples.push(one(
            "key_latin1",
            "VARCHAR(20) CHARACTER SET latin1",
            &["'b'", "'é'", "'z'", "'€'", "''"],
        ));
        samples.push(one("key_utf16", "VARCHAR(20) CHARACTER SET utf16", &["'b'", "'é'", "'😀'", "''"]));
        samples.push(one("key_gbk", "VARCHAR(20) CHARACTER SET gbk", &["'b'", "'你'", "'好'", "''"]));
    }
    if kind == Kind::Mysql {
        let ai = "VARCHAR(20) COLLATE utf8mb4_0900_ai_ci";
        samples.push(one("key_0900", ai, &["'b'", "'A'", "'a '", "'ß'", "'z'", "'😀'", "'😁'", "''"]));
        samples.push(Sample::new(
            "key_descending",
            "a INT NOT NULL, b INT NOT NULL, PRIMARY KEY (a, b DESC)",
            &["(1,1)", "(1,2)", "(1,3)", "(2,1)", "(0,7)", "(2,9)"],
        ));
    }
    samples
}

fn charsets() -> Sample {
    let sets = [
        ("latin1", "é€ß"),
        ("latin2", "łź"),
        ("cp1251", "Жы"),
        ("koi8r", "Жы"),
        ("greek", "αβ"),
        ("hebrew", "אב"),
        ("gbk", "你好"),
        ("gb2312", "你好"),
        ("big5", "你好"),
        ("sjis", "テスト"),
        ("ujis", "テスト"),
        ("euckr", "한국"),
        ("tis620", "ไทย"),
        ("ascii", "plain"),
        ("utf8mb3", "ü漢"),
        ("ucs2", "ü漢"),
        ("utf16", "ü😀"),
        ("utf16le", "ü😀"),
        ("utf32", "ü😀"),
    ];
    let columns = sets.iter().map(|(set, _)| format!("v_{set} VARCHAR(20) CHARACTER SET {set}"));
    let columns: Vec<String> = columns.collect();
    let columns = format!("id INT NOT NULL PRIMARY KEY, {}", columns.join(", "));
    let values: Vec<String> = sets.iter().map(|(_, text)| format!("'{text}'")).collect();
    let rows = [format!("(1,{})", values.join(",")), format!("(2{})", ",''".repeat(sets.len()))];
    Sample::new("charsets", &columns, &[&rows[0], &rows[1]])
}
