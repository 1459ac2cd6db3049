//! The conformance suite of all connectors, on MySQL, MariaDB and OceanBase.

pub mod playground;
pub mod samples;

use playground::{Kind, MysqlPlayground};
use whimbrel_connector::conformance_suite;

mod mysql {
    use super::*;

    conformance_suite!(|case| MysqlPlayground::new("mysql97", Kind::Mysql, case));
}

mod mariadb {
    use super::*;

    conformance_suite!(|case| MysqlPlayground::new("mariadb1011", Kind::MariaDb, case));
}

mod oceanbase {
    use super::*;

    conformance_suite!(|case| MysqlPlayground::new("seekdb", Kind::OceanBase, case));
}
