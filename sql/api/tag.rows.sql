-- api.tag - the chapters of the reference.
set local role leads_owner;
delete from api.tag;

insert into api.tag (name, position, description)
values
  ('Leads', 1, 'People and companies that are interested in your services. A key reaches only the leads of its organization.'),
  ('Scoring', 2, 'Signals about a lead, and the score that the organization''s model computes from them, with its reasons.'),
  ('CRM', 3, 'The record of a lead in the organization''s CRM. Each lead gets one record, and never a second one.'),
  ('Forms', 4, 'Addresses to which web pages, automation tools and other services post leads without a key.'),
  ('Webhooks', 5, 'Addresses to which the events of the audit log are sent, signed and in order.'),
  ('Audit log', 6, 'Every change, with its author and origin, and the proof that the log itself was not changed.'),
  ('Organization', 7, 'The organization that the key belongs to.'),
  ('Keys', 8, 'The API keys of the organization. A key is shown once, when it is created.');
