-- A course is a section; where its platform divides it, each division is a section that names its course.
-- `untold`: the platform was asked how the course is divided and did not say it, so the course is one section.
ALTER TABLE section
  ADD COLUMN course_section_id uuid REFERENCES section (id),
  ADD COLUMN division text NOT NULL DEFAULT 'none'
    CONSTRAINT ck_section_division CHECK (division IN ('none', 'sections', 'untold')),
  -- Where the platform tells the changes since the last read (NRPS 2.0, 2.4.3); from its own answer, on its own host.
  ADD COLUMN differences_url text,
  ADD COLUMN read_whole_at timestamptz;
CREATE INDEX ix_section_course_section_id ON section (course_section_id) WHERE course_section_id IS NOT NULL;
