//! Tables with columns of every type, and the edge values of each. One table for each family of types, so that a
//! failure names the family.

/// A table with a key `id` and one column for each type of a family.
#[derive(Clone, Debug)]
pub struct TypeTable {
    pub name: &'static str,
    columns: Vec<TypeColumn>,
}

#[derive(Clone, Debug)]
struct TypeColumn {
    name: String,
    data_type: String,
    /// As SQL; the row after the last value is NULL.
    values: Vec<String>,
}

impl TypeTable {
    fn new(name: &'static str, columns: &[(&str, &[&str])]) -> Self {
        let columns = columns.iter().enumerate().map(|(number, (data_type, values))| TypeColumn {
            name: format!("c{number}"),
            data_type: (*data_type).to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        });
        Self { name, columns: columns.collect() }
    }

    pub fn create(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| format!("{} {} NULL", column.name, column.data_type)).collect();
        format!(
            "CREATE TABLE {} (id INT NOT NULL PRIMARY KEY, {}) CHARACTER SET utf8mb4",
            self.name,
            columns.join(", ")
        )
    }

    /// Rows that hold every value of every column once, then one of NULLs.
    pub fn row_count(&self) -> usize {
        self.columns.iter().map(|column| column.values.len()).max().unwrap_or(0) + 1
    }

    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn data_type(&self, column: &str) -> &str {
        self.columns.iter().find(|c| c.name == column).map_or("", |c| c.data_type.as_str())
    }

    fn row(&self, number: usize) -> Vec<String> {
        let last = self.row_count() - 1;
        let value = |column: &TypeColumn| match column.values.len() {
            0 => "NULL".to_owned(),
            _ if number == last => "NULL".to_owned(),
            many => column.values[number % many].clone(),
        };
        self.columns.iter().map(value).collect()
    }

    /// All rows; their ids begin above `offset`.
    pub fn insert(&self, offset: usize) -> String {
        let rows: Vec<String> = (0..self.row_count())
            .map(|number| format!("({}, {})", offset + number + 1, self.row(number).join(", ")))
            .collect();
        format!("INSERT INTO {} VALUES {}", self.name, rows.join(", "))
    }

    /// Updates that give every row the values of the next one.
    pub fn rotate(&self) -> Vec<String> {
        (0..self.row_count())
            .map(|number| {
                let values = self.row((number + 1) % self.row_count());
                let sets: Vec<String> = self
                    .columns
                    .iter()
                    .zip(values)
                    .map(|(column, value)| format!("{} = {value}", column.name))
                    .collect();
                format!("UPDATE {} SET {} WHERE id = {}", self.name, sets.join(", "), number + 1)
            })
            .collect()
    }
}

pub fn mysql_tables() -> Vec<TypeTable> {
    let mut tables = shared_tables();
    tables.push(TypeTable::new(
        "t_vector",
        &[("VECTOR(3)", &["STRING_TO_VECTOR('[1,2.5,-3]')", "STRING_TO_VECTOR('[0,0,0.1]')"])],
    ));
    tables
}

pub fn mariadb_tables() -> Vec<TypeTable> {
    let mut tables = shared_tables();
    tables.push(TypeTable::new(
        "t_mariadb",
        &[
            ("UUID", &["'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000000'"]),
            ("INET6", &["'2001:db8::ff00:42:8329'", "'::'", "'::ffff:192.0.2.1'"]),
            ("INET4", &["'192.0.2.1'", "'0.0.0.0'", "'255.255.255.255'"]),
        ],
    ));
    tables
}

fn shared_tables() -> Vec<TypeTable> {
    vec![
        integers(),
        decimals(),
        floats(),
        dates(),
        times(),
        texts(),
        charsets(),
        enums(),
        binaries(),
        bits(),
        json(),
        geometry(),
    ]
}

fn integers() -> TypeTable {
    TypeTable::new(
        "t_integers",
        &[
            ("TINYINT", &["-128", "127", "0", "-1"]),
            ("TINYINT UNSIGNED", &["0", "255", "128"]),
            ("SMALLINT", &["-32768", "32767", "0"]),
            ("SMALLINT UNSIGNED", &["0", "65535", "32768"]),
            ("MEDIUMINT", &["-8388608", "8388607", "-1"]),
            ("MEDIUMINT UNSIGNED", &["0", "16777215", "8388608"]),
            ("INT", &["-2147483648", "2147483647", "0"]),
            ("INT UNSIGNED", &["0", "4294967295", "2147483648"]),
            ("BIGINT", &["-9223372036854775808", "9223372036854775807", "-1"]),
            ("BIGINT UNSIGNED", &["0", "18446744073709551615", "9223372036854775808"]),
            ("INT(7) ZEROFILL", &["42", "0", "4294967295"]),
            ("BOOLEAN", &["TRUE", "FALSE", "2"]),
            ("YEAR", &["1901", "2155", "0", "2024"]),
        ],
    )
}

fn decimals() -> TypeTable {
    TypeTable::new(
        "t_decimals",
        &[
            ("DECIMAL(10,2)", &["0", "-0.01", "99999999.99", "-99999999.99"]),
            (
                "DECIMAL(65,0)",
                &["99999999999999999999999999999999999999999999999999999999999999999", "-1", "0"],
            ),
            (
                "DECIMAL(65,30)",
                &[
                    "12345678901234567890123456789012345.123456789012345678901234567891",
                    "-0.000000000000000000000000000001",
                ],
            ),
            ("DECIMAL(30,30)", &["0.999999999999999999999999999999", "-0.123456789"]),
            ("DECIMAL(5,5)", &["0.12345", "-0.99999"]),
            ("DECIMAL(9,0) UNSIGNED", &["0", "999999999"]),
            ("DECIMAL(18,9) UNSIGNED", &["999999999.999999999", "0.000000001"]),
        ],
    )
}

fn floats() -> TypeTable {
    TypeTable::new(
        "t_floats",
        &[
            (
                "FLOAT",
                &[
                    "0",
                    "-0e0",
                    "3.4028234663852886e38",
                    "-1.17549435e-38",
                    "16777216",
                    "0.1",
                    "1.401298464324817e-45",
                    "1e-3",
                ],
            ),
            ("FLOAT UNSIGNED", &["0.3", "123456.789"]),
            (
                "DOUBLE",
                &[
                    "0",
                    "-0e0",
                    "1.7976931348623157e308",
                    "2.2250738585072014e-308",
                    "0.1",
                    "-1e15",
                    "12345678901234567",
                    "5e-324",
                ],
            ),
            ("DOUBLE UNSIGNED", &["0.30000000000000004", "1e100"]),
            ("FLOAT(7,3)", &["1234.567", "-0.001"]),
            ("DOUBLE(12,4)", &["12345678.1234", "-0.0001"]),
        ],
    )
}

fn dates() -> TypeTable {
    TypeTable::new(
        "t_dates",
        &[
            (
                "DATE",
                &[
                    "'1000-01-01'",
                    "'9999-12-31'",
                    "'0000-00-00'",
                    "'2024-02-29'",
                    "'2020-00-15'",
                    "'1970-01-01'",
                ],
            ),
            (
                "DATETIME",
                &[
                    "'1000-01-01 00:00:00'",
                    "'9999-12-31 23:59:59'",
                    "'0000-00-00 00:00:00'",
                    "'2024-02-29 23:59:59'",
                ],
            ),
            ("DATETIME(1)", &["'2024-02-29 23:59:59.9'", "'2024-02-29 00:00:00.0'"]),
            ("DATETIME(3)", &["'2024-02-29 23:59:59.999'", "'0000-00-00 00:00:00.000'"]),
            ("DATETIME(4)", &["'2024-02-29 23:59:59.0001'"]),
            ("DATETIME(6)", &["'9999-12-31 23:59:59.999999'", "'1000-01-01 00:00:00.000001'"]),
            (
                "TIMESTAMP",
                &[
                    "'1970-01-01 00:00:01'",
                    "'2038-01-19 03:14:07'",
                    "'0000-00-00 00:00:00'",
                    "'2024-03-31 02:30:00'",
                ],
            ),
            ("TIMESTAMP(2)", &["'2024-02-29 23:59:59.99'"]),
            ("TIMESTAMP(6)", &["'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01.000001'"]),
        ],
    )
}

fn times() -> TypeTable {
    TypeTable::new(
        "t_times",
        &[
            ("TIME", &["'00:00:00'", "'-838:59:59'", "'838:59:59'", "'-00:00:01'", "'24:00:00'"]),
            ("TIME(1)", &["'-00:00:00.1'", "'12:34:56.7'"]),
            ("TIME(3)", &["'-12:34:56.789'", "'00:00:00.001'"]),
            (
                "TIME(6)",
                &["'-838:59:58.999999'", "'838:59:58.999999'", "'-00:00:00.000001'", "'00:00:00.000001'"],
            ),
        ],
    )
}

/// Text that needs escaping, text of 2, 3 and 4 bytes a character, text in two normal forms, spaces at the end.
const TEXTS: &[&str] = &[
    "''",
    "'plain'",
    "'it''s \\\\ \"q\" `b` %_'",
    "'line\\nbreak\\r\\ttab\\Z'",
    "'nul\\0inside'",
    "'trailing  '",
    "'äöüß é'",
    "'e\u{301} \u{e9}'",
    "'日本語 한국어'",
    "'🐦🦅👩‍👩‍👧'",
    "'\u{feff}bom'",
];

fn texts() -> TypeTable {
    let long: Vec<&str> = TEXTS.iter().copied().chain(["REPEAT('ab\u{e9}\u{1f426}', 5000)"]).collect();
    let longer: Vec<&str> = TEXTS.iter().copied().chain(["REPEAT('0123456789', 7000)"]).collect();
    TypeTable::new(
        "t_texts",
        &[
            ("CHAR(30)", TEXTS),
            ("VARCHAR(255)", TEXTS),
            ("VARCHAR(40) COLLATE utf8mb4_bin", TEXTS),
            ("TINYTEXT", TEXTS),
            ("TEXT", &long),
            ("MEDIUMTEXT", &longer),
            ("LONGTEXT", &longer),
        ],
    )
}

fn charsets() -> TypeTable {
    TypeTable::new(
        "t_charsets",
        &[
            ("VARCHAR(50) CHARACTER SET latin1", &["'äöü € Š ÿ'", "''", "'it''s'"]),
            ("VARCHAR(50) CHARACTER SET latin1 COLLATE latin1_bin", &["'ÀÉÎ'", "'x'"]),
            ("TEXT CHARACTER SET latin2", &["'Łódź ąęśćż'", "'ő'"]),
            ("VARCHAR(50) CHARACTER SET ascii", &["'plain'", "'~'"]),
            ("VARCHAR(50) CHARACTER SET utf8mb3", &["'ä 日本'", "'€'"]),
            ("VARCHAR(50) CHARACTER SET ucs2", &["'ä 日本'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET utf16", &["'ä 日本 🐦'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET utf32", &["'ä 日本 🐦'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET gbk", &["'中文 简体'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET gb2312", &["'中文'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET big5", &["'中文 繁體'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET sjis", &["'日本語 カナ'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET ujis", &["'日本語'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET euckr", &["'한국어'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET cp1251", &["'Привет'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET koi8r", &["'Привет'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET greek", &["'Ελληνικά'", "'x'"]),
            ("VARCHAR(50) CHARACTER SET hebrew", &["'שלום'", "'x'"]),
        ],
    )
}

fn enums() -> TypeTable {
    TypeTable::new(
        "t_enums",
        &[
            ("ENUM('a','b''c','\u{fc}','d,e')", &["'a'", "'b''c'", "'\u{fc}'", "'d,e'"]),
            ("SET('a','b','c''d','\u{fc}')", &["''", "'a'", "'a,b,c''d,\u{fc}'", "'\u{fc}'"]),
            ("ENUM('x','y') CHARACTER SET latin1", &["'x'", "'y'"]),
            (
                "SET('s1','s2','s3','s4','s5','s6','s7','s8','s9','s10','s11','s12','s13','s14','s15','s16','s17')",
                &["'s17'", "'s1,s9,s17'", "'s8'"],
            ),
        ],
    )
}

fn binaries() -> TypeTable {
    let values: &[&str] = &["''", "x'00'", "x'ff00ff'", "x'275c220d0a1a00'", "'abc'", "x'6100'"];
    let long: Vec<&str> = values.iter().copied().chain(["REPEAT(x'00ff5c27', 4000)"]).collect();
    let longer: Vec<&str> = values.iter().copied().chain(["REPEAT(x'00ff5c270d0a1a22', 9000)"]).collect();
    TypeTable::new(
        "t_binaries",
        &[
            ("BINARY(8)", values),
            ("VARBINARY(100)", values),
            ("TINYBLOB", values),
            ("BLOB", &long),
            ("MEDIUMBLOB", &longer),
            ("LONGBLOB", &longer),
        ],
    )
}

fn bits() -> TypeTable {
    TypeTable::new(
        "t_bits",
        &[
            ("BIT(1)", &["b'0'", "b'1'"]),
            ("BIT(8)", &["b'10000001'", "b'0'", "b'11111111'"]),
            ("BIT(17)", &["b'10000000000000001'", "b'1'"]),
            ("BIT(64)", &["18446744073709551615", "9223372036854775808", "0", "39"]),
        ],
    )
}

fn json() -> TypeTable {
    TypeTable::new(
        "t_json",
        &[(
            "JSON",
            &[
                "'{}'",
                "'[]'",
                "'null'",
                "'true'",
                "'\"text \\\\\" \\\\\\\\ \\\\n \\\\u00e9\"'",
                "'{\"b\": 1, \"a\": [1, 2, {\"c\": null}], \"long key with spaces\": \"v\"}'",
                "'[9223372036854775807, -9223372036854775808, 18446744073709551615, 0]'",
                "'[1.5, -0.25, 1e10, 123456.789]'",
                "'{\"\u{fc}\": \"日本 🐦\", \"\": \"empty key\"}'",
                "CONCAT('[\"', REPEAT('x', 70000), '\"]')",
            ],
        )],
    )
}

fn geometry() -> TypeTable {
    TypeTable::new(
        "t_geometry",
        &[
            ("POINT", &["ST_GeomFromText('POINT(1 -2)')", "ST_GeomFromText('POINT(0.1 1e10)')"]),
            ("LINESTRING", &["ST_GeomFromText('LINESTRING(0 0, 1 1, 2 -2)')"]),
            (
                "POLYGON",
                &["ST_GeomFromText('POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (2 2, 4 2, 4 4, 2 4, 2 2))')"],
            ),
            ("MULTIPOINT", &["ST_GeomFromText('MULTIPOINT(0 0, 5 5)')"]),
            ("MULTILINESTRING", &["ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3))')"]),
            (
                "MULTIPOLYGON",
                &["ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))')"],
            ),
            (
                "GEOMETRYCOLLECTION",
                &["ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))')"],
            ),
            ("GEOMETRY", &["ST_GeomFromText('POINT(3 4)')", "ST_GeomFromText('LINESTRING(0 0, 9 9)')"]),
        ],
    )
}
