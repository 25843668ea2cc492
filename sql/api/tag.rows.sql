-- api.tag - the chapters of the reference.
set local role leads_owner;

delete from api.tag;

insert into api.tag (name, position, description)
values
  ('Leads', 1, 'People and companies who asked for something. Every lead belongs to the organization of the key.'),
  ('Scoring', 2, 'What was observed of a lead, and the score that the organization''s model makes of it, with reasons.'),
  ('CRM', 3, 'The record of a lead in the organization''s CRM: made once and only once.'),
  ('Audit log', 4, 'Every change, who made it and from where; and the proof that nobody has changed the log.'),
  ('Organization', 5, 'Whose key this is.');
