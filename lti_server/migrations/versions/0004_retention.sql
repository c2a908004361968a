-- The purge of what is past its time looks for the oldest fields of a district every few minutes.
CREATE INDEX ix_person_field_district_id_collected_at ON person_field (district_id, collected_at);
