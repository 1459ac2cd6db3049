//! The trees of statements, in detail.

use whimbrel_mysql_ddl::ast::{
    AlterClause, AlterColumnAction, AlterTable, Body, Classified, ColumnAttribute, ColumnDef, ColumnPosition,
    CreateTable, CreateTableBody, DataType, DefaultValue, DuplicateRows, GeneratedStorage, IndexDef,
    IndexKind, IndexOption, IndexVisibility, KeyPartTarget, LiteralKind, MatchType, OptionValue,
    PartitionMethod, PartitionSelection, PartitionValues, ReferentialAction, SortOrder, Statement,
    StatementClass, StatementKind, TableDefinition, TableElement, TypeKind,
};
use whimbrel_mysql_ddl::{Dialect, ParseOptions, SqlMode, parse, parse_many};

const MYSQL: ParseOptions = ParseOptions::new(Dialect::mysql(90_704));
const MARIADB: ParseOptions = ParseOptions::new(Dialect::mariadb(110_806));
const TIDB: ParseOptions = ParseOptions::new(Dialect::tidb(80_500));

fn read(sql: &str, options: &ParseOptions) -> Statement {
    parse(sql, options).expect("the statement is right")
}

fn create(sql: &str, options: &ParseOptions) -> CreateTable {
    let Body::CreateTable(create) = read(sql, options).body else { unreachable!("{sql} creates a table") };
    *create
}

fn definition(sql: &str, options: &ParseOptions) -> TableDefinition {
    let CreateTableBody::Definition(definition) = create(sql, options).body else {
        unreachable!("{sql} defines")
    };
    *definition
}

/// The only column of `CREATE TABLE t (<text>)`.
fn column(text: &str, options: &ParseOptions) -> ColumnDef {
    let elements = definition(&format!("CREATE TABLE t ({text})"), options).elements;
    let Some(TableElement::Column(column)) = elements.into_iter().next() else {
        unreachable!("{text} is a column")
    };
    column
}

fn data_type(text: &str) -> DataType {
    column(&format!("c {text}"), &MYSQL).data_type.expect("a type was written")
}

fn attributes(text: &str) -> Vec<ColumnAttribute> {
    column(&format!("c {text}"), &MYSQL).attributes
}

/// The only index of `CREATE TABLE t (<text>)`.
fn index(text: &str, options: &ParseOptions) -> IndexDef {
    let elements = definition(&format!("CREATE TABLE t ({text})"), options).elements;
    let Some(TableElement::Index(index)) = elements.into_iter().next() else {
        unreachable!("{text} is an index")
    };
    index
}

fn alter(sql: &str, options: &ParseOptions) -> AlterTable {
    let Body::AlterTable(alter) = read(sql, options).body else { unreachable!("{sql} alters a table") };
    *alter
}

fn clause(text: &str) -> AlterClause {
    let mut clauses = alter(&format!("ALTER TABLE t {text}"), &MYSQL).clauses;
    assert_eq!(clauses.len(), 1, "{text}");
    clauses.remove(0)
}

fn classified(sql: &str, options: &ParseOptions) -> Classified {
    let Body::Classified(classified) = read(sql, options).body else {
        unreachable!("{sql} is only classified")
    };
    classified
}

fn names(tables: &[whimbrel_mysql_ddl::ast::TableName]) -> Vec<String> {
    tables.iter().map(ToString::to_string).collect()
}

#[test]
fn synonyms_of_types_are_one_type() {
    for (text, kind, length) in [
        ("INTEGER", TypeKind::Int, None),
        ("INT4(11)", TypeKind::Int, Some(11)),
        ("MIDDLEINT", TypeKind::MediumInt, None),
        ("BOOL", TypeKind::TinyInt, Some(1)),
        ("DEC(7)", TypeKind::Decimal, Some(7)),
        ("FIXED", TypeKind::Decimal, None),
        ("REAL", TypeKind::Double, None),
        ("DOUBLE PRECISION", TypeKind::Double, None),
        ("FLOAT8", TypeKind::Double, None),
        ("CHARACTER VARYING(9)", TypeKind::VarChar, Some(9)),
        ("LONG", TypeKind::MediumText, None),
        ("LONG CHAR VARYING", TypeKind::MediumText, None),
        ("LONG VARBINARY", TypeKind::MediumBlob, None),
        ("GEOMCOLLECTION", TypeKind::GeometryCollection, None),
        ("DATETIME(6)", TypeKind::DateTime, Some(6)),
        ("DECIMAL(19.5)", TypeKind::Decimal, Some(19)),
    ] {
        let found = data_type(text);
        assert_eq!((found.kind, found.length), (kind, length), "{text}");
    }
    let decimal = data_type("NUMERIC(10, 2) UNSIGNED");
    assert_eq!((decimal.length, decimal.scale, decimal.unsigned), (Some(10), Some(2), true));
}

#[test]
fn attributes_of_types() {
    let zerofill = data_type("INT(5) ZEROFILL");
    assert!(!zerofill.unsigned && zerofill.zerofill && zerofill.is_unsigned());
    assert!(data_type("SERIAL").is_unsigned());
    let text = data_type("VARCHAR(9) CHARACTER SET UTF8MB4 COLLATE utf8mb4_BIN");
    assert_eq!((text.charset.as_deref(), text.collation.as_deref()), (Some("utf8mb4"), Some("utf8mb4_bin")));
    let late = data_type("VARCHAR(9) NOT NULL COMMENT 'x' COLLATE 'latin1_bin'");
    assert_eq!(late.collation.as_deref(), Some("latin1_bin"));
    assert_eq!(data_type("CHAR(1) ASCII").charset.as_deref(), Some("latin1"));
    assert_eq!(data_type("CHAR(1) UNICODE").charset.as_deref(), Some("ucs2"));
    assert_eq!(data_type("CHAR(1) BYTE").charset.as_deref(), Some("binary"));
    let binary = data_type("VARCHAR(3) CHARSET latin1 BINARY");
    assert!(binary.binary && binary.charset.as_deref() == Some("latin1"));
    assert!(data_type("NVARCHAR(3)").national && data_type("NATIONAL CHAR(3)").national);
    let members = data_type(r#"ENUM('a','it''s',"q\"'",'\n',x'41')"#).members;
    assert_eq!(members, ["a", "it's", "q\"'", "\n", "A"]);
}

#[test]
fn sql_mode_changes_what_is_read() {
    let sql_mode = SqlMode { ansi_quotes: true, no_backslash_escapes: true, real_as_float: true };
    let options = ParseOptions { sql_mode, ..MYSQL };
    let column = column(r#""a""b" REAL DEFAULT 1 COMMENT 'back\slash' CHECK ("a""b" <> '\')"#, &options);
    assert_eq!(column.name.value, "a\"b");
    assert_eq!(column.data_type.as_ref().map(|t| t.kind), Some(TypeKind::Float));
    assert_eq!(column.attributes[1], ColumnAttribute::Comment(r"back\slash".into()));
    let ColumnAttribute::Check(check) = &column.attributes[2] else { unreachable!() };
    assert_eq!(check.expr.text, r#"`a"b` <> '\\'"#);
}

#[test]
fn attributes_of_columns() {
    use ColumnAttribute as A;
    assert_eq!(
        attributes("INT NOT NULL AUTO_INCREMENT PRIMARY KEY"),
        [A::NotNull, A::AutoIncrement, A::PrimaryKey(None)]
    );
    assert_eq!(
        attributes("INT NULL UNIQUE KEY INVISIBLE"),
        [A::Null, A::Unique { global: false }, A::Invisible]
    );
    let now = attributes("DATETIME(3) DEFAULT NOW(3) ON UPDATE LOCALTIMESTAMP(3)");
    assert_eq!(now, [A::Default(DefaultValue::Now(Some(3))), A::OnUpdateNow(Some(3))]);
    let generated = attributes("INT GENERATED ALWAYS AS ((a + 1) * 2) STORED");
    let [A::Generated { expr, storage }] = generated.as_slice() else { unreachable!() };
    assert_eq!((expr.text.as_str(), *storage), ("(a + 1) * 2", Some(GeneratedStorage::Stored)));
    assert_eq!(attributes("POINT SRID 4326"), [A::Srid(4326)]);
    let random = column("id BIGINT AUTO_RANDOM(5, 54) PRIMARY KEY CLUSTERED", &TIDB).attributes;
    assert_eq!(random[0], A::AutoRandom { shard_bits: Some(5), range_bits: Some(54) });
    let compressed = column("a VARCHAR(9) NOT NULL COMPRESSED", &MARIADB).attributes;
    assert_eq!(compressed, [A::Compressed(None), A::NotNull]);
}

#[test]
fn defaults() {
    let value = |text: &str| match attributes(&format!("VARCHAR(9) DEFAULT {text}")).remove(0) {
        ColumnAttribute::Default(value) => value,
        other => unreachable!("{other:?}"),
    };
    let literal = |text: &str| match value(text) {
        DefaultValue::Literal(literal) => literal.kind,
        other => unreachable!("{other:?}"),
    };
    let string = |value: &str| LiteralKind::String { value: value.into(), introducer: None, national: false };
    assert_eq!(value("NULL"), DefaultValue::Null);
    assert_eq!(literal("'a' 'b'"), string("ab"));
    assert_eq!(literal(r"'\0\Z\%\_\x\''"), string("\0\u{1a}\\%\\_x'"));
    assert_eq!(literal("- 1.5e3"), LiteralKind::Number("-1.5e3".into()));
    assert_eq!(literal("x'4142'"), LiteralKind::Bytes { value: b"AB".to_vec(), introducer: None });
    assert_eq!(literal("0x142"), LiteralKind::Bytes { value: vec![1, 0x42], introducer: None });
    assert_eq!(literal("b'101'"), LiteralKind::Bits("101".into()));
    assert_eq!(literal("0b101"), LiteralKind::Bits("101".into()));
    assert_eq!(literal("TRUE"), LiteralKind::Boolean(true));
    assert_eq!(
        literal("DATE '2020-01-01'"),
        LiteralKind::Temporal { keyword: "DATE".into(), value: "2020-01-01".into() }
    );
    let latin1 =
        LiteralKind::String { value: "x".into(), introducer: Some("latin1".into()), national: false };
    assert_eq!(literal("_LATIN1'x'"), latin1);
    let DefaultValue::Expr(expr) = value("(uuid())") else { unreachable!() };
    assert_eq!(expr.text, "uuid()");
    let bare = column("a INT DEFAULT NEXT VALUE FOR s COMMENT 'c'", &MARIADB).attributes;
    let ColumnAttribute::Default(DefaultValue::BareExpr(expr)) = &bare[0] else { unreachable!() };
    assert_eq!(expr.text, "NEXT VALUE FOR s");
}

#[test]
fn bytes_that_are_no_text_become_hex() {
    let statement =
        parse(b"CREATE TABLE t (a BINARY(2) DEFAULT _binary'\xff\x00', b INT CHECK (b <> '\xfe'))", &MYSQL);
    let printed = statement.expect("bytes in strings are allowed").to_string();
    assert_eq!(
        printed,
        "CREATE TABLE `t` (`a` BINARY(2) DEFAULT _binary x'FF00', `b` INT CHECK (b <> _utf8mb4 x'FE'))"
    );
}

#[test]
fn fragments_have_no_comments() {
    let text = "CREATE TABLE t (a INT DEFAULT (1 /* one */ +\n  /*!50000 2 */ -- two\n * f( 3 )))";
    let column = column(&text["CREATE TABLE t (".len()..text.len() - 1], &MYSQL);
    let ColumnAttribute::Default(DefaultValue::Expr(expr)) = &column.attributes[0] else { unreachable!() };
    assert_eq!(expr.text, "1 + 2 * f( 3 )");
}

#[test]
fn indexes() {
    let key =
        index("UNIQUE KEY u (a(10) DESC, b ASC, ((lower(c)))) USING BTREE COMMENT 'x' INVISIBLE", &MYSQL);
    assert_eq!((key.kind, key.given_name().map(|n| n.value.as_str())), (IndexKind::Unique, Some("u")));
    assert_eq!((key.parts[0].length, key.parts[0].order), (Some(10), Some(SortOrder::Desc)));
    assert_eq!(key.parts[1].order, Some(SortOrder::Asc));
    let KeyPartTarget::Expr(expr) = &key.parts[2].target else { unreachable!() };
    assert_eq!(expr.text, "(lower(c))");
    assert_eq!(
        key.options,
        [IndexOption::Using("BTREE".into()), IndexOption::Comment("x".into()), IndexOption::Invisible]
    );

    let primary = index("CONSTRAINT pk PRIMARY KEY USING HASH (a)", &MYSQL);
    assert_eq!(
        (primary.kind, primary.given_name().map(|n| n.value.as_str())),
        (IndexKind::Primary, Some("pk"))
    );
    assert_eq!(primary.options, [IndexOption::Using("HASH".into())]);
    let both = index("CONSTRAINT c UNIQUE u (a)", &MYSQL);
    assert_eq!(both.given_name().map(|n| n.value.as_str()), Some("u"));
    let period = index("UNIQUE (id, p WITHOUT OVERLAPS)", &MARIADB);
    assert_eq!((period.parts.len(), period.without_overlaps.map(|p| p.value)), (1, Some("p".into())));
    let vector = index("VECTOR INDEX (v) M=8 DISTANCE=cosine", &MARIADB);
    let distance = IndexOption::Named { name: "DISTANCE".into(), value: OptionValue::Word("cosine".into()) };
    assert_eq!((vector.kind, &vector.options[1]), (IndexKind::Vector, &distance));
}

#[test]
fn foreign_keys_and_checks() {
    let sql = "CREATE TABLE c (CONSTRAINT fk FOREIGN KEY i (a, b) REFERENCES d.p (x, y) MATCH FULL \
               ON UPDATE CASCADE ON DELETE SET NULL, CONSTRAINT ck CHECK (a > 1) NOT ENFORCED)";
    let elements = definition(sql, &MYSQL).elements;
    let TableElement::ForeignKey(key) = &elements[0] else { unreachable!() };
    assert_eq!(key.constraint.as_ref().map(|n| n.value.as_str()), Some("fk"));
    assert_eq!(key.index_name.as_ref().map(|n| n.value.as_str()), Some("i"));
    assert_eq!(key.references.table.to_string(), "`d`.`p`");
    assert_eq!(key.references.match_type, Some(MatchType::Full));
    assert_eq!(key.references.on_delete, Some(ReferentialAction::SetNull));
    assert_eq!(key.references.on_update, Some(ReferentialAction::Cascade));
    let TableElement::Check(check) = &elements[1] else { unreachable!() };
    assert_eq!((check.expr.text.as_str(), check.enforced), ("a > 1", Some(false)));
}

#[test]
fn table_options() {
    let sql = "CREATE TABLE t (a INT) ENGINE InnoDB, DEFAULT CHARSET=UTF8MB4 COLLATE utf8mb4_bin COMMENT 'it''s' \
               AUTO_INCREMENT=7 COMMENT='last' STATS_PERSISTENT=DEFAULT UNION=(a, b.c)";
    let options = definition(sql, &MYSQL).options;
    assert_eq!(
        (options.engine(), options.comment(), options.auto_increment()),
        (Some("InnoDB"), Some("last"), Some(7))
    );
    assert_eq!(options.charset().as_deref(), Some("utf8mb4"));
    assert_eq!(options.collation().as_deref(), Some("utf8mb4_bin"));
    assert_eq!(options.get("STATS_PERSISTENT"), Some(&OptionValue::Word("DEFAULT".into())));
    let Some(OptionValue::Tables(tables)) = options.get("UNION") else { unreachable!() };
    assert_eq!(names(tables), ["`a`", "`b`.`c`"]);
    assert!(
        definition("CREATE TABLE t (a INT) WITH SYSTEM VERSIONING", &MARIADB).options.is_system_versioned()
    );
}

#[test]
fn tables_from_queries_and_tables() {
    let select = read("CREATE TABLE t (id INT) REPLACE AS SELECT 1", &MYSQL);
    assert_eq!(select.kind(), StatementKind::CreateTableSelect);
    let query =
        definition("CREATE TABLE t (id INT) REPLACE AS SELECT 1", &MYSQL).query.expect("there is a query");
    assert_eq!((query.duplicates, query.query.text.as_str()), (Some(DuplicateRows::Replace), "SELECT 1"));
    let atomic = read("CREATE TABLE t (a INT) START TRANSACTION", &MYSQL);
    assert_eq!(atomic.kind(), StatementKind::CreateTable);
    assert!(definition("CREATE TABLE t (a INT) START TRANSACTION", &MYSQL).options.starts_transaction());
    let like = read("CREATE TABLE a.b (LIKE c)", &MYSQL);
    assert_eq!(names(&like.tables()), ["`a`.`b`", "`c`"]);
}

#[test]
fn partitions() {
    let sql = "CREATE TABLE t (a INT) PARTITION BY RANGE (a) SUBPARTITION BY LINEAR KEY (b) SUBPARTITIONS 2 \
               (PARTITION p0 VALUES LESS THAN (10) COMMENT 'c' (SUBPARTITION s0, SUBPARTITION s1), \
               PARTITION p1 VALUES LESS THAN MAXVALUE)";
    let partitioning = definition(sql, &MYSQL).partitioning.expect("there are partitions");
    let PartitionMethod::Range(expr) = &partitioning.method else { unreachable!() };
    assert_eq!(expr.text, "a");
    let sub = partitioning.subpartitioning.as_ref().expect("there are subpartitions");
    assert_eq!(sub.count, Some(2));
    assert!(matches!(&sub.method, PartitionMethod::Key { linear: true, columns, .. } if columns.len() == 1));
    let [first, last] = partitioning.definitions.as_slice() else { unreachable!() };
    assert_eq!((first.subpartitions.len(), first.options.comment()), (2, Some("c")));
    assert!(matches!(&first.values, PartitionValues::LessThan(list) if list.text == "10"));
    assert_eq!(last.values, PartitionValues::LessThanMaxValue);
}

#[test]
fn clauses_about_columns() {
    let AlterClause::AddColumn { column, position, .. } = clause("ADD c INT AFTER b") else { unreachable!() };
    assert_eq!(column.name.value, "c");
    assert!(matches!(position, Some(ColumnPosition::After(b)) if b.value == "b"));
    let AlterClause::AddElements { elements, .. } = clause("ADD (a INT, b INT, KEY (a))") else {
        unreachable!()
    };
    assert_eq!(elements.len(), 3);
    let AlterClause::ChangeColumn { old, column, position, .. } = clause("CHANGE a b INT FIRST") else {
        unreachable!()
    };
    assert_eq!(
        (old.value.as_str(), column.name.value.as_str(), position),
        ("a", "b", Some(ColumnPosition::First))
    );
    let AlterClause::RenameColumn { from, to, .. } = clause("RENAME COLUMN a TO b") else { unreachable!() };
    assert_eq!((from.value.as_str(), to.value.as_str()), ("a", "b"));
    assert!(
        matches!(clause("DROP COLUMN a CASCADE"), AlterClause::DropColumn { name, .. } if name.value == "a")
    );
    let AlterClause::AlterColumn { action, .. } = clause("ALTER a SET INVISIBLE") else { unreachable!() };
    assert_eq!(action, AlterColumnAction::SetInvisible);
}

#[test]
fn clauses_about_keys() {
    assert_eq!(clause("DROP PRIMARY KEY"), AlterClause::DropPrimaryKey);
    assert!(matches!(clause("DROP KEY k"), AlterClause::DropIndex { name, .. } if name.value == "k"));
    assert!(matches!(clause("ADD UNIQUE (a)"), AlterClause::AddIndex(key) if key.kind == IndexKind::Unique));
    let AlterClause::AlterIndex { visibility, .. } = clause("ALTER INDEX k INVISIBLE") else {
        unreachable!()
    };
    assert_eq!(visibility, IndexVisibility::Invisible);
    assert!(matches!(clause("DROP CHECK c"), AlterClause::DropCheck { .. }));
    assert!(matches!(clause("DROP CONSTRAINT c"), AlterClause::DropConstraint { .. }));
    assert!(matches!(clause("ALTER CHECK c NOT ENFORCED"), AlterClause::AlterCheck { enforced: false, .. }));
}

#[test]
fn clauses_about_the_table() {
    let convert =
        AlterClause::ConvertTo { charset: Some("utf8mb4".into()), collation: Some("utf8mb4_bin".into()) };
    assert_eq!(clause("CONVERT TO CHARSET UTF8MB4 COLLATE utf8mb4_bin"), convert);
    assert_eq!(
        clause("CONVERT TO CHARACTER SET DEFAULT"),
        AlterClause::ConvertTo { charset: None, collation: None }
    );
    assert_eq!(clause("ALGORITHM = instant"), AlterClause::Algorithm("INSTANT".into()));
    assert_eq!(clause("TRUNCATE PARTITION ALL"), AlterClause::TruncatePartition(PartitionSelection::All));
    let rename = read("ALTER TABLE a.t ADD c INT, RENAME b.u", &MYSQL);
    assert_eq!(names(&rename.tables()), ["`a`.`t`", "`b`.`u`"]);
    let spaced =
        alter("ALTER TABLE t ENGINE=InnoDB ROW_FORMAT=DYNAMIC, ADD c INT PARTITION BY HASH (c)", &MYSQL);
    assert_eq!(spaced.clauses.len(), 4);
    let vendor = alter("ALTER TABLE t SET TIFLASH REPLICA 2", &TIDB);
    assert!(matches!(&vendor.clauses[0], AlterClause::Vendor(text) if text.text == "SET TIFLASH REPLICA 2"));
}

#[test]
fn renames_keep_their_order() {
    let swap = read("RENAME TABLE a TO x, b TO a, x TO b", &MYSQL);
    assert_eq!(names(&swap.tables()), ["`a`", "`x`", "`b`", "`a`", "`x`", "`b`"]);
    let gh_ost = read("rename /* gh-ost */ table `d`.`t` to `d`.`_t_del`, `d`.`_t_gho` to `d`.`t`", &MYSQL);
    assert_eq!(names(&gh_ost.tables()), ["`d`.`t`", "`d`.`_t_del`", "`d`.`_t_gho`", "`d`.`t`"]);
}

#[test]
fn statements_that_change_rows() {
    for (sql, kind, tables) in [
        ("INSERT IGNORE INTO d.t VALUES (1)", StatementKind::Insert, vec!["`d`.`t`"]),
        ("REPLACE t SET a = 1", StatementKind::Replace, vec!["`t`"]),
        ("UPDATE t AS x SET a = 1", StatementKind::Update, vec!["`t`"]),
        ("UPDATE t, u SET t.a = u.a", StatementKind::Update, vec![]),
        ("UPDATE t LEFT JOIN u ON 1 SET t.a = 1", StatementKind::Update, vec![]),
        ("DELETE FROM t WHERE a IN (SELECT 1, 2)", StatementKind::Delete, vec!["`t`"]),
        ("DELETE t FROM t JOIN u", StatementKind::Delete, vec![]),
        ("DELETE FROM t USING t JOIN u", StatementKind::Delete, vec![]),
        ("LOAD DATA INFILE 'INTO TABLE x' INTO TABLE d.t", StatementKind::LoadData, vec!["`d`.`t`"]),
        ("WITH a AS (SELECT 1) UPDATE t SET b = 1", StatementKind::Update, vec!["`t`"]),
        ("WITH a AS (DELETE FROM x) SELECT 1", StatementKind::Select, vec![]),
    ] {
        let statement = read(sql, &MYSQL);
        assert_eq!(statement.kind(), kind, "{sql}");
        assert_eq!(names(&statement.tables()), tables, "{sql}");
        let class = if kind == StatementKind::Select { StatementClass::Query } else { StatementClass::Data };
        assert_eq!(kind.class(), class, "{sql}");
    }
    assert_eq!(read("ANALYZE UPDATE t SET a = 1", &MARIADB).kind(), StatementKind::Update);
}

#[test]
fn names_in_classified_statements() {
    let trigger =
        classified("CREATE DEFINER=u@h TRIGGER d.tr BEFORE INSERT ON d.t FOR EACH ROW SET @a = 1", &MYSQL);
    assert_eq!(
        (trigger.kind, names(&trigger.objects), names(&trigger.tables)),
        (StatementKind::CreateTrigger, vec!["`d`.`tr`".into()], vec!["`d`.`t`".into()])
    );
    let view = classified("CREATE OR REPLACE ALGORITHM=MERGE VIEW v (a) AS SELECT 1", &MYSQL);
    assert_eq!((view.kind, names(&view.objects)), (StatementKind::CreateView, vec!["`v`".into()]));
    assert_eq!(names(&classified("DROP VIEW IF EXISTS a, b.c", &MYSQL).objects), ["`a`", "`b`.`c`"]);
    let user = classified("RENAME USER a@10.0.0.1 TO 'b'@'%'", &MYSQL);
    assert_eq!(names(&user.objects), ["`a@10.0.0.1`", "`b@%`"]);
    assert_eq!(
        names(&classified("GRANT SELECT (a), INSERT ON d.* TO u, v@h", &MYSQL).objects),
        ["`u`", "`v@h`"]
    );
    assert_eq!(names(&classified("OPTIMIZE LOCAL TABLE a, b.c", &MYSQL).tables), ["`a`", "`b`.`c`"]);
    for (sql, kind) in [
        ("BEGIN", StatementKind::Begin),
        ("START TRANSACTION", StatementKind::Begin),
        ("ROLLBACK TO s", StatementKind::RollbackToSavepoint),
        ("XA COMMIT 'a' ONE PHASE", StatementKind::XaCommit),
        ("SET PASSWORD = 'x'", StatementKind::SetPassword),
        ("SET SESSION TRANSACTION READ ONLY", StatementKind::SetTransaction),
        ("SET @a = 1", StatementKind::Set),
        ("FLUSH TABLES", StatementKind::Flush),
        ("PURGE BINARY LOGS TO 'x'", StatementKind::Replication),
    ] {
        assert_eq!(read(sql, &MYSQL).kind(), kind, "{sql}");
    }
}

#[test]
fn set_statement_is_kept_beside() {
    let statement = read("SET STATEMENT max_statement_time=1 FOR DROP TABLE t", &MARIADB);
    assert_eq!(statement.kind(), StatementKind::DropTable);
    assert_eq!(statement.variables.map(|v| v.text).as_deref(), Some("max_statement_time=1"));
}

#[test]
fn spans_are_places_in_the_source() {
    let sql = "  ALTER TABLE `d`.t ADD `c 1` INT DEFAULT (1+1) ; ";
    let statement = read(sql, &MYSQL);
    assert_eq!(statement.span.text(sql), "ALTER TABLE `d`.t ADD `c 1` INT DEFAULT (1+1)");
    let Body::AlterTable(alter) = statement.body else { unreachable!() };
    assert_eq!(alter.table.span().text(sql), "`d`.t");
    let AlterClause::AddColumn { column, .. } = &alter.clauses[0] else { unreachable!() };
    assert_eq!(column.span.text(sql), "`c 1` INT DEFAULT (1+1)");
    assert_eq!(column.name.span.text(sql), "`c 1`");
    assert_eq!(column.data_type.as_ref().map(|t| t.span.text(sql)), Some("INT"));
    let ColumnAttribute::Default(DefaultValue::Expr(expr)) = &column.attributes[0] else { unreachable!() };
    assert_eq!(expr.span.text(sql), "1+1");
}

#[test]
fn a_statement_span_holds_whole_executable_comments() {
    let sql = "/*!40000 DROP TABLE a */; CREATE TABLE t (a INT) /*!50100 COMMENT='x' */ ; /*! COMMIT";
    let results = parse_many(sql, &MYSQL);
    let texts: Vec<&str> = results.iter().flatten().map(|statement| statement.span.text(sql)).collect();
    assert_eq!(texts, ["/*!40000 DROP TABLE a */", "CREATE TABLE t (a INT) /*!50100 COMMENT='x' */"]);
    assert!(results[2].is_err());
}

#[test]
fn scripts_are_split_outside_of_blocks() {
    let sql = "DROP TABLE a; \
        CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; CASE 1 WHEN 1 THEN SELECT 2; END CASE; \
        REPEAT SELECT 3; UNTIL 1 END REPEAT; SELECT CASE 1 WHEN 1 THEN 2 END; BEGIN END; END; \
        CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @a = 1; \
        CREATE TABLE event (`begin` INT); DROP TABLE b";
    let kinds: Vec<StatementKind> =
        parse_many(sql, &MYSQL).into_iter().map(|result| result.expect("all are right").kind()).collect();
    use StatementKind as K;
    assert_eq!(kinds, [K::DropTable, K::CreateProcedure, K::CreateTrigger, K::CreateTable, K::DropTable]);
}
