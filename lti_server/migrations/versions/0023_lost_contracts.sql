-- A version that the journal tells of, and a restored backup does not have: its place, its hash and its days, without
-- its text (`document` repeats the version before). It ends before it begins, so nothing is in force by it, and none
-- that it replaced either. {role} is the application role of this database.
ALTER TABLE contract DROP CONSTRAINT ck_contract_kind;
ALTER TABLE contract
  ADD CONSTRAINT ck_contract_kind CHECK (kind IN ('signed', 'amended', 'joined', 'lost')),
  ADD CONSTRAINT ck_contract_lost CHECK (kind <> 'lost' OR valid_to < valid_from);
-- Its text can come back, once; nothing else of a contract ever changes.
GRANT UPDATE (document, family, valid_to, signed_by, kind) ON contract TO {role};
CREATE POLICY lost_alone ON contract AS RESTRICTIVE FOR UPDATE
  USING (kind = 'lost') WITH CHECK (kind = 'signed');
