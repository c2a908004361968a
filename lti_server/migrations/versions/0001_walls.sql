-- Row-level security, the directory's functions, and what the application role may do.
-- {role} is the application role of this database.

CREATE FUNCTION directory_find(wanted text, key bytea) RETURNS TABLE (district_id uuid, target_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$ SELECT d.district_id, d.target_id FROM directory d
      WHERE d.kind = wanted AND d.key_hash = key AND (d.expires_at IS NULL OR d.expires_at > clock_timestamp())
      ORDER BY d.created_at, d.district_id LIMIT 2 $$;

-- Find and enter in one statement: the tenant is set for the rest of the transaction.
CREATE FUNCTION directory_enter(wanted text, key bytea) RETURNS TABLE (district_id uuid, target_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  SELECT d.district_id, d.target_id INTO directory_enter.district_id, directory_enter.target_id FROM directory d
    WHERE d.kind = wanted AND d.key_hash = key AND (d.expires_at IS NULL OR d.expires_at > clock_timestamp())
    ORDER BY d.created_at LIMIT 1;
  IF FOUND THEN
    PERFORM set_config('app.district', directory_enter.district_id::text, true);
    RETURN NEXT;
  END IF;
END $$;

CREATE FUNCTION directory_close(wanted text, target uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$ DELETE FROM directory WHERE kind = wanted AND target_id = target AND district_id = current_district() $$;

-- Keys that opened something until a moment that is past.
CREATE FUNCTION directory_sweep(before timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$ DELETE FROM directory WHERE expires_at < before $$;

-- The operator's list: ids and nothing else; each district is then entered to be read.
CREATE FUNCTION district_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$ SELECT target_id FROM directory WHERE kind = 'district' ORDER BY created_at, target_id $$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'contract', 'grants', 'log_entry', 'person', 'person_field', 'identity', 'section', 'roster_run', 'membership',
    'registration', 'platform_invitation', 'deployment', 'platform_keys', 'spent_nonce', 'service_token', 'resource_link', 'lesson_token',
    'deep_link_request', 'deep_link_item', 'progress_event', 'progress_summary', 'grade_column', 'grade_delivery']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
  -- An operator's session, invitation or mail has no district, and is seen only where no tenant is entered.
  FOREACH name IN ARRAY ARRAY['session', 'invitation', 'mail_message'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id IS NOT DISTINCT FROM current_district()) WITH CHECK (district_id IS NOT DISTINCT FROM current_district())', name);
  END LOOP;
END $$;
ALTER TABLE district ENABLE ROW LEVEL SECURITY;
ALTER TABLE district FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON district USING (id = current_district()) WITH CHECK (id = current_district());

GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON
  district, grants, person, person_field, identity, invitation, section, roster_run, membership, lesson,
  registration, platform_invitation, deployment, platform_keys, spent_nonce, service_token, tool_key, resource_link, deep_link_request,
  deep_link_item, session, lesson_token,
  progress_event, progress_summary, grade_column, grade_delivery, mail_message, instance_key TO {role};
-- What was logged and what was signed is never changed; policies are compiled once on the strength of it.
GRANT SELECT, INSERT ON log_entry, contract TO {role};
GRANT INSERT ON directory TO {role};
REVOKE ALL ON FUNCTION directory_find(text, bytea), directory_enter(text, bytea), directory_close(text, uuid),
  directory_sweep(timestamptz), district_ids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory_find(text, bytea), directory_enter(text, bytea), directory_close(text, uuid),
  directory_sweep(timestamptz), district_ids(), current_district() TO {role};
