//! Words that the grammar knows, and the lookup that the lexer does once per word.

/// Defines [`Kw`], its names, and the list of all keywords in one place.
macro_rules! keywords {
    ($($name:ident)*) => {
        /// A word that the grammar knows. Variants are spelled as in SQL, so that the grammar reads like the manual.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Kw { NotKeyword, $($name),* }

        const ALL: &[Kw] = &[Kw::NotKeyword, $(Kw::$name),*];
        const NAMES: &[&str] = &["identifier", $(stringify!($name)),*];
    };
}

keywords! {
    ACTION ADD ADMIN AFFINITY AFTER AGAINST AGGREGATE ALGORITHM ALL ALTER ALWAYS ANALYZE AND ARRAY AS ASC
    ASCII ATTRIBUTES AUTO AUTOEXTEND_SIZE AUTO_ID_CACHE AUTO_INCREMENT AUTO_INCREMENT_CACHE_SIZE
    AUTO_INCREMENT_MODE AUTO_RANDOM AUTO_RANDOM_BASE AUTO_REFRESH AVG_ROW_LENGTH BACKUP BATCH BEFORE BEGIN
    BETWEEN BIGINT BINARY BINDING BINLOG BIT BLOB BLOCK_SIZE BODY BOOL BOOLEAN BOTH BTREE BY BYTE CACHE
    CALIBRATE CALL CANCEL CASCADE CASE CHANGE CHANGED CHAR CHARACTER CHARSET CHECK CHECKSUM CLOB CLONE
    CLUSTER CLUSTERED COALESCE COLLATE COLUMN COLUMNAR COLUMNS COLUMN_FORMAT COMMENT COMMIT COMPACT
    COMPRESSED COMPRESSION CONCURRENT CONNECTION CONSTRAINT CONVERT CREATE CROSS CTXCAT CURRENT CURRENT_DATE
    CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATA DATABASE DATABASES DATE DATETIME
    DEALLOCATE DEC DECIMAL DEFAULT DEFINER DELAYED DELAY_KEY_WRITE DELETE DESC DESCRIBE DIRECTORY DISABLE
    DISCARD DISK DISTINCT DISTINCTROW DISTRIBUTE DIV DO DOUBLE DROP DUAL DUALITY DUPLICATE_READ_CONSISTENCY
    DUPLICATE_SCOPE DYNAMIC DYNAMIC_PARTITION_POLICY EACH ELSE ENABLE ENABLE_EXTENDED_ROWID ENCLOSED
    ENCRYPTION END ENFORCED ENGINE ENGINE_ATTRIBUTE ENGINE_ATTRIBUTES ENUM ESCAPED EVENT EXCHANGE EXECUTE
    EXISTS EXPIRE_INFO EXPLAIN EXTENDED EXTERNAL FALSE FAST FIELDS FIRST FIXED FLASHBACK FLOAT FLOAT4 FLOAT8
    FLUSH FOR FORCE FOREIGN FORMAT FROM FULL FULLTEXT FUNCTION GENERATED GEOMCOLLECTION GEOMETRY
    GEOMETRYCOLLECTION GET GLOBAL GRANT GROUP GROUP_REPLICATION HANDLER HASH HAVING HELP HIGH_PRIORITY
    HISTORY HYPO IETF_QUOTES IF IGNORE IGNORED IMPORT IN INCREMENTAL INDEX INDEXES INET4 INET6 INFILE INNER
    INSERT INSERT_METHOD INSTALL INSTANCE INT INT1 INT2 INT3 INT4 INT8 INTEGER INTERVAL INTO INVISIBLE IS
    JOIN JSON KEY KEYS KEY_BLOCK_SIZE KILL KV_ATTRIBUTES LABELS LAST LEADING LEFT LESS LIBRARY LIKE LIMIT
    LINEAR LINES LINESTRING LIST LOAD LOB_INROW_THRESHOLD LOCAL LOCALITY LOCALTIME LOCALTIMESTAMP LOCATION
    LOCK LOGFILE LONG LONGBLOB LONGTEXT LOOP LOW_PRIORITY MAP MASTER MATCH MATERIALIZED MAXVALUE MAX_ROWS
    MAX_USED_PART_ID MEDIUM MEDIUMBLOB MEDIUMINT MEDIUMTEXT MEMORY MERGE MERGE_ENGINE MICRO_INDEX_CLUSTERED
    MIDDLEINT MIN_ROWS MODIFY MULTILINESTRING MULTIPOINT MULTIPOLYGON NAME NATIONAL NATURAL NCHAR NEXT NO
    NOCACHE NODEGROUP NONCLUSTERED NONE NOPARALLEL NOT NOW NOWAIT NO_WRITE_TO_BINLOG NULL NUMBER NUMERIC
    NVARCHAR OFFLINE ON ONLINE ONLY OPTIMIZE OPTION OR ORDER ORGANIZATION OUTER OUTFILE OUTLINE OVERLAPS
    OVERWRITE PACKAGE PACK_KEYS PAGE_CHECKSUM PARALLEL PARSER PARSER_PROPERTIES PARTIAL PARTITION
    PARTITIONING PARTITIONS PASSWORD PATTERN PCTFREE PERIOD PERSISTENT PLACEMENT PLAN POINT POLICY POLYGON
    POOL PRECISION PREPARE PRESERVE PREVIOUS PRE_SPLIT_REGIONS PRIMARY PRIMARY_ZONE PROCEDURE
    PROGRESSIVE_MERGE_NUM PROGRESSIVE_MERGE_ROUND PROPERTIES PUBLIC PURGE QUERY QUICK RANGE RAW READ REAL
    REBUILD RECOVER REFERENCE REFERENCES REFRESH REGEXP RELATIONAL RELEASE REMOVE RENAME REORGANIZE REPAIR
    REPEAT REPLACE REPLICA REPLICA_NUM REQUIRE RESET RESIGNAL RESOURCE RESTART RESTORE RESTRICT RETURNING
    REVOKE RIGHT RLIKE ROARINGBITMAP ROLE ROLLBACK ROW ROWS ROW_FORMAT RTREE SAVEPOINT SCHEMA SCHEMAS
    SECONDARY SECONDARY_ENGINE SECONDARY_ENGINE_ATTRIBUTE SECONDARY_LOAD SECONDARY_UNLOAD SECURITY SELECT
    SEMISTRUCT_ENCODING_TYPE SEQUENCE SERIAL SERVER SESSION SET SHARD_ROW_ID_BITS SHOW SHUTDOWN SIGNAL
    SIGNED SIMPLE SIZE SKIP_INDEX SLAVE SMALLINT SPARSEVECTOR SPATIAL SPLIT SQL SQL_TSI_YEAR SRID START
    STARTING STARTS STATEMENT STATISTICS STATS STATS_AUTO_RECALC STATS_BUCKETS STATS_COL_CHOICE
    STATS_COL_LIST STATS_EXTENDED STATS_PERSISTENT STATS_SAMPLE_PAGES STATS_SAMPLE_RATE STATS_TOPN STOP
    STORAGE STORAGE_FORMAT_VERSION STORED STORING STRAIGHT_JOIN SUBPARTITION SUBPARTITIONS SYSTEM
    SYSTEM_TIME TABLE TABLEGROUP TABLES TABLESPACE TABLET_SIZE TABLE_CHECKSUM TABLE_ID TABLE_MODE TEMPLATE
    TEMPORARY TENANT TERMINATED TEXT THAN THEN TIFLASH TIME TIMESTAMP TINYBLOB TINYINT TINYTEXT TO TRACE
    TRAFFIC TRAILING TRANSACTION TRANSACTIONAL TRIGGER TRUE TRUNCATE TTL TTL_ENABLE TTL_JOB_INTERVAL TYPE
    UNDO UNDO_BUFFER_SIZE UNICODE UNINSTALL UNION UNIQUE UNIT UNLOCK UNSIGNED UPDATE UPGRADE USAGE USE USER
    USE_BLOOM_FILTER USE_FRM USING UTC_DATE UTC_TIMESTAMP UUID VALIDATION VALUE VALUES VARBINARY VARCHAR
    VARCHAR2 VARCHARACTER VARYING VECTOR VERSIONING VIEW VIRTUAL VISIBLE WAIT WHEN WHERE WHILE WITH WITHOUT
    WORK WRITE XA XML XMLTYPE XOR YEAR ZEROFILL
}

/// Words that every family and version reserves. Words that only some reserve (RANK, SYSTEM, GROUPS, PARTITION)
/// are taken as identifiers, since a server that logged them took them so.
const RESERVED: &[Kw] = &[
    Kw::ADD,
    Kw::ALL,
    Kw::ALTER,
    Kw::ANALYZE,
    Kw::AND,
    Kw::AS,
    Kw::ASC,
    Kw::BETWEEN,
    Kw::BIGINT,
    Kw::BINARY,
    Kw::BLOB,
    Kw::BOTH,
    Kw::BY,
    Kw::CALL,
    Kw::CASCADE,
    Kw::CASE,
    Kw::CHANGE,
    Kw::CHAR,
    Kw::CHARACTER,
    Kw::CHECK,
    Kw::COLLATE,
    Kw::COLUMN,
    Kw::CONSTRAINT,
    Kw::CONVERT,
    Kw::CREATE,
    Kw::CROSS,
    Kw::CURRENT_DATE,
    Kw::CURRENT_TIME,
    Kw::CURRENT_TIMESTAMP,
    Kw::CURRENT_USER,
    Kw::DATABASE,
    Kw::DATABASES,
    Kw::DECIMAL,
    Kw::DEFAULT,
    Kw::DELAYED,
    Kw::DELETE,
    Kw::DESC,
    Kw::DESCRIBE,
    Kw::DISTINCT,
    Kw::DISTINCTROW,
    Kw::DIV,
    Kw::DOUBLE,
    Kw::DROP,
    Kw::DUAL,
    Kw::ELSE,
    Kw::ENCLOSED,
    Kw::ESCAPED,
    Kw::EXISTS,
    Kw::EXPLAIN,
    Kw::FALSE,
    Kw::FLOAT,
    Kw::FOR,
    Kw::FORCE,
    Kw::FOREIGN,
    Kw::FROM,
    Kw::FULLTEXT,
    Kw::GRANT,
    Kw::GROUP,
    Kw::HAVING,
    Kw::HIGH_PRIORITY,
    Kw::IF,
    Kw::IGNORE,
    Kw::IN,
    Kw::INDEX,
    Kw::INFILE,
    Kw::INNER,
    Kw::INSERT,
    Kw::INT,
    Kw::INTEGER,
    Kw::INTERVAL,
    Kw::INTO,
    Kw::IS,
    Kw::JOIN,
    Kw::KEY,
    Kw::KEYS,
    Kw::KILL,
    Kw::LEADING,
    Kw::LEFT,
    Kw::LIKE,
    Kw::LIMIT,
    Kw::LINES,
    Kw::LOAD,
    Kw::LOCALTIME,
    Kw::LOCALTIMESTAMP,
    Kw::LOCK,
    Kw::LONG,
    Kw::LONGBLOB,
    Kw::LONGTEXT,
    Kw::LOW_PRIORITY,
    Kw::MATCH,
    Kw::MEDIUMBLOB,
    Kw::MEDIUMINT,
    Kw::MEDIUMTEXT,
    Kw::NATURAL,
    Kw::NOT,
    Kw::NULL,
    Kw::NUMERIC,
    Kw::ON,
    Kw::OPTIMIZE,
    Kw::OPTION,
    Kw::OR,
    Kw::ORDER,
    Kw::OUTER,
    Kw::OUTFILE,
    Kw::PRECISION,
    Kw::PRIMARY,
    Kw::PROCEDURE,
    Kw::RANGE,
    Kw::READ,
    Kw::REAL,
    Kw::REFERENCES,
    Kw::REGEXP,
    Kw::RELEASE,
    Kw::RENAME,
    Kw::REPEAT,
    Kw::REPLACE,
    Kw::REQUIRE,
    Kw::RESTRICT,
    Kw::REVOKE,
    Kw::RIGHT,
    Kw::RLIKE,
    Kw::SCHEMA,
    Kw::SCHEMAS,
    Kw::SELECT,
    Kw::SET,
    Kw::SHOW,
    Kw::SMALLINT,
    Kw::SPATIAL,
    Kw::SQL,
    Kw::STARTING,
    Kw::STRAIGHT_JOIN,
    Kw::TABLE,
    Kw::TERMINATED,
    Kw::THEN,
    Kw::TINYBLOB,
    Kw::TINYINT,
    Kw::TINYTEXT,
    Kw::TO,
    Kw::TRAILING,
    Kw::TRIGGER,
    Kw::TRUE,
    Kw::UNION,
    Kw::UNIQUE,
    Kw::UNLOCK,
    Kw::UNSIGNED,
    Kw::UPDATE,
    Kw::USAGE,
    Kw::USE,
    Kw::USING,
    Kw::VALUES,
    Kw::VARBINARY,
    Kw::VARCHAR,
    Kw::VARCHARACTER,
    Kw::VARYING,
    Kw::WHEN,
    Kw::WHERE,
    Kw::WITH,
    Kw::WRITE,
    Kw::XOR,
    Kw::ZEROFILL,
];

/// Slots of the hash table: a power of two, well above the number of keywords.
const SLOTS: usize = 4096;

const fn hash(word: &[u8]) -> usize {
    let mut h: u32 = 0x811c_9dc5;
    let mut i = 0;
    while i < word.len() {
        h ^= word[i].to_ascii_uppercase() as u32;
        h = h.wrapping_mul(0x0100_0193);
        i += 1;
    }
    ((h ^ (h >> 15)) as usize) % SLOTS
}

const fn build_table() -> [u16; SLOTS] {
    let mut table = [0u16; SLOTS];
    let mut i = 1;
    while i < NAMES.len() {
        let mut slot = hash(NAMES[i].as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = i as u16;
        i += 1;
    }
    table
}

static TABLE: [u16; SLOTS] = build_table();

/// Longest keyword, so that long identifiers are not hashed.
const LONGEST: usize = 32;

const fn build_reserved() -> [bool; ALL.len()] {
    let mut table = [false; ALL.len()];
    let mut i = 0;
    while i < RESERVED.len() {
        table[RESERVED[i] as usize] = true;
        i += 1;
    }
    table
}

static IS_RESERVED: [bool; ALL.len()] = build_reserved();

impl Kw {
    /// The keyword that `word` spells in any case.
    pub(crate) fn of(word: &[u8]) -> Kw {
        if word.len() > LONGEST {
            return Kw::NotKeyword;
        }
        let mut slot = hash(word);
        while let Some(index) = TABLE.get(slot).map(|i| *i as usize).filter(|i| *i != 0) {
            if NAMES.get(index).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(word)) {
                return ALL.get(index).copied().unwrap_or(Kw::NotKeyword);
            }
            slot = (slot + 1) % SLOTS;
        }
        Kw::NotKeyword
    }

    /// The keyword in upper case.
    pub(crate) fn name(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or("identifier")
    }

    /// True when no server of the family takes the word as an identifier without quotes.
    pub(crate) fn is_reserved(self) -> bool {
        IS_RESERVED.get(self as usize).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_in_any_case() {
        for (kw, name) in ALL.iter().zip(NAMES).skip(1) {
            assert!(name.len() <= LONGEST, "{name}");
            assert_eq!(Kw::of(name.as_bytes()), *kw, "{name}");
            assert_eq!(Kw::of(name.to_ascii_lowercase().as_bytes()), *kw, "{name}");
        }
    }

    #[test]
    fn other_words_are_not_keywords() {
        for word in ["", "identifier", "tabel", "användare", "x"] {
            assert_eq!(Kw::of(word.as_bytes()), Kw::NotKeyword, "{word}");
        }
    }

    #[test]
    fn reserved_words() {
        assert!(Kw::TABLE.is_reserved());
        assert!(Kw::PRIMARY.is_reserved());
        assert!(!Kw::ENGINE.is_reserved());
        assert!(!Kw::NotKeyword.is_reserved());
    }
}
