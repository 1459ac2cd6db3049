ALTER TABLE `shop`.`orders`
  ADD COLUMN `note` text COLLATE utf8mb4_unicode_ci,
  DROP COLUMN old_note,
  CHANGE price price DECIMAL(12,4) NOT NULL DEFAULT '0.0000' AFTER id,
  ADD UNIQUE KEY uq (note(20), price),
  DROP FOREIGN KEY fk_customer,
  COMMENT = 'orders; with (parens)', -- trailing
  ALGORITHM = COPY;
