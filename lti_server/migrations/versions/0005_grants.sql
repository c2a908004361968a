-- Grants that are withdrawn in two phases (design 2, "Revocation"): what the database itself holds, and the receipts.
-- {role} is the application role of this database.

ALTER TABLE grants DROP CONSTRAINT ck_grants_state;
ALTER TABLE grants ADD CONSTRAINT ck_grants_state CHECK (state IN (
  'draft', 'awaiting_contract', 'pending', 'active', 'suspended', 'expired', 'revoking', 'revoked', 'disposing',
  'disposal_error', 'disposed'));

-- What a grant is used for: withdrawing one of both leaves it active for the other, at the next epoch.
ALTER TABLE grants ADD COLUMN uses text[] NOT NULL DEFAULT '{signin,roster}'
  CONSTRAINT ck_grants_uses CHECK (uses <@ '{signin,roster}');

-- The same table as privacy/grant_states.py; a test compares them.
CREATE FUNCTION grant_may_move(from_state text, to_state text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT from_state || '>' || to_state = ANY (ARRAY[
  'draft>awaiting_contract', 'draft>pending', 'draft>active', 'draft>revoking',
  'awaiting_contract>pending', 'awaiting_contract>active', 'awaiting_contract>revoking',
  'pending>active', 'pending>revoking',
  'active>pending', 'active>suspended', 'active>expired', 'active>revoking',
  'suspended>active', 'suspended>expired', 'suspended>revoking',
  'expired>revoking',
  'revoking>revoked',
  'revoked>disposing',
  'disposing>disposed', 'disposing>disposal_error',
  'disposal_error>disposing']) $$;

-- Held against every role, the owner's too. ENABLE ALWAYS: no setting of a session goes around it.
CREATE FUNCTION grant_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' THEN
    RAISE EXCEPTION 'a grant is never deleted' USING ERRCODE = 'LG002';
  END IF;
  IF (NEW.id, NEW.district_id, NEW.provider, NEW.created_at) IS DISTINCT FROM
     (OLD.id, OLD.district_id, OLD.provider, OLD.created_at) THEN
    RAISE EXCEPTION 'a grant stays what it was made for' USING ERRCODE = 'LG002';
  END IF;
  IF NEW.epoch < OLD.epoch THEN
    RAISE EXCEPTION 'the epoch of a grant never falls' USING ERRCODE = 'LG002';
  END IF;
  IF NEW.state <> OLD.state AND NOT grant_may_move(OLD.state, NEW.state) THEN
    RAISE EXCEPTION 'a grant that is % never becomes %', OLD.state, NEW.state USING ERRCODE = 'LG002';
  END IF;
  IF NEW.state = 'revoking' AND OLD.state <> 'revoking' AND NEW.epoch = OLD.epoch THEN
    RAISE EXCEPTION 'a withdrawal takes the next epoch' USING ERRCODE = 'LG002';
  END IF;
  IF NOT NEW.uses <@ OLD.uses OR (NEW.uses <> OLD.uses AND NEW.epoch = OLD.epoch) THEN
    RAISE EXCEPTION 'the uses of a grant only narrow, at the next epoch' USING ERRCODE = 'LG002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER grant_moves BEFORE UPDATE OR DELETE ON grants FOR EACH ROW EXECUTE FUNCTION grant_moves();
CREATE TRIGGER grant_stays BEFORE TRUNCATE ON grants FOR EACH STATEMENT EXECUTE FUNCTION grant_moves();
ALTER TABLE grants ENABLE ALWAYS TRIGGER grant_moves;
ALTER TABLE grants ENABLE ALWAYS TRIGGER grant_stays;

-- The fence of a grant: shared by whoever reads, sends or writes under it, exclusive for whoever withdraws it.
CREATE FUNCTION grant_key(wanted uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT hashtextextended('grant|' || wanted::text, 5) $$;

CREATE FUNCTION grant_is_at(wanted uuid, at_epoch integer, wanted_use text) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT EXISTS (SELECT FROM grants WHERE id = wanted AND state = 'active'
  AND (at_epoch IS NULL OR epoch = at_epoch) AND (wanted_use IS NULL OR wanted_use = ANY (uses))) $$;

-- Hold the fence to the end of the transaction. True: held, and the grant stands at this epoch. False: it does not
-- stand. Null: somebody is withdrawing it at this moment. It never waits, so that nobody waits in a circle.
-- Each statement sees what was committed before it: state and epoch are read again inside the fence.
CREATE FUNCTION grant_hold(wanted uuid, at_epoch integer, wanted_use text) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  IF NOT grant_is_at(wanted, at_epoch, wanted_use) THEN
    RETURN false;
  END IF;
  IF NOT pg_try_advisory_xact_lock_shared(grant_key(wanted)) THEN
    RETURN NULL;
  END IF;
  RETURN grant_is_at(wanted, at_epoch, wanted_use);
END $$;

-- Who holds the fence now: pages and sends in flight, and transactions about to commit.
CREATE FUNCTION grant_in_flight(wanted uuid) RETURNS integer LANGUAGE sql VOLATILE
AS $$ SELECT count(*)::integer FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND mode = 'ShareLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = ((grant_key(wanted) >> 32) & 4294967295)::oid AND objid = (grant_key(wanted) & 4294967295)::oid $$;

-- The epoch predicate of every write: a row that came by a grant is written only while the grant stands at the row's
-- epoch, and its transaction holds the fence until it has committed. Once per transaction, grant and epoch.
CREATE FUNCTION grant_must_stand() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  mine uuid;
  at_epoch integer;
  held text := current_setting('app.standing', true);
BEGIN
  IF TG_TABLE_NAME = 'service_token' THEN
    SELECT r.grant_id INTO mine FROM registration r WHERE r.id = NEW.registration_id;
  ELSE
    mine := NEW.grant_id;
    IF mine IS NULL THEN
      RETURN NEW;
    END IF;
  END IF;
  IF TG_ARGV[0] = 'epoch' THEN
    at_epoch := NEW.epoch;
  ELSIF TG_ARGV[0] = 'grant_epoch' THEN
    at_epoch := NEW.grant_epoch;
  END IF;
  IF held = mine || '@' || at_epoch OR (at_epoch IS NULL AND starts_with(held, mine || '@')) THEN
    RETURN NEW;
  END IF;
  IF grant_hold(mine, at_epoch, NULL) IS NOT TRUE THEN
    RAISE EXCEPTION 'the grant does not stand at this epoch' USING ERRCODE = 'LG001';
  END IF;
  IF at_epoch IS NOT NULL THEN
    PERFORM set_config('app.standing', mine || '@' || at_epoch, true);
  END IF;
  RETURN NEW;
END $$;
DO $$
DECLARE one record;
BEGIN
  FOR one IN SELECT * FROM (VALUES
    ('session', 'grant_epoch'), ('deep_link_request', 'grant_epoch'), ('person_field', 'epoch'),
    ('membership', 'epoch'), ('progress_event', 'epoch'), ('grade_delivery', 'epoch'), ('service_token', 'epoch'),
    ('identity', ''), ('section', ''), ('resource_link', ''), ('deep_link_item', '')) AS listed (name, which)
  LOOP
    EXECUTE format('CREATE TRIGGER grant_must_stand BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION grant_must_stand(%L)',
      one.name, one.which);
  END LOOP;
END $$;

-- A launch is a sign-in: where that use is withdrawn, the grant stands for other uses alone.
CREATE OR REPLACE FUNCTION launch_standing(deployment uuid, moment timestamptz) RETURNS TABLE (
  registration_id uuid, issuer text, client_id text, jwks_url text, deployment_row_id uuid,
  grant_id uuid, grant_state text, epoch integer, key_version integer, jwks text, fetched_at timestamptz,
  district_id uuid, data_key bytea, pepper bytea, locale text, contract_id uuid, valid_to date, today date,
  anonymous boolean)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT r.id, r.issuer, r.client_id, r.jwks_url, d.id, g.id,
    CASE WHEN 'signin' = ANY (g.uses) THEN g.state ELSE 'suspended' END, g.epoch, k.version, k.jwks::text, k.fetched_at,
    s.id, s.data_key, s.pepper, s.locale, c.id, c.valid_to, (moment AT TIME ZONE s.timezone)::date,
    d.anonymous
  FROM deployment d
  JOIN registration r ON r.id = d.registration_id AND r.removed_at IS NULL
  JOIN grants g ON g.id = r.grant_id
  JOIN district s ON s.id = d.district_id
  JOIN platform_keys k ON k.registration_id = r.id
  LEFT JOIN LATERAL (
    SELECT id, valid_to FROM contract
    WHERE valid_from <= (moment AT TIME ZONE s.timezone)::date
    ORDER BY version DESC LIMIT 1) c ON true
  WHERE d.id = deployment;
END $$;

-- One withdrawal of a grant, or of one of its uses. `reason` is sealed: somebody wrote it.
CREATE TABLE revocation (
  id uuid CONSTRAINT pk_revocation PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  -- The epoch that the withdrawal began: what carries a lower one is refused.
  epoch integer NOT NULL,
  uses text[] NOT NULL,
  asked_by text NOT NULL,
  reason bytea,
  requested_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  -- The contract's date; none where the grant stands on for another use, or the contract sets none.
  dispose_by date,
  adopted_by_grant_id uuid REFERENCES grants (id),
  CONSTRAINT uq_revocation_grant_id_epoch UNIQUE (grant_id, epoch)
);
CREATE INDEX ix_revocation_district_id ON revocation (district_id);
CREATE INDEX ix_revocation_open ON revocation (requested_at) WHERE acknowledged_at IS NULL;

-- What each participant did, and when: counts alone.
CREATE TABLE revocation_receipt (
  id uuid CONSTRAINT pk_revocation_receipt PRIMARY KEY,
  revocation_id uuid NOT NULL REFERENCES revocation (id),
  district_id uuid NOT NULL REFERENCES district (id),
  participant text NOT NULL,
  at timestamptz NOT NULL,
  did jsonb NOT NULL
);
CREATE INDEX ix_revocation_receipt_revocation_id ON revocation_receipt (revocation_id);

-- A token that only the revoker may still use, sealed; gone on success, and at the latest at `until`.
CREATE TABLE upstream_revocation (
  id uuid CONSTRAINT pk_upstream_revocation PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  revocation_id uuid NOT NULL REFERENCES revocation (id),
  provider text NOT NULL,
  sealed bytea,
  state text NOT NULL CONSTRAINT ck_upstream_revocation_state CHECK (state IN ('waiting', 'done', 'given_up')),
  attempts integer NOT NULL DEFAULT 0,
  queued_at timestamptz NOT NULL,
  until timestamptz NOT NULL,
  settled_at timestamptz,
  CONSTRAINT ck_upstream_revocation_wiped CHECK ((sealed IS NOT NULL) = (state = 'waiting'))
);
CREATE INDEX ix_upstream_revocation_revocation_id ON upstream_revocation (revocation_id);

-- A provider's signal is heeded once (its own id, hashed).
CREATE TABLE provider_signal (
  district_id uuid NOT NULL REFERENCES district (id),
  provider text NOT NULL,
  signal_hash bytea NOT NULL,
  received_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT pk_provider_signal PRIMARY KEY (district_id, provider, signal_hash)
);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['revocation', 'revocation_receipt', 'upstream_revocation', 'provider_signal'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;
REVOKE DELETE ON grants FROM {role};
GRANT SELECT, INSERT, UPDATE ON revocation, upstream_revocation TO {role};
-- A receipt is never changed.
GRANT SELECT, INSERT ON revocation_receipt TO {role};
GRANT SELECT, INSERT, DELETE ON provider_signal TO {role};
