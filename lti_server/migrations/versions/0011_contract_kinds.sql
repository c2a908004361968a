-- How a version came to be. A joined one points at the terms of another district (NDPA Exhibit E): by id and hash
-- alone, for a district sees no row of another; it has its own copy of the text.
ALTER TABLE contract
  ADD COLUMN kind text NOT NULL DEFAULT 'signed'
    CONSTRAINT ck_contract_kind CHECK (kind IN ('signed', 'amended', 'joined')),
  ADD COLUMN amends uuid REFERENCES contract (id),
  ADD COLUMN parent_contract_id uuid,
  ADD COLUMN parent_policy_hash text,
  ADD CONSTRAINT ck_contract_points CHECK (
    (kind = 'amended') = (amends IS NOT NULL)
    AND (kind = 'joined') = (parent_contract_id IS NOT NULL)
    AND (parent_contract_id IS NULL) = (parent_policy_hash IS NULL));
