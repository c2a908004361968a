-- The keys that sign receipts, certificates, checkpoints and extracts of the log (docs/adr/0011). Nothing about a person.
CREATE TABLE document_key (
  kid text CONSTRAINT pk_document_key PRIMARY KEY,
  public_jwk jsonb NOT NULL,
  -- Empty once it is destroyed: the public half stays, for what it signed is still about.
  wrapped_private bytea NOT NULL,
  created_at timestamptz NOT NULL,
  retired_at timestamptz,
  CONSTRAINT ck_document_key_destroyed CHECK ((retired_at IS NULL) = (length(wrapped_private) > 0))
);
-- One key signs.
CREATE UNIQUE INDEX document_key_signs ON document_key (retired_at) NULLS NOT DISTINCT WHERE retired_at IS NULL;
GRANT SELECT, INSERT ON document_key TO {role};
GRANT UPDATE (wrapped_private, retired_at) ON document_key TO {role};
