CREATE TABLE `we``ird` (`a b` INT, `select` INT, `日本` INT, `1` INT, ` lead` INT);
