-- Where a signal of an application that many districts use finds its person (docs/adr/0015). {role} is the application
-- role of this database.
-- Both enter one district after another within one statement, as their caller: the walls stand, and what they see is
-- what whoever calls them would see. The district that was entered before is entered again afterwards.
CREATE FUNCTION signal_districts(wanted text) RETURNS TABLE (district_id uuid, data_key bytea, pepper bytea)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET app.district TO ''
AS $$
DECLARE one uuid;
BEGIN
  FOR one IN SELECT district_ids() LOOP
    PERFORM set_config('app.district', one::text, true);
    RETURN QUERY SELECT d.id, d.data_key, d.pepper FROM district d
      WHERE d.id = one AND EXISTS (SELECT FROM grants g WHERE g.district_id = one AND g.provider = wanted);
  END LOOP;
END $$;

CREATE FUNCTION signal_places(districts uuid[], subjects bytea[], sessions bytea[]) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET app.district TO ''
AS $$
BEGIN
  FOR number IN 1 .. cardinality(districts) LOOP
    PERFORM set_config('app.district', districts[number]::text, true);
    IF EXISTS (SELECT FROM identity i WHERE i.subject_hash = subjects[number])
      OR EXISTS (SELECT FROM session s WHERE s.provider_session_hash = sessions[number]) THEN
      RETURN NEXT districts[number];
    END IF;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION signal_districts(text), signal_places(uuid[], bytea[], bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION signal_districts(text), signal_places(uuid[], bytea[], bytea[]) TO {role};

CREATE INDEX ix_identity_subject_hash ON identity (subject_hash);
