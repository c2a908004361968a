-- A launch by somebody who is known, of a link and in a course that are known, opens a session and changes nothing else.
-- It takes two ways to the server: one reads all that it stands on, the other opens it if that still stands.

-- Who and what of a launch is known already, inside the tenant.
CREATE FUNCTION launch_arrival(
  by_grant uuid, by_deployment uuid, by_issuer text, by_client text, by_subject bytea, by_context text, by_link text)
RETURNS TABLE (
  identity_id uuid, person_id uuid, kind text, wrapped_key bytea, fingerprints jsonb,
  section_id uuid, section_name text, memberships_url text, membership_id uuid, membership_role text,
  service_url text, notice_types text[], handler text,
  link_id uuid, lesson_id text, activity_id text, link_section_id uuid, link_title text,
  lineitems_url text, lineitem_url text, ags_scopes text[], deep_link_item_id uuid)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT i.id, p.id, p.kind, p.wrapped_key,
    (SELECT jsonb_object_agg(f.field, encode(f.fingerprint, 'hex')) FROM person_field f
      WHERE f.person_id = p.id AND f.grant_id = by_grant),
    s.id, s.name, s.memberships_url, m.id, m.role,
    h.service_url, h.notice_types, h.handler,
    l.id, l.lesson_id, l.activity_id, l.section_id, l.title,
    l.lineitems_url, l.lineitem_url, l.ags_scopes, l.deep_link_item_id
  FROM (SELECT 1) AS one
  LEFT JOIN identity i ON i.district_id = current_district() AND i.issuer = by_issuer AND i.client_id = by_client
    AND i.subject_hash = by_subject AND i.ended_at IS NULL
  LEFT JOIN person p ON p.id = i.person_id
  LEFT JOIN section s ON s.grant_id = by_grant AND s.source_scope = by_deployment::text AND s.source_id = by_context
  LEFT JOIN LATERAL (
    SELECT m.id, m.role FROM membership m JOIN section c ON c.id = m.section_id
    WHERE m.person_id = p.id AND m.ended_at IS NULL AND (c.id = s.id OR c.course_section_id = s.id)
    ORDER BY c.id = s.id, m.started_at, m.id LIMIT 1) m ON true
  LEFT JOIN notice_handler h ON h.deployment_row_id = by_deployment
  LEFT JOIN resource_link l ON l.deployment_row_id = by_deployment AND l.resource_link_id = by_link;
END $$;

-- Enter the tenant of a deployment by its door, and read all that a launch stands on.
CREATE FUNCTION launch_read(door bytea, moment timestamptz, by_subject bytea, by_context text, by_link text)
RETURNS TABLE (
  registration_id uuid, issuer text, client_id text, jwks_url text, deployment_row_id uuid,
  grant_id uuid, grant_state text, epoch integer, key_version integer, jwks text, fetched_at timestamptz,
  district_id uuid, data_key bytea, pepper bytea, locale text, contract_id uuid, valid_to date, today date,
  anonymous boolean,
  identity_id uuid, person_id uuid, kind text, wrapped_key bytea, fingerprints jsonb,
  section_id uuid, section_name text, memberships_url text, membership_id uuid, membership_role text,
  service_url text, notice_types text[], handler text,
  link_id uuid, lesson_id text, activity_id text, link_section_id uuid, link_title text,
  lineitems_url text, lineitem_url text, ags_scopes text[], deep_link_item_id uuid)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  deployment uuid;
BEGIN
  SELECT target_id INTO deployment FROM directory_enter('deployment', door);
  IF deployment IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT s.*, a.*
  FROM launch_standing(deployment, moment) s,
    LATERAL launch_arrival(s.grant_id, s.deployment_row_id, s.issuer, s.client_id, by_subject, by_context, by_link) a;
END $$;

-- Whether a launch is by somebody who is blocked, by any of these keyed hashes; inside the tenant.
CREATE FUNCTION launch_blocked(ids bytea[]) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT EXISTS (SELECT FROM block_alias b
  WHERE b.district_id = current_district() AND b.hash = ANY (ids) AND b.provider IN ('', 'lti')) $$;

-- Enter the tenant again; true where the person is still known by this identity, still in this membership, and not
-- blocked. That the grant stands at its epoch and the person was not erased, the session's own triggers see to.
CREATE FUNCTION launch_stands(door bytea, by_identity uuid, in_membership uuid, ids bytea[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  PERFORM FROM directory_enter('deployment', door);
  RETURN EXISTS (SELECT FROM identity i WHERE i.id = by_identity AND i.ended_at IS NULL)
    AND (in_membership IS NULL
      OR EXISTS (SELECT FROM membership m WHERE m.id = in_membership AND m.ended_at IS NULL))
    AND NOT launch_blocked(ids);
END $$;
