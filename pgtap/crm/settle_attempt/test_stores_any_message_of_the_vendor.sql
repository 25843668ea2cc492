begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

create table test.message (name text, message text, kept integer, what text);
insert into test.message
values
  ('1', null, null, 'no message'),
  ('2', E' \n ', null, 'only white space'),
  ('3', repeat('x', 999) || '  y' || repeat('x', 1000), 999, 'a long message is cut'),
  ('4', repeat('é', 5000), 1000, 'no character is cut in two'),
  ('5', E'a\tb\nc\u0001', 6, 'control characters');
insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), m.name || '@example.com', m.name, 'qualified' from test.message as m;
select leased()::text;
select crm.settle_attempt(acme(), (sync(m.name)).id, 1, 'refused', message => m.message) from test.message as m;
select is(length((sync(m.name)).error), m.kept, m.what) from test.message as m order by m.name;

select * from finish();
rollback;
